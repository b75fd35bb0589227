"""Every gradient edge of a recording, and of its trace, beside those a witness saw in torch."""

from __future__ import annotations

from collections import Counter

import numpy as np
from tests.recorder.witness import Pass, Print, Witness

from backprop_engine.recording.recording import Pass as RecordedPass
from backprop_engine.recording.recording import Recording
from backprop_engine.recording.trace import trace_of
from backprop_engine.trace import PassKind, StepKind, Trace

_MOST = 8
"""Outputs of an autograd node."""


def differing(recording: Recording, witness: Witness) -> list[str]:
    """What is not the same; nothing where all is."""
    recorded = sorted(recording.passes, key=lambda pass_: pass_.index)
    if len(recorded) != len(witness.passes):
        return [f"{len(recorded)} passes for {len(witness.passes)}"]
    found = []
    for told, seen in zip(recorded, witness.passes, strict=True):
        found += _unlike(f"file, pass {told.index}", _file(recording, told), _torchs(seen))
    trace = trace_of(recording)
    passes = [one for one in trace.passes if one.kind is PassKind.BACKWARD]
    for at, told in enumerate(recording.passes):
        seen = witness.passes[told.index - 1]
        steps = range(passes[at].start, passes[at].stop)
        found += _trace_differing(
            f"trace, pass {told.index}", trace, recording, steps, seen, witness
        )
    return found


def _unlike(where: str, told: Counter[object], seen: Counter[object]) -> list[str]:
    return [
        *(f"{where}: only torch has {one}" for one in (seen - told)),
        *(f"{where}: torch has no {one}" for one in (told - seen)),
    ]


# The file


def print_of(recording: Recording, value: int) -> Print:
    """What is compared of a value in a recording."""
    values = recording.values
    array = values.array(value)
    kind, shape = values.dtype_of(value), tuple(values.shape_of(value))
    return Print(kind, shape, b"" if array is None else np.ascontiguousarray(array).tobytes())


def _file(recording: Recording, told: RecordedPass) -> Counter[object]:
    names = [told.names[kind] for kind in told.kind.tolist()]
    leaves = {node: print_of(recording, value) for node, value, _ in told.leaves.tolist()}
    sequence = told.sequence.tolist()

    def called(node: int) -> object:
        return leaves[node] if node in leaves else (names[node], sequence[node])

    found: Counter[object] = Counter()
    for node, (start, stop) in enumerate(
        zip(told.edge_starts[:-1].tolist(), told.edge_starts[1:].tolist(), strict=True)
    ):
        edges = told.edges[start:stop].tolist()
        found.update(
            (called(node), at, None if target < 0 else (called(target), output))
            for at, (target, output) in enumerate(edges)
        )
    found.update(
        (called(node), at, called(target), output, print_of(recording, value))
        for node, at, target, output, value in told.sends.tolist()
    )
    found.update(
        {
            (called(node), output, print_of(recording, value))
            for node, output, value in told.totals.tolist()
        }
    )
    found.update(("root", called(node), output) for node, output, *_ in told.roots.tolist())
    return found


def _torchs(seen: Pass) -> Counter[object]:
    def called(node: int) -> object:
        leaf = seen.leaves.get(node)
        return (seen.names[node], seen.sequence[node]) if leaf is None else leaf

    found: Counter[object] = Counter()
    for node, row in enumerate(seen.edges):
        found.update(
            (called(node), at, None if edge is None else (called(edge[0]), edge[1]))
            for at, edge in enumerate(row)
        )
    found.update(
        (called(one.sender), one.input, called(one.receiver), one.output, one.sent)
        for one in seen.sent
    )
    found.update({(called(node), output, total) for (node, output), total in seen.totals.items()})
    found.update(("root", called(node), output) for node, output in seen.roots)
    return found


# The trace


