"""Which subtrees of the outline are folded away: what a person says, else what is too large.

A large outline opens with its longest branch unfolded and what hangs beside it folded; where the
steps go inside of a fold that nobody asked for, it is open as long as they are there.
"""

from __future__ import annotations

from functools import cached_property, lru_cache

import numpy as np

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.reading.groups import NO_GROUP
from backprop_tui.session.outline import NO_ROW, Outline

LARGE = 300
"""Rows of an outline that opens with folds."""
FEW = 16
"""Rows that groups are unfolded into from the start."""
SMALL = 8
"""Rows of a branch that is never folded by itself."""

_NOTHING = np.zeros(0, np.int32)


@dataclass(frozen=True, eq=False)
class Folding:
    """The folds of an outline as they are while the steps are at one row."""

    outline: Outline
    folds: frozenset[int]
    """The rows that a person has folded."""
    unfolds: frozenset[int]
    """Those that a person has unfolded."""
    at_work: tuple[int, ...]
    """The rows that are to be seen, wherever nobody has folded them away."""

    @cached_property
    def _followed(self) -> tuple[int, ...]:
        """The folds that are open because the steps are inside, ascending."""
        closed, found = self._closed, set[int]()
        for row in self.at_work:
            found |= set(_around(self.outline, closed, row).tolist())
        return tuple(sorted(found - self.folds))

    @property
    def _closed(self) -> np.ndarray:
        return _closed_rows(self.outline, self.folds, self.unfolds)

    @property
    def visible(self) -> np.ndarray:
        """The rows on the screen, ascending."""
        return _visible(self.outline, self.folds, self.unfolds, self._followed)

    def is_folded(self, row: int) -> bool:
        """Whether what hangs under `row` is folded away."""
        if row in self.folds:
            return True
        is_large = bool(_starts_folded(self.outline)[row])
        return is_large and row not in self.unfolds and row not in self._followed

    def around(self, row: int) -> list[int]:
        """The folds that hide `row`, the outermost first."""
        closed = _around(self.outline, self._closed, row).tolist()
        return [fold for fold in closed if fold not in self._followed]

    def holder(self, row: int) -> int:
        """The row that stands for `row` on the screen: itself, or the outermost fold around it."""
        return next(iter(self.around(row)), row)


def visible_rows(outline: Outline, closed: np.ndarray) -> np.ndarray:
    """The rows, ascending, that are inside of no subtree of the rows `closed`."""
    return _shown(closed + 1, closed + outline.sizes[closed], 0, len(outline))


def _shown(starts: np.ndarray, stops: np.ndarray, first: int, last: int) -> np.ndarray:
    """The rows from `first` up to `last` that are in none of the stretches."""
    count = last - first + 1
    depth = np.bincount(starts - first, minlength=count) - np.bincount(
        stops - first, minlength=count
    )
    return np.flatnonzero(np.cumsum(depth)[:-1] == 0) + first


@lru_cache(maxsize=8)
def _starts_folded(outline: Outline) -> np.ndarray:
    """For each row, whether it is folded from the start: a large branch beside a larger one."""
    folded = np.zeros(len(outline), bool)
    if outline.tree is not None:
        return _groups_folded(outline)
    if len(outline) <= LARGE:
        return folded
    rows, parents, sizes = np.arange(len(outline)), outline.parents, outline.sizes
    hanging = rows[parents != NO_ROW]
    largest = np.zeros(len(outline), np.int32)
    np.maximum.at(largest, parents[hanging], sizes[hanging])
    candidates = hanging[sizes[hanging] == largest[parents[hanging]]][::-1]
    longest = np.full(len(outline), NO_ROW)
    longest[parents[candidates]] = candidates  # of equals the first, which is assigned last
    folded[:] = sizes > SMALL
    folded[longest[longest != NO_ROW]] = False
    folded[0] = False
    return folded


def _groups_folded(outline: Outline) -> np.ndarray:
    """All groups but the outermost with further groups in them, as long as these have room."""
    folded: np.ndarray = outline.groups != NO_GROUP
    shown = int((outline.depths == 0).sum())
    has_groups = np.zeros(len(outline), bool)
    inner = np.flatnonzero(folded & (outline.parents != NO_ROW))
    has_groups[outline.parents[inner]] = True
    for row in sorted(np.flatnonzero(has_groups)[:FEW].tolist(), key=outline.depths.__getitem__):
        parent = int(outline.parents[row])
        children = int((outline.parents == row).sum())
        if (parent == NO_ROW or not folded[parent]) and shown + children <= FEW:
            folded[row], shown = False, shown + children
    return folded


@lru_cache(maxsize=8)
def _closed_rows(outline: Outline, folds: frozenset[int], unfolds: frozenset[int]) -> np.ndarray:
    """The rows that are folded, ascending, whatever the steps are at."""
    folded = _starts_folded(outline).copy()
    folded[list(unfolds)] = False
    folded[list(folds)] = True
    return np.flatnonzero(folded)


def _around(outline: Outline, closed: np.ndarray, row: int) -> np.ndarray:
    """Those of `closed` whose subtrees `row` is in, the outermost first."""
    before = closed[: np.searchsorted(closed, row)]
    return before[before + outline.sizes[before] > row] if len(before) else _NOTHING


@lru_cache(maxsize=8)
def _visible(
    outline: Outline, folds: frozenset[int], unfolds: frozenset[int], followed: tuple[int, ...]
) -> np.ndarray:
    closed = _closed_rows(outline, folds, unfolds)
    if not followed:
        return visible_rows(outline, closed)
    # Only what is inside of the outermost folds differs from the rows without them.
    shown, last = _visible(outline, folds, unfolds, ()), 0
    for top in followed:
        at = int(np.searchsorted(shown, top))
        if top < last or at == len(shown) or shown[at] != top:
            continue  # inside of one before, or a person has folded it away
        last = top + int(outline.sizes[top])
        inner = closed[np.searchsorted(closed, top) : np.searchsorted(closed, last)]
        inner = inner[~np.isin(inner, followed)]
        revealed = _shown(inner + 1, inner + outline.sizes[inner], top + 1, last)
        shown = np.concatenate((shown[: at + 1], revealed, shown[at + 1 :]))
    return shown
