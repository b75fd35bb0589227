"""Diagonals and triangles of matrices: elements are moved or set to 0, nothing is computed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from backprop_engine.basics.source import OperandError
from backprop_engine.basics.values import shape_of
from backprop_engine.budget import check_elements
from backprop_engine.catalogue.shapes import moved
from backprop_engine.catalogue.shared.axes import axis_of
from backprop_engine.catalogue.shared.entries import INPUT, operation
from backprop_engine.operation import Kind, Operation, Sharing

_ON_DIAGONAL = "Only the elements on the diagonal count: they receive the gradient, the rest 0."
_OFFSET = Kind.WHOLE("diagonal", 0, aliases=("offset", "k"))


def _matrix(a: Any, name: str) -> Any:
    if len(shape_of(a)) != 2:
        raise OperandError(
            f"`{name}` takes a matrix, not shape {shape_of(a)}",
            "give it two axes, as by `x.unsqueeze(0)`",
        )
    return a


def _put_on_diagonal(g: Any, a: Any, offset: int, dim1: int, dim2: int) -> Any:
    """Zeros in the shape of `a`, and `g` on the diagonal."""
    gradient = np.zeros_like(a)
    rows, columns = axis_of(a, dim1), axis_of(a, dim2)
    count = shape_of(g)[-1]
    key: list[Any] = [slice(None)] * gradient.ndim
    key[rows] = np.arange(count) + max(-offset, 0)
    key[columns] = np.arange(count) + max(offset, 0)
    # Two arrays of indices side by side stay in place, apart from each other they go in front.
    picked = gradient[tuple(key)]
    at = min(rows, columns) if abs(rows - columns) == 1 else 0
    gradient[tuple(key)] = np.moveaxis(g, -1, at).reshape(picked.shape)
    return gradient


def _diagonal(a: Any, offset: int, dim1: int, dim2: int) -> Any:
    if len(shape_of(a)) < 2 or axis_of(a, dim1) == axis_of(a, dim2):
        raise OperandError(
            f"`diagonal` needs two axes, not {dim1} and {dim2} of shape {shape_of(a)}",
            "give two different axes",
        )
    return np.diagonal(a, offset, dim1, dim2)


def _on_diagonal(a: Any, offset: int, dim1: int, dim2: int) -> Any:
    """A new value with the last axis of `a` on the diagonal of axes `dim1` and `dim2`."""
    if not shape_of(a):
        raise OperandError(
            "`diag_embed` takes at least a vector, not a single number",
            "make it a vector: `x.reshape(1)`",
        )
    size = a.shape[-1] + abs(offset)
    check_elements(*a.shape[:-1], size, size)
    made = np.zeros((*a.shape[:-1], size, size), a.dtype)
    at = np.arange(a.shape[-1])
    made[..., at + max(-offset, 0), at + max(offset, 0)] = a
    return np.ascontiguousarray(np.moveaxis(made, (-2, -1), (dim1, dim2)))


def _diag(a: Any, diagonal: int) -> Any:
    if len(shape_of(a)) not in (1, 2):
        raise OperandError(
            f"`diag` takes a vector or a matrix, not shape {shape_of(a)}",
            "use `diagonal` or `diag_embed`",
        )
    if len(shape_of(a)) == 1:
        check_elements(*(len(a) + abs(diagonal),) * 2)
    return np.array(np.diag(a, diagonal))


def _diag_rule(g: Any, _y: Any, a: Any, diagonal: int) -> Any:
    if len(shape_of(a)) == 1:
        return np.array(np.diagonal(g, diagonal))
    return _put_on_diagonal(g, a, diagonal, 0, 1)


def _triangle(name: str, keep: Callable[..., Any], words: str) -> Operation:
    """`tril` or `triu`."""

    def forward(a: Any, diagonal: int) -> Any:
        if len(shape_of(a)) < 2:
            raise OperandError(
                f"`{name}` takes a matrix, not shape {shape_of(a)}",
                "give it two axes, as by `x.unsqueeze(0)`",
            )
        return keep(a, diagonal)

    return operation(
        name,
        forward,
        *moved(
            lambda g, y, a, diagonal: keep(g, diagonal),
            f"{name}({{g}})",
            "What was set to 0 has no influence and receives 0; the rest passes unchanged.",
        ),
        words=words,
        parameters=(INPUT, _OFFSET),
        example=f"A=[[1,2],[3,4]], T={name}(A), y=(T@A).sum()",
    )


TRACE = operation(
    "trace",
    lambda a: np.trace(_matrix(a, "trace")),
    rule=lambda g, _y, a: _put_on_diagonal(np.broadcast_to(g, (min(a.shape),)), a, 0, 0, 1),
    vjp="{g} on the diagonal, 0 elsewhere",
    because=_ON_DIAGONAL,
    notation="tr {a}",
    words="the sum of the elements on the diagonal",
    composite="d = diagonal(a)\nsum(d)",
    example="A=[[1,2],[3,4]], y=trace(A@A)",
)

DIAG = operation(
    "diag",
    _diag,
    rule=_diag_rule,
    vjp="{g}, put back on the diagonal",
    because=_ON_DIAGONAL,
    grad_fn=lambda application: (
        "DiagEmbedBackward0" if len(application.shapes[0]) == 1 else "DiagonalBackward0_copy"
    ),
    words="the diagonal of a matrix, or a matrix with a vector as its diagonal",
    parameters=(INPUT, _OFFSET),
    example="x=[1,2], D=diag(x), y=(D@D).sum()",
)

DIAGONAL = operation(
    "diagonal",
    _diagonal,
    rule=lambda g, y, a, offset, dim1, dim2: _put_on_diagonal(g, a, offset, dim1, dim2),
    vjp="{g}, put back on the diagonal; 0 elsewhere",
    because=_ON_DIAGONAL,
    sharing=Sharing.ALWAYS,
    words="the elements on the diagonal of two axes",
    parameters=(
        INPUT,
        Kind.WHOLE("offset", 0),
        Kind.AXIS("dim1", 0, aliases=("axis1",)),
        Kind.AXIS("dim2", 1, aliases=("axis2",)),
    ),
    example="A=[[1,2],[3,4]], d=A.diagonal(), y=d@d",
)

DIAG_EMBED = operation(
    "diag_embed",
    _on_diagonal,
    rule=lambda g, y, a, offset, dim1, dim2: np.diagonal(g, offset, dim1, dim2),
    vjp="the diagonal of {g}",
    because="Only the diagonal was filled; the zeros around it are no operand.",
    words="matrices with the given vectors as their diagonals",
    parameters=(INPUT, Kind.WHOLE("offset", 0), Kind.AXIS("dim1", -2), Kind.AXIS("dim2", -1)),
    example="x=[1,2], D=diag_embed(x), y=(D@D).sum()",
)

TRIL = _triangle("tril", np.tril, "the lower triangle of a matrix, 0 above it")
TRIU = _triangle("triu", np.triu, "the upper triangle of a matrix, 0 below it")
