"""Convolution: every window of the input times one and the same kernel.

The contribution to the input is the transposed convolution, which is an operation too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from backprop_engine.basics.memory_order import open_unless_by_rows
from backprop_engine.basics.source import OperandError
from backprop_engine.basics.values import Shape, shape_of
from backprop_engine.budget import check_elements, check_product
from backprop_engine.catalogue.shared.axes import over_channels, per_channel
from backprop_engine.catalogue.shared.entries import INPUT, operation
from backprop_engine.catalogue.shared.windows import Pads, Sizes, Window, sizes_of, symmetric
from backprop_engine.operation import Application, Derivative, Kind, Numbers, Operation, Parameter

_OPERANDS = (INPUT, Parameter("weight"), Parameter("bias", default=None))
_INPUT_WORDS = (
    "Every element receives from all windows it lies in: the gradient, spread with the kernel."
)
_WEIGHT_WORDS = (
    "The kernel is used at every window, so it receives the sum of all windows, each times its "
    "gradient."
)


def _window(name: str, kernel: Shape, how: Any) -> Window:
    gaps = sizes_of(name, "dilation", how["dilation"], len(kernel))
    steps = sizes_of(name, "stride", how["stride"], len(kernel))
    return Window(name, kernel, steps, _pads(name, kernel, gaps, how["padding"], steps), gaps)


def _pads(name: str, kernel: Shape, gaps: Shape, padding: Sizes | str, steps: Shape) -> Pads:
    if not isinstance(padding, str):
        return symmetric(sizes_of(name, "padding", padding, len(kernel), least=0))
    if padding == "valid":
        return symmetric((0,) * len(kernel))
    if max(steps) > 1:
        raise OperandError(f"`{name}` keeps no size with a stride of {steps}", "use a stride of 1")
    totals = [gap * (size - 1) for size, gap in zip(kernel, gaps, strict=True)]
    return tuple((total // 2, total - total // 2) for total in totals)


def _batched(a: Any, weight: Any) -> Any:
    """The input with an axis for the batch, if it has none."""
    return a if a.ndim == weight.ndim else a[np.newaxis]


def _check(name: str, axes: int, a: Any, weight: Any, groups: int, channels: int) -> None:
    """Raise OperandError unless input and kernel fit; `channels` is what the kernel takes."""
    shape, kernel = shape_of(a), shape_of(weight)
    if len(kernel) != axes + 2 or len(shape) not in (axes + 1, axes + 2):
        raise OperandError(
            f"`{name}` takes an input of {axes + 1} or {axes + 2} axes and a kernel of {axes + 2}, "
            f"not shapes {shape} and {kernel}",
            "add axes by `unsqueeze(0)`: (samples, channels, …) and (outputs, channels, …)",
        )
    if 0 in kernel[:2]:
        raise OperandError(
            f"`{name}` takes a kernel with channels, not shape {kernel}",
            "a kernel needs one at least on either side; leave the line out where there are none",
        )
    if groups < 1 or kernel[0] % groups:
        raise OperandError(
            f"`{name}` cannot part a kernel of shape {kernel} into {groups} equal groups",
            "the number of groups must divide the first axis of the kernel",
        )
    if shape[-axes - 1] != channels:
        raise OperandError(
            f"`{name}` got an input of shape {shape} with {shape[-axes - 1]} channels, but the "
            f"kernel of shape {kernel} takes {channels}"
            + (f" in {groups} groups" if groups > 1 else ""),
            "give input and kernel as many channels as each other",
        )


def _check_bias(name: str, bias: Any, channels: int) -> None:
    if bias is not None and shape_of(bias) != (channels,):
        raise OperandError(
            f"`{name}` takes a bias of shape ({channels},), not {shape_of(bias)}",
            f"give one number for each of the {channels} outputs",
        )


def _columns(window: Window, a: Any, groups: int, output: Shape) -> Any:
    """The first windows, as many as `output` says: (batch, group, window, its elements)."""
    batch, channels = a.shape[0], a.shape[1] // groups
    elements, count = math.prod(window.kernel), math.prod(output)
    chosen = tuple(slice(size) for size in output)
    seen = window.windows(a)[(slice(None), slice(None), *chosen)]
    parted = seen.reshape(batch, groups, channels, count, elements)
    return parted.transpose(0, 1, 3, 2, 4).reshape(batch, groups, count, channels * elements)


def _rows(g: Any, groups: int) -> Any:
    """What is given for each window: (batch, group, window, output channel)."""
    parted = g.reshape(g.shape[0], groups, g.shape[1] // groups, math.prod(g.shape[2:]))
    return parted.swapaxes(-1, -2)


def _kernel_rows(weight: Any, groups: int) -> Any:
    """The kernel as matrices: (group, output channel, elements of a window)."""
    return weight.reshape(groups, weight.shape[0] // groups, -1)


def _convolve(window: Window, a: Any, weight: Any, groups: int) -> Any:
    """Σ over the elements of each window of window · kernel."""
    output = window.output_size(a.shape)
    columns = _columns(window, a, groups, output)
    kernel = _kernel_rows(weight, groups).swapaxes(-1, -2)
    check_product(columns, kernel)
    product = columns @ kernel
    return product.swapaxes(-1, -2).reshape(a.shape[0], weight.shape[0], *output)


def _spread(window: Window, g: Any, weight: Any, groups: int, shape: Shape) -> Any:
    """The transpose of `_convolve` by its input: `g` spread with the kernel over `shape`."""
    check_elements(*shape)
    spread, kernel = _rows(g, groups), _kernel_rows(weight, groups)
    check_product(spread, kernel)
    rows = spread @ kernel
    batch, _, count, size = rows.shape
    elements = math.prod(window.kernel)
    parted = rows.reshape(batch, groups, count, size // elements, elements)
    parted = parted.transpose(0, 1, 3, 2, 4)
    output = g.shape[2:]
    return window.fold(parted.reshape(batch, shape[1], *output, *window.kernel), shape)


def _correlate(window: Window, g: Any, a: Any, weight_shape: Shape, groups: int) -> Any:
    """The transpose of `_convolve` by its kernel."""
    columns = _columns(window, a, groups, g.shape[2:])
    products = _rows(g, groups).swapaxes(-1, -2) @ columns
    return np.sum(products, axis=0).reshape(weight_shape)


def _add_bias(y: Any, bias: Any) -> Any:
    return y if bias is None else y + per_channel(bias, y.ndim)


_TO_BIAS = Derivative(
    rule=lambda g, y, a, b, c, **_: over_channels(_batched(g, b)),
    vjp="Σ {g}",
    words="A bias is added at every place, so it receives the sum of all gradients there.",
)


def _forward(name: str, axes: int) -> Callable[..., Any]:
    def forward(a: Any, b: Any, c: Any = None, **how: Any) -> Any:
        groups = how["groups"]
        _check(name, axes, a, b, groups, shape_of(b)[1] * groups if len(shape_of(b)) > 1 else 0)
        _check_bias(name, c, b.shape[0])
        window = _window(name, b.shape[2:], how)
        y = _add_bias(_convolve(window, _batched(a, b), b, groups), c)
        return y if a.ndim == b.ndim else y[0]

    return forward


def _input_rule(g: Any, _y: Any, a: Any, b: Any, *_: Any, **how: Any) -> Any:
    window = _window("conv", b.shape[2:], how)
    sent = _spread(window, _batched(g, b), b, how["groups"], _batched(a, b).shape)
    return sent.reshape(a.shape)


def _weight_rule(g: Any, _y: Any, a: Any, b: Any, *_: Any, **how: Any) -> Any:
    window = _window("conv", b.shape[2:], how)
    return _correlate(window, _batched(g, b), _batched(a, b), b.shape, how["groups"])


def _transposed_shape(a: Any, b: Any, window: Window, extra: Shape, groups: int) -> Shape:
    """The shape of the output of a transposed convolution, batch included."""
    sizes = (
        (size - 1) * step - sum(pads) + reach + more
        for size, step, pads, reach, more in zip(
            a.shape[2:], window.stride, window.pads, window.reach, extra, strict=True
        )
    )
    return (a.shape[0], b.shape[1] * groups, *sizes)


def _transposed(a: Any, b: Any, c: Any = None, **how: Any) -> Any:
    name, groups = "conv_transpose2d", how["groups"]
    _check(name, 2, a, b, groups, shape_of(b)[0] if shape_of(b) else 0)
    _check_bias(name, c, b.shape[1] * groups)
    window = _window(name, b.shape[2:], how)
    extra = sizes_of(name, "output_padding", how["output_padding"], 2, least=0)
    batched = _batched(a, b)
    shape = _transposed_shape(batched, b, window, extra, groups)
    limits = map(max, window.stride, window.dilation)
    if any(more >= limit for more, limit in zip(extra, limits, strict=True)):
        raise OperandError(
            f"`output_padding` of `{name}` must be smaller than stride or dilation, not {extra}",
            "leave it out, or make the stride larger",
        )
    y = _add_bias(_spread(window, batched, b, groups, shape), c)
    return y if a.ndim == b.ndim else y[0]


def _transposed_input_rule(g: Any, _y: Any, a: Any, b: Any, *_: Any, **how: Any) -> Any:
    window = _window("conv_transpose2d", b.shape[2:], how)
    sent = _convolve(window, _batched(g, b), b, how["groups"])
    return sent[..., : a.shape[-2], : a.shape[-1]].reshape(a.shape)


def _transposed_weight_rule(g: Any, _y: Any, a: Any, b: Any, *_: Any, **how: Any) -> Any:
    window = _window("conv_transpose2d", b.shape[2:], how)
    return _correlate(window, _batched(a, b), _batched(g, b), b.shape, how["groups"])


def _multiplies_padding(
    operands: Sequence[Any], attributes: Mapping[str, Any], upstream: Any
) -> bool:
    """Whether a 0 of the padding may meet an inf or a nan: a kernel multiplies it, or leaves it
    out, and which of torch's kernels runs hangs on the processor and on sizes.
    """
    padding = attributes["padding"]
    is_padded = padding == "same" if isinstance(padding, str) else bool(np.any(padding))
    values = operands if upstream is None else (upstream, *operands)
    return is_padded and not all(np.all(np.isfinite(value)) for value in values)


def _grad_fn(application: Application) -> str:
    # torch gives an input without a batch an axis for it, and takes it away again.
    image, kernel = application.shapes[:2]
    return "ConvolutionBackward0" if len(image) == len(kernel) else "SqueezeBackward1"


def _unfolded(shapes: tuple[Shape, ...], dtypes: tuple[str, ...], **how: Any) -> str:
    """A convolution as one matrix product with the columns of `unfold`."""
    del dtypes
    if how["groups"] != 1 or len(shapes[0]) != len(shapes[1]):
        return ""
    size = _window("conv2d", shapes[1][2:], how).output_size(shapes[0])
    lines = [
        f"u = unfold(a, {shapes[1][2:]}, {how['dilation']}, {how['padding']}, {how['stride']})",
        f"k = b.reshape(({shapes[1][0]}, -1))",
        f"p = (k @ u).reshape({(shapes[0][0], shapes[1][0], *size)})",
        "p + c.reshape((-1, 1, 1))" if len(shapes) > 2 else "p",
    ]
    return "\n".join(lines)


def _notation(sign: str) -> Callable[..., str]:
    def text(numbers: Numbers, **_: Any) -> str:
        return f"{{a}} {sign} {{b}}{' + {c}' if len(numbers) > 2 else ''}"

    return text


def _convolution(axes: int, *, by_word: bool = False) -> Operation:
    """`conv1d` or `conv2d`, with its padding in numbers or (`by_word`) as "same" or "valid"."""
    name = f"conv{axes}d"
    padding = (
        Kind.TEXT("padding", choices=("same", "valid")) if by_word else Kind.SIZES("padding", 0)
    )
    by = ", padding='same'" if by_word else ""
    image = "row" if axes == 1 else "image"
    return operation(
        f"{name}_padding" if by_word else name,
        _forward(name, axes),
        Derivative(rule=_input_rule, vjp="{g} spread with {b}", words=_INPUT_WORDS),
        Derivative(rule=_weight_rule, vjp="Σ windows of {a} ⊙ {g}", words=_WEIGHT_WORDS),
        _TO_BIAS,
        functions=(name,),
        lay_out=open_unless_by_rows,
        notation=_notation("⋆"),
        torch=name,
        grad_fn=_grad_fn,
        words=f"each window of the {image} times the kernel, summed",
        parameters=(
            *_OPERANDS,
            Kind.SIZES("stride", 1),
            padding,
            Kind.SIZES("dilation", 1),
            Kind.WHOLE("groups", 1),
        ),
        unsettled=_multiplies_padding,
        composite="" if axes == 1 or by_word else _unfolded,
        example=(
            f"x=[[1, 2, 4, 8]], w=[[[1, -1]]], c=conv1d(x, w{by}), y=c[0, 0]"
            if axes == 1
            else f"x=[[[1, 2], [3, 5]]], w=[[[[1, 0], [0, -1]]]], c=conv2d(x, w{by}), y=c[0, 0, 0]"
        ),
    )


CONV1D = _convolution(1)
CONV1D_PADDING = _convolution(1, by_word=True)
CONV2D = _convolution(2)
CONV2D_PADDING = _convolution(2, by_word=True)

CONV_TRANSPOSE2D = operation(
    "conv_transpose2d",
    _transposed,
    Derivative(
        rule=_transposed_input_rule,
        vjp="{g} ⋆ {b}",
        words="What was spread with the kernel is gathered with it: a plain convolution.",
    ),
    Derivative(rule=_transposed_weight_rule, vjp="Σ windows of {g} ⊙ {a}", words=_WEIGHT_WORDS),
    _TO_BIAS,
    notation=_notation("⋆ᵀ"),
    grad_fn=_grad_fn,
    unsettled=_multiplies_padding,
    lay_out=open_unless_by_rows,
    words="the kernel laid over the image once for each element, times the element",
    parameters=(
        *_OPERANDS,
        Kind.SIZES("stride", 1),
        Kind.SIZES("padding", 0),
        Kind.SIZES("output_padding", 0),
        Kind.WHOLE("groups", 1),
        Kind.SIZES("dilation", 1),
    ),
    example="x=[[[1, 2]]], w=[[[[1, -1]]]], c=conv_transpose2d(x, w), y=c[0, 0, 1]",
)
