"""The graph pane: a tree drawn line by line, of which only the lines on the screen exist."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import ClassVar, Final

from rich.segment import Segment
from textual import events
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from backprop_engine.basics.dataclass import dataclass
from backprop_tui.session.outline import NO_ROW
from backprop_tui.session.session import Session, lead, select, toggle_fold
from backprop_tui.session.stops import editing
from backprop_tui.view.messages import Changed
from backprop_tui.view.view import Following, View
from backprop_tui.widgets.graph_columns import GUTTER, Columns
from backprop_tui.widgets.graph_rows import (
    Cell,
    between_cells,
    fit_columns,
    header_cells,
    mark_column,
    row_cells,
    row_state,
)
from backprop_tui.widgets.keys import command_bindings
from backprop_tui.widgets.sparing import Sparing

_HEADER = 1
"""Lines above the rows that do not scroll."""
_STYLES: Final = {
    **dict.fromkeys(("", "plain", "expression", "value"), ""),
    "title": "bold",
    "focused title": "$primary bold underline",
    "header": "$foreground-muted",
    "selection": "$primary bold",
    "guide": "$foreground-disabled",
    "label": "bold",
    "gradient": "bold",
    "change": "$warning bold",
    "sending": "$primary bold",
    "receiver": "$warning bold",
    "partial": "$warning",
    "complete": "$success",
    "muted": "$foreground-muted",
    "quiet": "$foreground 80%",
    "good": "$success",
    "bad": "$error bold",
    "match": "bold underline",
    "step row": "on $primary-muted",
    "selected row": "on $panel",
}
"""Of cells and rows. Of the style sheet's own every change of the focus would look up each."""


