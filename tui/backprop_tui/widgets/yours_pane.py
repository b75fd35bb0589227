"""The pane of a learner's own file: the first mistake in it, and its numbers beside ours."""

from __future__ import annotations

from dataclasses import replace

from textual.content import Content

from backprop_tui.oracles.report import Failed, Ready, Starting
from backprop_tui.oracles.yours.finding import Finding
from backprop_tui.view.text import wrapped
from backprop_tui.view.view import CLOSED, View
from backprop_tui.widgets.pane import TextPane
from backprop_tui.widgets.torch_pane import torch_lines

_MUTED = "$foreground-muted"


class YoursPane(TextPane):
    """What is found in the file, and the step under the cursor as it has it."""

    def draw(self, view: View, width: int, height: int) -> list[Content]:
        """The verdict, then the table."""
        del height
        return yours_lines(view, width)


def yours_lines(view: View, width: int) -> list[Content]:
    """The pane's lines, at most `width` cells wide."""
    if view.is_closed:
        return wrapped(f"Yours is {CLOSED.sentence}.", width, _MUTED)
    found = view.yours
    if found is None or isinstance(found, Starting):
        return wrapped(f"the engine runs {view.glyphs.waiting}", width, _MUTED)
    if isinstance(found, Failed):
        return wrapped(view.say(found.sentences), width, "bold $warning")
    lines = _verdict_lines(view, found, width)
    if found.agreement is not None:
        beside = replace(view, oracle=Ready(found.agreement.report), agreement=found.agreement)
        lines += [Content(), *torch_lines(beside, width, "yours")]
    limits = (f"This system sets no limit to {limit}." for limit in found.unlimited)
    for remark in (*found.remarks, *limits):
        lines += wrapped(view.say(remark), width, _MUTED)
    return lines


def _verdict_lines(view: View, found: Finding, width: int) -> list[Content]:
    glyphs, verdict = view.glyphs, found.verdict
    if found.trouble:
        where = "" if found.line is None else f"line {found.line}: "
        return wrapped(
            view.say(f"cannot be judged: {where}{found.trouble}"), width, "bold $warning"
        )
    if verdict is None:
        return wrapped(
            f"{glyphs.agrees} {view.say(found.name)} is right here", width, "bold $success"
        )
    where = "" if verdict.line is None else f", line {verdict.line}"
    step = "" if verdict.step is None else f", step {verdict.step:,}"
    head = wrapped(f"{glyphs.disagrees} {verdict.kind}{where}{step}", width, "bold $error")
    quoted = wrapped(view.say(found.quoted), width, "bold")
    lines = [*head, *quoted, *wrapped(view.say(verdict.message), width)]
    marks = "  ".join(
        f"{glyphs.agrees if is_right else glyphs.disagrees} {name}"
        for name, is_right in found.judged.items()
    )
    return [*lines, *wrapped(view.say(marks), width)] if marks else lines
