"""The backward pass: the chain rule, applied once to every edge of the graph."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from backprop_engine.graph import Graph
from backprop_engine.values import Value, settle, shape_of, unbroadcast


class Contribution(NamedTuple):
    """What one consumer sent along one operand edge, and what the operand then holds."""

    node: int
    position: int
    operand: int
    contribution: Value
    total: Value


@dataclass(frozen=True)
class BackwardPass:
    """Every contribution of one pass in the order sent: columns, with one entry each."""

    graph: Graph
    gradient: list[Value | None]
    """One entry a node up to the output: its gradient; None where nothing came."""
    contributions: list[Value]
    totals: list[Value]
    """What the operand holds after each contribution."""

    @cached_property
    def edges(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Node, position and operand of each contribution, int64."""
        consumers, positions, operands = self.graph.edges
        came = np.fromiter((one is not None for one in self.gradient), np.bool_, len(self.gradient))
        first = np.searchsorted(-consumers, 1 - len(came))  # skip what came after the output
        requires_grad = np.frombuffer(self.graph.requires_grad, np.bool_)
        sent = first + np.flatnonzero(came[consumers[first:]] & requires_grad[operands[first:]])
        return consumers[sent], positions[sent], operands[sent]

    def __iter__(self) -> Iterator[Contribution]:
        columns = (*(column.tolist() for column in self.edges), self.contributions, self.totals)
        return map(Contribution._make, zip(*columns, strict=True))


def backward(graph: Graph, output: int, seed: Value) -> BackwardPass:
    """Reverse-mode differentiation from `output`, whose gradient is `seed`.

    Contributions come in torch's order: nodes in reverse order of creation, and for each the
    operands that require grad from left to right. A node's gradient is complete when its turn
    comes, because all of its consumers were created after it.
    """
    gradient: list[Value | None] = [None] * (output + 1)
    gradient[output] = seed
    contributions: list[Value] = []
    totals: list[Value] = []
    value, requires_grad = graph.value, graph.requires_grad
    sent: Sequence[tuple[int, Value]]
    for node in range(output, -1, -1):
        upstream = gradient[node]
        if upstream is None:
            continue
        operands, rules = graph.operands[node], graph.scalar_rules[node]
        try:
            if rules is None:
                sent = _sent(graph, node, upstream)
            elif len(operands) == 1:  # numbers, spelled out, take a third of the time
                a, y = operands[0], value[node]
                sent = ((a, rules[0](upstream, y, value[a])),)
            else:
                a, b = operands
                y, x, z = value[node], value[a], value[b]
                if not requires_grad[b]:
                    sent = ((a, rules[0](upstream, y, x, z)),)
                elif not requires_grad[a]:
                    sent = ((b, rules[1](upstream, y, x, z)),)
                else:
                    sent = (a, rules[0](upstream, y, x, z)), (b, rules[1](upstream, y, x, z))
        except ArithmeticError:  # such as 1/0, which `_sent` answers as IEEE 754 does
            sent = _sent(graph, node, upstream)
        for operand, one in sent:
            if rules is not None and type(one) is not float:
                one = float(one)
            before = gradient[operand]
            gradient[operand] = total = one if before is None else before + one
            contributions.append(one)
            totals.append(total)
    return BackwardPass(graph, gradient, contributions, totals)


def _sent(graph: Graph, node: int, upstream: Value) -> Sequence[tuple[int, Value]]:
    """What `node` sends: each operand that requires grad, with its contribution."""
    return [
        (operand, contribution(graph, node, position, upstream))
        for position, operand in enumerate(graph.operands[node])
        if graph.requires_grad[operand]
    ]


def contribution(graph: Graph, node: int, position: int, upstream: Value) -> Value:
    """Upstream gradient × local derivative, for the operand at `position` of `node`."""
    operation, operands, value = graph.operation[node], graph.operands[node], graph.value
    if operation is None:
        raise ValueError(f"node {node} is a leaf and sends nothing")
    sent = operation.send(
        position, upstream, value[node], [value[o] for o in operands], graph.attributes_of(node)
    )
    if type(sent) is float and graph.dtype == "float64":
        return sent
    if operation.elementwise:
        sent = unbroadcast(sent, shape_of(value[operands[position]]))
    return settle(sent, graph.dtype)
