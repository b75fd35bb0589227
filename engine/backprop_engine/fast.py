"""Operations on numbers, the commonest case by far, spelled out: it takes a third of the time.

What stands here says nothing that the general way does not say, which each caller has for all
other nodes: both functions do the nodes they can, in order, and hand out the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from operator import add, mul
from typing import TYPE_CHECKING, Any

from backprop_engine.basics.values import Value
from backprop_engine.columns import NO_OPERAND
from backprop_engine.node_kinds import PRODUCT_TO_BOTH, SUM_TO_BOTH, SUM_TO_ONE, Kinds, NodeKind

if TYPE_CHECKING:
    from backprop_engine.graph import Graph
    from backprop_engine.operation import Operation

Contribute = Callable[["Graph", int, int, Value], Value]
"""The general way to a contribution, by node, position and upstream gradient."""


def of_two(graph: Graph, operation: Operation) -> Callable[[int, int], int]:
    """`graph.apply` to two operands, without attributes, as long as it goes on to record or not.

    What is the same time after time is looked up once, here; a default is read faster than what
    stands around a function.
    """
    numbers = operation.on_numbers
    table, forward = numbers.kinds_of_two(graph.is_recording), numbers.forward
    value: list[Any] = graph.value

    def append(
        a: int,
        b: int,
        kinds: Sequence[Kinds] = table,
        kind: list[NodeKind] = graph.kind,
        first: list[int] = graph.first,
        second: list[int] = graph.second,
        value: list[Any] = value,
    ) -> int:
        made_kind = kinds[kind[a].sort][kind[b].sort]
        if made_kind is None:
            return graph.apply_to_any(operation, (a, b))
        try:
            made = forward(value[a], value[b])
        except (ArithmeticError, ValueError):  # the general way says what that comes to
            made = None
        if type(made) is not float:
            return graph.apply_to_any(operation, (a, b))
        node = len(value)
        kind.append(made_kind)
        first.append(a)
        second.append(b)
        value.append(made)
        return node

    def append_sum(
        a: int,
        b: int,
        kinds: Sequence[Kinds] = table,
        kind: list[NodeKind] = graph.kind,
        first: list[int] = graph.first,
        second: list[int] = graph.second,
        value: list[Any] = value,
    ) -> int:
        made_kind = kinds[kind[a].sort][kind[b].sort]
        if made_kind is None:
            return graph.apply_to_any(operation, (a, b))
        node = len(value)
        kind.append(made_kind)
        first.append(a)
        second.append(b)
        value.append(value[a] + value[b])
        return node

    def append_product(
        a: int,
        b: int,
        kinds: Sequence[Kinds] = table,
        kind: list[NodeKind] = graph.kind,
        first: list[int] = graph.first,
        second: list[int] = graph.second,
        value: list[Any] = value,
    ) -> int:
        made_kind = kinds[kind[a].sort][kind[b].sort]
        if made_kind is None:
            return graph.apply_to_any(operation, (a, b))
        node = len(value)
        kind.append(made_kind)
        first.append(a)
        second.append(b)
        value.append(value[a] * value[b])
        return node

    return append_sum if forward is add else append_product if forward is mul else append


def of_one(graph: Graph, operation: Operation) -> Callable[[int], int]:
    """The same to one operand."""
    numbers = operation.on_numbers
    kinds, forward = numbers.kinds_of_one(graph.is_recording), numbers.forward
    kind, first, second = graph.kind, graph.first, graph.second
    value: list[Any] = graph.value

    def append(a: int) -> int:
        made_kind = kinds[kind[a].sort]
        if made_kind is None:
            return graph.apply_to_any(operation, (a,))
        try:
            made = forward(value[a])
        except (ArithmeticError, ValueError):
            made = None
        if type(made) is not float:
            return graph.apply_to_any(operation, (a,))
        node = len(value)
        kind.append(made_kind)
        first.append(a)
        second.append(NO_OPERAND)
        value.append(made)
        return node

    return append


def beyond_numbers(graph: Graph, values: list[Value], nodes: Iterable[int]) -> Iterator[int]:
    """Compute `values` of those of `nodes`, ascending, that are operations on numbers.

    The others are handed out: who asks has computed them before the next one.
    """
    kinds, first, second = graph.kind, graph.first, graph.second
    for node in nodes:
        kind = kinds[node]
        if kind.rules and kind.operation is not None:
            a, b = first[node], second[node]
            try:
                if b != NO_OPERAND:
                    made = kind.operation.forward(values[a], values[b])
                else:
                    made = kind.operation.forward(values[a])
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
    columns = (graph.kind, graph.first, graph.second)
    backwards = (islice(reversed(column), beyond, None) for column in columns)
    # A node's gradient is read when its turn comes, and so is final.
    for node, upstream, kind, a, b in zip(nodes, reversed(gradient), *backwards, strict=True):
        if upstream is None:
            continue
        sends = kind.sends
        if sends == SUM_TO_BOTH:
            before = gradient[a]
            gradient[a] = total = upstream if before is None else before + upstream
            contributions.append(upstream)
            totals.append(total)
            before = gradient[b]
            gradient[b] = total = upstream if before is None else before + upstream
            contributions.append(upstream)
            totals.append(total)
        elif sends == PRODUCT_TO_BOTH:
            sent = upstream * value[b]
            before = gradient[a]
            gradient[a] = total = sent if before is None else before + sent
            contributions.append(sent)
            totals.append(total)
            sent = upstream * value[a]
            before = gradient[b]
            gradient[b] = total = sent if before is None else before + sent
            contributions.append(sent)
            totals.append(total)
        elif sends >= SUM_TO_ONE:
            if kind.to_second:
                a, b = b, a
            sent = upstream if sends == SUM_TO_ONE else upstream * value[b]
            before = gradient[a]
            gradient[a] = total = sent if before is None else before + sent
            contributions.append(sent)
            totals.append(total)
        elif b != NO_OPERAND and sends:
            for position, operand in enumerate((a, b)):
                if not (kind.to_second if position else kind.to_first):
                    continue
                try:
                    sent = kind.rules[position](upstream, value[node], value[a], value[b])
                except ArithmeticError:  # for 1/0 Python raises, where `contribute` answers inf
                    sent = contribute(graph, node, position, upstream)
                if type(sent) is not float:
                    sent = float(sent)  # numpy's scalars are slow
                before = gradient[operand]
                gradient[operand] = total = sent if before is None else before + sent
                contributions.append(sent)
                totals.append(total)
        elif sends:
            try:
                sent = kind.rules[0](upstream, value[node], value[a])
            except ArithmeticError:
                sent = contribute(graph, node, 0, upstream)
            if type(sent) is not float:
                sent = float(sent)
            before = gradient[a]
            gradient[a] = total = sent if before is None else before + sent
            contributions.append(sent)
            totals.append(total)
        elif kind.operation is not None:
            yield node
