"""Where the boxes of a lesson's graph stand: operands before consumers, level by level.

Each output is the root of a tree. What is computed stands once; a leaf that is used often stands
at each use, so that no wire crosses the whole drawing. A constant has no box: it stands in the
expression of what it is used for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from backprop_engine.basics.dataclass import dataclass
from backprop_tui.export.lesson import LessonNode

_NO_BOX: Final = -1


@dataclass(frozen=True, slots=True)
class Box:
    """A node as it is drawn."""

    node: int
    consumer: int | None
    """Where a leaf is drawn at each use, whose operand it is here; None for the node itself."""
    level: int
    """0 for what nothing drawn is computed before."""
    row: float
    """Across the levels: boxes of one level are at least 1 apart."""


def placed(nodes: Sequence[LessonNode]) -> tuple[Box, ...]:
    """All boxes, each before those of its operands."""
    operands = [
        [each for each in dict.fromkeys(node.operands) if _is_drawn(nodes[each])] for node in nodes
    ]
    uses = Counter(each for row in operands for each in row)
    depths = _depths(operands)
    levels = _levels(operands, depths)
    chips = {at for at, node in enumerate(nodes) if not node.operation and uses[at] > 1}
    roots = [at for at, node in enumerate(nodes) if not uses[at] and _is_drawn(node)]
    found: list[tuple[int, int | None, int]] = []
    waiting: list[tuple[int, int | None, int]] = [(root, None, _NO_BOX) for root in roots]
    seen: set[int] = set()
    while waiting:
        node, consumer, parent = waiting.pop()
        if consumer is None:
            if node in seen:
                continue
            seen.add(node)
            waiting += [
                (each, node if each in chips else None, len(found))
                for each in reversed(operands[node])
            ]
        found.append((node, consumer, parent))
    stands = [
        levels[node] if consumer is None else levels[consumer] - 1 for node, consumer, _ in found
    ]
    rows = _rows([parent for _, _, parent in found], stands, [depths[node] for node, _, _ in found])
    return tuple(
        Box(node, consumer, level, row)
        for (node, consumer, _), level, row in zip(found, stands, rows, strict=True)
    )


def _is_drawn(node: LessonNode) -> bool:
    return bool(node.operation or node.is_named or node.requires_grad)


def _depths(operands: Sequence[Sequence[int]]) -> list[int]:
    """The longest way from a leaf."""
    depths: list[int] = []
    for row in operands:
        depths.append(max((depths[each] + 1 for each in row), default=0))
    return depths


def _levels(operands: Sequence[Sequence[int]], depths: Sequence[int]) -> list[int]:
    """Each right before its first consumer, so that wires are short; outputs at their depth."""
    levels: dict[int, int] = {}
    for at in reversed(range(len(operands))):
        level = levels.setdefault(at, depths[at])
        for each in operands[at]:
            levels[each] = min(levels.get(each, level), level - 1)
    return [levels[at] for at in range(len(operands))]


def _rows(parents: Sequence[int], levels: Sequence[int], depths: Sequence[int]) -> list[float]:
    """Trees as close as their outlines allow. A box stands amid its deepest operands, so that a
    chain, or a long sum, is a straight line.

    A box stands behind its parent in all lists.
    """
    parts: dict[int, list[int]] = {}
    for at, parent in enumerate(parents):
        parts.setdefault(parent, []).append(at)
    shifts = [0.0] * len(parents)
    outlines: dict[int, _Outline] = {}
    for at in reversed(range(_NO_BOX, len(parents))):
        outline, below = _Outline(), parts.get(at, [])
        for part in below:
            outline, shifts[part] = outline.joined(outlines.pop(part))
        deepest = max((depths[part] for part in below), default=0)
        amid = [part for part in below if depths[part] == deepest]
        middle = sum(shifts[part] for part in amid[:1] + amid[-1:]) / 2
        outline.shift -= middle
        for part in below:
            shifts[part] -= middle
        if at != _NO_BOX:
            outline.add(levels[at])
        outlines[at] = outline
    rows: list[float] = []
    for parent, shift in zip(parents, shifts, strict=True):
        rows.append(shift + (0.0 if parent == _NO_BOX else rows[parent]))
    top = min(rows, default=0.0)
    return [row - top for row in rows]


class _Outline:
    """How far a tree goes to both sides on each level, from its root's row."""

    def __init__(self) -> None:
        self.shift = 0.0
        self._levels: dict[int, tuple[float, float]] = {}

    def add(self, level: int) -> None:
        """The root."""
        self._levels[level] = (-self.shift, -self.shift)

    def joined(self, other: _Outline) -> tuple[_Outline, float]:
        """Both, `other` moved so that it stands clear of what is here; and how far it was moved."""
        fewer = min(self._levels, other._levels, key=len)
        both = [level for level in fewer if level in self._levels and level in other._levels]
        room = self.shift + 1 - other.shift
        by = max((self._levels[at][1] - other._levels[at][0] + room for at in both), default=0.0)
        other.shift += by
        small, large = (self, other) if fewer is self._levels else (other, self)
        for level, (low, high) in small._levels.items():
            low, high = (side + small.shift - large.shift for side in (low, high))
            before = large._levels.get(level, (low, high))
            large._levels[level] = (min(low, before[0]), max(high, before[1]))
        return large, by
