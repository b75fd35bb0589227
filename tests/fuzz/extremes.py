"""Every operation at numbers that are zero, denormal, huge, infinite or nan, as torch has it.

An application (an operation, its operands and attributes) is taken from the example; each operand
in turn is replaced by an extreme number, all of it or one element. What comes out, and each
gradient, must be of one class with torch's: nan, ±inf, or about the same.
"""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
import torch

from backprop_engine.backward import backward
from backprop_engine.basics.source import OperandError, Source
from backprop_engine.basics.values import Dtype, Value, is_float, settle, shape_of
from backprop_engine.graph import Graph
from backprop_engine.operation import Operation
from backprop_engine.run.record import record
from backprop_engine.run.tape import graph_of
from backprop_engine.scenarios.loader import parse_shorthand

NAN, INF = float("nan"), float("inf")
EXTREMES: dict[Dtype, tuple[float, ...]] = {
    "float64": (0.0, -0.0, 5e-324, -5e-324, 1e-200, 1e200, -1e200, 1.797e308, INF, -INF, NAN),
    "float32": (0.0, -0.0, 1e-45, -1e-45, 1e-20, 1e20, -1e20, 3.4028e38, INF, -INF, NAN),
}  # fmt: skip


class Application(NamedTuple):
    """An operation on operands, as a scenario has it."""

    operation: Operation
    operands: tuple[Value, ...]
    attributes: dict[str, Any]
    numbers: tuple[bool, ...]
    """Which operands are Python's numbers to torch."""
    requires_grad: tuple[bool, ...]


def applications(operation: Operation) -> list[Application]:
    """The applications of an operation in its example, one of each form."""
    if not operation.description.example:
        return []
    graph = graph_of(record(parse_shorthand(Source("<-e>", operation.description.example))))
    found: dict[str, Application] = {}
    for node in range(len(graph)):
        if graph.operation[node] is operation:
            one = Application(
                operation,
                tuple(graph.value[each] for each in graph.operands[node]),
                dict(graph.attributes_of(node)),
                tuple(bool(graph.is_number[each]) for each in graph.operands[node]),
                tuple(bool(graph.requires_grad[each]) for each in graph.operands[node]),
            )
            found.setdefault(repr((one.attributes, [np.ndim(x) for x in one.operands])), one)
    return list(found.values())


def extreme(application: Application, dtype: Dtype) -> Iterator[tuple[str, list[Value]]]:
    """The operands with one of them replaced, and what was done."""
    for position, operand in enumerate(application.operands):
        if not is_float(operand) or not np.size(operand):
            continue
        for number in EXTREMES[dtype]:
            for what, array in _replaced(np.asarray(operand, dtype), number):
                operands = [_in(dtype, one) for one in application.operands]
                operands[position] = settle(array, dtype)
                yield f"{what} of operand {position} is {number}", operands


def _in(dtype: Dtype, operand: Value) -> Value:
    return settle(np.asarray(operand, dtype), dtype) if is_float(operand) else operand


