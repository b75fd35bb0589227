"""Activations made of straight pieces and of one exponential: relu and its kin."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from backprop_engine.basics.source import OperandError
from backprop_engine.basics.values import exp, expm1, shape_of, where
from backprop_engine.catalogue.shared.axes import over_channels, per_channel
from backprop_engine.catalogue.shared.entries import INPUT, activation, at_nan, operation, scaled
from backprop_engine.operation import Derivative, Kind, Parameter

_SIXTH: Final = float(np.float32(1 / 6))
"""torch's kernel for the slope of `hardsigmoid` keeps this in 32 bits, for float64 too."""
_ERROR_OF_32_BITS: Final = 2.0**-23
_SELU_ALPHA: Final = 1.6732632423543772848170429916717
_SELU_SCALE: Final = 1.0507009873554804934193349852946


def _relu(a: Any) -> Any:
    # nan passes through, as in torch: `a <= 0` is false for it, and `np.maximum` hands it on.
    if type(a) is float:
        return 0.0 if a < 0 else a
    if isinstance(a, np.ndarray) and a.dtype.kind == "f":
        return where(a < 0, 0.0, a)  # which leaves −0 as it is
    return np.where(a < 0, np.zeros_like(a), a)[()]


def _relu_rule(g: Any, y: Any, _a: Any) -> Any:
    if type(y) is float:
        return 0.0 if y <= 0 else g
    return where(y <= 0, 0.0, g)  # no product: 0 · inf is nan


RELU = activation(
    "relu",
    _relu,
    rule=_relu_rule,
    local="[{a} > 0]",
    because="A gate: open (1) where the value is positive, shut (0) elsewhere.",
    words="the value where it is positive, else 0",
    symbolic=lambda sp, a: sp.Max(a, 0),
    composite="where(gt(a, 0), a, 0)",
    example="x=[-1, 2], y=relu(x).sum()",
)


def _leaky(passed: Any, a: Any, slope: Any) -> Any:
    """The value, or the gradient: whole where `a` is positive, else times a slope."""
    return where(a > 0, passed, passed * slope)


LEAKY_RELU = activation(
    "leaky_relu",
    lambda a, negative_slope: _leaky(a, a, negative_slope),
    attributes=(Kind.NUMBER("negative_slope", 0.01),),
    rule=lambda g, y, a, negative_slope: _leaky(g, a, negative_slope),
    local="1 if {a} > 0 else {negative_slope}",
    because="Where the value is negative a little of the gradient still gets through.",
    words="the value where it is positive, else a small part of it",
    symbolic=lambda sp, a, negative_slope: sp.Piecewise((a, a > 0), (a * negative_slope, True)),
    composite="where(gt(a, 0), a, {negative_slope} * a)",
    example="x=[-1, 2], y=leaky_relu(x, 0.1).sum()",
)


def _per_channel(weight: Any, a: Any) -> Any:
    """A weight for each channel, which is axis 1 of `a`, in a shape that broadcasts to it."""
    count = np.size(weight)
    if count == 1:
        return weight if not shape_of(weight) else np.reshape(weight, ())[()]
    shape = shape_of(a)
    channels = shape[1] if len(shape) > 1 else 1
    if len(shape_of(weight)) != 1 or count != channels:
        raise OperandError(
            f"`prelu` takes one weight, or one for each of the {channels} channels of shape "
            f"{shape}, not shape {shape_of(weight)}",
            "the channels are axis 1",
        )
    return per_channel(weight, len(shape))


def _weight_rule(g: Any, _y: Any, a: Any, b: Any) -> Any:
    by_element = where(a > 0, 0.0, a * g)
    if np.size(b) == 1:
        return np.reshape(np.sum(by_element), shape_of(b))
    return over_channels(by_element)


def _prelu_parts(shapes: Any, **_: str) -> str:
    count = int(np.prod(shapes[1]))
    further = ", 1" * (len(shapes[0]) - 2)
    weight = "b" if count == 1 else f"b.reshape({count}{further})"
    return f"where(gt(a, 0), a, {weight} * a)"


PRELU = operation(
    "prelu",
    lambda a, b: _leaky(a, a, _per_channel(b, a)),
    Derivative(
        rule=lambda g, y, a, b: _leaky(g, a, _per_channel(b, a)),
        local="1 if {a} > 0 else {b}",
        words="Where the value is negative the weight is the slope.",
    ),
    Derivative(
        rule=_weight_rule,
        local="0 if {a} > 0 else {a}",
        words="The weight learns from the negative values alone; it is shared by all elements.",
    ),
    grad_fn="PreluKernelBackward0",
    words="the value where it is positive, else the value times a learned weight",
    parameters=(INPUT, Parameter("weight")),
    symbolic=lambda sp, a, b: sp.Piecewise((a, a > 0), (b * a, True)),
    composite=_prelu_parts,
    example="x=[-1, 2], w=0.25, y=prelu(x, w).sum()",
)


