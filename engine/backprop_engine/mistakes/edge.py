"""One edge of a backward pass with all that its contribution is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import zip_longest
from typing import Any

import numpy as np

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.values import (
    Dtype,
    Value,
    evaluate,
    full_like,
    in_full,
    is_float,
    seen_in,
    settle,
    shape_of,
    unbroadcast,
)
from backprop_engine.operation import Operation
from backprop_engine.run.tape import graph_of
from backprop_engine.trace import Trace

_TRIES = 10


@dataclass(frozen=True, eq=False, slots=True)
class Edge:
    """A node, one of its operands, and what reaches the node from above."""

    operation: Operation
    attributes: Mapping[str, Any]
    position: int
    upstream: Value
    output: Value
    operands: Sequence[Value]
    dtype: Dtype
    literals: Sequence[bool] = ()
    """For each operand whether it is a number that is written out; none where there are none."""

    @property
    def operand(self) -> Value:
        """The value of the operand that receives."""
        return self.operands[self.position]

    def terms(self, **other: Any) -> Any:
        """Upstream × local with `other` fields, not yet summed over the operand's copies."""
        edge = replace(self, **other)
        return edge.operation.send(
            edge.position, edge.upstream, edge.output, edge.operands, edge.attributes
        )

    def sent(self, **other: Any) -> Value:
        """The contribution with `other` fields, in the shape of the operand that receives."""
        with np.errstate(all="ignore"):
            return self.fitted(self.terms(**other))

    def fitted(self, terms: Any) -> Value:
        """`terms` of an elementwise operation summed over the operand's copies; others as is."""
        if self.operation.elementwise:
            terms = unbroadcast(terms, shape_of(self.operand))
        return settle(terms, self.dtype)

    def elsewhere(self, rng: np.random.Generator) -> Edge | None:
        """The same edge at other finite values near by; None where there are none to be had."""
        for _ in range(_TRIES):
            operands = [
                operand if is_literal else _other(operand, rng)
                for operand, is_literal in zip_longest(self.operands, self.literals)
            ]
            with np.errstate(all="ignore"):
                try:
                    output = evaluate(self.operation.forward, operands, self.attributes)
                except (ValueError, IndexError, TypeError, ArithmeticError):
                    return None
            if np.shape(output) == shape_of(self.output) and np.all(np.isfinite(output)):
                settled = settle(output, self.dtype)
                upstream = _other(full_like(self.upstream, 1.0), rng)
                return replace(self, operands=operands, output=settled, upstream=upstream)
        return None


def edge_at(trace: Trace, step: int, upstream: Value | None = None) -> Edge:
    """The edge of a contribution step, with another upstream gradient where one is given.

    Raises MissingError for a trace without a tape, and ValueError where the step is another or
    the gradient is not kept whole.
    """
    node, _, position = trace.edge(step)
    if upstream is None:
        gradient = trace.gradient(node, step) if position >= 0 else None
        if gradient is None:
            raise ValueError(f"step {step} sends nothing along an edge")
        upstream = in_full(gradient)
    return edge_of(trace, node, position, upstream)


def edge_of(trace: Trace, node: int, position: int, upstream: Value) -> Edge:
    """The edge from `node` to its operand at `position`. Raises as `edge_at`."""
    graph = graph_of(trace)
    operation, given = graph.operation[node], graph.operands[node]
    if operation is None or not 0 <= position < len(given):
        raise ValueError(f"node {node} has no operand {position}")
    return Edge(
        operation,
        graph.attributes_of(node),
        position,
        upstream,
        graph.value[node],
        seen_in(graph.dtype, [graph.value[operand] for operand in given]),
        graph.dtype,
        [bool(graph.is_number[operand]) and trace.is_leaf(operand) for operand in given],
    )


def _other(value: Value, rng: np.random.Generator) -> Value:
    """A value near by with the same signs; whole numbers and truth values stay."""
    if not is_float(value):
        return value
    array = np.asarray(value)
    near = np.where(array == 0, 1.0, array) * rng.uniform(0.6, 1.6, array.shape)
    return settle(near.astype(array.dtype), "float32" if array.dtype == np.float32 else "float64")
