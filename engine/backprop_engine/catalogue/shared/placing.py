"""How a gradient goes back to the elements that an operation has picked, or has written over."""

from __future__ import annotations

from typing import Any

import numpy as np


def added_at(model: Any, key: Any, g: Any) -> Any:
    """Zeros in the shape of `model`, and `g` added at `key`: what was picked twice gets twice."""
    gradient = np.zeros_like(model)
    np.add.at(gradient, key, g)
    return gradient


def put_at(model: Any, key: Any, g: Any) -> Any:
    """Zeros in the shape of `model`, and `g` at `key`, which picks nothing twice."""
    gradient = np.zeros_like(model)
    gradient[key] = g
    return gradient


def cleared_at(g: Any, key: Any) -> Any:
    """`g` with zeros at `key`, in at least one axis."""
    left = np.atleast_1d(np.array(g))
    left[key] = 0.0
    return left