def _elu(a: Any, alpha: float, scale: float = 1.0, rate: float = 1.0) -> Any:
    return where(a < 0, expm1(a * rate) * (alpha * scale), a * scale)


def _elu_rule(g: Any, a: Any, alpha: float, scale: float = 1.0, rate: float = 1.0) -> Any:
    """torch's elu_backward, which serves `selu` and `celu` too."""
    return where(a <= 0, g * rate * (alpha * scale) * exp(a * rate), g * scale)


ELU = activation(
    "elu",
    _elu,
    attributes=(Kind.NUMBER("alpha", 1.0),),
    rule=lambda g, y, a, alpha: _elu_rule(g, a, alpha),
    local=lambda alpha, **_: "1 if {a} > 0 else " + scaled(alpha, "{alpha}", "exp({a})"),
    because="Far below zero it flattens out and hardly lets any gradient through.",
    unsettled=at_nan,
    words="the value where it is positive, else an exponential that levels off",
    symbolic=lambda sp, a, alpha: sp.Piecewise((a, a > 0), (alpha * (sp.exp(a) - 1), True)),
    composite="where(gt(a, 0), a, {alpha} * expm1(a))",
    example="x=[-1, 2], y=elu(x).sum()",
)

SELU = activation(
    "selu",
    lambda a: _elu(a, _SELU_ALPHA, _SELU_SCALE),
    rule=lambda g, y, a: _elu_rule(g, a, _SELU_ALPHA, _SELU_SCALE),
    local="1.0507 if {a} > 0 else 1.7581·exp({a})",
    because="Its two constants are chosen so that deep layers keep mean 0 and variance 1.",
    unsettled=at_nan,
    grad_fn="EluBackward0",
    words="a scaled elu",
    symbolic=lambda sp, a: sp.Piecewise(
        (_SELU_SCALE * a, a > 0), (_SELU_SCALE * _SELU_ALPHA * (sp.exp(a) - 1), True)
    ),
    composite=f"{_SELU_SCALE!r} * where(gt(a, 0), a, {_SELU_ALPHA!r} * expm1(a))",
    example="x=[-1, 2], y=selu(x).sum()",
)


def _celu(a: Any, alpha: float) -> Any:
    if alpha == 0:
        raise OperandError(
            "`alpha` of `celu` cannot be 0: it is divided by", "give a number above 0"
        )
    return _elu(a, alpha, rate=1 / alpha)


CELU = activation(
    "celu",
    _celu,
    attributes=(Kind.NUMBER("alpha", 1.0),),
    # torch divides by alpha in 64 bits when it computes the value, here by its 32 bits.
    rule=lambda g, y, a, alpha: _elu_rule(
        g, a, alpha, rate=float(np.divide(1.0, np.float64(np.float32(alpha))))
    ),
    local=lambda alpha, **_: f"1 if {{a}} > 0 else exp({{a}}{'' if alpha == 1 else '/{alpha}'})",
    because="The slope goes on without a jump at zero, whatever alpha is.",
    unsettled=at_nan,
    slope_error=_ERROR_OF_32_BITS,
    words="an elu without a kink",
    symbolic=lambda sp, a, alpha: sp.Piecewise((a, a > 0), (alpha * (sp.exp(a / alpha) - 1), True)),
    composite="where(gt(a, 0), a, {alpha} * expm1(a / {alpha}))",
    example="x=[-1, 2], y=celu(x, alpha=2).sum()",
)


def _between(g: Any, a: Any, low: float, high: float) -> Any:
    """The gradient strictly between two bounds; a nan lies within."""
    return where((a <= low) | (a >= high), 0.0, g)


def _piece_between(sp: Any, a: Any, low: float, high: float) -> Any:
    return sp.Piecewise((low, a <= low), (high, a >= high), (a, True))


HARDTANH = activation(
    "hardtanh",
    lambda a, min_val, max_val: np.minimum(np.maximum(a, min_val), max_val),
    attributes=(
        Kind.NUMBER("min_val", -1.0, aliases=("min_value",)),
        Kind.NUMBER("max_val", 1.0, aliases=("max_value",)),
    ),
    rule=lambda g, y, a, min_val, max_val: _between(g, a, min_val, max_val),
    local="[{min_val} < {a} < {max_val}]",
    because="A gate: open between the two bounds, shut at and beyond them.",
    unsettled=at_nan,
    words="the value, cut off at two bounds",
    symbolic=lambda sp, a, min_val, max_val: _piece_between(sp, a, min_val, max_val),
    composite="clamp(a, {min_val}, {max_val})",
    example="x=[-2, 0.5], y=hardtanh(x).sum()",
)

