"""Values brought to a mean of 0 and a variance of 1, or to a length of 1.

`layer_norm`, `batch_norm`, `group_norm` and `instance_norm` differ only in the axes over which
mean and variance are taken; they share one derivative.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from backprop_engine.basics.source import OperandError
from backprop_engine.basics.values import Shape, shape_of, unbroadcast, where
from backprop_engine.catalogue.shared.axes import mean_of, reduced_count
from backprop_engine.catalogue.shared.entries import INPUT, in_steps
from backprop_engine.catalogue.shared.reducing import given, is_given
from backprop_engine.operation import Derivative, Kind, Numbers, Parameter, Template

Axes = tuple[int, ...]

WEIGHT = Parameter("weight", default=None, neutral=1.0)
BIAS = Parameter("bias", default=None, neutral=0.0)
EPS = Kind.NUMBER("eps", 1e-5)

MIXED_WORDS = (
    "Mean and variance depend on every value: whatever would only shift or stretch them all is "
    "taken out of the gradient, and the rest grows by 1/std."
)
STANDARDISED = "1/std·({g} − mean({g}) − x̂·mean({g} ⊙ x̂)), x̂ = ({a} − mean)/std"
WEIGHT_WORDS = (
    "A weight stretches the normalised values, so it receives the gradient summed with them."
)
BIAS_WORDS = "A bias is added to every sample, so it receives the sum of their gradients."


def standardised(a: Any, axes: Axes, eps: float) -> tuple[Any, Any]:
    """(a − mean)/std over `axes`, and 1/std."""
    centred = a - mean_of(a, axes, keepdim=True)
    return _scaled(centred, mean_of(centred * centred, axes, keepdim=True), eps)


def standardised_in_lanes(a: Any, axes: Axes, eps: float) -> tuple[Any, Any]:
    """The same as torch's `RowwiseMoments` does it, which `layer_norm` and `group_norm` share.

    It adds up the moments of its vector lanes (of 32 bytes) one by one to those of the rest that
    fills none. Where either is empty, 0 · ∞ makes nan of the variance if the square of what is
    there overflows: of the mean of the rest, or of the first lane. The axes are the last ones.
    """
    mean = mean_of(a, axes, keepdim=True)
    centred = a - mean
    variance = mean_of(centred * centred, axes, keepdim=True)
    count, lanes = reduced_count(a, axes), 32 // np.asarray(a).itemsize
    if count and (count < lanes or count % lanes == 0):
        rows = np.reshape(a, (*mean.shape[: axes[0]], count))
        first = np.reshape(mean_of(rows[..., ::lanes], -1, keepdim=True), mean.shape)
        met = mean if count < lanes else first
        variance = where(np.isfinite(met) & np.isinf(met * met), np.nan, variance)
    return _scaled(centred, variance, eps)


def _scaled(centred: Any, variance: Any, eps: float) -> tuple[Any, Any]:
    scale = 1.0 / np.sqrt(variance + eps)
    return centred * scale, scale


def standardise_rule(g: Any, normalised: Any, scale: Any, axes: Axes, x: Any) -> Any:
    """scale·(g − mean(g) − normalised·mean(g·normalised)).

    Where it overflows to sum g·x, it is what comes of that in torch's kernels.
    """
    stretch = mean_of(g * normalised, axes, keepdim=True)
    sent = scale * (g - mean_of(g, axes, keepdim=True) - normalised * stretch)
    shifted, summed = standardise_by_sums(g, scale, axes, x)
    return where(np.isfinite(shifted), sent, summed)


def standardise_by_sums(g: Any, scale: Any, axes: Axes, x: Any) -> tuple[Any, Any]:
    """mean(x)·Σg − Σg·x, and what torch's kernels make of it: the same as `standardise_rule`, but
    that the mean is taken away in the end, and what is large then cancels.
    """
    total, product = (np.sum(each, axis=axes, keepdims=True) for each in (g, g * x))
    mean, count = mean_of(x, axes, keepdim=True), reduced_count(x, axes)
    shifted = total * mean - product
    stretch = shifted * scale * scale * scale / count
    return shifted, scale * g + stretch * x + (-stretch * mean - total * scale / count)


def is_all_rounding(a: Any, axes: Axes, eps: float) -> Any:
    """Which lines differ by the rounding of their mean alone, where it is multiplied before it is
    taken away, as in torch's kernels: what is left is a matter of chance. From an eighth of the
    spread on, so that what is less is seen by runs that are off by 16 roundoffs a step.
    """
    scale = standardised(a, axes, eps)[1]
    mean, count = mean_of(np.abs(a), axes, keepdim=True), reduced_count(a, axes)
    return mean * scale * count * np.finfo(a.dtype).eps >= 1 / 8


def is_open_by_sums(g: Any, axes: Axes, x: Any, eps: float) -> Any:
    """Whether what `standardise_by_sums` comes to may be a matter of chance: where a product
    overflows that a processor may subtract from unrounded, and what is left is a number; and where
    all is rounding.
    """
    total, product = (np.sum(each, axis=axes, keepdims=True) for each in (g, g * x))
    mean = mean_of(x, axes, keepdim=True)
    halves = total / 2 * mean - product / 2
    is_fused = np.isinf(total * mean) & (np.abs(halves) < np.finfo(x.dtype).max / 2)
    return np.any(is_fused | is_all_rounding(x, axes, eps))


def affine(normalised: Any, weight: Any, bias: Any) -> Any:
    """The normalised values times the weight plus the bias, as far as there are any."""
    if weight is not None:
        normalised = normalised * weight
    return normalised if bias is None else normalised + bias


def check_affine(name: str, shape: Shape, weight: Any, bias: Any) -> None:
    """Raise OperandError unless weight and bias are of `shape`, or a number that stands in."""
    for what, operand in (("weight", weight), ("bias", bias)):
        if operand is not None and shape_of(operand) not in (shape, ()):
            raise OperandError(
                f"`{name}` takes a {what} of shape {shape} here, not {shape_of(operand)}",
                f"give one number for each place of the last axes, {shape}",
            )


def _trailing(name: str, a: Any, normalized_shape: int | Shape) -> Axes:
    """The last axes, which must be as long as `normalized_shape` says."""
    sizes = (normalized_shape,) if isinstance(normalized_shape, int) else normalized_shape
    shape = shape_of(a)
    if not sizes or shape[max(len(shape) - len(sizes), 0) :] != tuple(sizes):
        raise OperandError(
            f"`{name}` cannot normalise shape {shape} over `normalized_shape` {tuple(sizes)}",
            "give the sizes of the last axes",
        )
    return tuple(range(len(shape) - len(sizes), len(shape)))


def _layer_norm(a: Any, b: Any = None, c: Any = None, **how: Any) -> Any:
    axes = _trailing("layer_norm", a, how["normalized_shape"])
    check_affine("layer_norm", a.shape[axes[0] :], b, c)
    return affine(standardised_in_lanes(a, axes, how["eps"])[0], b, c)


def _layer_norm_rule(g: Any, _y: Any, a: Any, b: Any = None, *_: Any, **how: Any) -> Any:
    axes = _trailing("layer_norm", a, how["normalized_shape"])
    normalised, scale = standardised_in_lanes(a, axes, how["eps"])
    return standardise_rule(affine(g, b, None), normalised, scale, axes, a)


def _layer_norm_by_sums(g: Any, _y: Any, a: Any, b: Any = None, *_: Any, **how: Any) -> Any:
    axes = _trailing("layer_norm", a, how["normalized_shape"])
    scale = standardised_in_lanes(a, axes, how["eps"])[1]
    return standardise_by_sums(affine(g, b, None), scale, axes, a)[1]


def _is_open_layer_norm(
    operands: Sequence[Any], attributes: Mapping[str, Any], upstream: Any
) -> Any:
    a, b = (*operands, None)[:2]
    axes = _trailing("layer_norm", a, attributes["normalized_shape"])
    if upstream is None:
        return is_all_rounding(a, axes, attributes["eps"])
    return is_open_by_sums(affine(upstream, b, None), axes, a, attributes["eps"])


def _layer_norm_weight_rule(g: Any, _y: Any, a: Any, b: Any, *_: Any, **how: Any) -> Any:
    axes = _trailing("layer_norm", a, how["normalized_shape"])
    return unbroadcast(g * standardised_in_lanes(a, axes, how["eps"])[0], shape_of(b))


def _root_mean_square(a: Any, axes: Axes, eps: float | None) -> Any:
    """1/√(mean of squares + eps); torch's own eps is that of the dtype."""
    smallest = float(np.finfo(a.dtype).eps) if eps is None else eps
    return 1.0 / np.sqrt(mean_of(a * a, axes, keepdim=True) + smallest)


