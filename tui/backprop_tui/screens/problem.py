"""The screen for a scenario that cannot be opened: what is wrong, where, and how to mend it."""

from __future__ import annotations

import textwrap
from functools import partial
from typing import ClassVar

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static

from backprop_engine.basics.source import Position, Problem, ScenarioError
from backprop_tui.opening.targets import Refusal, script_of
from backprop_tui.screens.box import keys_line, titled
from backprop_tui.view.glyphs import Glyphs
from backprop_tui.view.text import printable
from backprop_tui.widgets.keys import HELP

_BEFORE_CARET = 24
_FRAME = 8
"""Cells of the box beside its text: border, padding and the room of a scrollbar."""


_RUN = "It needs Python. Run it, and record what it really does? y/N"


class ProblemScreen(Screen[None]):
    """A refusal, drawn; with its notes, where the error is a lesson's point."""

    TOPIC: ClassVar = "problem"
    BINDINGS: ClassVar = [
        HELP,
        Binding("q", "app.quit", "quit", show=False),
        Binding("escape", "app.close_problem", "back", show=False),
        Binding("R", "app.reload", "read again", show=False),
        Binding("y", "run_script", "run it", show=False),
        Binding("n,N", "let_be", "back", show=False),
    ]

    HEADLINE: ClassVar = "This scenario cannot be opened"

    def __init__(self, refusal: Refusal, glyphs: Glyphs, *, has_list: bool) -> None:
        super().__init__()
        self._refusal = refusal
        self._glyphs = glyphs
        self._has_list = has_list
        self._script = script_of(refusal.error)

    def compose(self) -> ComposeResult:
        """Every problem, and the keys."""
        title = self._refusal.title
        subtitle = "this error is what the lesson is about" if title else ""
        headline = printable(title) or self.HEADLINE
        with titled(VerticalScroll(id="problems"), headline, subtitle):
            for _ in self._refusal.error.problems:
                yield Static(classes="problem")
            if self._refusal.about:
                # Slow to import and seldom needed.
                from textual.widgets import Markdown

                yield Markdown(_markdown(self._refusal.about))
            if self._script is not None:
                yield Static(Content.styled(_RUN, "bold"))
        yield Static(keys_line(self.keys), classes="bar")

    @property
    def keys(self) -> list[tuple[str, str]]:
        """The keys and what they do."""
        back = [("esc", "back to the list")] if self._has_list else []
        run = [] if self._script is None else [("y", "run it")]
        return [*run, ("R", "read again"), *back, ("?", "help"), ("q", "quit")]

    def action_run_script(self) -> None:
        """Leave, to run the program and record what it does."""
        if self._script is not None:
            self.app.exit(self._script)

    async def action_let_be(self) -> None:
        """The other answer: back, as with escape."""
        if self._script is not None:
            await self.run_action("app.close_problem")

    def on_resize(self) -> None:
        """Break the lines for the new width."""
        error = self._refusal.error
        width = max(self.size.width - _FRAME, 20)
        for static, problem in zip(self.query(".problem"), error.problems, strict=True):
            if isinstance(static, Static):
                static.update(problem_text(error, problem, self._glyphs, width))


class TroubleScreen(ProblemScreen):
    """The same of a file that was saved with a mistake while its last good run is open."""

    TOPIC: ClassVar = "trouble"
    BINDINGS: ClassVar = [HELP, Binding("escape,q,R,enter", "dismiss", "close", show=False)]

    HEADLINE: ClassVar = "What was saved cannot be opened"

    def __init__(self, refusal: Refusal, glyphs: Glyphs) -> None:
        super().__init__(refusal, glyphs, has_list=False)
        self._script = None

    @property
    def keys(self) -> list[tuple[str, str]]:
        """Only back; what is read again is read without being asked."""
        return [
            ("esc", "back to the last good run; it goes on once the file is mended"),
            ("?", "help"),
        ]


def problem_text(error: ScenarioError, problem: Problem, glyphs: Glyphs, width: int) -> Content:
    """Place, line and caret, message, what was expected, and the fix, broken to `width`."""
    source = error.source
    place = source.position(problem.span.start)
    name = printable(source.name)
    lines = [Content.styled(f"{name}:{place.line}:{place.column}", "$foreground-muted"), Content()]
    if source.text:
        lines += [*_excerpt(source.line(place.line), place, problem, width), Content()]
    said = partial(_hanging, width=width, glyphs=glyphs)
    lines += said((f"{glyphs.disagrees} ", "bold $error"), problem.message, "bold")
    for title, text in (("expected", problem.expected), ("fix", problem.advice)):
        if text:
            lines += said((f"  {title:<10}", "$foreground-muted"), text, "")
    return Content("\n").join(lines)


def _hanging(
    lead: tuple[str, str], text: str, style: str, *, width: int, glyphs: Glyphs
) -> list[Content]:
    """`text` after `lead`, its further lines level with the first; no word is lost."""
    margin = cell_len(lead[0])
    said = glyphs.say(text)
    first, *rest = textwrap.wrap(said, max(width - margin, 10), break_on_hyphens=False) or [""]
    head = Content.assemble(lead, (first, style))
    return [head, *(Content.styled(" " * margin + line, style) for line in rest)]


def _excerpt(line: str, place: Position, problem: Problem, width: int) -> list[Content]:
    """The line and a caret under it; of a long line, the part around the caret."""
    line = printable(line.expandtabs(1))
    column = place.column - 1
    number = f"{place.line} "
    room = max(width - len(number) - len("  │ "), 1)
    start = max(column - min(_BEFORE_CARET, room // 3), 0) if len(line) > room else 0
    cut = line[start : start + room]
    length = max(1, min(problem.span.stop - problem.span.start, len(cut) - (column - start)))
    margin = " " * len(number)
    lead = " " * cell_len(cut[: column - start])
    return [
        Content.assemble((f"  {number}│ ", "$foreground-muted"), cut),
        Content.assemble(
            (f"  {margin}│ ", "$foreground-muted"), lead, ("^" * length, "bold $error")
        ),
    ]


def _markdown(text: str) -> str:
    return "\n".join(map(printable, text.split("\n")))
