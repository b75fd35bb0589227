"""What goes over the pipe to the symbolic process: the part of the tape that its outputs need.

Only numbers can be asked about, and only so many: `not_applicable` says so before any process is
started. What no gradient goes through (`detach`, `no_grad`) is sent as the number it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from backprop_engine.basics.values import dtype_of, is_float, seen_in, shape_of
from backprop_engine.graph import Graph
from backprop_engine.run.tape import graph_of
from backprop_engine.trace import Missing, PassKind, Trace
from backprop_tui.oracles.messages import encode_attribute
from backprop_tui.oracles.sympy.report import (
    IN_ARRAYS,
    Function,
    Mathematics,
    Partial,
    SymbolicReport,
)

SIZE_LIMIT = 1000
"""Symbols, numbers and operations of an output that is written out in full."""

_INSTEAD = "The chain rule explains it step by step all the same, and torch checks it."


def outputs_of(trace: Trace) -> list[int]:
    """The nodes that backward passes start from, each once."""
    backward = [pass_ for pass_ in trace.passes if pass_.kind is PassKind.BACKWARD]
    return list(dict.fromkeys(pass_.output for pass_ in backward if pass_.output is not None))


def not_applicable(trace: Trace) -> Missing | None:
    """Why mathematics in numbers cannot say anything about `trace`; None if it can."""
    graph = graph_of(trace)
    needed = _needed(graph, outputs_of(trace))
    for node in needed:
        shape = shape_of(graph.value[node])
        if shape:
            return Missing(
                f"Formulas are for numbers, and {trace.label(node)} is an array of shape {shape}.",
                "Take the same program with one number in place of each array, and it will show.",
                IN_ARRAYS,
            )
    for node in needed:
        operation = graph.operation[node]
        if operation is not None and operation.twins.symbolic is None and not is_held(graph, node):
            return Missing(
                f"`{operation.name}` has no formula in numbers.",
                _INSTEAD,
                "an operation without a formula",
            )
    size = _size(graph, needed)
    if size > SIZE_LIMIT:
        return Missing(
            f"Written out in full the output has more than {SIZE_LIMIT:,} parts.",
            _INSTEAD,
            "too long to write out",
        )
    return None


def is_held(graph: Graph, node: int) -> bool:
    """Whether a computed node counts as the number it was: no gradient goes through it."""
    operation = graph.operation[node]
    if operation is None or graph.requires_grad[node]:
        return False
    has_form = operation.twins.symbolic is not None
    if any(shape_of(graph.value[operand]) for operand in graph.operands[node]) or not has_form:
        return True
    # A comparison is a part of the formula (`x > 0`); a detached value is a number.
    return graph.is_cut_off(node) and dtype_of(graph.value[node]) != "bool"


def _needed(graph: Graph, outputs: Sequence[int]) -> list[int]:
    """The nodes that the outputs are made of, ascending, as far as they are not held."""
    return _reached(outputs, lambda node: _parts(graph, node))


def _parts(graph: Graph, node: int) -> tuple[int, ...]:
    """What a node is made of in a formula: nothing if it is a symbol or a number there."""
    return () if graph.is_leaf(node) or is_held(graph, node) else graph.operands[node]


def _reached(outputs: Sequence[int], following: Callable[[int], Iterable[int]]) -> list[int]:
    seen, waiting = set(outputs), list(outputs)
    while waiting:
        for operand in following(waiting.pop()):
            if operand not in seen:
                seen.add(operand)
                waiting.append(operand)
    return sorted(seen)


def _size(graph: Graph, needed: Iterable[int]) -> int:
    """The largest number of parts of a node that is written out; shared parts count each time."""
    sizes: dict[int, int] = {}
    for node in needed:
        operands = _parts(graph, node)
        # Beyond the limit it may double with every node, so it is not counted any further.
        counted = 1 + sum(sizes[operand] for operand in operands)
        sizes[node] = min(counted, 10**9)
    return max(sizes.values(), default=0)


Texts = Literal["simplified", "plain", "none"]
"""What is to be written down: short derivatives, derivatives as they come, or nothing."""


def encode_symbolic(trace: Trace, *, texts: Texts) -> dict[str, Any]:
    """A request; `trace` is one that `not_applicable` has nothing against."""
    graph = graph_of(trace)
    outputs = outputs_of(trace)
    needed = _needed(graph, outputs)
    return {
        "texts": texts,
        "dtype": graph.dtype,
        # The sine of exp(exp(exp(3))) would need a hundred million digits.
        "is_finite": bool(np.isfinite([float(graph.value[node]) for node in needed]).all()),
        "tape": [_entry(trace, node) for node in needed],
        "outputs": [[output, _inputs_of(graph, output)] for output in outputs],
    }


def _entry(trace: Trace, node: int) -> dict[str, Any]:
    """A symbol (a float input), a number, or an operation on earlier entries."""
    graph = graph_of(trace)
    value, operation = graph.value[node], graph.operation[node]
    entry: dict[str, Any] = {"node": node}
    if operation is not None and not graph.is_leaf(node) and not is_held(graph, node):
        attributes = graph.attributes_of(node)
        return entry | {
            "operation": operation.name,
            "operands": graph.operands[node],
            "attributes": {key: encode_attribute(value) for key, value in attributes.items()},
        }
    if node in graph.inputs.values() and is_float(value):
        entry["name"] = trace.label(node)
    # The digits, because 0.1 is to be shown as such; in float32 the value has more of them.
    (seen,) = seen_in(graph.dtype, [value])
    exact = float(seen) if isinstance(seen, np.float32) else value
    return entry | {"value": exact, "digits": str(value)}


def _inputs_of(graph: Graph, output: int) -> list[int]:
    """The inputs that a gradient comes to, from `output`."""
    reached = _reached(
        [output], lambda node: [o for o in graph.differentiated(node) if graph.requires_grad[o]]
    )
    leaves = set(graph.inputs.values())
    return [node for node in reached if node in leaves and graph.requires_grad[node]]


def decode_symbolic(trace: Trace, reply: Mapping[str, Any]) -> SymbolicReport:
    """Sympy's answer. KeyError, TypeError or ValueError if it is none."""
    functions = {
        int(function["output"]): _function(trace, function) for function in reply["functions"]
    }
    missing = set(outputs_of(trace)) - set(functions)
    if missing:
        raise ValueError(f"nothing is said of {missing}")
    return SymbolicReport(version=reply["version"], functions=functions)


def _function(trace: Trace, encoded: Mapping[str, Any]) -> Function:
    needed = set(_needed(graph_of(trace), [int(encoded["output"])]))
    inputs, value = trace.nodes.inputs.values(), trace.nodes.value
    return Function(
        arguments=tuple(node for node in inputs if node in needed and is_float(value[node])),
        expression=Mathematics(*encoded["expression"]),
        value=encoded["value"],
        partials={int(told["input"]): _partial(told) for told in encoded["partials"]},
        reason=encoded["reason"],
    )


def _partial(told: Mapping[str, Any]) -> Partial:
    derivative = Mathematics(*told["derivative"])
    return Partial(derivative, told["value"], told["nearby"], told["reason"])
