"""Every operation with operands and attributes that nobody would give it, forwards and backwards.

What may come out is a value or an OperandError that says why not; whatever else is raised, by the
operation, by its derivatives or by what tells about them, is a fault. `python -m
tests.fuzz.hostile COUNT SEED [NAME…]` tries COUNT applications of each operation and prints the
faults.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np
from tests.recorded import recorded

from backprop_engine.backward import backward, contribution
from backprop_engine.basics.source import OperandError, ScenarioError
from backprop_engine.basics.values import (
    Dtype,
    Value,
    dtype_of,
    full_like,
    is_float,
    settle,
    shape_of,
)
from backprop_engine.catalogue import OPERATIONS
from backprop_engine.catalogue.subscripts import FROM_OPERAND
from backprop_engine.checking.compare import recompute_contribution, recompute_output
from backprop_engine.checking.differences import finite_differences
from backprop_engine.graph import Graph
from backprop_engine.operation import REQUIRED, Kind, Operation, Parameter
from backprop_engine.reading.explain import explain
from backprop_engine.reading.opened import open_composite, seeding_pass
from backprop_engine.run.opening import composite_text

SHAPES = [
    (), (0,), (1,), (2,), (3,), (2, 2), (2, 3), (3, 3), (0, 3), (2, 0), (0, 0), (1, 1), (1, 2, 3),
    (2, 2, 2), (0, 2, 2), (1, 2, 4, 4), (2, 4, 3, 3), (1, 0, 3, 3), (1, 1, 1, 1, 2),
]  # fmt: skip
NUMBERS = [
    0.0, -0.0, 1.0, -1.0, 0.5, 2.0, 3.0, 1e308, -1e308, 5e-324, 1e-320, np.inf, -np.inf, np.nan,
    1e-12, 0.999999, -3.5,
]  # fmt: skip
WHOLE = [0, 1, 2, 3, -1, -2, 5, -100, 2**31, -(2**63), 2**63 - 1]
ATTRIBUTES: Mapping[Kind, list[Any]] = {
    Kind.AXIS: [0, 1, -1, 2, -2, 5, -7, 10**9],
    Kind.AXES: [0, 1, -1, (), (0,), (0, 1), (1, 0), (0, 0), (-1, 0), (0, 1, 2), 9, (9,), -9],
    Kind.SHAPE: [
        (), (-1,), (2, -1), (0,), (0, -1), (-1, -1), (1,), (3, 2), (2, 3, 1), (10**9, 10**9),
        (2**62, 4), (-2,), (1, 0), (0, 1), (0, 0),
    ],
    Kind.WHOLE: [0, 1, 2, 3, -1, -2, 10**9, -(10**9), 10**18],
    Kind.SIZES: [0, 1, 2, 3, -1, (), (1,), (2, 2), (1, 2), (0, 0), (-1,), (3, 3, 3), 10**9,
                 (10**9, 10**9), (1, 1, 1, 1), (1, -1), (2, 1)],
    Kind.NUMBER: [*NUMBERS, -0.5, 100.0],
    Kind.SCALAR: [*NUMBERS, -0.5, 100.0, *WHOLE],
    Kind.FLAG: [True, False],
    Kind.TEXT: ["", "none", "sum"],
}  # fmt: skip
EQUATIONS = ["ij,jk->ik", "i,i->", "ii->i", "ij->", "...i,...i->...", "i,j", "->", "", "ij,ij->ji"]
INDICES = [
    (0,), (-1,), (5,), (slice(None),), (slice(1, None),), (slice(None, None, 2),), (..., 0),
    (None, 0), (None,), (...,), (FROM_OPERAND,), (FROM_OPERAND, 0), (0, FROM_OPERAND),
    ((0, 0),), ((),), ((0, 1), slice(None)), (slice(5, 9),), (0, 0, 0),
]  # fmt: skip


@dataclass(frozen=True)
class Fault:
    """What should not have happened, and with what."""

    operation: str
    what: str
    error: str

    def __str__(self) -> str:
        return f"{self.operation}: {self.error}\n    {self.what}"


def faults(name: str, count: int, seed: int) -> Iterator[Fault]:
    """The faults of one operation in so many applications; the same for the same seed."""
    random, operation = Random(f"{name} {seed}"), OPERATIONS[name]
    for _ in range(count):
        dtype: Dtype = random.choice(["float64", "float64", "float32"])
        operands = _operands(random, operation, dtype)
        attributes = _attributes(random, operation)
        if name == "index":
            items = random.choice(INDICES)
            attributes["items"] = items
            asked = sum(item == FROM_OPERAND for item in items)
            operands = [operands[0], *[operands[1]] * asked]
        try:
            _try(random, operation, operands, attributes, dtype)
        except Exception as error:  # noqa: BLE001 - any at all is what is looked for
            told = f"{operands!r} {attributes!r} in {dtype}".replace("\n", "")
            yield Fault(name, told, f"{type(error).__name__}: {error}".split("\n")[0][:200])


def _operands(random: Random, operation: Operation, dtype: Dtype) -> list[Value]:
    count = 0
    for parameter in operation.spelling.parameters:
        if parameter.is_ignored or parameter.refusal:
            continue
        if parameter.kind is Kind.OPERANDS:
            count += random.randrange(4)
        elif parameter.kind is Kind.OPERAND and (
            parameter.default is REQUIRED or random.random() < 0.6
        ):
            count += 1
    count += operation.name == "index"
    shape = random.choice(SHAPES)
    return [_operand(random, shape, dtype) for _ in range(count)]


def _operand(random: Random, shape: tuple[int, ...], dtype: Dtype) -> Value:
    """Mostly of one shape with the others: an operation that refuses tells nothing."""
    if random.random() < 0.4:
        shape = random.choice(SHAPES)
    size = int(np.prod(shape))
    kind = random.choice(["plain", "plain", "odd", "odd", "same", "int", "bool"])
    if kind == "plain":
        numbers: Any = [random.gauss(0, 1) for _ in range(size)]
    elif kind == "odd":
        numbers = random.choices(NUMBERS, k=size)
    elif kind == "same":
        numbers = [random.choice(NUMBERS)] * size
    elif kind == "int":
        numbers = random.choices([0, 1, 2, 0, 1, *WHOLE], k=size)
    else:
        numbers = random.choices([True, False], k=size)
    kinds = {"int": np.int64, "bool": np.bool_}
    with np.errstate(all="ignore"):
        array = np.array(numbers, kinds.get(kind, np.dtype(dtype))).reshape(shape)
    if array.ndim > 1 and random.random() < 0.2:
        array = np.swapaxes(np.array(np.swapaxes(array, 0, -1)), 0, -1)
    return settle(array, dtype)


def _attributes(random: Random, operation: Operation) -> dict[str, Any]:
    return {
        parameter.name: _attribute(random, parameter)
        for parameter in operation.spelling.parameters
        if parameter.kind not in (Kind.OPERAND, Kind.OPERANDS) and parameter.is_taken
    }


def _attribute(random: Random, one: Parameter) -> Any:
    if one.default is not REQUIRED and random.random() < 0.4:
        return one.default
    if one.kind is Kind.TEXT:
        return random.choice(one.choices or (EQUATIONS if one.name == "equation" else [""]))
    return random.choice(ATTRIBUTES[one.kind])


def _try(
    random: Random,
    operation: Operation,
    operands: list[Value],
    attributes: dict[str, Any],
    dtype: Dtype,
) -> None:
    """One application, its names, its contributions and what is told of them."""
    graph = Graph(dtype)
    leaves = tuple(
        graph.add_input(f"v{at}", one, requires_grad=is_float(one) and random.random() < 0.9)
        if random.random() < 0.9
        else graph.add_constant(one)
        for at, one in enumerate(operands)
    )
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("error")
        try:
            outputs = graph.outputs(operation, leaves, attributes)
            if outputs:
                attributes["output"] = random.randrange(len(outputs))
            node = graph.apply(operation, leaves, attributes)
        except OperandError:
            return
        _check_value(graph.value[node], None, graph.float_dtype(node))
        graph.grad_fn(node)
        if not graph.requires_grad[node]:
            return
        for seed in (1.0, random.choice(NUMBERS)):
            upstream = full_like(graph.value[node], seed)
            for position, operand in enumerate(graph.differentiated(node)):
                if graph.requires_grad[operand]:
                    sent = contribution(graph, node, position, upstream)
                    _check_value(sent, graph.value[operand], graph.dtype)
                    if random.random() < 0.1:
                        _judge(graph, node, position, upstream)
        _tell(graph, node, is_thorough=random.random() < 0.1)


def _check_value(value: Any, of: Value | None, dtype: Dtype) -> None:
    assert isinstance(value, float | int | bool | np.float32 | np.ndarray), type(value)
    assert not isinstance(value, np.ndarray) or value.ndim, "an array without axes"
    assert dtype_of(value) in (dtype, "int64", "bool"), dtype_of(value)
    if of is not None:
        assert shape_of(value) == shape_of(of), f"{shape_of(value)} sent to {shape_of(of)}"
        assert dtype_of(value) == dtype, f"{dtype_of(value)} was sent"


def _judge(graph: Graph, node: int, position: int, upstream: Value) -> None:
    """How far another library may be off: found by running the same with other roundings."""
    given = [graph.value[operand] for operand in graph.operands[node]]
    recompute_output(graph, node, given).bound()
    output = graph.value[node]
    recompute_contribution(graph, node, position, upstream, output, given).bound()


def _tell(graph: Graph, node: int, *, is_thorough: bool) -> None:
    """What the screen says of every step; thoroughly, with the parts and finite differences."""
    output = node
    if shape_of(graph.value[node]):
        output = graph.apply(OPERATIONS["sum"], (node,), {"dim": None, "keepdim": False})
    backward(graph, output, full_like(graph.value[output], 1.0))
    trace = recorded(graph, output)
    for step in range(len(trace)):
        explain(trace, step)
    if composite_text(trace, node) and is_thorough:
        with suppress(ScenarioError):
            open_composite(trace, node, seeding_pass(trace, node, 0))
    if is_thorough:
        finite_differences(trace)


def main(words: list[str]) -> int:
    """Print the faults, each kind once; 1 if there are any."""
    count, seed = int(words[0]), int(words[1])
    found: dict[tuple[str, str], Fault] = {}
    for name in words[2:] or OPERATIONS:
        for fault in faults(name, count, seed):
            if found.setdefault((name, fault.error[:60]), fault) is fault:
                print(fault, flush=True)
    print(f"{len(found)} kinds of faults")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
