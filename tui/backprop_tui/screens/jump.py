"""Jump hints: a letter on each pane, and the letter leads there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.geometry import Offset
from textual.screen import ModalScreen
from textual.widgets import Label

from backprop_engine.basics.dataclass import dataclass

_LETTERS: Mapping[str, str] = {
    "graph": "g",
    "chain": "c",
    "torch": "t",
    "yours": "u",
    "symbolic": "y",
    "source": "s",
    "notes": "n",
    "watches": "w",
}
"""By the pane's id; a letter of its name, the first where it is free."""


@dataclass(frozen=True, slots=True)
class Hint:
    """Where a pane's letter stands; `name` follows it where the pane itself is not in sight."""

    pane: str
    place: Offset
    name: str = ""


def letter_at(pane: str, title: str) -> int:
    """Where in `title`, which names the pane, its letter stands: there it hides nothing."""
    return max(title.casefold().find(_LETTERS[pane]), 0)


class JumpScreen(ModalScreen[str | None]):
    """Draws the letters over the panes; answers with the id of a pane, or None."""

    BINDINGS: ClassVar = [Binding("escape,ctrl+o", "dismiss(None)", "close", show=False)]

    def __init__(self, hints: Sequence[Hint]) -> None:
        super().__init__()
        self._hints = hints

    def compose(self) -> ComposeResult:
        """One small label a pane."""
        for hint in self._hints:
            letter = _LETTERS[hint.pane]
            text = f" {letter} {hint.name} " if hint.name else letter
            label = Label(text, id=f"to-{hint.pane}", classes="hint-letter")
            label.absolute_offset = hint.place
            yield label

    def on_key(self, event: events.Key) -> None:
        """Take a letter; any other key closes."""
        if event.key in ("escape", "ctrl+o"):
            return
        event.stop()
        chosen = [hint.pane for hint in self._hints if _LETTERS[hint.pane] == event.character]
        self.dismiss(chosen[0] if chosen else None)

    def on_click(self, event: events.Click) -> None:
        """A click on a letter counts as well; any other closes."""
        widget = event.widget
        name = "" if widget is None or widget.id is None else widget.id
        self.dismiss(name.removeprefix("to-") if name.startswith("to-") else None)
