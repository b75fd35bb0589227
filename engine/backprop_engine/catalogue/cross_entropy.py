"""Losses of a classifier: `nll_loss` of log-probabilities, `cross_entropy` of scores.

Both are −Σ q·p over classes, with log-probabilities p and the coefficients q that the target
stands for: one-hot for a class index, times the class's weight. So one derivative serves both.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from backprop_engine.basics.source import Advice, OperandError
from backprop_engine.basics.values import Shape, is_float, shape_of
from backprop_engine.catalogue.attention import log_softmax, log_softmax_rule
from backprop_engine.catalogue.shared.entries import INPUT, in_steps
from backprop_engine.catalogue.shared.reducing import (
    REDUCE,
    REDUCTION,
    SIZE_AVERAGE,
    WEIGHT,
    Text,
    is_given,
)
from backprop_engine.operation import Application, Derivative, Kind, Numbers, Parameter

_PARAMETERS = (
    INPUT,
    Parameter("target"),
    WEIGHT,
    SIZE_AVERAGE,
    Kind.WHOLE("ignore_index", -100),
    REDUCE,
    REDUCTION,
)


class _Target(NamedTuple):
    """What a target asks for."""

    coefficients: np.ndarray
    """q, of the shape of the input."""
    counted: Any
    """Where the input has a say at all; elsewhere not even nan gets through."""
    total: Any
    """What the sum is divided by for the mean."""


def _axis(shape: Shape) -> int:
    """The axis of the classes: the second, or the only one."""
    return min(len(shape) - 1, 1)


def _check_scores(name: str, a: Any) -> None:
    if not shape_of(a):
        raise OperandError(
            f"`{name}` takes one number for each class, not a single number",
            "give a vector, or one vector for each sample",
        )


def _class_weights(name: str, a: Any, weight: Any) -> Any:
    """The weight of each class; 1 stands in for weights that are left out."""
    classes = a.shape[_axis(a.shape)]
    if weight is None:
        weight = 1.0
    if shape_of(weight) not in ((), (classes,)):
        raise OperandError(
            f"`{name}` takes one weight for each of {classes} classes, "
            f"not weights of shape {shape_of(weight)}",
            "give as many weights as there are classes",
        )
    return np.broadcast_to(np.asarray(weight, a.dtype), (classes,))


def _by_index(
    name: str, a: Any, target: Any, weights: Any, ignore_index: int, smoothing: float
) -> _Target:
    """The coefficients of class indices: one-hot, and smoothed if how for."""
    axis = _axis(a.shape)
    _check_indices(name, a.shape, target)
    classes = np.asarray(target)
    kept = classes != ignore_index
    chosen = np.where(kept, classes, 0)
    outside = (chosen < 0) | (chosen >= a.shape[axis])
    if np.any(outside):
        raise OperandError(
            f"`{name}` got the class {chosen[outside].flat[0]}, but the input has "
            f"{a.shape[axis]} classes, numbered 0 to {a.shape[axis] - 1}",
            f"give classes from 0 to {a.shape[axis] - 1}",
        )
    kept, chosen = np.expand_dims(kept, axis), np.expand_dims(chosen, axis)
    numbers = np.arange(a.shape[axis]).reshape([-1 if at == axis else 1 for at in range(a.ndim)])
    is_chosen = kept & (numbers == chosen)
    spread_weights = weights.reshape(numbers.shape)
    weight = np.where(is_chosen, spread_weights, 0.0)
    coefficients = (1 - smoothing) * weight
    if smoothing:
        coefficients = coefficients + np.where(kept, spread_weights, 0.0) * smoothing / weights.size
    counted = kept if smoothing else is_chosen
    return _Target(coefficients.astype(a.dtype), counted, np.sum(weight, dtype=a.dtype))


def _check_indices(name: str, shape: Shape, target: Any) -> None:
    wanted = shape[: _axis(shape)] + shape[_axis(shape) + 1 :]
    if shape_of(target) != wanted:
        raise OperandError(
            f"`{name}` cannot take an input of shape {shape} with a target of shape "
            f"{shape_of(target)}",
            f"give class indices of shape {wanted}",
        )
    if is_float(target) or np.asarray(target).dtype == bool:
        raise OperandError(
            f"`{name}` takes class indices, and these are no whole numbers",
            Advice("make it an input with `dtype: int64`", "write `torch.tensor([0, 2])`"),
        )


def _by_probability(a: Any, target: Any, weights: Any, smoothing: float) -> _Target:
    axis = _axis(a.shape)
    classes = a.shape[axis]
    spread_weights = weights.reshape([-1 if at == axis else 1 for at in range(a.ndim)])
    mixed = target * (1 - smoothing) + smoothing / classes if smoothing else target
    return _Target(mixed * spread_weights, True, a.size / classes)


def _target(
    name: str, a: Any, target: Any, weight: Any, ignore_index: int, smoothing: float = 0.0
) -> _Target:
    """What `target` asks for: probabilities where it has the shape of the input, else indices."""
    _check_scores(name, a)
    weights = _class_weights(name, a, weight)
    if name == "cross_entropy" and shape_of(target) == a.shape and is_float(target):
        return _by_probability(a, target, weights, smoothing)
    return _by_index(name, a, target, weights, ignore_index, smoothing)


def _loss(log_probabilities: Any, target: _Target, reduction: str) -> Any:
    """−Σ q·p over the classes, for each sample or reduced."""
    terms = np.where(target.counted, -target.coefficients * log_probabilities, 0.0)
    if reduction == "none":
        return np.sum(terms, axis=_axis(terms.shape))
    return np.sum(terms) / (target.total if reduction == "mean" else 1.0)


def _spread(g: Any, target: _Target, reduction: str) -> Any:
    """The upstream gradient of each sample, with an axis of 1 for the classes."""
    if reduction == "none":
        return np.expand_dims(g, _axis(target.coefficients.shape))
    return g / target.total if reduction == "mean" else g


def _loss_rule(g: Any, target: _Target, reduction: str) -> Any:
    """The contribution to the log-probabilities."""
    sent = -target.coefficients * _spread(g, target, reduction)
    return np.where(target.counted, sent, 0.0)


def _nll_loss(a: Any, b: Any, c: Any = None, *, ignore_index: int, reduction: str) -> Any:
    return _loss(a, _target("nll_loss", a, b, c, ignore_index), reduction)


def _nll_loss_rule(g: Any, _y: Any, a: Any, b: Any, c: Any = None, **how: Any) -> Any:
    target = _target("nll_loss", a, b, c, how["ignore_index"])
    return _loss_rule(g, target, how["reduction"])


def _entropy_target(a: Any, b: Any, c: Any, how: Any) -> _Target:
    return _target("cross_entropy", a, b, c, how["ignore_index"], how["label_smoothing"])


def _cross_entropy(a: Any, b: Any, c: Any = None, **how: Any) -> Any:
    target = _entropy_target(a, b, c, how)
    return _loss(log_softmax(a, _axis(a.shape)), target, how["reduction"])


def _cross_entropy_rule(g: Any, _y: Any, a: Any, b: Any, c: Any = None, **how: Any) -> Any:
    sent = _loss_rule(g, _entropy_target(a, b, c, how), how["reduction"])
    return log_softmax_rule(sent, log_softmax(a, _axis(a.shape)), _axis(a.shape))


def _probability_rule(g: Any, _y: Any, a: Any, b: Any, c: Any = None, **how: Any) -> Any:
    """The contribution to a target of probabilities: the cost of each class."""
    weights = _target("cross_entropy", a, np.ones_like(a), c, how["ignore_index"])
    sent = _loss_rule(g, weights, how["reduction"]) * log_softmax(a, _axis(a.shape))
    return np.broadcast_to((1 - how["label_smoothing"]) * sent, shape_of(b))


def _is_by_probability(shapes: tuple[Shape, ...]) -> bool:
    return shapes[0] == shapes[1]


def _nll_grad_fn(application: Application) -> str:
    dimensions = len(application.shapes[0])
    if dimensions <= 2:
        return "NllLossBackward0"
    # torch brings any number of further axes into the form of an image, and back.
    is_image = dimensions == 4 or application.attributes["reduction"] != "none"
    return "NllLoss2DBackward0" if is_image else "ViewBackward0"


def _cross_entropy_grad_fn(application: Application) -> str:
    if _is_by_probability(application.shapes):
        return "DivBackward1" if application.attributes["reduction"] == "mean" else "NegBackward0"
    if application.attributes["label_smoothing"]:
        return "AddBackward0"
    return _nll_grad_fn(application)


def _nll_composite(
    shapes: tuple[Shape, ...], ignore_index: int, reduction: str, p: str = "a", **_: Any
) -> str:
    """Pick the log-probability of each class how for; `p` names the log-probabilities."""
    axis = _axis(shapes[0])
    lines = [
        f"ignore_index = {ignore_index}",
        "keep = ne(b, ignore_index)",
        "t = b * keep",
        f"picked = gather({p}, {axis}, t.unsqueeze({axis})).squeeze({axis})",
        "w = where(keep, c[t], 0.0)" if len(shapes) > 2 else "w = where(keep, 1.0, 0.0)",
        "l = where(keep, -picked * w, 0.0)",
    ]
    ends = {"none": "l", "sum": "l.sum()", "mean": "l.sum() / w.sum()"}
    return "\n".join([*lines, ends[reduction]])


def _cross_entropy_composite(
    shapes: tuple[Shape, ...], ignore_index: int, reduction: str, label_smoothing: float, **_: Any
) -> str:
    """The log-softmax, then the loss of its log-probabilities."""
    axis, smoothing = _axis(shapes[0]), label_smoothing
    classes = shapes[0][axis]
    ones = (1,) * (len(shapes[0]) - 1 - axis)
    weights = f"c.reshape({(classes, *ones)})" if len(shapes) > 2 else ""
    lines = [f"p = log_softmax(a, dim={axis})"]
    if _is_by_probability(shapes):
        mixed = f"(b * {1 - smoothing} + {smoothing / classes})" if smoothing else "b"
        lines.append(f"l = -(p * {mixed}{' * ' + weights if weights else ''}).sum({axis})")
        return "\n".join([*lines, "l" if reduction == "none" else f"l.{reduction}()"])
    picked = _nll_composite(shapes, ignore_index, reduction, "p").split("\n")
    if not smoothing:
        return "\n".join([*lines, *picked])
    lines += picked[:-2]
    lines += [
        f"s = -(p{' * ' + weights if weights else ''}).sum({axis})",
        f"l = where(keep, {1 - smoothing} * (-picked * w) + {smoothing / classes} * s, 0.0)",
    ]
    return "\n".join([*lines, picked[-1]])


def _divided(template: str) -> Text:
    """A contribution as mathematics; the mean divides by the number (or weight) of samples."""

    def text(numbers: Numbers, reduction: str, **_: Any) -> str:
        weight = "{c} ⊙ " if is_given(numbers, 2) else ""
        share = "/n" if reduction == "mean" else ""
        return f"{template.replace('WEIGHT', weight)}{share}·{{g}}"

    return text


def _cross_entropy_text(numbers: Numbers, label_smoothing: float, **facts: Any) -> str:
    wanted = "smooth(onehot({b}))" if label_smoothing else "onehot({b})"
    if not is_given(numbers, 2):
        return _divided(f"(softmax({{a}}) − {wanted})")(numbers, **facts)
    return f"{_divided('(softmax({a})·Σ q − q)')(numbers, **facts)}, q = {{c}} ⊙ {wanted}"


def _notation(name: str) -> Any:
    def text(numbers: Numbers, **_: Any) -> str:
        return f"{name}({{a}}, {{b}}{', {c}' if is_given(numbers, 2) else ''})"

    return text


NLL_LOSS = in_steps(
    "nll_loss",
    _nll_loss,
    rule=_nll_loss_rule,
    vjp=_divided("−WEIGHTonehot({b})"),
    because="Only the log-probability of the right class counts, so it alone receives a gradient.",
    notation=_notation("nll_loss"),
    grad_fn=_nll_grad_fn,
    words="minus the log-probability of the right class",
    parameters=_PARAMETERS,
    composite=_nll_composite,
    example="p=torch.tensor([-0.4, -1.4, -2.3], requires_grad=True), "
    "loss=nll_loss(p, torch.tensor(0))",
)


def _sums_what_overflows(operands: Sequence[Any], how: Any, upstream: Any) -> bool:
    """Whether smoothing, which torch scales after it has summed, overflows before that."""
    if upstream is not None or not how["label_smoothing"]:
        return False
    costs = np.abs(log_softmax(operands[0], _axis(operands[0].shape)))
    return bool(np.isinf(np.sum(costs, where=np.isfinite(costs), dtype=costs.dtype)))


CROSS_ENTROPY = in_steps(
    "cross_entropy",
    _cross_entropy,
    Derivative(
        rule=_cross_entropy_rule,
        vjp=_cross_entropy_text,
        words="The probability each class got, less the one it should have (1 for the right "
        "class, or what a target of probabilities says): logarithm and softmax cancel.",
    ),
    Derivative(
        rule=_probability_rule,
        vjp=_divided("−WEIGHTlog softmax({a})"),
        words="What a probability of the target costs: minus the logarithm of what that class got.",
    ),
    notation=_notation("cross_entropy"),
    grad_fn=_cross_entropy_grad_fn,
    unsettled=_sums_what_overflows,
    words="how surprised the softmax of the scores is at the right class",
    parameters=(*_PARAMETERS, Kind.NUMBER("label_smoothing", 0.0)),
    composite=_cross_entropy_composite,
    example="z=torch.tensor([2, 1, 0.1], requires_grad=True), "
    "loss=cross_entropy(z, torch.tensor(0))",
)
