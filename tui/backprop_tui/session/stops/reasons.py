"""Why continuing stopped, and what a breakpoint or a watch is, in words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from backprop_engine.basics import notation
from backprop_engine.basics.source import ProblemError
from backprop_engine.basics.values import Value
from backprop_engine.reading.conditions import compile_condition, quantity
from backprop_engine.reading.formula import Formula
from backprop_engine.trace import StepKind, Trace
from backprop_tui.session.stops.state import Breakpoint, Place, PlaceKind, Scan, Stop, Watch
from backprop_tui.session.stops.watched import formula_of, known_at

_UNKNOWN = "–"


def reason(trace: Trace, cursor: int, stops: Sequence[tuple[Stop, Scan]]) -> str:
    """`stopped: |contribution| > 10 at mul → w1, 12.4`, for what has a hit at `cursor`."""
    return "stopped: " + "; ".join(_one(trace, cursor, stop, scan) for stop, scan in stops)


def _one(trace: Trace, cursor: int, stop: Stop, scan: Scan) -> str:
    if isinstance(stop, Watch):
        before, now = (_short(known_at(trace, stop.text, at)) for at in (cursor - 1, cursor))
        return f"{algebra(trace, stop)}: {before} → {now} by {where(trace, cursor - 1)}"
    count = f" (hit {scan.count(cursor) + 1}" + (
        f" of {len(scan.hits)})" if scan.is_complete else ")"
    )
    if stop.place.kind is PlaceKind.PASSES and not stop.condition:
        return f"{stop.place.name} begins{count}"
    figures = _figures(trace, cursor, stop)
    return f"{algebra(trace, stop)} at {where(trace, cursor)}{figures and ', '}{figures}{count}"


def algebra(trace: Trace, stop: Stop) -> str:
    """What it looks for, as mathematics."""
    if isinstance(stop, Watch):
        formula = formula_of(trace, stop.text)
        return formula.algebra if isinstance(formula, Formula) else stop.text
    if stop.title or not stop.condition:
        return stop.title or place_text(stop.place)
    try:
        return compile_condition(stop.condition).algebra
    except ProblemError:
        return stop.condition


def place_text(place: Place) -> str:
    """`x`, `any mul`, `backward y`, `anywhere`."""
    match place.kind:
        case PlaceKind.OPERATION:
            return f"any {place.name}"
        case PlaceKind.ANYWHERE:
            return "anywhere"
        case _:
            return place.name


def where(trace: Trace, index: int) -> str:
    """The step in a few words: `mul → w1`, the operation at work and what its result goes to."""
    step = trace.step(index)
    if step.node is None:
        return trace.passes[step.pass_index].name
    if step.kind is StepKind.SEED:
        return f"the seed of {trace.label(step.node)}"
    target = step.node if step.operand is None else step.operand
    return f"{_made(trace, step.node)} → {trace.label(target)}"


def _made(trace: Trace, node: int) -> str:
    return trace.nodes.operation_name(node) or trace.label(node)


def _figures(trace: Trace, index: int, stop: Breakpoint) -> str:
    """What the condition's names are there; without a condition, what the step brings."""
    node = trace.named(stop.place.name) if stop.place.kind is PlaceKind.NODE else None
    if not stop.condition:
        name = "value" if trace.contributions[index] is None else "contribution"
        brought = quantity(trace, index, name, node)
        return "" if brought is None else notation.short(brought)
    condition = compile_condition(stop.condition)
    found = {name: quantity(trace, index, name, node) for name in condition.keys}
    shown = [
        notation.short(value) if len(found) == 1 else f"{name} {notation.short(value)}"
        for name, value in found.items()
        if value is not None and name != "step"
    ]
    # Of an array one element is enough, so it is said how many there are.
    result = condition.value(found.get)
    if isinstance(result, np.ndarray):
        shown.append(f"{np.count_nonzero(result)} of {result.size} elements")
    return ", ".join(shown)


def _short(value: Value | None) -> str:
    return _UNKNOWN if value is None else notation.short(value)


def hits_text(scan: Scan | None, cursor: int) -> str:
    """`2 of 5`: the hits before the cursor, and all of them; `…` while they are looked for."""
    if scan is None or not scan.is_complete:
        return "…"
    return f"{scan.count(cursor)} of {len(scan.hits)}"
