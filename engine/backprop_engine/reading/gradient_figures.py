"""A gradient in a few figures, whole or summed up; those of several add up to those of all."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.summary import Summary
from backprop_engine.basics.values import Known, norm_of


@dataclass(frozen=True, slots=True)
class Figures:
    """Of all elements together."""

    size: int = 0
    norm: float = 0.0
    """The Euclidean norm."""
    largest: float = 0.0
    """The greatest absolute value; nan where it is not known."""
    zeros: int = 0
    nonfinite: int = 0

    @property
    def zero_share(self) -> float:
        """The share of elements that are 0."""
        return self.zeros / self.size if self.size else 0.0

    @property
    def nonfinite_share(self) -> float:
        """The share of elements that are nan or inf."""
        return self.nonfinite / self.size if self.size else 0.0

    @property
    def rms(self) -> float:
        """The root of the mean square: the size of an element, whatever their number."""
        return self.norm / math.sqrt(self.size) if self.size else 0.0


def figures_of(value: Known) -> Figures:
    """Those of one value."""
    if isinstance(value, Summary):
        largest = max(abs(value.minimum), abs(value.maximum))
        broken = value.nans + value.infinities
        return Figures(value.size, value.norm, largest, value.zeros, broken)
    array = np.abs(np.asarray(value, np.float64).reshape(-1))
    with np.errstate(all="ignore"):
        largest, zeros = float(array.max(initial=0.0)), int((array == 0).sum())
    return Figures(array.size, norm_of(value), largest, zeros, int((~np.isfinite(array)).sum()))


def figures_of_all(values: Iterable[Known]) -> Figures:
    """Those of all of them."""
    found = [figures_of(value) for value in values]
    return Figures(
        sum(each.size for each in found),
        math.hypot(*(each.norm for each in found)),
        max((each.largest for each in found), default=0.0),
        sum(each.zeros for each in found),
        sum(each.nonfinite for each in found),
    )
