"""The symbolic pane: the output as a function, its derivative, and both at the point."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from textual.content import Content

from backprop_engine.basics import notation
from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.values import Known, in_full, kept, shape_of
from backprop_engine.checking.functional import Term, functional_of
from backprop_engine.trace import Missing, Pass, PassKind, Trace
from backprop_tui.oracles.report import Failed, Ready
from backprop_tui.oracles.sympy.calculus import KINK
from backprop_tui.oracles.sympy.judgement import gradient_of
from backprop_tui.oracles.sympy.report import Function, SymbolicReport
from backprop_tui.view.text import left, right, shown, wrapped
from backprop_tui.view.view import View
from backprop_tui.widgets.mathematics import styled
from backprop_tui.widgets.pane import TextPane

_MUTED = "$foreground-muted"
_DERIVATIVE = "bold $secondary"
_MOST_LINES = 8
_MOST_ARGUMENTS = 4
_LEAST_FIGURE, _MOST_FIGURE = 6, 19
_MOST_NAME = 24
_TOO_LONG = "too long to write down"
_KINK = (
    "Two pieces of the function meet here. Mathematics names no slope at such a place; "
    "ours is the one that torch takes."
)


class SymbolicPane(TextPane):
    """The derivative by the selected input as mathematics."""

    def draw(self, view: View, width: int, height: int) -> list[Content]:
        """Formulas and figures, or why there are none."""
        del height
        return symbolic_lines(view, width)


def symbolic_lines(view: View, width: int) -> list[Content]:
    """The pane's lines, at most `width` cells wide."""
    match view.symbolic:
        case Ready(report=report):
            return _report_lines(view, report, width)
        case Missing(reason=reason, instead=instead):
            return _sentences(view, width, (reason, ""), (instead, _MUTED))
        case Failed(reason=reason) as failed:
            return _sentences(view, width, (reason, "bold $warning"), (view.remedy(failed), ""))
        case _:
            return [styled(view.glyphs.waiting, _MUTED)]


def _sentences(view: View, width: int, *sentences: tuple[str, str]) -> list[Content]:
    return [
        line for sentence, style in sentences for line in wrapped(view.say(sentence), width, style)
    ]


@dataclass(frozen=True, slots=True)
class _Subject:
    """What the pane is about at the cursor: one backward pass, and one input."""

    trace: Trace
    done: Pass
    output: int
    node: int
    function: Function

    @property
    def d(self) -> str:
        """The sign of a derivative: d where there is one argument, ∂ where there are several."""
        return "d" if len(self.function.arguments) == 1 else "∂"

    @property
    def derivative(self) -> str:
        """`dy/dx`"""
        return f"{self.d}{self.trace.label(self.output)}/{self.d}{self.trace.label(self.node)}"


def _subject(view: View, report: SymbolicReport) -> _Subject | None:
    session = view.session
    trace, shown = session.trace, session.trace.shown_pass(session.cursor)
    backward = [pass_ for pass_ in trace.passes if pass_.kind is PassKind.BACKWARD]
    started = [pass_ for pass_ in backward if pass_.index <= shown.index]
    done = (started[-1:] or backward)[0]
    if done.output is None:
        return None
    function = report.functions[done.output]
    partials = list(function.partials)
    operand = None if session.step is None else session.step.operand
    chosen = [node for node in (session.node, operand) if node in partials]
    node = next(iter([*chosen, *partials]), None)
    if node is None:  # no expression could be made; its inputs are not known either
        node = next(node for node in trace.nodes.inputs.values() if trace.nodes.requires_grad[node])
    return _Subject(trace, done, done.output, node, function)


def _report_lines(view: View, report: SymbolicReport, width: int) -> list[Content]:
    subject = _subject(view, report)
    if subject is None:
        return []
    function, trace = subject.function, subject.trace
    if function.reason:
        reason = f"There is no formula: {function.reason}."
        return _sentences(view, width, (reason, ""))
    names = [trace.label(node) for node in function.arguments]
    arguments = ", ".join(names[:_MOST_ARGUMENTS]) + (", …" if names[_MOST_ARGUMENTS:] else "")
    partial = function.partials[subject.node]
    lines = _equation(
        view, f"{trace.label(subject.output)}({arguments})", function.expression.text, width, "bold"
    )
    lines += _equation(view, subject.derivative, partial.derivative.text, width, _DERIVATIVE)
    lines += [Content(), *_figures(view, report, subject, width)]
    others = [node for node in function.partials if node != subject.node]
    if others:
        told = ", ".join(trace.label(node) for node in others[:_MOST_ARGUMENTS])
        more = ", …" if others[_MOST_ARGUMENTS:] else ""
        sentence = f"Select another input in the graph for its derivative: {told}{more}."
        lines += [Content(), *_sentences(view, width, (sentence, _MUTED))]
    return lines


