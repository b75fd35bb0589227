"""Gaussian elimination, what rounding makes of it, and inverses of singular matrices, too."""

from __future__ import annotations

from typing import Any

import numpy as np


def transposed(a: Any) -> Any:
    """Rows and columns of each matrix exchanged."""
    return np.swapaxes(a, -1, -2)


def eliminated(matrix: Any) -> tuple[Any, Any]:
    """Gaussian elimination with row exchanges of `matrix` and the identity beside it.

    Division by a zero pivot gives inf and nan as IEEE 754 has it, and never an exception.
    """
    size = len(matrix)
    upper, beside = np.array(matrix), np.eye(size, dtype=matrix.dtype)
    for at in range(size):
        pivot = at + int(np.argmax(np.abs(upper[at:, at])))
        upper[[at, pivot]], beside[[at, pivot]] = upper[[pivot, at]], beside[[pivot, at]]
        if upper[at, at] == 0:
            continue
        factors = upper[at + 1 :, at : at + 1] / upper[at, at]
        upper[at + 1 :] -= factors * upper[at]
        beside[at + 1 :] -= factors * beside[at]
    return upper, beside


def _inverse_or_infinite(matrix: Any) -> Any:
    """The inverse of one matrix; infinities where it is singular, as torch divides by 0."""
    upper, rest = eliminated(matrix)
    for at in range(len(matrix) - 1, -1, -1):
        rest[at] = (rest[at] - upper[at, at + 1 :] @ rest[at + 1 :]) / upper[at, at]
    return rest


def inverse_of(a: Any) -> Any:
    """Inverses for the derivative of `logdet`, which torch computes of singular matrices too."""
    try:
        return np.linalg.inv(a)
    except np.linalg.LinAlgError:
        flat = np.reshape(a, (-1, *a.shape[-2:]))
        return np.reshape([_inverse_or_infinite(matrix) for matrix in flat], a.shape)


def reaches(off: Any, digits: Any, columns: Any) -> Any:
    """Where `off` reaches the digits of an element; of a 0, all that its column has."""
    whole = np.max(np.abs(columns), axis=-2, keepdims=True, initial=0.0)
    return (off >= digits) & (off > 0) & ((columns != 0) | (off >= whole))


def largest_of_columns(a: Any) -> Any:
    """The largest magnitude of each column, one below the other."""
    return np.max(np.abs(a), axis=-2, initial=0.0)[..., np.newaxis]


def rounding_of(a: Any) -> float:
    """n·u, by which an elimination of `a` is off for each number of a column's largest."""
    return float(a.shape[-1] * np.finfo(a.dtype).eps)
