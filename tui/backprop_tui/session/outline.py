"""The graph as rows of a tree: each output, under it its operands, and so on to the leaves.

A value with several uses is drawn in full where it comes first and as a reference elsewhere, so
a graph of n edges has n rows and its roots. Rows stand in preorder: the subtree of a row is the
row and the `sizes[row] - 1` rows after it, and nothing here recurses.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from backprop_engine.reading.groups import NO_GROUP, GroupTree
from backprop_engine.trace import Nodes, Trace

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
    columns = trace.nodes
    nodes: list[int] = []
    parents: list[int] = []
    depths: list[int] = []
    is_last: list[bool] = []
    full_rows = [NO_ROW] * len(columns)
    sizes: list[int] = []
    is_reference: list[bool] = []
    for root in _roots(trace):
        if full_rows[root] != NO_ROW:
            continue
        # A stack of (node, parent row, last of its siblings): a chain of 100,000 is normal here.
        pending = [(root, NO_ROW, True)]
        while pending:
            node, parent, last = pending.pop()
            row = len(nodes)
            nodes.append(node)
            parents.append(parent)
            depths.append(0 if parent == NO_ROW else depths[parent] + 1)
            is_last.append(last)
            sizes.append(1)
            seen = full_rows[node] != NO_ROW
            is_reference.append(seen)
            if seen:
                continue
            full_rows[node] = row
            operands = columns.operands[node]
            final = len(operands) - 1
            pending.extend(
                (operands[position], row, position == final) for position in range(final, -1, -1)
            )
    for row in range(len(nodes) - 1, -1, -1):
        parent = parents[row]
        if parent != NO_ROW:
            sizes[parent] += sizes[row]
    return Outline(
        nodes=np.array(nodes, np.int32),
        parents=np.array(parents, np.int32),
        depths=np.array(depths, np.int32),
        sizes=np.array(sizes, np.int32),
        is_last=np.array(is_last, bool),
        is_reference=np.array(is_reference, bool),
        full_rows=np.array(full_rows, np.int32),
    )


def _roots(trace: Trace) -> list[int]:
    """What backward passes start from, in their order; then whatever feeds nothing."""
    outputs = [pass_.output for pass_ in trace.passes if pass_.output is not None]
    return [*dict.fromkeys(outputs), *_sinks(trace.nodes)]


def _sinks(nodes: Nodes) -> list[int]:
    fed = bytearray(len(nodes))
    for operands in nodes.operands:
        for operand in operands:
            fed[operand] = 1
    return [node for node, is_fed in enumerate(fed) if not is_fed]
