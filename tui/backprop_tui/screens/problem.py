"""The screen for a scenario that cannot be opened: what is wrong, where, and how to mend it."""

from __future__ import annotations

from typing import ClassVar

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static

from backprop_engine.source import Position, Problem, ScenarioError
from backprop_tui.glyphs import Glyphs
from backprop_tui.opening import Refusal
from backprop_tui.text import printable

_LINE_WIDTH = 72
_BEFORE_CARET = 24


class ProblemScreen(Screen[None]):
    """A refusal, drawn; with its notes, where the error is a lesson's point."""

    BINDINGS: ClassVar = [
        Binding("q", "app.quit", "quit", show=False),
        Binding("escape", "app.close_problem", "back", show=False),
        Binding("R", "app.reload", "read again", show=False),
    ]

    HEADLINE: ClassVar = "This scenario cannot be opened"

    def __init__(self, refusal: Refusal, glyphs: Glyphs, *, has_list: bool) -> None:
        super().__init__()
        self._refusal = refusal
        self._glyphs = glyphs
        self._has_list = has_list

    def compose(self) -> ComposeResult:
        """Every problem, and the keys."""
        with VerticalScroll(id="problems"):
            error = self._refusal.error
            for problem in error.problems:
                yield Static(problem_text(error, problem, self._glyphs))
            if self._refusal.about:
                # Slow to import and seldom needed.
                from textual.widgets import Markdown

                yield Markdown(_markdown(self._refusal.about))
        parts = [
            part
            for key, word in self.keys
            for part in ((key, "bold $primary"), (f" {word}  ", "$foreground-muted"))
        ]
        yield Static(Content.assemble(*parts), classes="bar")

    @property
    def keys(self) -> list[tuple[str, str]]:
        """The keys and what they do."""
        back = [("esc", "back to the list")] if self._has_list else []
        return [("R", "read again"), *back, ("q", "quit")]

    def on_mount(self) -> None:
        """Say what this is."""
        box, title = self.query_one("#problems"), self._refusal.title
        box.border_title = Content(printable(title) or self.HEADLINE)
        if title:
            box.border_subtitle = "this error is what the lesson is about"


class TroubleScreen(ProblemScreen):
    """The same of a file that was saved with a mistake while its last good run is open."""

    BINDINGS: ClassVar = [Binding("escape,q,R,enter", "dismiss", "close", show=False)]

    HEADLINE: ClassVar = "What was saved cannot be opened"

    def __init__(self, refusal: Refusal, glyphs: Glyphs) -> None:
        super().__init__(refusal, glyphs, has_list=False)

    @property
    def keys(self) -> list[tuple[str, str]]:
        """Only back; what is read again is read without being asked."""
        return [("esc", "back to the last good run; it goes on as soon as the file is mended")]


def problem_text(error: ScenarioError, problem: Problem, glyphs: Glyphs) -> Content:
    """Place, line and caret, message, what was expected, and the fix."""
    source = error.source
    place = source.position(problem.span.start)
    name = printable(source.name)
    lines = [Content.styled(f"{name}:{place.line}:{place.column}", "$foreground-muted"), Content()]
    if source.text:
        lines += [*_excerpt(source.line(place.line), place, problem), Content()]
    message = glyphs.text(printable(problem.message))
    lines.append(Content.assemble((f"{glyphs.disagrees} ", "bold $error"), (message, "bold")))
    for title, text in (("expected", problem.expected), ("fix", problem.fix)):
        if text:
            said = glyphs.text(printable(text))
            lines.append(Content.assemble((f"  {title:<10}", "$foreground-muted"), said))
    return Content("\n").join(lines)


def _excerpt(line: str, place: Position, problem: Problem) -> list[Content]:
    """The line and a caret under it; of a long line, the part around the caret."""
    line = printable(line.expandtabs(1))
    column = place.column - 1
    start = max(column - _BEFORE_CARET, 0) if len(line) > _LINE_WIDTH else 0
    cut = line[start : start + _LINE_WIDTH]
    length = max(1, min(problem.span.stop - problem.span.start, len(cut) - (column - start)))
    number = f"{place.line} "
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
