"""What else may part finite differences from the engine's rules, where neither of them is wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress

import numpy as np

from backprop_engine.backward import DerivativeError
from backprop_engine.basics.values import UNIT_ROUNDOFF, Value, in_full, settle
from backprop_engine.checking.richardson import KINK, Slope
from backprop_engine.checking.tape import OutOfTimeError, OutsideDomainError, Tape
from backprop_engine.run.tape import graph_of
from backprop_engine.trace import NO_NODE, Trace

CONVENTION = "the same rules agree to either side: a rule for this point, or a bend too fine to see"
LAST_DIGITS = "it changes as much with the last digit of a result on the way"
FINE_STEPS = "its steps are finer than differences can see"
ROUNDOFFS = 16.0
_BESIDE = 2.0**-20
_ROUNDING = frozenset({"floor", "ceil", "round", "special.round", "trunc", "frac"})
_STEPPING = frozenset({"fmod", "remainder", "div.mode", "floor_divide"})
_CANNOT_RUN = (OutsideDomainError, DerivativeError, OutOfTimeError)


def without_conventions(
    tape: Tape, point: np.ndarray, engine: np.ndarray, estimates: Sequence[Slope]
) -> list[Slope]:
    """The estimates, without those of elements where a rule for a kink has no kink to go with.

    `copysign(x, x)` is x, and at 0 torch's rule for copysign is 0; likewise a clamp between two
    equal bounds. And `tanh(1e20·x)` bends where no difference can see it. A little to either side
    the same rules give what the differences give, or both lie between what they give on the two
    sides, as at a kink too flat to be seen; a wrong rule gives neither.
    """
    judged = list(estimates)
    for number, at in enumerate(np.ndindex(point.shape)):
        value, gap = estimates[number].value, abs(engine[at] - estimates[number].value)
        beside = []
        for by in (-_BESIDE, _BESIDE):
            there = point.copy()
            there[at] += by * max(1.0, abs(float(point[at])))
            with suppress(*_CANNOT_RUN):
                beside.append(float(_sent(tape, there)[at]))
        if len(beside) < 2:
            continue
        if all(abs(estimate - value) <= gap / 100 for estimate in beside):
            judged[number] = estimates[number]._replace(reason=CONVENTION)
        elif all(min(beside) <= slope <= max(beside) for slope in (value, engine[at])):
            judged[number] = estimates[number]._replace(reason=KINK)
    return judged


def without_last_digits(
    tape: Tape, point: np.ndarray, engine: np.ndarray, estimates: Sequence[Slope], unit: float
) -> list[Slope]:
    """The estimates, without those of elements that some roundoffs of results move as far.

    The rule of logsumexp is exp(x − y): at 1e20 the last digit of y is thousands.
    """
    judged = list(estimates)
    for off in (ROUNDOFFS * unit, -ROUNDOFFS * unit):
        with suppress(*_CANNOT_RUN):
            moves = np.abs(_sent(tape, point, off=off) - engine).reshape(-1)
            gaps = np.abs(engine.reshape(-1) - [estimate.value for estimate in estimates])
            for at in np.flatnonzero(~(moves < gaps / 2) & np.isfinite(gaps)):
                if not judged[at].reason:
                    judged[at] = judged[at]._replace(reason=LAST_DIGITS)
    return judged


def _sent(tape: Tape, point: np.ndarray, *, off: float = 0.0) -> np.ndarray:
    """What the engine's rules send to the one input of the tape if it has this value."""
    (node,) = tape.nodes
    sent = tape.gradients({node: settle(point, "float64")}, off=off).get(node, 0.0)
    return np.broadcast_to(np.asarray(sent, float), point.shape)


def terms_by_step(trace: Trace, tape: Tape, point: np.ndarray) -> float:
    """Σ|terms| of the largest step; a first step away, where all are 0 here and tell nothing."""
    largest = _largest_terms(trace, graph_of(trace).value)
    with suppress(OutsideDomainError, OutOfTimeError):
        beside = point + np.maximum(np.abs(point), 1.0) / 8
        moved = {tape.nodes[0]: settle(beside, "float64")}
        return largest or _largest_terms(trace, tape.values_at(moved))
    return largest


def _largest_terms(trace: Trace, values: Sequence[Value]) -> float:
    """Σ|terms| of the step whose terms are largest, as they reach the outputs.

    What cancels on the way rounds all the same: 1e20 − 1e20 + x loses all of x. A first-order
    running error bound (Higham, Accuracy and Stability, sec. 3.3): contribution times operand.
    """
    largest = 0.0
    for sent, receiver in zip(trace.contributions, trace.receivers.tolist(), strict=True):
        if sent is not None and receiver != NO_NODE:
            terms = np.abs(np.multiply(in_full(sent), values[receiver], dtype=float))
            largest = max(largest, float(np.sum(terms, where=np.isfinite(terms))))
    return largest


def thrown_by_rounding(
    tape: Tape, inputs: Mapping[int, Value], engine: Mapping[int, Value | None]
) -> Mapping[int, np.ndarray]:
    """How far float32 has thrown the engine's gradients: the same rules in float64 tell.

    A saturated tanh, or terms that cancel inside of a layer_norm, leave few digits or none. A wrong
    rule is as wrong in float64.
    """
    try:
        precise = tape.gradients(inputs)
    except _CANNOT_RUN:
        precise = {}
    return {
        node: np.nan_to_num(np.abs(np.subtract(grad, precise.get(node, grad))), posinf=0.0)
        for node, grad in engine.items()
        if grad is not None
    }


def is_finely_stepped(trace: Trace, tape: Tape, point: np.ndarray) -> bool:
    """Whether something is divided with a remainder by what is nothing beside it, or rounded of
    which a little more is another whole number.
    """
    moved = point + _BESIDE**2 * np.maximum(np.abs(point), 1.0)
    with suppress(OutsideDomainError, OutOfTimeError):
        tape.run({tape.nodes[0]: settle(moved, "float64")})
        if tape.has_passed_steps(_ROUNDING):
            return True
    graph = graph_of(trace)
    for node in tape.affected:
        if graph.operation_name(node) in _STEPPING:
            a, b = (np.abs(graph.value[operand]) for operand in graph.operands[node])
            if np.any(np.divide(a, b, dtype=float) > 1 / _BESIDE):
                return True
    return False


def varying_beside(tape: Tape, point: np.ndarray) -> np.ndarray:
    """By how much the engine's gradient varies within some roundoffs of the point; 0 at a jump.

    Where a square is least its slope is 0, and differences see the roundings of what is squared.
    """
    signs = np.random.Generator(np.random.PCG64(0)).uniform(-1.0, 1.0, point.shape)
    off = UNIT_ROUNDOFF["float64"] * signs
    with suppress(*_CANNOT_RUN):
        here, half, whole = (
            _sent(tape, point * (1.0 + roundoffs * off))
            for roundoffs in (0.0, ROUNDOFFS / 2, ROUNDOFFS)
        )
        near, far = np.abs(half - here), np.abs(whole - here)
        return np.where(near < 0.75 * far, far, 0.0)
    return np.zeros(point.shape)
