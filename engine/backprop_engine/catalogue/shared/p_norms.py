"""The p-norm, (Σ|a|^p)^(1/p): its value, its derivative and its parts, for all that measure by it.

The cases are those of torch's `linalg_vector_norm` and `linalg_vector_norm_backward`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from backprop_engine.basics.source import OperandError
from backprop_engine.basics.values import shape_of, sign, where


def p_norm(a: Any, p: float, axes: tuple[int, ...], *, keepdim: bool) -> Any:
    """The p-norm of `a` over `axes`, for any number p, infinities and 0 among them.

    Raises OperandError where there is no element, and p is of the kind that needs one.
    """
    magnitudes = np.abs(np.asanyarray(a))
    if (p < 0 or p == np.inf) and 0 in [magnitudes.shape[axis] for axis in axes]:
        raise OperandError(
            f"a norm with p = {p:g} has no answer for no elements: the shape is {shape_of(a)}",
            "give it at least one element",
        )
    if np.isinf(p):
        extreme = np.max if p > 0 else np.min
        return extreme(magnitudes, axis=axes, keepdims=keepdim)
    if p == 0:
        return np.sum(magnitudes != 0, axis=axes, keepdims=keepdim, dtype=magnitudes.dtype)
    is_alone = all(magnitudes.shape[axis] == 1 for axis in axes)
    if p == 1 or is_alone:  # of one element torch takes the magnitude: no square overflows
        return np.sum(magnitudes, axis=axes, keepdims=keepdim)
    if p == 2:
        return np.sqrt(np.sum(np.square(magnitudes), axis=axes, keepdims=keepdim))
    return np.sum(magnitudes**p, axis=axes, keepdims=keepdim) ** (1 / p)


def p_norm_rule(g: Any, norm: Any, a: Any, p: float, axes: tuple[int, ...]) -> Any:
    """The contribution to `a`; `g` and `norm` have the reduced axes as 1.

    Where the norm is 0 the slope is 0, and that of a count (p = 0) is 0 everywhere.
    """
    a, norm = np.asanyarray(a), np.asanyarray(norm)
    if p == 0:
        return np.zeros_like(a)
    if p == 1:
        return sign(a) * g
    if p == 2:
        return g * where(norm == 0, 0.0, a / norm)
    magnitudes = np.abs(a)
    if np.isinf(p):
        is_extreme = (magnitudes == norm) | np.isnan(a)
        return sign(a) * (g / np.sum(is_extreme, axis=axes, keepdims=True) * is_extreme)
    if p < 1:
        return sign(a) * where(a == 0, 0.0, magnitudes ** (p - 1)) * g * norm ** (1 - p)
    return sign(a) * magnitudes ** (p - 1) * where(norm == 0, 0.0, g / norm ** (p - 1))


def p_norm_statements(a: str, p: float, along: str) -> tuple[str, ...]:
    """The p-norm of the value called `a` as statements of a composite, the last one the result.

    `along` are the arguments of a reduction: `dim=1, keepdim=True`.
    """
    if p == 2:
        return f"s = sum({a}**2, {along})", "sqrt(s)"
    magnitudes = f"m = abs({a})"
    if np.isinf(p):
        return magnitudes, f"{'amax' if p > 0 else 'amin'}(m, {along})"
    if p == 0:
        return magnitudes, "k = sign(m).detach()", f"sum(k, {along})"
    if p == 1:
        return magnitudes, f"sum(m, {along})"
    return magnitudes, f"s = sum(m**{p}, {along})", f"s**(1/{p})"
