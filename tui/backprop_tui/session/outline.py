"""The graph as rows of a tree: each output, under it its operands, and so on to the leaves.

A value with several uses is drawn in full where it comes first and as a reference elsewhere, so
a graph of n edges has n rows and its roots. Rows stand in preorder: the subtree of a row is the
row and the `sizes[row] - 1` rows after it, and nothing here recurses.

A large outline opens with its longest branch unfolded and what hangs beside it folded; where the
steps go inside of a fold that nobody asked for, it is open as long as they are there.
"""

from __future__ import annotations

from dataclasses import field
from functools import cached_property, lru_cache

import numpy as np

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.reading.groups import NO_GROUP, GroupTree
from backprop_engine.trace import Trace

NO_ROW = -1
_NONE = np.zeros(0, np.int32)


@dataclass(frozen=True, eq=False)
class Outline:
    """One entry a row, int32 unless said; rows count from 0."""

    nodes: np.ndarray
    parents: np.ndarray
    """The row this one hangs under; NO_ROW for a root."""
    depths: np.ndarray
    sizes: np.ndarray
    """Rows of the subtree, the row itself included."""
    is_last: np.ndarray
    """bool: no sibling stands below it."""
    is_reference: np.ndarray
    """bool: the node is drawn in full elsewhere."""
    full_rows: np.ndarray
    """One entry a node: the row in which it is drawn in full."""
    tree: GroupTree | None = None
    """The groups that rows stand for; None where each row is a node's."""
    groups: np.ndarray = field(default_factory=lambda: _NONE)
    """The group of each row, NO_GROUP for a node's; empty where there is no `tree`."""

    def __len__(self) -> int:
        return len(self.nodes)

    @cached_property
    def deepest(self) -> int:
        """The greatest depth; 0 for a tree of roots."""
        return int(self.depths.max(initial=0))

    def has_children(self, row: int) -> bool:
        """Whether operands, or what is in a group, hang under `row`."""
        return bool(self.sizes[row] > 1)

    def group(self, row: int) -> int | None:
        """The group that `row` stands for; None for a node's own row."""
        found = NO_GROUP if self.tree is None else int(self.groups[row])
        return None if found == NO_GROUP else found

    def node_count(self, row: int) -> int:
        """How many nodes are drawn in full in the subtree of `row`."""
        before = self._drawn_before
        return int(before[row + self.sizes[row]] - before[row])

    @cached_property
    def _drawn_before(self) -> np.ndarray:
        return np.concatenate(([0], np.cumsum(~self.is_reference)))

    def ancestors(self, row: int, count: int) -> list[int]:
        """Up to `count` rows above `row` in the tree, nearest first."""
        found: list[int] = []
        parent = int(self.parents[row])
        while parent != NO_ROW and len(found) < count:
            found.append(parent)
            parent = int(self.parents[parent])
        return found

    def child(self, row: int, position: int, operand: int) -> int:
        """The row of `operand`, at `position` of the node drawn in full in `row`."""
        if self.tree is not None:
            return int(self.full_rows[operand])
        at = row + 1
        for _ in range(position):
            at += int(self.sizes[at])
        return at


def draw_outline(trace: Trace) -> Outline:
    """Lay out the graph of `trace`."""
    counts, operands = trace.nodes.operand_columns
    nodes = _preorder(_roots(trace), counts, operands)
    count = len(nodes)
    rows = np.arange(count)
    full_rows = np.empty(len(counts), np.int32)
    full_rows[nodes[::-1]] = rows[::-1]
    is_reference = full_rows[nodes] != rows
    children = np.where(is_reference, 0, counts[nodes])
    # How many rows wait to be drawn before each one: with those behind it, that tells where its
    # subtree ends, which is the first row below it before which one fewer waits.
    waiting = np.concatenate(([0], np.cumsum(children - 1)))
    by_waiting = np.argsort(waiting, kind="stable")
    keys = waiting[by_waiting] * (count + 1) + by_waiting

    def below(above: np.ndarray, wanted: np.ndarray) -> np.ndarray:
        found: np.ndarray = np.searchsorted(keys, wanted * (count + 1) + above, "right")
        return by_waiting.take(found)

    ends = below(rows, waiting[:-1] - 1)
    above = np.repeat(rows, children)
    siblings_after = np.repeat(np.cumsum(children), children) - np.arange(len(above)) - 1
    hanging = below(above, waiting[above] + siblings_after)
    parents = np.full(count, NO_ROW, np.int32)
    parents[hanging] = above
    is_last = np.ones(count, bool)
    is_last[hanging] = siblings_after == 0
    return Outline(
        nodes=nodes,
        parents=parents,
        # Each row but the first stands inside of one subtree more, less those that end before it.
        depths=(rows - np.cumsum(np.bincount(ends, minlength=count + 1)[:count])).astype(np.int32),
        sizes=(ends - rows).astype(np.int32),
        is_last=is_last,
        is_reference=is_reference,
        full_rows=full_rows,
    )


def _preorder(roots: list[int], counts: np.ndarray, operands: np.ndarray) -> np.ndarray:
    """The node of each row: a loop over all of them, and the only one."""
    stops = np.cumsum(counts)
    first, last = (len(operands) - stops).tolist(), (len(operands) - stops + counts).tolist()
    backwards = operands[::-1].tolist()
    drawn = bytearray(len(counts))
    nodes: list[int] = []
    for root in roots:
        pending = [] if drawn[root] else [root]
        while pending:
            node = pending.pop()
            nodes.append(node)
            if not drawn[node]:
                drawn[node] = 1
                pending += backwards[first[node] : last[node]]
    return np.array(nodes, np.int32)


def _roots(trace: Trace) -> list[int]:
    """What backward passes start from, in their order; then whatever feeds nothing."""
    outputs = [pass_.output for pass_ in trace.passes if pass_.output is not None]
    counts, operands = trace.nodes.operand_columns
    is_fed = np.zeros(len(counts), bool)
    is_fed[operands] = True
    return [*dict.fromkeys(outputs), *np.flatnonzero(~is_fed).tolist()]


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
