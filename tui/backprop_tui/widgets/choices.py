"""A list to choose from."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding
from textual.widgets import OptionList


class Choices(OptionList):
    """Textual's list, which also hears j and k, and bears a terminal that has no room for it.

    Without a single row on the screen Textual (8.2.8) knows no lines, and paging raises KeyError.
    """

    BINDINGS: ClassVar = [
        Binding("j", "cursor_down", "down", show=False),
        Binding("k", "cursor_up", "up", show=False),
    ]

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """No paging where there is no page."""
        if action in ("page_up", "page_down") and not self.scrollable_content_region.area:
            return False
        return super().check_action(action, parameters)
