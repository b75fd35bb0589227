"""One backward pass as steps: what autograd sent, who sent it, and to which of its operands."""

from __future__ import annotations

import numpy as np

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.recording.frames import ranges
from backprop_engine.recording.graph import PassGraph, RecordedGraph
from backprop_engine.recording.recording import Pass
from backprop_engine.recording.slots import NOWHERE


@dataclass(frozen=True, eq=False)
class Steps:
    """Columns of an entry a step; senders and receivers are slots, −1 stands for nothing."""

    senders: np.ndarray
    receivers: np.ndarray
    positions: np.ndarray
    contributions: np.ndarray
    """Values."""
    totals: np.ndarray
    """Values, where the running sum was kept."""
    hooked: dict[int, int]
    """By step of a hook the stack in which it was registered."""

    def with_rows(self, at: np.ndarray, slots: np.ndarray, values: np.ndarray) -> Steps:
        """With a step before each of `at` in which a slot receives a value from itself."""
        nothing = np.full(len(at), NOWHERE, np.int64)
        return Steps(
            np.insert(self.senders, at, slots),
            np.insert(self.receivers, at, slots),
            np.insert(self.positions, at, nothing),
            np.insert(self.contributions, at, values),
            np.insert(self.totals, at, nothing),
            self.hooked,
        )


@dataclass(frozen=True, eq=False)
class Passed:
    """What a backward pass has come to."""

    steps: Steps
    output: int | None
    """The slot of its first root."""
    leaves: np.ndarray
    """Slots whose `.grad` it has left behind."""
    grads: np.ndarray
    """Its values."""


def nothing(count: int) -> Steps:
    """Steps in which nothing is sent."""
    senders, receivers, positions, contributions, totals = np.full((5, count), NOWHERE, np.int64)
    return Steps(senders, receivers, positions, contributions, totals, {})


def forward(slots: np.ndarray) -> Steps:
    """The steps that compute these slots."""
    told = nothing(len(slots))
    told.senders[:] = slots
    return told


def backward(graph: RecordedGraph, pass_: Pass) -> Passed:
    """A backward pass as steps."""
    told = PassGraph(graph, pass_)
    totals = pass_.totals[told.exits(pass_.totals[:, 0], pass_.totals[:, 1])]
    finals = _Last(told.at(totals[:, 0], totals[:, 1]), totals[:, 2])
    told.link_strangers()
    roots = told.at(pass_.roots[:, 0], pass_.roots[:, 1])
    seeds = np.where(pass_.roots[:, 3] == NOWHERE, finals(roots), pass_.roots[:, 3])
    seeded, seeds = roots[seeds != NOWHERE], seeds[seeds != NOWHERE]
    steps = _sends(graph, told)
    steps = _with_unseen(steps, seeded, finals)
    start = np.zeros(len(seeded), np.int64)
    steps = _with_hooks(steps.with_rows(start, seeded, seeds), told, finals)
    _settle(steps, finals)
    fresh = np.flatnonzero(steps.receivers >= graph.strangers)[::-1]
    bare = fresh[graph.like[steps.receivers[fresh]] == NOWHERE]
    graph.like[steps.receivers[bare]] = steps.contributions[bare]
    leaves = pass_.leaves[pass_.leaves[:, 2] != NOWHERE]
    slots = told.at(leaves[:, 0], np.zeros(len(leaves), np.int64))
    return Passed(steps, int(roots[0]) if len(roots) else None, slots, leaves[:, 2])


class _Last:
    """By slot the last value that was said of it."""

    def __init__(self, slots: np.ndarray, values: np.ndarray) -> None:
        self.slots, at = np.unique(slots[::-1], return_index=True)
        self.values = values[::-1][at]

    def __call__(self, slots: np.ndarray) -> np.ndarray:
        """The values; −1 where none was said."""
        if not len(self.slots):
            return np.full(len(slots), NOWHERE, np.int64)
        at = np.minimum(np.searchsorted(self.slots, slots), len(self.slots) - 1)
        found: np.ndarray = np.where(self.slots[at] == slots, self.values[at], NOWHERE)
        return found


def _sends(graph: RecordedGraph, told: PassGraph) -> Steps:
    """What is sent from one node of the trace to another."""
    sends = told.pass_.sends
    calls, targets = told.calls[sends[:, 0]], told.calls[sends[:, 2]]
    reached = told.outputs(sends[:, 2], sends[:, 3])
    is_between = (calls == NOWHERE) | (calls != targets) | (reached != NOWHERE)
    handed_on = _handed_on(graph, told, reached)[is_between]
    nodes, inputs, targets, outputs, values = (column[is_between] for column in sends.T)
    calls = calls[is_between]
    receivers = told.at(targets, outputs)
    senders = np.full(len(nodes), NOWHERE, np.int64)
    alone = calls == NOWHERE
    senders[alone] = told.at(nodes[alone], np.zeros(int(alone.sum()), np.int64))
    starts = graph.recording.calls.output_starts
    first = graph.slots.output_slots[starts[calls[~alone]]]
    senders[~alone] = np.where(handed_on[~alone] == NOWHERE, first, handed_on[~alone])
    positions = _positions(graph, senders, receivers, inputs)
    kept = np.full(len(nodes), NOWHERE, np.int64)
    return Steps(senders, receivers, positions, values.astype(np.int64), kept, {})


