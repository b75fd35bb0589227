"""How far two gradients are apart, as a sentence: of arrays, the element that is worst."""

from __future__ import annotations

import numpy as np

from backprop_engine.basics import notation
from backprop_engine.basics.values import Value, settle, shape_of
from backprop_engine.checking.compare import compare, worst_element
from backprop_engine.checking.differences import FiniteDifference
from backprop_engine.trace import Trace

_MOST_NAMED = 10
"""Inputs that a direction goes through are named."""


def told(what: str, ours: Value | None, theirs: Value | None, allowed: Value | None = None) -> str:
    """`what` by both, and how far that is apart.

    The worst element of arrays is the one that is off by most of what is `allowed`, if that is
    known, and else by the largest number.
    """
    if ours is None or theirs is None or shape_of(ours) != shape_of(theirs):
        return f"{what} is {full(ours)} by the engine and {full(theirs)} by torch"
    at = worst_element(ours, theirs, np.inf if allowed is None else allowed)
    our_number, their_number = _at(ours, at), _at(theirs, at)
    compared = compare(our_number, their_number)
    apart = ""
    if np.isfinite(compared.difference):
        counted = f", {compared.ulp:.0f} ulp" if np.isfinite(compared.ulp) else ""
        apart = f" ({compared.difference:.2g} apart{counted})"
    return (
        f"{what}{_place(at)} is {notation.number(our_number)} by the engine and "
        f"{notation.number(their_number)} by torch{apart}"
    )


def told_difference(engine: Value | None, found: FiniteDifference, trace: Trace) -> str:
    """Where finite differences contradict a gradient of the engine."""
    for direction in found.directions:
        if not direction.agrees:
            named = [trace.label(node) for node in direction.nodes[:_MOST_NAMED]]
            more = len(direction.nodes) - len(named)
            through = ", ".join([*named, *([f"{more:,} more"] if more else [])])
            return (
                f"along a random direction through {through} the slope is "
                f"{direction.engine!r} by the engine and "
                f"{direction.finite_difference!r} by finite differences "
                f"(tolerance {direction.tolerance:.2g})"
            )
    at = _worst(engine, found)
    return (
        f"the gradient{_place(at)} is {_element(engine, at)} by the engine and "
        f"{_element(found.gradient, at)} by finite differences "
        f"(tolerance {float(np.asarray(found.tolerance)[at]):.2g})"
    )


def _worst(engine: Value | None, found: FiniteDifference) -> tuple[int, ...]:
    """The index of the element that is furthest off, in units of its tolerance."""
    if engine is None or found.gradient is None:
        return (0,) * np.ndim(found.tolerance)
    is_judged = np.isfinite(found.gradient)
    estimate = np.where(is_judged, found.gradient, engine)
    return worst_element(np.asarray(engine, float), estimate, found.tolerance)


def _at(value: Value, at: tuple[int, ...]) -> Value:
    """One element, with the dtype it has in `value`."""
    array = np.asarray(value)
    return settle(array[at], "float32" if array.dtype == np.float32 else "float64")


def _place(at: tuple[int, ...]) -> str:
    return f" at {list(at)}" if at else ""


def _element(value: Value | None, at: tuple[int, ...]) -> str:
    return "None" if value is None else notation.number(np.asarray(value)[at].item())


def full(value: Value | None) -> str:
    """All elements on one line."""
    return "None" if value is None else " ".join(notation.full(value).split())
