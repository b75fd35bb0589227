"""Columns of a trace that are looked up in a recording when they are asked for."""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from typing import Final, TypeVar, overload

import numpy as np

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.source import Place
from backprop_engine.basics.summary import Summary
from backprop_engine.basics.values import Known
from backprop_engine.recording.labels import Labels
from backprop_engine.recording.layout import ValueKind
from backprop_engine.recording.places import Places
from backprop_engine.recording.recording import Recording
from backprop_engine.recording.slots import NOWHERE, Rows
from backprop_engine.recording.values import Values
from backprop_engine.trace import Group, GroupKind

_CACHED: Final = 4096
_SUMMED: Final = 64
"""Contributions to one node up to which running sums are put together when they are looked at."""
_ZERO: Final = -2
"""In the place of a value: zeros."""
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

    def like(self, number: int) -> Summary:
        """What is known of a value that has the shape and dtype of another one."""
        return unknown(self.values.shape_of(number), self.values.dtype_of(number))

    def total(self, numbers: Sequence[int]) -> Known:
        """Their sum; of summaries nothing but its shape is known."""
        parts = [self.known(number) for number in numbers]
        total = parts[0]
        for part in parts[1:]:
            if isinstance(total, Summary) or isinstance(part, Summary):
                return self.like(numbers[0])
            total = total + part
        return total


Entry = TypeVar("Entry")


class Column(Sequence[Entry]):
    """A value a row, which `_at` looks up."""

    def __init__(self, numbers: np.ndarray) -> None:
        self._numbers = numbers

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, at: int) -> Entry: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Entry]: ...

    def __getitem__(self, at: int | slice) -> Entry | Sequence[Entry]:
        if isinstance(at, slice):
            return [self._at(row) for row in range(*at.indices(len(self)))]
        return self._at(at if at >= 0 else at + len(self._numbers))

    def _at(self, row: int) -> Entry:
        raise NotImplementedError


def _are_spoilt(lookup: Lookup, numbers: np.ndarray) -> np.ndarray:
    """Of values by their numbers, −1 for none, whether each has an element that is not finite."""
    values = lookup.values
    found: np.ndarray = np.append(values.are_spoilt, False)[
        np.where(numbers == NOWHERE, values.count, numbers - values.first)
    ]
    return found


class Contributions(Column[Known | None]):
    """What is sent in each step."""

    def __init__(self, lookup: Lookup, numbers: np.ndarray) -> None:
        super().__init__(numbers)
        self._lookup = lookup

    def _at(self, row: int) -> Known | None:
        number = int(self._numbers[row])
        return None if number == NOWHERE else self._lookup.known(number)

    @cached_property
    def suspects(self) -> np.ndarray:
        """bool, one entry a step: whether what is sent may not be finite."""
        return _are_spoilt(self._lookup, self._numbers)


class Totals(Column[Known | None]):
    """The running sum after each step: as it was kept, or put together of what has come."""

    def __init__(
        self,
        lookup: Lookup,
        sent: np.ndarray,
        kept: np.ndarray,
        receivers: np.ndarray,
        starts: np.ndarray,
    ) -> None:
        """`kept` has values or −1; `starts` the steps at which sums start afresh."""
        super().__init__(kept)
        self._lookup, self._sent = lookup, sent
        self._order = np.argsort(receivers, kind="stable")
        self._rank = np.empty_like(self._order)
        rows = np.arange(len(self._order))
        self._rank[self._order] = rows
        part = np.searchsorted(starts, self._order, "right")
        received = receivers[self._order]
        is_first = np.ones(len(rows), bool)
        is_first[1:] = (received[1:] != received[:-1]) | (part[1:] != part[:-1])
        self._group = np.maximum.accumulate(np.where(is_first, rows, 0))
        self._sums: OrderedDict[int, Sequence[Known]] = OrderedDict()

    def _at(self, row: int) -> Known | None:
        if self._numbers[row] != NOWHERE:
            return self._lookup.known(int(self._numbers[row]))
        if self._sent[row] == NOWHERE:
            return None
        rank = int(self._rank[row])
        start = int(self._group[rank])
        if rank - start < _SUMMED:
            return self._lookup.total(self._sent[self._order[start : rank + 1]].tolist())
        return self._many(start)[rank - start]

    @cached_property
    def suspects(self) -> np.ndarray:
        """bool, one entry a step: whether a sum may not be finite. Of those of one node in one
        pass all may, where a part is not or the last of them was not kept.
        """
        groups = self._group[self._rank]
        may = _are_spoilt(self._lookup, self._numbers) | _are_spoilt(self._lookup, self._sent)
        last = np.append(self._group[1:] != self._group[:-1], True)[: len(self._group)]
        may[self._order[last]] |= self._numbers[self._order[last]] == NOWHERE
        is_bad = np.zeros(len(groups), bool)
        is_bad[groups[may]] = True
        found: np.ndarray = is_bad[groups] & (self._sent != NOWHERE)
        return found

    def _many(self, start: int) -> Sequence[Known]:
        """The running sums of one node in one pass."""
        found = self._sums.get(start)
        if found is None:
            stop = int(np.searchsorted(self._group, start, "right"))
            found = self._sums[start] = self._added(self._sent[self._order[start:stop]])
            if len(self._sums) > _SUMMED:
                self._sums.popitem(last=False)
        return found

    def _added(self, numbers: np.ndarray) -> Sequence[Known]:
        values, first = self._lookup.values, int(numbers[0])
        rows = numbers - values.first
        if not (values.kind[rows] == ValueKind.SCALAR).all():
            return [self._lookup.like(first)] * len(numbers)
        is_wide = values.dtype_of(first) == "float64"
        sums = np.cumsum(values.norm[rows].astype(np.float64 if is_wide else np.float32))
        return sums.tolist() if is_wide else list(sums)


