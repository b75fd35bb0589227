"""Leaves that a program makes on the way: `x.requires_grad_()`, `nn.Parameter(x)`."""

from __future__ import annotations

from collections import Counter
from typing import Final

from backprop_engine.basics.notation import as_name
from backprop_engine.basics.source import ProblemError, no_float
from backprop_engine.basics.values import is_float
from backprop_engine.catalogue import OPERATIONS
from backprop_engine.grammar import syntax
from backprop_engine.program.torch_idioms import leaf_subject, only_flag
from backprop_engine.run.scope import Result, Scope
from backprop_engine.run.several_values import Values

_LONG_NAME: Final = 40
"""Of a leaf without a name, so much of its text may stand for one."""


class MadeLeaves:
    """The leaves that have been made so far."""

    def __init__(self, scope: Scope, values: Values) -> None:
        self._scope = scope
        self._values = values
        self._nodes: list[int] = []

    def make(self, call: syntax.Call, given: list[Result]) -> int:
        """The node of `x.requires_grad_()`, or of `nn.Parameter(x)`, which is detached first."""
        graph, subject = self._scope.graph, leaf_subject(call) or call
        node = self._values.one_node(given[0], subject)
        if call.function == "Parameter":
            node = graph.apply(OPERATIONS["detach"], (node,), span=call.span)
        elif not only_flag(call):
            if graph.requires_grad[node]:
                raise ProblemError(
                    "you can only change requires_grad flags of leaf variables",
                    call.span,
                    fix="for the value without its history write `.detach()`",
                )
            return node
        if graph.requires_grad[node]:
            return node
        if graph.is_number[node] or not is_float(graph.value[node]):
            fix = "write its numbers with a point, such as `2.`, or call `.float()` before"
            raise no_float(subject.span, fix)
        if graph.is_used(node):
            raise ProblemError(
                f"`{self._scope.text(subject.span)}` has been used above",
                call.span,
                fix="let it require grad where it is made: `x = (…).requires_grad_()`",
            )
        graph.make_leaf(node)
        self._nodes.append(node)
        return node

    def name_all(self) -> None:
        """Let every leaf that was made stand among the inputs, by its name or by its text."""
        graph = self._scope.graph
        of_a_name = Counter(graph.inputs)
        for node in self._nodes:
            name = graph.names.get(node, "")
            if not name:
                span = graph.span[node]
                text = self._scope.text(span) if span else ""
                name = text if 0 < len(text) <= _LONG_NAME else "leaf"
                of_a_name[name] += 1
                count = of_a_name[name]
                name = f"{name} #{count}" if count > 1 else name
                # In a formula it stands where a name does: `3/(x + 1)`.
                graph.names[node] = as_name(name)
            graph.inputs.setdefault(name, node)
