"""Operations that repeat, shift, turn, pad and window: each element goes somewhere, some twice."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from backprop_engine.basics.memory_order import as_first, as_it_is, by_rows, open_unless_by_rows
from backprop_engine.basics.source import OperandError
from backprop_engine.basics.values import Shape, shape_of
from backprop_engine.budget import check_elements
from backprop_engine.catalogue.shapes import moved
from backprop_engine.catalogue.shared.axes import axis_of
from backprop_engine.catalogue.shared.entries import INPUT, operation
from backprop_engine.catalogue.shared.picking import added_at
from backprop_engine.operation import Application, Kind, Operation, Parameter, Sharing

_REPEATED = "An element that stands in several places receives the sum of what all send back."
_SHIFTED = "Moving elements changes no number: the gradient is moved back the other way."


def _repeat(a: Any, repeats: Shape) -> Any:
    if len(repeats) < len(shape_of(a)):
        raise OperandError(
            f"`repeat` needs a number for every axis of shape {shape_of(a)}, and got {repeats}",
            "write 1 for the axes that stay as they are",
        )
    return _tile(a, repeats)


def _tile(a: Any, dims: Shape) -> Any:
    if min(dims, default=0) < 0:
        raise OperandError(f"nothing can be repeated {min(dims)} times", "write 0 or more")
    check_elements(np.size(a), *dims)
    return np.tile(a, dims)


def _sum_of_copies(g: Any, a: Any, repeats: Shape) -> Any:
    """`g` cut into the copies of `a` that it is laid out of, and those added up."""
    shape = shape_of(a)
    rank = max(len(shape), len(repeats))
    sizes = (*(1,) * (rank - len(shape)), *shape)
    counts = (*(1,) * (rank - len(repeats)), *repeats)
    cut = np.reshape(g, [number for pair in zip(counts, sizes, strict=True) for number in pair])
    return np.reshape(np.sum(cut, axis=tuple(range(0, 2 * rank, 2))), shape)


def _interleave(a: Any, repeats: Any, dim: int | None) -> Any:
    check_elements(*_interleaved_shape(a, repeats, dim))
    if dim is None:
        return np.repeat(a, repeats)
    return np.repeat(np.atleast_1d(a), repeats, axis=axis_of(a, dim))


def _interleaved_shape(a: Any, repeats: Any, dim: int | None) -> Shape:
    """As many copies as all repeats ask for, each of what lies across the axis."""
    shape = (np.size(a),) if dim is None else np.atleast_1d(a).shape
    axis = 0 if dim is None else axis_of(a, dim)
    copies = sum(map(int, repeats)) if np.ndim(repeats) else int(repeats) * shape[axis]
    return (*shape[:axis], copies, *shape[axis + 1 :])


def _interleave_with(a: Any, repeats: Any, dim: int | None) -> Any:
    counts = np.asarray(repeats)
    length = np.size(a) if dim is None else shape_of(a)[axis_of(a, dim)]
    if counts.dtype.kind != "i" or counts.ndim > 1 or (counts.ndim and len(counts) != length):
        raise OperandError(
            f"`repeat_interleave` needs a whole number for each of {length} elements, and got "
            f"{counts.dtype} of shape {counts.shape}",
            "give one number for all, or as many as there are elements",
        )
    return _interleave(a, repeats, dim)


def _interleave_rule(g: Any, _y: Any, a: Any, repeats: Any, dim: int | None) -> Any:
    lines = np.reshape(a, -1) if dim is None else np.atleast_1d(a)
    axis = 0 if dim is None else axis_of(a, dim)
    source = np.repeat(np.arange(lines.shape[axis]), repeats)
    return added_at(lines, (*(slice(None),) * axis, source), g).reshape(shape_of(a))


def _roll(a: Any, shifts: Any, dims: Any) -> Any:
    if dims is None and not isinstance(shifts, int) and len(shifts) > 1:
        raise OperandError(
            f"`roll` got {len(shifts)} shifts and no axes for them", "say which: `dims=(0, 1)`"
        )
    if not shape_of(a):
        return a
    amount = shifts[0] if dims is None and not isinstance(shifts, int) else shifts
    return np.roll(a, amount, dims)


def _unroll(g: Any, shifts: Any, dims: Any) -> Any:
    back = -shifts if isinstance(shifts, int) else tuple(-shift for shift in shifts)
    return _roll(g, back, dims)


def _flip(a: Any, dims: tuple[int, ...]) -> Any:
    return np.array(np.flip(a, dims)) if shape_of(a) else a


def _flip_one(name: str, axis: int) -> Callable[[Any], Any]:
    def flip(a: Any) -> Any:
        if len(shape_of(a)) <= axis:
            raise OperandError(
                f"`{name}` needs at least {axis + 1} axes, and got shape {shape_of(a)}",
                "use `flip(0)`",
            )
        return np.array(np.flip(a, axis))

    return flip


def _rot90(a: Any, k: int, dims: tuple[int, int]) -> Any:
    """An odd number of times it is a flipped copy, seen with its axes exchanged, as in torch."""
    turns = k % 4
    if turns % 2 == 0:
        made = np.rot90(a, turns, dims)
        return as_first(made, (a,)) if turns else by_rows(made.copy())
    flipped = as_first(np.flip(a, dims[1 if turns == 1 else 0]), (a,))
    return np.swapaxes(flipped, *dims)


REPEAT = operation(
    "repeat",
    _repeat,
    *moved(
        lambda g, y, a, repeats: _sum_of_copies(g, a, repeats),
        "Σ over the copies of {g}",
        _REPEATED,
    ),
    words="copies laid side by side along each axis",
    parameters=(INPUT, Kind.SHAPE("repeats")),
    example="x=[1,2], r=x.repeat(2), y=r@r",
)

TILE = operation(
    "tile",
    _tile,
    *moved(lambda g, y, a, dims: _sum_of_copies(g, a, dims), "Σ over the copies of {g}", _REPEATED),
    grad_fn="RepeatBackward0",
    words="copies laid side by side along the last axes",
    parameters=(INPUT, Kind.SHAPE("dims", aliases=("reps",))),
    example="A=[[1,2],[3,4]], T=tile(A, (2,)), y=(T**2).sum()",
)


def _interleaving(
    name: str, repeats: Parameter, forward: Callable[..., Any], grad_fn: str, example: str
) -> Operation:
    """`repeat_interleave` by one number, or by one for each element."""
    return operation(
        name,
        forward,
        rule=lambda g, y, a, *counts, dim, repeats=None: _interleave_rule(
            g, y, a, counts[0] if counts else repeats, dim
        ),
        vjp="Σ over the copies of {g}",
        because=_REPEATED,
        grad_fn=grad_fn,
        words="each element repeated on the spot",
        parameters=(
            INPUT,
            repeats,
            Kind.AXIS("dim", None, aliases=("axis",)),
            Kind.WHOLE("output_size", None, is_ignored=True),
        ),
        example=example,
    )


REPEAT_INTERLEAVE = _interleaving(
    "repeat_interleave",
    Kind.WHOLE("repeats"),
    _interleave,
    "ViewBackward0",
    "x=[1,2], r=x.repeat_interleave(2), y=(r*[1,2,3,4]).sum()",
)

REPEAT_INTERLEAVE_EACH = _interleaving(
    "repeat_interleave.Tensor",
    Parameter("repeats"),
    _interleave_with,
    "IndexSelectBackward0",
    "x=torch.tensor([1., 2.], requires_grad=True), "
    "r=x.repeat_interleave(torch.tensor([1, 3])), y=r@r",
)

ROLL = operation(
    "roll",
    _roll,
    *moved(lambda g, y, a, shifts, dims: _unroll(g, shifts, dims), "{g}, rolled back", _SHIFTED),
    words="elements shifted along an axis; what falls off comes in at the other end",
    parameters=(
        INPUT,
        Kind.SIZES("shifts", aliases=("shift",)),
        Kind.AXES("dims", None, aliases=("axis",)),
    ),
    symbolic=lambda sympy, a, **_: a,
    example="x=[1,2,3], r=roll(x, 1), y=r@x",
)

FLIP = operation(
    "flip",
    _flip,
    *moved(lambda g, y, a, dims: _flip(g, dims), "{g}, flipped back"),
    lay_out=as_first,
    words="elements in reverse order along axes",
    parameters=(INPUT, Kind.SHAPE("dims", aliases=("axis",))),
    symbolic=lambda sympy, a, **_: a,
    example="x=[1,2,3], y=x@x.flip(0)",
)


def _flipping(name: str, axis: int, words: str) -> Operation:
    """`fliplr` or `flipud`."""
    flip = _flip_one(name, axis)
    return operation(
        name,
        flip,
        *moved(lambda g, y, a: flip(g), "{g}, flipped back"),
        grad_fn="FlipBackward0",
        lay_out=as_first,
        words=words,
        example=f"A=[[1,2],[3,4]], y=(A*A.{name}()).sum()",
    )


FLIPLR = _flipping("fliplr", 1, "the columns in reverse order")
FLIPUD = _flipping("flipud", 0, "the rows in reverse order")

ROT90 = operation(
    "rot90",
    _rot90,
    *moved(lambda g, y, a, k, dims: _rot90(g, -k, dims), "{g}, turned back"),
    lay_out=as_it_is,
    notation="rot90({a}, {k})",
    words="turned by 90 degrees, k times",
    parameters=(INPUT, Kind.WHOLE("k", 1), Kind.AXES("dims", (0, 1), aliases=("axes",))),
    example="A=[[1,2],[3,4]], y=(A*rot90(A)).sum()",
)


_COPIED_FROM: Mapping[str, Callable[[Any, int], Any]] = {
    "reflect": lambda place, last: last - np.abs(last - np.abs(place)),
    "replicate": lambda place, last: np.clip(place, 0, last),
    "circular": lambda place, last: place % (last + 1),
}
"""Which element of 0…last stands at a place before, in or behind them."""


def _widths(a: Any, pad: tuple[int, ...], mode: str) -> list[tuple[int, int]]:
    """numpy's pairs, first axis first, of torch's numbers, last axis first."""
    shape = shape_of(a)
    if isinstance(pad, int) or len(pad) % 2 or len(pad) > 2 * len(shape):
        raise OperandError(
            f"`pad` takes two numbers for an axis, from the last axis on, not {pad} "
            f"for shape {shape}",
            "such as (1, 1) for the last axis, (1, 1, 2, 2) for the last two",
        )
    pairs = [(pad[at], pad[at + 1]) for at in range(0, len(pad), 2)]
    widths = [*((0, 0),) * (len(shape) - len(pairs)), *reversed(pairs)]
    for size, (before, after) in zip(shape, widths, strict=True):
        most = {"reflect": max(size - 1, 0), "circular": size}.get(mode)
        if size + before + after < 0 or (most is not None and max(before, after) > most):
            raise OperandError(
                f"`pad` cannot take {pad} of shape {shape} in mode {mode}",
                "the padding must be smaller than the axis",
            )
    check_elements(*(size + sum(pair) for size, pair in zip(shape, widths, strict=True)))
    return widths


def _cut(widths: list[tuple[int, int]]) -> tuple[slice, ...]:
    """Where a negative width takes elements away instead."""
    return tuple(slice(max(-before, 0), None if after >= 0 else after) for before, after in widths)


def _grow(widths: list[tuple[int, int]]) -> list[tuple[int, int]]:
    return [(max(before, 0), max(after, 0)) for before, after in widths]


def _pad(a: Any, pad: tuple[int, ...], mode: str, value: float | None) -> Any:
    widths = _widths(a, pad, mode)
    if mode == "constant":
        return np.pad(a[_cut(widths)], _grow(widths), constant_values=value or 0.0)
    if mode == "circular":  # what a negative width takes away is not in the circle
        a, widths = a[_cut(widths)], _grow(widths)
    for axis, (before, after) in enumerate(widths):
        size = shape_of(a)[axis]
        if before or after:
            places = _COPIED_FROM[mode](np.arange(-before, size + after), size - 1)
            a = np.take(a, places, axis)
    return a


def _pad_rule(g: Any, _y: Any, a: Any, pad: tuple[int, ...], mode: str, **_: Any) -> Any:
    # Where each element of the output came from: the numbers of the elements, padded likewise.
    places = np.arange(1, np.size(a) + 1).reshape(shape_of(a))
    source = _pad(places, pad, mode, None)
    model = np.zeros(np.size(a) + 1, np.asarray(g).dtype)
    return added_at(model, source.reshape(-1), np.reshape(g, -1))[1:].reshape(shape_of(a))


def _pad_grad_fn(application: Application) -> str:
    attributes = application.attributes
    axes = len(attributes["pad"]) // 2
    names = {
        "constant": "ConstantPadNdBackward0",
        "reflect": f"ReflectionPad{axes}DBackward0",
        "replicate": f"ReplicationPad{axes}DBackward0",
    }
    return names.get(attributes["mode"], "torch::autograd::CopySlices")


def _unfold(a: Any, dimension: int, size: int, step: int) -> Any:
    axis = axis_of(a, dimension)
    array = np.atleast_1d(a)
    if not 0 < size <= array.shape[axis] or step < 1:
        raise OperandError(
            f"`unfold` cannot cut windows of {size}, {step} apart, "
            f"from axis {dimension} of shape {array.shape}",
            "give a size from 1 to the length of the axis, and a step of at least 1",
        )
    count = (array.shape[axis] - size) // step + 1
    check_elements(*array.shape[:axis], count, *array.shape[axis + 1 :], size)
    windows = np.lib.stride_tricks.sliding_window_view(array, size, axis)
    windows = windows[(*(slice(None),) * axis, slice(None, None, step))]
    return windows if shape_of(a) else windows[0]  # of one number torch makes one window


def _unfold_rule(g: Any, _y: Any, a: Any, dimension: int, size: int, step: int) -> Any:
    places = np.arange(np.size(a)).reshape(shape_of(a))
    sent = added_at(np.reshape(a, -1), _unfold(places, dimension, size, step), g)
    return sent.reshape(shape_of(a))


PAD = operation(
    "pad",
    _pad,
    rule=_pad_rule,
    vjp="{g} without the padding; what was copied there adds to its source",
    because="The padding is no operand: what flows to it is lost, unless it was copied from "
    "an element, which then receives it too.",
    lay_out=open_unless_by_rows,
    grad_fn=_pad_grad_fn,
    words="more elements around it: a constant, or copies",
    parameters=(
        INPUT,
        Kind.SIZES("pad"),
        Kind.TEXT("mode", "constant", choices=("constant", *_COPIED_FROM)),
        Kind.NUMBER("value", None),
    ),
    example="x=[1,2,3], p=F.pad(x, (1,1)), y=p@p",
)

UNFOLD = operation(
    "Tensor.unfold",
    _unfold,
    rule=_unfold_rule,
    vjp="{g}, each window added back where it was cut from",
    because="An element that stands in several windows receives the sum over them.",
    grad_fn="UnfoldBackward0",
    sharing=Sharing.ALWAYS,
    words="all windows of one size along an axis",
    parameters=(
        INPUT,
        Kind.AXIS("dimension", aliases=("dim",)),
        Kind.WHOLE("size"),
        Kind.WHOLE("step"),
    ),
    # `F.unfold` is another function, the columns of a convolution.
    example="x=[1,2,3,4], w=x.unfold(0,2,1), y=w.prod(dim=1).sum()",
)
