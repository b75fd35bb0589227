"""Layers of a network: `linear`, `bilinear`, `dropout`, and the windows of `unfold`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from backprop_engine.basics.memory_order import as_first
from backprop_engine.basics.source import OperandError
from backprop_engine.basics.values import Shape, shape_of, unbroadcast
from backprop_engine.budget import check_elements, check_products
from backprop_engine.catalogue import linear
from backprop_engine.catalogue.shared.entries import INPUT, operation
from backprop_engine.catalogue.shared.windows import Sizes, Window, sizes_of, symmetric
from backprop_engine.operation import Application, Derivative, Kind, Parameter, Sharing

_BIAS_WORDS = "A bias is added to every sample, so it receives the sum of their gradients."
_BIAS_DERIVATIVE = Derivative(
    rule=lambda g, y, *operands: unbroadcast(g, shape_of(operands[-1])),
    vjp="Σ {g}",
    words=_BIAS_WORDS,
)


def _linear(a: Any, b: Any, c: Any = None) -> Any:
    inputs, weight = shape_of(a), shape_of(b)
    if not inputs or len(weight) not in (1, 2) or inputs[-1] != weight[-1]:
        raise OperandError(
            f"`linear` cannot take an input of shape {inputs} with a weight of shape {weight}: "
            "their last axes must be equally long",
            "a weight has the shape (outputs, inputs)",
        )
    y = linear.MATMUL.forward(a, np.transpose(b))
    if c is None:
        return y
    if shape_of(c) not in ((), weight[:-1]):
        raise OperandError(
            f"`linear` takes a bias of shape {weight[:-1]}, not {shape_of(c)}",
            "give one number for each output",
        )
    return y + c


def _linear_weight_rule(g: Any, y: Any, a: Any, b: Any, _c: Any = None) -> Any:
    return np.transpose(linear.MATMUL.derivatives[1].rule(g, y, a, np.transpose(b)))


def _linear_grad_fn(application: Application) -> str:
    inputs, weight = application.shapes[:2]
    if len(application.shapes) > 2:
        if len(inputs) == len(weight) == 2:
            return "AddmmBackward0"
        # torch adds a bias within the product only where it can lay out the input as a matrix.
        is_flat = application.contiguous[0] and len(weight) == 2 and application.shapes[2]
        return "ViewBackward0" if is_flat else "AddBackward0"
    if len(weight) == 1:
        return {1: "DotBackward0", 2: "MvBackward0"}.get(len(inputs), "UnsafeViewBackward0")
    return {1: "SqueezeBackward4", 2: "MmBackward0"}.get(len(inputs), "UnsafeViewBackward0")


def _linear_composite(shapes: tuple[Shape, ...], **_: Any) -> str:
    product = "a @ b.T" if len(shapes[1]) == 2 else "a @ b"
    return product if len(shapes) == 2 else f"h = {product}\nh + c"


def _bilinear(a: Any, b: Any, c: Any, d: Any = None) -> Any:
    left, right, weight = shape_of(a), shape_of(b), shape_of(c)
    if not left or left[:-1] != right[:-1] or weight[1:] != (left[-1], right[-1]):
        raise OperandError(
            f"`bilinear` cannot take inputs of shapes {left} and {right} with a weight of shape "
            f"{weight}",
            "give a weight of shape (outputs, last axis of the first, last axis of the second)",
        )
    check_elements(*left[:-1], weight[0], right[-1])
    check_products(*left, *weight[::2])
    y = np.einsum("...i,oij,...j->...o", a, c, b, optimize=True)
    return y if d is None else y + d


def _bilinear_rule(spelling: str) -> Any:
    """A rule as an einsum of the upstream gradient and the two other operands."""

    def rule(g: Any, _y: Any, a: Any, b: Any, c: Any, _d: Any = None) -> Any:
        operands: tuple[Any, ...] = {"a": (g, c, b), "b": (g, a, c), "c": (g, a, b)}[spelling[0]]
        if spelling[0] == "c":
            operands = tuple(
                np.reshape(operand, (math.prod(operand.shape[:-1]), operand.shape[-1]))
                for operand in operands
            )
        return np.einsum(spelling[2:], *operands, optimize=True)

    return rule


def _mask(shape: Shape, p: float, seed: int) -> Any:
    """0 where an element is dropped, else 1/(1 − p); the same for a shape and a seed."""
    kept = np.random.Generator(np.random.PCG64(seed)).random(shape) >= p
    return kept / (1.0 - p) if p < 1 else np.zeros(shape)


def _is_at_work(p: float, training: bool) -> bool:
    return training and p > 0


def _dropout(a: Any, p: float, training: bool, seed: int) -> Any:
    if not 0 <= p <= 1:
        raise OperandError(
            f"`p` of `dropout` is a probability, and {p:g} is not from 0 to 1",
            "give a number from 0 to 1",
        )
    if seed < 0:
        raise OperandError(f"`seed` of `dropout` cannot be {seed}", "give a number from 0 on")
    if not _is_at_work(p, training):
        return a
    return a * _mask_like(a, p, seed)


def _mask_like(a: Any, p: float, seed: int) -> Any:
    return np.asarray(_mask(shape_of(a), p, seed), np.asarray(a).dtype)


def _dropout_rule(g: Any, _y: Any, a: Any, p: float, training: bool, seed: int) -> Any:
    return g * _mask_like(a, p, seed) if _is_at_work(p, training) else g


def _dropout_twin(torch: Any, a: Any, p: float, training: bool, seed: int) -> Any:
    if not _is_at_work(p, training):
        return a
    return a * torch.as_tensor(_mask(tuple(a.shape), p, seed)).to(a.dtype)


def _dropout_grad_fn(application: Application) -> str:
    # Where nothing is dropped torch hands its operand through.
    attributes = application.attributes
    return "MulBackward0" if _is_at_work(attributes["p"], attributes["training"]) else ""


def _unfold_window(
    a: Any, kernel_size: Sizes, dilation: Sizes, padding: Sizes, stride: Sizes
) -> Window:
    if len(shape_of(a)) not in (3, 4):
        raise OperandError(
            f"`unfold` takes an input of 3 or 4 axes, not shape {shape_of(a)}",
            "add axes by `unsqueeze(0)`: (samples, channels, height, width)",
        )
    return Window(
        "unfold",
        sizes_of("unfold", "kernel_size", kernel_size, 2),
        sizes_of("unfold", "stride", stride, 2),
        symmetric(sizes_of("unfold", "padding", padding, 2, least=0)),
        sizes_of("unfold", "dilation", dilation, 2),
    )


def _unfold(a: Any, **settings: Any) -> Any:
    """Shape (batch, channels · kernel, windows)."""
    window = _unfold_window(a, **settings)
    rows = a.shape[-3] * math.prod(window.kernel)
    seen = np.moveaxis(window.windows(a), (-4, -3), (-2, -1))
    return seen.reshape(*a.shape[:-3], rows, math.prod(window.output_size(a.shape)))


def _unfold_rule(g: Any, _y: Any, a: Any, **settings: Any) -> Any:
    window = _unfold_window(a, **settings)
    seen = g.reshape(*a.shape[:-2], *window.kernel, *window.output_size(a.shape))
    return window.fold(np.moveaxis(seen, (-2, -1), (-4, -3)), a.shape)


LINEAR_LAYER = operation(
    "linear",
    _linear,
    Derivative(
        rule=lambda g, y, a, b, _c=None: linear.MATMUL.derivatives[0].rule(
            g, y, a, np.transpose(b)
        ),
        vjp="{g} @ {b}",
        words="Going back through a layer, the input sees the weights transposed.",
    ),
    Derivative(
        rule=_linear_weight_rule,
        vjp="{g}ᵀ @ {a}",
        words="Each weight receives its input times its output's gradient, summed over "
        "the samples.",
    ),
    _BIAS_DERIVATIVE,
    notation=lambda numbers, **_: "{a} @ {b}ᵀ + {c}" if len(numbers) > 2 else "{a} @ {b}ᵀ",
    grad_fn=_linear_grad_fn,
    words="a layer: inputs times weights, plus a bias",
    parameters=(INPUT, Parameter("weight"), Parameter("bias", default=None)),
    composite=_linear_composite,
    example="x=[1, 2], W=[[3, 4]], b=[5], h=linear(x, W, b), y=h[0]",
)

BILINEAR = operation(
    "bilinear",
    _bilinear,
    Derivative(
        rule=_bilinear_rule("a:...o,oij,...j->...i"),
        vjp="Σ {g} · {c} · {b}",
        words="Each input meets the other one in every output, through the weights.",
    ),
    Derivative(
        rule=_bilinear_rule("b:...o,...i,oij->...j"),
        vjp="Σ {g} · {a} · {c}",
        words="Each input meets the other one in every output, through the weights.",
    ),
    Derivative(
        rule=_bilinear_rule("c:no,ni,nj->oij"),
        vjp="Σ {g} · {a} · {b}",
        words="Each weight receives the product of the two elements it joins.",
    ),
    _BIAS_DERIVATIVE,
    notation=lambda numbers, **_: "{a}·{c}·{b} + {d}" if len(numbers) > 3 else "{a}·{c}·{b}",
    grad_fn=lambda application: "ViewBackward0" if len(application.shapes) == 3 else "AddBackward0",
    words="each output a weighted sum of all products of two inputs",
    parameters=(
        Parameter("input1"),
        Parameter("input2"),
        Parameter("weight"),
        Parameter("bias", default=None),
    ),
    example="u=[1, 2], v=[3, 4], W=[[[1, 0], [0, 1]]], h=bilinear(u, v, W), y=h[0]",
)

DROPOUT = operation(
    "dropout",
    _dropout,
    rule=_dropout_rule,
    vjp=lambda p, training, **_: "{g} ⊙ mask/(1 − {p})" if training and p else "{g}",
    because="What was dropped has no say and receives nothing; the rest grew by 1/(1 − p), "
    "and so does its gradient.",
    lay_out=lambda made, operands, _: made if made is operands[0] else as_first(made, operands),
    notation="dropout({a}, p={p})",
    torch=_dropout_twin,
    grad_fn=_dropout_grad_fn,
    sharing=Sharing.HANDED_THROUGH,
    words="some elements set to 0 at random, the others grown to make up for it; the same ones "
    "are drawn for the same `seed`",
    parameters=(
        INPUT,
        Kind.NUMBER("p", 0.5),
        Kind.FLAG("training", True),
        Kind.FLAG("inplace", False, is_ignored=True),
        Kind.WHOLE("seed", 0),
    ),
    example="x=[1, 2, 3, 4], h=dropout(x, p=0.5, seed=1), y=h.sum()",
)

UNFOLD = operation(
    "im2col",
    _unfold,
    rule=_unfold_rule,
    vjp="{g}, each window added back to its place in {a}",
    because="An element stands in every window that covers it, and receives from each.",
    functions=("unfold", "im2col"),
    method=(),
    notation="windows of {a}",
    torch="nn.functional.unfold",
    grad_fn="Im2ColBackward0",
    words="the windows of an image as columns",
    parameters=(
        INPUT,
        Kind.SIZES("kernel_size"),
        Kind.SIZES("dilation", 1),
        Kind.SIZES("padding", 0),
        Kind.SIZES("stride", 1),
    ),
    example="x=[[[1, 2], [3, 4]]], u=unfold(x, 1), y=u[0, 3]",
)
