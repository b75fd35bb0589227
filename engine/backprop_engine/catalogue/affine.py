"""A matrix product with something added to it: `addmm`, `addmv`, `baddbmm`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from backprop_engine.basics.source import OperandError
from backprop_engine.basics.values import shape_of, unbroadcast
from backprop_engine.budget import check_product
from backprop_engine.catalogue import linear
from backprop_engine.catalogue.shared.axes import refuse_mixed
from backprop_engine.catalogue.shared.entries import INPUT, operation, scaled
from backprop_engine.operation import Derivative, Kind, Operation, Parameter, Rule


def _scaled(value: Any, factor: float) -> Any:
    """torch leaves out a factor of 1, and so does not turn inf · 0 into NaN."""
    return value if factor == 1 else factor * value


def _sum_with_product(
    a: Any, b: Any, c: Any, beta: float, alpha: float, name: str, ranks: tuple[int, int]
) -> Any:
    left, right = shape_of(b), shape_of(c)
    fits = (len(left), len(right)) == ranks and left[-1] == right[-min(len(right), 2)]
    if not fits or (len(left) == 3 and left[0] != right[0]):
        raise OperandError(
            f"`{name}` cannot multiply shapes {left} and {right}",
            "the columns of the left must be as many as the rows of the right",
        )
    refuse_mixed(name, a, b, c)
    check_product(b, c)
    product = np.matmul(b, c)
    try:
        added = np.broadcast_to(a, product.shape)
    except ValueError:
        raise OperandError(
            f"`{name}` cannot add shape {shape_of(a)} to a product of shape {product.shape}",
            "it must be of the shape of the product, or broadcast to it",
        ) from None
    # Where beta is 0 torch does not look at what is added, not even at a NaN.
    return _scaled(product, alpha) + (_scaled(added, beta) if beta else 0.0)


def _factor_rule(position: int) -> Rule:
    """The rule of one factor of the product: that of the matrix product, scaled."""

    def rule(g: Any, y: Any, _a: Any, b: Any, c: Any, beta: float, alpha: float) -> Any:
        del beta
        return _scaled(linear.MATMUL.rules[position](g, y, b, c), alpha)

    return rule


def _most_terms(a: Any, b: Any, c: Any, **_: Any) -> int:
    """Along the longest axis of a factor, or over the copies of what is added."""
    left, right = shape_of(b), shape_of(c)
    copies = math.prod(left[:-1]) * (right[-1] if len(right) > 1 else 1) // max(np.size(a), 1)
    return 1 + max(*left, *right, copies)


def _affine(
    name: str, ranks: tuple[int, int], names: tuple[str, str], words: str, example: str
) -> Operation:
    """An entry: beta·input + alpha·(left @ right)."""
    return operation(
        name,
        lambda a, b, c, beta, alpha: _sum_with_product(a, b, c, beta, alpha, name, ranks),
        Derivative(
            rule=lambda g, y, a, b, c, beta, alpha: unbroadcast(_scaled(g, beta), shape_of(a)),
            vjp=lambda beta, **_: (
                scaled(beta, "{beta}", "{g}")
                + ", summed over the axes along which {a} was repeated"
            ),
            words="What is added receives the gradient as it is, but for its factor.",
        ),
        Derivative(
            rule=_factor_rule(0),
            vjp=lambda alpha, **_: scaled(alpha, "{alpha}", "{g} @ {c}ᵀ"),
            words="Going back through a product, the left factor sees the right transposed.",
        ),
        Derivative(
            rule=_factor_rule(1),
            vjp=lambda alpha, **_: scaled(alpha, "{alpha}", "{b}ᵀ @ {g}"),
            words="Going back through a product, the right factor sees the left transposed.",
        ),
        notation=lambda beta, alpha, **_: (
            f"{scaled(beta, '{beta}', '{a}')} + {scaled(alpha, '{alpha}', '{b} @ {c}')}"
        ),
        words=words,
        parameters=(
            INPUT,
            Parameter(names[0]),
            Parameter(names[1]),
            Kind.NUMBER("beta", 1.0),
            Kind.NUMBER("alpha", 1.0),
        ),
        terms=_most_terms,
        composite="m = b @ c\ns = {alpha} * m\nk = {beta} * a\nk + s",
        example=example,
    )


ADDMM = _affine(
    "addmm",
    (2, 2),
    ("mat1", "mat2"),
    "a matrix product with something added to it",
    "b=[1,2], X=[[1,2],[3,4]], W=[[5,6],[7,8]], y=addmm(b, X, W).sum()",
)
ADDMV = _affine(
    "addmv",
    (2, 1),
    ("mat", "vec"),
    "the product of a matrix and a vector with something added to it",
    "b=[1,2], W=[[1,2],[3,4]], x=[5,6], y=addmv(b, W, x).sum()",
)
BADDBMM = _affine(
    "baddbmm",
    (3, 3),
    ("batch1", "batch2"),
    "the products of two batches of matrices with something added to them",
    "b=[1,2], X=[[[1,2],[3,4]]], W=[[[5,6],[7,8]]], y=baddbmm(b, X, W).sum()",
)
