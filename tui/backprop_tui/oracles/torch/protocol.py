"""What goes over the pipe to the torch process, each way (see `backprop_tui.oracles.messages`).

A request is the trace's program and nothing else of it: the operations, the leaves, the passes.
So torch's numbers depend on ours only through the leaves and the seeds. All that there is one of
for each node or step goes as an array.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from functools import reduce
from operator import add
from typing import Any

import numpy as np

from backprop_engine.basics.values import Known, Value, in_full, kept, same
from backprop_engine.run.tape import graph_of
from backprop_engine.trace import NO_NODE, Pass, PassKind, Trace
from backprop_tui.oracles.messages import encode_attribute
from backprop_tui.oracles.report import Joint, Surplus, TorchReport
from backprop_tui.oracles.torch.columns import Column, Entries, Gathering, Names, of_dtype


def encode_request(trace: Trace) -> dict[str, Any]:
    """The program of `trace`, and the passes to run on it."""
    graph = graph_of(trace)
    nodes, (counts, operands) = range(len(graph)), graph.operand_columns
    leaves = Gathering()
    for node in nodes:
        if graph.operation[node] is None:
            leaves.add(node, graph.value[node])
    names = ("" if operation is None else operation.name for operation in graph.operation)
    backward = [pass_ for pass_ in trace.passes if pass_.kind is not PassKind.FORWARD]
    return {
        "dtype": graph.dtype,
        "operations": Names.of(names).encoded(),
        "operands": operands,
        "counts": counts.astype(np.uint16),
        "leaves": leaves.entries().encoded(),
        "requires_grad": [n for n in nodes if graph.is_leaf(n) and graph.requires_grad[n]],
        "retained": sorted(graph.retained),
        "cut_off": bytes(map(graph.is_cut_off, nodes)),
        "numbers": bytes(graph.is_number),
        "whole": sorted(graph.whole),
        "attributes": {
            str(n): {key: encode_attribute(value) for key, value in attributes.items()}
            for n, attributes in graph.attributes.items()
        },
        "passes": [_encode_pass(trace, pass_) for pass_ in backward],
    }


def _encode_pass(trace: Trace, pass_: Pass) -> dict[str, Any]:
    if pass_.kind is PassKind.BACKWARD:
        seed = kept(trace.contributions[pass_.start])
        if seed is None:
            raise ValueError(f"pass {pass_.index} has no seed")
        return {"index": pass_.index, "output": pass_.output, "seed": seed}
    before = trace.passes[pass_.index - 1].grads or {}
    cleared, zeroed = cleared_grads(before, pass_.grads or {})
    return {"index": pass_.index, "cleared": cleared, "zeroed": zeroed}


def cleared_grads(
    before: Mapping[int, Known | None], after: Mapping[int, Known | None]
) -> tuple[list[int], list[int]]:
    """Which inputs a zero_grad pass set to None, and which to zeros."""
    cleared = [node for node, grad in after.items() if grad is None]
    zeroed = [
        node
        for node, grad in after.items()
        if grad is not None and not same(in_full(grad), kept(before.get(node)))
    ]
    return cleared, zeroed


def decode_report(trace: Trace, reply: Mapping[str, Any]) -> TorchReport:
    """Torch's answer, sorted by our steps. KeyError, TypeError or ValueError if it is none."""
    parts: list[Entries] = []
    joints: dict[int, Joint] = {}
    gradients: dict[int, Column] = {}
    grads: dict[int, Mapping[int, Value | None]] = {}
    surplus: list[Surplus] = []
    for answered in reply["passes"]:
        done = trace.passes[answered["index"]]
        grads[done.index] = {
            **dict.fromkeys(answered["without_grad"]),
            **Column(Entries.decoded(answered["grads"])),
        }
        gradients[done.index] = Column(Entries.decoded(answered["gradients"]))
        if done.kind is PassKind.BACKWARD and done.output is not None:
            seed = Gathering()
            seed.add(done.start, gradients[done.index][done.output])
            parts.append(seed.entries())
            sent = Sent(trace, done, answered)
            parts += sent.by_step
            joints |= sent.joints
            surplus += sent.surplus
    contributions = Column(Entries.joined(parts))
    return TorchReport(
        version=reply["version"],
        values=Column(Entries.decoded(reply["values"])),
        grad_fns=Names.decoded(reply["grad_fns"]),
        contributions=contributions,
        joints=joints,
        totals=running_sums(trace, contributions, joints),
        gradients=gradients,
        grads=grads,
        surplus=tuple(surplus),
    )


