"""Whether two numbers, or two arrays, are the same up to rounding."""

from __future__ import annotations

from typing import NamedTuple


class Comparison(NamedTuple):
    """How far apart two values are."""

    agrees: bool
    """Within the tolerance that applies to them."""
    ulp: float
    """Units in the last place between them, the worst element; inf where they cannot be counted."""
    difference: float
    """Largest absolute difference; 0 for equal values, nan and infinities included."""