def _equation(view: View, name: str, text: str, width: int, style: str) -> list[Content]:
    """`name = text`, in as many lines as it takes, up to some."""
    head = view.say(f"{name} = ")
    shown = view.say(text or _TOO_LONG)
    indent = min(len(head), width // 3)
    broken = textwrap.wrap(
        head + shown, max(width, indent + 1), subsequent_indent=" " * indent, drop_whitespace=True
    )
    if len(broken) > _MOST_LINES:
        broken = [*broken[: _MOST_LINES - 1], " " * indent + view.glyphs.waiting]
    first, *rest = broken
    body_style = style if text else _MUTED
    return [
        Content.assemble((first[: len(head)], ""), (first[len(head) :], body_style)),
        *(styled(line, body_style) for line in rest),
    ]


# Figures


@dataclass(frozen=True, slots=True)
class _Row:
    """One line of the table."""

    name: str
    formula: Known | None
    ours: Known | None
    agrees: bool | None = None
    """None where nothing is judged."""
    is_partial: bool = False
    """Whether contributions to ours are still to come."""


def _figures(view: View, report: SymbolicReport, subject: _Subject, width: int) -> list[Content]:
    """The table, and a sentence where the formula has no value."""
    trace, cursor = subject.trace, view.session.cursor
    point = ", ".join(
        f"{trace.label(node)} = {notation.short(trace.nodes.value[node])}"
        for node in subject.function.arguments[:_MOST_ARGUMENTS]
    )
    if subject.function.arguments[_MOST_ARGUMENTS:]:
        point += ", …"
    is_computed = trace.is_computed(subject.output, cursor)
    output = trace.nodes.value[subject.output] if is_computed else None
    slope = gradient_of(trace, report, subject.node, (_term(subject),))
    inside = min(cursor, subject.done.stop)  # after a `zero_grad` the pass before it is shown
    is_complete = trace.progress(subject.node, inside).is_complete
    ours = kept(trace.gradient(subject.node, inside))
    agrees = slope.agrees(ours) if is_complete and not slope.reason else None
    is_partial = ours is not None and not is_complete
    rows = [
        _Row(trace.label(subject.output), subject.function.value, output),
        _Row(_seeded(subject), slope.gradient, ours, agrees, is_partial),
        *_grad_rows(report, subject, cursor),
    ]
    lines = _table(view, f"at {point}", rows, width)
    if slope.reason:
        is_kink = slope.reason == KINK
        reason = _KINK if is_kink else f"The formula is {slope.reason}."
        lines += [Content(), *_sentences(view, width, (reason, _MUTED))]
    return lines


def _term(subject: _Subject) -> Term:
    seed = in_full(subject.trace.contribution(subject.done.start))
    return Term(subject.done.index, subject.output, seed)


def _seeded(subject: _Subject) -> str:
    """`dy/dx`, or `2·dy/dx` where the pass was given another gradient than 1."""
    seed = _term(subject).seed
    if shape_of(seed) or float(seed) == 1.0:
        return subject.derivative
    return f"{notation.in_brackets(notation.short(seed))}·{subject.derivative}"


def _grad_rows(report: SymbolicReport, subject: _Subject, cursor: int) -> Sequence[_Row]:
    """`.grad`, where it is more than the gradient of one pass."""
    trace, node = subject.trace, subject.node
    if sum(pass_.kind is not PassKind.FORWARD for pass_ in trace.passes) < 2:
        return ()
    terms = functional_of(trace, node, trace.accumulated(node, cursor))
    ours = kept(trace.grad(node, cursor))
    name = f"{trace.label(node)}.grad"
    if ours is None:
        return (_Row(name, None, None),)
    total = gradient_of(trace, report, node, terms)
    return (_Row(name, total.gradient, ours, None if total.reason else total.agrees(ours)),)


def _table(view: View, heading: str, rows: Sequence[_Row], width: int) -> list[Content]:
    glyphs = view.glyphs
    texts = [glyphs.say(text) for text in (heading, *(row.name for row in rows))]
    name = max(min(max(map(len, texts)), _MOST_NAME, width // 2), 4)
    room = (width - name - 6) // 2
    wide = max(min(room, _MOST_FIGURE), _LEAST_FIGURE)
    titles = f"  {right('formula', wide)}  {right('ours', wide)}"
    lines = [styled(left(texts[0], name) + titles, _MUTED)]
    for row, text in zip(rows, texts[1:], strict=True):
        mark, style = glyphs.waiting if row.is_partial else "", _MUTED
        if row.agrees is not None:
            mark = glyphs.agrees if row.agrees else glyphs.disagrees
            style = "bold $success" if row.agrees else "bold $error"
        figures = (f"  {shown(row.formula, wide)}", "bold"), f"  {shown(row.ours, wide)}"
        lines.append(Content.assemble(left(text, name), *figures, (f" {mark}", style)))
    return lines
