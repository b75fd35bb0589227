"""Operations that keep every element and change the shape: their derivatives change it back."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from backprop_engine.basics.memory_order import as_first, read_in, stretched, with_axis
from backprop_engine.basics.source import OperandError
from backprop_engine.basics.values import Shape, shape_of, unbroadcast
from backprop_engine.budget import check_elements
from backprop_engine.catalogue.shared.axes import axes_of, axis_of
from backprop_engine.catalogue.shared.entries import INPUT, TWO_OPERANDS, operation
from backprop_engine.operation import Application, Derivative, Kind, Operation, Sharing, Template

MOVED_BACK = "Moving elements changes no number: the gradient is moved back the same way."
_SAME = "Nothing is computed, so the gradient is handed on unchanged."


def moved(
    rule: Callable[..., Any], vjp: Template, words: str = MOVED_BACK
) -> tuple[Derivative, ...]:
    """The derivative of an operation of one operand that moves elements."""
    return (Derivative(rule=rule, vjp=vjp, words=words),)


_reshaping = partial(
    operation,
    rule=lambda g, y, a, *_, **__: np.reshape(g, shape_of(a)),
    vjp="{g}, back in the shape of {a}",
    because="The same elements in another shape: the gradient is put back into the old shape.",
)


def _reshape(a: Any, shape: Shape, name: str = "reshape") -> Any:
    size = np.size(a)
    known = [size for size in shape if size != -1]
    whole = int(np.prod(known))
    fits = size == whole if len(known) == len(shape) else whole != 0 and size % whole == 0
    if len(shape) - len(known) > 1 or any(size < 0 for size in known) or not fits:
        raise OperandError(
            f"`{name}` cannot take shape {shape_of(a)} to {shape}: "
            f"it has {size} elements, and they must stay {size}",
            "one size may be -1: it is then worked out from the others",
        )
    return read_in(shape, a)


def _is_view(a: Any, shape: Shape) -> bool:
    """Whether the elements of `a` can be read in another shape where they lie."""
    return bool(np.may_share_memory(np.reshape(a, shape), a))


def _reshape_grad_fn(application: Application, shape: Shape) -> str:
    if application.contiguous[0]:
        return "ViewBackward0"
    return (
        "ReshapeAliasBackward0" if _is_view(application.values[0], shape) else "UnsafeViewBackward0"
    )


def _view(a: Any, shape: Shape, name: str = "view") -> Any:
    made = _reshape(a, shape, name)
    if isinstance(a, np.ndarray) and a.size and not _is_view(a, shape):
        raise OperandError(
            f"`{name}` cannot read shape {a.shape} as {shape}: its elements do not lie in memory "
            "in that order, after a transposition for one",
            "use `reshape`, which copies where it has to",
        )
    return made


def _flat_shape(shape: Shape, start_dim: int, end_dim: int) -> Shape:
    if not shape:
        return (1,)
    start, end = (axis_of(np.empty(shape), dim) for dim in (start_dim, end_dim))
    if start > end:
        raise OperandError(
            "`flatten` needs a `start_dim` that does not come after `end_dim`", "exchange the two"
        )
    return (*shape[:start], int(np.prod(shape[start : end + 1])), *shape[end + 1 :])


def _flatten_grad_fn(application: Application) -> str:
    old = application.shapes[0]
    shape = _flat_shape(old, **application.attributes)
    return "" if shape == old else _reshape_grad_fn(application, shape)


def _unflat_shape(a: Any, dim: int, sizes: int | tuple[int, ...]) -> Shape:
    axis = axis_of(a, dim)
    shape = shape_of(a)
    inner = (sizes,) if isinstance(sizes, int) else sizes
    made = np.reshape(np.empty(shape[axis]), inner).shape
    return (*shape[:axis], *made, *shape[axis + 1 :])


def _transpose(a: Any, dim0: int, dim1: int) -> Any:
    first, second = axis_of(a, dim0), axis_of(a, dim1)
    return np.swapaxes(a, first, second) if shape_of(a) else a


def _last_transposed(a: Any) -> Any:
    return _transpose(a, -2, -1) if shape_of(a) else a


def _matrix_transpose(a: Any) -> Any:
    if len(shape_of(a)) > 2:
        raise OperandError(
            f"`t` takes a matrix, not shape {shape_of(a)}", "use `mT` or `transpose(dim0, dim1)`"
        )
    return _reversed_axes(a)


def _reversed_axes(a: Any) -> Any:
    return np.transpose(a) if shape_of(a) else a


def _permute_back(g: Any, dims: tuple[int, ...]) -> Any:
    return np.transpose(g, np.argsort(normalize_axis_tuple(dims, len(dims))))


def _permute(a: Any, dims: tuple[int, ...]) -> Any:
    if len(dims) != len(shape_of(a)):
        raise OperandError(
            f"`permute` needs every axis of shape {shape_of(a)} once, and got {dims}",
            "name each axis once, such as `permute(1, 0)` for a matrix",
        )
    return np.transpose(a, dims)


def _movedim(a: Any, source: Any, destination: Any) -> Any:
    lines = np.moveaxis(np.atleast_1d(a), source, destination)
    return lines if shape_of(a) else a  # one number has one axis here, as in torch


def _squeeze(a: Any, dim: int | tuple[int, ...] | None) -> Any:
    """Axes of another size than 1 stay, as in torch."""
    if dim is None:
        return np.squeeze(a)
    axes = axes_of(a, dim) if dim != () else ()
    return np.squeeze(a, tuple(axis for axis in axes if shape_of(a)[axis] == 1))


def _squeeze_grad_fn(application: Application) -> str:
    dim = application.attributes["dim"]
    return f"SqueezeBackward{0 if dim is None else 2 if isinstance(dim, tuple) else 1}"


def _full_size(a: Any, size: Shape) -> Shape:
    """`size` with each −1 replaced by the size that is there."""
    shape = shape_of(a)
    added = len(size) - len(shape)
    return tuple(
        shape[axis - added] if extent == -1 and axis >= added else extent
        for axis, extent in enumerate(size)
    )


def _expand(a: Any, size: Shape) -> Any:
    full = _full_size(a, size)
    check_elements(*full)
    try:
        return stretched(a, full)
    except ValueError:
        raise OperandError(
            f"`expand` cannot take shape {shape_of(a)} to {size}",
            "only axes of size 1 can grow, and new axes come in front",
        ) from None


def _contiguous(a: Any) -> Any:
    return np.ascontiguousarray(a) if isinstance(a, np.ndarray) else a


_expanding = partial(
    operation,
    rule=lambda g, y, a, *_, **__: unbroadcast(g, shape_of(a)),
    vjp="{g}, summed over the axes along which {a} was repeated",
    because="An element that stands in several places receives the sum of what all of them send "
    "back.",
    grad_fn="ExpandBackward0",
    sharing=Sharing.ALWAYS,
)

RESHAPE = _reshaping(
    "reshape",
    _reshape,
    grad_fn=lambda application: _reshape_grad_fn(application, application.attributes["shape"]),
    sharing=Sharing.WHERE_POSSIBLE,
    words="the same elements in another shape",
    parameters=(INPUT, Kind.SHAPE("shape")),
    example="x=[1,2,3,4], A=x.reshape(2,2), y=(A@A).sum()",
)

VIEW = _reshaping(
    "view",
    _view,
    torch=lambda torch, a, shape: a.view(shape),
    sharing=Sharing.ALWAYS,
    words="the same elements in another shape, without a copy",
    parameters=(INPUT, Kind.SHAPE("shape", aliases=("size",))),
    example="x=[1,2,3,4], A=x.view(2,-1), y=(A@A).sum()",
)

VIEW_AS = _reshaping(
    "view_as",
    lambda a, b: _view(a, shape_of(b), "view_as"),
    notation="view({a}, shape of {b})",
    grad_fn="ViewBackward0",
    sharing=Sharing.ALWAYS,
    words="the same elements in the shape of another value",
    parameters=TWO_OPERANDS,
    example="x=[1,2,3,4], B=[[1,1],[1,1]], y=(x.view_as(B)**2).sum()",
)

RESHAPE_AS = _reshaping(
    "reshape_as",
    lambda a, b: _reshape(a, shape_of(b), "reshape_as"),
    notation="reshape({a}, shape of {b})",
    grad_fn=lambda application: _reshape_grad_fn(application, application.shapes[1]),
    sharing=Sharing.WHERE_POSSIBLE,
    words="the same elements in the shape of another value",
    parameters=TWO_OPERANDS,
    example="x=[1,2,3,4], B=[[1,1],[1,1]], y=(x.reshape_as(B)**2).sum()",
)

FLATTEN = _reshaping(
    "flatten",
    lambda a, start_dim, end_dim: _reshape(a, _flat_shape(shape_of(a), start_dim, end_dim)),
    grad_fn=_flatten_grad_fn,
    sharing=Sharing.WHERE_POSSIBLE,
    words="axes laid out one after the other as one",
    parameters=(INPUT, Kind.AXIS("start_dim", 0), Kind.AXIS("end_dim", -1)),
    example="A=[[1,2],[3,4]], v=A.flatten(), y=v@v",
)

RAVEL = _reshaping(
    "ravel",
    lambda a: np.reshape(_contiguous(a), (-1,)),
    grad_fn="ViewBackward0",
    sharing=Sharing.WHERE_POSSIBLE,
    words="all elements laid out as a vector",
    example="A=[[1,2],[3,4]], v=A.ravel(), y=v@v",
)

UNFLATTEN = _reshaping(
    "unflatten",
    lambda a, dim, sizes: _reshape(a, _unflat_shape(a, dim, sizes)),
    torch=lambda torch, a, dim, sizes: torch.unflatten(
        a, dim, (sizes,) if isinstance(sizes, int) else sizes
    ),
    grad_fn="ViewBackward0",
    sharing=Sharing.ALWAYS,
    words="one axis cut into several",
    parameters=(INPUT, Kind.AXIS("dim"), Kind.SIZES("sizes")),
    example="x=[1,2,3,4], A=x.unflatten(0, (2,2)), y=(A@A).sum()",
)

SQUEEZE = _reshaping(
    "squeeze",
    _squeeze,
    grad_fn=_squeeze_grad_fn,
    sharing=Sharing.ALWAYS,
    words="the axes of size 1 dropped",
    parameters=(INPUT, Kind.AXES("dim", None, aliases=("axis",))),
    symbolic=lambda sympy, a, dim: a,
    example="A=[[1,2,3]], v=A.squeeze(0), y=v@v",
)

UNSQUEEZE = _reshaping(
    "unsqueeze",
    with_axis,
    sharing=Sharing.ALWAYS,
    words="a new axis of size 1",
    parameters=(INPUT, Kind.AXIS("dim", aliases=("axis",))),
    example="x=[1,2], A=x.unsqueeze(0) * x.unsqueeze(1), y=A.sum()",
)


def _transposing(name: str, forward: Callable[[Any], Any], **rest: Any) -> Operation:
    """A transposition that is its own way back, by a name of its own."""
    back = moved(lambda g, y, a: forward(g), "{g}ᵀ")
    return operation(name, forward, *back, notation="{a}ᵀ", symbolic=lambda sympy, a: a, **rest)


TRANSPOSE = operation(
    "transpose",
    _transpose,
    *moved(lambda g, y, a, dim0, dim1: _transpose(g, dim0, dim1), "{g}ᵀ"),
    sharing=Sharing.ALWAYS,
    words="two axes exchanged",
    symbolic=lambda sympy, a, **_: a,
    parameters=(INPUT, *(Kind.AXIS(f"dim{n}", aliases=(f"axis{n}",)) for n in (0, 1))),
    functions=("transpose", "swapaxes", "swapdims"),
    example="A=[[1,2,3],[4,5,6]], B=A.transpose(0,1), y=(A@B).sum()",
)

LAST_TRANSPOSE = _transposing(
    "mT",
    _last_transposed,
    torch=lambda torch, a: a.mT if a.ndim else a,  # of one number it is that number
    grad_fn=lambda application: "TransposeBackward0" if application.shapes[0] else "",
    sharing=Sharing.WHERE_POSSIBLE,
    words="rows and columns of each matrix exchanged",
    functions=(),
    properties={"mT": {}},
    example="A=[[1,2,3],[4,5,6]], B=A.mT, y=(A@B).sum()",
)

MATRIX_TRANSPOSE = _transposing(
    "T",
    _reversed_axes,
    torch=lambda torch, a: a.permute(tuple(range(a.ndim))[::-1]),
    grad_fn="PermuteBackward0",
    sharing=Sharing.ALWAYS,
    words="rows and columns of a matrix exchanged; of more axes their order turned round",
    functions=(),
    properties={"T": {}},
    example="A=[[1,2,3],[4,5,6]], y=(A@A.T).sum()",
)

SHORT_TRANSPOSE = _transposing(
    "t",
    _matrix_transpose,
    sharing=Sharing.ALWAYS,
    words="rows and columns of a matrix exchanged",
    example="A=[[1,2,3],[4,5,6]], y=(A@A.t()).sum()",
)

PERMUTE = operation(
    "permute",
    _permute,
    *moved(lambda g, y, a, dims: _permute_back(g, dims), "{g}, with its axes back in order"),
    sharing=Sharing.ALWAYS,
    words="the axes in another order",
    parameters=(INPUT, Kind.SHAPE("dims", aliases=("axes",))),
    example="A=[[1,2,3],[4,5,6]], B=A.permute(1,0), y=(A@B).sum()",
)

MOVEDIM = operation(
    "movedim",
    _movedim,
    *moved(
        lambda g, y, a, source, destination: _movedim(g, destination, source),
        "{g}, with its axes back in order",
    ),
    grad_fn="PermuteBackward0",
    sharing=Sharing.ALWAYS,
    words="axes moved to other places; the others keep their order",
    parameters=(INPUT, Kind.AXES("source"), Kind.AXES("destination")),
    functions=("movedim", "moveaxis"),
    example="A=[[1,2,3],[4,5,6]], B=A.movedim(0,1), y=(A@B).sum()",
)

EXPAND = _expanding(
    "expand",
    _expand,
    words="repeated along axes of size 1, without a copy",
    parameters=(INPUT, Kind.SHAPE("size", aliases=("shape",))),
    functions=("expand", "broadcast_to"),
    example="x=[1,2], A=x.expand(3,2), y=(A**2).sum()",
)

EXPAND_AS = _expanding(
    "expand_as",
    lambda a, b: _expand(a, shape_of(b)),
    notation="expand({a}, shape of {b})",
    words="repeated along axes of size 1 to the shape of another value",
    parameters=TWO_OPERANDS,
    example="x=[1,2], B=[[1,2],[3,4]], y=(x.expand_as(B)*B).sum()",
)

CLONE = operation(
    "clone",
    lambda a: a.copy() if isinstance(a, np.ndarray) else a,
    *moved(lambda g, y, a: g, "{g}", _SAME),
    lay_out=as_first,
    words="a copy; gradients pass through it",
    symbolic=lambda sympy, a: a,
    example="x=[1,2], c=x.clone(), y=(c*x).sum()",
)

CONTIGUOUS = operation(
    "contiguous",
    _contiguous,
    *moved(lambda g, y, a: g, "{g}", _SAME),
    grad_fn=lambda application: "" if application.contiguous[0] else "CloneBackward0",
    sharing=Sharing.HANDED_THROUGH,
    words="the same elements, lying in memory in order",
    symbolic=lambda sympy, a: a,
    example="A=[[1,2],[3,4]], B=A.T.contiguous().view(4), y=B@B",
)
