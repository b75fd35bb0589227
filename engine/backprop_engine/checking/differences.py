"""Finite differences: gradients from the forward pass alone, without any derivative rule.

The tape is run again with an input moved a little, always in float64. What is differentiated is
what `.grad` accumulates: the sum over the backward passes since the input was last zeroed of
⟨seed, output⟩. Nodes that do not require grad (constants, what was detached) are held at their
recorded values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

import numpy as np

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.limits import DIFFERENCE_SECONDS
from backprop_engine.basics.values import (
    UNIT_ROUNDOFF,
    Value,
    in_full,
    kept,
    settle,
    shape_of,
    size_of,
)
from backprop_engine.checking.doubts import (
    FINE_STEPS,
    ROUNDOFFS,
    is_finely_stepped,
    terms_by_step,
    thrown_by_rounding,
    varying_beside,
    without_conventions,
    without_last_digits,
)
from backprop_engine.checking.functional import last_zeroed, terms_of, widened
from backprop_engine.checking.richardson import (
    NOT_FINITE,
    NOT_FINITE_BESIDE,
    TIE,
    UNSETTLED,
    Slope,
    slope,
)
from backprop_engine.checking.tape import (
    Clock,
    OutOfTimeError,
    OutsideDomainError,
    Tape,
    leading_to,
    values_of,
)
from backprop_engine.run.tape import graph_of
from backprop_engine.trace import Trace

ELEMENT_LIMIT = 1000
"""So many input elements are moved one by one; inputs beyond are tested along directions."""
WORK_LIMIT = 100_000
"""The same for elements × nodes to run again."""
DIRECTIONS = 3
ERROR_FACTOR = 10.0
"""An estimated error is an estimate too."""
_TIE_PROBE = 2.0**-20
"""How far a variable is moved to see which elements stay equal."""
RELATIVE_TOLERANCE: Mapping[str, float] = {"float64": 1e-9, "float32": 1e-3}
"""Of the sum of the magnitudes of the contributions: what the engine's rounding may come to."""


@dataclass(frozen=True, slots=True)
class Direction:
    """The slope along one random direction through `nodes`, engine's and estimated."""

    nodes: tuple[int, ...]
    engine: float
    finite_difference: float
    tolerance: float

    @property
    def agrees(self) -> bool:
        """Whether both are the same within the tolerance."""
        return abs(self.engine - self.finite_difference) <= self.tolerance


@dataclass(frozen=True, eq=False)
class FiniteDifference:
    """What finite differences say about one input's final `.grad`."""

    node: int
    gradient: Value | None
    """Float64, in the shape of the input, nan where skipped; None if nothing reaches the input,
    if all of it was skipped, or if `directions` were tested instead."""
    tolerance: Value
    """Absolute, one for each element."""
    directions: tuple[Direction, ...]
    skipped: int
    """How many elements (or directions) could not be judged."""
    reason: str
    """Why the first of those could not."""
    agrees: bool
    """With the engine, wherever it could be judged."""


def finite_differences(
    trace: Trace, *, seconds: float = DIFFERENCE_SECONDS
) -> Mapping[int, FiniteDifference]:
    """By node, for every input that requires grad; what `seconds` do not suffice for is skipped."""
    with np.errstate(all="ignore"):
        inputs = [node for node in trace.nodes.inputs.values() if trace.nodes.requires_grad[node]]
        singly, together = _plan(trace, inputs, Clock(seconds))
        values = values_of(graph_of(trace))
        found: dict[int, FiniteDifference] = {}
        for tapes, judge in ((singly, _by_element), (together, _along_directions)):
            for tape in tapes:
                with tape.on(values):
                    found |= _in_time(judge(trace, tape), tape)
        return {node: found[node] for node in inputs}


def _in_time(found: Mapping[int, FiniteDifference], tape: Tape) -> Mapping[int, FiniteDifference]:
    """The same, without what differs where there was no time left to find out why."""
    late = "" if all(each.agrees for each in found.values()) else tape.late()
    if not late:
        return found

    def skipped(each: FiniteDifference) -> FiniteDifference:
        count = len(each.directions) or size_of(each.tolerance)
        return replace(_nothing(each.node, agrees=True), skipped=count, reason=late)

    return {node: each if each.agrees else skipped(each) for node, each in found.items()}


