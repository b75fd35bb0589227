"""The two questions about marks: which letter to set, and which to go to."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from backprop_tui.screens.box import Box, titled
from backprop_tui.session.moving import is_letter, mark_rows, set_mark, to_mark
from backprop_tui.view.text import fit, right
from backprop_tui.view.view import View
from backprop_tui.widgets.keys import HELP

_HEADER = 2


class MarkScreen(Box):
    """The list of marks; one letter answers."""

    TOPIC: ClassVar = "marks"
    BINDINGS: ClassVar = [HELP]

    def __init__(self, view: View, *, setting: bool) -> None:
        """`setting`: the letter marks the cursor; else the cursor goes to it."""
        super().__init__(view)
        self._setting = setting
        self._rows = mark_rows(view.session)

    def compose(self) -> ComposeResult:
        """A question and the marks there are."""
        title = "Set a mark" if self._setting else "Go to a mark"
        with titled(VerticalScroll(id="marks", classes="box"), title, "? help · esc closes"):
            yield Static()

    def on_resize(self, event: events.Resize) -> None:
        """Break the lines for the new width."""
        self.query_one(Static).update(self._content(max(min(event.size.width, 80) - 6, 20)))

    def _content(self, width: int) -> Content:
        session, text = self._view.session, self._view.glyphs.text
        where = f"{session.cursor:,} of {len(session.trace):,}"
        question = f"Press a letter: it will mark this place, {where}."
        if not self._setting:
            question = "Press its letter, or click it."
        if not self._rows:
            question += "" if self._setting else " None yet: m and a letter set one."
        lines = [Content.styled(text(fit(question, width)), "$foreground-muted"), Content()]
        digits = len(f"{len(session.trace):,}")
        for letter, place, what in self._rows:
            said = f"  {right(f'{place:,}', digits)}  {self._view.say(what)}"
            lines.append(
                Content.assemble((letter, "bold $warning"), fit(said, width - len(letter)))
            )
        return Content("\n").join(lines)

    def on_key(self, event: events.Key) -> None:
        """Take the letter; escape closes."""
        sign = event.character or ""
        if event.key == "escape":
            event.stop()
            self.dismiss(None)
        elif is_letter(sign):
            event.stop()
            self._answer(sign)

    def _answer(self, letter: str) -> None:
        change = set_mark if self._setting else to_mark
        self.dismiss(lambda session: change(session, letter))

    def on_click(self, event: events.Click) -> None:
        """Take the mark that was clicked."""
        place = event.get_content_offset(self.query_one(Static))
        if place is not None and 0 <= place.y - _HEADER < len(self._rows) and not self._setting:
            self._answer(self._rows[place.y - _HEADER][0])
