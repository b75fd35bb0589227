"""The elementary computation at a birth, in figures: `0 · inf at [0]: upstream 0, local …`."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from backprop_engine.basics import notation
from backprop_engine.basics.values import Value, full_like, shape_of
from backprop_engine.operation import OPERAND_LETTERS, Operation, fill
from backprop_engine.reading.autopsy.births import (
    Birth,
    Element,
    Place,
    broadcasts_to,
    is_by_element,
    is_spoilt,
    name_of,
    raw_contribution,
)
from backprop_engine.trace import Trace

_DIGITS = 6


def figures(trace: Trace, birth: Birth) -> str:
    """What was computed there, with the numbers it was computed from."""
    match birth.place:
        case Place.GIVEN:
            kind = "input" if birth.node in trace.graph.inputs.values() else "constant"
            where = _where(birth.element)
            return f"the {kind} {trace.label(birth.node)} is {name_of(birth.value)}{where}"
        case Place.FORWARD:
            return _forward(trace, birth)
        case Place.SUM:
            return _sum(trace, birth)
        case Place.TERMS:
            return (
                f"the terms of what {trace.label(birth.node)} sends are finite, their sum over the "
                f"broadcast axes is {name_of(birth.value)}{_where(birth.element)}"
            )
        case Place.CONTRIBUTION if birth.position is None:
            return f"the given `gradient` is {name_of(birth.value)}{_where(birth.element)}"
        case _:
            return _contribution(trace, birth)


def at_element(value: Any, element: Element) -> Any:
    """The element of `value` that takes part at `element` of what it is broadcast to."""
    return np.asarray(value)[broadcast_index(shape_of(value), element)].item()


def broadcast_index(shape: tuple[int, ...], element: Element) -> Element:
    """Where, in an operand of `shape`, stands what `element` of the result is made from."""
    own = element[len(element) - len(shape) :]
    return tuple(0 if size == 1 else at for size, at in zip(shape, own, strict=True))


def number(value: Any) -> str:
    """A few digits of a scalar."""
    return notation.number(value, _DIGITS)


def _where(element: Element) -> str:
    return f" at {list(element)}" if element else ""


def _operation(trace: Trace, node: int) -> Operation:
    operation = trace.graph.operation[node]
    if operation is None:
        raise ValueError(f"node {node} is a leaf")
    return operation


def _forward(trace: Trace, birth: Birth) -> str:
    operation, where = _operation(trace, birth.node), _where(birth.element)
    if not is_by_element(trace.graph, birth.node):
        sources = [
            (trace.label(one), trace.graph.value[one]) for one in trace.graph.operands[birth.node]
        ]
        return f"{operation.name} = {name_of(birth.value)}{where}: {_of_what(sources)}"
    made = _single_brackets(fill(operation.notation, _texts(trace, birth)))
    return f"{made.replace('·', ' · ')} = {name_of(birth.value)}{where}"


def _sum(trace: Trace, birth: Birth) -> str:
    step = -1 if birth.step is None else birth.step
    before, sent = trace.gradient(birth.node, step), trace.contribution(step)
    one = number(at_element(before, birth.element))
    other = notation.in_brackets(number(at_element(sent, birth.element)))
    return (
        f"{one} + {other} = {name_of(birth.value)}{_where(birth.element)}: two contributions to "
        f"{trace.label(birth.node)} added up"
    )


def _contribution(trace: Trace, birth: Birth) -> str:
    graph, step = trace.graph, -1 if birth.step is None else birth.step
    operation, output = _operation(trace, birth.node), graph.value[birth.node]
    upstream, where = trace.gradient(birth.node, step), _where(birth.element)
    local = np.asarray(raw_contribution(trace, step, full_like(output, 1.0)))
    fits = broadcasts_to(local.shape, shape_of(output))
    fits = fits and len(birth.element) == len(shape_of(output))
    if not (fits and is_by_element(graph, birth.node)):
        sources = [("upstream", upstream), (trace.label(birth.node), output)]
        sources += [(trace.label(one), graph.value[one]) for one in graph.operands[birth.node]]
        return f"{operation.name} sends {name_of(birth.value)}{where}: {_of_what(sources)}"
    given = number(at_element(upstream, birth.element))
    factor = number(np.broadcast_to(local, shape_of(output))[birth.element].item())
    made = _local_text(trace, birth, operation)
    told = factor if made in ("", factor, notation.in_brackets(factor)) else f"{made} = {factor}"
    product = f"{given} · {notation.in_brackets(factor)}"
    return f"{product}{where}: upstream {given}, local {told}"


def _local_text(trace: Trace, birth: Birth, operation: Operation) -> str:
    template = operation.derivative(birth.position or 0).local
    if template is None:
        return ""
    return _single_brackets(fill(template, {**_texts(trace, birth), "g": "1"}))


def _texts(trace: Trace, birth: Birth) -> dict[str, str]:
    """The texts of a template: the elements at work, and the output as it was made."""
    graph, operation = trace.graph, _operation(trace, birth.node)
    element: Callable[[int], str] = lambda one: notation.in_brackets(  # noqa: E731
        number(at_element(graph.value[one], birth.element))
    )
    operands = graph.operands[birth.node]
    texts = {name: str(value) for name, value in graph.attributes_of(birth.node).items()}
    texts["y"] = element(birth.node)
    texts.update(zip(OPERAND_LETTERS, map(element, operands), strict=False))
    if len(operands) == 1:
        # `2·√0` tells more than `2·0`.
        texts["y"] = fill(operation.notation, texts)
    return texts


def _single_brackets(text: str) -> str:
    return re.sub(r"\(\(([^()]*)\)\)", r"(\1)", text)


def _of_what(sources: Sequence[tuple[str, Value | None]]) -> str:
    """Where among the sources something is not finite; the sources, where everything is."""
    told = [f"{name} {_spoilt_elements(value)}" for name, value in sources if is_spoilt(value)]
    if told:
        return ", ".join(dict.fromkeys(told))
    whole = [f"{name} {notation.short(value)}" for name, value in sources if value is not None]
    return "of finite " + ", ".join(dict.fromkeys(whole))


def _spoilt_elements(value: Value | None) -> str:
    if not isinstance(value, np.ndarray):
        return "" if value is None else name_of(float(value))
    places = np.argwhere(~np.isfinite(value))
    first = tuple(int(one) for one in places[0])
    more = f" and {len(places) - 1:,} more" if len(places) > 1 else ""
    return f"{name_of(float(value[first]))} at {list(first)}{more}"
