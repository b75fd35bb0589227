"""Ties: what an operation that picks leaves open where elements are equal.

Torch does not say which of equal elements `topk`, `sort`, `kthvalue` or `median` pick; the values
are the same, and the gradients land at different ones. Both answers are right, if each hands the
same gradients to elements that are equal, one to each.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from backprop_engine.basics.values import Value, shape_of
from backprop_engine.catalogue.shared.axes import axis_of
from backprop_engine.catalogue.shared.picking import INDICES
from backprop_engine.graph import Graph

WORDS = "a tie: torch picks others of equal elements, and both are right"


def picks_alike(graph: Graph, node: int, operand: Value, ours: Value, theirs: Value) -> bool:
    """Whether two indices that `node` could answer with pick equal elements, none of them twice."""
    attributes = graph.attributes_of(node)
    if not _picks(graph, node) or attributes["output"] != INDICES:
        return False
    array, axis = np.atleast_1d(operand), axis_of(operand, attributes["dim"])
    both = [np.atleast_1d(answer) for answer in (ours, theirs)]
    if not attributes.get("keepdim", True) and shape_of(operand):
        both = [np.expand_dims(answer, axis) for answer in both]
    if np.any(both[1] < 0) or np.any(both[1] >= array.shape[axis]):
        return False
    a, b = (np.take_along_axis(array, order, axis) for order in both)
    in_order = np.sort(both[1], axis=axis)
    return np.array_equal(a, b, equal_nan=True) and bool(np.all(np.diff(in_order, axis=axis)))


def sends_alike(graph: Graph, node: int, operand: Value, ours: Value, theirs: Value) -> bool:
    """Whether two contributions of `node` hand the same to equal elements, in another order."""
    if not _picks(graph, node) or not shape_of(operand):
        return False
    axis = axis_of(operand, graph.attributes_of(node)["dim"])
    a, b = (_in_order(np.asarray(answer), np.asarray(operand), axis) for answer in (ours, theirs))
    return np.array_equal(a, b, equal_nan=True)


def _in_order(sent: np.ndarray, operand: np.ndarray, axis: int) -> Any:
    """What is sent, by the size of the element it goes to, and of equal ones by its own."""
    return np.take_along_axis(sent, np.lexsort((sent, operand), axis=axis), axis)


def _picks(graph: Graph, node: int) -> bool:
    operation = graph.operation[node]
    return operation is not None and operation.tied is not None and operation.outputs is not None
