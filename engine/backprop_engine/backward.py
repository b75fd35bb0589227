"""The backward pass: the chain rule, applied once to every edge of the graph."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from backprop_engine.graph import Graph
from backprop_engine.operation import Operation
from backprop_engine.values import Value, settle, shape_of, unbroadcast


class Contribution(NamedTuple):
    """What one consumer sent along one operand edge, and what the operand then holds."""

    node: int
    position: int
    operand: int
    contribution: Value
    total: Value


def backward(graph: Graph, output: int, seed: Value) -> Iterator[Contribution]:
    """Reverse-mode differentiation from `output`, whose gradient is `seed`.

    Yields every contribution in torch's order: nodes in reverse order of creation, and for each
    the operands that require grad from left to right. A node's gradient is complete when its
    turn comes, because all of its consumers were created after it.
    """
    gradient: list[Value | None] = [None] * (output + 1)
    gradient[output] = seed
    for node in range(output, -1, -1):
        upstream = gradient[node]
        operation = graph.operation[node]
        if upstream is None or operation is None:
            continue
        for position, operand in enumerate(operation.differentiated(graph.operands[node])):
            if graph.requires_grad[operand]:
                sent = contribution(graph, operation, node, position, upstream)
                before = gradient[operand]
                total = sent if before is None else before + sent
                gradient[operand] = total
                yield Contribution(node, position, operand, sent, total)


def contribution(
    graph: Graph, operation: Operation, node: int, position: int, upstream: Value
) -> Value:
    """Upstream gradient × local derivative, for the operand at `position` of `node`."""
    operands = graph.operands[node]
    values = [graph.value[operand] for operand in operands]
    sent = operation.send(position, upstream, graph.value[node], values, graph.attributes_of(node))
    if type(sent) is float and graph.dtype == "float64":
        return sent
    if operation.elementwise:
        sent = unbroadcast(sent, shape_of(values[position]))
    return settle(sent, graph.dtype)
