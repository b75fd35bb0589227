"""The columns of a tape: one entry a node, the sparse ones by node."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain, repeat
from operator import attrgetter
from typing import Any

import numpy as np

from backprop_engine.basics.source import Span
from backprop_engine.basics.values import Value
from backprop_engine.node_kinds import NodeKind
from backprop_engine.operation import Operation


class Columns:
    """Nodes by number, from 0."""

    def __init__(self) -> None:
        self.kind: list[NodeKind] = []
        self.operands: list[tuple[int, ...]] = []
        self.value: list[Value] = []
        self.reach: dict[int, int] = {}
        """Of a node with more operands than derivatives: how many it can send a gradient to. The
        others are indices, or models of a shape as in `x.view_as(z)`."""
        self._spans: list[Span | None] = []
        self._operand_columns = np.zeros(0, np.int32), np.zeros(0, np.int32)
        """`operand_columns` as they were when they were last asked for."""

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
        return Column(self.kind, "operation")

    @property
    def requires_grad(self) -> Sequence[bool]:
        """By node."""
        return Column(self.kind, "requires_grad")

    @property
    def is_number(self) -> Sequence[bool]:
        """By node: whether it is a Python number in torch, and no tensor."""
        return Column(self.kind, "is_number")

    @property
    def requiring_grad(self) -> np.ndarray:
        """The nodes that require grad: bool, one entry a node."""
        return np.frombuffer(bytes([kind.requires_grad for kind in self.kind]), np.bool_)

    @property
    def computed(self) -> np.ndarray:
        """The nodes that operations have made, int32, ascending: those with operands."""
        return np.flatnonzero(self.operand_columns[0]).astype(np.int32)

    @property
    def operand_columns(self) -> tuple[np.ndarray, np.ndarray]:
        """How many operands each node has, and those of all nodes one after the other; int32."""
        if len(self._operand_columns[0]) != len(self):
            counts = np.fromiter(map(len, self.operands), np.int32, len(self))
            flat = np.fromiter(chain.from_iterable(self.operands), np.int32, int(counts.sum()))
            self._operand_columns = counts, flat
        return self._operand_columns

    def edges(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Consumer (int32), position (int16) and operand (int32) of every edge.

        In the order of a backward pass: consumers from the last to the first, the operands of each
        from left to right. Operands that nothing can be sent to are left out.
        """
        counts, flat = self.operand_columns
        counts = counts.copy()
        firsts = counts.cumsum(dtype=np.int32) - counts  # where each node's operands begin
        for node, reach in self.reach.items():
            counts[node] = reach
        counts, firsts = counts[::-1], firsts[::-1]
        consumers = np.arange(len(self) - 1, -1, -1, dtype=np.int32).repeat(counts)
        begun = counts.cumsum(dtype=np.int32) - counts
        positions = np.arange(len(consumers), dtype=np.int32) - begun.repeat(counts)
        receivers = flat[positions + firsts.repeat(counts)]
        return consumers, positions.astype(np.int16), receivers


class Column(Sequence[Any]):
    """One field of the kinds of all nodes, by node."""

    __slots__ = ("_kinds", "_of")

    def __init__(self, kinds: list[NodeKind], name: str) -> None:
        self._kinds = kinds
        self._of: Callable[[NodeKind], Any] = attrgetter(name)

    def __getitem__(self, node: Any) -> Any:
        return self._of(self._kinds[node])

    def __len__(self) -> int:
        return len(self._kinds)

    def __iter__(self) -> Iterator[Any]:
        return map(self._of, self._kinds)
