"""Padding around the elements, and windows over them: copies whose gradients add up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from backprop_engine.basics.memory_order import open_unless_by_rows
from backprop_engine.basics.source import OperandError
from backprop_engine.basics.values import shape_of
from backprop_engine.budget import check_elements
from backprop_engine.catalogue.shared.axes import axis_of
from backprop_engine.catalogue.shared.entries import INPUT, operation
from backprop_engine.catalogue.shared.placing import added_at
from backprop_engine.operation import Application, Kind, Sharing

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
