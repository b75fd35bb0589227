"""Pooling: every window of the input becomes one number, its largest or its mean."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from backprop_engine.basics.memory_order import open_unless_by_rows
from backprop_engine.basics.source import OperandError
from backprop_engine.basics.values import Shape, shape_of, where
from backprop_engine.budget import check_elements
from backprop_engine.catalogue.shared.entries import INPUT, operation
from backprop_engine.catalogue.shared.picking import INDICES, VALUES, add_along_axis
from backprop_engine.catalogue.shared.windows import (
    Sizes,
    Window,
    ceiling_pads,
    sizes_of,
    symmetric,
)
from backprop_engine.operation import Application, Kind, Operation

_MAX_WORDS = (
    "Only the largest element of a window counts, so it receives the whole gradient; at a tie, "
    "the first of them."
)
_MEAN_WORDS = "Each of the n elements of a window has one n-th of a say in its mean."


def _window(
    name: str,
    axes: int,
    a: Any,
    kernel_size: Sizes,
    stride: Sizes | None,
    padding: Sizes,
    dilation: Sizes = 1,
    ceil_mode: bool = False,
) -> Window:
    """The window over the last `axes` axes of `a`. OperandError where it does not fit."""
    shape = shape_of(a)
    if len(shape) not in (axes + 1, axes + 2):
        raise OperandError(
            f"`{name}` takes an input of {axes + 1} or {axes + 2} axes, not shape {shape}",
            "add axes by `unsqueeze(0)`",
        )
    kernel = sizes_of(name, "kernel_size", kernel_size, axes)
    steps = sizes_of(name, "stride", kernel if stride in (None, ()) else stride, axes)
    padded = sizes_of(name, "padding", padding, axes, least=0)
    if any(2 * pad > size for pad, size in zip(padded, kernel, strict=True)):
        raise OperandError(
            f"`padding` of `{name}` must be at most half of the kernel {kernel}",
            "give less padding, or a larger kernel",
        )
    gaps = sizes_of(name, "dilation", dilation, axes)
    window = Window(name, kernel, steps, symmetric(padded), gaps)
    if ceil_mode:
        window = replace(window, pads=ceiling_pads(window, shape[-axes:]))
    window.output_size(shape)
    return window


def _flat(windows: Any, axes: int) -> Any:
    """The windows with their own axes made one."""
    return windows.reshape(*windows.shape[:-axes], math.prod(windows.shape[-axes:]))


def _max_pool(name: str, axes: int) -> Any:
    def forward(a: Any, return_indices: bool = False, output: int = VALUES, **settings: Any) -> Any:
        del return_indices  # which of the two outputs it is says `output`
        window = _window(name, axes, a, **settings)
        seen = _flat(window.windows(a, -np.inf), axes)
        if output == VALUES:
            return np.max(seen, axis=-1)
        sizes = a.shape[-axes:]
        numbers = np.arange(math.prod(sizes)).reshape(sizes)
        number_of = np.broadcast_to(_flat(window.windows(numbers, -1), axes), seen.shape)
        chosen = _chosen(seen, number_of < 0)
        return np.take_along_axis(number_of, chosen[..., np.newaxis], axis=-1)[..., 0]

    return forward


def _chosen(seen: Any, is_padding: Any) -> Any:
    """Which element each window takes: the first of the largest, the last nan, no padding."""
    largest = np.max(seen, axis=-1, keepdims=True)
    first = np.argmax(np.where(is_padding, False, seen == largest), axis=-1)
    last = seen.shape[-1] - 1 - np.argmax(np.isnan(seen)[..., ::-1], axis=-1)
    return np.where(np.isnan(largest[..., 0]), last, first)


def _max_pool_rule(name: str, axes: int) -> Any:
    def rule(g: Any, _y: Any, a: Any, **settings: Any) -> Any:
        places = _max_pool(name, axes)(a, **{**settings, "output": INDICES})
        g = where(places < 0, 0.0, g)  # a window of padding alone has no element to send to
        outer = a.shape[:-axes]
        flat = np.zeros((math.prod(outer), math.prod(a.shape[-axes:])), g.dtype)
        lines = places.reshape(len(flat), math.prod(places.shape[len(outer) :]))
        sent = add_along_axis(flat, lines, np.reshape(g, lines.shape), 1)
        return np.reshape(sent, a.shape)

    return rule


def _divisor(
    window: Window, sizes: Shape, padding: Sizes, count_include_pad: bool, override: int | None
) -> Any:
    """By what each window's sum is divided: not by what sticks out of the padded input."""
    if override is not None:
        if not override:
            raise OperandError(
                f"`divisor_override` of `{window.name}` cannot be 0",
                "leave it out, or give another number",
            )
        return float(override)
    pads = symmetric(sizes_of(window.name, "padding", padding, len(sizes), least=0))
    check_elements(*(size + sum(pair) for size, pair in zip(sizes, pads, strict=True)))
    inside = np.pad(np.ones(sizes), pads, constant_values=float(count_include_pad))
    beyond = tuple(
        (before - own[0], after - own[1])
        for (before, after), own in zip(window.pads, pads, strict=True)
    )
    return np.sum(_flat(replace(window, pads=beyond).windows(inside), len(sizes)), axis=-1)