def _replaced(operand: Any, number: float) -> Iterator[tuple[str, Any]]:
    yield "all", np.full_like(operand, number)
    if operand.size > 1:
        one = np.array(operand, order="C")
        one.flat[operand.size // 2] = number
        yield "one", one


class Outcome(NamedTuple):
    """What came out: the value and the gradients, or a refusal."""

    value: Any
    gradients: list[Any]


def outcomes(
    application: Application, operands: Sequence[Value], dtype: Dtype
) -> tuple[Outcome | None, Outcome | None]:
    """Ours and torch's; None for a refusal."""
    operation, attributes = application.operation, application.attributes
    roles = list(zip(operands, application.numbers, application.requires_grad, strict=True))
    tensors = [
        one if is_number else torch.tensor(np.asarray(one)).requires_grad_(requires_grad)
        for one, is_number, requires_grad in roles
    ]
    graph = Graph(dtype)
    leaves = tuple(
        graph.add_constant(one)
        if is_number
        else graph.add_input(f"x{at}", one, requires_grad=requires_grad)
        for at, (one, is_number, requires_grad) in enumerate(roles)
    )
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            twin = operation.twins.torch(torch, *tensors, **attributes)
        except (RuntimeError, TypeError, ValueError):
            twin = None
        try:
            node = graph.apply(operation, leaves, attributes)
        except OperandError:
            return None, None if twin is None else Outcome(twin.detach().numpy(), [])
        ours = Outcome(graph.value[node], [])
        if twin is None:
            return ours, None
        theirs = Outcome(twin.detach().numpy(), [])
        if twin.requires_grad and twin.shape == shape_of(graph.value[node]):
            _send(graph, node, leaves, tensors, twin, ours, theirs)
    return ours, theirs


def _send(
    graph: Graph, node: int, leaves: tuple[int, ...], tensors: list[Any],
    twin: torch.Tensor, ours: Outcome, theirs: Outcome,
) -> None:  # fmt: skip
    """The gradients of both, from a seed that has no symmetry, and from torch's output."""
    shape = tuple(twin.shape)
    size = int(np.prod(shape))
    seed = np.linspace(0.5, 2, size).reshape(shape).astype(np.asarray(graph.value[node]).dtype)
    graph.value[node] = settle(twin.detach().numpy().copy(), graph.dtype)
    received = {
        step.operand: step.total for step in backward(graph, node, settle(seed, graph.dtype))
    }
    wanted = [
        tensor for tensor in tensors if isinstance(tensor, torch.Tensor) and tensor.requires_grad
    ]
    sent = torch.autograd.grad(twin, wanted, torch.tensor(seed), allow_unused=True)
    theirs.gradients.extend(
        np.zeros(tuple(x.shape)) if one is None else one.numpy(force=True)
        for x, one in zip(wanted, sent, strict=True)
    )
    ours.gradients.extend(
        received.get(leaf, np.zeros(shape_of(graph.value[leaf])))
        for leaf, one in zip(leaves, tensors, strict=True)
        if isinstance(one, torch.Tensor) and one.requires_grad
    )


def class_of(value: Any) -> np.ndarray:
    """nan 5, ±inf ±4, other ±1 numbers, ±0 as 0."""
    array = np.asarray(value, float)
    with np.errstate(all="ignore"):
        kind = np.where(np.isinf(array), 4 * np.sign(array), np.sign(array))
    return np.where(np.isnan(array), 5.0, kind)


def difference(ours: Any, theirs: Any, dtype: Dtype) -> str:
    """How the first element that is of another class differs; empty where none does.

    What is finite may be off by the roundoffs of the largest finite number beside it.
    """
    a, b = np.asarray(ours, float), np.asarray(theirs, float)
    if a.shape != b.shape:
        return f"shape {a.shape} for {b.shape}"
    tolerance = 1e-6 if dtype == "float64" else 1e-3
    largest = np.max(np.abs(b[np.isfinite(b)]), initial=1.0)
    with np.errstate(all="ignore"):
        near = np.abs(a - b) <= tolerance * largest
    special = (np.abs(class_of(a)) > 1) | (np.abs(class_of(b)) > 1)
    off = np.where(special, class_of(a) != class_of(b), ~near)
    if not off.any():
        return ""
    at = tuple(int(i) for i in np.argwhere(off)[0]) if off.ndim else ()
    return f"{a[at]} for {b[at]} at {list(at)}"


def differences(operation: Operation, dtype: Dtype, one_of: int = 1) -> Iterator[str]:
    """Where an operation of the catalogue answers otherwise than torch.

    One of `one_of` replacements is tried, others for each operation but always the same.
    """
    first = zlib.crc32(f"{operation.name} {dtype}".encode()) % one_of
    for application in applications(operation):
        for what, operands in islice(extreme(application, dtype), first, None, one_of):
            ours, theirs = outcomes(application, operands, dtype)
            if ours is None or theirs is None:
                if ours is not theirs:
                    yield f"{what}: {'we refuse' if ours is None else 'torch refuses'}"
                continue
            pairs = [
                (ours.value, theirs.value),
                *zip(ours.gradients, theirs.gradients, strict=True),
            ]
            yield from (f"{what}: {said}" for a, b in pairs if (said := difference(a, b, dtype)))