def _rms_norm(a: Any, b: Any = None, **how: Any) -> Any:
    axes = _trailing("rms_norm", a, how["normalized_shape"])
    check_affine("rms_norm", a.shape[axes[0] :], b, None)
    return affine(a * _root_mean_square(a, axes, how["eps"]), b, None)


def _rms_norm_rule(g: Any, _y: Any, a: Any, b: Any = None, **how: Any) -> Any:
    axes = _trailing("rms_norm", a, how["normalized_shape"])
    scale, h = _root_mean_square(a, axes, how["eps"]), affine(g, b, None)
    # As torch: through the root, the mean and the square, each of which may overflow.
    to_root = np.sum(h * a, axis=axes, keepdims=True)
    to_square = -0.5 * to_root * (scale * scale * scale) / reduced_count(a, axes)
    return h * scale + to_square * (2 * a)


def _rms_norm_weight_rule(g: Any, _y: Any, a: Any, b: Any, **how: Any) -> Any:
    axes = _trailing("rms_norm", a, how["normalized_shape"])
    return unbroadcast(g * (a * _root_mean_square(a, axes, how["eps"])), shape_of(b))


def weighted(normalised: str) -> Callable[..., str]:
    """A normalisation as mathematics, with its weight and its bias where there are any."""

    def text(numbers: Numbers, **_: Any) -> str:
        weight = "·{b}" if is_given(numbers, 1) else ""
        return f"{normalised}{weight}{' + {c}' if len(numbers) > 2 else ''}"

    return text