def _average_parts(
    name: str,
    axes: int,
    a: Any,
    *,
    padding: Sizes,
    count_include_pad: bool,
    divisor_override: int | None = None,
    **settings: Any,
) -> tuple[Window, Any]:
    """The window, and what each sum is divided by, in the dtype of `a`."""
    window = _window(name, axes, a, padding=padding, **settings)
    divisor = _divisor(window, a.shape[-axes:], padding, count_include_pad, divisor_override)
    return window, np.asarray(divisor, a.dtype)


def _avg_pool(name: str, axes: int) -> Any:
    def forward(a: Any, **settings: Any) -> Any:
        window, divisor = _average_parts(name, axes, a, **settings)
        return np.sum(_flat(window.windows(a), axes), axis=-1) / divisor

    return forward


def _avg_pool_rule(name: str, axes: int) -> Any:
    def rule(g: Any, _y: Any, a: Any, **settings: Any) -> Any:
        window, divisor = _average_parts(name, axes, a, **settings)
        share = (g / divisor).reshape(*g.shape, *(1,) * axes)
        return window.fold(np.broadcast_to(share, (*g.shape, *window.kernel)), a.shape)

    return rule


def _adaptive_windows(a: Any, output_size: Any) -> tuple[list[slice], list[slice]]:
    """The rows and the columns that each window of the image averages."""
    name, shape = "adaptive_avg_pool2d", shape_of(a)
    if len(shape) not in (3, 4):
        raise OperandError(
            f"`{name}` takes an input of 3 or 4 axes, not shape {shape}",
            "add axes by `unsqueeze(0)`",
        )
    height, width = sizes_of(name, "output_size", output_size, 2)
    check_elements(*shape[:-2], max(height, shape[-2]), max(width, shape[-1]))
    return _parts(shape[-2], height), _parts(shape[-1], width)


