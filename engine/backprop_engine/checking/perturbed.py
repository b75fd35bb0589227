"""How far rounding may throw a computation of several steps: stochastic arithmetic.

Two correct programs for one function round differently at each of their steps. Where the steps
cancel (a variance of large numbers, the logarithm of a sum near one) no fixed number of ulps
covers that, and a bound that does for every function does not exist. So the computation itself
is asked: it is run again with every operand, and the result of every step, off by a few
roundoffs of random sign, and what that changes is what rounding can change. This is Monte Carlo
arithmetic (Parker 1997; Vignes's CESTAC before it); perturbed operands alone would be the
backward error of Higham, Accuracy and Stability of Numerical Algorithms, §1.5, and miss what the
steps in between lose. The signs come from a fixed seed, so the same run gives the same answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from backprop_engine.basics.source import OperandError
from backprop_engine.basics.values import UNIT_ROUNDOFF, Dtype, Shape, Value, evaluate, is_float

RUNS: Final = 6
"""So many patterns of signs are tried; an error that one of them hides, another one shows."""
ROUNDOFFS_A_STEP: Final = 4
"""By so many roundoffs is each step off: elementary functions are good to about two ulp."""
SAFETY: Final = 2
"""The worst of a few patterns is not the worst of all."""
RESULT_ROUNDOFFS: Final = 8
"""In units of u·|result|; this much is always allowed."""

_MAGNIFIED: Final = 4
"""All is off by so many times more, and what that changes is divided by it: a roundoff or two
are a whole ulp or none, and would undo each other exactly too often."""
_LEAST_ERROR: Final = 2
"""An error is at least half of `_MAGNIFIED`·`ROUNDOFFS_A_STEP` roundoffs, and `SAFETY`/`_MAGNIFIED`
of it is allowed: divided by this it is one for each of the two sides."""
_FURTHER: Final = 4
"""A change that is due to rounding is so many times larger if all is off by so much more."""

_EXACT: Final = frozenset(
    {
        np.negative, np.positive, np.absolute, np.fabs, np.sign, np.copysign,
        np.maximum, np.minimum, np.fmax, np.fmin,
        np.floor, np.ceil, np.trunc, np.rint, np.fmod, np.remainder,
    }
)  # fmt: skip
"""Steps that round nothing."""

_SUMS: Final = frozenset({np.add, np.subtract, np.matmul, np.vecdot})
"""Steps whose terms are off, not their result: in another order they may cancel otherwise."""

_PRODUCTS: Final = frozenset({np.matmul, np.vecdot})

_SUM_FUNCTIONS: Final = frozenset(
    {np.einsum, np.dot, np.vdot, np.inner, np.tensordot, np.convolve, np.trace}
)
"""The same among the functions that numpy does not count as its universal ones."""

_FACTORIZATIONS: Final = frozenset(
    {np.linalg.det, np.linalg.slogdet, np.linalg.inv, np.linalg.solve, np.linalg.cholesky}
)
"""Functions that factor their first operand, a square matrix or a batch of them."""


class Perturbation:
    """By how much each step is off, at random; a subclass changes the steps in another way."""

    def __init__(self, seed: int, size: float) -> None:
        self._generator = np.random.Generator(np.random.PCG64(seed))
        self._size = size

    def apply(self, exact: Any) -> Any:
        """A value that is off; whole numbers and truth values stay as they are."""
        array = np.asarray(exact)
        if _holds_objects(array):
            return self.apply(array.astype(float)).astype(object)
        if array.dtype.kind != "f":
            return exact
        off = array * (1.0 + self.errors(array.shape))
        return self.mark(off.astype(array.dtype))

    def errors(self, shape: Shape) -> np.ndarray:
        """Errors of one step, relative to the numbers that they are added to.

        Of different sizes, or one step's error could undo another's exactly.
        """
        sizes = self._size * self._generator.uniform(0.5, 1, shape)
        signs = self._generator.integers(0, 2, shape) * 2.0 - 1.0
        errors: np.ndarray = sizes * signs
        return errors

    def added(self, total: Any, count: Any, terms: Any) -> Any:
        """Sums of `count` terms, whose magnitudes come to `terms`, off by what adding may lose.

        In whatever order n terms are added, each sum is off by (n - 1)·u·Σ|terms| at most: Higham,
        Accuracy and Stability of Numerical Algorithms, (4.4), and by n·u for products, §3.1. Both
        sides may be. All errors may go one way (as they do for equal terms), so that errors of
        random signs in the terms would show √n of it only.
        """
        array = np.asarray(total)
        errors = self.errors(array.shape) * (count / _LEAST_ERROR) * terms
        return (array + np.where(np.isfinite(errors), errors, 0.0)).astype(array.dtype)

    def long_sum(
        self,
        result: Any,
        ufunc: np.ufunc,
        method: str,
        operands: tuple[Any, ...],
        options: Mapping[str, Any],
    ) -> Any:
        """The result of a reduction or a matrix product, off by what adding its terms may lose."""
        if np.asarray(result).dtype.kind != "f":
            return result
        if ufunc is np.multiply:
            count = np.size(operands[0]) / max(np.size(result), 1)
            if method == "accumulate":
                count = np.max(np.shape(operands[0]), initial=1)
            return self.multiplied(
                result,
                count,
                lambda factors: getattr(ufunc, method)(factors, *operands[1:], **options),
                operands[0],
            )
        if ufunc not in _SUMS:
            return result
        terms, count = (
            getattr(ufunc, method)(*map(size, operands[:2]), *operands[2:], **options)
            if ufunc in _PRODUCTS
            else getattr(ufunc, method)(size(operands[0]), *operands[1:], **options)
            for size in (self.terms, _ones)
        )
        return self.added(result, count, terms)

    def terms(self, operand: Any) -> Any:
        """The magnitudes of what is summed."""
        return np.abs(operand) if np.asarray(operand).dtype.kind == "f" else operand

    def multiplied(
        self, product: Any, count: Any, multiply: Callable[[Any], Any], factors: Any
    ) -> Any:
        """A product of `count` factors, off by what multiplying them one by one may lose."""
        del multiply, factors
        return self.added(product, count, np.abs(product))

    def factored(self, matrix: np.ndarray) -> Any:
        """The matrix that a factorization of `matrix`, (…, n, n), is the exact one of.

        Higham, Accuracy and Stability of Numerical Algorithms, Theorem 9.3: L·U = A + E with
        |E| ≤ γₙ·|L|·|U|. With row exchanges |L| ≤ 1, and column j of U is as large as column j of
        A times the growth factor, which in practice is a small number (§9.4): so E is off by
        n·u·max|column j|, whatever the element itself is, 0 included. Theorem 10.3, of Cholesky:
        |E| ≤ γₙ₊₁·√(aᵢᵢ·aⱼⱼ).
        """
        size = np.abs(matrix)
        columns = np.max(size, axis=-2, keepdims=True, initial=0.0)
        roots = np.sqrt(np.diagonal(size, axis1=-2, axis2=-1))
        bound = np.maximum(columns, roots[..., :, np.newaxis] * roots[..., np.newaxis, :])
        off = matrix + matrix.shape[-1] * bound * self.errors(matrix.shape)
        return self.mark(off.astype(matrix.dtype))

    def made_of(self, result: Any, matrix: np.ndarray) -> Any:
        """What one of numpy's functions makes of the factors of `matrix`."""
        del matrix
        return result

    def given(self, operand: Any) -> Any:
        """An operand, off as well: for what happens inside of one of numpy's functions.

        Whole numbers are data rather than the result of steps, such as the target 1 of a loss,
        and stay.
        """
        is_whole = bool(np.all(np.asarray(operand) == np.rint(operand)))
        return self.mark(operand) if is_whole else self.apply(operand)

    def mark(self, array: Any) -> Any:
        """Floats as an array whose further use is perturbed too."""
        if np.asarray(array).dtype.kind != "f":
            return array
        marked = np.asarray(array).view(_Perturbed)
        marked.source = self
        return marked


