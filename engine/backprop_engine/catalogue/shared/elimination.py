"""Gaussian elimination, what rounding makes of it, inverses and cofactors, of singular ones too.

For an invertible matrix the cofactors are det(A)·(A⁻¹)ᵀ, and stay accurate however close to
singular it is (Stewart, "On the adjugate matrix", 1998). A singular one is eliminated with
exchanges of rows and columns, so that a pivot of 0 can only stand behind all others.
"""

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


def cofactors(a: Any) -> Any:
    """The cofactor of each element of each matrix, in the shape (…, n, n) of `a`."""
    matrices = np.reshape(a, (-1, *np.shape(a)[-2:])) if np.size(a) else np.zeros((0, 1, 1))
    transposed = np.swapaxes(matrices, -1, -2)
    determinants = np.linalg.det(transposed)[:, np.newaxis, np.newaxis]
    identity = np.eye(matrices.shape[-1], dtype=matrices.dtype)
    is_singular = determinants == 0
    # As torch does it: the same elimination divides what it has multiplied by.
    found = np.linalg.solve(np.where(is_singular, identity, transposed), determinants * identity)
    for number in np.flatnonzero(is_singular):
        found[number] = _cofactors_of_singular(matrices[number])
    return np.reshape(found, np.shape(a))


def _cofactors_of_singular(matrix: Any) -> Any:
    """The cofactors of one matrix whose determinant is 0, or so small that it rounds to 0.

    With P·A·Q = L·U the cofactors are det(P)·det(Q)·Pᵀ·L⁻ᵀ·cof(U)·Qᵀ. Let p be the last pivot, d
    the product of the others and U₁ and u the rest of U; then cof(U)ᵀ is
    d·[[p·U₁⁻¹, −U₁⁻¹·u], [0, 1]], which divides by no zero but where two pivots are 0. There it
    is 0, for all minors are.
    """
    size = len(matrix)
    upper, beside, columns, sign = _eliminated(matrix)
    pivots = np.diagonal(upper)
    if size > 1 and pivots[-2] == 0:
        return np.zeros_like(matrix)
    head = np.linalg.inv(upper[:-1, :-1])
    adjugate = np.zeros_like(matrix)
    adjugate[:-1, :-1] = pivots[-1] * head
    adjugate[:-1, -1] = -head @ upper[:-1, -1]
    adjugate[-1, -1] = 1.0
    unordered = sign * np.prod(pivots[:-1]) * (adjugate @ beside)
    found = np.empty_like(matrix)
    found[:, columns] = unordered.T
    return found


def _eliminated(matrix: Any) -> tuple[Any, Any, Any, float]:
    """U, what the same steps make of the identity (L⁻¹·P), the order of columns, the sign.

    Raises nothing: a pivot of 0 leaves only zeros below and beside it.
    """
    size = len(matrix)
    upper, beside = np.array(matrix), np.eye(size, dtype=matrix.dtype)
    columns, sign = np.arange(size), 1.0
    for at in range(size - 1):
        rest = np.abs(upper[at:, at:])
        row, column = (at + int(i) for i in np.unravel_index(np.argmax(rest), rest.shape))
        sign *= (-1.0) ** ((row != at) + (column != at))
        upper[[at, row]], beside[[at, row]] = upper[[row, at]], beside[[row, at]]
        upper[:, [at, column]] = upper[:, [column, at]]
        columns[[at, column]] = columns[[column, at]]
        if upper[at, at] == 0:
            break
        factors = upper[at + 1 :, at : at + 1] / upper[at, at]
        upper[at + 1 :] -= factors * upper[at]
        beside[at + 1 :] -= factors * beside[at]
    return np.triu(upper), beside, columns, sign
