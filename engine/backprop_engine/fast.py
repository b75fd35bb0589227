"""Operations on numbers, the commonest case by far, spelled out: it takes a third of the time.

What stands here says nothing that the general way does not say, which each caller has for all
other nodes: both functions do the nodes they can, in order, and hand out the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from backprop_engine.basics.values import Value

if TYPE_CHECKING:
    from backprop_engine.graph import Graph

Contribute = Callable[["Graph", int, int, Value], Value]
"""The general way to a contribution, by node, position and upstream gradient."""


def beyond_numbers(graph: Graph, values: list[Value], nodes: Iterable[int]) -> Iterator[int]:
    """Compute `values` of those of `nodes`, ascending, that are operations on numbers.

    The others are handed out: who asks has computed them before the next one.
    """
    operation_of, operands_of, rules = graph.operation, graph.operands, graph.scalar_rules
    for node in nodes:
        operation = operation_of[node]
        if operation is not None and rules[node] is not None:
            operands = operands_of[node]
            try:
                if len(operands) == 2:
                    made = operation.forward(values[operands[0]], values[operands[1]])
                else:
                    made = operation.forward(values[operands[0]])
            except (ArithmeticError, ValueError):  # such as 1/0, which is inf by IEEE 754
                pass
            else:
                if type(made) is float:
                    values[node] = made
                    continue
        yield node


def sent_beyond_numbers(  # noqa: C901 - spelled out
    graph: Graph,
    gradient: list[Value | None],
    contributions: list[Value],
    totals: list[Value],
    contribute: Contribute,
) -> Iterator[int]:
    """Send what the nodes with a gradient send, from the last one to the first, as of numbers.

    The others are handed out: who asks has sent from them before the next one.
    """
    value, operands_of, requires_grad = graph.value, graph.operands, graph.requires_grad
    rules_of, send, hold = graph.scalar_rules, contributions.append, totals.append
    for node in graph.budget.watched(range(len(gradient) - 1, -1, -1)):
        upstream = gradient[node]
        if upstream is None:
            continue
        rules = rules_of[node]
        if rules is None:
            yield node
            continue
        # For 1/0 Python raises, where `contribute` answers inf; and numpy's scalars are slow.
        operands = operands_of[node]
        if len(operands) == 1:
            (a,) = operands
            try:
                sent = rules[0](upstream, value[node], value[a])
            except ArithmeticError:
                sent = contribute(graph, node, 0, upstream)
            if type(sent) is not float:
                sent = float(sent)
            before = gradient[a]
            gradient[a] = total = sent if before is None else before + sent
            send(sent)
            hold(total)
            continue
        a, b = operands
        y, x, z = value[node], value[a], value[b]
        if requires_grad[a]:
            try:
                sent = rules[0](upstream, y, x, z)
            except ArithmeticError:
                sent = contribute(graph, node, 0, upstream)
            if type(sent) is not float:
                sent = float(sent)
            before = gradient[a]
            gradient[a] = total = sent if before is None else before + sent
            send(sent)
            hold(total)
        if requires_grad[b]:
            try:
                sent = rules[1](upstream, y, x, z)
            except ArithmeticError:
                sent = contribute(graph, node, 1, upstream)
            if type(sent) is not float:
                sent = float(sent)
            before = gradient[b]
            gradient[b] = total = sent if before is None else before + sent
            send(sent)
            hold(total)