def weighted_upstream(template: str) -> Template:
    """A contribution as mathematics in {g}, which a weight, if there is one, multiplies first."""

    def text(numbers: Numbers, **_: Any) -> str:
        if not is_given(numbers, 1):
            return template
        return template.replace("{g}", "h") + ", h = {g} ⊙ {b}"

    return text


def affine_statement(shapes: tuple[Shape, ...], value: str, form: str = "") -> str:
    """The last line of a composite: the normalised values, weighted and shifted."""
    weight = f" * b{form}" if len(shapes) > 1 else ""
    bias = f" + c{form}" if len(shapes) > 2 else ""
    return f"{value}{weight}{bias}"


def standardise_statements(axes: Axes, eps: float, a: str = "a") -> str:
    """The first lines of a composite: mean, variance, and the normalised values `n`."""
    return (
        f"m = mean({a}, dim={axes}, keepdim=True)\n"
        f"v = mean(({a} - m)**2, dim={axes}, keepdim=True)\n"
        f"n = ({a} - m) / sqrt(v + {eps})\n"
    )


def _layer_norm_composite(shapes: tuple[Shape, ...], **how: Any) -> str:
    axes = _last_axes(shapes[0], how["normalized_shape"])
    return standardise_statements(axes, how["eps"]) + affine_statement(shapes, "n")


def _last_axes(shape: Shape, normalized_shape: int | Shape) -> Axes:
    return tuple(range(len(shape) - np.size(normalized_shape), len(shape)))


