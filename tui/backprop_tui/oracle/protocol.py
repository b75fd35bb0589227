"""What goes over the pipe to the torch process: one JSON object a line, each way.

A request is the trace's program and nothing else of it: the operations, the leaves, the passes.
So torch's numbers depend on ours only through the leaves and the seeds. Floats go as numbers,
which keeps every bit (Python's JSON also knows NaN and Infinity), arrays as their bytes.
"""

from __future__ import annotations

import base64
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from backprop_engine.trace import NO_NODE, Pass, PassKind, Trace
from backprop_engine.values import Dtype, Value, settle
from backprop_tui.oracle.report import Joint, Surplus, TorchReport


def encode_value(value: Any) -> Any:
    """A number (or None, or a text) as itself, an array as shape, dtype and base64 of its bytes."""
    if isinstance(value, np.ndarray):
        return {
            "shape": list(value.shape),
            "dtype": str(value.dtype),
            "bytes": base64.b64encode(np.ascontiguousarray(value).tobytes()).decode("ascii"),
        }
    return value.item() if isinstance(value, np.generic) else value


def decode_value(encoded: Any, dtype: Dtype) -> Value:
    """The inverse of `encode_value`; float scalars come back in `dtype`."""
    if isinstance(encoded, dict):
        data = base64.b64decode(encoded["bytes"])
        flat = np.frombuffer(data, dtype=encoded["dtype"])
        return flat.reshape(encoded["shape"]).copy()
    return settle(encoded, dtype)


def encode_attribute(attribute: Any) -> Any:
    """An attribute of an operation: numbers, texts, None, tuples, slices, `...`, arrays."""
    if isinstance(attribute, tuple | list):
        kind = "tuple" if isinstance(attribute, tuple) else "list"
        return {kind: [encode_attribute(item) for item in attribute]}
    if isinstance(attribute, slice):
        parts = (attribute.start, attribute.stop, attribute.step)
        return {"slice": [encode_attribute(part) for part in parts]}
    if attribute is Ellipsis:
        return {"ellipsis": True}
    return encode_value(attribute)


def decode_attribute(encoded: Any) -> Any:
    """The inverse of `encode_attribute`."""
    if not isinstance(encoded, dict):
        return encoded
    if "bytes" in encoded:
        return decode_value(encoded, "float64")
    if "ellipsis" in encoded:
        return Ellipsis
    if "slice" in encoded:
        return slice(*(decode_attribute(part) for part in encoded["slice"]))
    if "list" in encoded:
        return [decode_attribute(item) for item in encoded["list"]]
    return tuple(decode_attribute(item) for item in encoded["tuple"])


def encode_request(trace: Trace) -> dict[str, Any]:
    """The program of `trace`, and the passes to run on it."""
    graph = trace.graph
    nodes = range(len(graph))
    return {
        "dtype": graph.dtype,
        "operations": [None if one is None else one.name for one in graph.operation],
        "operands": graph.operands,
        "leaves": [
            encode_value(graph.value[n]) if graph.operation[n] is None else None for n in nodes
        ],
        "requires_grad": [n for n in nodes if graph.is_leaf(n) and graph.requires_grad[n]],
        "retained": sorted(graph.retained),
        "cut_off": [n for n in nodes if graph.is_cut_off(n)],
        "numbers": [n for n in nodes if graph.is_number[n]],
        "whole": sorted(graph.whole),
        "attributes": {
            str(n): {key: encode_attribute(one) for key, one in attributes.items()}
            for n, attributes in graph.attributes.items()
        },
        "passes": [
            _encode_pass(trace, one) for one in trace.passes if one.kind is not PassKind.FORWARD
        ],
    }


def _encode_pass(trace: Trace, one: Pass) -> dict[str, Any]:
    if one.kind is PassKind.BACKWARD:
        seed = trace.contributions[one.start]
        if seed is None:
            raise ValueError(f"pass {one.index} has no seed")
        return {"index": one.index, "output": one.output, "seed": encode_value(seed)}
    before = trace.passes[one.index - 1].grads or {}
    cleared, zeroed = cleared_grads(before, one.grads or {})
    return {"index": one.index, "cleared": cleared, "zeroed": zeroed}