def _plan(
    trace: Trace, inputs: Sequence[int], clock: Clock
) -> tuple[Sequence[Tape], Sequence[Tape]]:
    """Which inputs to test element by element, and which together, along directions."""
    # Only inputs zeroed at the same time are differentiated by one functional.
    since = {node: last_zeroed(trace, node, trace.passes) for node in inputs}
    functionals = {at: terms_of(trace, trace.passes[at + 1 :]) for at in {*since.values()}}
    leading = {
        at: leading_to(graph_of(trace), {term.output for term in functional})
        for at, functional in functionals.items()
    }

    def tape_of(nodes: tuple[int, ...]) -> Tape:
        at = since[nodes[0]]
        return Tape(trace, nodes, functionals[at], leading[at], clock)

    reached = [node for node in inputs if leading[since[node]][node]]
    unreached = [node for node in inputs if not leading[since[node]][node]]
    singly: list[Tape] = []
    rest: dict[int, list[int]] = {}
    elements = work = 0
    for node in sorted(reached, key=lambda node: size_of(trace.nodes.value[node])):
        size = size_of(trace.nodes.value[node])
        elements += size
        if elements <= ELEMENT_LIMIT and work <= WORK_LIMIT:
            tape = tape_of((node,))
            work += size * len(tape.affected)
            if work <= WORK_LIMIT or (size == 1 and not singly):
                singly.append(tape)
                continue
        rest.setdefault(since[node], []).append(node)
    # Of an input that no pass reaches there is no `.grad` to add to those of a direction.
    singly += [tape_of((node,)) for node in unreached]
    return singly, [tape_of(tuple(nodes)) for nodes in rest.values()]


def engine_error(trace: Trace, gross: float, size: float) -> float:
    """What rounding in the engine may come to.

    Relative to the contributions, and to the terms of the outputs too: at y = sigmoid(15) the
    derivative y·(1 - y) is tiny, but its error is that of the 1.
    """
    dtype = trace.dtype
    # The slopes of some operations have an error of their own.
    slopes = max((operation.slope_error for operation in graph_of(trace).operations), default=0.0)
    relative = RELATIVE_TOLERANCE[dtype] + slopes
    return relative * gross + ROUNDOFFS * UNIT_ROUNDOFF[dtype] * size


def gross_contributions(trace: Trace, node: int) -> np.ndarray:
    """The sum of the magnitudes of all contributions to `node`, in its shape."""
    total = np.zeros(shape_of(trace.nodes.value[node]))
    for step in trace.receipts(node):
        sent = trace.contributions[step]
        if sent is not None:
            total = total + np.abs(np.asarray(sent, dtype=float))
    return total


def _nothing(node: int, agrees: bool) -> FiniteDifference:
    return FiniteDifference(node, None, 0.0, (), 0, "", agrees)


def _by_element(trace: Trace, tape: Tape) -> Mapping[int, FiniteDifference]:
    """Each element of the one input of the tape moved by itself."""
    (node,) = tape.nodes
    grad = kept(trace.final_grad(node))
    if not tape.terms and grad is None:
        return {node: _nothing(node, agrees=True)}
    point = np.array(widened(in_full(trace.nodes.value[node])), dtype=float)
    size, estimates = np.nan, []
    try:
        size = _magnitude(tape, {node: settle(point.copy(), "float64")})
        for at in np.ndindex(point.shape):
            estimates.append(_element(tape, node, point, at, size))  # noqa: PERF401 - these stay
    except OutOfTimeError as late:
        estimates += [Slope(np.nan, np.inf, str(late))] * (point.size - len(estimates))
    engine = np.full(point.shape, np.nan) if grad is None else np.asarray(grad, dtype=float)
    rounding: np.ndarray | float = 0.0

    def judged() -> FiniteDifference:
        return _verdict(trace, node, engine, estimates, size, rounding)

    found = judged()
    doubtful = not found.agrees or any(estimate.reason == UNSETTLED for estimate in estimates)
    if doubtful and (terms := terms_by_step(trace, tape, point)) > size:
        with suppress(OutOfTimeError):
            estimates = [_element(tape, node, point, at, terms) for at in np.ndindex(point.shape)]
            size = terms
            found = judged()
    if not found.agrees and trace.dtype == "float32":
        rounding = thrown_by_rounding(tape, {node: settle(point, "float64")}, {node: engine})[node]
        found = judged()
    if not found.agrees:
        rounding = rounding + varying_beside(tape, point)
        found = judged()
    if not found.agrees and is_finely_stepped(trace, tape, point):
        estimates = [estimate._replace(reason=FINE_STEPS) for estimate in estimates]
        found = judged()
    if not found.agrees:
        estimates = without_conventions(tape, point, engine, estimates)
        unit = UNIT_ROUNDOFF[trace.dtype]
        estimates = without_last_digits(tape, point, engine, estimates, unit)
        found = judged()
    return {node: found}


def _element(tape: Tape, node: int, point: np.ndarray, at: tuple[int, ...], size: float) -> Slope:
    def moved(by: float) -> float:
        there = point.copy()
        there[at] += by
        return tape.run({node: settle(there, "float64")})

    return _slope(tape, moved, size, reach=abs(float(point[at])))


def _magnitude(tape: Tape, inputs: Mapping[int, Value]) -> float:
    """How large the terms of the outputs are; nan where an operation does not take the values."""
    try:
        return tape.magnitude(inputs)
    except OutsideDomainError:
        return np.nan


def _slope(tape: Tape, moved: Callable[[float], float], size: float, reach: float = 1.0) -> Slope:
    """`slope` of a function that ends where an operation's domain does: it is nan there."""
    left: list[str] = []

    def f(by: float) -> float:
        try:
            return moved(by)
        except OutsideDomainError as outside:
            left.append(outside.name)
            return np.nan

    estimate = slope(f, size, reach, roundings=len(tape.affected))
    if not estimate.reason:
        f(max(reach, 1.0) * _TIE_PROBE)
        return estimate._replace(breaks_a_tie=tape.has_broken_a_tie())
    if left and estimate.reason in (NOT_FINITE, NOT_FINITE_BESIDE):
        reason = f"a step of finite differences leaves the domain of `{left[-1]}`"
        return estimate._replace(reason=reason)
    return estimate