def _parts(size: int, count: int) -> list[slice]:
    """`count` parts of `size` elements; neighbours overlap where they do not divide it."""
    return [slice(at * size // count, -(-(at + 1) * size // count)) for at in range(count)]


def _lengths(parts: list[slice], dtype: Any) -> Any:
    return np.array([part.stop - part.start for part in parts], dtype)


def _adaptive_avg_pool(a: Any, output_size: Any) -> Any:
    rows, columns = _adaptive_windows(a, output_size)
    summed = np.stack([np.sum(a[..., part, :], axis=-2) for part in rows], axis=-2)
    summed = np.stack([np.sum(summed[..., part], axis=-1) for part in columns], axis=-1)
    return summed / _lengths(rows, a.dtype)[:, np.newaxis] / _lengths(columns, a.dtype)


def _adaptive_avg_pool_rule(g: Any, _y: Any, a: Any, output_size: Any) -> Any:
    rows, columns = _adaptive_windows(a, output_size)
    shared = g / _lengths(rows, a.dtype)[:, np.newaxis] / _lengths(columns, a.dtype)
    across = np.zeros((*shared.shape[:-1], a.shape[-1]), shared.dtype)
    for at, part in enumerate(columns):
        across[..., part] += shared[..., at : at + 1]
    sent = np.zeros(a.shape, shared.dtype)
    for at, part in enumerate(rows):
        sent[..., part, :] += across[..., at : at + 1, :]
    return sent


def _adaptive_terms(a: Any, output_size: Any) -> int:
    """The elements of the largest window; no more windows than that overlap."""
    counts = sizes_of("adaptive_avg_pool2d", "output_size", output_size, 2)
    return math.prod(size // count + 2 for size, count in zip(a.shape[-2:], counts, strict=True))


def _adaptive_grad_fn(application: Application) -> str:
    size = application.attributes["output_size"]
    return "MeanBackward1" if size in (1, (1, 1), (1,)) else "AdaptiveAvgPool2DBackward0"


def _max_pooling(axes: int, *, with_indices: bool = False) -> Operation:
    """`max_pool1d` or `max_pool2d`; with `return_indices=True` it has two outputs."""
    name = f"max_pool{axes}d"
    indices = (
        Kind.FLAG("return_indices")
        if with_indices
        else Kind.FLAG("return_indices", False, refusal="write `True` or `False`")
    )
    shown = ", return_indices=True)[0]" if with_indices else ")"
    return operation(
        f"{name}.indices" if with_indices else name,
        _max_pool(name, axes),
        rule=_max_pool_rule(name, axes),
        lay_out=open_unless_by_rows,
        vjp="{g}, put back at the largest element of each window of {a}",
        because=_MAX_WORDS,
        outputs=(lambda *_operands, **_attributes: ("0", "1")) if with_indices else None,
        notation=lambda output=VALUES, **_: (
            f"{'max' if output == VALUES else 'place of the max'} of each window of {{a}}"
        ),
        grad_fn="SqueezeBackward1" if axes == 1 else "MaxPool2DWithIndicesBackward0",
        words="the largest element of each window" + (", and where it is" * with_indices),
        parameters=(
            INPUT,
            Kind.SIZES("kernel_size"),
            Kind.SIZES("stride", None),
            Kind.SIZES("padding", 0),
            Kind.SIZES("dilation", 1),
            Kind.FLAG("ceil_mode", False),
            indices,
        ),
        example=(
            f"x=[[1, 3, 2, 0]], m=max_pool1d(x, 2{shown}, y=m.sum()"
            if axes == 1
            else f"x=[[[1, 3], [2, 0]]], m=max_pool2d(x, 2{shown}, y=m.sum()"
        ),
    )


def _average_pooling(axes: int) -> Operation:
    name = f"avg_pool{axes}d"
    override = (Kind.WHOLE("divisor_override", None),) if axes == 2 else ()
    return operation(
        name,
        _avg_pool(name, axes),
        rule=_avg_pool_rule(name, axes),
        lay_out=open_unless_by_rows,
        vjp="1/n·{g}, copied to every element of each window of {a}",
        because=_MEAN_WORDS,
        notation="mean of each window of {a}",
        grad_fn="SqueezeBackward1" if axes == 1 else "AvgPool2DBackward0",
        words="the mean of each window",
        parameters=(
            INPUT,
            Kind.SIZES("kernel_size"),
            Kind.SIZES("stride", None),
            Kind.SIZES("padding", 0),
            Kind.FLAG("ceil_mode", False),
            Kind.FLAG("count_include_pad", True),
            *override,
        ),
        terms=lambda a, kernel_size, **_: math.prod(
            sizes_of(name, "kernel_size", kernel_size, axes)
        ),
        example=(
            "x=[[1, 3, 2, 0]], m=avg_pool1d(x, 2), y=m[0, 0]"
            if axes == 1
            else "x=[[[1, 3], [2, 0]]], m=avg_pool2d(x, 2), y=m.sum()"
        ),
    )


MAX_POOL1D = _max_pooling(1)
MAX_POOL2D = _max_pooling(2)
MAX_POOL1D_INDICES = _max_pooling(1, with_indices=True)
MAX_POOL2D_INDICES = _max_pooling(2, with_indices=True)
AVG_POOL1D = _average_pooling(1)
AVG_POOL2D = _average_pooling(2)

ADAPTIVE_AVG_POOL2D = operation(
    "adaptive_avg_pool2d",
    _adaptive_avg_pool,
    rule=_adaptive_avg_pool_rule,
    lay_out=open_unless_by_rows,
    vjp="1/n·{g}, copied to every element of each window of {a}",
    because=_MEAN_WORDS,
    notation="mean of each of {output_size} windows of {a}",
    grad_fn=_adaptive_grad_fn,
    words="the means of as many windows as are asked for",
    parameters=(INPUT, Kind.SIZES("output_size")),
    terms=_adaptive_terms,
    example="x=[[[1, 3], [2, 0]]], m=adaptive_avg_pool2d(x, 1), y=m.sum()",
)
