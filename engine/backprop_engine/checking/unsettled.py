"""What nobody can know of a result who does not know how the library computes it.

Whether 3e38 + 3e38 − 3e38 is 3e38 or infinite in float32 hangs on the order in which a library
adds, and that on the processor. So it is with products of many factors, with the elimination of a
matrix whose numbers are at the ends of what a float can hold, or are no numbers, and with the zeros
beside an image, which a kernel multiplies or leaves out. There each result is right.

The computation is run again with something else in the place of all that is open: what changes
then is not settled.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

from backprop_engine.basics.source import OperandError
from backprop_engine.basics.values import UNIT_ROUNDOFF, Dtype, Value, is_float
from backprop_engine.checking.perturbed import Perturbation, plain

OVERFLOW: Final = (
    "not settled: something overflows on the way, and what comes of it hangs on the order in which "
    "a library computes"
)
ROUNDING: Final = "not settled: rounding has reached more than half of the digits"


class _Replacing(Perturbation):
    """Nothing is off, but what overflows in one order and not in another is `instead`."""

    def __init__(self, instead: float) -> None:
        super().__init__(0, 0.0)
        self._instead = instead

    def apply(self, exact: Any) -> Any:
        return self.mark(exact)

    def factored(self, matrix: np.ndarray) -> Any:
        return matrix

    def terms(self, operand: Any) -> Any:
        """Infinities among the terms come out the same in any order."""
        size = super().terms(operand)
        is_number = np.asarray(size).dtype.kind == "f"
        return np.where(np.isfinite(size), size, 0) if is_number else size

    def multiplied(
        self, product: Any, count: Any, multiply: Callable[[Any], Any], factors: Any
    ) -> Any:
        """Factors beyond 1 may overflow before the others come, and those below may vanish."""
        size = np.abs(factors)
        finite = np.where(np.isfinite(size) & (size != 0), size, 1).astype(size.dtype)
        small, large = multiply(np.minimum(finite, 1)), multiply(np.maximum(finite, 1))
        is_lost = (small < np.finfo(size.dtype).tiny) | np.isinf(large)
        return self.added(product, count, np.where(is_lost, np.inf, 1.0))

    def added(self, total: Any, count: Any, terms: Any) -> Any:
        del count
        return np.where(np.isinf(terms), self._instead, total).astype(np.asarray(total).dtype)

    def made_of(self, result: Any, matrix: np.ndarray) -> Any:
        is_open = _is_extreme(matrix)

        def replaced(each: Any) -> Any:
            axes = np.ndim(each) - np.ndim(is_open)
            where = np.expand_dims(is_open, tuple(range(np.ndim(is_open), np.ndim(is_open) + axes)))
            return self.mark(np.where(where, self._instead, each).astype(each.dtype))

        return tuple(map(replaced, result)) if isinstance(result, tuple) else replaced(result)


def _is_extreme(matrix: np.ndarray) -> Any:
    """Which matrices, of a batch, hold what is not finite, or whose pivots may leave the range.

    n factors, each as large as a column's sum or as small as an element, must fit.
    """
    size = matrix.shape[-1]
    magnitudes = np.abs(np.asarray(matrix, float))
    largest = np.max(magnitudes, axis=(-2, -1), initial=0.0) * size
    least = np.min(np.where(magnitudes == 0, 1.0, magnitudes), axis=(-2, -1), initial=1.0)
    limits = np.finfo(matrix.dtype)
    with np.errstate(all="ignore"):
        is_large = size * np.log2(np.maximum(largest, 1)) >= np.log2(float(limits.max))
        is_small = size * np.log2(least) <= np.log2(float(limits.tiny))
    return is_large | is_small | ~np.isfinite(magnitudes).all(axis=(-2, -1))


def unsettled(function: Callable[..., Any], given: Sequence[Value]) -> Any:
    """Where the elements of `function(*given)` are open, as truth values of its shape."""
    answers = []
    for instead in (np.nan, 0.0):
        source = _Replacing(instead)
        marked = [source.mark(operand) if is_float(operand) else operand for operand in given]
        try:
            with np.errstate(all="ignore"):
                answers.append(np.asarray(plain(function(*marked))))
        except OperandError:
            return False
    return (answers[0] != answers[1]) & ~(np.isnan(answers[0]) & np.isnan(answers[1]))


def words_on(ours: Value, theirs: Value) -> str:
    """What to say of two results that differ where nobody can know them."""
    is_finite = np.all(np.isfinite(ours)) and np.all(np.isfinite(theirs))
    return ROUNDING if is_finite else OVERFLOW


def is_adrift(ours: Value, theirs: Value, dtype: Dtype) -> bool:
    """Whether two results that stand both differ by more than half of the digits.

    Beside the largest of them, or beside 1: what is 0 but for rounding has no digits.
    """
    a, b = np.asarray(ours), np.asarray(theirs)
    if a.shape != b.shape or b.dtype.kind != "f":
        return False
    both = np.isfinite(a) & np.isfinite(b)
    apart = np.abs(np.subtract(a, b, dtype=float))[both]
    largest = float(np.max(np.abs(b), initial=1.0, where=both))
    return bool(np.any(apart > np.sqrt(UNIT_ROUNDOFF[dtype]) * largest))
