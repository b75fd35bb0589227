"""Whether a gradient is that of a function, by finite differences; in doubt nothing is said."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import monotonic
from typing import Final, Self

import numpy as np

_ALL: Final = 32
"""Elements up to which each is tried; of more some, and all together in random directions."""
_SOME: Final = 12
_DIRECTIONS: Final = 6
_FAR: Final = (1.1, -3.3, 17.7)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Of the gradient by one argument."""

    word: str
    """`agree`, `differ` or `unknown`"""
    element: list[int] | None = None
    backward: float | None = None
    differences: float | None = None
    reason: str = ""

    @classmethod
    def unknown(cls, reason: str) -> Self:
        """Nothing can be said."""
        return cls("unknown", reason=reason)


@dataclass(frozen=True, eq=False)
class Probe:
    """A function of an array, and what is said to be its gradient at `point`."""

    function: Callable[[np.ndarray], tuple[float, float]]
    """Its value, and the sum of the sizes of what was added up to it."""
    point: np.ndarray
    gradient: np.ndarray
    is_wide: bool
    """Whether it computes in double precision."""
    deadline: float


@dataclass(frozen=True, slots=True)
class _Slope:
    """Along one direction: what the gradient says, and what differences say."""

    word: str
    direction: np.ndarray
    said: float
    measured: float


def probed(probe: Probe) -> Verdict:
    """What comes of trying elements and directions."""
    if not probe.point.size:
        return Verdict.unknown("it has no elements")
    if not np.isfinite(probe.point).all() or not np.isfinite(probe.gradient).all():
        return Verdict.unknown("it is not finite")
    slopes: list[_Slope] = []
    for direction in _directions(probe.point.size):
        if monotonic() > probe.deadline:
            break
        slopes.append(_slope(probe, direction))
    differing = [slope for slope in slopes if slope.word == "differ"]
    if differing:
        smooth = [slope for slope in slopes if slope.word != "unknown"]
        if not any(slope.measured for slope in smooth) and _is_in_steps(probe):
            return Verdict.unknown("its forward has no slope but jumps: its backward is a choice")
        slope = _narrowed(probe, differing[0])
        at = np.unravel_index(int(np.abs(slope.direction).argmax()), probe.point.shape)
        return Verdict("differ", [int(n) for n in at], slope.said, slope.measured)
    if any(slope.word == "agree" for slope in slopes):
        return Verdict("agree")
    return Verdict.unknown(
        "its forward has kinks or jumps here" if slopes else "there was no time for it"
    )


def _directions(size: int) -> Iterator[np.ndarray]:
    """How far each element is moved."""
    generator = np.random.default_rng(0)
    if size > _ALL:
        for _ in range(_DIRECTIONS):
            yield generator.choice([-1.0, -0.5, 0.5, 1.0], size)
    chosen = range(size) if size <= _ALL else generator.choice(size, _SOME, replace=False)
    for at in chosen:
        yield _unit(size, at)


def _unit(size: int, at: int) -> np.ndarray:
    direction = np.zeros(size)
    direction[at] = 1.0
    return direction


def _slope(probe: Probe, direction: np.ndarray) -> _Slope:
    """Along one direction. Where differences of half the length, or to one side, say otherwise, the
    function is not smooth there.
    """
    moved = np.abs(probe.point.reshape(-1)[direction != 0])
    step = (1e-6 if probe.is_wide else 1e-2) * max(1.0, float(moved.max()))
    epsilon = np.finfo(np.float64 if probe.is_wide else np.float32).eps
    middle, size = probe.function(probe.point)
    noise = 8 * float(epsilon) * size / step
    said = float(probe.gradient.reshape(-1) @ direction)
    measured, gap = _central(probe, direction, step, middle)
    if abs(measured) <= noise:
        measured = 0.0
    scale = max(abs(said), abs(measured))
    allowed = (1e-4 if probe.is_wide else 2e-2) * scale
    if scale and scale < 10 * noise:
        return _Slope("unknown", direction, said, measured)
    if abs(said - measured) <= allowed + noise:
        return _Slope("agree", direction, said, measured)
    closer, closer_gap = _central(probe, direction, step / 2, middle)
    is_kink = gap > allowed + 10 * noise and closer_gap > 0.75 * gap
    is_smooth = not is_kink and abs(closer - measured) <= 10 * allowed + 4 * noise
    return _Slope("differ" if is_smooth else "unknown", direction, said, measured)


def _central(
    probe: Probe, direction: np.ndarray, step: float, middle: float
) -> tuple[float, float]:
    """The slope, and how far the slopes to both sides are apart."""
    moved = (step * direction).reshape(probe.point.shape)
    up, down = (probe.function(probe.point + side * moved)[0] for side in (1, -1))
    return (up - down) / (2 * step), abs(up - 2 * middle + down) / step


def _narrowed(probe: Probe, slope: _Slope) -> _Slope:
    """That of one element, if an element by itself is off."""
    support = np.flatnonzero(slope.direction)
    size = slope.direction.size
    while len(support) > 1:
        halves = np.array_split(support, 2)
        for half in halves:
            direction = np.zeros(size)
            direction[half] = 1.0 if len(half) == 1 else slope.direction[half]
            narrower = _slope(probe, direction)
            if narrower.word == "differ":
                slope, support = narrower, half
                break
        else:
            break
    return slope


def _is_in_steps(probe: Probe) -> bool:
    """Whether a function without a slope here has none elsewhere, and yet changes."""
    here, _ = probe.function(probe.point)
    changes = False
    for move in _FAR:
        there = Probe(
            probe.function, probe.point + move, np.zeros_like(probe.point), probe.is_wide,
            probe.deadline,
        )  # fmt: skip
        changes = changes or probe.function(there.point)[0] != here
        if _slope(there, np.ones(probe.point.size)).word == "differ":
            return False
    return changes
