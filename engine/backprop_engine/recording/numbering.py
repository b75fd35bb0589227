"""From slots to the numbers of nodes: operands before consumers, else in the order of time."""

from __future__ import annotations

import numpy as np

from backprop_engine.recording.frames import ranges
from backprop_engine.recording.graph import RecordedGraph
from backprop_engine.recording.slots import NOWHERE, Rows
from backprop_engine.trace import NO_NODE


class Numbering:
    """Which node each slot is. Raises RecordingError where a value is made of itself."""

    def __init__(self, graph: RecordedGraph) -> None:
        self.graph = graph
        rows = graph.rows()
        self.order = self._by_time(rows)
        """The slots of nodes, by their numbers."""
        self.number = np.full(len(graph.is_there), NO_NODE, np.int64)
        self._settle(rows)
        if not self._is_sorted():
            self.order = self._by_operands(rows)
            self._settle(rows)

    def _settle(self, rows: Rows) -> None:
        self.number[self.order] = np.arange(len(self.order))
        counts = np.diff(rows.starts)[self.order]
        flat = rows.flat[ranges(rows.starts[self.order], counts)]
        self.operands = Rows(counts, self.number[flat])
        """By node its operands."""

    def of(self, slots: np.ndarray) -> np.ndarray:
        """The nodes that slots are, int32; NO_NODE for −1."""
        found: np.ndarray = np.append(self.number, NO_NODE)[slots].astype(np.int32)
        return found

    def is_node(self, slots: np.ndarray) -> np.ndarray:
        """Whether each is there."""
        inside = (slots >= 0) & (slots < len(self.number))
        inside[inside] = self.number[slots[inside]] != NO_NODE
        return inside

    def _by_time(self, rows: Rows) -> np.ndarray:
        """A leaf stands before the first call that takes it, a stranger behind the last one."""
        graph, slots = self.graph, self.graph.slots
        columns = graph.recording.calls.columns
        there = np.flatnonzero(graph.is_there)
        call = graph.call[there].copy()
        after = (call != NOWHERE).astype(np.int64)
        is_leaf = np.diff(rows.starts)[there] == 0
        takers = np.repeat(np.arange(slots.calls), columns["operand_counts"])
        rows_taken = np.flatnonzero(slots.is_kept[takers])[::-1]
        first = np.full(len(graph.is_there), NOWHERE, np.int64)
        first[slots.operand_slots[rows_taken]] = rows_taken
        within = there.copy()
        is_taken = is_leaf & (call == NOWHERE) & (first[there] != NOWHERE)
        within[is_taken] = first[there[is_taken]]
        call[is_taken] = takers[within[is_taken]]
        strange = (graph.call[there] == NOWHERE) & ~is_leaf
        sequences = self._sequences(there[strange])
        call[strange] = (
            np.searchsorted(np.maximum.accumulate(columns["after"]), sequences, "right") - 1
        )
        after[strange] = 2
        within[strange] = sequences
        order = np.lexsort((within, after, call))
        found: np.ndarray = there[order]
        return found

    def _sequences(self, strangers: np.ndarray) -> np.ndarray:
        """Those of autograd nodes; of values that came out of one, that of their origin."""
        graph, slots = self.graph, self.graph.slots
        origins = graph.recording.origins
        found = np.zeros(len(strangers), np.int64)
        own = strangers >= graph.strangers
        at = np.minimum(strangers[own] - graph.strangers, max(len(slots.sequences) - 1, 0))
        if len(slots.sequences):
            found[own] = slots.sequences[at]
        found[~own] = [
            origins.get(slot + slots.first, (0, 0))[0] for slot in strangers[~own].tolist()
        ]
        return found

    def _is_sorted(self) -> bool:
        consumers = np.repeat(np.arange(len(self.order)), np.diff(self.operands.starts))
        return bool(((self.operands.flat < consumers) & (self.operands.flat >= 0)).all())

    def _by_operands(self, rows: Rows) -> np.ndarray:
        """The same order, but for what has to come earlier."""
        state: dict[int, bool] = {}
        order = []
        for first in self.order.tolist():
            pending = [(first, False)]
            while pending:
                slot, is_ready = pending.pop()
                if is_ready:
                    state[slot] = True
                    order.append(slot)
                elif slot not in state:
                    state[slot] = False
                    pending.append((slot, True))
                    for operand in reversed(rows.of(slot)):
                        if state.get(operand) is False:
                            raise self.graph.recording.frames.error("a value is made of itself")
                        if operand not in state:
                            pending.append((operand, False))
        return np.array(order, np.int64)
