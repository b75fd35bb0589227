"""What the panes of text have in common: they draw a View into one scrolling text."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.content import Content
from textual.geometry import Size

from backprop_tui.oracles.answering import answer_of
from backprop_tui.oracles.report import Failed
from backprop_tui.view.text import wrapped
from backprop_tui.view.view import Following, View
from backprop_tui.widgets.sparing import Sparing


class Sheet(Sparing):
    """A text as high as it has lines."""

    DEFAULT_CSS = "Sheet { height: auto; }"

    def __init__(self) -> None:
        super().__init__()
        self._content = Content()

    def show(self, content: Content) -> None:
        """Draw `content`."""
        height = self._content.plain.count("\n")
        self._content = content
        if content.plain.count("\n") == height:
            self.refresh_changes()
        else:  # a layout of the whole screen takes longer than all else in a step together
            self.forget_lines()
            self.refresh(layout=True)

    def render(self) -> Content:
        """The text."""
        return self._content


class Scroll(VerticalScroll, can_focus=True):
    """A text longer than its place, which k and j scroll."""

    BINDINGS: ClassVar = [
        Binding("k", "scroll_up", "scroll up", show=False),
        Binding("j", "scroll_down", "scroll down", show=False),
    ]


class TextPane(Following, Scroll):
    """A pane whose text depends on the view and on the pane's own size."""

    def __init__(self, view: View, name: str) -> None:
        super().__init__(id=name, classes="pane")
        self.view = view

    def compose(self) -> ComposeResult:
        """The text."""
        yield Sheet()

    @abstractmethod
    def draw(self, view: View, width: int, height: int) -> list[Content]:
        """The lines for a pane `width` cells wide that shows `height` lines at once."""

    def show(self, view: View) -> None:
        """Draw `view`."""
        self.view = view
        self._redraw()

    def on_resize(self) -> None:
        """Draw again: the text may depend on the size."""
        self._redraw()

    @property
    def _room(self) -> Size:
        # By the styles, which a class changes at once: what is laid out follows, and where the
        # outside stays as it was, nothing tells so.
        return self.outer_size - self.styles.gutter.totals

    @property
    def _text_width(self) -> int:
        # One column is kept free, so that a scroll bar which appears moves nothing.
        return max(self._room.width - self.styles.padding.width - 1, 1)

    def failure(self, failed: Failed) -> list[Content]:
        """Why there is nothing to read here."""
        return wrapped(self.view.say(failed.sentences), self._text_width)

    def _redraw(self) -> None:
        if self.display and self.size.width > 1:
            width, height = self._text_width, self._room.height
            lines = answer_of("This pane", lambda: self.draw(self.view, width, height))
            if isinstance(lines, Failed):
                lines = self.failure(lines)
            self.query_one(Sheet).show(Content("\n").join(lines))