def _rms_norm_composite(shapes: tuple[Shape, ...], dtypes: tuple[str, ...], **how: Any) -> str:
    axes = _last_axes(shapes[0], how["normalized_shape"])
    eps = float(np.finfo(dtypes[0]).eps) if how["eps"] is None else how["eps"]
    root = f"r = rsqrt(mean(a**2, dim={axes}, keepdim=True) + {eps})\n"
    return root + affine_statement(shapes, "a * r")


def _over_sizes(name: str) -> Callable[..., Any]:
    """The twin: torch takes sizes as a tuple, and no number in place of weight or bias."""

    def call(torch: Any, a: Any, *affine: Any, normalized_shape: int | Shape, eps: Any) -> Any:
        sizes = (normalized_shape,) if isinstance(normalized_shape, int) else normalized_shape
        function = getattr(torch.nn.functional, name)
        return function(a, sizes, *(given(torch, parameter) for parameter in affine), eps=eps)

    return call


LAYER_NORM = in_steps(
    "layer_norm",
    _layer_norm,
    Derivative(
        rule=_layer_norm_rule,
        kernel=_layer_norm_by_sums,
        vjp=weighted_upstream(STANDARDISED),
        words=MIXED_WORDS,
    ),
    Derivative(
        rule=_layer_norm_weight_rule,
        vjp="Σ {g} ⊙ x̂, x̂ = ({a} − mean)/std",
        words=WEIGHT_WORDS,
    ),
    Derivative(
        rule=lambda g, y, a, b, c, **_: unbroadcast(g, shape_of(c)),
        vjp="Σ {g}",
        words=BIAS_WORDS,
    ),
    wide=True,
    notation=weighted("({a} − mean)/std"),
    torch=_over_sizes("layer_norm"),
    unsettled=_is_open_layer_norm,
    grad_fn="NativeLayerNormBackward0",
    words="each sample brought to mean 0 and variance 1 over its last axes",
    parameters=(
        INPUT,
        Kind.SIZES("normalized_shape"),
        WEIGHT,
        BIAS,
        EPS,
        Kind.FLAG("cudnn_enable", True, is_ignored=True),
    ),
    composite=_layer_norm_composite,
    example="x=[1, 2, 4], n=layer_norm(x, [3]), y=n[0]",
)


def _with_recorded_eps(
    operands: list[Any], recorded: list[Any], attributes: Mapping[str, Any]
) -> tuple[list[Any], Mapping[str, Any]]:
    """An `eps` left out is that of the numbers of the run, and not of wider ones."""
    if attributes["eps"] is None and np.asarray(recorded[0]).dtype.kind == "f":
        attributes = {**attributes, "eps": float(np.finfo(np.asarray(recorded[0]).dtype).eps)}
    return operands, attributes


RMS_NORM = in_steps(
    "rms_norm",
    _rms_norm,
    Derivative(
        rule=_rms_norm_rule,
        vjp=weighted_upstream("1/rms·({g} − x̂·mean({g} ⊙ x̂)), x̂ = {a}/rms"),
        words="The length of the sample is divided out: whatever would only stretch it is "
        "taken out of the gradient.",
    ),
    Derivative(
        rule=_rms_norm_weight_rule,
        vjp="Σ {g} ⊙ x̂, x̂ = {a}/rms",
        words=WEIGHT_WORDS,
    ),
    wide=True,
    notation=weighted("{a}/rms({a})"),
    torch=_over_sizes("rms_norm"),
    grad_fn="MulBackward0",
    differentiated_at=_with_recorded_eps,
    words="each sample divided by the root of its mean square over the last axes",
    parameters=(INPUT, Kind.SIZES("normalized_shape"), WEIGHT, Kind.NUMBER("eps", None)),
    composite=_rms_norm_composite,
    example="x=[1, 2, 4], n=rms_norm(x, [3]), y=n[0]",
)