def _verdict(
    trace: Trace,
    node: int,
    engine: np.ndarray,
    estimates: Sequence[Slope],
    size: float,
    rounding: np.ndarray | float = 0.0,
) -> FiniteDifference:
    def column(name: str, dtype: type = float) -> np.ndarray:
        told = [dtype(getattr(estimate, name)) for estimate in estimates]
        return np.array(told, dtype).reshape(engine.shape)

    value = column("value")
    sent = gross_contributions(trace, node)
    # An element that is nan must not take the others' tolerance away.
    gross = float(np.max(sent, initial=0.0, where=np.isfinite(sent)))
    tolerance = ERROR_FACTOR * column("error") + engine_error(trace, gross, size) + rounding
    agrees = np.abs(engine - value) <= tolerance
    tied = column("breaks_a_tie", bool) & ~agrees
    judged = ~column("reason", bool) & ~tied
    reasons = [estimate.reason for estimate in estimates if estimate.reason]
    is_told = judged.any() or not judged.size
    return FiniteDifference(
        node=node,
        gradient=settle(np.where(judged, value, np.nan), "float64") if is_told else None,
        tolerance=settle(tolerance, "float64"),
        directions=(),
        skipped=int(judged.size - np.count_nonzero(judged)),
        reason=TIE if tied.any() else next(iter(reasons), ""),
        agrees=bool(np.all(agrees | ~judged)),
    )


def _along_directions(trace: Trace, tape: Tape) -> Mapping[int, FiniteDifference]:
    """Some random directions through all inputs of the tape at once."""
    grads = {node: kept(trace.final_grad(node)) for node in tape.nodes}
    if not tape.terms and all(grad is None for grad in grads.values()):
        return {node: _nothing(node, agrees=True) for node in tape.nodes}
    points = {
        node: np.asarray(widened(in_full(trace.nodes.value[node])), dtype=float)
        for node in tape.nodes
    }
    tested: list[Direction] = []
    reasons: list[str] = []
    try:
        settled = {node: settle(point.copy(), "float64") for node, point in points.items()}
        size = _magnitude(tape, settled)
        random = np.random.Generator(np.random.PCG64(0))
        while len(tested) + len(reasons) < DIRECTIONS:
            towards = {
                node: random.standard_normal(shape_of(trace.nodes.value[node]))
                for node in tape.nodes
            }
            estimate = _directional(tape, points, towards, size)
            if estimate.reason:
                reasons.append(estimate.reason)
                continue
            direction = _judged_direction(trace, grads, towards, estimate, size)
            if not direction.agrees and trace.dtype == "float32":
                thrown = thrown_by_rounding(tape, settled, grads)
                more = float(sum(np.sum(thrown[n] * np.abs(towards[n])) for n in thrown))
                direction = replace(direction, tolerance=direction.tolerance + more)
            if estimate.breaks_a_tie and not direction.agrees:
                reasons.append(TIE)
            else:
                tested.append(direction)
    except OutOfTimeError as late:
        reasons += [str(late)] * (DIRECTIONS - len(tested) - len(reasons))
    shared = FiniteDifference(
        node=tape.nodes[0],
        gradient=None,
        tolerance=0.0,
        directions=tuple(tested),
        skipped=len(reasons),
        reason=reasons[0] if reasons else "",
        agrees=all(direction.agrees for direction in tested),
    )
    return {node: replace(shared, node=node) for node in tape.nodes}


def _directional(
    tape: Tape, points: Mapping[int, np.ndarray], towards: Mapping[int, np.ndarray], size: float
) -> Slope:
    # There may be a hundred thousand numbers: they move as one array.
    numbers = [node for node, point in points.items() if not point.ndim]
    start, step = (
        np.array([float(point[node]) for node in numbers]) for point in (points, towards)
    )
    arrays = points.keys() - numbers

    def moved(by: float) -> float:
        there: dict[int, Value] = dict(zip(numbers, (start + by * step).tolist(), strict=True))
        there |= {node: points[node] + by * towards[node] for node in arrays}
        return tape.run(there)

    return _slope(tape, moved, size)


def _judged_direction(
    trace: Trace,
    grads: Mapping[int, Value | None],
    towards: Mapping[int, np.ndarray],
    estimate: Slope,
    size: float,
) -> Direction:
    engine = float(
        sum(np.sum(np.asarray(np.nan if g is None else g) * towards[n]) for n, g in grads.items())
    )
    gross = float(sum(np.sum(gross_contributions(trace, n) * np.abs(towards[n])) for n in grads))
    tolerance = ERROR_FACTOR * estimate.error + engine_error(trace, gross, size)
    return Direction(tuple(towards), engine, estimate.value, tolerance)