class _Perturbed(np.ndarray):
    """An array that is off by a few roundoffs, and so is all that is computed from it."""

    source: Perturbation

    def __array_finalize__(self, made_from: Any) -> None:
        source = getattr(made_from, "source", None)
        if source is not None:
            self.source = source

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        """Run a step on plain arrays, and perturb its result, or the terms it sums."""
        source = next(
            value.source for value in (*inputs, *options.get("out", ())) if _is_off(value)
        )
        is_exact = ufunc in _EXACT
        is_sum = method in ("reduce", "accumulate") or ufunc in _SUMS
        if is_sum and not is_exact and method != "at":
            inputs = tuple(map(source.apply, inputs))
        outputs = options.pop("out", None)
        if outputs is not None:
            options["out"] = tuple(map(plain, outputs))
        given = tuple(map(plain, inputs))
        result = getattr(ufunc, method)(*given, **options)
        if outputs is None and (method in ("reduce", "accumulate") or ufunc in _PRODUCTS):
            result = source.long_sum(result, ufunc, method, given, options)
        if outputs is not None or result is None:  # written in place: `np.add.at`, `a += b`
            return result if outputs is None else outputs[0]
        settle = source.mark if is_exact or is_sum else source.apply
        return tuple(map(settle, result)) if isinstance(result, tuple) else settle(result)

    def __array_function__(
        self, func: Callable[..., Any], types: Any, args: Any, kwargs: Any
    ) -> Any:
        """Keep what numpy's other functions make of it off; those that sum are steps as well."""
        if func in _FACTORIZATIONS:
            args = (_factored(args[0]), *args[1:])
        elif func in _SUM_FUNCTIONS or func.__module__ == "numpy.linalg":
            args = tuple(
                self.source.apply(argument) if _is_off(argument) else argument for argument in args
            )
        result = super().__array_function__(func, types, args, kwargs)
        if func in _FACTORIZATIONS:
            result = self.source.made_of(result, plain(args[0]))
        if not isinstance(result, np.ndarray | np.floating):
            return result
        if func in _SUM_FUNCTIONS:
            given = [plain(argument) for argument in args]
            terms, count = (
                func(*map(size, given), **kwargs) for size in (self.source.terms, _ones)
            )
            result = self.source.added(plain(result), count, terms)
        return self.source.mark(result)


