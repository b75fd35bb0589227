"""What adding many terms may lose, in whatever order two libraries add them.

However n numbers are added (one after the other, in pairs, in blocks, in lanes of a vector unit),
the computed sum is Σ xᵢ·(1 + δᵢ) with |δᵢ| ≤ γₙ₋₁, where γₖ = k·u/(1 - k·u); of products it is
γₙ: Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., (4.4) and §3.1. The number of
terms is known and the order is not: numpy adds pairwise along the contiguous axis and one after the
other along any other, torch in cascades of 16 or more, and a BLAS in blocks of its own choice.

Smaller bounds that hold for most sums do not hold here. Equal terms (the gradient of a mean, a
column of ones) are rounded the same way each time, and what Higham & Mary (2019) bound by √n·u for
independent errors is 0.17·n·u in fact: measured for a product with a vector of 1,000,000 times
0.1·0.3, in both precisions, 157,630 u by torch and 46,810 u by numpy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from backprop_engine.basics.values import UNIT_ROUNDOFF, Dtype, Value, full_like, is_float

FACTORS = 3
"""Roundings of a term besides those of its additions: it is a product, and scaled (by alpha, by 1/n
for a mean), and the result is converted."""


def gamma(terms: Any, dtype: Dtype) -> Any:
    """γ for so many terms, element by element."""
    error = (np.asarray(terms, float) - 1 + FACTORS) * UNIT_ROUNDOFF[dtype]
    return error / (1 - np.minimum(error, 0.5))


def sides(dtype: Dtype) -> int:
    """How many of the two results are off: ours in float32 is computed anew in float64."""
    return 1 if dtype == "float32" else 2


def sum_bound(
    function: Callable[..., Any], given: Sequence[Value], most: int, dtype: Dtype
) -> Value:
    """What two correct results may differ by: γ·Σ|terms| for each side that is off.

    `function` is the operation, or what it sends to an operand: of ones it counts the terms, unless
    it scales them too. Then `most` says how many they are at most, and else it is 1.
    """
    terms = function(*map(magnitude, given))
    count = function(
        *(full_like(operand, 1.0) if is_float(operand) else operand for operand in given)
    )
    return scaled(sides(dtype) * gamma(np.maximum(count, most), dtype), terms)


def scaled(factor: Any, terms: Any) -> Value:
    """factor·|terms|, element by element; 0 where that is not finite."""
    bound = factor * np.abs(np.asarray(terms, dtype=float))
    bounded: Value = np.where(np.isfinite(bound), bound, 0.0)
    return bounded


def magnitude(value: Value) -> Any:
    """|value|; whole numbers and truth values, which are indices and masks, as they are."""
    return abs(value) if is_float(value) else value