def _handed_on(graph: RecordedGraph, told: PassGraph, reached: np.ndarray) -> np.ndarray:
    """By row of what was sent, from a call with several outputs, the output whose gradient is
    handed on: the first one that leads to the sender and has received anything. −1 elsewhere.

    `reached`: the outputs of calls that each row goes to.
    """
    sends, calls = told.pass_.sends, told.calls
    found = np.full(len(sends), NOWHERE, np.int64)
    is_many = np.append(np.diff(graph.recording.calls.output_starts) > 1, False)  # of −1
    is_many[list(graph.changed)] = True
    rows = np.flatnonzero(is_many[calls[sends[:, 0]]] | is_many[calls[sends[:, 2]]])
    if not len(rows):
        return found
    roots = told.pass_.roots
    begun: dict[int, int] = {}
    """By autograd node the output that led there first."""
    starts = zip(roots[:, 0].tolist(), told.outputs(roots[:, 0], roots[:, 1]).tolist(), strict=True)
    for node, slot in starts:
        begun.setdefault(node, slot)
    for row, source, target, output in zip(
        rows.tolist(), sends[rows, 0].tolist(), sends[rows, 2].tolist(), reached[rows].tolist(),
        strict=True,
    ):  # fmt: skip
        found[row] = begun.get(source, NOWHERE)
        if output != NOWHERE:
            begun.setdefault(target, output)
        elif calls[source] == calls[target]:
            begun.setdefault(target, int(found[row]))
    found[~is_many[calls[sends[:, 0]]]] = NOWHERE
    return found


def _positions(
    graph: RecordedGraph, senders: np.ndarray, receivers: np.ndarray, wanted: np.ndarray
) -> np.ndarray:
    """Which operand of its sender each receiver is; where it is none, it is put behind them."""
    calls = graph.call[senders]
    if graph.operands:
        calls[np.isin(senders, list(graph.operands))] = NOWHERE
    starts, every = graph.recording.calls.operand_starts, graph.slots.operand_slots
    first = np.where(calls == NOWHERE, 0, starts[calls])
    count = np.where(calls == NOWHERE, 0, starts[calls + 1] - first)
    found = np.full(len(senders), NOWHERE, np.int64)
    fits = (wanted >= 0) & (wanted < count)
    fits[fits] = every[first[fits] + wanted[fits]] == receivers[fits]
    found[fits] = wanted[fits]
    rest = np.flatnonzero(~fits)
    at, row = ranges(first[rest], count[rest]), np.repeat(rest, count[rest])
    is_same = every[at] == receivers[row]
    hits, counts = np.unique(row[is_same], return_counts=True)
    is_one = np.isin(row, hits[counts == 1]) & is_same
    found[row[is_one]] = at[is_one] - first[row[is_one]]
    unclear = found == NOWHERE
    width = int(found.max(initial=0)) + 2
    pairs = np.sort(senders * width + found + 1)
    twice = pairs[1:][pairs[1:] == pairs[:-1]] // width
    closely = [*senders[unclear].tolist(), *twice.tolist()]
    if closely:
        rows = np.flatnonzero(np.isin(senders, closely))
        _look_closely(graph, senders, receivers, wanted, found, rows)
    return found


def _look_closely(
    graph: RecordedGraph,
    senders: np.ndarray,
    receivers: np.ndarray,
    wanted: np.ndarray,
    found: np.ndarray,
    rows: np.ndarray,
) -> None:
    """The same where an operand stands in several places, or in none."""
    taken: set[tuple[int, int]] = set()
    for row in rows.tolist():
        sender, receiver, at = int(senders[row]), int(receivers[row]), int(wanted[row])
        operands = graph.operands_of(sender)
        places = [place for place, slot in enumerate(operands) if slot == receiver]
        free = [place for place in places if (sender, place) not in taken]
        if free:
            at = at if at in free else free[0]
        elif places:
            at = places[0]
        else:
            at = len(operands)
            graph.operands[sender] = [*operands, receiver]
        taken.add((sender, at))
        found[row] = at


def _with_unseen(steps: Steps, seeded: np.ndarray, finals: _Last) -> Steps:
    """With a start where nobody has seen what reached a sender."""
    slots, first = np.unique(steps.senders, return_index=True)
    receivers, received = np.unique(steps.receivers, return_index=True)
    at = np.minimum(np.searchsorted(receivers, slots), max(len(receivers) - 1, 0))
    is_seen = np.isin(slots, seeded)
    if len(receivers):
        is_seen |= (receivers[at] == slots) & (received[at] < first)
    unseen, rows = slots[~is_seen], first[~is_seen]
    order = np.argsort(rows, kind="stable")
    unseen, rows = unseen[order], rows[order]
    values = finals(unseen)
    values = np.where(values == NOWHERE, steps.contributions[rows], values)
    return steps.with_rows(rows, unseen, values)


def _with_hooks(steps: Steps, told: PassGraph, finals: _Last) -> Steps:
    """With a step where a hook of the program put another gradient in the place of what came."""
    for node, output, before, stack in told.pass_.hooked:
        if output < 0:
            continue
        (slot,) = told.at(np.array([node]), np.array([output])).tolist()
        rows = np.flatnonzero(steps.receivers == slot)
        (after,) = finals(np.array([slot])).tolist()
        if not len(rows) or after == NOWHERE:
            continue
        at = int(rows[-1]) + 1
        steps.totals[at - 1] = before
        later = {step + (step >= at): one for step, one in steps.hooked.items()}
        steps = steps.with_rows(np.array([at]), np.array([slot]), np.array([after]))
        steps.hooked.clear()
        steps.hooked.update({**later, at: stack})
    return steps


def _settle(steps: Steps, finals: _Last) -> None:
    """The last of the running sums of each node, where it was kept."""
    slots, last = np.unique(steps.receivers[::-1], return_index=True)
    rows = len(steps.receivers) - 1 - last
    steps.totals[rows] = finals(slots)