def cleared_grads(
    before: Mapping[int, Value | None], after: Mapping[int, Value | None]
) -> tuple[list[int], list[int]]:
    """Which inputs a zero_grad pass set to None, and which to zeros."""
    cleared = [node for node, grad in after.items() if grad is None]
    zeroed = [
        node
        for node, grad in after.items()
        if grad is not None and not _same(grad, before.get(node))
    ]
    return cleared, zeroed


def _same(grad: Value, before: Value | None) -> bool:
    return before is not None and np.array_equal(grad, before, equal_nan=True)


def decode_report(trace: Trace, reply: Mapping[str, Any]) -> TorchReport:
    """Torch's answer, sorted by our steps. KeyError, TypeError or ValueError if it is none."""
    dtype = trace.graph.dtype
    contributions: dict[int, Value] = {}
    joints: dict[int, Joint] = {}
    gradients: dict[tuple[int, int], Value] = {}
    grads: dict[int, Mapping[int, Value | None]] = {}
    surplus: list[Surplus] = []
    for answered in reply["passes"]:
        done = trace.passes[answered["index"]]
        grads[done.index] = {
            node: None if grad is None else decode_value(grad, dtype)
            for node, grad in answered["grads"]
        }
        for node, gradient in answered["gradients"]:
            gradients[done.index, node] = decode_value(gradient, dtype)
        if done.kind is PassKind.BACKWARD and done.output is not None:
            contributions[done.start] = gradients[done.index, done.output]
        steps_of = _steps_by_edge(trace, done)
        for node, operand, sent in answered["contributions"]:
            values = [decode_value(one, dtype) for one in sent]
            steps = steps_of.get((node, operand), [])
            if not steps:
                surplus.append(Surplus(done.index, node, operand))
            elif len(steps) == len(values):
                contributions.update(zip(steps, values, strict=True))
            else:
                joint = Joint(tuple(steps), _sum(values))
                joints.update(dict.fromkeys(steps, joint))
    return TorchReport(
        version=reply["version"],
        values={
            node: decode_value(one, trace.graph.float_dtype(node))
            for node, one in enumerate(reply["values"])
        },
        grad_fns=dict(enumerate(reply["grad_fns"])),
        contributions=contributions,
        joints=joints,
        totals=_running_sums(trace, contributions, joints),
        gradients=gradients,
        grads=grads,
        surplus=tuple(surplus),
    )


def _steps_by_edge(trace: Trace, done: Pass) -> Mapping[tuple[int, int], list[int]]:
    """The contribution steps of a pass by (node, operand), in order of the operand's position."""
    found: dict[tuple[int, int], list[int]] = defaultdict(list)
    for step in range(done.start, done.stop):
        if trace.positions[step] != NO_NODE:
            found[int(trace.senders[step]), int(trace.receivers[step])].append(step)
    return found


def _running_sums(
    trace: Trace, contributions: Mapping[int, Value], joints: Mapping[int, Joint]
) -> dict[int, Value]:
    """Each receiver's sum of torch's contributions so far, in the order of our steps."""
    totals: dict[int, Value] = {}
    for done in trace.passes:
        if done.kind is not PassKind.BACKWARD:
            continue
        held: dict[int, Value] = {}
        for step in range(done.start, done.stop):
            receiver = int(trace.receivers[step])
            sent = contributions.get(step)
            if step in joints:
                if step != joints[step].steps[-1]:
                    continue
                sent = joints[step].contribution
            if sent is None:
                continue
            before = held.get(receiver)
            held[receiver] = totals[step] = sent if before is None else before + sent
    return totals


def _sum(values: Sequence[Value]) -> Value:
    total = values[0]
    for value in values[1:]:
        total = total + value
    return total
