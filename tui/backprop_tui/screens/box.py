"""What the screens have in common that lie over the debugger's."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import ClassVar, TypeVar

from textual.binding import Binding
from textual.content import Content
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from backprop_tui.session.session import Change
from backprop_tui.view.text import wrapped
from backprop_tui.view.view import Following, View


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


_Titled = TypeVar("_Titled", bound=Widget)


class Box(ModalScreen[Change | None]):
    """Made from the current View; answers with a change to the session, or with None for none."""

    def __init__(self, view: View) -> None:
        super().__init__()
        self._view = view


class FollowingBox(Following, Box):
    """One that is drawn anew for every View, and for another size."""

    @abstractmethod
    def draw(self) -> None:
        """Draw the View there is."""

    def show(self, view: View) -> None:
        """Draw `view`."""
        self._view = view
        self.on_resize()

    def on_resize(self) -> None:
        """Fit what is drawn to the width."""
        if self.is_mounted:
            self.draw()


class Sheet(Box):
    """Fills the screen: what there is to say, lists to choose from, and the keys."""

    @property
    def text_width(self) -> int:
        """Cells for what there is to say."""
        return max(self.size.width - 8, 20)

    def name_it(self, title: str, subtitle: str = "") -> None:
        """Say in the border what this is."""
        titled(self.query_one(".sheet"), self._view.say(title), self._view.say(subtitle))

    def tell(self, lines: Iterable[Content]) -> None:
        """Draw `lines` above the lists."""
        self.query_one("#about", Static).update(Content("\n").join(lines))

    def wrapped(self, text: str, style: str = "", indent: int = 0) -> list[Content]:
        """A text in as many lines as it takes."""
        return wrapped(self._view.say(text), self.text_width, style, indent=" " * indent)

    def list_in(self, name: str, options: Sequence[Option], highlighted: int | None) -> Choices:
        """Put `options` in the place of those that the list `name` has."""
        choices = self.query_one(f"#{name}", Choices)
        choices.set_options(options)
        choices.highlighted = highlighted if options else None
        return choices


def titled(box: _Titled, title: str, subtitle: str = "") -> _Titled:
    """`box` with texts in its border; never read as markup."""
    box.border_title, box.border_subtitle = Content(title), Content(subtitle)
    return box


def keys_line(keys: Iterable[tuple[str, str]]) -> Content:
    """Keys, each with a word for what it does."""
    key_style, word_style = "bold $primary", "$foreground-muted"
    pairs = (((f"{key} ", key_style), (f"{word}  ", word_style)) for key, word in keys)
    return Content.assemble(*chain.from_iterable(pairs))