class GraphTree(Following, Sparing, ScrollView, can_focus=True, inherit_bindings=False):
    """The tree of the session's outline, with the column names above it."""

    BINDINGS: ClassVar = command_bindings("tree")

    @dataclass
    class Paged(Message):
        """The pane shows another number of rows than before."""

        rows: int

    def __init__(self, view: View) -> None:
        super().__init__(id="graph", classes="pane")
        self.view = view
        self._columns: Columns | None = None
        self._fitted = 0
        """The width that they fit: a scroll bar takes a column without a word."""
        self.pitch = 1
        """Lines that a row takes, those between it and the next among them."""

    @property
    def _width(self) -> int:
        return self.scrollable_content_region.width

    @property
    def _rows_shown(self) -> int:
        return max((self.scrollable_content_region.height - _HEADER) // self.pitch, 1)

    def _set_virtual_size(self) -> None:
        """One line a row to scroll along, however many it takes on the screen."""
        rest = max(self.scrollable_content_region.height - self._rows_shown, _HEADER)
        self.virtual_size = Size(0, len(self.view.session.visible) + rest)

    def show(self, view: View) -> None:
        """Draw `view`, with the step in sight, or the selected row where only that changed."""
        old, self.view = self.view.session, view
        session = view.session
        self._set_virtual_size()
        if (old.folds, old.unfolds) != (session.folds, session.unfolds):
            self._columns = None
        if old.trace is not session.trace or old.outline is not session.outline:
            self._columns = None
            self._reveal_step()
            self._reveal(session.row)
        elif old.cursor != session.cursor:
            self._reveal_step()
        elif old.row != session.row:
            self._reveal(session.row)
        self.refresh_changes()

    def on_resize(self) -> None:
        """Choose the columns anew and keep the step in sight."""
        self._columns = None
        # The first size may come before the first view, and what has no height cannot be scrolled.
        self._set_virtual_size()
        self._reveal_step()
        self.post_message(self.Paged(self._rows_shown))

    def _reveal_step(self) -> None:
        session = self.view.session
        if session.edge_row is not None:
            self._reveal(session.edge_row)
        self._reveal(session.step_row)

    def _reveal(self, row: int) -> None:
        session = self.view.session
        index = int(session.visible.searchsorted(session.folding.holder(row)))
        first = round(self.scroll_target_y)
        if index < first:
            self._scroll(index)
        elif index >= first + self._rows_shown:
            self._scroll(index - self._rows_shown + 1)

    def _scroll(self, first: int) -> None:
        # Textual refuses where no scrollbar is on the screen yet, as before the first frame.
        self.scroll_to(y=first, animate=False, force=True)

    def render_line(self, y: int) -> Strip:
        """Line `y` of the pane: the column names, or a row."""
        columns = self._in_sight()
        if y < _HEADER:
            title = "node" if self.styles.border_top[0] else "Graph"
            return self._strip(header_cells(self.view, columns, title, self._above()))
        visible, between = self.view.session.visible, (y - _HEADER) % self.pitch
        index = self._index(y) + bool(between)
        if index >= len(visible):
            return Strip.blank(self._width, self.rich_style)
        row = int(visible[index])
        if between:
            return self._strip(between_cells(self.view, row, columns))
        return self._strip(row_cells(self.view, row, columns), self._row_style(row))

    def _index(self, y: int) -> int:
        """Which of the rows in sight stands in line `y`."""
        return (y - _HEADER) // self.pitch + self.scroll_offset.y

    def _in_sight(self) -> Columns:
        """The columns, with the depths of the rows between which the pane is scrolled to."""
        if self._columns is None or self._fitted != self._width:
            self._fitted = self._width
            self._columns = fit_columns(self.view.session, self._fitted)
        session, first = self.view.session, self.scroll_offset.y
        depths = session.outline.depths[session.visible[first : first + self._rows_shown]]
        if not len(depths):
            return self._columns
        return replace(self._columns, shallowest=int(depths.min()), deepest=int(depths.max()))

    def _above(self) -> int | None:
        """The row under which the step stands, or the first row in sight, if the step does not.

        None where the tree is seen from its top.
        """
        session, first = self.view.session, self.scroll_offset.y
        rows = session.visible[first : first + self._rows_shown]
        if not len(rows) or session.outline.parents[rows[0]] == NO_ROW:
            return None
        at_work = session.step_holder if session.step is not None else NO_ROW
        shown = at_work if at_work in rows else rows[0]
        parent = int(session.outline.parents[shown])
        return None if parent == NO_ROW else parent

    def _row_style(self, row: int) -> str:
        state = row_state(self.view, row)
        if state.is_step:
            return "step row"
        return "selected row" if state.is_selected else ""

    def _strip(self, cells: list[Cell], of_row: str = "") -> Strip:
        parse = self.app.stylesheet.parse_style
        blank = self.visual_style + parse(_STYLES[of_row])
        segments = []
        for text, name in cells:
            # What is muted can be read on the row that draws the eye, too.
            if name == "muted" and of_row == "step row":
                name = "quiet"
            elif name == "title" and self.has_focus:
                name = "focused title"
            segments.append(Segment(text, (blank + parse(_STYLES[name])).rich_style))
        return Strip(segments).adjust_cell_length(self._width, blank.rich_style)

    def on_click(self, event: events.Click) -> None:
        """Choose the row; on its mark fold it or follow it, left of it set a breakpoint."""
        place = event.get_content_offset(self)
        if place is None:
            return
        index = self._index(place.y)
        visible = self.view.session.visible
        if place.y >= _HEADER and index < len(visible):
            row = int(visible[index])
            if place.x < GUTTER:
                self.post_message(Changed(lambda session: editing.toggle(select(session, row))))
                return
            on_mark = place.x <= mark_column(self.view, row, self._in_sight())
            self.post_message(Changed(partial(_clicked, row=row, on_mark=on_mark)))


def _clicked(session: Session, row: int, *, on_mark: bool) -> Session:
    """`on_mark`: on the row's mark or the lines before it."""
    if not on_mark:
        return select(session, row)
    if session.outline.is_reference[row] and session.outline.group(row) is None:
        return lead(select(session, row))
    return toggle_fold(session, row)
