"""Running sums and products along an axis, which torch carries on in 64 bits for float32 too."""

from __future__ import annotations

from typing import Any

import numpy as np

from backprop_engine.basics.values import dtype_of


def cumsum(a: Any, axis: int) -> Any:
    """The sum up to each element."""
    return _running(np.cumsum, a, axis)


def cumprod(a: Any, axis: int) -> Any:
    """The product up to each element."""
    return _running(np.cumprod, a, axis)


def _running(function: Any, a: Any, axis: int) -> Any:
    if dtype_of(a) != "float32":
        return function(a, axis=axis)
    return function(a, axis=axis, dtype=np.float64).astype(np.float32)
