"""The chain rule pane: the step about to run, in algebra, in numbers and in words."""

from __future__ import annotations

from bisect import bisect_left

from textual.content import Content

from backprop_engine.basics import notation
from backprop_engine.basics.values import Known, same, size_of
from backprop_engine.mathematics.text import text_of
from backprop_engine.reading.array_rule import array_rule
from backprop_engine.reading.explain import Explanation
from backprop_engine.trace import NO_NODE, Pass, PassKind, Step, StepKind, Trace
from backprop_tui.session.session import Session
from backprop_tui.view.fault import fault_text
from backprop_tui.view.text import wrapped
from backprop_tui.view.view import View
from backprop_tui.widgets.mathematics import (
    Picture,
    Term,
    aligned,
    beside,
    columns,
    flow,
    formula,
    fraction,
    picture,
    styled,
)
from backprop_tui.widgets.matrices import matrices
from backprop_tui.widgets.pane import TextPane

_UPSTREAM = "$primary"
_LOCAL = "$secondary"
_TARGET = "$warning"
_MUTED = "$foreground-muted"
_GAP = 4
_MOST_LEAVES = 20
_SENDERS_NAMED = 3
_GRADS_NAMED = 3


class ChainRulePane(TextPane):
    """Draws the explanation of the step under the cursor."""

    def draw(self, view: View, width: int, height: int) -> list[Content]:
        """Where we are, the step's headline, its mathematics, and the sentence."""
        return chain_rule_lines(view, width, height)


def chain_rule_lines(view: View, width: int, height: int) -> list[Content]:
    """The pane's lines: with all that fits `height`; matrices give way first, then blank lines."""
    step, explanation = view.session.step, view.session.told
    if step is None or explanation is None:
        return _wrapped(_end_lines(view), width)
    lines: list[Content] = []
    for has_matrices in (True, False):
        for is_roomy in (True, False):
            lines = _step_lines(
                view, step, explanation, width, has_matrices=has_matrices, is_roomy=is_roomy
            )
            if len(lines) <= height:
                return lines
        blank = lines.count(Content())
        if len(lines) - blank <= height:
            break
    while len(lines) > height and Content() in lines:
        lines.remove(Content())
    return lines


def _step_lines(
    view: View,
    step: Step,
    explanation: Explanation,
    width: int,
    *,
    has_matrices: bool,
    is_roomy: bool,
) -> list[Content]:
    """`is_roomy` puts the parts of the mathematics under each other, not side by side."""
    session = view.session
    where = view.say(where_sentence(session))
    style = _done_style(view) if session.finished_pass else _MUTED
    lines = _wrapped([(where, style), (view.say(explanation.headline), "bold")], width)
    lines.append(Content())
    drawn = _matrices(view, step, width) if has_matrices else None
    for band in _bands(view, step, explanation, width, drawn, is_roomy=is_roomy):
        lines.extend(line.rstrip() for line in band.lines)
        lines.append(Content())
    words = [(view.say(explanation.sentence), "")]
    words += [(view.say(note), _MUTED) for note in explanation.notes]
    words.append((view.say(_accumulation(session.trace, step)), _TARGET))
    return lines + _wrapped([(said, style) for said, style in words if said], width)


def _accumulation(trace: Trace, step: Step) -> str:
    """What a step that completes an input's sum adds to a `.grad` that an earlier pass has left."""
    receiver = int(trace.receivers[step.index])
    before = None if receiver == NO_NODE else trace.grad(receiver, step.index)
    after = None if before is None else trace.grad(receiver, step.index + 1)
    if before is None or after is None or not trace.progress(receiver, step.index + 1).is_complete:
        return ""
    grad, added = f"{trace.label(receiver)}.grad", trace.totals[step.index]
    if added is None:
        return ""
    figures = f"{notation.short(before)} + {notation.short(added)} = {notation.short(after)}"
    return (
        f"{grad} then grows: {figures}, for an earlier pass has left {notation.short(before)} there"
    )


def where_sentence(session: Session) -> str:
    """Which pass, how far; at the end of a pass what it came to and what is next."""
    trace, finished = session.trace, session.finished_pass
    done = f"{session.cursor:,} of {len(trace):,} done"
    coming = trace.passes[trace.pass_index(session.cursor)]
    if finished is None:
        return f"{_title(trace, coming)} · {done}, about to run:"
    return f"{_result(trace, finished)} · next: {_title(trace, coming)}"


def _title(trace: Trace, pass_: Pass) -> str:
    if pass_.output is not None:
        return f"backward from {trace.label(pass_.output)}"
    return "forward" if pass_.kind is PassKind.FORWARD else pass_.name


