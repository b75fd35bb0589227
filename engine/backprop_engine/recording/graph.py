"""The graph of a recording, while the passes are read: slots become nodes with operands.

A node is the value of a tensor. What a call has made is a node for each of its outputs, and the
several autograd nodes that one call makes are folded into it. An autograd node that no call in the
recording has made stands for itself.
"""

from __future__ import annotations

import numpy as np

from backprop_engine.recording.frames import ranges
from backprop_engine.recording.recording import Pass, Recording
from backprop_engine.recording.slots import LEAVES, NOWHERE, Rows, Slots


class RecordedGraph:
    """Columns by slot: what is there, which call made it, and what torch says of it."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self.slots = slots = Slots(recording)
        nameless = sum(int((pass_.sequence == LEAVES).sum()) for pass_ in recording.passes)
        self.strangers = slots.values
        """The first slot of autograd nodes that stand for themselves."""
        self._next_leaf = self.strangers + len(slots.sequences)
        count = self._next_leaf + nameless
        self.is_there = np.zeros(count, bool)
        self.requires_grad = np.zeros(count, bool)
        self.grad_fn = np.full(count, NOWHERE, np.int32)
        """Numbers of `grad_fns`."""
        self.grad_fns: dict[str, int] = {}
        self.like = np.full(count, NOWHERE, np.int64)
        """Of what has no value: a gradient of its shape."""
        self.call = np.full(count, NOWHERE, np.int64)
        self.call[: slots.values] = slots.first_maker
        self.operands: dict[int, list[int]] = {}
        """Of the slots that have others than those of their call."""
        self.changed: dict[int, list[int]] = {}
        """By call what it has changed through a view: outputs more."""
        self._add_calls()

    def _add_calls(self) -> None:
        slots, columns = self.slots, self.recording.calls.columns
        rows = slots.is_kept[slots.output_calls]
        made = slots.output_slots[rows]
        self.is_there[made] = True
        self.is_there[slots.operand_slots[self._of_kept()]] = True
        is_graph = (columns["before"] < columns["after"]) & (columns["operand_counts"] > 0)
        has_call = np.flatnonzero(self.call != NOWHERE)
        self.requires_grad[has_call] = is_graph[self.call[has_call]]
        self.requires_grad[: slots.values] |= slots.is_leaf

    def _of_kept(self) -> np.ndarray:
        counts = self.recording.calls.columns["operand_counts"]
        found: np.ndarray = np.repeat(self.slots.is_kept, counts)
        return found

    def operands_of(self, slot: int) -> list[int]:
        """Slots."""
        own = self.operands.get(slot)
        call = int(self.call[slot])
        if own is not None or call == NOWHERE:
            return own or []
        starts = self.recording.calls.operand_starts
        found: list[int] = self.slots.operand_slots[starts[call] : starts[call + 1]].tolist()
        return found

    def rows(self) -> Rows:
        """The operands of all slots."""
        counts = np.zeros(len(self.call), np.int64)
        starts, every = self.recording.calls.operand_starts, self.slots.operand_slots
        has_call = np.flatnonzero((self.call != NOWHERE) & self.is_there)
        calls = self.call[has_call]
        counts[has_call] = starts[calls + 1] - starts[calls]
        found = every[ranges(starts[calls], counts[has_call])]
        if self.operands:
            return self._with_own(counts, found)
        return Rows(counts, found)

    def _with_own(self, counts: np.ndarray, flat: np.ndarray) -> Rows:
        before = Rows(counts, flat)
        counts = counts.copy()
        own = np.array(sorted(self.operands), np.int64)
        counts[own] = [len(self.operands[slot]) for slot in own.tolist()]
        after = Rows(counts, np.zeros(int(counts.sum()), np.int64))
        is_own = np.zeros(len(counts), bool)
        is_own[own] = True
        from_calls = ~np.repeat(is_own, counts)
        after.flat[from_calls] = flat[~np.repeat(is_own, np.diff(before.starts))]
        after.flat[~from_calls] = [one for slot in own.tolist() for one in self.operands[slot]]
        return after

    # One pass

    def new_leaves(self, count: int) -> np.ndarray:
        """Slots for leaves of which no value is known."""
        start, self._next_leaf = self._next_leaf, self._next_leaf + count
        return np.arange(start, self._next_leaf)

    def kinds(self, names: list[str]) -> np.ndarray:
        """The numbers of names of autograd nodes."""
        found = [self.grad_fns.setdefault(name, len(self.grad_fns)) for name in names]
        return np.array(found or [0], np.int32)


class PassGraph:
    """Which slots the autograd nodes of one pass are."""

    def __init__(self, graph: RecordedGraph, pass_: Pass) -> None:
        self.graph, self.pass_ = graph, pass_
        slots = graph.slots
        self._ranks = slots.ranks(pass_)
        calls = slots.owners(self._ranks)
        calls[slots.entered(pass_, calls, self._ranks)] = NOWHERE
        self.calls = calls
        """By autograd node the call that made it; −1 for leaves and what stands for itself."""
        self.kinds = graph.kinds(list(pass_.names))[pass_.kind]
        self._leaf_slots = self._leaves()

    def _leaves(self) -> np.ndarray:
        graph, pass_ = self.graph, self.pass_
        found = np.full(len(pass_.kind), NOWHERE, np.int64)
        known = pass_.leaves[pass_.leaves[:, 1] != NOWHERE]
        found[known[:, 0]] = known[:, 1] - graph.slots.first
        nameless = np.flatnonzero((pass_.sequence == LEAVES) & (found == NOWHERE))
        found[nameless] = graph.new_leaves(len(nameless))
        return found

    def at(self, nodes: np.ndarray, outputs: np.ndarray) -> np.ndarray:
        """The slots that outputs of autograd nodes are."""
        graph, ranks = self.graph, self._ranks[nodes]
        value = graph.slots.exits.find(ranks, outputs)
        found = np.where(value == NOWHERE, graph.strangers + ranks, value - graph.slots.first)
        is_leaf = ranks == len(graph.slots.sequences)
        found[is_leaf] = self._leaf_slots[nodes[is_leaf]]
        self._meet(found, nodes, is_leaf)
        return found

    def _meet(self, slots: np.ndarray, nodes: np.ndarray, is_leaf: np.ndarray) -> None:
        graph = self.graph
        is_value = slots < graph.strangers
        new = np.unique(slots[is_value & ~is_leaf & (graph.call[slots] == NOWHERE)])
        if len(new):
            self._add_changed(new, slots, nodes)
        graph.is_there[slots] = graph.requires_grad[slots] = True
        bare = (graph.grad_fn[slots] == NOWHERE) & ~(is_leaf & is_value)
        graph.grad_fn[slots[bare][::-1]] = self.kinds[nodes[bare][::-1]]

    def _add_changed(self, new: np.ndarray, slots: np.ndarray, nodes: np.ndarray) -> None:
        """What was changed through a view is an output more of that call."""
        graph = self.graph
        for slot in new.tolist():
            if slot in graph.operands:
                continue
            node = nodes[np.flatnonzero(slots == slot)[0]]
            (call,) = graph.slots.owners(self._ranks[[node]]).tolist()
            graph.call[slot] = call
            if call == NOWHERE:
                graph.operands[slot] = []
            else:
                graph.changed.setdefault(call, []).append(slot)

    def link_strangers(self) -> None:
        """The operands of what no call has made are where its gradients go."""
        graph, pass_ = self.graph, self.pass_
        counts = np.diff(pass_.edge_starts)
        nodes = np.flatnonzero((self.calls == NOWHERE) & (counts > 0))
        if not len(nodes):
            return
        slots = self.at(nodes, np.zeros(len(nodes), np.int64))
        for node, slot in zip(nodes.tolist(), slots.tolist(), strict=True):
            if graph.operands_of(slot):
                continue
            edges = pass_.edges[pass_.edge_starts[node] : pass_.edge_starts[node + 1]]
            edges = edges[edges[:, 0] >= 0]
            graph.operands[slot] = self.at(edges[:, 0], edges[:, 1]).tolist()

    def outputs(self, nodes: np.ndarray, outputs: np.ndarray) -> np.ndarray:
        """The slots of the program's values that came out of each; −1 where nobody has one."""
        value = self.graph.slots.exits.find(self._ranks[nodes], outputs)
        return np.where(value == NOWHERE, NOWHERE, value - self.graph.slots.first)

    def exits(self, nodes: np.ndarray, outputs: np.ndarray) -> np.ndarray:
        """Whether a value of the program came out of each, or nobody but itself is behind it."""
        is_value = self.outputs(nodes, outputs) != NOWHERE
        found: np.ndarray = is_value | (self.calls[nodes] == NOWHERE)
        return found
