"""Operations on numbers, the commonest case by far, spelled out: it takes a third of the time.

What stands here says nothing that the general way does not say, which each caller has for all
other nodes: both functions do the nodes they can, in order, and hand out the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING

from backprop_engine.basics.values import Value
from backprop_engine.node_kinds import AS_PRODUCT, AS_SUM, BY_ONE_RULE

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
        if kind.rules is not None and kind.operation is not None:
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
        rules, sends = kind.rules, kind.sends
        if rules is None or type(upstream) is not float:
            yield node
            continue
        # For 1/0 Python raises, where `contribute` answers inf; and numpy's scalars are slow.
        if sends == BY_ONE_RULE:
            (a,) = operands
            try:
                sent = rules[0](upstream, value[node], value[a])
            except ArithmeticError:
                sent = contribute(graph, node, 0, upstream)
            if type(sent) is not float:
                sent = float(sent)
            before = gradient[a]
            gradient[a] = total = sent if before is None else before + sent
            contributions.append(sent)
            totals.append(total)
            continue
        a, b = operands
        if kind.to_first:
            if sends == AS_SUM:
                sent = upstream
            elif sends == AS_PRODUCT:
                sent = upstream * value[b]
            else:
                try:
                    sent = rules[0](upstream, value[node], value[a], value[b])
                except ArithmeticError:
                    sent = contribute(graph, node, 0, upstream)
                if type(sent) is not float:
                    sent = float(sent)
            before = gradient[a]
            gradient[a] = total = sent if before is None else before + sent
            contributions.append(sent)
            totals.append(total)
        if kind.to_second:
            if sends == AS_SUM:
                sent = upstream
            elif sends == AS_PRODUCT:
                sent = upstream * value[a]
            else:
                try:
                    sent = rules[1](upstream, value[node], value[a], value[b])
                except ArithmeticError:
                    sent = contribute(graph, node, 1, upstream)
                if type(sent) is not float:
                    sent = float(sent)
            before = gradient[b]
            gradient[b] = total = sent if before is None else before + sent
            contributions.append(sent)
            totals.append(total)