def _result(trace: Trace, pass_: Pass) -> str:
    """What a pass came to, in one line."""
    figures: list[str] = []
    if pass_.kind is PassKind.FORWARD:
        outputs = [each.output for each in trace.passes if each.output is not None]
        figures = [_equation(trace.label(node), trace.nodes.value[node]) for node in outputs[:1]]
    elif pass_.kind is PassKind.BACKWARD and len(pass_.grads or {}) <= _GRADS_NAMED:
        grads = (pass_.grads or {}).items()
        figures = [_equation(f"{trace.label(node)}.grad", grad) for node, grad in grads]
    done = f"{_title(trace, pass_)} done"
    return f"{done}: {', '.join(figures)}" if figures else done


def _equation(name: str, value: Known | None) -> str:
    return f"{name} = {'None' if value is None else notation.short(value)}"


def _wrapped(texts: list[tuple[str, str]], width: int) -> list[Content]:
    """Texts in their styles, an empty one as an empty line."""
    return [
        line
        for text, style in texts
        for line in wrapped(text, max(width, 8), style, hyphens=False) or [Content()]
    ]


def _bands(
    view: View,
    step: Step,
    explanation: Explanation,
    width: int,
    drawn: Picture | None,
    *,
    is_roomy: bool,
) -> list[Picture]:
    """The step's mathematics, as pictures to be put under each other.

    Where the arrays are `drawn`, they stand for the numbers, and for a sum of one.
    """
    if step.kind is not StepKind.CONTRIBUTION:
        return [_labelled(_derivation(view, explanation), width)]
    total = _sum(view, step, explanation)
    if drawn is not None:
        receiver = int(view.session.trace.receivers[step.index])
        is_one_of_many = view.session.trace.progress(receiver, step.index + 1).expected > 1
        parts = [*_rule(view, explanation), drawn, *[total] * is_one_of_many]
        return parts if is_roomy else flow(parts, width, _GAP)
    first_part, *rest = _rule(view, explanation)
    if explanation.vjp:
        first_part = picture([*first_part.lines, _upstream(view, explanation)])
    parts = [_labelled(first_part, width)]
    parts += [_labelled(part, width) if is_roomy else part for part in rest]
    together = [] if is_roomy else flow([*parts, total], width, _GAP)
    if len(together) == 1:
        return together
    if is_roomy:
        return [*parts, _indented(total, width)]
    # What has no room beside the labelled one stands level with it.
    first, *below = flow(parts, width, _GAP)
    return [first, *(_indented(band, width) for band in (*below, total))]


def _rule(view: View, explanation: Explanation) -> list[Picture]:
    """A contribution in algebra; where it is one of numbers, with these under it."""
    if explanation.vjp:
        return [formula(explanation.vjp, view.say, _TARGET)]
    derivation = _derivation(view, explanation)
    return [_product(view, explanation), derivation] if explanation.local else [derivation]


_ALGEBRA, _NUMBERS = styled("algebra", _MUTED), styled("numbers", _MUTED)


def _labelled(part: Picture, width: int) -> Picture:
    """With the words that tell algebra from numbers to its left, if there is room for them."""
    words = picture(("", _ALGEBRA, "", _NUMBERS) if part.height > 2 else (_ALGEBRA, _NUMBERS))
    return _after(Picture(words.lines[: part.height], words.width), part, width)


def _indented(part: Picture, width: int) -> Picture:
    """Level with the labelled pictures."""
    return _after(picture([" " * _ALGEBRA.cell_length] * part.height), part, width)


def _after(lead: Picture, part: Picture, width: int) -> Picture:
    return beside([lead, part], 2) if lead.width + 2 + part.width <= width else part


def _product(view: View, explanation: Explanation) -> Picture:
    """Contribution += upstream · local, as fractions, and under each what it is here."""
    say = view.say
    return columns(
        [
            Term(*fraction(explanation.target, say), say(explanation.contribution), _TARGET),
            Term("+=", "", "=", ""),
            Term(*fraction(explanation.upstream_name, say), say(explanation.upstream), _UPSTREAM),
            Term(say("·"), "", say("×"), ""),
            Term(*fraction(explanation.name, say), say(explanation.local), _LOCAL),
        ]
    )


def _derivation(view: View, explanation: Explanation) -> Picture:
    """`name = algebra`, and on the line of numbers `= figures`."""
    if explanation.name is None or explanation.formula is None:
        return picture(())
    style = _LOCAL if explanation.local else ""
    lines = list(formula(explanation.formula, view.say, style).lines)
    lead = formula(explanation.name, view.say).width
    if explanation.numbers:
        numbers = view.say(text_of(explanation.numbers))
        lines.append(styled(" " * lead + f" = {numbers}", "bold"))
    return picture(lines)


