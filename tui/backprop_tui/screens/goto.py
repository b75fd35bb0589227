"""The prompt for a place to go to."""

from __future__ import annotations

from typing import ClassVar

from backprop_tui.screens.prompt import ExpressionPrompt
from backprop_tui.session.moving.places import parse_target
from backprop_tui.session.session import Change
from backprop_tui.view.view import View


class GotoScreen(ExpressionPrompt):
    """Asks for a step or a name; answers with the jump there, or None."""

    TOPIC: ClassVar = "goto"

    def __init__(self, view: View) -> None:
        count = len(view.session.trace)
        super().__init__(view, "Go to ", f"0 to {count:,}, 50%, +10, -3, a name")

    def read(self, text: str) -> Change:
        """The jump there."""
        return parse_target(text, self._view.session)
