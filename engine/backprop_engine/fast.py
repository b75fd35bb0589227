"""Operations on numbers, the commonest case by far, spelled out: it takes a third of the time.

What stands here says nothing that the general way does not say, which each caller has for all
other nodes: both functions do the nodes they can, in order, and hand out the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING

from backprop_engine.basics.values import Value
from backprop_engine.node_kinds import AS_SUM, BY_ONE_RULE

if TYPE_CHECKING:
    from backprop_engine.graph import Graph

Contribute = Callable[["Graph", int, int, Value], Value]
"""The general way to a contribution, by node, position and upstream gradient."""


def beyond_numbers(graph: Graph, values: list[Value], nodes: Iterable[int]) -> Iterator[int]:
    """Compute `values` of those of `nodes`, ascending, that are operations on numbers.

    The others are handed out: who asks has computed them before the next one.
    """
    kinds, operands_of = graph.kind, graph.operands
    for node in nodes:
        kind = kinds[node]
        if kind.rules and kind.operation is not None:
            operands = operands_of[node]
            try:
                if len(operands) == 2:
                    made = kind.operation.forward(values[operands[0]], values[operands[1]])
                else:
                    made = kind.operation.forward(values[operands[0]])
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
    value, beyond = graph.value, len(graph) - len(gradient)
    nodes = graph.budget.watched(range(len(gradient) - 1, -1, -1))
    kinds = islice(reversed(graph.kind), beyond, None)
    operands_of = islice(reversed(graph.operands), beyond, None)
    # A node's gradient is read when its turn comes, and so is final.
    rows = zip(nodes, reversed(gradient), kinds, operands_of, strict=True)
    for node, upstream, kind, operands in rows:
        if upstream is None:
            continue
        sends = kind.sends
        if not sends or type(upstream) is not float:
            yield node
            continue
        if sends >= AS_SUM:
            a, b = operands
            if kind.to_first:
                sent = upstream if sends == AS_SUM else upstream * value[b]
                before = gradient[a]
                gradient[a] = total = sent if before is None else before + sent
                contributions.append(sent)
                totals.append(total)
            if kind.to_second:
                sent = upstream if sends == AS_SUM else upstream * value[a]
                before = gradient[b]
                gradient[b] = total = sent if before is None else before + sent
                contributions.append(sent)
                totals.append(total)
            continue
        for position, operand in enumerate(operands):
            if kind.to_second if position else kind.to_first:
                rule = kind.rules[position]
                try:
                    if sends == BY_ONE_RULE:
                        sent = rule(upstream, value[node], value[operand])
                    else:
                        sent = rule(upstream, value[node], value[operands[0]], value[operands[1]])
                except ArithmeticError:  # for 1/0 Python raises, where `contribute` answers inf
                    sent = contribute(graph, node, position, upstream)
                if type(sent) is not float:
                    sent = float(sent)  # numpy's scalars are slow
                before = gradient[operand]
                gradient[operand] = total = sent if before is None else before + sent
                contributions.append(sent)
                totals.append(total)
