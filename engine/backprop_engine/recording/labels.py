"""What nodes are called: the program's names, with a version where one is given again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise

import numpy as np

from backprop_engine.recording.graph import RecordedGraph
from backprop_engine.recording.recurrent import RESULTS
from backprop_engine.recording.slots import NOWHERE


def bare_names(graph: RecordedGraph) -> tuple[np.ndarray, list[str]]:
    """By slot the number of its name, −1 for none; and the names."""
    numbers: dict[str, int] = {}
    named = np.full(len(graph.is_there), NOWHERE, np.int64)
    slots, recording = graph.slots, graph.recording
    parts = _parts(graph)
    for slot, name in slots.leaf_names.items():
        if name:
            named[slot] = numbers.setdefault(name, len(numbers))
    for value, name in recording.names.items():
        if name and 0 <= value - slots.first < slots.values:
            named[value - slots.first] = numbers.setdefault(name, len(numbers))
    starts = recording.calls.output_starts
    single = np.flatnonzero(slots.is_kept & (np.diff(starts) == 1))
    stored = [
        site.stored if (site := recording.site(stack)) else ""
        for stack in range(len(recording.stacks))
    ]
    by_stack = np.array(
        [numbers.setdefault(name, len(numbers)) if name else NOWHERE for name in stored] + [NOWHERE]
    )
    outputs = slots.output_slots[starts[single]]
    bare = named[outputs] == NOWHERE
    named[outputs[bare]] = by_stack[recording.calls.columns["stack"][single[bare]]]
    named[slots.output_slots[starts[parts]]] = NOWHERE
    _name_results(graph, named, numbers)
    return named, list(numbers)


def _name_results(graph: RecordedGraph, named: np.ndarray, numbers: dict[str, int]) -> None:
    """What recurrent layers give, where the program has no name for it: `lstm.h_n`."""
    slots, calls = graph.slots, graph.recording.calls
    functions = graph.recording.functions
    layers = [at for at, function in enumerate(functions) if function.name in RESULTS]
    if not layers:
        return
    leaves = graph.slots.leaf_names
    for call in np.flatnonzero(slots.is_kept & np.isin(calls.columns["function"], layers)).tolist():
        operands = [value - slots.first for value in calls.operands(call)]
        weights = (leaves.get(slot, "").rpartition(".weight_ih") for slot in operands)
        layer = next((path for path, joint, _ in weights if joint), "")
        results = RESULTS[functions[calls.columns["function"][call]].name]
        for (value, *_), result in zip(calls.outputs(call), results, strict=False):
            if named[value - slots.first] == NOWHERE:
                name = f"{layer}.{result}" if layer else result
                named[value - slots.first] = numbers.setdefault(name, len(numbers))


def _parts(graph: RecordedGraph) -> np.ndarray:
    """The calls that are parts of a line which a later call has the name of.

    In a loop the same call comes again, and each is the last one of its own.
    """
    columns = graph.recording.calls.columns
    calls = np.flatnonzero(graph.slots.is_kept)
    stacks = columns["stack"][calls]
    parts = columns["function"][calls].astype(np.int64) * (1 << 32) + columns["module"][calls]
    goes_on = np.zeros(len(calls), bool)
    goes_on[1:] = (stacks[1:] == stacks[:-1]) & (stacks[1:] != NOWHERE)
    goes_on[1:] &= parts[1:] != parts[:-1]
    seen: set[int] = set()
    before = NOWHERE
    rows = np.flatnonzero(goes_on)
    for row, part, last in zip(
        rows.tolist(), parts[rows].tolist(), parts[rows - 1].tolist(), strict=True
    ):
        if row - 1 != before:
            seen = {last}
        if part in seen:
            goes_on[row], seen = False, set()
        seen.add(part)
        before = row
    found: np.ndarray = calls[np.flatnonzero(goes_on) - 1]
    return found


class Labels(Mapping[int, str]):
    """By node its label: `h`, or `h@2` where the name is given more than once."""

    def __init__(self, named: np.ndarray, names: list[str]) -> None:
        """`named` has the number of each node's name, −1 for none."""
        self._names = names
        self._numbers: list[int] = named.tolist()
        nodes = np.flatnonzero(named != NOWHERE)
        self.by_name = nodes[np.argsort(named[nodes], kind="stable")]
        """The nodes that have a name, sorted by it."""
        self.starts = np.searchsorted(named[self.by_name], np.arange(len(names) + 1))
        version = np.zeros(len(named), np.int64)
        order = np.arange(len(self.by_name))
        version[self.by_name] = order - self.starts[named[self.by_name]] + 1
        counts = np.diff(self.starts)
        self.given_again: np.ndarray = self.by_name[counts[named[self.by_name]] > 1]
        """The nodes whose name is given more than once."""
        version[np.append(counts, 0)[named] < 2] = 0
        self._versions: list[int] = version.tolist()
        """Of each node; 0 where its name is given once."""

    def __getitem__(self, node: int) -> str:
        number = self._numbers[node] if 0 <= node < len(self._numbers) else NOWHERE
        if number == NOWHERE:
            raise KeyError(node)
        version = self._versions[node]
        return f"{self._names[number]}@{version}" if version else self._names[number]

    def __contains__(self, node: object) -> bool:
        if not isinstance(node, int | np.integer) or not 0 <= node < len(self._numbers):
            return False
        return self._numbers[int(node)] != NOWHERE

    def __iter__(self) -> Iterator[int]:
        return iter(np.sort(self.by_name).tolist())

    def __len__(self) -> int:
        return len(self.by_name)

    def again(self) -> dict[int, tuple[int, ...]]:
        """By the last node of a name that is given more than once the others."""
        every = self.by_name.tolist()
        return {
            every[stop - 1]: tuple(every[start : stop - 1])
            for start, stop in pairwise(self.starts.tolist())
            if stop - start > 1
        }


class Assigned(Mapping[str, int]):
    """By label its node; a name without a version means the last one."""

    def __init__(self, labels: Labels, names: list[str]) -> None:
        self._labels = labels
        self._numbers = {name: number for number, name in enumerate(names)}

    def __getitem__(self, label: str) -> int:
        starts, nodes = self._labels.starts, self._labels.by_name
        number = self._numbers.get(label)
        if number is not None and starts[number] < starts[number + 1]:
            return int(nodes[starts[number + 1] - 1])
        name, _, version = label.rpartition("@")
        number = self._numbers.get(name)
        if number is None or not version.isdecimal() or len(version) > 18:
            raise KeyError(label)
        at = int(starts[number]) + int(version) - 1
        if (
            not starts[number] <= at < starts[number + 1]
            or starts[number + 1] - starts[number] == 1
        ):
            raise KeyError(label)
        return int(nodes[at])

    def __iter__(self) -> Iterator[str]:
        yield from self._labels.values()
        yield from (name for name, number in self._numbers.items() if self._is_again(number))

    def _is_again(self, number: int) -> bool:
        return bool(self._labels.starts[number + 1] - self._labels.starts[number] > 1)

    def __len__(self) -> int:
        return sum(1 for _ in self)
