"""The smallest Textual app: what every app has to wait for."""

from __future__ import annotations

from textual.app import App, ComposeResult
from textual.widgets import Static


class EmptyApp(App[None]):
    """One word."""

    def compose(self) -> ComposeResult:
        """The word."""
        yield Static("empty")


if __name__ == "__main__":
    EmptyApp().run()
