"""A tape with other values of its leaves: all that follows from them is computed anew."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy

from backprop_engine.basics.source import OperandError
from backprop_engine.basics.values import Value
from backprop_engine.budget import Budget
from backprop_engine.fast import beyond_numbers
from backprop_engine.graph import Graph
from backprop_engine.node_kinds import NodeKind


class RecomputingError(Exception):
    """The operation of `node` cannot take the values that reach it now; `error` says why."""

    def __init__(self, node: int, error: OperandError) -> None:
        super().__init__(str(error))
        self.node = node
        self.error = error


def with_leaves(
    graph: Graph, changed: Mapping[int, Value], is_unwanted: Callable[[], bool] | None = None
) -> Graph:
    """The same graph with other values of some leaves, and all that follows from them.

    The new values must have the shapes and dtypes of the old ones. Only the values are computed
    anew; everything else is shared. Raises RecomputingError where an operation cannot take what
    reaches it, StoppedError once it `is_unwanted`.
    """
    return _recomputed(copy(graph), changed, Budget(is_unwanted=is_unwanted))


def in_float32(graph: Graph, leaves: Mapping[int, Value], budget: Budget) -> Graph:
    """The same graph in float32, with these values of its leaves. Raises as `with_leaves`."""
    other = copy(graph)
    other.dtype = "float32"
    general = {
        kind: NodeKind(kind.operation, kind.requires_grad, kind.is_number) for kind in {*graph.kind}
    }
    other.kind = [general[kind] for kind in graph.kind]
    return _recomputed(other, leaves, budget)


def _recomputed(graph: Graph, changed: Mapping[int, Value], budget: Budget) -> Graph:
    """This graph, a copy of another, with values of its own."""
    graph.budget = budget
    graph.value = values = list(graph.value)
    for node, value in changed.items():
        values[node] = value
    for node in beyond_numbers(graph, values, budget.watched(range(len(graph)))):
        operation = graph.kind[node].operation
        if operation is None:
            continue
        attributes, dtype = graph.attributes_of(node), graph.float_dtype(node)
        try:
            values[node] = graph.compute(values, operation, graph.operands[node], attributes, dtype)
        except OperandError as error:
            raise RecomputingError(node, error) from error
    _check_choices(graph)
    return graph


def _check_choices(graph: Graph) -> None:
    """Raise RecomputingError where Python would choose another node by these values."""
    for choice, node in graph.choices.items():
        if choice.picked(graph.value) != node:
            problem = f"Python's `{choice.function}` would choose another value here"
            raise RecomputingError(node, OperandError(problem))
