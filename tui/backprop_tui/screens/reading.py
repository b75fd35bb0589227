"""The screen while a long scenario is read."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static

from backprop_tui.view.text import printable


class ReadingScreen(Screen[None]):
    """One quiet line, so that nobody waits before an empty screen."""

    ENDS_BY_ITSELF: ClassVar = True
    BINDINGS: ClassVar = [
        Binding("q", "app.quit", "quit", show=False),
        Binding("escape", "app.close_problem", "stop", show=False),
    ]

    def __init__(self, scenario: str) -> None:
        super().__init__()
        self._scenario = scenario
        self.typed: list[events.Key] = []
        """Keys for the scenario, which it gets once it is open."""

    def compose(self) -> ComposeResult:
        """The one line."""
        yield Static(
            Content.assemble(
                ("reading ", "$foreground-muted"),
                (printable(self._scenario), "bold"),
                (" … · esc stops", "$foreground-muted"),
            )
        )

    def on_key(self, event: events.Key) -> None:
        """Keep what is none of this screen's keys."""
        if event.key not in ("q", "escape"):
            self.typed.append(event)
