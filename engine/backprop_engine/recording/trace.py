"""A recording as a trace: its calls are forward steps, what autograd sent are contributions."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from typing import Final

import numpy as np

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.values import Dtype
from backprop_engine.recording.columns import (
    Contributions,
    GradHistory,
    Grads,
    Lookup,
    NodeValues,
    RecordedNodes,
    Totals,
    history_of,
)
from backprop_engine.recording.graph import RecordedGraph
from backprop_engine.recording.heading import (
    LEAF_NAME,
    change_lines,
    change_name,
    cleared_lines,
    heading_of,
    ratios_of,
    update_lines,
)
from backprop_engine.recording.labels import Assigned, Labels, bare_names
from backprop_engine.recording.numbering import Numbering
from backprop_engine.recording.passes import Steps, backward, forward, nothing
from backprop_engine.recording.places import Places
from backprop_engine.recording.producer import RecordingProducer
from backprop_engine.recording.recording import Changed, Cleared, Event, Pass, Recording, Update
from backprop_engine.recording.slots import NOWHERE
from backprop_engine.trace import Pass as TracePass
from backprop_engine.trace import PassKind, Trace

_CLEARED: Final = -1
_ZERO: Final = -2
"""In the place of a value of `.grad`."""


def trace_of(recording: Recording) -> Trace:
    """The trace of a recording. Raises RecordingError where it contradicts itself."""
    return _Builder(recording).build()


@dataclass(frozen=True, eq=False)
class _Part:
    """A pass while the trace is put together."""

    kind: PassKind
    event: Event | None
    steps: Steps
    output: int | None = None
    """A slot."""


class _Builder:
    """A trace while it is put together: first by slots, then by the numbers of its nodes."""

    def __init__(self, recording: Recording) -> None:
        self.recording, self.lookup = recording, Lookup(recording.values)
        self.graph = RecordedGraph(recording)
        self.kept = np.flatnonzero(self.graph.slots.is_kept)
        self.parts: list[_Part] = []
        self.iteration_of_call = np.zeros(len(recording.calls), np.int64)
        self.grads: list[tuple[int, np.ndarray, np.ndarray]] = []
        """(pass, slots, values) of `.grad` afterwards"""
        self.clearings: list[int] = []

    def build(self) -> Trace:
        """All of it."""
        at, iteration, kept = 0, 1, self.kept.tolist()
        for event, following in self._events():
            iteration = max(iteration, following)
            stop = bisect_right(kept, event.call - self.recording.first_call - 1)
            self._forward(self.kept[at:stop], iteration)
            at = max(at, stop)
            self._add(event)
        self._forward(self.kept[at:], iteration + 1 if at and at < len(kept) else iteration)
        return self._numbered()

    def _events(self) -> Iterator[tuple[Event, int]]:
        """Each event with the iteration, from 1, that it belongs to."""
        events, following = self.recording.events, []
        iteration = 1
        for event in reversed(events):
            if isinstance(event, Pass | Changed):
                iteration = event.iteration + 1
            elif isinstance(event, Update):
                iteration = event.iteration
            following.append(iteration)
        return zip(events, reversed(following), strict=True)

    # Passes

    def _forward(self, calls: np.ndarray, iteration: int) -> None:
        if not len(calls):
            return
        self.iteration_of_call[calls] = iteration
        slots, starts = self.graph.slots, self.recording.calls.output_starts
        rows = np.arange(starts[calls[0]], starts[calls[-1] + 1])
        rows = rows[slots.is_kept[slots.output_calls[rows]]]
        made = slots.output_slots[rows]
        operands = self.recording.calls.columns["operand_counts"][slots.output_calls[rows]]
        is_step = (self.graph.call[made] == slots.output_calls[rows]) & (operands > 0)
        if is_step.any():
            self.parts.append(_Part(PassKind.FORWARD, None, forward(made[is_step])))

    def _add(self, event: Event) -> None:
        index, first = len(self.parts), self.recording.values.first
        if isinstance(event, Pass):
            passed = backward(self.graph, event)
            self.parts.append(_Part(PassKind.BACKWARD, event, passed.steps, passed.output))
            self.grads.append((index, passed.leaves, passed.grads))
        elif isinstance(event, Update):
            self.parts.append(_Part(PassKind.UPDATE, event, nothing(1)))
        elif isinstance(event, Changed):
            self.parts.append(_Part(PassKind.CHANGE, event, nothing(1)))
            known = [row for row in zip(event.leaves, event.values, strict=True) if min(row) >= 0]
            rows = np.array(known, np.int64).reshape(-1, 2)
            self.grads.append((index, rows[:, 0] - first, rows[:, 1]))
        else:
            self.parts.append(_Part(PassKind.ZERO_GRAD, event, nothing(1)))
            self._clear(event, index)

    def _clear(self, event: Cleared, index: int) -> None:
        if event.values is None:
            self.clearings.append(index)
            return
        slots = np.array(event.values, np.int64) - self.recording.values.first
        values = np.full(len(slots), _CLEARED if event.to_none else _ZERO, np.int64)
        self.grads.append((index, slots, values))

    # Numbers

    def _numbered(self) -> Trace:
        graph, recording = self.graph, self.recording
        numbering = Numbering(graph)
        steps = [part.steps for part in self.parts]
        senders = numbering.of(_joined([one.senders for one in steps]))
        receivers = numbering.of(_joined([one.receivers for one in steps]))
        sent = _joined([one.contributions for one in steps])
        starts = np.cumsum([0, *(len(one.senders) for one in steps)])
        hooked = {
            int(start) + step: stack
            for start, one in zip(starts, steps, strict=False)
            for step, stack in one.hooked.items()
        }
        afresh = np.array(sorted({*starts.tolist(), *hooked}), np.int64)
        totals = Totals(
            self.lookup, sent, _joined([one.totals for one in steps]), receivers, afresh
        )
        places = Places(recording)
        labels, assigned = self._labels(numbering)
        nodes = self._nodes(numbering, labels, places)
        dtype: Dtype = "float64" if self._is_wide(nodes) else "float32"
        passes = self._passes(numbering, nodes, starts)
        return Trace(
            heading=heading_of(
                recording, places.files(recording.start.script), dtype, len(senders)
            ),
            nodes=nodes,
            assigned=assigned,
            passes=passes,
            senders=senders,
            receivers=receivers,
            positions=_joined([one.positions for one in steps]).astype(np.int16),
            contributions=Contributions(self.lookup, sent),
            totals=totals,
            producer=RecordingProducer(recording, nodes),
            outlived=labels.again(),
            since=self._since(numbering, senders, labels),
            hooked={step: places.of(stack) for step, stack in hooked.items()},
        )

    def _labels(self, numbering: Numbering) -> tuple[Labels, Assigned]:
        named, names = bare_names(self.graph)
        named = named[numbering.order]
        if LEAF_NAME not in names:  # of a variable of the program
            names.append(LEAF_NAME)
        is_bare = (named == NOWHERE) & (np.diff(numbering.operands.starts) == 0)
        named[is_bare] = names.index(LEAF_NAME)
        labels = Labels(named, names)
        return labels, Assigned(labels, names)

    def _nodes(self, numbering: Numbering, labels: Labels, places: Places) -> RecordedNodes:
        graph, recording, order = self.graph, self.recording, numbering.order
        calls = graph.call[order]
        numbers = np.where(order < graph.strangers, order + recording.values.first, NOWHERE)
        has_operands = np.diff(numbering.operands.starts) > 0
        functions = np.append(recording.calls.columns["function"], NOWHERE)
        leaves = np.array(list(graph.slots.leaf_names), np.int64)
        unnamed = np.flatnonzero(~has_operands)
        named = numbering.of(leaves[graph.is_there[leaves]]) if len(leaves) else leaves
        return RecordedNodes(
            recording=recording,
            value=NodeValues(self.lookup, numbers, graph.like[order]),
            numbers=numbers,
            like=graph.like[order],
            rows=numbering.operands,
            calls=calls,
            functions=functions[calls],
            grad_fns=graph.grad_fn[order],
            grad_fn_names=list(graph.grad_fns),
            iterations=self._iterations(order),
            requires_grad=graph.requires_grad[order].astype(np.uint8).tobytes(),
            names=labels,
            inputs={labels[node]: node for node in unnamed.tolist()},
            keeping_grad=tuple(named.tolist()),
            places=places,
            computed=np.flatnonzero(has_operands).astype(np.int32),
        )

    def _iterations(self, order: np.ndarray) -> np.ndarray:
        """By node the iteration of the first call that has to do with it; 0 where there is none."""
        slots, columns = self.graph.slots, self.recording.calls.columns
        calls = np.repeat(np.arange(slots.calls), columns["operand_counts"])
        first = np.full(len(self.graph.is_there), slots.calls, np.int64)
        for touched, by in (
            (slots.operand_slots, calls),
            (slots.output_slots, slots.output_calls),
        ):
            is_kept = slots.is_kept[by]
            np.minimum.at(first, touched[is_kept], by[is_kept])
        found: np.ndarray = np.append(self.iteration_of_call, 0)[first[order]]
        return found

    def _is_wide(self, nodes: RecordedNodes) -> bool:
        values = self.recording.values
        rows = nodes.numbers[nodes.numbers != NOWHERE] - values.first
        return bool((values.dtype[rows] == 0).any())

    def _since(self, numbering: Numbering, senders: np.ndarray, labels: Labels) -> dict[int, int]:
        """Of leaves whose name is given again the step that first takes each."""
        again, rows = labels.given_again, numbering.operands
        computed_at = np.full(len(numbering.order), len(senders), np.int64)
        starts = np.cumsum([0, *(len(part.steps.senders) for part in self.parts)]).tolist()
        for part, start in zip(self.parts, starts, strict=False):
            if part.kind is PassKind.FORWARD:
                made = senders[start : start + len(part.steps.senders)]
                computed_at[made] = np.arange(start, start + len(made))
        consumers = np.repeat(np.arange(len(numbering.order)), np.diff(rows.starts))
        first = np.full(len(numbering.order), len(senders), np.int64)
        np.minimum.at(first, rows.flat, computed_at[consumers])
        is_leaf = rows.starts[again] == rows.starts[again + 1]
        leaves = again[is_leaf & (first[again] < len(senders))]
        return dict(zip(leaves.tolist(), first[leaves].tolist(), strict=True))

    def _passes(
        self, numbering: Numbering, nodes: RecordedNodes, starts: np.ndarray
    ) -> tuple[TracePass, ...]:
        history = self._history(numbering)
        found = []
        for index, part in enumerate(self.parts):
            name, about, event, loss = str(part.kind), "", part.event, None
            output = None if part.output is None else int(numbering.number[part.output])
            if isinstance(event, Pass) and output is not None:
                label = nodes.names.get(output) or nodes.operation_name(output)
                loss = self._loss(numbering, event)
                if loss is not None and not nodes.names.get(output):
                    label = f"{nodes.names.get(loss, label)}, scaled"
                name = f"backward {label}".strip()
            elif isinstance(event, Update):
                name, about = f"{event.optimizer}.step", update_lines(event)
            elif isinstance(event, Cleared):
                about = self._cleared(event, numbering, nodes)
            elif isinstance(event, Changed):
                name, about = change_name(event), change_lines(event)
            has_grads = part.kind not in (PassKind.FORWARD, PassKind.UPDATE)
            grads = Grads(history, index) if has_grads else None
            start, stop = int(starts[index]), int(starts[index + 1])
            ratios = ratios_of(event) if isinstance(event, Update) else {}
            found.append(
                TracePass(
                    index,
                    part.kind,
                    name,
                    start,
                    stop,
                    output,
                    grads,
                    about=about,
                    ratios=ratios,
                    loss=loss,
                )
            )
        return tuple(found) or (TracePass(0, PassKind.FORWARD, "forward", 0, 0),)

    def _loss(self, numbering: Numbering, event: Pass) -> int | None:
        value = self.recording.unscaled(event)
        if value is None:
            return None
        (node,) = numbering.of(np.array([value - self.recording.values.first])).tolist()
        return None if node < 0 else int(node)

    def _cleared(self, event: Cleared, numbering: Numbering, nodes: RecordedNodes) -> str:
        """Whose `.grad` is cleared, where that is known."""
        if event.values is None:
            return ""
        slots = np.array(event.values, np.int64) - self.recording.values.first
        found = numbering.of(slots[numbering.is_node(slots)]).tolist()
        return cleared_lines([nodes.names[node] for node in found], is_none=event.to_none)

    def _history(self, numbering: Numbering) -> GradHistory:
        passes = [np.full(len(slots), index) for index, slots, _ in self.grads]
        slots = _joined([slots for _, slots, _ in self.grads])
        values = _joined([values for _, _, values in self.grads])
        is_there = numbering.is_node(slots)
        return history_of(
            self.lookup,
            _joined(passes)[is_there],
            numbering.number[slots[is_there]],
            values[is_there],
            self.clearings,
        )


def _joined(parts: list[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.zeros(0, np.int64), *parts])
