"""The derivative of a black box at a point: central differences, extrapolated (Ridders' method).

A central difference D(h) = (f(h) - f(-h)) / 2h is off by c₂h² + c₄h⁴ + …; from D(h) and D(h/2)
the first term can be removed, from three of them the second, and so on. The table of all such
values tells its own error: neighbours that agree are right. Steps are powers of two, so that
polynomials at simple points come out exact.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

LEVELS = 8
GOOD_ENOUGH = 1e-10
"""Relative error at which no further step is tried."""
TOO_ROUGH = 1e-5
"""Relative error at which an estimate is of no use to judge anybody."""
_ROUNDOFF = 2.0**-52
_SMALLEST = 2.0**-1074
_PROBE = 2.0**-14
"""The probe that looks for kinks, beside the first step of a table."""
_MOVE = 2.0**-28
"""A move, as a part of the variable, along which nothing smooth is curved by a roundoff."""
_CLOSE_PROBE = 2.0**-24
"""One that sees steps and waves which the first skips: they are even to it, and to the table."""
_PARTS = (1.0, 0.8125, 0.6875, 0.59375)
"""Of such a move: at one of them alone two roundings may cancel."""
_JUMP = 1e6
"""More than so many times the roundoff of terms of size 1 is no rounding."""
_SHRINKS = 0.75
"""Halving the step halves the gap between the two one-sided slopes, unless there is a kink."""

Function = Callable[[float], float]

KINK = "a kink: the slopes on both sides differ"
NOT_FINITE = "not finite here"
NOT_FINITE_BESIDE = "not finite right beside this point"
TIE = "a tie: the gradient goes to whichever of equal elements is picked"
UNSETTLED = "the difference quotients do not settle"
TOO_COARSE = "numbers of this size are too far apart to see a slope between them"


class Slope(NamedTuple):
    """An estimate of f'(0), or why there is none."""

    value: float
    error: float
    """Estimated, absolute; at a kink, how far the slopes on both sides are apart."""
    reason: str = ""
    """Why the estimate is not to be used; empty for a good one."""
    breaks_a_tie: bool = False
    """Whether moving the variable tells elements apart that are equal here and may be picked."""


def slope(f: Function, size: float, reach: float = 1.0, roundings: int = 1) -> Slope:
    """f'(0); `size` is how large the terms of f are, for its rounding error.

    `reach` is how far from 0 f may be expected to be as smooth as at 0 (the magnitude of the
    variable that f moves); larger steps are tried first, and given up if they lead nowhere. As many
    `roundings` as f makes may all go one way, as in a sum of equal terms: so much is no kink.
    """
    if not math.isfinite(f(0.0)):
        return Slope(math.nan, math.inf, NOT_FINITE)
    if _ROUNDOFF * reach >= 1.0:
        return Slope(math.nan, math.inf, TOO_COARSE)
    size = max(size, _trembling(f, size, reach))
    best = Slope(math.nan, math.inf, NOT_FINITE_BESIDE)
    kink, rounded = Slope(math.nan, 0.0), size * max(roundings, 1)
    for first_step in _first_steps(reach):
        estimate = _table(f, first_step, size)
        unit = max(abs(estimate.value), size / max(reach, 1.0))
        if not estimate.reason:
            estimate = _probed(f, estimate, first_step, rounded)
        if estimate.reason == KINK and estimate.error > kink.error:
            kink = estimate
        if not estimate.reason and _hides(_noise(rounded, first_step * _PROBE / 2), kink.error):
            estimate = kink
        if not estimate.reason and estimate.error > _useful(f, unit, size, first_step):
            estimate = estimate._replace(reason=UNSETTLED)
        if (not estimate.reason, -estimate.error) > (not best.reason, -best.error):
            best = estimate
        if not best.reason and best.error <= GOOD_ENOUGH * unit:
            break
    return best


def _useful(f: Function, unit: float, size: float, first_step: float) -> float:
    """The largest error of use. Where f is 0, as x² at 0, its size a step away is what counts."""
    beside = (
        []
        if size
        else [estimate for estimate in (f(first_step), f(-first_step)) if math.isfinite(estimate)]
    )
    unit = max(unit, *map(abs, beside), 0.0)
    return TOO_ROUGH * unit + _noise(0.0, first_step * 2.0**-LEVELS)


