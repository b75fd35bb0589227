"""The graph as rows of a tree: each output, under it its operands, and so on to the leaves.

A value with several uses is drawn in full where it comes first and as a reference elsewhere, so
a graph of n edges has n rows and its roots. Rows stand in preorder: the subtree of a row is the
row and the `sizes[row] - 1` rows after it, and nothing here recurses.
"""

from __future__ import annotations

from dataclasses import field
from functools import cached_property

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