class NodeValues(Column[Known]):
    """The value of each node: by its number, or the number of a gradient of its shape."""

    def __init__(self, lookup: Lookup, numbers: np.ndarray, like: np.ndarray) -> None:
        super().__init__(numbers)
        self._lookup, self._like = lookup, like

    def _at(self, row: int) -> Known:
        number, like = int(self._numbers[row]), int(self._like[row])
        if number != NOWHERE:
            return self._lookup.known(number)
        return unknown((), "float32") if like == NOWHERE else self._lookup.like(like)

    @cached_property
    def suspects(self) -> np.ndarray:
        """bool, one entry a node: whether its value may not be finite."""
        return _are_spoilt(self._lookup, self._numbers)


class Operands(Column[tuple[int, ...]]):
    """The operands of each node; they become tuples when somebody looks at them."""

    def __init__(self, rows: Rows) -> None:
        super().__init__(rows.starts[1:])
        self._rows = rows

    def _at(self, row: int) -> tuple[int, ...]:
        return tuple(self._rows.of(row))

    def __iter__(self) -> Iterator[tuple[int, ...]]:
        flat: list[int] = self._rows.flat.tolist()
        return (tuple(flat[start:stop]) for start, stop in pairwise(self._rows.starts.tolist()))


@dataclass(frozen=True, eq=False)
class GradHistory:
    """How `.grad` of leaves has changed; passes by their index."""

    lookup: Lookup
    nodes: dict[int, tuple[list[int], list[int]]]
    """By node the passes after which it was another one, ascending, and what it was then."""
    clearings: list[int]
    """The passes that cleared all of them, ascending."""

    def after(self, node: int, pass_index: int) -> Known | None:
        """`.grad` of a node after a pass."""
        passes, numbers = self.nodes[node]
        at = bisect_right(passes, pass_index) - 1
        if at < 0:
            return None
        cleared = bisect_right(self.clearings, pass_index) - 1
        number = numbers[at]
        if number == NOWHERE or (cleared >= 0 and self.clearings[cleared] > passes[at]):
            return None
        if number == _ZERO:
            return self._zeros(next(one for one in reversed(numbers[:at]) if one >= 0))
        return self.lookup.known(number)

    def _zeros(self, like: int) -> Known:
        known = self.lookup.known(like)
        if isinstance(known, Summary):
            return Summary(known.shape, known.dtype, 0.0, 0.0, 0.0, 0.0, known.size, 0, 0)
        return known * 0 if np.isfinite(known).all() else np.zeros_like(known)


def history_of(
    lookup: Lookup,
    passes: np.ndarray,
    nodes: np.ndarray,
    numbers: np.ndarray,
    clearings: list[int],
) -> GradHistory:
    """The history of rows (pass, node, value) in the order of time."""
    order = np.argsort(nodes, kind="stable")
    every, starts = np.unique(nodes[order], return_index=True)
    stops = np.append(starts, len(order))[1:]
    by_time = np.argsort(order[starts], kind="stable")
    parts = [order[starts[at] : stops[at]] for at in by_time]
    told = {
        node: (passes[part].tolist(), numbers[part].tolist())
        for node, part in zip(every[by_time].tolist(), parts, strict=True)
    }
    for _, row in told.values():  # what is zero without having been anything is None
        if row[0] == _ZERO:
            row[0] = NOWHERE
    return GradHistory(lookup, told, clearings)


