"""Linear algebra."""

from __future__ import annotations

from typing import Any

import numpy as np

from backprop_engine.operation import Application, Derivative, OperandError, Operation, Parameter
from backprop_engine.values import shape_of, unbroadcast


def _dot(a: Any, b: Any) -> Any:
    if len(shape_of(a)) != 1 or len(shape_of(b)) != 1:
        raise OperandError(
            f"`dot` takes two vectors, not shapes {shape_of(a)} and {shape_of(b)}", "use `@`"
        )
    if a.shape != b.shape:
        raise OperandError(
            f"`dot` takes two vectors of one length, not {a.shape[0]} and {b.shape[0]}"
        )
    return np.dot(a, b)


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
            f"({left[-1]}) must be as long as the {name} of the right ({inner})"
        )
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


MATMUL = Operation(
    name="matmul",
    symbol="@",
    forward=_matmul,
    derivatives=(
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
    ),
    notation="{a} @ {b}",
    torch=lambda torch, a, b: a @ b,
    grad_fn=_matmul_grad_fn,
    words="the matrix product",
    parameters=(Parameter("input"), Parameter("other")),
)

DOT = Operation(
    name="dot",
    forward=_dot,
    derivatives=(
        Derivative(
            rule=lambda g, y, a, b: g * b,
            vjp="{g}·{b}",
            words="Each element is multiplied by its partner in the other vector.",
        ),
        Derivative(
            rule=lambda g, y, a, b: g * a,
            vjp="{g}·{a}",
            words="Each element is multiplied by its partner in the other vector.",
        ),
    ),
    notation="{a}·{b}",
    torch=lambda torch, a, b: torch.dot(a, b),
    grad_fn="DotBackward0",
    words="the dot product of two vectors",
    parameters=(Parameter("input"), Parameter("tensor", aliases=("other",))),
)

LINEAR = (MATMUL, DOT)
