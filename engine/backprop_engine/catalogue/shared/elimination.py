"""Gaussian elimination of one matrix, and inverses that answer for singular ones, too."""

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