def _trembling(f: Function, size: float, reach: float) -> float:
    """The size of the terms, by how much f trembles when its variable moves a little.

    The sum of x - mean(x) is 0 to rounding, but rounding is that of the terms it is a sum of. What
    trembles far more than any terms explain is a jump, and 0 is answered.
    """
    unit = _ROUNDOFF * (reach or 1.0)
    here = f(0.0)
    moves = [abs(f(count * unit) - here) for count in (-3, -1, 1, 3)]
    moves.append(_unevenness(f, here, reach or 1.0))
    trembling = max((move for move in moves if math.isfinite(move)), default=0.0) / _ROUNDOFF
    return trembling if trembling <= _JUMP * max(size, reach, 1.0) else 0.0


def _unevenness(f: Function, here: float, reach: float) -> float:
    """What is not straight in moves that nothing smooth is curved by; 0 where that is a kink.

    A few roundoffs leave the roundings of a long program as they are, and a longer move does not.
    """
    wide, narrow = (
        max(abs(f(part * move) - 2 * here + f(-part * move)) / 2 for part in _PARTS)
        for move in (reach * _MOVE, reach * _MOVE / 64)
    )
    return narrow if narrow > wide / 8 else 0.0


def _first_steps(reach: float) -> Iterator[float]:
    """Powers of two: an eighth of the variable, or of 1, and far smaller ones for rough ground."""
    own = 2.0 ** max(math.frexp(reach)[1] - 1, -1000) if reach else 1.0
    wide = max(own, 1.0)
    yield wide / 8
    if own < wide:
        yield own / 8
    yield own * 2.0**-12
    yield own * 2.0**-18


def _table(f: Function, first_step: float, size: float) -> Slope:
    """The most trustworthy entry of the extrapolation table."""
    best = Slope(math.nan, math.inf, NOT_FINITE_BESIDE)
    row: list[float] = []
    step = first_step
    for _ in range(LEVELS):
        above, below = f(step), f(-step)
        if not (math.isfinite(above) and math.isfinite(below)):
            row = []
            step /= 2
            continue
        before, row = row, [(above - below) / (2 * step)]
        for order, earlier in enumerate(before, start=1):
            weight = 4.0**order
            row.append((weight * row[-1] - earlier) / (weight - 1))
            spread = max(abs(row[-1] - row[-2]), abs(row[-1] - earlier))
            # Further out the terms may be larger: at 1e-45 a square is nothing beside its step's.
            error = spread + _noise(max(size, abs(above), abs(below)), step)
            if error < best.error:
                best = Slope(row[-1], error)
        if best.error <= GOOD_ENOUGH * abs(best.value):
            break
        step /= 2
    return best


def _probed(f: Function, estimate: Slope, first_step: float, size: float) -> Slope:
    """The estimate, with a reason against it if f looks different from close by."""
    step, close, here = first_step * _PROBE, first_step * _CLOSE_PROBE, f(0.0)
    (wide, _), (gap, slope_beside), (close_gap, slope_close) = (
        _sides(f, here, h) for h in (step, step / 2, close)
    )
    if not all(map(math.isfinite, (wide, gap, close_gap))):
        return estimate._replace(reason=NOT_FINITE_BESIDE)
    for h, between, before, seen, curved in (
        (step / 2, gap, wide, slope_beside, wide),
        (close, close_gap, gap, slope_close, close_gap),
    ):
        noise = _noise(size, h)
        if between > 8 * noise and between > _SHRINKS * before:
            return Slope(estimate.value, between, KINK)
        if abs(seen - estimate.value) > 4 * noise + curved + 8 * estimate.error:
            return estimate._replace(reason=UNSETTLED)
    return estimate


def _hides(noise: float, jump: float) -> bool:
    """Whether slopes so far apart could not be told from rounding; never so where there is none."""
    return bool(jump) and jump <= 8 * noise


def _sides(f: Function, here: float, h: float) -> tuple[float, float]:
    """How far the slopes on both sides are apart, and what is in the middle between them."""
    right, left = (f(h) - here) / h, (here - f(-h)) / h
    return abs(right - left), (right + left) / 2


def _noise(size: float, step: float) -> float:
    """How far rounding in f can throw a difference quotient; below the smallest number all is 0."""
    return (_ROUNDOFF * size + _SMALLEST) / step
