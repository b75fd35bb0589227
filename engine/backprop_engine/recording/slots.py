"""Where everything of a recording is while its graph is put together.

A slot is a number for what becomes a node: that of a value, counted from the first one, or behind
all values one of an autograd node that stands for itself (a stranger), or of a leaf of which no
value is known. All columns here have an entry a slot, and what is asked is asked for many at once.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from backprop_engine.recording.frames import ranges
from backprop_engine.recording.layout import FORWARD_FLAGS
from backprop_engine.recording.recording import Pass, Recording, starts_of

NOWHERE: Final = -1
LEAVES: Final = 2**63 - 1
"""The sequence number of all leaves."""


class Exits:
    """Which value came out of which output of an autograd node, sorted by both."""

    def __init__(self, keys: np.ndarray, values: np.ndarray, width: int, ranks: int) -> None:
        """A key is the rank of a node times `width`, which no number of an output reaches."""
        self._keys, self._values = keys, values
        self._ranks, self._width = ranks, width
        self._starts = np.searchsorted(keys, np.arange(ranks + 1) * width)

    def find(self, ranks: np.ndarray, outputs: np.ndarray) -> np.ndarray:
        """The values; −1 where none is known."""
        if not len(self._keys):
            return np.full(len(ranks), NOWHERE, np.int64)
        last = len(self._keys) - 1
        wanted = ranks * self._width + outputs
        at = np.clip(self._starts[ranks] + outputs, 0, last)  # as where all outputs are known
        rest = np.flatnonzero(self._keys[at] != wanted)
        at[rest] = np.minimum(np.searchsorted(self._keys, wanted[rest]), last)
        is_known = (outputs >= 0) & (outputs < self._width) & (self._keys[at] == wanted)
        found: np.ndarray = np.where(is_known, self._values[at], NOWHERE)
        return found


class Slots:
    """What belongs to what: calls, the values they made, and the autograd nodes behind them."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self.first, self.values = recording.values.first, recording.values.count
        columns = recording.calls.columns
        self.outputs = columns["outputs"]
        self.calls = len(recording.calls)
        counts = columns["output_counts"]
        self.output_calls = np.repeat(np.arange(self.calls), counts)
        """By row of `outputs` its call."""
        self.operand_slots = columns["operands"] - self.first
        self.output_slots = self.outputs[:, 0] - self.first
        self.leaf_names = self._leaf_names()
        self.is_leaf = np.zeros(self.values, bool)
        self.is_leaf[np.fromiter(self.leaf_names, np.int64, len(self.leaf_names))] = True
        every = [pass_.sequence for pass_ in recording.passes]
        found = np.sort(np.concatenate([np.zeros(0, np.int64), *every]))
        is_new = np.append(True, found[1:] != found[:-1])[: len(found)]
        self.sequences = found[is_new & (found != LEAVES)]
        self._owner = self._owners()
        self.exits = self._exits()
        self.is_kept = self._kept()
        """Of each call whether it is told."""
        self.first_maker = self._first_makers()
        """By value the first of these that made it; −1 for leaves."""

    def _leaf_names(self) -> dict[int, str]:
        """The leaves of all passes, by slot: their names."""
        found: dict[int, str] = {}
        for pass_ in self.recording.passes:
            for node, value in pass_.leaves[:, :2].tolist():
                if value >= 0:
                    slot = value - self.first
                    found[slot] = pass_.leaf_names.get(node, "") or found.get(slot, "")
        return found

    def _owners(self) -> np.ndarray:
        """By sequence number the innermost call that made the node; inner calls return first."""
        columns = self.recording.calls.columns
        starts = np.searchsorted(self.sequences, columns["before"])
        counts = np.searchsorted(self.sequences, columns["after"]) - starts
        calls = np.flatnonzero(counts > 0)[::-1]
        owner = np.full(len(self.sequences), NOWHERE, np.int64)
        owner[ranges(starts[calls], counts[calls])] = np.repeat(calls, counts[calls])
        return owner

    def ranks(self, pass_: Pass) -> np.ndarray:
        """Where in `sequences` the autograd nodes of a pass stand; leaves stand behind them all."""
        found: np.ndarray = np.searchsorted(self.sequences, pass_.sequence)
        return found

    def owners(self, ranks: np.ndarray) -> np.ndarray:
        """The calls that made autograd nodes; −1 for leaves and what no call has made."""
        found: np.ndarray = np.append(self._owner, NOWHERE)[ranks]
        return found

    def _exits(self) -> Exits:
        last = np.full(self.calls, NOWHERE, np.int64)
        has_owner = self._owner != NOWHERE
        np.maximum.at(last, self._owner[has_owner], self.sequences[has_owner])
        own = self.outputs[:, 1]
        sequence = np.where(own == NOWHERE, last[self.output_calls], own)
        is_told = last[self.output_calls] != NOWHERE
        rows = np.column_stack([sequence, self.outputs[:, 2], self.outputs[:, 0]])[is_told]
        stop = self.first + self.values
        origins = [
            (*origin, value)
            for value, origin in self.recording.origins.items()
            if self.first <= value < stop
        ]
        # What calls have given comes before origins, and of two calls the later one.
        every = np.concatenate([np.array(origins, np.int64).reshape(-1, 3)[::-1], rows])
        rank = np.searchsorted(self.sequences, every[:, 0])
        is_met = (rank < len(self.sequences)) & (every[:, 1] >= 0) & (every[:, 1] < 1 << 31)
        is_met[is_met] = self.sequences[rank[is_met]] == every[is_met, 0]
        every, rank = every[is_met], rank[is_met]
        width = max(int(every[:, 1].max(initial=0)) + 1, 1)
        keys = (rank * width + every[:, 1])[::-1]
        found, at = np.unique(keys, return_index=True)  # the first of each: the last that was said
        return Exits(found, every[::-1][at, 2], width, len(self.sequences))

    def _kept(self) -> np.ndarray:
        """The calls whose nodes a pass reaches, and what these were computed from.

        Graphs that no pass has reached are kept after the last pass: the program may have ended
        there. Everything is where there is no pass.
        """
        recording, columns = self.recording, self.recording.calls.columns
        kept = np.zeros(self.calls, bool)
        kept[self._owner[self._owner != NOWHERE]] = True
        is_wanted = columns["before"] < columns["after"]
        is_wanted &= columns["flags"] & FORWARD_FLAGS["in_backward"] == 0
        last = max((pass_.call - recording.first_call for pass_ in recording.passes), default=0)
        if not recording.passes:
            is_wanted[:] = True
        is_wanted[: max(last, 0)] = False
        kept |= is_wanted
        maker = np.full(self.values, NOWHERE, np.int64)
        maker[self.output_slots] = self.output_calls
        maker[self.is_leaf] = NOWHERE
        starts = recording.calls.operand_starts
        makers = maker[self.operand_slots]
        is_of_kept = np.repeat(kept, columns["operand_counts"])
        is_maker = np.zeros(self.calls + 1, bool)
        is_maker[makers[is_of_kept]] = True
        pending = np.flatnonzero(is_maker[:-1] & ~kept).tolist()
        kept[pending] = True
        while pending:
            call = pending.pop()
            for one in makers[starts[call] : starts[call + 1]].tolist():
                if one != NOWHERE and not kept[one]:
                    kept[one] = True
                    pending.append(one)
        return kept

    def _first_makers(self) -> np.ndarray:
        maker = np.full(self.values, NOWHERE, np.int64)
        rows = np.flatnonzero(self.is_kept[self.output_calls])[::-1]
        maker[self.output_slots[rows]] = self.output_calls[rows]
        maker[self.is_leaf] = NOWHERE
        return maker

    # One pass

    def entered(self, pass_: Pass, calls: np.ndarray, ranks: np.ndarray) -> np.ndarray:
        """The autograd nodes inside of calls that gradients come to from outside: a derivative of a
        derivative leads there. These stand for themselves, and so does what they lead to.
        """
        sources = np.repeat(np.arange(len(calls)), np.diff(pass_.edge_starts))
        targets, outputs = pass_.edges[:, 0], pass_.edges[:, 1]
        is_edge = targets >= 0
        is_edge[is_edge] = calls[targets[is_edge]] != NOWHERE
        sources, targets, outputs = sources[is_edge], targets[is_edge], outputs[is_edge]
        is_inner = calls[sources] == calls[targets]
        entering = targets[~is_inner], outputs[~is_inner]
        is_open = self.exits.find(ranks[entering[0]], entering[1]) == NOWHERE
        found = np.zeros(len(calls), bool)
        pending = np.unique(entering[0][is_open]).tolist()
        if not pending:
            return found
        inner: dict[int, list[int]] = {}
        for source, target in zip(
            sources[is_inner].tolist(), targets[is_inner].tolist(), strict=True
        ):
            inner.setdefault(source, []).append(target)
        while pending:
            node = pending.pop()
            if not found[node]:
                found[node] = True
                pending += inner.get(node, ())
        return found


class Rows:
    """Lists of numbers, one a slot, in one column."""

    def __init__(self, counts: np.ndarray, flat: np.ndarray) -> None:
        self.starts, self.flat = starts_of(counts), flat

    def of(self, at: int) -> list[int]:
        """One list."""
        found: list[int] = self.flat[self.starts[at] : self.starts[at + 1]].tolist()
        return found
