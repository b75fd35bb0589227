"""The elementary computation at a birth, in figures: `0 · inf at [0]: upstream 0, local …`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from backprop_engine.basics import notation
from backprop_engine.basics.summary import Summary
from backprop_engine.basics.values import Known, broadcasts_to, full_like, shape_of
from backprop_engine.mathematics.text import text_of
from backprop_engine.mathematics.tree import Text, Tree
from backprop_engine.reading.autopsy.births import (
    Birth,
    Element,
    Place,
    is_by_element,
    is_spoilt,
    raw_contribution,
)
from backprop_engine.trace import Missing, Trace
from backprop_engine.trace.abilities import Explains


def figures(trace: Trace, birth: Birth) -> str:
    """What was computed there, with the numbers it was computed from."""
    match birth.place:
        case Place.GIVEN:
            kind = "input" if birth.node in trace.nodes.inputs.values() else "constant"
            return f"the {kind} {trace.label(birth.node)} is {_born(birth)}"
        case Place.FORWARD:
            return _forward(trace, birth)
        case Place.SUM:
            return _sum(trace, birth)
        case Place.TERMS:
            return (
                f"the terms of what {trace.label(birth.node)} sends are finite, their sum over the "
                f"broadcast axes is {_born(birth)}"
            )
        case Place.CONTRIBUTION if birth.position is None:
            return f"the given `gradient` is {_born(birth)}"
        case _:
            return _contribution(trace, birth)


def at_element(value: Any, element: Element) -> Any:
    """The element of `value` that takes part at `element` of what it is broadcast to."""
    return np.asarray(value)[broadcast_index(shape_of(value), element)].item()


def broadcast_index(shape: tuple[int, ...], element: Element) -> Element:
    """Where, in an operand of `shape`, stands what `element` of the result is made from."""
    own = element[len(element) - len(shape) :]
    return tuple(0 if size == 1 else at for size, at in zip(shape, own, strict=True))


def where(element: Element) -> str:
    """` at [0, 1]`; empty for a scalar."""
    return f" at {list(element)}" if element else ""


def _born(birth: Birth) -> str:
    """`nan at [0]`"""
    return notation.number(birth.value) + where(birth.element)


def _forward(trace: Trace, birth: Birth) -> str:
    explains = trace.can(Explains, birth.node)
    if isinstance(explains, Missing) or not _is_told_by_element(trace, birth):
        sources = [
            (trace.label(operand), trace.nodes.value[operand])
            for operand in trace.nodes.operands[birth.node]
        ]
        name = trace.nodes.operation_name(birth.node)
        return f"{name} = {_born(birth)}: {_of_what(sources)}"
    made = text_of(explains.output(birth.node).tree(_element(trace, birth), is_roomy=True))
    return f"{made} = {_born(birth)}"


def _is_told_by_element(trace: Trace, birth: Birth) -> bool:
    """Whether one element of each operand made the element, and they are all kept."""
    nodes = (birth.node, *trace.nodes.operands[birth.node])
    kept = not any(isinstance(trace.nodes.value[node], Summary) for node in nodes)
    return kept and is_by_element(trace, birth.node)


def _sum(trace: Trace, birth: Birth) -> str:
    step = -1 if birth.step is None else birth.step
    before, sent = trace.gradient(birth.node, step), trace.contribution(step)
    mine = notation.short(at_element(before, birth.element))
    other = notation.in_brackets(notation.short(at_element(sent, birth.element)))
    return (
        f"{mine} + {other} = {_born(birth)}: two contributions to "
        f"{trace.label(birth.node)} added up"
    )


def _contribution(trace: Trace, birth: Birth) -> str:
    nodes, step = trace.nodes, -1 if birth.step is None else birth.step
    output = nodes.value[birth.node]
    upstream = trace.gradient(birth.node, step)
    local = (
        None
        if isinstance(output, Summary)
        else raw_contribution(trace, step, full_like(output, 1.0))
    )
    fits = local is not None and broadcasts_to(shape_of(local), shape_of(output))
    fits = fits and len(birth.element) == len(shape_of(output))
    if not (fits and _is_told_by_element(trace, birth)):
        sources = [("upstream", upstream), (trace.label(birth.node), output)]
        sources += [
            (trace.label(operand), nodes.value[operand]) for operand in nodes.operands[birth.node]
        ]
        name = nodes.operation_name(birth.node)
        return f"{name} sends {_born(birth)}: {_of_what(sources)}"
    given = notation.short(at_element(upstream, birth.element))
    factor = notation.short(at_element(local, birth.element))
    made = _local_text(trace, birth)
    told = factor if made in ("", factor, notation.in_brackets(factor)) else f"{made} = {factor}"
    product = f"{given} · {notation.in_brackets(factor)}"
    return f"{product}{where(birth.element)}: upstream {given}, local {told}"


def _local_text(trace: Trace, birth: Birth) -> str:
    explains = trace.can(Explains, birth.node)
    if isinstance(explains, Missing):
        return ""
    local = explains.local(birth.node, birth.position or 0)
    if local is None:
        return ""
    given: dict[str, Tree] = {"g": Text("1")}
    if len(trace.nodes.operands[birth.node]) == 1:  # `2·√0` tells more than `2·0`
        given["y"] = explains.output(birth.node).tree(_element(trace, birth))
    return text_of(local.tree(_element(trace, birth), given))


def _element(trace: Trace, birth: Birth) -> Callable[[int], str]:
    """Nodes as the elements at work."""
    return lambda node: notation.short(at_element(trace.nodes.value[node], birth.element))


def _of_what(sources: Sequence[tuple[str, Known | None]]) -> str:
    """Where among the sources something is not finite; the sources, where everything is."""
    told = [f"{name} {_spoilt_elements(value)}" for name, value in sources if is_spoilt(value)]
    if told:
        return ", ".join(dict.fromkeys(told))
    whole = [f"{name} {notation.short(value)}" for name, value in sources if value is not None]
    return "of finite " + ", ".join(dict.fromkeys(whole))


def _spoilt_elements(value: Known | None) -> str:
    if not isinstance(value, np.ndarray | Summary):
        return "" if value is None else notation.number(float(value))
    if isinstance(value, Summary):
        return notation.short(value)
    places = np.argwhere(~np.isfinite(value))
    first = tuple(int(place) for place in places[0])
    more = f" and {len(places) - 1:,} more" if len(places) > 1 else ""
    return f"{notation.number(float(value[first]))} at {list(first)}{more}"
