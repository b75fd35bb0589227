"""The trace: a whole run, forward and backward, recorded once and only looked at afterwards.

This is the waist of the program. Producers fill it; the screen, the command line, the oracles
and the exporters look things up in it and never add anything. The cursor is a step number k
with 0 ≤ k ≤ len(trace): k steps are done, and step k is about to run. Every query takes the
cursor, so going forwards, going back and jumping are the same thing.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from functools import cached_property

import numpy as np

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.notation import constant_text
from backprop_engine.basics.source import Place
from backprop_engine.basics.values import Dtype, Known
from backprop_engine.trace.abilities import Ability, Missing, Producer
from backprop_engine.trace.nodes import Nodes
from backprop_engine.trace.parts import Heading, Pass, PassKind, Progress, Step, StepKind

NO_NODE = -1
_LONG = 100
"""Receipts that are kept as a list, once somebody has asked for them."""


@dataclass(frozen=True, eq=False, repr=False)
class Trace:
    """A recorded run. The step columns have one entry a step; see the module's docstring."""

    heading: Heading
    nodes: Nodes
    assigned: Mapping[str, int]
    """Every name assigned in `compute`, with its versions (`h`, `h@1`, `h@2`), to its node."""
    passes: tuple[Pass, ...]
    senders: np.ndarray
    """The node at work, int32; NO_NODE for zero_grad."""
    receivers: np.ndarray
    """The node that receives, int32: the operand, a seed's own node; NO_NODE elsewhere."""
    positions: np.ndarray
    """The operand's position, int16; NO_NODE where there is none."""
    contributions: Sequence[Known | None]
    totals: Sequence[Known | None]
    producer: Producer
    earlier: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    """By the last node of a tensor that changes in place, the nodes of its values before."""
    hooked: Mapping[int, Place | None] = field(default_factory=dict)
    """The steps of a backward pass in which a hook of the program changes the gradient of a node,
    which stands as sender and receiver; and where it was registered.
    """
    outlived: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    """Of a recording, by the last node of a name that was given again, those of it before."""
    since: Mapping[int, int] = field(default_factory=dict)
    """Of leaves among these the step that first takes each."""

    def __len__(self) -> int:
        return len(self.senders)

    def __repr__(self) -> str:
        # Without its values: whoever describes a thread by its arguments would write millions.
        return f"<Trace of {len(self.nodes)} nodes in {len(self)} steps>"

    @property
    def dtype(self) -> Dtype:
        """What readers compute in: float32 for all that is no wider."""
        return self.heading.dtype

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
        if in_pass.kind in (PassKind.UPDATE, PassKind.CHANGE):
            return Step(index, in_pass.index, StepKind(in_pass.kind), None)
        if index in self.hooked:
            return Step(index, in_pass.index, StepKind.HOOK, sender)
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
        return [pass_.start for pass_ in self.passes]

    @cached_property
    def iteration_ends(self) -> list[int]:
        """The cursors at which an optimiser has stepped; where there is none, the ends of backward
        passes.
        """
        kinds = {pass_.kind for pass_ in self.passes}
        ending = PassKind.UPDATE if PassKind.UPDATE in kinds else PassKind.BACKWARD
        return [pass_.stop for pass_ in self.passes if pass_.kind is ending]

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

    def contribution(self, step: int) -> Known:
        """What is sent in a contribution step, or the seed; ValueError for other steps."""
        return _present(self.contributions[step], step)

    def total_after(self, step: int) -> Known:
        """What the receiver of `contribution(step)` then holds."""
        return _present(self.totals[step], step)

    # Nodes

    @cached_property
    def input_nodes(self) -> frozenset[int]:
        """The named leaves."""
        return frozenset(self.nodes.inputs.values())

    def label(self, index: int) -> str:
        """The scenario's name for a node, a constant's digits, or an invented name (`%3`)."""
        name = self.nodes.names.get(index)
        if name is not None:
            return name
        if self.is_leaf(index) or (self.nodes.is_number[index] and self._is_minus(index)):
            return constant_text(self.nodes.value[index])
        return f"%{bisect_right(self._unnamed, index)}"

    def named(self, label: str) -> int | None:
        """The node that has this label, or that a name without its version means; else None."""
        if label.startswith("%") and label[1:].isdecimal():
            at = int(label[1:]) - 1
            return self._unnamed[at] if 0 <= at < len(self._unnamed) else None
        node = self.assigned.get(label)
        return self._nodes_by_name.get(label) if node is None else node

    @property
    def names(self) -> Iterable[str]:
        """Every name of the scenario that means a node, with its versions."""
        return self._nodes_by_name

    @cached_property
    def _nodes_by_name(self) -> Mapping[str, int]:
        labelled = {label: node for node, label in self.nodes.names.items()}
        return {**labelled, **self.nodes.inputs, **self.assigned}

    @cached_property
    def keeping_grad(self) -> frozenset[int]:
        """The nodes that have a `.grad`: inputs that require grad, and what is retained."""
        return frozenset(self.nodes.keeping_grad)

    def is_leaf(self, node: int) -> bool:
        """Whether it was given: an input or a constant. (A leaf made on the way was computed.)"""
        return not self.nodes.operation_name(node)

    def ends_gradients(self, node: int) -> bool:
        """Whether no gradient goes on from `node`: what torch calls a leaf."""
        return self.is_leaf(node) or node in self.nodes.made_leaves

    def _is_minus(self, number: int) -> bool:
        """Whether a number is the minus before a literal: `−1` reads better than a name for it."""
        operands = self.nodes.operands[number]
        return (
            len(operands) == 1 and self.is_leaf(operands[0]) and operands[0] not in self.nodes.names
        )

    @cached_property
    def _unnamed(self) -> list[int]:
        nodes = self.nodes
        is_named = np.zeros(len(nodes), bool)
        is_named[list(nodes.names)] = True
        is_number = np.frombuffer(bytes(nodes.is_number), np.uint8)
        bare = nodes.computed[~is_named[nodes.computed]]
        literals = {node for node in bare[is_number[bare] != 0].tolist() if self._is_minus(node)}
        return [node for node in bare.tolist() if node not in literals]

    @cached_property
    def forward_steps(self) -> np.ndarray:
        """By node the step that computes it, int32; NO_NODE for leaves."""
        steps = np.full(len(self.nodes), NO_NODE, np.int32)
        for pass_ in self.passes:
            if pass_.kind is PassKind.FORWARD:
                computed = self.senders[pass_.start : pass_.stop]
                steps[computed] = np.arange(pass_.start, pass_.stop)
        return steps

    def is_computed(self, node: int, cursor: int) -> bool:
        """Whether `node` is there at `cursor`; leaves are from the start."""
        return bool(self.forward_steps[node] < cursor)

    # What the producer can do beyond this

    def can(self, ability: type[Ability], node: int | None = None) -> Ability | Missing:
        """The ability, for `node` where it is given; or why the producer has none."""
        answer: Ability | Missing = self.producer.ability(self, ability, node)
        return answer

    # Gradients

    def gradient(self, node: int, cursor: int) -> Known | None:
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

    def grad(self, node: int, cursor: int) -> Known | None:
        """`.grad` of an input, or of a node that retains it, at `cursor`.

        It changes when the pass's last contribution is in.
        """
        for pass_ in reversed(self.accumulated(node, cursor)):
            if pass_.grads is not None:
                return pass_.grads.get(node)
        return None

    def final_grad(self, node: int) -> Known | None:
        """`.grad` of an input after all passes."""
        return (self.passes[-1].grads or {}).get(node)

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

    def versions(self, node: int) -> tuple[int, ...]:
        """The nodes that stood for `node` before, where it is the last of several, and itself."""
        return (*(self.earlier.get(node) or self.outlived.get(node, ())), node)

    def version_at(self, node: int, cursor: int) -> int:
        """The one of `versions` that stands for `node` at `cursor`; the first before all."""
        versions = self.versions(node)
        if len(versions) == 1:
            return node
        return versions[max(bisect_left(versions, cursor, key=self._since) - 1, 0)]

    def _since(self, node: int) -> int:
        return self.since.get(node, int(self.forward_steps[node]))

    def value_at(self, node: int, cursor: int) -> Known | None:
        """The value of a node as of `cursor`, or the one before it that it stands for then."""
        version = self.version_at(node, cursor)
        return self.nodes.value[version] if self.is_computed(version, cursor) else None

    def begun_at(self, node: int) -> list[int]:
        """The steps, ascending, from which on `node` stands for another one of its versions."""
        return sorted(step for step in map(self._since, self.versions(node)) if step != NO_NODE)

    def computed_in(self, node: int) -> list[int]:
        """The steps, ascending, in which a node, and each value before it, is computed."""
        steps = [int(self.forward_steps[one]) for one in (*self.earlier.get(node, ()), node)]
        return sorted(step for step in steps if step != NO_NODE)

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
        return _group(self.receivers, len(self.nodes))

    @cached_property
    def _senders_by_node(self) -> tuple[np.ndarray, np.ndarray]:
        return _group(self.senders, len(self.nodes))

    @cached_property
    def _consumers_by_node(self) -> tuple[np.ndarray, np.ndarray]:
        consumers, _, operands = self.nodes.edges()
        starts, order = _group(operands[::-1], len(self.nodes))
        return starts, consumers[::-1][order]

    @staticmethod
    def _column(grouped: tuple[np.ndarray, np.ndarray], node: int) -> Sequence[int]:
        starts, steps = grouped
        found: list[int] = steps[starts[node] : starts[node + 1]].tolist()
        return found


def _present(value: Known | None, step: int) -> Known:
    if value is None:
        raise ValueError(f"nothing is sent in step {step}")
    return value


def _group(keys: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions of `keys` grouped by key: group k is `order[starts[k]:starts[k + 1]]`."""
    order = np.argsort(keys, kind="stable")
    starts = np.searchsorted(keys[order], np.arange(count + 1))
    return starts, order