class Grads(Mapping[int, Known | None]):
    """`.grad` by node after a pass, each looked up when it is asked for."""

    def __init__(self, history: GradHistory, pass_index: int) -> None:
        self._history, self._index = history, pass_index

    def __getitem__(self, node: int) -> Known | None:
        return self._history.after(node, self._index)

    def __iter__(self) -> Iterator[int]:
        return iter(self._history.nodes)

    def __len__(self) -> int:
        return len(self._history.nodes)


@dataclass(frozen=True, eq=False)
class RecordedNodes:
    """What a trace knows of the nodes of a recording: numbers by node, told when asked for."""

    recording: Recording
    value: NodeValues
    numbers: np.ndarray
    """Values."""
    like: np.ndarray
    rows: Rows
    """Operands."""
    calls: np.ndarray
    functions: np.ndarray
    """What was called; −1 for what no call has made."""
    grad_fns: np.ndarray
    grad_fn_names: list[str]
    iterations: np.ndarray
    """From 1; 0 where it is not known."""
    requires_grad: bytes
    names: Labels
    inputs: Mapping[str, int]
    keeping_grad: Sequence[int]
    places: Places
    computed: np.ndarray
    made_leaves: frozenset[int] = frozenset()

    @cached_property
    def operands(self) -> Sequence[tuple[int, ...]]:
        """The operands of each node."""
        return Operands(self.rows)

    @property
    def operand_columns(self) -> tuple[np.ndarray, np.ndarray]:
        """How many operands each node has, and those of all nodes one after the other."""
        return np.diff(self.rows.starts), self.rows.flat

    @cached_property
    def is_number(self) -> bytes:
        """Tensors alone."""
        return bytes(len(self))

    def __len__(self) -> int:
        return len(self.numbers)

    def operation_name(self, node: int) -> str:
        """Torch's name for the call; of what was made elsewhere that of its derivative."""
        starts = self.rows.starts
        if starts[node] == starts[node + 1]:
            return ""
        function = int(self.functions[node])
        return self.grad_fn(node) if function < 0 else self.recording.functions[function].name

    def grad_fn(self, node: int) -> str:
        """The name of torch's autograd node."""
        number = int(self.grad_fns[node])
        return self.grad_fn_names[number] if number >= 0 else ""

    def dtype_of(self, node: int) -> str:
        """As torch has it."""
        number = int(self.numbers[node])
        number = int(self.like[node]) if number == NOWHERE else number
        return "float32" if number == NOWHERE else self.recording.values.dtype_of(number)

    def place(self, node: int) -> Place | None:
        """The part of a line that made the node."""
        call = int(self.calls[node])
        stacks = self.recording.calls.columns["stack"]
        return self.places.of(NOWHERE if call == NOWHERE else int(stacks[call]))

    def groups(self, node: int) -> tuple[Group, ...]:
        """Its iteration and its module."""
        call, iteration = int(self.calls[node]), int(self.iterations[node])
        found = [Group(GroupKind.ITERATION, f"#{iteration}")] if iteration else []
        module = NOWHERE if call == NOWHERE else int(self.recording.calls.columns["module"][call])
        path = "" if module == NOWHERE else self.recording.modules[module].path
        return (*found, Group(GroupKind.MODULE, path)) if path else tuple(found)

    def edges(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Consumer, position and operand of every edge that a gradient can go along."""
        rows, asks = self.rows, np.frombuffer(self.requires_grad, np.uint8)
        counts = np.diff(rows.starts)
        consumers = np.repeat(np.arange(len(self)), counts)
        positions = np.arange(len(rows.flat)) - np.repeat(rows.starts[:-1], counts)
        is_edge = (asks[consumers] != 0) & (asks[rows.flat] != 0)
        consumers, positions = consumers[is_edge], positions[is_edge]
        order = np.argsort(-consumers, kind="stable")
        return (
            consumers[order].astype(np.int32),
            positions[order].astype(np.int16),
            rows.flat[is_edge][order].astype(np.int32),
        )
