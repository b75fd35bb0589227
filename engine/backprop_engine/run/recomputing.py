"""What a node of a graph sends for another upstream gradient than the recorded one."""

from __future__ import annotations

import numpy as np

from backprop_engine.backward import contribution
from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.values import Value, broadcasts_to, settle, shape_of
from backprop_engine.graph import Graph


@dataclass(frozen=True, eq=False, slots=True)
class GraphRecomputes:
    """The rules of the catalogue, on the recorded operands."""

    graph: Graph

    def send(self, node: int, position: int, upstream: Value) -> Value:
        """Upstream × local, in the shape of the operand. Raises DerivativeError."""
        return contribution(self.graph, node, position, upstream)

    def terms(self, node: int, position: int, upstream: Value) -> Value:
        """The same before it is summed over the axes that the operand was broadcast along.

        ValueError for a leaf, which sends nothing.
        """
        graph = self.graph
        operands = [graph.value[operand] for operand in graph.operands[node]]
        with np.errstate(all="ignore"):
            terms = graph.applied(node).send(
                position, upstream, graph.value[node], operands, graph.attributes_of(node)
            )
        return settle(terms, graph.dtype)

    def is_by_element(self, node: int) -> bool:
        """Whether each element of `node` is made of one element of each operand.

        Not so where elements mix, and not where an operand is fitted in otherwise than numpy
        broadcasts, as the weights of prelu are.
        """
        graph = self.graph
        operation, shape = graph.operation[node], shape_of(graph.value[node])
        operands = (shape_of(graph.value[operand]) for operand in graph.operands[node])
        return (
            operation is not None
            and operation.elementwise
            and all(broadcasts_to(operand, shape) for operand in operands)
        )
