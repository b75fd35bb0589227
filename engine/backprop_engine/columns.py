"""The columns of a tape: one entry a node, the sparse ones by node."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain, repeat
from operator import attrgetter
from typing import Any, Final

import numpy as np

from backprop_engine.basics.source import Span
from backprop_engine.basics.values import Value
from backprop_engine.node_kinds import NodeKind
from backprop_engine.operation import Operation

NO_OPERAND: Final = -1

_OPERATION, _REQUIRES_GRAD, _IS_NUMBER = map(
    attrgetter, ("operation", "requires_grad", "is_number")
)


class Columns:
    """Nodes by number, from 0."""

    def __init__(self) -> None:
        self.kind: list[NodeKind] = []
        self.value: list[Value] = []
        self.first: list[int] = []
        """The first operand of a node that has one or two; NO_OPERAND for all others."""
        self.second: list[int] = []
        """The second operand of a node that has two."""
        self.many: dict[int, tuple[int, ...]] = {}
        """All operands of a node that has more."""
        self.operands = Operands(self.first, self.second, self.many)
        """By node, the nodes that each was computed from; none of a leaf."""
        self.reach: dict[int, int] = {}
        """Of a node with more operands than derivatives: how many it can send a gradient to. The
        others are indices, or models of a shape as in `x.view_as(z)`."""
        self._spans: list[Span | None] = []
        self._pairs = np.zeros((0, 2), np.int32)
        """`first` and `second` as they were when they were last asked for."""
        self._operand_columns = np.zeros(0, np.int32), np.zeros(0, np.int32)
        """The same of `operand_columns`."""

    def __len__(self) -> int:
        return len(self.value)

    @property
    def span(self) -> list[Span | None]:
        """The sub-expressions in the source that made the nodes; None where there is none."""
        self._spans += repeat(None, len(self) - len(self._spans))
        return self._spans

    @property
    def operation(self) -> Sequence[Operation | None]:
        """By node; None for a leaf: an input or a constant."""
        return Column(self.kind, _OPERATION)

    @property
    def requires_grad(self) -> Sequence[bool]:
        """By node."""
        return Column(self.kind, _REQUIRES_GRAD)

    @property
    def is_number(self) -> Sequence[bool]:
        """By node: whether it is a Python number in torch, and no tensor."""
        return Column(self.kind, _IS_NUMBER)

    @property
    def computed(self) -> np.ndarray:
        """The nodes that operations have made, int32, ascending: those with operands."""
        has_operands = self.pairs[:, 0] != NO_OPERAND
        has_operands[list(self.many)] = True
        return np.flatnonzero(has_operands).astype(np.int32)

    @property
    def pairs(self) -> np.ndarray:
        """`first` and `second`: int32, a row a node."""
        if len(self._pairs) != len(self):
            self._pairs = np.empty((len(self), 2), np.int32)
            for at, column in enumerate((self.first, self.second)):
                self._pairs[:, at] = np.fromiter(column, np.int32, len(self))
        return self._pairs

    @property
    def operand_columns(self) -> tuple[np.ndarray, np.ndarray]:
        """How many operands each node has, and those of all nodes one after the other; int32."""
        if len(self._operand_columns[0]) != len(self):
            self._operand_columns = self._counted()
        return self._operand_columns

    def _counted(self) -> tuple[np.ndarray, np.ndarray]:
        are_there = self.pairs != NO_OPERAND
        counts = are_there[:, 0] + are_there[:, 1].astype(np.int32)
        flat = self.pairs[are_there]
        if self.many:
            nodes, sizes = list(self.many), list(map(len, self.many.values()))
            before = counts.cumsum()[nodes].repeat(sizes)
            flat = np.insert(flat, before, list(chain.from_iterable(self.many.values())))
            counts[nodes] = sizes
        counts.flags.writeable = flat.flags.writeable = False
        return counts, flat

    def edges(self, to: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Consumer (int32), position (int16) and operand (int32) of every edge.

        In the order of a backward pass: consumers from the last to the first, the operands of each
        from left to right. Operands that nothing can be sent to are left out; with `to`, bool by
        node, those that it is not true of, too.
        """
        if not self.many and not self.reach:
            operands = self.pairs[::-1].ravel()
            is_one = operands != NO_OPERAND
            if to is not None:
                is_one &= to[operands]
            at = np.flatnonzero(is_one).astype(np.int32)
            return len(self) - 1 - (at >> 1), (at & 1).astype(np.int16), operands[at]
        counts, flat = self.operand_columns
        firsts = counts.cumsum(dtype=np.int32) - counts  # where each node's operands begin
        counts = counts.copy()
        for node, reach in self.reach.items():
            counts[node] = reach
        counts, firsts = counts[::-1], firsts[::-1]
        consumers = np.arange(len(self) - 1, -1, -1, dtype=np.int32).repeat(counts)
        begun = counts.cumsum(dtype=np.int32) - counts
        positions = np.arange(len(consumers), dtype=np.int32) - begun.repeat(counts)
        receivers = flat[positions + firsts.repeat(counts)]
        is_one = np.ones(len(receivers), np.bool_) if to is None else to[receivers]
        return consumers[is_one], positions[is_one].astype(np.int16), receivers[is_one]


class Operands(Sequence[tuple[int, ...]]):
    """The operands of all nodes, by node."""

    __slots__ = ("_first", "_many", "_second")

    def __init__(
        self, first: list[int], second: list[int], many: dict[int, tuple[int, ...]]
    ) -> None:
        self._first = first
        self._second = second
        self._many = many

    def __getitem__(self, node: Any) -> Any:
        a, b = self._first[node], self._second[node]
        if b != NO_OPERAND:
            return a, b
        return (a,) if a != NO_OPERAND else self._many.get(node, ())

    def __len__(self) -> int:
        return len(self._first)

    def __iter__(self) -> Iterator[tuple[int, ...]]:
        pairs = zip(self._first, self._second, strict=True)
        every: list[tuple[int, ...]] = [
            (a, b) if b >= 0 else (a,) if a >= 0 else () for a, b in pairs
        ]
        for node, operands in self._many.items():
            every[node] = operands
        return iter(every)


class Column(Sequence[Any]):
    """One field of the kinds of all nodes, by node."""

    __slots__ = ("_kinds", "_of")

    def __init__(self, kinds: list[NodeKind], of: Callable[[NodeKind], Any]) -> None:
        self._kinds = kinds
        self._of = of

    def __getitem__(self, node: Any) -> Any:
        return self._of(self._kinds[node])

    def __len__(self) -> int:
        return len(self._kinds)

    def __iter__(self) -> Iterator[Any]:
        return map(self._of, self._kinds)
