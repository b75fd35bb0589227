"""The box that stands on the screen while something is worked at that it cannot go on without."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from backprop_tui.view.text import printable


class WorkingScreen(ModalScreen[None]):
    """One quiet line, so that nothing seems frozen; the app takes it away when the work is done."""

    BINDINGS: ClassVar = [
        Binding("q", "app.quit", "quit", show=False),
        Binding("escape", "app.close_problem", "stop", show=False),
    ]

    def __init__(self, what: str) -> None:
        super().__init__()
        self._what = what
        self.typed: list[events.Key] = []
        """Keys for what comes then, which gets them."""

    def compose(self) -> ComposeResult:
        """What is being done, and how to stop waiting for it."""
        with Vertical(id="prompt"):
            what, hint = (printable(self._what), "bold"), (" … · esc stops", "$foreground-muted")
            yield Static(Content.assemble(what, hint))

    def on_key(self, event: events.Key) -> None:
        """Keep what is none of this screen's keys."""
        if event.key not in ("q", "escape"):
            self.typed.append(event)
