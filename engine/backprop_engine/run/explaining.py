"""What an engine's trace can say of its nodes: the catalogue's formulas, about these operands."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.values import Value
from backprop_engine.catalogue import BINARY, OPERATIONS
from backprop_engine.graph import Graph
from backprop_engine.operation import OPERAND_LETTERS, Template, chosen
from backprop_engine.trace.formula import Formula

_LOOSE = (
    "As a view made inside of `no_grad` it requires grad by torch's word, but has no `grad_fn`: "
    "what is computed from it later requires grad too, and no gradient comes back to it."
)


@dataclass(frozen=True, eq=False, slots=True)
class CatalogueExplains:
    """How the nodes of a graph are made and what they send, as the catalogue has it."""

    graph: Graph

    def output(self, node: int) -> Formula:
        """How `node` is made of its operands; ValueError for a leaf."""
        return self._formula(node, self.graph.applied(node).description.notation)

    def local(self, node: int, position: int) -> Formula | None:
        """∂node/∂operand; None where elements mix."""
        local = self.graph.applied(node).derivative(position).local
        return None if local is None else self._formula(node, local)

    def product(self, node: int, position: int) -> Formula | None:
        """The vector-Jacobian product, where elements mix."""
        product = self.graph.applied(node).derivative(position).vjp
        return None if product is None else self._formula(node, product)

    def words(self, node: int) -> str:
        """What the operation does."""
        words = self.graph.applied(node).description.words
        return f"{words} {_LOOSE}" if self.graph.kind[node].is_loose else words

    def why(self, node: int, position: int) -> str:
        """One plain sentence on why the derivative is so."""
        return self.graph.applied(node).derivative(position).words

    def _formula(self, node: int, template: Template) -> Formula:
        operands, attributes = self.graph.operands[node], self.graph.attributes_of(node)
        if not isinstance(template, str):
            template = chosen(template, [self._number(operand) for operand in operands], attributes)
        nodes = dict(zip(OPERAND_LETTERS, operands, strict=False))
        nodes["y"] = node
        return Formula(template, nodes, attributes)

    def _number(self, node: int) -> Value | None:
        """The number that stands at a node without a name."""
        graph, value = self.graph, self.graph.value[node]
        if graph.is_number[node] and len(graph.operands[node]) == 1:  # the minus before a literal
            (node,) = graph.operands[node]
        is_written = graph.operation[node] is None and node not in graph.names
        return value if is_written and not isinstance(value, np.ndarray) else None


class CatalogueSpells:
    """The names and signs of the catalogue."""

    @property
    def operations(self) -> Collection[str]:
        """Every operation's name."""
        return OPERATIONS

    def operation(self, written: str) -> str | None:
        """The operation that a name or a sign (`*`) means; None where it means none."""
        operation = OPERATIONS.get(written) or BINARY.get(written)
        return None if operation is None else operation.name
