"""Indices that torch leaves open: which of equal elements `topk` or `sort` has picked."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from backprop_engine.catalogue.shared.picking import INDICES
from backprop_engine.graph import Graph


def open_pick(graph: Graph, nodes: Iterable[int]) -> int | None:
    """An operation whose open indices some of `nodes` are made of; None where there is none."""
    pending, seen = list(nodes), set[int]()
    while pending:
        node = pending.pop()
        operation = graph.operation[node]
        if operation is None or node in seen:
            continue
        seen.add(node)
        attributes, operands = graph.attributes_of(node), graph.operands[node]
        if operation.tied is not None and attributes.get("output") == INDICES:
            operand = graph.value[operands[0]]
            if isinstance(operand, np.ndarray) and np.any(operation.tied(operand, **attributes)):
                return node
        pending += operands
    return None
