"""An array as a table of rows and columns: which element stands where."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.values import Shape
from backprop_tui.inspecting.layers import Layer

ACROSS, FEW_ACROSS = 10, 5
"""Elements of a vector that stand in one row, and where there is little room."""


@dataclass(frozen=True, slots=True)
class Grid:
    """The last two axes as rows and columns, at one index of each axis before them.

    A vector is wrapped: `across` elements a row. A number is a table of one cell.
    """

    shape: Shape
    leading: tuple[int, ...] = ()
    """The index of each axis before the last two."""
    axis: int = 0
    """Which of those the keys change."""
    across: int = ACROSS

    @property
    def _is_flat(self) -> bool:
        return len(self.shape) < 2

    @property
    def rows(self) -> int:
        """How many rows."""
        if self._is_flat:
            return -(-math.prod(self.shape) // self.across)
        return self.shape[-2] if self.columns else 0

    @property
    def columns(self) -> int:
        """How many columns."""
        return min(math.prod(self.shape), self.across) if self._is_flat else self.shape[-1]

    def row_name(self, row: int) -> str:
        """The index that a row stands for; of a vector, that of the row's first element."""
        return str(row * self.across if len(self.shape) == 1 else row) if self.shape else ""

    def column_name(self, column: int) -> str:
        """The index that a column stands for; of a vector, what is added to the row's."""
        if not self.shape:
            return ""
        return f"+{column}" if self._is_flat else str(column)

    def index(self, row: int, column: int) -> tuple[int, ...] | None:
        """The element in a cell; None for the cells after the end of a vector."""
        if not self._is_flat:
            return (*self.leading, row, column)
        at = row * self.across + column
        return _unravel(at, self.shape) if at < math.prod(self.shape) else None

    def cell(self, index: tuple[int, ...]) -> tuple[int, int]:
        """The row and the column of an element of the table."""
        if self._is_flat:
            return divmod(sum(index), self.across)
        return index[-2], index[-1]

    def line(self, layer: Layer, row: int, start: int, stop: int) -> np.ndarray:
        """The elements of a row in the columns `start` up to `stop`, as far as there are any."""
        if not self.shape:
            return layer.block(()).reshape(1)[start:stop]
        if not self._is_flat:
            return layer.block((*self.leading, row, slice(start, stop)))
        first = row * self.across
        return layer.block((slice(first + start, min(first + stop, *self.shape)),))

    def name(self, index: tuple[int, ...]) -> str:
        """`[2, 0, 5]`; empty for a number."""
        return f"[{', '.join(map(str, index))}]" if index else ""

    def moved(self, by: int) -> Grid:
        """At another index of the chosen leading axis, held inside of it."""
        if not self.leading:
            return self
        indices = list(self.leading)
        most = self.shape[self.axis] - 1
        indices[self.axis] = max(0, min(indices[self.axis] + by, most))
        return replace(self, leading=tuple(indices))

    def at_axis(self, axis: int) -> Grid:
        """With the keys on another leading axis."""
        return replace(self, axis=axis % len(self.leading)) if self.leading else self

    def showing(self, index: tuple[int, ...]) -> Grid:
        """The table in which the element at `index` stands."""
        return replace(self, leading=index[:-2]) if self.leading else self


def grid_of(shape: Shape, across: int = ACROSS) -> Grid:
    """The first table of an array of `shape`."""
    return Grid(shape, (0,) * max(len(shape) - 2, 0), across=across)


def next_broken(layer: Layer, after: tuple[int, ...]) -> tuple[int, ...] | None:
    """The next element that is nan or inf, in the order of the indices, round the end once."""
    shape, at, first = layer.shape, 0, None
    start = int(np.ravel_multi_index(after, shape)) + 1 if shape else 0
    for piece in layer.pieces():
        found = at + np.flatnonzero(~np.isfinite(piece))
        coming = found[np.searchsorted(found, start) :]
        if len(coming):
            return _unravel(int(coming[0]), shape)
        if first is None and len(found):
            first = int(found[0])
        at += len(piece)
    return None if first is None else _unravel(first, shape)


def largest(layer: Layer) -> tuple[int, ...] | None:
    """The element with the largest finite absolute value; None where nothing is finite."""
    best, place, at = -1.0, None, 0
    for piece in layer.pieces():
        sizes = np.where(np.isfinite(piece), np.abs(piece), -1.0)
        found = int(sizes.argmax())
        if sizes[found] > best:
            best, place = float(sizes[found]), at + found
        at += len(piece)
    return None if place is None else _unravel(place, layer.shape)


def _unravel(at: int, shape: Shape) -> tuple[int, ...]:
    return tuple(map(int, np.unravel_index(at, shape))) if shape else ()
