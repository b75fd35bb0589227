"""The chain rule pane: the step about to run, in algebra, in numbers and in words."""

from __future__ import annotations

import numpy as np
from rich.cells import cell_len
from textual.content import Content

from backprop_engine.basics import notation
from backprop_engine.basics.values import Known, same
from backprop_engine.mistakes.asking import asked_text, how_made, known
from backprop_engine.mistakes.questions import Question
from backprop_engine.mistakes.wording import upstream_name
from backprop_engine.reading.timeline_words import accumulation, closing, pass_title
from backprop_engine.trace import Pass, PassKind, Trace
from backprop_tui.session.session import Session
from backprop_tui.view.fault import fault_text
from backprop_tui.view.text import wrapped
from backprop_tui.view.view import View
from backprop_tui.widgets.pane import TextPane
from backprop_tui.widgets.step_mathematics import MUTED, TARGET, arrangements, mathematics

_MOST_LEAVES = 20
_GRADS_NAMED = 3
_COMING = ", about to run:"


class ChainRulePane(TextPane):
    """Draws the explanation of the step under the cursor."""

    def draw(self, view: View, width: int, height: int) -> list[Content]:
        """Where we are, the step's headline, its mathematics, and the sentence."""
        return chain_rule_lines(view, width, height)


def chain_rule_lines(view: View, width: int, height: int) -> list[Content]:
    """The pane's lines: the mathematics gives way until the sentence is in sight, too."""
    if view.session.question is not None:
        return _asked_lines(view, view.session.question, width)
    step, told = view.session.step, view.session.told
    if step is None or told is None:
        return _wrapped(_end_lines(view, width), width)
    session, say = view.session, view.say
    style = _done_style(view) if session.finished_pass else MUTED
    headline = told.headline
    if step.operand is not None:
        headline += how_made(session.trace, step.operand)
    where = say(where_sentence(session))
    if cell_len(where) > width:
        where = where.removesuffix(_COMING)
    head = _wrapped([(where, style), (say(headline), "bold")], width)
    sentence = _wrapped([(say(told.sentence), "")] if told.sentence else [], width)
    notes = [(say(note), MUTED) for note in told.notes]
    notes.append((say(accumulation(session.trace, step)), TARGET))
    after = _wrapped([note for note in notes if note[0]], width)
    lines: list[Content] = []
    for how in arrangements(view, height):
        bands = [band for band in mathematics(view, step, told, width, how) if band.height]
        drawn = [[line.rstrip() for line in band.lines] for band in bands]
        lines = _spaced([head, *drawn, [*sentence, *after]])
        if len(lines) <= height:
            return lines
        if len(head) + sum(map(len, drawn)) + len(sentence) <= height:
            break
    while len(lines) > height and Content() in lines:
        lines.remove(Content())
    return lines


def _asked_lines(view: View, question: Question, width: int) -> list[Content]:
    """What an answer is made of: the question, and the numbers of the node that sends."""
    trace = view.session.trace
    where = view.say(where_sentence(view.session)).removesuffix(_COMING)
    lines = _wrapped([(where, MUTED), (view.say(asked_text(trace, question)), "bold")], width)
    upstream = upstream_name(trace, question.step)
    figures = [(view.say(_equation(*part, width)), "") for part in known(trace, question)]
    symbol = "g" if trace.named("g") is None else "upstream"
    closing = view.say(f"Answer with a number, an array or algebra, with {symbol} for {upstream}.")
    return [
        *lines,
        Content(),
        *_wrapped(figures, width),
        Content(),
        *_wrapped([(closing, MUTED)], width),
    ]


def _spaced(blocks: list[list[Content]]) -> list[Content]:
    """Blocks of lines, a blank line between them."""
    lines: list[Content] = []
    for block in filter(None, blocks):
        lines += [Content(), *block] if lines else block
    return lines


def where_sentence(session: Session) -> str:
    """Which pass, how far; at the end of a pass what it came to and what is next."""
    trace, finished = session.trace, session.finished_pass
    done = f"{session.cursor:,} of {len(trace):,} done"
    coming = trace.passes[trace.pass_index(session.cursor)]
    if finished is None:
        return f"{pass_title(trace, coming)} · {done}{_COMING}"
    return f"{_result(trace, finished)} · next: {pass_title(trace, coming)}"


def _result(trace: Trace, pass_: Pass) -> str:
    """What a pass came to, in one line."""
    figures: list[str] = []
    if pass_.kind is PassKind.FORWARD:
        outputs = [each.output for each in trace.passes if each.output is not None]
        figures = [_equation(trace.label(node), trace.nodes.value[node]) for node in outputs[:1]]
    elif pass_.kind is PassKind.BACKWARD and len(pass_.grads or {}) <= _GRADS_NAMED:
        grads = (pass_.grads or {}).items()
        figures = [_equation(f"{trace.label(node)}.grad", grad) for node, grad in grads]
    done = f"{pass_title(trace, pass_)} done"
    return f"{done}: {', '.join(figures)}" if figures else done


def _equation(name: str, value: Known | None, width: int = 0) -> str:
    """`x.grad = 7`; an array as numbers where the whole fits `width`."""
    text = "None" if value is None else notation.short(value)
    if isinstance(value, np.ndarray):
        text = notation.listed(value, width - cell_len(f"{name} = ")) or text
    return f"{name} = {text}"


def _wrapped(texts: list[tuple[str, str]], width: int) -> list[Content]:
    """Texts in their styles, an empty one as an empty line."""
    return [
        line
        for text, style in texts
        for line in wrapped(text, max(width, 8), style, hyphens=False) or [Content()]
    ]


def _end_lines(view: View, width: int) -> list[tuple[str, str]]:
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
        said = _equation(f"{trace.label(node)}.grad", grad, width)
        original = session.whatif.original
        was = None if original is None else original.grad(node, cursor)
        if was is not None and not same(was, grad):
            said += f"  (was {notation.short(was)} with the scenario's own values)"
        lines.append((view.say(said), "bold"))
    if len(leaves) > _MOST_LEAVES:
        lines.append((f"and {len(leaves) - _MOST_LEAVES:,} more inputs", MUTED))
    lines += [("", ""), (text(f"{closing(trace)} S steps back, r starts again."), "")]
    return lines


def _done_style(view: View) -> str:
    """Of what is done: green, but for what a nan or inf has spoilt by then."""
    is_spoilt = view.fault is not None and view.session.cursor > view.fault.start
    return "bold $error" if is_spoilt else "bold $success"
