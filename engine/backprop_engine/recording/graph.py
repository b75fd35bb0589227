"""The graph of a recording: calls and autograd nodes put together to nodes of a trace.

A node is the value of a tensor. What a call has made is a node for each of its outputs, and the
several autograd nodes that one call makes are folded into it. An autograd node that no call in the
recording has made stands for itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np

from backprop_engine.recording.layout import FORWARD_FLAGS
from backprop_engine.recording.recording import Pass, Recording

_NOWHERE: Final = -1
_LEAVES: Final = 2**63 - 1
"""The sequence number of all leaves."""


@dataclass(eq=False)
class Made:
    """A node of the trace."""

    value: int
    """Its value in the recording; −1 where none was kept."""
    call: int = _NOWHERE
    """The call that made it."""
    operands: list[int] = field(default_factory=list)
    """Keys of nodes."""
    name: str = ""
    grad_fn: str = ""
    requires_grad: bool = False
    like: int = _NOWHERE
    """Of a node without a value: a gradient of its shape."""


Key = int
"""A node while the graph is put together: its value, or −2 − its sequence number."""


def key_of(sequence: int) -> Key:
    """The key of an autograd node that stands for itself."""
    return -2 - sequence


class RecordedGraph:
    """All nodes by key, and where autograd nodes have gone."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self.made: dict[Key, Made] = {}
        self.changed: dict[int, list[int]] = {}
        """By call what it has changed through a view: outputs more."""
        self._entered_of: Pass | None = None
        self._entered: set[int] = set()
        """Of the pass that was asked about last: see `_entered_in`."""
        self._of_pass: Pass | None = None
        self._in_pass: dict[int, int] = {}
        """Of the pass that was asked about last: its leaves' values."""
        self.leaves = self._leaves()
        self._owner = self._owners()
        self._exits = self._exit_values()
        self.kept = self._kept_calls()
        """The calls that are steps of the trace, ascending."""
        for call in self.kept:
            self._add_call(call)
        self._name_parts()

    # What belongs to what

    def _leaves(self) -> dict[int, str]:
        """The leaves of all passes, by value: their names."""
        found: dict[int, str] = {}
        for pass_ in self.recording.passes:
            for node, value, _ in pass_.leaves.tolist():
                if value >= 0:
                    found[value] = pass_.leaf_names.get(node, "") or found.get(value, "")
        return found

    def _owners(self) -> dict[int, int]:
        """By sequence number the innermost call that made the node."""
        passes = self.recording.passes
        sequences = np.unique(
            np.concatenate([np.zeros(0, np.int64), *(p.sequence for p in passes)])
        )
        sequences = sequences[sequences != _LEAVES]
        columns = self.recording.calls.columns
        owner = np.full(len(sequences), _NOWHERE, np.int64)
        starts = np.searchsorted(sequences, columns["before"])
        stops = np.searchsorted(sequences, columns["after"])
        for call in np.flatnonzero(starts < stops)[::-1].tolist():  # inner calls return first
            owner[starts[call] : stops[call]] = call
        return {
            sequence: call
            for sequence, call in zip(sequences.tolist(), owner.tolist(), strict=True)
            if call != _NOWHERE
        }

    def _exit_values(self) -> dict[tuple[int, int], int]:
        """By (sequence number, output of the autograd node) the value that came out there."""
        calls, found = self.recording.calls, {}
        last: dict[int, int] = {}
        for sequence, call in self._owner.items():
            last[call] = max(last.get(call, _NOWHERE), sequence)
        for call, sequence in last.items():
            for value, own, output in calls.outputs(call):
                found[sequence if own == _NOWHERE else own, output] = value
        for value, origin in self.recording.origins.items():
            if value in self.recording.values:
                found.setdefault(origin, value)
        return found

    def _kept_calls(self) -> list[int]:
        """The calls whose nodes a pass reaches, and what these were computed from.

        Graphs that no pass has reached are kept after the last pass: the program may have ended
        there. Everything is where there is no pass.
        """
        recording = self.recording
        calls = recording.calls
        maker = {value: call for call in range(len(calls)) for value, _, _ in calls.outputs(call)}
        wanted = set(self._owner.values())
        last = max((pass_.call - recording.first_call for pass_ in recording.passes), default=0)
        columns = calls.columns
        is_wanted = columns["before"] < columns["after"]
        is_wanted &= columns["flags"] & FORWARD_FLAGS["in_backward"] == 0
        if not recording.passes:
            is_wanted[:] = True
        wanted.update((np.flatnonzero(is_wanted[max(last, 0) :]) + max(last, 0)).tolist())
        pending = list(wanted)
        while pending:
            for value in calls.operands(pending.pop()):
                call = maker.get(value, _NOWHERE)
                if call not in wanted and call != _NOWHERE and value not in self.leaves:
                    wanted.add(call)
                    pending.append(call)
        return sorted(wanted)

    # Nodes

    def _add_call(self, call: int) -> None:
        calls = self.recording.calls
        operands = calls.operands(call)
        for value in operands:
            self._add_leaf(value)
        columns = calls.columns
        is_graph = columns["before"][call] < columns["after"][call]
        for value, _, _ in calls.outputs(call):
            if value in self.leaves:
                self._add_leaf(value)
            elif value not in self.made:
                made = Made(value, call, list(operands), requires_grad=bool(is_graph))
                self.made[value] = made if operands else Made(value, call)

    def _add_leaf(self, value: int) -> None:
        if value not in self.made:
            name = self.recording.names.get(value, "") or self.leaves.get(value, "")
            self.made[value] = Made(value, name=name, requires_grad=value in self.leaves)

    def _name_parts(self) -> None:
        """The last call of a line that is given a name has it: those before are parts of it.

        In a loop the same call comes again, and each is the last one of its own.
        """
        recording = self.recording
        columns = recording.calls.columns
        before: tuple[int, int] = (_NOWHERE, _NOWHERE)
        parts: set[tuple[int, int]] = set()
        for call in self.kept:
            stack = int(columns["stack"][call])
            part = int(columns["function"][call]), int(columns["module"][call])
            site = recording.site(stack)
            if before[0] != stack or part in parts:
                parts = set()
            elif before[1] in self.made:
                self.made[before[1]].name = ""
            parts.add(part)
            outputs = recording.calls.outputs(call)
            value = outputs[0][0]
            before = stack, value
            name = recording.names.get(value, "") or self.leaves.get(value, "")
            if len(outputs) == 1 and site is not None:
                name = name or site.stored
            if value in self.made:
                self.made[value].name = self.made[value].name or name

    # Passes

    def at(self, pass_: Pass, node: int, output: int) -> Key:
        """The node of the trace that an output of an autograd node is."""
        sequence = int(pass_.sequence[node])
        if sequence == _LEAVES:
            value = self._leaf_values(pass_).get(node, _NOWHERE)
            if value != _NOWHERE:
                self._add_leaf(value)
                return value
            return self._stranger(pass_, node, key_of(_LEAVES + node + pass_.index * 2**40))
        value = self._exits.get((sequence, output), _NOWHERE)
        if value == _NOWHERE:
            return self._stranger(pass_, node, key_of(sequence))
        if value not in self.made:  # changed through a view: an output more of that call
            call = self._owner.get(sequence, _NOWHERE)
            operands = self.recording.calls.operands(call) if call != _NOWHERE else []
            name = self.recording.names.get(value, "")
            self.made[value] = Made(value, call, operands, name, requires_grad=True)
            self.changed.setdefault(call, []).append(value)
        made = self.made[value]
        made.grad_fn = made.grad_fn or pass_.names[int(pass_.kind[node])]
        made.requires_grad = True
        return value

    def call_of(self, pass_: Pass, node: int) -> int:
        """The call that made an autograd node; −1 for leaves and what stands for itself."""
        if node in self._entered_in(pass_):
            return _NOWHERE
        return self._owner.get(int(pass_.sequence[node]), _NOWHERE)

    def _entered_in(self, pass_: Pass) -> set[int]:
        """The autograd nodes inside of calls that gradients come to from outside: a derivative of a
        derivative leads there. These stand for themselves, and so does what they lead to.
        """
        if self._entered_of is not pass_:
            self._entered_of, self._entered = pass_, set()
            calls = [self._owner.get(number, _NOWHERE) for number in pass_.sequence.tolist()]
            counts = np.diff(pass_.edge_starts)
            sources = np.repeat(np.arange(len(calls)), counts).tolist()
            inner: dict[int, list[int]] = {}
            pending = []
            for source, (target, output) in zip(sources, pass_.edges.tolist(), strict=True):
                if target < 0 or calls[target] == _NOWHERE:
                    continue
                if calls[source] == calls[target]:
                    inner.setdefault(source, []).append(target)
                elif not self.is_exit(pass_, target, output):
                    pending.append(target)
            while pending:
                node = pending.pop()
                if node not in self._entered:
                    self._entered.add(node)
                    pending += inner.get(node, ())
        return self._entered

    def is_exit(self, pass_: Pass, node: int, output: int) -> bool:
        """Whether a value of the program came out there."""
        return (int(pass_.sequence[node]), output) in self._exits

    def _leaf_values(self, pass_: Pass) -> dict[int, int]:
        if self._of_pass is not pass_:
            self._of_pass = pass_
            self._in_pass = {node: value for node, value, _ in pass_.leaves.tolist()}
        return self._in_pass

    def _stranger(self, pass_: Pass, node: int, key: Key) -> Key:
        if key not in self.made:
            name = pass_.names[int(pass_.kind[node])]
            self.made[key] = Made(_NOWHERE, grad_fn=name, requires_grad=True)
        return key
