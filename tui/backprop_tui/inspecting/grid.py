"""An array as a table of rows and columns: which element stands where."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from backprop_engine.basics.values import Shape
from backprop_tui.inspecting.layers import Layer

ACROSS, FEW_ACROSS = 10, 5
"""Elements of a vector that stand in one row, and where there is little room."""

_PIECE = 1_000_000


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
    def rows(self) -> int:
        """How many rows."""
        match self.shape:
            case ():
                return 1
            case (count,):
                return -(-count // self.across)
            case _:
                return 0 if not self.columns else self.shape[-2]

    @property
    def columns(self) -> int:
        """How many columns."""
        match self.shape:
            case ():
                return 1
            case (count,):
                return min(count, self.across)
            case _:
                return self.shape[-1]

    def row_name(self, row: int) -> str:
        """The index that a row stands for; of a vector, that of the row's first element."""
        return str(row * self.across if len(self.shape) == 1 else row) if self.shape else ""

    def column_name(self, column: int) -> str:
        """The index that a column stands for; of a vector, what is added to the row's."""
        if not self.shape:
            return ""
        return f"+{column}" if len(self.shape) == 1 else str(column)

    def index(self, row: int, column: int) -> tuple[int, ...] | None:
        """The element in a cell; None for the cells after the end of a vector."""
        match self.shape:
            case ():
                return ()
            case (count,):
                at = row * self.across + column
                return (at,) if at < count else None
            case _:
                return (*self.leading, row, column)

    def cell(self, index: tuple[int, ...]) -> tuple[int, int]:
        """The row and the column of an element of the table."""
        match index:
            case ():
                return 0, 0
            case (at,):
                return divmod(at, self.across)
            case _:
                return index[-2], index[-1]

    def line(self, layer: Layer, row: int, start: int, stop: int) -> np.ndarray:
        """The elements of a row in the columns `start` up to `stop`, as far as there are any."""
        match self.shape:
            case ():
                return layer.block(()).reshape(1)[start:stop]
            case (count,):
                first = row * self.across
                return layer.block((slice(first + start, min(first + stop, count)),))
            case _:
                return layer.block((*self.leading, row, slice(start, stop)))

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
    shape = layer.shape
    start = int(np.ravel_multi_index(after, shape)) + 1 if shape else 0
    size = math.prod(shape)
    for first, last in ((start, size), (0, start)):
        for at in range(first, last, _PIECE):
            piece = _flat(layer, at, min(at + _PIECE, last))
            if piece.dtype.kind != "f":
                return None
            found = np.flatnonzero(~np.isfinite(piece))
            if len(found):
                return _unravel(at + int(found[0]), shape)
    return None


def largest(layer: Layer) -> tuple[int, ...] | None:
    """The element with the largest finite absolute value; None where nothing is finite."""
    best, place = -1.0, None
    size = math.prod(layer.shape)
    for at in range(0, size, _PIECE):
        piece = np.abs(_flat(layer, at, min(at + _PIECE, size)).astype(np.float64, copy=False))
        piece = np.where(np.isfinite(piece), piece, -1.0)
        found = int(piece.argmax())
        if piece[found] > best:
            best, place = float(piece[found]), at + found
    return None if place is None else _unravel(place, layer.shape)


def _flat(layer: Layer, start: int, stop: int) -> np.ndarray:
    """The elements `start` up to `stop` in the order of the indices."""
    shown = np.asarray(layer.shown).reshape(-1)[start:stop]
    if layer.minus is None:
        return shown
    return Layer(shown, np.asarray(layer.minus).reshape(-1)[start:stop]).block((slice(None),))


def _unravel(at: int, shape: Shape) -> tuple[int, ...]:
    return tuple(int(one) for one in np.unravel_index(at, shape)) if shape else ()
