"""Products of vectors and matrices."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from backprop_engine.basics.source import OperandError
from backprop_engine.basics.values import shape_of, unbroadcast
from backprop_engine.budget import check_elements, check_product
from backprop_engine.catalogue import arithmetic
from backprop_engine.catalogue.shared.axes import refuse_mixed
from backprop_engine.catalogue.shared.entries import INPUT, OTHER, in_steps, operation, symmetric
from backprop_engine.operation import Application, Derivative, Kind, Operation, Parameter


def _paired(name: str) -> Callable[[Any, Any], Any]:
    """The dot product of two vectors, refused by `name`."""

    def forward(a: Any, b: Any) -> Any:
        left, right = shape_of(a), shape_of(b)
        if len(left) != 1 or len(right) != 1:
            raise OperandError(
                f"`{name}` takes two vectors, not shapes {left} and {right}", "use `@`"
            )
        if left != right:
            raise OperandError(
                f"`{name}` takes two vectors of one length, not {left[0]} and {right[0]}",
                "give two vectors that are equally long",
            )
        refuse_mixed(name, a, b)
        return np.dot(a, b)

    return forward


def _matmul(a: Any, b: Any) -> Any:
    left, right = shape_of(a), shape_of(b)
    if not left or not right:
        raise OperandError(
            f"`@` takes vectors and matrices, not shapes {left} and {right}",
            "use `*` to multiply by a number",
        )
    inner, name = (right[0], "first") if len(right) == 1 else (right[-2], "second last")
    if left[-1] != inner:
        raise OperandError(
            f"`@` cannot multiply shapes {left} and {right}: the last axis of the left "
            f"({left[-1]}) must be as long as the {name} of the right ({inner})",
            "make them equally long; of matrices one may be transposed: `a @ b.T`",
        )
    refuse_mixed("@", a, b)
    check_product(a, b)
    return np.matmul(a, b)


def _as_matrices(g: Any, a: Any, b: Any) -> tuple[Any, Any, Any]:
    """The three of a product with vectors made matrices: a row on the left, a column right."""
    if b.ndim == 1:
        g = np.expand_dims(g, -1)
    if a.ndim == 1:
        g = np.expand_dims(g, -1 if b.ndim == 1 else -2)
    left = a[np.newaxis, :] if a.ndim == 1 else a
    right = b[:, np.newaxis] if b.ndim == 1 else b
    return g, left, right


def _left_rule(g: Any, _y: Any, a: Any, b: Any) -> Any:
    g, left, right = _as_matrices(g, a, b)
    return np.reshape(unbroadcast(g @ right.swapaxes(-1, -2), left.shape), a.shape)


def _right_rule(g: Any, _y: Any, a: Any, b: Any) -> Any:
    g, left, right = _as_matrices(g, a, b)
    return np.reshape(unbroadcast(left.swapaxes(-1, -2) @ g, right.shape), b.shape)


def _matmul_grad_fn(application: Application) -> str:
    left, right = (len(shape) for shape in application.shapes)
    if left <= 2 and right <= 2:
        names = {(1, 1): "DotBackward0", (2, 1): "MvBackward0", (2, 2): "MmBackward0"}
        return names.get((left, right), "SqueezeBackward4")
    # Beyond two axes torch folds the smaller operand in; from the left it has to copy.
    return "CloneBackward0" if left == 2 and right > 2 else "UnsafeViewBackward0"


MATMUL = operation(
    "matmul",
    _matmul,
    Derivative(
        rule=_left_rule,
        vjp="{g} @ {b}ᵀ",
        words="Going back through a product, the left factor sees the right one transposed.",
    ),
    Derivative(
        rule=_right_rule,
        vjp="{a}ᵀ @ {g}",
        words="Going back through a product, the right factor sees the left one transposed.",
    ),
    symbol="@",
    notation="{a} @ {b}",
    torch=lambda torch, a, b: a @ b,
    grad_fn=_matmul_grad_fn,
    words="the matrix product",
    parameters=(INPUT, Parameter("other", aliases=("tensor2",))),
    example="A=[[1,2],[3,4]], x=[5,6], y=(A@x).sum()",
)


def _of_ranks(name: str, ranks: tuple[int, int], wanted: str) -> Callable[[Any, Any], Any]:
    """`matmul` for operands of given ranks only, as `mm`, `mv` and `bmm` take them."""

    def forward(a: Any, b: Any) -> Any:
        left, right = shape_of(a), shape_of(b)
        fits = (len(left), len(right)) == ranks and left[-1] == right[-min(len(right), 2)]
        if not fits or (len(left) == 3 and left[0] != right[0]):
            raise OperandError(f"`{name}` takes {wanted}, not shapes {left} and {right}", "use `@`")
        refuse_mixed(name, a, b)
        check_product(a, b)
        return np.matmul(a, b)

    return forward


def _dot_form(name: str, other: str) -> Operation:
    """`dot` or `vdot`."""
    return operation(
        name,
        _paired(name),
        *symmetric(
            arithmetic.MUL.rules[0],
            "Each element is multiplied by its partner in the other vector.",
            vjp="{g}·{b}",
        ),
        notation="{a}·{b}",
        words="the dot product of two vectors",
        parameters=(INPUT, Parameter(other, aliases=("other",))),
        composite="p = a * b\nsum(p)",
        example=f"x=[1,2,3], w=[4,5,6], y={name}(x, w)",
    )


def _matmul_form(
    name: str, second: str, forward: Callable[[Any, Any], Any], words: str, example: str
) -> Operation:
    """A product of matrices under the name it has for given ranks."""
    return operation(
        name,
        forward,
        *MATMUL.derivatives,
        notation="{a} @ {b}",
        words=words,
        parameters=(INPUT, Parameter(second, aliases=("other",))),
        example=example,
    )


DOT = _dot_form("dot", "tensor")
VDOT = _dot_form("vdot", "other")

MM = _matmul_form(
    "mm",
    "mat2",
    _of_ranks("mm", (2, 2), "two matrices, the left as wide as the right is high"),
    "the product of two matrices",
    "A=[[1,2],[3,4]], B=[[5,6],[7,8]], y=mm(A, B).sum()",
)
MV = _matmul_form(
    "mv",
    "vec",
    _of_ranks("mv", (2, 1), "a matrix and a vector as long as the matrix is wide"),
    "the product of a matrix and a vector",
    "A=[[1,2],[3,4]], x=[5,6], y=mv(A, x).sum()",
)
BMM = _matmul_form(
    "bmm",
    "mat2",
    _of_ranks("bmm", (3, 3), "two batches of matrices, the left as wide as the right are high"),
    "the products of two batches of matrices, one by one",
    "A=[[[1,2],[3,4]]], B=[[[5,6],[7,8]]], y=bmm(A, B).sum()",
)


def _outer(a: Any, b: Any) -> Any:
    if len(shape_of(a)) != 1 or len(shape_of(b)) != 1:
        raise OperandError(
            f"`outer` takes two vectors, not shapes {shape_of(a)} and {shape_of(b)}",
            "flatten them first",
        )
    check_elements(len(a), len(b))
    return np.outer(a, b)


OUTER = operation(
    "outer",
    _outer,
    Derivative(
        rule=lambda g, y, a, b: g @ b,
        vjp="{g} @ {b}",
        words="An element of the left makes one row: it receives that row times the right.",
    ),
    Derivative(
        rule=lambda g, y, a, b: g.T @ a,
        vjp="{g}ᵀ @ {a}",
        words="An element of the right makes one column: it receives that column times the left.",
    ),
    notation="{a} ⊗ {b}",
    grad_fn="MulBackward0",
    words="every element of one vector times every element of another",
    parameters=(INPUT, Parameter("vec2", aliases=("other",))),
    functions=("outer", "ger"),
    composite="c = a.unsqueeze(1)\nc * b",
    example="x=[1,2], w=[3,4,5], y=outer(x, w).sum()",
)


def _inner(a: Any, b: Any) -> Any:
    left, right = shape_of(a), shape_of(b)
    if left and right and left[-1] != right[-1]:
        raise OperandError(
            f"`inner` cannot multiply shapes {left} and {right}: their last axes must be equally "
            "long",
            "transpose one of them",
        )
    if left and right:
        refuse_mixed("inner", a, b)
        check_elements(*left[:-1], *right[:-1])
    return np.inner(a, b)


def _inner_rule(g: Any, a: Any, b: Any, *, left: bool) -> Any:
    """For the left operand; the right one is the left of the transposed."""
    if not shape_of(a) or not shape_of(b):
        factor, other = (a, b) if left else (b, a)
        return unbroadcast(g * other, shape_of(factor))
    rows, columns = (
        operand.reshape(math.prod(operand.shape[:-1]), operand.shape[-1]) for operand in (a, b)
    )
    flat = np.reshape(g, (len(rows), len(columns)))
    if left:
        return _left_rule(flat, None, rows, columns.T).reshape(a.shape)
    return _right_rule(flat, None, rows, columns.T).T.reshape(b.shape)


INNER = operation(
    "inner",
    _inner,
    Derivative(
        rule=lambda g, y, a, b: _inner_rule(g, a, b, left=True),
        vjp="{g} @ {b}",
        words="Each row receives the rows it was multiplied by, weighted by the gradient.",
    ),
    Derivative(
        rule=lambda g, y, a, b: _inner_rule(g, a, b, left=False),
        vjp="{g}ᵀ @ {a}",
        words="Each row receives the rows it was multiplied by, weighted by the gradient.",
    ),
    grad_fn=lambda application: "ViewBackward0" if all(application.shapes) else "MulBackward0",
    words="the dot products of all rows of one value with all rows of another",
    symbolic=lambda sympy, a, b: a * b,
    example="A=[[1,2],[3,4]], x=[5,6], y=inner(A, x).sum()",
)


def _kron_axes(a: Any, b: Any) -> tuple[Any, Any, tuple[int, ...]]:
    """The operands with as many axes, each one's beside the other's: (m, 1, n, 1), (1, p, 1, q)."""
    rank = max(len(shape_of(a)), len(shape_of(b)))
    first, second = (
        np.reshape(operand, (*(1,) * (rank - len(shape_of(operand))), *shape_of(operand)))
        for operand in (a, b)
    )
    odd, even = tuple(range(1, 2 * rank, 2)), tuple(range(0, 2 * rank, 2))
    wide, deep = np.expand_dims(first, odd), np.expand_dims(second, even)
    return wide, deep, np.broadcast_shapes(wide.shape, deep.shape)


def _kron(a: Any, b: Any) -> Any:
    check_elements(np.size(a), np.size(b))
    return np.kron(a, b)


def _kron_rule(g: Any, a: Any, b: Any, *, left: bool) -> Any:
    wide, deep, shape = _kron_axes(a, b)
    factor, operand, other = (wide, a, deep) if left else (deep, b, wide)
    return np.reshape(unbroadcast(np.reshape(g, shape) * other, factor.shape), shape_of(operand))


KRON = operation(
    "kron",
    _kron,
    Derivative(
        rule=lambda g, y, a, b: _kron_rule(g, a, b, left=True),
        vjp="Σ over each block of {g} ⊙ {b}",
        words="Each element of the left makes one block, and receives that block times the right.",
    ),
    Derivative(
        rule=lambda g, y, a, b: _kron_rule(g, a, b, left=False),
        vjp="Σ over the blocks of {g}, each times its element of {a}",
        words="The right stands in every block, and receives the sum over all of them.",
    ),
    notation="{a} ⊗ {b}",
    grad_fn="UnsafeViewBackward0",
    words="the Kronecker product: every element of the left times the whole right, as blocks",
    symbolic=lambda sympy, a, b: a * b,
    example="A=[[1,2],[3,4]], B=[[1,0],[0,1]], y=(kron(A, B)**2).sum()",
)


def _cross_axis(a: Any, b: Any, dim: int | None) -> int:
    """The axis of length 3, counted from the end; the first there is for None."""
    shapes = shape_of(a), shape_of(b)
    rank = max(map(len, shapes))
    axes = range(-rank, 0) if dim is None else [dim if dim < 0 else dim - rank]
    for axis in axes:
        if all(len(shape) >= -axis and shape[axis] == 3 for shape in shapes):
            return axis
    raise OperandError(
        f"`cross` needs an axis of length 3 in both; the shapes are {shapes[0]} and {shapes[1]}",
        "" if dim is None else "name another `dim`",
    )


def _cross(a: Any, b: Any, dim: int | None) -> Any:
    refuse_mixed("cross", a, b)
    return np.cross(a, b, axis=_cross_axis(a, b, dim))


def _cross_form(name: str, dim: int | None, example: str) -> Operation:
    """The cross product; torch and torch.linalg have different default axes for it."""
    return in_steps(
        name,
        _cross,
        Derivative(
            rule=lambda g, y, a, b, dim: unbroadcast(
                np.cross(b, g, axis=_cross_axis(a, b, dim)), shape_of(a)
            ),
            vjp="{b} × {g}",
            words="Turning the factors in a circle: a·(b × c) is b·(c × a) is c·(a × b).",
        ),
        Derivative(
            rule=lambda g, y, a, b, dim: unbroadcast(
                np.cross(g, a, axis=_cross_axis(a, b, dim)), shape_of(b)
            ),
            vjp="{g} × {a}",
            words="Turning the factors in a circle: a·(b × c) is b·(c × a) is c·(a × b).",
        ),
        broadcasts=True,
        notation="{a} × {b}",
        grad_fn="LinalgCrossBackward0",
        words="the vector that stands upright on two vectors of length 3",
        parameters=(INPUT, OTHER, Kind.AXIS("dim", dim, aliases=("axis",))),
        example=example,
    )


CROSS = _cross_form("cross", None, "x=[1,2,3], w=[4,5,6], y=cross(x, w).sum()")
LINALG_CROSS = _cross_form(
    "linalg.cross",
    -1,
    "x=[1,2,3], w=[4,5,6], y=torch.linalg.cross(x, w).sum()",
)
