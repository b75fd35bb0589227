"""Jump hints: a letter on each pane, and the letter leads there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.geometry import Offset
from textual.screen import ModalScreen
from textual.widgets import Label

_LETTERS: Mapping[str, str] = {
    "graph": "g",
    "chain": "c",
    "torch": "t",
    "source": "s",
    "notes": "n",
    "watches": "w",
}
"""By the pane's id; the first letter of its name."""


class JumpScreen(ModalScreen[str | None]):
    """Draws the letters over the panes; answers with the id of a pane, or None."""

    BINDINGS: ClassVar = [Binding("escape,ctrl+o", "dismiss(None)", "close", show=False)]

    def __init__(self, places: Mapping[str, Offset]) -> None:
        """`places`: where each pane, by its id, is to have its letter."""
        super().__init__()
        self._places = {pane: place for pane, place in places.items() if pane in _LETTERS}

    def compose(self) -> ComposeResult:
        """One small label a pane."""
        for pane, place in self._places.items():
            hint = Label(f" {_LETTERS[pane]} ", id=f"to-{pane}", classes="hint-letter")
            hint.absolute_offset = place
            yield hint

    def on_key(self, event: events.Key) -> None:
        """Take a letter; any other key closes."""
        if event.key in ("escape", "ctrl+o"):
            return
        event.stop()
        chosen = [pane for pane in self._places if _LETTERS[pane] == event.character]
        self.dismiss(chosen[0] if chosen else None)

    def on_click(self, event: events.Click) -> None:
        """A click on a letter counts as well; any other closes."""
        widget = event.widget
        name = "" if widget is None or widget.id is None else widget.id
        self.dismiss(name.removeprefix("to-") if name.startswith("to-") else None)