class Sent:
    """What torch sent in one backward pass, by our steps."""

    def __init__(self, trace: Trace, done: Pass, answered: Mapping[str, Any]) -> None:
        self._done = done
        self.joints: dict[int, Joint] = {}
        self.surplus: list[Surplus] = []
        nodes = of_dtype(answered["senders"], np.int32).astype(np.int64)
        operands = of_dtype(answered["receivers"], np.int32).astype(np.int64)
        entries = Entries.decoded(answered["sent"])
        if not len(nodes) == len(operands) == len(entries.keys):
            raise ValueError("senders, receivers and what is sent differ in length")
        # The steps of an edge, and what torch has sent along it, stand side by side once sorted.
        steps = done.start + np.flatnonzero(trace.positions[done.start : done.stop] != NO_NODE)
        edges = trace.senders[steps].astype(np.int64) * len(trace.nodes) + trace.receivers[steps]
        steps = steps[np.argsort(edges, kind="stable")]
        edges.sort()
        keys = nodes * len(trace.nodes) + operands
        order = np.argsort(keys, kind="stable")
        keys = keys[order]
        first, last = (np.searchsorted(edges, keys, side) for side in ("left", "right"))
        is_one = (last - first == 1) & (
            np.searchsorted(keys, keys, "right") - np.searchsorted(keys, keys, "left") == 1
        )
        self.by_step = [entries.at(order[is_one], steps[first[is_one]])]
        groups: dict[tuple[int, int], list[int]] = defaultdict(list)
        for place in order[~is_one].tolist():
            groups[int(nodes[place]), int(operands[place])].append(place)
        values = Column(entries)
        for (node, operand), places in groups.items():
            key = node * len(trace.nodes) + operand
            mine = steps[np.searchsorted(edges, key) : np.searchsorted(edges, key, "right")]
            self._sort(node, operand, mine.tolist(), [values[place] for place in places])

    def _sort(self, node: int, operand: int, steps: list[int], values: list[Value]) -> None:
        """What one edge has sent, where it is not one value for one step."""
        if not steps:
            self.surplus.append(Surplus(self._done.index, node, operand))
        elif len(steps) == len(values):
            found = Gathering()
            for step, value in zip(steps, values, strict=True):
                found.add(step, value)
            self.by_step.append(found.entries())
        else:
            joint = Joint(tuple(steps), reduce(add, values))
            self.joints.update(dict.fromkeys(steps, joint))


def running_sums(
    trace: Trace, contributions: Mapping[int, Value], joints: Mapping[int, Joint]
) -> Column:
    """Each receiver's sum of torch's contributions so far, in the order of our steps."""
    totals = Gathering()
    for done in trace.passes:
        if done.kind is not PassKind.BACKWARD:
            continue
        held: dict[int, Value] = {}
        for step in range(done.start, done.stop):
            sender, receiver = int(trace.senders[step]), int(trace.receivers[step])
            if sender != receiver:
                held.pop(sender, None)  # complete, and not looked at again
            sent = contributions.get(step)
            if step in joints:
                if step != joints[step].steps[-1]:
                    continue
                sent = joints[step].contribution
            if sent is None:
                continue
            before = held.get(receiver)
            with np.errstate(all="ignore"):
                held[receiver] = sent if before is None else before + sent
            totals.add(step, held[receiver])
    return Column(totals.entries())
