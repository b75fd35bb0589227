"""Normalisations that know channels: over a batch, over groups of channels, over one instance."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from backprop_engine.basics.memory_order import open_unless_by_rows
from backprop_engine.basics.source import OperandError
from backprop_engine.basics.values import Shape, shape_of
from backprop_engine.catalogue.normalisation import (
    BIAS,
    BIAS_WORDS,
    EPS,
    MIXED_WORDS,
    STANDARDISED,
    WEIGHT,
    WEIGHT_WORDS,
    affine,
    affine_statement,
    check_affine,
    is_all_rounding,
    is_open_by_sums,
    standardise_by_sums,
    standardise_rule,
    standardise_statements,
    standardised,
    standardised_in_lanes,
    weighted,
    weighted_upstream,
)
from backprop_engine.catalogue.shared.axes import (
    but_channels,
    mean_of,
    over_channels,
    per_channel,
    reduced_count,
)
from backprop_engine.catalogue.shared.entries import INPUT, in_steps
from backprop_engine.catalogue.shared.reducing import given
from backprop_engine.operation import Derivative, Kind, Parameter


def _per_channel(operand: Any, a: Any) -> Any:
    """A weight of each channel, shaped to broadcast over `a`; a number or None as it is."""
    if operand is None or not shape_of(operand):
        return operand
    return per_channel(operand, a.ndim)


def _to_channels(g: Any, operand: Any) -> Any:
    """What a weight or a bias of the channels receives, or the one number in its place."""
    return over_channels(g) if shape_of(operand) else np.sum(g)


def _check(name: str, a: Any, weight: Any, bias: Any) -> None:
    if len(shape_of(a)) < 2:
        raise OperandError(
            f"`{name}` takes samples with channels, not shape {shape_of(a)}",
            "the first axis is the batch, the second the channels",
        )
    check_affine(name, a.shape[1:2], weight, bias)


def _batch_norm(a: Any, b: Any = None, c: Any = None, *, training: bool = True, eps: float) -> Any:
    _check("batch_norm", a, b, c)
    if not training:
        raise OperandError(
            "`batch_norm` is computed in its training form alone, over the batch itself",
            "write `training=True`",
        )
    if a.size == a.shape[1]:
        raise OperandError(
            f"`batch_norm` needs more than one value for each channel, not shape {a.shape}",
            "give it several samples",
        )
    axes = but_channels(a.ndim)
    # As torch: one factor and one shift for each channel, and not the centred values.
    factor = affine(standardised(a, axes, eps)[1], _per_channel(b, a), None)
    shift = mean_of(a, axes, keepdim=True) * factor
    return a * factor + (-shift if c is None else _per_channel(c, a) - shift)


def _batch_norm_rule(g: Any, _y: Any, a: Any, b: Any = None, *_: Any, eps: float, **__: Any) -> Any:
    axes = but_channels(a.ndim)
    scale, centred = standardised(a, axes, eps)[1], a - mean_of(a, axes, keepdim=True)
    stretch = np.sum(centred * g, axis=axes, keepdims=True) * scale * scale / reduced_count(a, axes)
    sent = (g - mean_of(g, axes, keepdim=True) - centred * stretch) * scale
    return affine(sent, _per_channel(b, a), None)


def _is_all_rounding(operands: Sequence[Any], attributes: Mapping[str, Any], upstream: Any) -> Any:
    """Which channels are all rounding in torch, and here too, whichever way it goes."""
    a = operands[0]
    is_lost = is_all_rounding(a, but_channels(a.ndim), attributes["eps"])
    return is_lost if upstream is None else np.any(is_lost)


def _group_norm_parts(a: Any, how: Any) -> tuple[Any, Any]:
    """The normalised values, and 1/std, both in the shape (N, groups, values of a group)."""
    groups = how["num_groups"]
    if groups < 1 or a.shape[1] % groups:
        raise OperandError(
            f"`group_norm` cannot part {a.shape[1]} channels into {groups} equal groups",
            "the number of groups must divide the number of channels",
        )
    return standardised_in_lanes(
        np.reshape(a, (a.shape[0], groups, math.prod(a.shape[1:]) // groups)), (2,), how["eps"]
    )


def _group_norm(a: Any, b: Any = None, c: Any = None, **how: Any) -> Any:
    _check("group_norm", a, b, c)
    normalised = _group_norm_parts(a, how)[0].reshape(a.shape)
    return affine(normalised, _per_channel(b, a), _per_channel(c, a))


def _group_norm_rule(g: Any, _y: Any, a: Any, b: Any = None, *_: Any, **how: Any) -> Any:
    normalised, scale = _group_norm_parts(a, how)
    g = np.reshape(affine(g, _per_channel(b, a), None), normalised.shape)
    x = np.reshape(a, g.shape)
    return np.reshape(standardise_rule(g, normalised, scale, (2,), x), a.shape)


def _group_norm_by_sums(g: Any, _y: Any, a: Any, b: Any = None, *_: Any, **how: Any) -> Any:
    normalised, scale = _group_norm_parts(a, how)
    g = np.reshape(affine(g, _per_channel(b, a), None), normalised.shape)
    return np.reshape(standardise_by_sums(g, scale, (2,), np.reshape(a, g.shape))[1], a.shape)


def _is_open_group_norm(
    operands: Sequence[Any], attributes: Mapping[str, Any], upstream: Any
) -> Any:
    a, b = (*operands, None)[:2]
    groups = (a.shape[0], attributes["num_groups"], -1)
    if upstream is None:
        return np.any(is_all_rounding(np.reshape(a, groups), (2,), attributes["eps"]))
    g = np.reshape(affine(upstream, _per_channel(b, a), None), groups)
    return is_open_by_sums(g, (2,), np.reshape(a, groups), attributes["eps"])


def _group_norm_weight_rule(g: Any, _y: Any, a: Any, b: Any, *_: Any, **how: Any) -> Any:
    return _to_channels(g * _group_norm_parts(a, how)[0].reshape(a.shape), b)


def _instance_norm(
    a: Any, b: Any = None, c: Any = None, *, use_input_stats: bool, eps: float
) -> Any:
    _check("instance_norm", a, b, c)
    if not use_input_stats:
        raise OperandError(
            "`instance_norm` is computed from the instances themselves alone",
            "write `use_input_stats=True`",
        )
    if a.shape[0] * a.shape[1] == a.size:
        raise OperandError(
            f"`instance_norm` needs more than one value for each channel, not shape {a.shape}",
            "give each channel several values",
        )
    return np.reshape(_batch_norm(*_as_batch(a, b, c), eps=eps), a.shape)


def _as_batch(a: Any, *parameters: Any) -> tuple[Any, ...]:
    """What torch hands to `batch_norm`: one sample that has the channels of all, (1, N·C, …)."""
    samples, channels = a.shape[:2]
    flat = np.reshape(a, (1, samples * channels, *a.shape[2:]))
    return (flat, *(np.tile(each, samples) if np.ndim(each) else each for each in parameters))


def _instance_norm_rule(
    g: Any, _y: Any, a: Any, b: Any = None, *_: Any, eps: float, **__: Any
) -> Any:
    flat, weight = _as_batch(a, b)
    sent = _batch_norm_rule(np.reshape(g, flat.shape), None, flat, weight, eps=eps)
    return np.reshape(sent, a.shape)


def _instance_norm_weight_rule(
    g: Any, _y: Any, a: Any, b: Any, *_: Any, eps: float, **__: Any
) -> Any:
    (flat,) = _as_batch(a)
    normalised = standardised(flat, but_channels(flat.ndim), eps)[0]
    return _to_channels(g * np.reshape(normalised, a.shape), b)


def _is_all_rounding_in_instances(
    operands: Sequence[Any], attributes: Mapping[str, Any], upstream: Any
) -> Any:
    a = operands[0]
    is_lost = _is_all_rounding(_as_batch(a), attributes, upstream)
    ones = (1,) * (np.ndim(a) - 2)
    return is_lost if upstream is not None else np.reshape(is_lost, (*a.shape[:2], *ones))


def _form(shape: Shape) -> str:
    """How a composite lays a weight of each channel along the second axis."""
    ones = ", 1" * (len(shape) - 2)
    return f".reshape((-1{ones}))" if ones else ""


def _batch_norm_composite(shapes: tuple[Shape, ...], eps: float, **_: Any) -> str:
    axes = but_channels(len(shapes[0]))
    return standardise_statements(axes, eps) + affine_statement(shapes, "n", _form(shapes[0]))


def _group_norm_composite(shapes: tuple[Shape, ...], eps: float, num_groups: int, **_: Any) -> str:
    grouped = (shapes[0][0], num_groups, -1)
    return (
        f"x = a.reshape({grouped})\n"
        + standardise_statements((2,), eps, "x")
        + affine_statement(shapes, f"n.reshape({shapes[0]})", _form(shapes[0]))
    )


def _over_channels_derivatives(weight_rule: Any) -> tuple[Derivative, Derivative]:
    """How every normalisation with channels answers for its weight and its bias."""
    return (
        Derivative(rule=weight_rule, vjp="Σ {g} ⊙ x̂, x̂ = ({a} − mean)/std", words=WEIGHT_WORDS),
        Derivative(
            rule=lambda g, y, a, b, c, **_: _to_channels(g, c), vjp="Σ {g}", words=BIAS_WORDS
        ),
    )


_TO_INPUT = weighted_upstream(STANDARDISED)

BATCH_NORM = in_steps(
    "batch_norm",
    _batch_norm,
    Derivative(rule=_batch_norm_rule, vjp=_TO_INPUT, words=MIXED_WORDS),
    *_over_channels_derivatives(
        lambda g, y, a, b, *_, training, eps: _to_channels(
            g * standardised(a, but_channels(a.ndim), eps)[0], b
        )
    ),
    lay_out=open_unless_by_rows,
    wide=True,
    notation=weighted("({a} − mean)/std"),
    torch=lambda torch, a, b=None, c=None, *, training, eps: torch.nn.functional.batch_norm(
        a, None, None, given(torch, b), given(torch, c), training=training, eps=eps
    ),
    unsettled=_is_all_rounding,
    grad_fn="NativeBatchNormBackward0",
    words="each channel brought to mean 0 and variance 1 over the batch",
    parameters=(
        INPUT,
        Parameter("running_mean", default=None, is_ignored=True),
        Parameter("running_var", default=None, is_ignored=True),
        WEIGHT,
        BIAS,
        Kind.FLAG("training", False),
        Kind.NUMBER("momentum", 0.1, is_ignored=True),
        EPS,
    ),
    composite=_batch_norm_composite,
    example="x=[[1, 2], [3, 5], [4, 1]], n=batch_norm(x, training=True), y=n[0, 0]",
)

GROUP_NORM = in_steps(
    "group_norm",
    _group_norm,
    Derivative(rule=_group_norm_rule, kernel=_group_norm_by_sums, vjp=_TO_INPUT, words=MIXED_WORDS),
    *_over_channels_derivatives(_group_norm_weight_rule),
    lay_out=open_unless_by_rows,
    wide=True,
    notation=weighted("({a} − mean)/std"),
    unsettled=_is_open_group_norm,
    grad_fn="NativeGroupNormBackward0",
    words="each group of channels of each sample brought to mean 0 and variance 1",
    parameters=(INPUT, Kind.WHOLE("num_groups"), WEIGHT, BIAS, EPS),
    composite=_group_norm_composite,
    example="x=[[1, 2, 4, 8, 3, 5]], n=group_norm(x, 2), y=n[0, 0]",
)

INSTANCE_NORM = in_steps(
    "instance_norm",
    _instance_norm,
    Derivative(rule=_instance_norm_rule, vjp=_TO_INPUT, words=MIXED_WORDS),
    *_over_channels_derivatives(_instance_norm_weight_rule),
    lay_out=open_unless_by_rows,
    wide=True,
    notation=weighted("({a} − mean)/std"),
    unsettled=_is_all_rounding_in_instances,
    grad_fn="ViewBackward0",
    words="each channel of each sample brought to mean 0 and variance 1",
    parameters=(
        INPUT,
        Parameter("running_mean", default=None, is_ignored=True),
        Parameter("running_var", default=None, is_ignored=True),
        WEIGHT,
        BIAS,
        Kind.FLAG("use_input_stats", True),
        Kind.NUMBER("momentum", 0.1, is_ignored=True),
        EPS,
    ),
    composite=lambda shapes, **attributes: _group_norm_composite(
        shapes, num_groups=shapes[0][1], **attributes
    ),
    example="x=[[[1, 2, 4]]], n=instance_norm(x), y=n[0, 0, 0]",
)