def _holds_objects(array: np.ndarray) -> bool:
    """Whether it holds Python's floats: so it does between the steps of `np.vectorize`."""
    return array.dtype.kind == "O" and all(isinstance(element, float) for element in array.flat)


def _ones(value: Any) -> Any:
    return np.ones_like(value) if np.asarray(value).dtype.kind == "f" else value


def _is_off(value: Any) -> bool:
    return isinstance(value, _Perturbed)


def _factored(matrix: Any) -> Any:
    is_square = _is_off(matrix) and matrix.ndim > 1 and matrix.shape[-1] == matrix.shape[-2]
    return matrix.source.factored(plain(matrix)) if is_square else matrix


def plain(value: Any) -> Any:
    """The array without the perturbation of what is computed from it."""
    return value.view(np.ndarray) if isinstance(value, _Perturbed) else value


def sensitivity(
    function: Callable[..., Any],
    operands: Sequence[Value],
    attributes: Mapping[str, Any],
    result: Value,
    dtype: Dtype,
) -> Value:
    """What another correct `function(*operands, **attributes)` may differ by from `result`.

    Element by element, in the shape of the result: `SAFETY` times the largest change that
    perturbed runs show, but `RESULT_ROUNDOFFS`·u·|result| and the smallest normal number (what
    is smaller may be taken for 0) at least. A large change that does not grow with the
    perturbation is no rounding: some choice fell otherwise (which of two is the largest, on
    which side of a kink), and nothing is allowed for it.
    """
    exact = np.asarray(result, dtype=float)
    unit = UNIT_ROUNDOFF[dtype]
    size = _MAGNIFIED * ROUNDOFFS_A_STEP * unit

    def change(seed: int, size: float) -> np.ndarray:
        source = Perturbation(seed, size)
        moved = [source.given(operand) if is_float(operand) else operand for operand in operands]
        try:
            off = np.asarray(plain(evaluate(function, moved, attributes)), dtype=float)
        except OperandError:  # such as a probability that is more than 1 now
            return np.zeros(exact.shape)
        difference: np.ndarray = np.abs(off - exact)
        return np.where(np.isfinite(difference), difference, 0.0)

    with np.errstate(all="ignore"):
        worst = RESULT_ROUNDOFFS * unit * np.abs(exact) + float(np.finfo(dtype).tiny)
        large = unit**0.25 * np.abs(exact)
        for seed in range(RUNS):
            changed = change(seed, size)
            is_large = changed > large
            if is_large.any():
                is_jump = is_large & (change(seed, _FURTHER * size) < _FURTHER / 2 * changed)
                # What only cannot grow any more, such as a number divided by its length, did grow.
                less = change(seed, size / _FURTHER)
                is_jump &= ~((large < less) & (less <= 2 / _FURTHER * changed))
                changed = np.where(is_jump, 0.0, changed)
            worst = np.maximum(worst, SAFETY / _MAGNIFIED * changed)
    allowed: Value = np.where(np.isfinite(worst), worst, 0.0)
    return allowed
