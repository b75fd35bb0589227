"""The notes pane: what the scenario says about itself, and its hint for the selected node."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Static

from backprop_engine.trace import Heading
from backprop_tui.app.soon import soon_of
from backprop_tui.view.text import printable
from backprop_tui.view.typeset import typeset
from backprop_tui.view.view import CLOSED, Following, View
from backprop_tui.widgets.pane import Scroll

if TYPE_CHECKING:
    from textual.widgets import Markdown

_MOST_LINES, _MOST_SIGNS = 300, 20_000
"""Of the notes that are drawn: each paragraph is a widget, and a hundred thousand take minutes."""
_NOTHING = "This scenario has no notes. An `about:` in its file would stand here."
_FOLDED = "Notes · none"
"""The title of the pane, of which nothing else is drawn where all panes are in sight."""


class NotesPane(Following, Scroll):
    """The `about` as Markdown, under the hint where there is one."""

    def __init__(self) -> None:
        super().__init__(id="notes", classes="pane")
        self._hint: str | None = None
        self._noted: tuple[Heading, bool] | None = None
        """Whose notes, and whether they are closed, stand here, or will once somebody looks."""
        self._waiting = ""
        """Notes that nobody has looked at."""

    def compose(self) -> ComposeResult:
        """The hint; the notes come under it after the first paint."""
        yield Static(classes="hint")

    def show(self, view: View) -> None:
        """Show the notes of the scenario in `view`."""
        heading, node = view.session.trace.heading, view.session.node
        hint = "" if view.is_closed else heading.hints.get(node, "")
        said = f"{view.session.trace.label(node)}: {' '.join(hint.split())}" if hint else ""
        if said != self._hint:
            self._hint = said
            banner = self.query_one(".hint", Static)
            banner.display = bool(said)
            banner.update(Content.styled(view.say(said), "italic $primary"))
        if self._noted != (heading, view.is_closed):
            self._noted = heading, view.is_closed
            has_notes = heading.about or heading.note or heading.hints
            self.border_title = "Notes" if has_notes else view.glyphs.text(_FOLDED)
            notes = "\n\n".join(filter(None, (heading.about, heading.note))) or _NOTHING
            notes = f"Notes are {CLOSED.sentence}." if view.is_closed else notes
            notes = _shortened(notes) if view.glyphs.is_ascii else typeset(_shortened(notes))
            about = "\n".join(map(printable, notes.split("\n")))
            self._waiting = view.glyphs.text(about)
            self.on_show()

    def on_show(self) -> None:
        """Draw the notes, each paragraph of which is a widget, where they are in sight."""
        if self._waiting and self.display:
            mount = partial(self._mount_notes, self._waiting)
            self._waiting = ""
            # It takes 60 ms to import, for which neither the first paint nor a key need wait.
            self.call_after_refresh(soon_of(self), "The notes", _markdown, mount, patience=0)

    def _mount_notes(self, text: str, markdown: type[Markdown]) -> None:
        if self.is_attached:  # else the program has been left meanwhile
            self.query(markdown).remove()
            self.mount(markdown(text))


def _markdown(_: object) -> type[Markdown]:
    from textual.widgets import Markdown

    return Markdown


def _shortened(notes: str) -> str:
    """The notes, or as much of them as is drawn in no time."""
    lines = notes[:_MOST_SIGNS].split("\n")[:_MOST_LINES]
    kept = "\n".join(lines)
    return kept if kept == notes else f"{kept}\n\n*The notes go on in the file.*"