class _Folded:
    """The nodes of a pass as a trace has them: those of one call are one."""

    def __init__(self, seen: Pass, witness: Witness) -> None:
        self.seen = seen
        self.calls = witness.calls
        self.call = [self._call_of(number) for number in seen.sequence]
        self.alone = self._entered()

    def _call_of(self, number: int) -> int | None:
        """The innermost: it is the first to have returned."""
        return next(
            (at for at, call in enumerate(self.calls) if call.start <= number < call.stop), None
        )

    def _entered(self) -> set[int]:
        """Inner nodes that something outside leads to, by way of no output, and what is behind."""
        seen, call = self.seen, self.call
        pending = [
            edge[0]
            for node, row in enumerate(seen.edges)
            for edge in row
            if edge is not None
            and call[edge[0]] is not None
            and call[node] != call[edge[0]]
            and self.value(*edge) is None
        ]
        found: set[int] = set()
        while pending:
            node = pending.pop()
            if node not in found:
                found.add(node)
                pending += [e[0] for e in seen.edges[node] if e and call[e[0]] == call[node]]
        return found

    def value(self, node: int, output: int) -> Print | None:
        """What came out of a node; None where nobody has it."""
        leaf = self.seen.leaves.get(node)
        return self.seen.values.get((self.seen.sequence[node], output)) if leaf is None else leaf

    def is_inner(self, sender: int, receiver: int, output: int) -> bool:
        """Whether an edge is within a call, and not to one of its outputs."""
        call = self.call[sender]
        is_same = call is not None and call == self.call[receiver]
        return (
            is_same and not {sender, receiver} & self.alone and self.value(receiver, output) is None
        )

    def told(self, node: int, output: int) -> object:
        """What a trace has for it."""
        value = self.value(node, output)
        return ("stranger", self.seen.names[node]) if value is None else value

    def senders(self, node: int) -> set[object]:
        """Which nodes of a trace may send for an autograd node: outputs that lead to it."""
        call = self.call[node]
        if call is None or node in self.alone:
            return {self.told(node, output) for output in range(_MOST)}
        reached_by = {node}
        pending = [node]
        before: dict[int, list[int]] = {}
        for source, row in enumerate(self.seen.edges):
            for edge in row:
                if edge is not None and self.call[source] == self.call[edge[0]] == call:
                    before.setdefault(edge[0], []).append(source)
        while pending:
            for source in before.get(pending.pop(), ()):
                if source not in reached_by:
                    reached_by.add(source)
                    pending.append(source)
        received = {at for at in self.seen.totals if at[0] in reached_by}
        # Where nothing was received, as of undefined gradients, any of them may be the sender.
        every = received or {(one, output) for one in reached_by for output in range(_MOST)}
        return {value for at in every if (value := self.value(*at)) is not None}


def _trace_differing(
    where: str, trace: Trace, recording: Recording, steps: range, seen: Pass, witness: Witness
) -> list[str]:
    folded = _Folded(seen, witness)
    numbers = trace.nodes.numbers  # type: ignore[attr-defined]

    def told(node: int) -> object:
        number = int(numbers[node])
        return (
            ("stranger", trace.nodes.grad_fn(node)) if number < 0 else print_of(recording, number)
        )

    rows = []
    for step in steps:
        if trace.step(step).kind is StepKind.CONTRIBUTION:
            sender, receiver, _ = trace.edge(step)
            sent = trace.contributions._numbers[step]  # type: ignore[attr-defined]
            rows.append((told(sender), told(receiver), print_of(recording, int(sent))))
    expected = [
        (folded.senders(edge.sender), folded.told(edge.receiver, edge.output), edge.sent)
        for edge in seen.sent
        if not folded.is_inner(edge.sender, edge.receiver, edge.output)
    ]
    found = _unlike(where, Counter(row[1:] for row in rows), Counter(row[1:] for row in expected))
    if found:
        return found
    for row in rows:
        match = next((one for one in expected if one[1:] == row[1:] and row[0] in one[0]), None)
        if match is None:
            found.append(f"{where}: no such sender: {row}")
        else:
            expected.remove(match)
    return found
