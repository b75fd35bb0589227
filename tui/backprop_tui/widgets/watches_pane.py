"""The Watches pane: each expression with its value now and before, drawn over the timeline."""

from __future__ import annotations

from typing import ClassVar

from rich.cells import cell_len
from textual import events
from textual.content import Content

from backprop_engine.basics.dataclass import dataclass
from backprop_tui.app.soon import GLANCE, soon_of
from backprop_tui.oracles.report import Failed
from backprop_tui.session.session import Session, jump
from backprop_tui.session.stops.rows import WatchRow, column_of, place_of, watch_rows
from backprop_tui.session.stops.watching import choose
from backprop_tui.view.messages import Changed
from backprop_tui.view.text import figure, fit, left, printable, right, wrapped
from backprop_tui.view.view import CLOSED, View
from backprop_tui.widgets.keys import command_bindings
from backprop_tui.widgets.pane import TextPane

_EMPTY = (
    "No watch yet: w adds one.",
    "Any expression over names and their gradients can be watched: x.grad, a*b, sum(W.grad).",
)
_FOLDED = "Watches · none: w adds one"
"""The title of the pane, of which nothing else is drawn where all panes are in sight."""
_HEADER = 1
_GUTTER = 3
_FIGURE, _LEAST_FIGURE = 12, 6
_NAME, _LEAST_NAME = 24, 8
_LEAST_SPARKLINE = 8
_MUTED = "$foreground-muted"


@dataclass(frozen=True, slots=True)
class Layout:
    """Widths in cells; the sparkline is 0 where there is no room for it."""

    name: int
    figure: int
    sparkline: int

    @property
    def sparkline_column(self) -> int:
        """Where the sparkline starts."""
        return _GUTTER + self.name + 2 * self.figure + 5


