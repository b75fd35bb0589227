"""The trace: a whole run, forward and backward, recorded once and only looked at afterwards.

This is the waist of the program. Producers fill it; the screen, the command line, the oracles
and the exporters look things up in it and never add anything. The cursor is a step number k
with 0 ≤ k ≤ len(trace): k steps are done, and step k is about to run. Every query takes the
cursor, so going forwards, going back and jumping are the same thing.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

import numpy as np

from backprop_engine.basics.notation import constant_text
from backprop_engine.basics.source import Source, Span
from backprop_engine.basics.values import Value
from backprop_engine.graph import Graph
from backprop_engine.operation import Operation

NO_NODE = -1


class PassKind(StrEnum):
    """What a pass does."""

    FORWARD = "forward"
    BACKWARD = "backward"
    ZERO_GRAD = "zero_grad"


class StepKind(StrEnum):
    """What a step does: compute a node, seed an output, send a contribution, clear `.grad`."""

    FORWARD = "forward"
    SEED = "seed"
    CONTRIBUTION = "contribution"
    ZERO_GRAD = "zero_grad"


@dataclass(frozen=True, slots=True)
class Pass:
    """One phase of the timeline: the steps `start` up to, not including, `stop`."""

    index: int
    kind: PassKind
    name: str
    """For people: `forward`, `backward y`, `zero_grad`."""
    start: int
    stop: int
    output: int | None = None
    """The node a backward pass starts from."""
    grads: Mapping[int, Value | None] | None = None
    """`.grad` of each input that requires grad and each node that retains it, after the pass."""


_LONG = 100
"""Receipts that are kept as a list, once somebody has asked for them."""


@dataclass(frozen=True, slots=True)
class Step:
    """One entry of the timeline."""

    index: int
    pass_index: int
    kind: StepKind
    node: int | None
    """The node at work: computed, seeded, or sending. None for zero_grad."""
    operand: int | None = None
    """The node that receives the contribution."""
    position: int | None = None
    """Which operand of `node` that is, from 0."""


@dataclass(frozen=True, slots=True)
class Node:
    """One row of the graph, for people who look at one node at a time."""

    index: int
    label: str
    """The scenario's name for it (`y`, `h@2`), a literal's digits, or an invented `%3`."""
    operation: str | None
    operands: tuple[int, ...]
    value: Value
    requires_grad: bool
    is_input: bool
    grad_fn: str
    span: Span | None

    @property
    def is_constant(self) -> bool:
        """Whether it is a literal of the program."""
        return self.operation is None and not self.is_input


@dataclass(frozen=True, slots=True)
class Progress:
    """How many of the contributions a node gets in this pass it has received."""

    received: int
    expected: int

    @property
    def is_complete(self) -> bool:
        """Whether the gradient is final for this pass."""
        return self.received == self.expected > 0


@dataclass(frozen=True, slots=True)
class Heading:
    """What the scenario says about itself."""

    title: str
    about: str
    source: Source
    hints: Mapping[int, str]
    """By node."""
    note: str = ""
    """Where numbers are from that the text does not have."""


@dataclass(frozen=True, eq=False, repr=False)
class Trace:
    """A recorded run. The step columns have one entry a step; see the module's docstring."""

    heading: Heading
    graph: Graph
    assigned: Mapping[str, int]
    """Every name assigned in `compute`, with its versions (`h`, `h@1`, `h@2`), to its node."""
    passes: tuple[Pass, ...]
    senders: np.ndarray
    """The node at work, int32; NO_NODE for zero_grad."""
    receivers: np.ndarray
    """The node that receives, int32: the operand, a seed's own node; NO_NODE elsewhere."""
    positions: np.ndarray
    """The operand's position, int16; NO_NODE where there is none."""
    contributions: Sequence[Value | None]
    totals: Sequence[Value | None]

    def __len__(self) -> int:
        return len(self.senders)

    def __repr__(self) -> str:
        # Without its values: whoever describes a thread by its arguments would write millions.
        return f"<Trace of {len(self.graph)} nodes in {len(self)} steps>"

    # Steps and passes

    def step(self, index: int) -> Step:
        """Step `index`, 0 ≤ index < len(trace)."""
        in_pass = self.passes[self.pass_index(index)]
        sender, receiver = int(self.senders[index]), int(self.receivers[index])
        position = int(self.positions[index])
        if in_pass.kind is PassKind.FORWARD:
            return Step(index, in_pass.index, StepKind.FORWARD, sender)
        if in_pass.kind is PassKind.ZERO_GRAD:
            return Step(index, in_pass.index, StepKind.ZERO_GRAD, None)
        if position == NO_NODE:
            return Step(index, in_pass.index, StepKind.SEED, sender)
        return Step(index, in_pass.index, StepKind.CONTRIBUTION, sender, receiver, position)

    def pass_index(self, step: int) -> int:
        """The pass that step `step` belongs to; the last pass for step = len(trace)."""
        found = bisect_right(self._pass_starts, step) - 1
        return min(max(found, 0), len(self.passes) - 1)

    @cached_property
    def _pass_starts(self) -> list[int]:
        # An empty pass starts where the next one does; bisect_right then finds the later one.
        return [one.start for one in self.passes]

    def shown_pass(self, cursor: int) -> Pass:
        """The pass whose results stand on the screen: that of the last step done."""
        return self.passes[self.pass_index(max(cursor - 1, 0))]

    def node_step(self, step: int) -> tuple[int, int]:
        """The steps `start` up to `stop` that run all of one node, around step `step`."""
        in_pass = self.passes[self.pass_index(step)]
        sender = self.senders[step]
        # A node's contributions stand side by side; the seed is a node step of its own.
        if self.positions[step] == NO_NODE:
            return step, step + 1
        start, stop = step, step + 1
        while start > in_pass.start and self._continues(start - 1, sender):
            start -= 1
        while stop < in_pass.stop and self._continues(stop, sender):
            stop += 1
        return start, stop

    def _continues(self, step: int, sender: int) -> bool:
        return bool(self.senders[step] == sender and self.positions[step] != NO_NODE)

    def edge(self, step: int) -> tuple[int, int, int]:
        """Of a contribution step: the node that sends, the operand, and its position."""
        return int(self.senders[step]), int(self.receivers[step]), int(self.positions[step])

    def contribution(self, step: int) -> Value:
        """What is sent in a contribution step, or the seed; ValueError for other steps."""
        return _present(self.contributions[step], step)

    def total_after(self, step: int) -> Value:
        """What the receiver of `contribution(step)` then holds."""
        return _present(self.totals[step], step)

    # Nodes

    def node(self, index: int) -> Node:
        """Everything about one node that does not depend on the cursor."""
        graph = self.graph
        operation = graph.operation[index]
        return Node(
            index=index,
            label=self.label(index),
            operation=None if operation is None else operation.name,
            operands=graph.operands[index],
            value=graph.value[index],
            requires_grad=bool(graph.requires_grad[index]),
            is_input=index in self._input_nodes,
            grad_fn=graph.grad_fn(index),
            span=graph.span[index],
        )

    @cached_property
    def _input_nodes(self) -> frozenset[int]:
        return frozenset(self.graph.inputs.values())

    def label(self, index: int) -> str:
        """The scenario's name for a node, a constant's digits, or an invented name (`%3`)."""
        name = self.graph.names.get(index)
        if name is not None:
            return name
        if self.graph.operation[index] is None or self._is_negative_literal(index):
            return constant_text(self.graph.value[index])
        return f"%{bisect_right(self._unnamed, index)}"

    def named(self, label: str) -> int | None:
        """The node that has this label, or that a name without its version means; else None."""
        node = self._nodes_by_name.get(label)
        if node is None and label.startswith("%") and label[1:].isdecimal():
            at = int(label[1:]) - 1
            node = self._unnamed[at] if 0 <= at < len(self._unnamed) else None
        return node

    @property
    def names(self) -> Iterable[str]:
        """Every name of the scenario that means a node, with its versions."""
        return self._nodes_by_name

    @cached_property
    def _nodes_by_name(self) -> Mapping[str, int]:
        graph = self.graph
        labelled = {label: node for node, label in graph.names.items()}
        return {**labelled, **graph.inputs, **self.assigned}

    @cached_property
    def keeping_grad(self) -> frozenset[int]:
        """The nodes that have a `.grad`: inputs that require grad, and what is retained."""
        return frozenset(self.graph.keeping_grad)

    @cached_property
    def operations(self) -> tuple[Operation, ...]:
        """The operations at work, each once."""
        found = {id(one): one for one in self.graph.operation if one is not None}
        return tuple(found.values())

    def iteration(self, node: int) -> str:
        """The iterations of loops in which a node was made: `n=3, w=ws[0]`; empty outside."""
        return self.graph.iterations.of(node)

    def _is_negative_literal(self, index: int) -> bool:
        """Whether the node is the minus before a literal: `−1` reads better than a name for it."""
        graph = self.graph
        if not graph.is_number[index] or len(graph.operands[index]) != 1:
            return False
        (operand,) = graph.operands[index]
        return graph.operation[operand] is None and operand not in graph.names

    @cached_property
    def _unnamed(self) -> list[int]:
        graph = self.graph
        return [
            node
            for node, operation in enumerate(graph.operation)
            if operation is not None
            and node not in graph.names
            and not self._is_negative_literal(node)
        ]

    def is_computed(self, node: int, cursor: int) -> bool:
        """Whether the forward pass has reached `node`; leaves are there from the start."""
        if self.graph.operation[node] is None:
            return True
        forward = self.passes[0]
        done = min(cursor, forward.stop)
        return done > forward.start and int(self.senders[done - 1]) >= node

    # Gradients

    def gradient(self, node: int, cursor: int) -> Value | None:
        """The gradient of `node` as of `cursor`, in the shown pass; None before its first."""
        steps = self.receipts(node)
        found = bisect_left(steps, cursor) - 1
        if found < 0 or steps[found] < self.shown_pass(cursor).start:
            return None
        return self.totals[steps[found]]

    def progress(self, node: int, cursor: int) -> Progress:
        """How far `node`'s gradient has come in the shown pass."""
        steps, shown = self.receipts(node), self.shown_pass(cursor)
        first = bisect_left(steps, shown.start)
        return Progress(
            received=max(bisect_left(steps, cursor) - first, 0),
            expected=bisect_left(steps, shown.stop) - first,
        )

    def grad(self, node: int, cursor: int) -> Value | None:
        """`.grad` of an input, or of a node that retains it, at `cursor`.

        It changes when the pass's last contribution is in.
        """
        for one in reversed(self.accumulated(node, cursor)):
            if one.grads is not None:
                return one.grads.get(node)
        return None

    def accumulated(self, node: int, cursor: int) -> tuple[Pass, ...]:
        """The passes that `.grad` of `node` has seen the whole of, as of `cursor`."""
        shown = self.shown_pass(cursor)
        is_done = cursor >= shown.stop or self._is_accumulated(node, cursor)
        return self.passes[: shown.index + is_done]

    def _is_accumulated(self, node: int, cursor: int) -> bool:
        shown = self.shown_pass(cursor)
        return shown.kind is PassKind.BACKWARD and self.progress(node, cursor).is_complete

    def receipts(self, node: int) -> Sequence[int]:
        """The steps, ascending, at which `node` receives a contribution or its seed."""
        steps = self._long_receipts.get(node)
        if steps is None:
            steps = self._column(self._receivers_by_node, node)
            if len(steps) > _LONG:
                self._long_receipts[node] = steps
        return steps

    def visits(self, node: int) -> Sequence[int]:
        """The steps, ascending, in which `node` takes part: computed, receiving or sending."""
        sent = self._column(self._senders_by_node, node)
        return sorted({*sent, *self.receipts(node)})

    def consumers(self, node: int) -> Sequence[int]:
        """The nodes that `node` feeds, ascending; one that uses it twice stands there twice."""
        starts, found = self._consumers_by_node
        consumers: list[int] = found[starts[node] : starts[node + 1]].tolist()
        return consumers

    @cached_property
    def _long_receipts(self) -> dict[int, Sequence[int]]:
        """By node, those that have been asked for: each of a hundred thousand steps that go to one
        node asks for them all.
        """
        return {}

    @cached_property
    def _receivers_by_node(self) -> tuple[np.ndarray, np.ndarray]:
        return _group(self.receivers, len(self.graph))

    @cached_property
    def _senders_by_node(self) -> tuple[np.ndarray, np.ndarray]:
        return _group(self.senders, len(self.graph))

    @cached_property
    def _consumers_by_node(self) -> tuple[np.ndarray, np.ndarray]:
        consumers, _, operands = self.graph.edges()
        starts, order = _group(operands[::-1], len(self.graph))
        return starts, consumers[::-1][order]

    @staticmethod
    def _column(grouped: tuple[np.ndarray, np.ndarray], node: int) -> Sequence[int]:
        starts, steps = grouped
        found: list[int] = steps[starts[node] : starts[node + 1]].tolist()
        return found


def _present(value: Value | None, step: int) -> Value:
    if value is None:
        raise ValueError(f"nothing is sent in step {step}")
    return value


def _group(keys: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions of `keys` grouped by key: group k is `order[starts[k]:starts[k + 1]]`."""
    order = np.argsort(keys, kind="stable")
    starts = np.searchsorted(keys[order], np.arange(count + 1))
    return starts, order
