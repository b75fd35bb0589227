"""Wrong rules, made from right ones: what a check has to catch."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

import numpy as np

from backprop_engine.backward import backward
from backprop_engine.basics.values import kept, shape_of, unbroadcast
from backprop_engine.node_kinds import NodeKind
from backprop_engine.operation import Kind, Operation
from backprop_engine.run.producer import Engine
from backprop_engine.run.tape import graph_of
from backprop_engine.trace import Trace

Wrong = Callable[[Any, Operation, int, tuple[Any, ...], Mapping[str, Any]], Any]
"""From what the right rule sends, the operation, the operand's position, the rule's arguments
(upstream, output, operands) and the attributes: what a wrong rule sends."""


def _first_copy_only(
    sent: Any, operation: Operation, position: int, given: tuple[Any, ...], _: Mapping[str, Any]
) -> Any:
    """As if the sum over the copies of a broadcast operand had been forgotten."""
    shape = shape_of(given[2 + position])
    if not operation.elementwise or shape_of(sent) == shape:
        return sent
    added = np.ndim(sent) - len(shape)
    copied = [axis for axis in range(np.ndim(sent)) if axis < added or shape[axis - added] == 1]
    kept = np.zeros(np.shape(sent))
    kept[tuple(0 if axis in copied else slice(None) for axis in range(np.ndim(sent)))] = 1.0
    return sent * kept.astype(np.asarray(sent).dtype)


def _moved(sent: Any, operation: Operation, position: int, given: tuple[Any, ...], _: Any) -> Any:
    """Off by one along the first axis that has more than one element."""
    total = _summed(sent, operation, position, given)
    long = [axis for axis, size in enumerate(np.shape(total)) if size > 1]
    return np.roll(total, 1, long[0]) if long else sent


def _transposed(
    sent: Any, operation: Operation, position: int, given: tuple[Any, ...], _: Any
) -> Any:
    """Rows and columns exchanged, and put into the shape that is asked for."""
    total = _summed(sent, operation, position, given)
    return np.swapaxes(total, -1, -2).reshape(np.shape(total)) if np.ndim(total) > 1 else sent


def _summed(sent: Any, operation: Operation, position: int, given: tuple[Any, ...]) -> Any:
    """Summed back to the operand's shape: an order within the sum is no fault."""
    return unbroadcast(sent, shape_of(given[2 + position])) if operation.elementwise else sent


def _other_axis(
    sent: Any,
    operation: Operation,
    position: int,
    given: tuple[Any, ...],
    attributes: Mapping[str, Any],
) -> Any:
    """The rule for the next axis, where it has one to go along."""
    axes = [
        parameter.name
        for parameter in operation.spelling.parameters
        if parameter.kind in (Kind.AXIS, Kind.AXES) and type(attributes.get(parameter.name)) is int
    ]
    rank = max((len(shape_of(one)) for one in given[2:]), default=0)
    if not axes or rank < 2:
        return sent
    turned = {**attributes, axes[0]: (attributes[axes[0]] % rank + 1) % rank}
    upstream, output, *operands = given
    try:
        return operation.send(position, upstream, output, operands, turned)
    except (ValueError, IndexError):
        return None  # it cannot even be computed


MUTATIONS: Mapping[str, Wrong] = {
    "the other sign": lambda sent, *_: -sent,
    "twice": lambda sent, *_: 2 * sent,
    "a thousandth more": lambda sent, *_: sent * _like(sent, 1.001),
    "nothing": lambda sent, *_: sent * _like(sent, 0.0),
    "one more": lambda sent, *_: sent + _like(sent, 1.0),
    "the first copy only": _first_copy_only,
    "off by one": _moved,
    "transposed": _transposed,
    "along the next axis": _other_axis,
}


def _like(sent: Any, number: float) -> Any:
    return np.asarray(sent).dtype.type(number)


class NotComputableError(Exception):
    """The wrong rule fails, or answers in another shape: nobody could overlook it."""


def mutate(operation: Operation, position: int, wrong: Wrong) -> Operation:
    """The operation with a wrong rule for the operand at `position`."""

    def rule_of(right: Any, at: int | None) -> Any:
        def rule(upstream: Any, output: Any, /, *operands: Any, **attributes: Any) -> Any:
            sent = right(upstream, output, *operands, **attributes)
            at_position = attributes.get("position", 0) if at is None else at
            if at_position != position:
                return sent
            plain = {name: one for name, one in attributes.items() if name != "position"}
            given = (upstream, output, *operands)
            mutant = wrong(sent, operation, position, given, plain)
            shapes = (np.shape(sent), shape_of(operands[position]))
            if mutant is None or np.shape(mutant) not in shapes:
                raise NotComputableError
            return mutant

        return rule

    derivatives = tuple(
        dataclasses.replace(one, rule=rule_of(one.rule, None if operation.variadic else at))
        for at, one in enumerate(operation.derivatives)
    )
    return dataclasses.replace(operation, derivatives=derivatives)


def rerun(trace: Trace, name: str, mutant: Operation) -> Trace:
    """The trace as it would be if every `name` in it were the mutant: its backward pass anew."""
    graph = copy.copy(graph_of(trace))
    graph.kind = [
        NodeKind(mutant, kind.requires_grad, kind.is_number)
        if kind.operation is not None and kind.operation.name == name
        else kind
        for kind in graph.kind
    ]
    contributions = [kept(value) for value in trace.contributions]
    totals = [kept(value) for value in trace.totals]
    last = trace.passes[-1]
    seed = contributions[last.start]
    if last.output is None or seed is None:
        raise ValueError("the trace does not end with a backward pass")
    grads = dict(last.grads or {})
    with np.errstate(all="ignore"):
        for number, step in enumerate(backward(graph, last.output, seed), start=last.start + 1):
            contributions[number], totals[number] = step.contribution, step.total
            if step.operand in grads:
                grads[step.operand] = step.total
    return dataclasses.replace(
        trace,
        nodes=graph,
        producer=dataclasses.replace(cast("Engine", trace.producer), graph=graph),
        contributions=contributions,
        totals=totals,
        passes=(*trace.passes[:-1], dataclasses.replace(last, grads=grads)),
    )


def positions(trace: Trace, name: str) -> Iterator[int]:
    """The positions of an operation's operands that receive a contribution in the trace."""
    found = set()
    for step in range(trace.passes[-1].start + 1, len(trace)):
        sender, _, position = trace.edge(step)
        operation = graph_of(trace).operation[sender]
        if operation is not None and operation.name == name:
            found.add(position)
    yield from sorted(found)
