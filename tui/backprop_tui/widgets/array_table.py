"""An array as a table with colours: only the cells on the screen are ever looked at."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from backprop_engine.basics.dataclass import dataclass
from backprop_tui.inspecting.grid import Grid, grid_of
from backprop_tui.inspecting.layers import Layer, Quantity, Whose
from backprop_tui.view.glyphs import Glyphs
from backprop_tui.view.text import figure, right
from backprop_tui.widgets.sparing import Piece, Pieces

CELL = 11
"""Columns of the screen that one element takes, the gap before it included."""
_HEADER = 1
_LEVELS = 8
_STRONGEST = 0.55
"""How far the strongest colour goes; more would leave the figures unreadable."""
_CURSOR = Style(bold=True, underline=True)


class ArrayTable(ScrollView, can_focus=True, inherit_bindings=False):
    """One table of a layer, with a cursor; the indices stand above it and to its left."""

    COMPONENT_CLASSES: ClassVar = {
        "cells--index",
        "cells--here",
        "cells--positive",
        "cells--negative",
        "cells--broken",
    }

    @dataclass
    class Moved(Message):
        """The cursor has been moved."""

    def __init__(self, glyphs: Glyphs) -> None:
        super().__init__(id="cells")
        self.glyphs = glyphs
        self.shown = Layer()
        self.grid = grid_of(())
        self.cursor = (0, 0)
        """Row and column."""
        self.scale = 0.0
        """The absolute value with the strongest colour; 0 until it is known."""
        self._heat: dict[int, Style] = {}

    def show(self, layer: Layer, grid: Grid, scale: float) -> None:
        """Draw a table of `layer`."""
        self.shown, self.grid, self.scale = layer, grid, scale
        row, column = self.cursor
        self.cursor = (
            max(0, min(row, grid.rows - 1)),
            max(0, min(column, grid.columns - 1)),
        )
        width = self._gutter + grid.columns * CELL + CELL
        self.virtual_size = Size(width, grid.rows + _HEADER)
        self.refresh()

    @property
    def _gutter(self) -> int:
        return len(self.grid.row_name(max(self.grid.rows - 1, 0))) + 1

    @property
    def _visible(self) -> tuple[int, int]:
        """Rows and whole columns that there is room for."""
        region = self.scrollable_content_region
        return max(region.height - _HEADER, 1), max((region.width - self._gutter - 1) // CELL, 1)

    # The cursor

    def move(self, rows: int, columns: int) -> None:
        """Move the cursor, as far as there are cells."""
        row, column = self.cursor
        self.go_to(row + rows, column + columns)

    def move_page(self, by: int) -> None:
        """Move the cursor by as many rows as there is room for."""
        self.move(by * self._visible[0], 0)

    def go_to(self, row: int, column: int) -> None:
        """Put the cursor into a cell, and that in sight."""
        row = max(0, min(row, self.grid.rows - 1))
        column = max(0, min(column, self.grid.columns - 1))
        if self.grid.index(row, column) is None:  # after the end of a vector
            column = (self.grid.shape[0] - 1) % self.grid.columns
        self.cursor = row, column
        self._reveal()
        self.refresh()
        self.post_message(self.Moved())

    def _reveal(self) -> None:
        row, column = self.cursor
        rows, columns = self._visible
        top, left = round(self.scroll_target_y), round(self.scroll_target_x)
        if not top <= row < top + rows:
            self.scroll_to(y=row if row < top else row - rows + 1, animate=False)
        first = round(left / CELL)
        if column < first:
            self.scroll_to(x=column * CELL, animate=False)
        elif column >= first + columns:
            self.scroll_to(x=(column - columns + 1) * CELL, animate=False)

    def on_resize(self) -> None:
        """Keep the cursor in sight."""
        self._reveal()

    def notify_style_update(self) -> None:
        """Forget the colours of another theme."""
        super().notify_style_update()
        self._heat = {}

    def on_click(self, event: events.Click) -> None:
        """Put the cursor into the cell that was clicked."""
        place = event.get_content_offset(self)
        if place is None or place.y < _HEADER or place.x < self._gutter:
            return
        row = place.y - _HEADER + self.scroll_offset.y
        column = (place.x - self._gutter) // CELL + round(self.scroll_offset.x / CELL)
        if row < self.grid.rows and column < self.grid.columns:
            self.go_to(row, column)

    # Drawing

    def render_line(self, y: int) -> Strip:
        """Line `y`: the column names, or a row."""
        width = self.scrollable_content_region.width
        row = y - _HEADER + self.scroll_offset.y
        if self.shown.shown is None or (y >= _HEADER and row >= self.grid.rows):
            return Strip.blank(width, self.rich_style)
        # Whole cells only: half of a number would be read as another number.
        start = round(self.scroll_offset.x / CELL)
        stop = min(start + self._visible[1], self.grid.columns)
        is_header = y < _HEADER
        name = "" if is_header else self.grid.row_name(row)
        is_here = not is_header and row == self.cursor[0]
        head = Segment(right(name, self._gutter - 1) + " ", self._index_style(is_here=is_here))
        cells = self._names(start, stop) if is_header else self._cells(row, start, stop)
        if stop < self.grid.columns:
            more = "  " + self.glyphs.waiting if is_header else ""
            cells.append(Segment(more, self._index_style(is_here=False)))
        return Strip([head, *cells]).adjust_cell_length(width, self.rich_style)

    def _index_style(self, *, is_here: bool) -> Style:
        names = ("cells--index", "cells--here") if is_here else ("cells--index",)
        return self.get_visual_style(*names).rich_style

    def _names(self, start: int, stop: int) -> list[Segment]:
        segments = []
        for column in range(start, stop):
            style = self._index_style(is_here=column == self.cursor[1])
            segments.append(Segment(right(self.grid.column_name(column), CELL), style))
        return segments

    def _cells(self, row: int, start: int, stop: int) -> list[Segment]:
        elements = self.grid.line(self.shown, row, start, stop)
        scale = self.scale or _largest(elements)
        segments: list[Segment] = []
        at = self.cursor[1] if row == self.cursor[0] else -2
        for column, element in enumerate(elements, start):
            # Brackets around the cursor, for eyes that see no colour.
            gap = "[" if column == at else "]" if column == at + 1 else " "
            segments.append(Segment(gap, self.rich_style))
            text = right(self.glyphs.text(figure(element, CELL - 1)), CELL - 1)
            segments.append(Segment(text, self._style(element, scale, is_cursor=column == at)))
        if start + len(elements) == at + 1:
            segments.append(Segment("]", self.rich_style))
        return segments

    def _style(self, element: float, scale: float, *, is_cursor: bool) -> Style:
        if not math.isfinite(element):
            style = self.get_visual_style("cells--broken").rich_style
        else:
            style = self._heat_style(heat(float(element), scale))
        if is_cursor:
            style += _CURSOR
        return style

    def _heat_style(self, level: int) -> Style:
        if level not in self._heat:
            self._heat[level] = self._warmed(level)
        return self._heat[level]

    def _warmed(self, level: int) -> Style:
        base = self.get_visual_style()
        tint = self.get_visual_style("cells--positive" if level > 0 else "cells--negative")
        if not level or base.background is None or tint.foreground is None:
            return base.rich_style
        if tint.foreground.ansi is not None:  # a colour of the terminal's own cannot be mixed
            return base.rich_style + Style(color=tint.foreground.rich_color)
        share = abs(level) / _LEVELS * _STRONGEST
        return base.rich_style + Style(
            bgcolor=base.background.blend(tint.foreground, share).rich_color
        )


def heat(element: float, scale: float) -> int:
    """How strongly a finite element is coloured, from −8 to 8, in proportion to `scale`."""
    if not element or not scale:
        return 0
    level = math.ceil(min(abs(element) / scale, 1.0) * _LEVELS)
    return level if element > 0 else -level


def _largest(elements: np.ndarray) -> float:
    finite = elements[np.isfinite(elements)] if elements.dtype.kind == "f" else elements
    return float(np.abs(finite.astype(np.float64)).max(initial=0.0))


_GAP = Piece("   ")


class LayerTabs(Pieces):
    """One line; what is chosen stands in brackets, for eyes that see no colour."""

    def __init__(self) -> None:
        super().__init__(id="layers")
        self.quantity = Quantity.VALUE
        self.whose = Whose.OURS
        self.grid = Grid(())

    def show(self, quantity: Quantity, whose: Whose, grid: Grid) -> None:
        """Draw these choices."""
        self.quantity, self.whose, self.grid = quantity, whose, grid
        self.refresh()

    def pieces(self) -> list[Piece]:
        """Quantities, whose they are, and the leading axes."""
        quantity, whose, grid = self.quantity, self.whose, self.grid
        rows = [
            [_piece(name, quantity, (name, whose, grid.axis)) for name in Quantity],
            [_piece(name, whose, (quantity, name, grid.axis)) for name in Whose],
            [
                _piece(_axis(grid, axis), _axis(grid, grid.axis), (quantity, whose, axis))
                for axis in range(len(grid.leading))
            ],
        ]
        return [piece for row in rows if row for piece in (*row, _GAP)][:-1]


def _axis(grid: Grid, axis: int) -> str:
    return f"axis {axis}: {grid.leading[axis]} of {grid.shape[axis]}"


def _piece(name: str, chosen: str, choice: tuple[Quantity, Whose, int]) -> Piece:
    """One choice, and all three choices as they are after a click on it."""
    quantity, whose, axis = choice
    action = f"screen.choose('{quantity}', '{whose}', {axis})"
    if name == chosen:
        return Piece(f"[{name}]", "bold $primary", action)
    return Piece(f" {name} ", "$foreground-muted", action)
