"""Axes as numpy and torch name them, and how a reduction is undone: shared by many entries."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from backprop_engine.basics.source import Advice, OperandError
from backprop_engine.basics.values import Shape, dtype_of, shape_of
from backprop_engine.operation import Kind

Axes = int | tuple[int, ...] | None

DIM = Kind.AXIS("dim", aliases=("axis",))
DIMS = Kind.AXES("dim", None, aliases=("axis",))
KEEPDIM = Kind.FLAG("keepdim", False, aliases=("keepdims",))


def axis_of(a: Any, dim: int) -> int:
    """`dim` counted from the front. A scalar has, as in torch, an axis 0 of its own.

    Raises numpy's AxisError where there is no such axis.
    """
    return int(normalize_axis_index(dim, max(len(shape_of(a)), 1)))


def axes_of(a: Any, dim: Axes) -> tuple[int, ...]:
    """The axes `dim` means, counted from the front: all of them for None and for `()`.

    Raises numpy's AxisError where there is no such axis, ValueError where one is named twice.
    """
    rank = len(shape_of(a))
    if dim is None or dim == ():
        return tuple(range(rank))
    axes = tuple(int(axis) for axis in normalize_axis_tuple(dim, max(rank, 1)))
    return axes if rank else ()


def kept_shape(a: Any, dim: Axes) -> Shape:
    """The shape of a reduction of `a`, with the reduced axes kept as 1."""
    axes = axes_of(a, dim)
    return tuple(1 if axis in axes else size for axis, size in enumerate(shape_of(a)))


def kept(reduced: Any, a: Any, dim: Axes) -> Any:
    """A reduction of `a` with its reduced axes put back as 1, ready to broadcast against `a`."""
    return np.reshape(reduced, kept_shape(a, dim))


def spread(g: Any, a: Any, dim: Axes) -> Any:
    """Each element of `g` copied to all the elements of `a` that were reduced into it."""
    return np.broadcast_to(kept(g, a, dim), shape_of(a))


def mean_of(a: Any, dim: Axes, *, keepdim: bool) -> Any:
    """The mean along axes; NaN for no elements, and no warning as numpy's own gives."""
    total = np.sum(a, axis=axes_of(a, dim), keepdims=keepdim)
    return np.true_divide(total, reduced_count(a, dim))


def reduced_count(a: Any, dim: Axes) -> int:
    """How many elements of `a` go into each element of its reduction."""
    return count_of(shape_of(a), dim)


def count_of(shape: Shape, dim: Axes) -> int:
    """The same for a value of `shape`."""
    axes = range(len(shape)) if dim is None or dim == () else np.atleast_1d(dim)
    return math.prod(shape[axis] for axis in axes) if shape else 1


def axes_text(dim: Axes) -> str:
    """`dim` as it is read: ` over axis 1`, ` over axes (0, 2)`, nothing for None."""
    if dim is None:
        return ""
    named = "axes" if isinstance(dim, tuple) else "axis"
    return f" over {named} {dim}".replace("-", "−")


def refuse_empty(a: Any, dim: Axes, name: str) -> None:
    """OperandError where a reduction that needs an element gets none, as torch refuses it."""
    if reduced_count(a, dim) == 0:
        raise OperandError(
            f"`{name}` has no answer for no elements: the shape is {shape_of(a)}",
            "reduce an axis that is not empty",
        )


def refuse_mixed(name: str, *operands: Any) -> None:
    """OperandError where products of matrices would mix dtypes, or be of truth values."""
    dtypes = {dtype_of(operand) for operand in operands}
    if len(dtypes) > 1 or "bool" in dtypes:
        raise OperandError(
            f"`{name}` expects operands of the same dtype, and numbers: not "
            f"{' and '.join(map(dtype_of, operands))}",
            "make numbers with a point of the others first: `i.float()`",
        )


def refuse_whole(a: Any, name: str) -> None:
    """OperandError for whole numbers and truth values, as torch refuses them where it divides."""
    if np.asarray(a).dtype.kind != "f":
        raise OperandError(
            f"`{name}` takes floating-point numbers, not {np.asarray(a).dtype}",
            Advice(
                "leave out `dtype: int64` for this input",
                "write its numbers with a point, such as `2.`, or call `.float()` before",
            ),
        )


def but_channels(rank: int) -> tuple[int, ...]:
    """All axes but that of the channels."""
    return tuple(axis for axis in range(rank) if axis != 1)


def per_channel(operand: Any, rank: int) -> Any:
    """A value for each channel, in the shape that broadcasts over an array of so many axes."""
    return np.reshape(operand, (-1, *(1,) * (rank - 2)))


def over_channels(g: Any) -> Any:
    """The sum over everything but the channels: what each channel's one value receives."""
    return np.sum(g, axis=but_channels(g.ndim))


def cumsum(a: Any, axis: int) -> Any:
    """The sum up to each element."""
    return _running(np.cumsum, a, axis)


def cumprod(a: Any, axis: int) -> Any:
    """The product up to each element."""
    return _running(np.cumprod, a, axis)


def _running(function: Any, a: Any, axis: int) -> Any:
    if dtype_of(a) != "float32":
        return function(a, axis=axis)
    return function(a, axis=axis, dtype=np.float64).astype(np.float32)