RELU6 = activation(
    "relu6",
    lambda a: np.minimum(_relu(a), 6.0),
    rule=lambda g, y, a: _between(g, a, 0.0, 6.0),
    local="[0 < {a} < 6]",
    because="A gate: open between 0 and 6, shut at and beyond them.",
    unsettled=at_nan,
    grad_fn="HardtanhBackward0",
    words="a relu cut off at 6",
    symbolic=lambda sp, a: _piece_between(sp, a, 0, 6),
    composite="clamp(a, 0, 6)",
    example="x=[2, 7], y=relu6(x).sum()",
)

HARDSIGMOID = activation(
    "hardsigmoid",
    lambda a: np.minimum(np.maximum(a + 3, 0.0), 6.0) / 6,
    rule=lambda g, y, a: where((a > -3) & (a < 3), g * _SIXTH, 0.0),
    local="1/6 if −3 < {a} < 3 else 0",
    because="Between −3 and 3 it is a straight line of slope 1/6, elsewhere it is flat. torch "
    "rounds this 1/6 to 32 bits.",
    slope_error=_ERROR_OF_32_BITS,
    words="a sigmoid of three straight pieces",
    symbolic=lambda sp, a: sp.Piecewise((0, a <= -3), (1, a >= 3), ((a + 3) / 6, True)),
    composite="clamp(a + 3, 0, 6) / 6",
    example="x=[-4, 1], y=hardsigmoid(x).sum()",
)


HARDSWISH = activation(
    "hardswish",
    lambda a: a * np.minimum(np.maximum(a + 3, 0.0), 6.0) / 6,
    rule=lambda g, _y, a: where(a <= -3, 0.0, where(a < 3, g * ((a / 3) + 0.5), g)),
    local="0 if {a} ≤ −3, {a}/3 + 1/2 if {a} < 3, else 1",
    because="A parabola between −3 and 3; to its left nothing gets through, to its right all.",
    unsettled=at_nan,
    words="the value times its hardsigmoid",
    symbolic=lambda sp, a: sp.Piecewise((0, a <= -3), (a, a >= 3), (a * (a + 3) / 6, True)),
    composite="a * clamp(a + 3, 0, 6) / 6",
    example="x=[-4, 1], y=hardswish(x).sum()",
)

THRESHOLD = activation(
    "threshold",
    lambda a, threshold, value: where(a <= threshold, value, a),
    attributes=(Kind.NUMBER("threshold"), Kind.NUMBER("value")),
    rule=lambda g, y, a, threshold, value: where(a <= threshold, 0.0, g),
    local="[{a} > {threshold}]",
    because="What is replaced by a constant receives no gradient.",
    words="the value where it is above a threshold, else a constant",
    symbolic=lambda sp, a, threshold, value: sp.Piecewise((value, a <= threshold), (a, True)),
    composite="where(gt(a, {threshold}), a, {value})",
    example="x=[0.2, 2], y=threshold(x, 1, 0).sum()",
)


def _is_small(a: Any, lambd: float) -> Any:
    return (a >= -lambd) & (a <= lambd)


def _shrink_rule(g: Any, _y: Any, a: Any, lambd: float) -> Any:
    return where(_is_small(a, lambd), 0.0, g)


_LAMBD: Final = Kind.NUMBER("lambd", 0.5)

SOFTSHRINK = activation(
    "softshrink",
    lambda a, lambd: where(a > lambd, a - lambd, where(a < -lambd, a + lambd, a * 0.0)),
    parameters=(INPUT, _LAMBD),
    rule=_shrink_rule,
    local="0 if −{lambd} ≤ {a} ≤ {lambd} else 1",
    because="Small values are set to zero and receive nothing.",
    unsettled=at_nan,
    open_zeros=lambda a, lambd: _is_small(a, lambd) & np.signbit(a),
    words="the value moved towards zero by lambd; 0 if it is nearer than that",
    symbolic=lambda sp, a, lambd: sp.Piecewise(
        (a - lambd, a > lambd), (a + lambd, a < -lambd), (0, True)
    ),
    composite="sign(a) * relu(abs(a) - {lambd})",
    example="x=[0.2, 2], y=softshrink(x).sum()",
)

HARDSHRINK = activation(
    "hardshrink",
    lambda a, lambd: where(_is_small(a, lambd), 0.0, a),
    parameters=(INPUT, _LAMBD),
    rule=_shrink_rule,
    local="0 if −{lambd} ≤ {a} ≤ {lambd} else 1",
    because="Small values are set to zero and receive nothing.",
    unsettled=at_nan,
    words="the value; 0 if it is nearer to zero than lambd",
    symbolic=lambda sp, a, lambd: sp.Piecewise((a, a > lambd), (a, a < -lambd), (0, True)),
    composite="where(gt(abs(a), {lambd}), a, 0)",
    example="x=[0.2, 2], y=hardshrink(x).sum()",
)
