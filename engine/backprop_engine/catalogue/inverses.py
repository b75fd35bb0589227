"""Determinants, inverses, linear systems and powers of square matrices, and batches of them.

The derivatives are those of Giles, "An extended collection of matrix derivative results for
forward and reverse mode algorithmic differentiation" (2008).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from backprop_engine.basics.limits import MAX_POWER
from backprop_engine.basics.memory_order import by_columns
from backprop_engine.basics.source import OperandError
from backprop_engine.basics.values import shape_of, unbroadcast
from backprop_engine.budget import LimitError, check_elements
from backprop_engine.catalogue.shared.axes import refuse_mixed
from backprop_engine.catalogue.shared.elimination import (
    cofactors,
    eliminated,
    inverse_of,
    largest_of_columns,
    reaches,
    rounding_of,
    transposed,
)
from backprop_engine.catalogue.shared.entries import in_steps
from backprop_engine.operation import Application, Derivative, Kind, Operation, Parameter

_A = Parameter("A", aliases=("input",))


def _square(a: Any, name: str) -> Any:
    shape = shape_of(a)
    if len(shape) < 2 or shape[-1] != shape[-2]:
        raise OperandError(
            f"`{name}` takes a square matrix, not shape {shape}", "give it two axes of one length"
        )
    return a


def _singular(a: Any, name: str) -> OperandError:
    """The refusal that says which matrix is singular, and where its elimination stops."""
    for number, matrix in enumerate(np.reshape(a, (-1, *a.shape[-2:]))):
        pivots = np.diagonal(eliminated(matrix)[0])
        if not np.all(pivots):
            place = int(np.argmin(pivots != 0))
            which = f"matrix {number} of the batch" if a.ndim > 2 else "the matrix"
            return OperandError(
                f"`{name}` needs an invertible matrix, and {which} is singular: when rows are "
                f"eliminated, element ({place}, {place}) of the diagonal becomes 0",
                "its rows depend on each other; adding a small multiple of the identity helps",
            )
    return OperandError(
        f"`{name}` needs an invertible matrix, and this one is singular",
        "adding a small multiple of the identity helps",
    )


def _inv(a: Any) -> Any:
    try:
        return np.linalg.inv(_square(a, "inv"))
    except np.linalg.LinAlgError:
        raise _singular(a, "inv") from None


def _inv_rule(g: Any, inverse: Any, _a: Any = None) -> Any:
    return -transposed(inverse) @ g @ transposed(inverse)


def _log_abs_det_rule(g: Any, _y: Any, a: Any) -> Any:
    return np.asarray(g)[..., np.newaxis, np.newaxis] * transposed(inverse_of(a))


def _det_in_torch(sent: Any, g: Any, y: Any, a: Any) -> Any:
    """torch multiplies by the determinant before it divides by the pivots: 0 · ∞ becomes 0."""
    scaled = np.asarray(g * y)[..., np.newaxis, np.newaxis]
    is_lost = (np.asarray(y)[..., np.newaxis, np.newaxis] == 0) & (a.shape[-1] > 1)
    return np.where(is_lost, scaled, sent)


def _logdet(a: Any) -> Any:
    sign, logarithm = np.linalg.slogdet(_square(a, "logdet"))
    return np.where(sign < 0, np.nan, logarithm)


def _is_vector(a: Any, b: Any) -> bool:
    """Whether the right side is a vector, or in a batch one vector for each matrix."""
    return len(shape_of(b)) == 1 or shape_of(b) == shape_of(a)[:-1]


def _solve(a: Any, b: Any) -> Any:
    _square(a, "solve")
    right = b[..., np.newaxis] if shape_of(b) and _is_vector(a, b) else b
    if len(shape_of(right)) < 2 or right.shape[-2] != a.shape[-1]:
        raise OperandError(
            f"`solve` cannot solve A·X = B for shapes {shape_of(a)} and {shape_of(b)}: "
            f"B must have {a.shape[-1]} rows",
            "give it as many rows as A has",
        )
    refuse_mixed("solve", a, b)
    try:
        found = np.linalg.solve(a, right)
    except np.linalg.LinAlgError:
        raise _singular(a, "solve") from None
    return found[..., 0] if right is not b else found


def _right_side_rule(g: Any, a: Any, b: Any) -> Any:
    upstream = g[..., np.newaxis] if _is_vector(a, b) else g
    try:
        return np.linalg.solve(transposed(a), upstream)
    except np.linalg.LinAlgError:  # what rounding made of the transposed matrix is singular
        return inverse_of(transposed(a)) @ upstream


def _solve_rule(g: Any, y: Any, a: Any, b: Any) -> Any:
    solution = y[..., np.newaxis] if _is_vector(a, b) else y
    return unbroadcast(-_right_side_rule(g, a, b) @ transposed(solution), a.shape)


def _solve_right_rule(g: Any, _y: Any, a: Any, b: Any) -> Any:
    sent = _right_side_rule(g, a, b)
    return unbroadcast(sent[..., 0] if _is_vector(a, b) else sent, b.shape)


def _matrix_power(a: Any, n: int) -> Any:
    if abs(n) > MAX_POWER:
        raise LimitError(f"`matrix_power` goes to the power of {MAX_POWER:,} at most, not {n:,}")
    check_elements(abs(n), np.size(a))  # the derivative holds all powers
    try:
        return np.linalg.matrix_power(_square(a, "matrix_power"), n)
    except np.linalg.LinAlgError:
        raise _singular(a, "matrix_power") from None


def _matrix_power_rule(g: Any, _y: Any, a: Any, n: int) -> Any:
    """One term for each factor: the factors before it, the gradient, the factors after it."""
    if n == 0:
        return np.zeros_like(a)
    base = a if n >= 0 else inverse_of(a)
    powers, products = _by_squaring(base, abs(n))
    sent: list[Any] = [0.0] * len(powers)
    sent[-1] = g
    for (left, right), upstream in zip(reversed(products), reversed(sent), strict=False):
        sent[left] = sent[left] + upstream @ transposed(powers[right])
        sent[right] = sent[right] + transposed(powers[left]) @ upstream
    return sent[0] if n >= 0 else _inv_rule(sent[0], base)


def _by_squaring(base: Any, n: int) -> tuple[list[Any], list[tuple[int, int]]]:
    """The powers of `base` that torch goes by, the last one its n-th; by power but the first one,
    which two of those before it are its factors.
    """
    powers, products = [base], list[tuple[int, int]]()

    def times(left: int, right: int) -> int:
        products.append((left, right))
        powers.append(powers[left] @ powers[right])
        return len(products)

    if n == 3:
        times(times(0, 0), 0)
        return powers, products
    square, result = 0, 0 if n % 2 else None
    while n := n // 2:
        square = times(square, square)
        if n % 2:
            result = square if result is None else times(result, square)
    return powers, products


def _matrix_power_grad_fn(application: Application) -> str:
    n, rank = application.attributes["n"], len(application.shapes[0])
    names = {
        0: "torch::autograd::CopyBackwards",
        1: "CloneBackward0",
        -1: "LinalgInvExBackward0",
    }
    return names.get(n, "MmBackward0" if rank == 2 else "UnsafeViewBackward0")


def _cholesky(a: Any, upper: bool) -> Any:
    try:
        lower = np.linalg.cholesky(_square(a, "cholesky"))
    except np.linalg.LinAlgError:
        raise OperandError(
            "`cholesky` needs a positive-definite matrix, and this one is not",
            "such a matrix is symmetric and has positive eigenvalues, as `B @ B.T` has",
        ) from None
    return transposed(lower) if upper else lower


def _symmetrically(
    operands: list[Any], recorded: list[Any], attributes: Mapping[str, Any]
) -> tuple[list[Any], Mapping[str, Any]]:
    """One triangle is read, but torch moves both: its gradient is that of a symmetric matrix."""
    before = np.asarray(recorded[0], dtype=float)
    change = operands[0] - before
    return [before + (change + transposed(change)) / 2], attributes


def _cholesky_rule(g: Any, y: Any, _a: Any, upper: bool) -> Any:
    if upper:
        g, y = transposed(g), transposed(y)
    lower = np.tril(transposed(y) @ g)
    symmetric = (lower + transposed(np.tril(lower, -1))) / 2
    inverse = inverse_of(y)
    return transposed(inverse) @ symmetric @ inverse


def _is_sent_no_number(_operands: Any, _attributes: Any, upstream: Any) -> Any:
    """Whether it is not finite: what comes of it in an elimination goes by the order of that."""
    return upstream is not None and not np.all(np.isfinite(upstream))


def _is_lost(operands: Sequence[Any], attributes: Any, upstream: Any) -> Any:
    """Elements of A⁻¹, or of A⁻¹·B, that the roundings of an elimination may be all of.

    That solves (A + E)·X = B with |E| ≤ n·u·max|column| (see `Perturbation.factored`), and to first
    order X is off by |A⁻¹|·|E|·|X|: where A has 3e38 beside 0.5 that is more than small elements.
    """
    a, *right = operands
    if upstream is not None:
        return _is_sent_no_number(operands, attributes, upstream)
    inverse = inverse_of(a)
    found = _solve(a, *right) if right else inverse
    columns = found[..., np.newaxis] if right and _is_vector(a, *right) else found
    with np.errstate(all="ignore"):
        reach = np.sum(largest_of_columns(a) * np.abs(columns), axis=-2, keepdims=True)
        off = rounding_of(a) * np.sum(np.abs(inverse), axis=-1, keepdims=True) * reach
        is_lost = reaches(off, np.abs(columns), columns)
    return np.reshape(is_lost, found.shape)


def _is_lost_or_sent_so(operands: Sequence[Any], attributes: Any, upstream: Any) -> Any:
    """The same of a solution; and where more than half of the digits of what goes back may be lost.

    torch goes back through its factors of A, and that solves (A + E)ᵀ·Z = G: other elements of E
    are large than where Aᵀ is factored, which the perturbed runs do.
    """
    is_lost = _is_lost(operands, attributes, upstream)
    if upstream is None or is_lost:
        return is_lost
    a, b = operands
    sent = _right_side_rule(upstream, a, b)
    columns = np.abs(sent[..., np.newaxis] if _is_vector(a, b) else sent)
    with np.errstate(all="ignore"):
        columns = columns / np.max(columns, initial=0.0)  # or a sum may overflow
        reach = np.abs(transposed(inverse_of(a))) @ largest_of_columns(a)
        off = rounding_of(a) * reach * np.sum(columns, axis=-2, keepdims=True)
        digits = np.sqrt(np.finfo(a.dtype).eps) * columns
        is_lost = np.any(reaches(off, digits, columns), axis=-1)
    return is_lost[:, np.newaxis] if np.ndim(a) == np.ndim(b) == 2 else np.any(is_lost)


def _is_nearly_singular(operands: Sequence[Any], attributes: Any, upstream: Any) -> Any:
    """Which matrices are singular but for rounding: what is sent goes by where that leads."""
    a = operands[0]
    largest = np.prod(np.max(np.abs(a), axis=-2, initial=0.0), axis=-1)
    rounding = 16 * a.shape[-1] * np.finfo(a.dtype).eps
    is_lost = np.abs(np.linalg.det(a)) <= rounding * largest
    if upstream is None:
        return is_lost
    is_lost = is_lost | _is_sent_no_number(operands, attributes, upstream)
    return np.asarray(is_lost)[..., np.newaxis, np.newaxis]


DET = in_steps(
    "det",
    lambda a: np.linalg.det(_square(a, "det")),
    Derivative(
        rule=lambda g, _y, a: np.asarray(g)[..., np.newaxis, np.newaxis] * cofactors(a),
        vjp="{g}·cofactors({a})",
        words="An element changes the determinant by its cofactor, which is "
        "det(A)·(A⁻¹)ᵀ where there is an inverse.",
        in_torch=_det_in_torch,
        in_torch_words="of a singular matrix torch sends 0 back, and the cofactors only with "
        "create_graph=True",
    ),
    unsettled=_is_nearly_singular,
    notation="det {a}",
    torch="linalg.det",
    words="the determinant",
    parameters=(_A,),
    example="A=[[1,2],[3,4]], y=det(A)",
)

LOGDET = in_steps(
    "logdet",
    _logdet,
    # Where the determinant is negative torch answers NaN from a constant, which sends nothing on.
    rule=lambda g, y, a: _log_abs_det_rule(np.where(np.isnan(y), 0.0, g), y, a),
    vjp="{g}·({a}⁻¹)ᵀ",
    because="The logarithm cancels the determinant: what is left is the inverse.",
    notation="log det {a}",
    grad_fn="WhereBackward0",
    words="the logarithm of the determinant; NaN where that is negative",
    parameters=(_A,),
    composite="d = det(a)\nlog(d)",
    example="A=[[2,1],[1,3]], y=logdet(A)",
)

SLOGDET = in_steps(
    "slogdet",
    lambda a, output: np.linalg.slogdet(_square(a, "slogdet"))[output],
    rule=lambda g, y, a, output: np.zeros_like(a) if output == 0 else _log_abs_det_rule(g, y, a),
    vjp=lambda output, **_: "{g}·({a}⁻¹)ᵀ" if output else "0",
    because="The logarithm cancels the determinant: what is left is the inverse. The sign "
    "does not move.",
    notation=lambda output, **_: "log |det {a}|" if output else "sign of det {a}",
    torch="linalg.slogdet",
    words="the sign of the determinant, and the logarithm of its magnitude",
    parameters=(_A,),
    outputs=lambda *_operands, **_attributes: ("sign", "logabsdet"),
    example="A=[[1,2],[3,4]], y=slogdet(A).logabsdet",
)

INV = in_steps(
    "inv",
    _inv,
    rule=_inv_rule,
    vjp="−{y}ᵀ @ {g} @ {y}ᵀ",
    because="As 1/x has the slope −1/x², the inverse has itself on both sides, and a minus.",
    lay_out=by_columns,
    notation="{a}⁻¹",
    torch="linalg.inv",
    grad_fn="LinalgInvExBackward0",
    unsettled=_is_lost,
    words="the inverse of a matrix",
    parameters=(_A,),
    functions=("inv", "inverse"),
    example="A=[[1,2],[3,4]], y=inv(A).sum()",
)

SOLVE = in_steps(
    "solve",
    _solve,
    Derivative(
        rule=_solve_rule,
        vjp="−(({a}⁻¹)ᵀ @ {g}) @ {y}ᵀ",
        words="A change of the matrix acts like a change of the right side, with a minus.",
    ),
    Derivative(
        rule=_solve_right_rule,
        vjp="({a}⁻¹)ᵀ @ {g}",
        words="The right side goes through the inverse, its gradient through the transposed.",
    ),
    lay_out=by_columns,
    notation="{a}⁻¹ @ {b}",
    torch="linalg.solve",
    grad_fn="LinalgSolveExBackward0",
    unsettled=_is_lost_or_sent_so,
    words="the X for which A @ X is B",
    parameters=(Parameter("A"), Parameter("B")),
    example="A=[[1,2],[3,4]], b=[5,6], x=torch.linalg.solve(A, b), y=x.sum()",
)

MATRIX_POWER = in_steps(
    "matrix_power",
    _matrix_power,
    rule=_matrix_power_rule,
    vjp="Σ over k of ({a}ᵀ)^k @ {g} @ ({a}ᵀ)^({n} − 1 − k)",
    because="The matrix stands in the product n times, and each place sends its share. For "
    "a negative n the inverse stands there.",
    notation="{a}^{n}",
    torch="linalg.matrix_power",
    grad_fn=_matrix_power_grad_fn,
    words="a matrix multiplied by itself n times",
    parameters=(_A, Kind.WHOLE("n")),
    example="A=[[1,2],[3,4]], y=matrix_power(A, 3).sum()",
)


def _cholesky_form(name: str, **rest: Any) -> Operation:
    """The older function and that of torch.linalg, which are two to torch's autograd."""
    return in_steps(
        name,
        _cholesky,
        rule=_cholesky_rule,
        vjp="({y}⁻¹)ᵀ @ sym(tril({y}ᵀ @ {g})) @ {y}⁻¹",
        because="The factor stands on both sides of the product; the gradient is shared "
        "evenly between the two triangles.",
        lay_out=by_columns,
        words="the lower triangular L with L @ Lᵀ the given matrix",
        parameters=(_A, Kind.FLAG("upper", False)),
        differentiated_at=_symmetrically,
        **rest,
    )


CHOLESKY = _cholesky_form("cholesky", example="B=[[2,0],[1,1]], L=cholesky(B @ B.T), y=L.sum()")
LINALG_CHOLESKY = _cholesky_form(
    "linalg.cholesky",
    grad_fn="LinalgCholeskyExBackward0",
    example="B=[[2,0],[1,1]], L=torch.linalg.cholesky(B @ B.T), y=L.sum()",
)
