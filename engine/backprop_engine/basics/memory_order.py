"""How elements lie in memory: as torch lays them out, which is not always as numpy does.

Whether a `reshape` is a view, and so what a change in place changes, hangs on it, as do `view` and
names of a `grad_fn`. Strides are counted in elements. Those of axes of one element count, too:
torch compares them where it puts axes in order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from backprop_engine.basics.values import Shape

Strides = tuple[int, ...]
_CHANNELS_LAST = (1, 3, 2, 0)


def strides_of(a: np.ndarray) -> Strides:
    """The way in memory from an element to the next one, along each axis."""
    return tuple(stride // a.itemsize for stride in a.strides)


def row_strides(shape: Shape) -> Strides:
    """Those of elements that lie row by row: what torch calls contiguous."""
    return _packed(shape, range(len(shape) - 1, -1, -1))


def lies_by_rows(a: Any) -> bool:
    """Whether it is what torch calls contiguous; numbers are."""
    return not isinstance(a, np.ndarray) or a.flags.c_contiguous


def by_rows(a: Any, *_: Any) -> Any:
    """The same numbers, laid out row by row."""
    if not isinstance(a, np.ndarray) or _is_by_rows(a):
        return a
    return laid_out(a, row_strides(a.shape))


def by_columns(a: Any, *_: Any) -> Any:
    """The same matrices, laid out column by column as LAPACK leaves them."""
    if not isinstance(a, np.ndarray) or a.ndim < 2:
        return a
    return np.swapaxes(by_rows(np.swapaxes(a, -1, -2)), -1, -2)


def as_it_is(made: Any, *_: Any) -> Any:
    """What the operation has made lies as it should: so do views."""
    return made


def left_open(made: Any, *_: Any) -> Any:
    """What torch makes of it hangs on how it goes about it, and is not told."""
    return made


def open_unless_by_rows(made: Any, *_: Any) -> Any:
    """Row by row where the operands lie so; else torch may take axes of images in another order."""
    return by_rows(made)


def is_open(lay_out: Callable[..., Any], operands: Iterable[Any]) -> bool:
    """Whether torch may lay out what is made of these operands in another way than `lay_out`."""
    if lay_out is open_unless_by_rows:
        return any(np.ndim(operand) > 2 and not lies_by_rows(operand) for operand in operands)
    return lay_out is left_open


def as_operands(made: Any, operands: Sequence[Any], _: Mapping[str, Any]) -> Any:
    """A result of operands that are gone through side by side (torch's TensorIterator)."""
    arrays = [operand for operand in operands if isinstance(operand, np.ndarray)] or [made]
    if _is_by_rows(made) and all(map(_is_by_rows, arrays)):
        return made
    floats = [made.dtype] if made.dtype.kind == "f" else []
    common = np.result_type(*(array.dtype for array in arrays), *floats)
    return iterated(made, [read_as(common, operand) for operand in operands])


def as_operands_reversed(made: Any, operands: Sequence[Any], _: Mapping[str, Any]) -> Any:
    """The same where torch has the last operand first."""
    return as_operands(made, operands[::-1], _)


def as_last_first(made: Any, operands: Sequence[Any], _: Mapping[str, Any]) -> Any:
    """The same where torch begins with the last one, and goes on with the first."""
    return as_operands(made, [operands[-1], *operands[:-1]], _)


def as_first(made: Any, operands: Sequence[Any], *_: Any) -> Any:
    """The order of the first operand is kept (torch's `preserve_format`), without its gaps."""
    first = operands[0]
    if not isinstance(first, np.ndarray) or first.shape != made.shape:
        return by_rows(made)
    return laid_out(made, _kept_strides(first.shape, strides_of(first)))


def iterated(made: np.ndarray, operands: Sequence[Any]) -> np.ndarray:
    """`made`, laid out by these operands: arrays, and numbers, of which each has the strides ()."""
    layouts = [_layout(operand) for operand in operands]
    return laid_out(made, _iterated_strides(made.shape, layouts))


def read_as(dtype: np.dtype[Any], operand: Any) -> Any:
    """An operand that is made `dtype` before it is read: what has gaps is copied row by row."""
    if not isinstance(operand, np.ndarray) or operand.dtype == dtype:
        return operand
    return operand if _is_dense(operand.shape, strides_of(operand)) else by_rows(operand.copy())


def laid_out(a: np.ndarray, strides: Strides) -> np.ndarray:
    """The same numbers with these strides: `a` itself where it has them, else a copy."""
    if strides_of(a) == strides or not a.size:
        return a
    if _as_far_as_seen(a.shape, strides_of(a)) == _as_far_as_seen(a.shape, strides):
        return restrided(a, strides)
    reach = sum((size - 1) * stride for size, stride in zip(a.shape, strides, strict=True))
    made = np.ndarray(a.shape, a.dtype, np.empty(reach + 1, a.dtype), 0, _bytes(a, strides))
    made[...] = a
    return made


def restrided(a: np.ndarray, strides: Strides) -> np.ndarray:
    """A view of `a` with other strides, where they lead to the same elements."""
    return as_strided(a, strides=_bytes(a, strides))


def read_in(shape: Shape, a: Any) -> Any:
    """`np.reshape`, with the strides of torch."""
    made = np.reshape(a, shape)
    if 1 not in made.shape or not np.may_share_memory(made, a):
        return made
    strides, step = list(strides_of(made)), strides_of(a)[-1] if np.ndim(a) else 1
    for axis in range(made.ndim - 1, -1, -1):
        if made.shape[axis] == 1:
            strides[axis] = step
        step = strides[axis] * made.shape[axis]
    return restrided(made, tuple(strides))


def with_axis(a: Any, dim: int) -> Any:
    """`np.expand_dims`, with the strides of torch."""
    made = np.expand_dims(a, dim)
    if not isinstance(a, np.ndarray):
        return made
    at, strides = dim % made.ndim, strides_of(a)
    step = strides[at] * a.shape[at] if at < a.ndim else 1
    return restrided(made, (*strides[:at], step, *strides[at:]))


def stretched(a: Any, shape: Shape) -> Any:
    """`np.broadcast_to`, with the strides of torch; ValueError where it cannot be."""
    made = np.broadcast_to(a, shape)
    strides, own = list(strides_of(made)), strides_of(a) if isinstance(a, np.ndarray) else ()
    for axis in range(-1, -1 - len(shape), -1):
        if shape[axis] == 1 and -axis <= len(own):
            strides[axis] = own[axis]
        elif shape[axis] == 1:
            strides[axis] = strides[axis + 1] * shape[axis + 1] if axis < -1 else 1
    return restrided(made, tuple(strides))


def _bytes(a: np.ndarray, strides: Strides) -> Strides:
    return tuple(stride * a.itemsize for stride in strides)


def _as_far_as_seen(shape: Shape, strides: Strides) -> list[int]:
    """The strides that lead to another element."""
    return [stride for size, stride in zip(shape, strides, strict=True) if size != 1]


def _is_by_rows(a: np.ndarray) -> bool:
    """Whether it lies row by row, axes of one element included: the commonest case by far."""
    return a.strides == _row_bytes(a.shape, a.itemsize)


@lru_cache
def _row_bytes(shape: Shape, itemsize: int) -> Strides:
    return tuple(stride * itemsize for stride in row_strides(shape))


def _layout(operand: Any) -> tuple[Shape, Strides]:
    return (operand.shape, strides_of(operand)) if isinstance(operand, np.ndarray) else ((), ())


# What follows is torch's: aten/src/ATen/TensorIterator.cpp, ExpandUtils.cpp, c10/core/TensorImpl


def _packed(shape: Shape, order: Sequence[int]) -> Strides:
    """The strides of elements that lie without gaps, the axis along which they follow first."""
    strides, step = [0] * len(shape), 1
    for axis in order:
        strides[axis] = step
        step *= max(shape[axis], 1)
    return tuple(strides)


def _is_packed(shape: Shape, strides: Strides, order: Sequence[int]) -> bool:
    packed = _packed(shape, order)
    return _as_far_as_seen(shape, strides) == _as_far_as_seen(shape, packed)


def _is_dense(shape: Shape, strides: Strides) -> bool:
    """Whether each place in memory is one element's, in whatever order."""
    order = sorted(range(len(shape)), key=lambda axis: (shape[axis] < 2, strides[axis]))
    return _is_packed(shape, strides, order)


def _kept_strides(shape: Shape, strides: Strides) -> Strides:
    return strides if _is_dense(shape, strides) else _sorted_strides(shape, [strides])


def _iterated_strides(shape: Shape, layouts: Sequence[tuple[Shape, Strides]]) -> Strides:
    if all(own == shape for own, _ in layouts):
        for order in (range(len(shape) - 1, -1, -1), _CHANNELS_LAST):
            if len(order) == len(shape) and all(_is_packed(*each, order) for each in layouts):
                return _packed(shape, order)
        if len({strides for _, strides in layouts}) == 1 and _is_dense(*layouts[0]):
            return layouts[0][1]
    return _sorted_strides(shape, [_stretched(shape, *each) for each in layouts])


def _stretched(shape: Shape, own: Shape, strides: Strides) -> Strides:
    """The strides of an operand that is broadcast: 0 along the axes where it is repeated."""
    sizes = shape[len(shape) - len(own) :]
    kept = (
        0 if size == 1 != full else stride
        for size, full, stride in zip(own, sizes, strides, strict=True)
    )
    return (*(0,) * (len(shape) - len(own)), *kept)


def _sorted_strides(shape: Shape, operands: Sequence[Strides]) -> Strides:
    """The axes by insertion sort, as some pairs have no order and the way then decides."""
    order = list(range(len(shape) - 1, -1, -1))
    for end in range(1, len(order)):
        at = end
        for before in range(end - 1, -1, -1):
            comes = _comes_after(order[before], order[at], shape, operands)
            if comes > 0:
                order[before], order[at] = order[at], order[before]
                at = before
            elif comes < 0:
                break
    return _packed(shape, order)


def _comes_after(a: int, b: int, shape: Shape, operands: Sequence[Strides]) -> int:
    """1 where axis `a` comes after `b`, −1 where before, 0 where no operand tells them apart."""
    for strides in operands:
        if strides[a] == 0 or strides[b] == 0:
            continue
        if strides[a] != strides[b]:
            return 1 if strides[a] > strides[b] else -1
        if shape[a] > shape[b]:
            return 1
    return 0
