"""Columns of a trace that are looked up in a recording when they are asked for."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, overload

import numpy as np

from backprop_engine.basics.source import Place
from backprop_engine.basics.summary import Summary
from backprop_engine.basics.values import Known
from backprop_engine.recording.values import Values
from backprop_engine.trace import Group

_CACHED: Final = 4096
_NAN: Final = float("nan")


def unknown(shape: tuple[int, ...], dtype: str) -> Summary:
    """A value of which nothing but this was kept."""
    return Summary(shape, dtype or "float32", _NAN, _NAN, _NAN, _NAN, 0, 0, 0)


class Lookup:
    """Values of a recording as traces have them; those of late are kept at hand."""

    def __init__(self, values: Values) -> None:
        self.values = values
        self._found: OrderedDict[int, Known] = OrderedDict()

    def known(self, number: int) -> Known:
        """The value."""
        found = self._found.get(number)
        if found is None:
            found = self.values.known(number)
            self._found[number] = found
            if len(self._found) > _CACHED:
                self._found.popitem(last=False)
        return found

    def total(self, numbers: Sequence[int]) -> Known:
        """Their sum; of summaries nothing but its shape is known."""
        parts = [self.known(number) for number in numbers]
        total = parts[0]
        for part in parts[1:]:
            if isinstance(total, Summary) or isinstance(part, Summary):
                return unknown(self.values.shape_of(numbers[0]), self.values.dtype_of(numbers[0]))
            total = total + part
        return total


Row = tuple[int, ...] | Known
"""A value by its number, the sum of several by theirs, nothing, or a value itself."""


class KnownColumn(Sequence[Known | None]):
    """A value a row."""

    def __init__(self, lookup: Lookup, rows: Sequence[Row]) -> None:
        self._lookup, self._rows = lookup, rows

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, at: int) -> Known | None: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Known | None]: ...

    def __getitem__(self, at: int | slice) -> Known | Sequence[Known | None] | None:
        if isinstance(at, slice):
            return KnownColumn(self._lookup, self._rows[at])
        row = self._rows[at]
        if not isinstance(row, tuple):
            return row
        if not row:
            return None
        return self._lookup.known(row[0]) if len(row) == 1 else self._lookup.total(row)


class NodeValues(Sequence[Known]):
    """The value of each node: by its number, or the number of a gradient of its shape."""

    def __init__(self, lookup: Lookup, numbers: Sequence[tuple[int, int]]) -> None:
        self._lookup, self._numbers = lookup, numbers

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, at: int) -> Known: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Known]: ...

    def __getitem__(self, at: int | slice) -> Known | Sequence[Known]:
        if isinstance(at, slice):
            return NodeValues(self._lookup, self._numbers[at])
        number, like = self._numbers[at]
        if number >= 0:
            return self._lookup.known(number)
        if like < 0:
            return unknown((), "float32")
        return unknown(self._lookup.values.shape_of(like), self._lookup.values.dtype_of(like))


class Grads(Mapping[int, Known | None]):
    """`.grad` by node, each looked up when it is asked for."""

    def __init__(self, lookup: Lookup, numbers: Mapping[int, int]) -> None:
        self._lookup, self._numbers = lookup, numbers

    def __getitem__(self, node: int) -> Known | None:
        number = self._numbers[node]
        return None if number < 0 else self._lookup.known(number)

    def __iter__(self) -> Iterator[int]:
        return iter(self._numbers)

    def __len__(self) -> int:
        return len(self._numbers)


class RecordedNodes:
    """What a trace knows of the nodes of a recording."""

    def __init__(
        self,
        value: NodeValues,
        operands: Sequence[tuple[int, ...]],
        operations: Sequence[str],
        grad_fns: Sequence[str],
        requires_grad: bytes,
        names: Mapping[int, str],
        keeping_grad: tuple[int, ...],
        places: Sequence[Place | None],
        groups: Sequence[tuple[Group, ...]],
        dtypes: Sequence[str],
    ) -> None:
        self.value: Sequence[Known] = value
        self.operands, self.requires_grad, self.names = operands, requires_grad, names
        self.keeping_grad: Sequence[int] = keeping_grad
        self.made_leaves: frozenset[int] = frozenset()
        self.is_number = bytes(len(operands))
        self.inputs = {name: node for node, name in names.items() if not operations[node]}
        self.computed = np.flatnonzero([bool(name) for name in operations]).astype(np.int32)
        self._operations, self._grad_fns = operations, grad_fns
        self._places, self._groups, self._dtypes = places, groups, dtypes

    def __len__(self) -> int:
        return len(self.operands)

    def operation_name(self, node: int) -> str:
        """Torch's name for the call; of what was made elsewhere that of its derivative."""
        return self._operations[node]

    def grad_fn(self, node: int) -> str:
        """The name of torch's autograd node."""
        return self._grad_fns[node]

    def dtype_of(self, node: int) -> str:
        """As torch has it."""
        return self._dtypes[node]

    def place(self, node: int) -> Place | None:
        """The part of a line that made the node."""
        return self._places[node]

    def groups(self, node: int) -> tuple[Group, ...]:
        """Its iteration and its module."""
        return self._groups[node]

    def edges(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Consumer, position and operand of every edge that a gradient can go along."""
        found = [
            (node, position, operand)
            for node in range(len(self) - 1, -1, -1)
            if self.requires_grad[node]
            for position, operand in enumerate(self.operands[node])
            if self.requires_grad[operand]
        ]
        columns = np.array(found, np.int64).reshape(-1, 3)
        consumers, positions, operands = columns.T
        return consumers.astype(np.int32), positions.astype(np.int16), operands.astype(np.int32)
