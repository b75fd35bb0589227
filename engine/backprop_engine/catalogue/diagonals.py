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
from backprop_engine.operation import Derivative, Kind, Operation, Parameter, Sharing

_ON_DIAGONAL = "Only the elements on the diagonal count: they receive the gradient, the rest 0."
_OFFSET = Parameter("diagonal", Kind.WHOLE, 0, aliases=("offset", "k"))


def _matrix(a: Any, name: str) -> Any:
    if len(shape_of(a)) != 2:
        raise OperandError(f"`{name}` takes a matrix, not shape {shape_of(a)}")
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
            f"`diagonal` needs two axes, not {dim1} and {dim2} of shape {shape_of(a)}"
        )
    return np.diagonal(a, offset, dim1, dim2)


def _on_diagonal(a: Any, offset: int, dim1: int, dim2: int) -> Any:
    """A new value with the last axis of `a` on the diagonal of axes `dim1` and `dim2`."""
    if not shape_of(a):
        raise OperandError("`diag_embed` takes at least a vector, not a single number")
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


def _trace_rule(g: Any, _y: Any, a: Any) -> Any:
    return _put_on_diagonal(np.broadcast_to(g, (min(a.shape),)), a, 0, 0, 1)


def _triangle(name: str, keep: Callable[..., Any], words: str) -> Operation:
    """`tril` or `triu`."""

    def forward(a: Any, diagonal: int) -> Any:
        if len(shape_of(a)) < 2:
            raise OperandError(f"`{name}` takes a matrix, not shape {shape_of(a)}")
        return keep(a, diagonal)

    return Operation(
        name=name,
        forward=forward,
        derivatives=moved(
            lambda g, y, a, diagonal: keep(g, diagonal),
            f"{name}({{g}})",
            "What was set to 0 has no influence and receives 0; the rest passes unchanged.",
        ),
        notation=f"{name}({{a}})",
        torch=lambda torch, a, diagonal: getattr(torch, name)(a, diagonal),
        grad_fn=f"{name.capitalize()}Backward0",
        words=words,
        parameters=(Parameter("input"), _OFFSET),
        example=f"A=[[1,2],[3,4]], T={name}(A), y=(T@A).sum()",
    )


TRACE = Operation(
    name="trace",
    forward=lambda a: np.trace(_matrix(a, "trace")),
    derivatives=(
        Derivative(rule=_trace_rule, vjp="{g} on the diagonal, 0 elsewhere", words=_ON_DIAGONAL),
    ),
    notation="tr {a}",
    torch=lambda torch, a: torch.trace(a),
    grad_fn="TraceBackward0",
    words="the sum of the elements on the diagonal",
    composite="d = diagonal(a)\nsum(d)",
    example="A=[[1,2],[3,4]], y=trace(A@A)",
)

DIAG = Operation(
    name="diag",
    forward=_diag,
    derivatives=(
        Derivative(rule=_diag_rule, vjp="{g}, put back on the diagonal", words=_ON_DIAGONAL),
    ),
    notation="diag({a})",
    torch=lambda torch, a, diagonal: torch.diag(a, diagonal),
    grad_fn=lambda application: (
        "DiagEmbedBackward0" if len(application.shapes[0]) == 1 else "DiagonalBackward0_copy"
    ),
    words="the diagonal of a matrix, or a matrix with a vector as its diagonal",
    parameters=(Parameter("input"), _OFFSET),
    example="x=[1,2], D=diag(x), y=(D@D).sum()",
)

DIAGONAL = Operation(
    name="diagonal",
    forward=_diagonal,
    derivatives=(
        Derivative(
            rule=lambda g, y, a, offset, dim1, dim2: _put_on_diagonal(g, a, offset, dim1, dim2),
            vjp="{g}, put back on the diagonal; 0 elsewhere",
            words=_ON_DIAGONAL,
        ),
    ),
    notation="diagonal({a})",
    torch=lambda torch, a, offset, dim1, dim2: torch.diagonal(a, offset, dim1, dim2),
    grad_fn="DiagonalBackward0",
    sharing=Sharing.ALWAYS,
    words="the elements on the diagonal of two axes",
    parameters=(
        Parameter("input"),
        Parameter("offset", Kind.WHOLE, 0),
        Parameter("dim1", Kind.AXIS, 0, aliases=("axis1",)),
        Parameter("dim2", Kind.AXIS, 1, aliases=("axis2",)),
    ),
    example="A=[[1,2],[3,4]], d=A.diagonal(), y=d@d",
)

DIAG_EMBED = Operation(
    name="diag_embed",
    forward=_on_diagonal,
    derivatives=(
        Derivative(
            rule=lambda g, y, a, offset, dim1, dim2: np.diagonal(g, offset, dim1, dim2),
            vjp="the diagonal of {g}",
            words="Only the diagonal was filled; the zeros around it are no operand.",
        ),
    ),
    notation="diag_embed({a})",
    torch=lambda torch, a, offset, dim1, dim2: torch.diag_embed(a, offset, dim1, dim2),
    grad_fn="DiagEmbedBackward0",
    words="matrices with the given vectors as their diagonals",
    parameters=(
        Parameter("input"),
        Parameter("offset", Kind.WHOLE, 0),
        Parameter("dim1", Kind.AXIS, -2),
        Parameter("dim2", Kind.AXIS, -1),
    ),
    example="x=[1,2], D=diag_embed(x), y=(D@D).sum()",
)

TRIL = _triangle("tril", np.tril, "the lower triangle of a matrix, 0 above it")
TRIU = _triangle("triu", np.triu, "the upper triangle of a matrix, 0 below it")