def _upstream(view: View, explanation: Explanation) -> Content:
    """The upstream gradient's picture, in one line."""
    numbers = f"{text_of(explanation.upstream_name)} = {explanation.upstream}"
    return styled(view.say(numbers), _UPSTREAM)


def _matrices(view: View, step: Step, width: int) -> Picture | None:
    """The step in numbers, where it is one between arrays."""
    if view.session.sent_shape is None:
        return None
    rule = array_rule(view.session.trace, step.index)
    element = view.session.sent_element
    return None if rule is None else matrices(rule, element, width, view.say)


def _sum(view: View, step: Step, explanation: Explanation) -> Picture:
    """The running sum as it is written on paper."""
    trace, text = view.session.trace, view.glyphs.text
    sender, receiver = int(trace.senders[step.index]), int(trace.receivers[step.index])
    progress = trace.progress(receiver, step.index + 1)
    left = progress.expected - progress.received
    before = explanation.before or "–"
    figures = aligned(list(map(text, (before, explanation.contribution, explanation.after))))
    target = text_of(explanation.target)
    earlier = _earlier_senders(trace, step, receiver)
    rows = [
        ("so far", " ", figures[0], f"from {earlier}" if earlier else "nothing yet", ""),
        ("this step", "+", figures[1], f"from {trace.label(sender)}", _TARGET),
        (target, "=", figures[2], f"{left} to come" if left else "complete", "bold"),
    ]
    rows = [(view.say(name), sign, number, view.say(why), style)
            for name, sign, number, why, style in rows]  # fmt: skip
    wide = max(len(name) for name, *_ in rows)
    lines = [
        Content.assemble(
            (name.ljust(wide) + "  ", _MUTED), (f"{sign} {number}", style), (f"  {why}", _MUTED)
        )
        for name, sign, number, why, style in rows
    ]
    rule = " " * (wide + 2) + "─" * (2 + len(figures[0]))
    return picture([*lines[:2], styled(rule, _MUTED), lines[2]])


def _earlier_senders(trace: Trace, step: Step, receiver: int) -> str:
    """Who has sent to the receiver before `step`, in the same pass."""
    receipts = trace.receipts(receiver)
    start = bisect_left(receipts, trace.passes[step.pass_index].start)
    earlier = receipts[start : bisect_left(receipts, step.index)]
    senders = list(dict.fromkeys(int(trace.senders[receipt]) for receipt in earlier))
    if len(senders) > _SENDERS_NAMED:
        return f"{len(senders):,} nodes"
    return ", ".join(map(trace.label, senders))


def _end_lines(view: View) -> list[tuple[str, str]]:
    """What the whole run came to."""
    session, text = view.session, view.glyphs.text
    trace, cursor = session.trace, session.cursor
    lines = [(f"the end: all {len(trace):,} steps done", _done_style(view))]
    if view.fault is not None:
        lines.append((view.say(fault_text(view.fault, view.keymap)), "bold $error"))
    lines.append(("", ""))
    before = {node for others in trace.outlived.values() for node in others}
    leaves = [node for node in trace.nodes.keeping_grad if node not in before]
    for node in leaves[:_MOST_LEAVES]:
        grad = trace.grad(node, cursor)
        said = _equation(f"{trace.label(node)}.grad", grad)
        original = session.whatif.original
        was = None if original is None else original.grad(node, cursor)
        if was is not None and not same(was, grad):
            said += f"  (was {notation.short(was)} with the scenario's own values)"
        lines.append((view.say(said), "bold"))
    if len(leaves) > _MOST_LEAVES:
        lines.append((f"and {len(leaves) - _MOST_LEAVES:,} more inputs", _MUTED))
    lines += [("", ""), (text(_closing(trace)), "")]
    return lines


def _done_style(view: View) -> str:
    """Of what is done: green, but for what a nan or inf has spoilt by then."""
    is_spoilt = view.fault is not None and view.session.cursor > view.fault.start
    return "bold $error" if is_spoilt else "bold $success"


def _closing(trace: Trace) -> str:
    output = next(
        (pass_.output for pass_ in reversed(trace.passes) if pass_.output is not None), None
    )
    if output is None:
        return "No backward pass ran, so there are no gradients."
    meant = trace.label(output)
    if size_of(trace.nodes.value[output]) > 1:
        meant = f"the sum of {meant}, each element times the gradient given for it"
    return (
        f"Each is the slope of {meant}: how much it moves when that input moves a little. "
        "S steps back, r starts again."
    )
