"""The prompt for a place to go to."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Label

from backprop_tui.session.moving.places import parse_target
from backprop_tui.session.session import Change, Session
from backprop_tui.view.text import printable
from backprop_tui.widgets.keys import PROMPT_HELP


class GotoScreen(ModalScreen[Change | None]):
    """Asks for a step or a name; answers with the jump there, or None."""

    TOPIC: ClassVar = "goto"
    BINDINGS: ClassVar = [PROMPT_HELP, Binding("escape", "dismiss(None)", "close", show=False)]

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session

    def compose(self) -> ComposeResult:
        """The prompt and, under it, what was wrong with the last answer."""
        count = len(self._session.trace)
        with Vertical(id="prompt"):
            with Horizontal():
                yield Label("Go to ")
                yield Input(placeholder=f"0 to {count:,}, 50%, +10, -3, a name", compact=True)
                yield Label("  F1 help", classes="aside")
            yield Label("", id="problem")

    @on(Input.Changed)
    def _forget_the_problem(self) -> None:
        self.query_one("#problem", Label).update("")

    @on(Input.Submitted)
    def _go(self, event: Input.Submitted) -> None:
        try:
            change = parse_target(event.value, self._session)
        except ValueError as error:
            self.query_one("#problem", Label).update(Content(printable(str(error))))
            return
        self.dismiss(change)
