"""A notice that is too long for the line of keys: all of it, over the end of the pane above."""

from __future__ import annotations

from rich.cells import cell_len
from textual.content import Content
from textual.widgets import Static

from backprop_tui.view.text import wrapped
from backprop_tui.view.view import View

_PADDING = 2


def is_long(view: View, width: int) -> bool:
    """Whether the notice of `view` does not fit one line of a screen `width` cells wide."""
    return cell_len(notice_text(view)) > width - _PADDING


def notice_text(view: View) -> str:
    """What the last command had to say, in signs this terminal has."""
    return view.say(view.session.notice)


class NoticeBox(Static):
    """Lies over the screen, so that nothing moves when it comes and goes."""

    def __init__(self) -> None:
        super().__init__(id="notice")
        self.display = False

    def show(self, view: View, width: int) -> None:
        """Tell the notice of `view`, if it is long; width in cells is the screen's."""
        self.display = is_long(view, width)
        if self.display:
            room = max(width - _PADDING, 1)
            lines = wrapped(notice_text(view), room, "bold $warning", hyphens=False)
            self.update(Content("\n").join(lines))
