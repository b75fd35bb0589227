"""What an engine's trace can say of its nodes: the catalogue's texts, about these operands."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from backprop_engine.basics import notation
from backprop_engine.catalogue import BINARY, OPERATIONS
from backprop_engine.catalogue.subscripts import FROM_OPERAND, index_items_text
from backprop_engine.graph import Graph
from backprop_engine.operation import OPERAND_LETTERS, Operation, Template, fill


@dataclass(frozen=True, eq=False, slots=True)
class Filled:
    """A template of the catalogue, about one node and its operands."""

    template: Template
    node: int
    operands: tuple[int, ...]
    attributes: Mapping[str, Any]

    def text(self, name: Callable[[int], str], upstream: str = "") -> str:
        """It in Unicode, each node as `name` has it, the upstream gradient as `upstream`."""
        texts = {key: _attribute_text(value) for key, value in self.attributes.items()}
        names = [notation.in_brackets(name(operand)) for operand in self.operands]
        if "items" in self.attributes:
            items = self.attributes["items"]
            indices = names[len(names) - items.count(FROM_OPERAND) :]
            texts["items"] = index_items_text(items, tuple(indices))
        texts |= {"y": notation.in_brackets(name(self.node)), "g": upstream}
        texts.update(zip(OPERAND_LETTERS, names, strict=False))
        return fill(self.template, texts)


@dataclass(frozen=True, eq=False, slots=True)
class CatalogueExplains:
    """How the nodes of a graph are made and what they send, as the catalogue has it."""

    graph: Graph

    def output(self, node: int) -> Filled:
        """How `node` is made of its operands; ValueError for a leaf."""
        return self._filled(node, self._operation(node).notation)

    def local(self, node: int, position: int) -> Filled | None:
        """∂node/∂operand; None where elements mix."""
        local = self._operation(node).derivative(position).local
        return None if local is None else self._filled(node, local)

    def product(self, node: int, position: int) -> Filled | None:
        """The vector-Jacobian product, where elements mix."""
        product = self._operation(node).derivative(position).vjp
        return None if product is None else self._filled(node, product)

    def words(self, node: int) -> str:
        """What the operation does."""
        return self._operation(node).words

    def why(self, node: int, position: int) -> str:
        """One plain sentence on why the derivative is so."""
        return self._operation(node).derivative(position).words

    def _filled(self, node: int, template: Template) -> Filled:
        graph = self.graph
        return Filled(template, node, graph.operands[node], graph.attributes_of(node))

    def _operation(self, node: int) -> Operation:
        operation = self.graph.operation[node]
        if operation is None:
            raise ValueError(f"node {node} is a leaf")
        return operation


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


def _attribute_text(value: object) -> str:
    """`0.5` as it would be written, `(−2)` in brackets; `1.0` is `1`."""
    return notation.in_brackets(notation.number(value)) if type(value) is float else str(value)