def lay_out(width: int) -> Layout:
    """Columns for a pane of `width` cells."""
    figure_width = max(min(_FIGURE, width // 6), _LEAST_FIGURE)
    name = max(min(_NAME, width // 4), _LEAST_NAME)
    rest = width - Layout(name, figure_width, 0).sparkline_column
    return Layout(name, figure_width, rest if rest >= _LEAST_SPARKLINE else 0)


class WatchesPane(TextPane, inherit_bindings=False):
    """One line a watch; its keys mean the chosen one, a click on a sparkline jumps."""

    BINDINGS: ClassVar = command_bindings("watches")

    def __init__(self, view: View) -> None:
        super().__init__(view, "watches")
        self._rows: tuple[WatchRow, ...] | Failed | None = None
        self._asked: tuple[Session, int] | None = None
        self._has_some: bool | None = None

    def draw(self, view: View, width: int, height: int) -> list[Content]:
        """The table of watches, or how to add one."""
        del height
        if not view.session.stops.watches:
            return _nothing(view, width)
        if view.is_closed:
            return wrapped(f"Watches are {CLOSED.sentence}.", width, _MUTED)
        layout = lay_out(width)
        if isinstance(self._rows, Failed):
            return self.failure(self._rows)
        return watch_lines(view, layout, self._rows)

    def _redraw(self) -> None:
        """Work the rows out anew where they are other ones, and draw."""
        session, width = self.view.session, lay_out(self._text_width).sparkline
        is_seen = self.display and self.size.width > 1
        is_asked_for = session.stops.watches and not self.view.is_closed
        if is_seen and is_asked_for and self._asked != (session, width):
            self._rows, self._asked = None, (session, width)
            soon = soon_of(self)
            if soon("The watches", lambda _: watch_rows(session, width), self._take,
                    failed=self._take, patience=GLANCE):  # fmt: skip
                return
        super()._redraw()

    def _take(self, rows: tuple[WatchRow, ...] | Failed) -> None:
        self._rows = rows
        super()._redraw()

    def show(self, view: View) -> None:
        """Draw `view`, with the chosen watch in sight."""
        has_some = bool(view.session.stops.watches)
        if has_some != self._has_some:
            self._has_some = has_some  # a title that is set is drawn, with all of the pane
            self.border_title = "Watches" if has_some else view.glyphs.text(_FOLDED)
        super().show(view)
        line = view.session.stops.chosen + _HEADER
        top, height = round(self.scroll_y), self.container_size.height
        if view.session.stops.watches and height and not top <= line < top + height:
            self.scroll_to(y=max(line - height + 1, 0), animate=False)

    def on_click(self, event: events.Click) -> None:
        """Choose the watch that was clicked; a click on its sparkline jumps there."""
        place = event.get_content_offset(self)
        if place is None:
            return
        session = self.view.session
        index = place.y + round(self.scroll_y) - _HEADER
        if not 0 <= index < len(session.stops.watches):
            return
        layout = lay_out(self._text_width)
        column = place.x - layout.sparkline_column
        if 0 <= column < layout.sparkline:
            cursor = place_of(session.trace, column, layout.sparkline)
            self.post_message(Changed(lambda now: jump(choose(now, index), cursor)))
        else:
            self.post_message(Changed(lambda now: choose(now, index)))


def _nothing(view: View, width: int) -> list[Content]:
    first, then = (view.glyphs.text(sentence) for sentence in _EMPTY)
    return [*wrapped(first, width, "bold"), *wrapped(then, width, _MUTED)]


def watch_lines(view: View, layout: Layout, rows: tuple[WatchRow, ...] | None) -> list[Content]:
    """The header, with a mark over the sparklines for the cursor, and a line for each watch."""
    stops, glyphs = view.session.stops, view.glyphs
    lines = [_header(view, layout)]
    if rows is None:
        names = (left(printable(watch.text), layout.name) for watch in stops.watches)
        return lines + [Content.styled(f"   {name}  {glyphs.waiting}", _MUTED) for name in names]
    return lines + [
        _line(view, layout, row, is_chosen=index == stops.chosen) for index, row in enumerate(rows)
    ]


def _header(view: View, layout: Layout) -> Content:
    parts = [
        " " * _GUTTER + left("watch", layout.name),
        right("now", layout.figure + 1),
        right("before", layout.figure + 3),
    ]
    head = Content.styled("".join(parts), _MUTED)
    if not layout.sparkline:
        return head
    session = view.session
    at = column_of(session.trace, session.cursor, layout.sparkline)
    return Content.assemble(head, " " * (at + 1), (view.glyphs.cursor, "bold $primary"))


def _line(view: View, layout: Layout, row: WatchRow, *, is_chosen: bool) -> Content:
    glyphs, watch = view.glyphs, row.watch
    gutter = (glyphs.selected if is_chosen else " ") + (
        f"{glyphs.breakpoint} " if watch.is_stop else "  "
    )
    head = Content.assemble(
        (gutter, "bold $primary"),
        (left(glyphs.say(watch.text), layout.name), "bold" if is_chosen else ""),
    )
    if row.trouble:
        room = layout.sparkline_column + layout.sparkline - cell_len(head.plain) - 1
        trouble = fit(glyphs.say(row.trouble), max(room, 1))
        return Content.assemble(head, (f" {trouble}", "$error"))
    style = "bold $warning" if row.is_changed else ""
    figures = (figure(value, layout.figure) for value in (row.now, row.before))
    now, before = (right(text, layout.figure) for text in figures)
    parts = Content.assemble(
        head,
        (" " + glyphs.text(now), style),
        (f" {glyphs.changed if row.is_changed else ' '} ", style),
        (glyphs.text(before), _MUTED),
    )
    if not layout.sparkline:
        return parts
    session = view.session
    at = column_of(session.trace, session.cursor, layout.sparkline)
    drawn = glyphs.text(row.sparkline)
    return Content.assemble(
        parts, " ", (drawn[:at], "$primary"), (drawn[at : at + 1], "bold $warning"),
        (drawn[at + 1 :], _MUTED),
    )  # fmt: skip
