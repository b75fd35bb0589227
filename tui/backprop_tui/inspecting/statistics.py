"""Statistics of an array, a piece at a time."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from backprop_engine.basics import notation
from backprop_engine.basics.dataclass import dataclass
from backprop_tui.inspecting.layers import Layer

BINS = 24
_DIGITS = 5


@dataclass(frozen=True, eq=False)
class Statistics:
    """What an array is like. Minimum, maximum, mean, norm and histogram are of what is finite."""

    count: int
    minimum: float
    maximum: float
    mean: float
    norm: float
    zeros: int
    nans: int
    infinities: int
    histogram: np.ndarray
    """int64, `BINS` entries from `minimum` to `maximum`; none where nothing is finite."""

    @property
    def finite(self) -> int:
        """How many elements are neither nan nor inf."""
        return self.count - self.nans - self.infinities

    @property
    def largest(self) -> float:
        """The largest finite absolute value; 0 where there is none."""
        return max(abs(self.minimum), abs(self.maximum)) if self.finite else 0.0


def statistics(layer: Layer, is_cancelled: Callable[[], bool] = lambda: False) -> Statistics | None:
    """The statistics of a layer that shows something; None once `is_cancelled` says so.

    The sum behind the mean and the norm are scaled by the largest number, so that 1e308 does not
    overflow.
    """
    count = nans = infinities = zeros = 0
    low, high = math.inf, -math.inf
    for piece in layer.pieces():
        if is_cancelled():
            return None
        finite = piece[np.isfinite(piece)]
        count += piece.size
        nans += int(np.count_nonzero(np.isnan(piece)))
        infinities += int(np.count_nonzero(np.isinf(piece)))
        zeros += int(np.count_nonzero(piece == 0))
        if finite.size:
            low, high = min(low, float(finite.min())), max(high, float(finite.max()))
    if not count - nans - infinities:
        nothing = np.zeros(0, np.int64)
        none = math.nan
        return Statistics(count, none, none, none, none, zeros, nans, infinities, nothing)
    scale = max(abs(low), abs(high)) or 1.0
    total = squares = 0.0
    histogram = np.zeros(BINS, np.int64)
    for piece in layer.pieces():
        if is_cancelled():
            return None
        scaled = piece[np.isfinite(piece)].astype(np.float64, copy=False) / scale
        total += float(scaled.sum())
        squares += float(np.dot(scaled, scaled))
        edges = (low / scale, high / scale)
        if edges[0] < edges[1]:
            histogram += np.histogram(scaled, BINS, edges)[0]
        else:
            histogram[BINS // 2] += scaled.size
    mean = total / (count - nans - infinities) * scale
    norm = math.sqrt(squares) * scale
    return Statistics(count, low, high, mean, norm, zeros, nans, infinities, histogram)


def facts(known: Statistics) -> list[tuple[str, str]]:
    """Names and figures, in the order in which they are shown."""

    def figure(number: float) -> str:
        return "–" if math.isnan(number) else notation.number(number, _DIGITS)

    return [
        ("min", figure(known.minimum)),
        ("max", figure(known.maximum)),
        ("mean", figure(known.mean)),
        ("norm", figure(known.norm)),
        ("zeros", f"{known.zeros:,}"),
        ("nan", f"{known.nans:,}"),
        ("inf", f"{known.infinities:,}"),
    ]


def bars(histogram: np.ndarray) -> str:
    """A histogram as blocks; what is there at all has at least the lowest known."""
    most = int(histogram.max(initial=0))
    if not most:
        return ""
    levels = np.ceil(histogram * len(notation.BLOCKS) / most).astype(int)
    return "".join((" " + notation.BLOCKS)[level] for level in levels)
