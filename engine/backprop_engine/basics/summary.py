"""What is known of an array that is not kept: its shape, and a few figures."""

from __future__ import annotations

import math

from backprop_engine.basics.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Summary:
    """The figures of a value. `minimum`, `maximum`, `mean` and `norm` are those of all elements,
    or nan where they were not taken.
    """

    shape: tuple[int, ...]
    dtype: str
    minimum: float
    maximum: float
    mean: float
    norm: float
    """The Euclidean norm."""
    zeros: int
    nans: int
    infinities: int
    sample: tuple[float, ...] = ()
    """A few elements, evenly spaced; perhaps none."""

    @property
    def size(self) -> int:
        """How many elements it is of."""
        return math.prod(self.shape)
