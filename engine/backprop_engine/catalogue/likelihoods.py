"""Losses that are minus the logarithm of a probability, and the distance of distributions."""

from __future__ import annotations

from typing import Any

import numpy as np

from backprop_engine.basics.memory_order import as_operands, as_operands_reversed
from backprop_engine.basics.source import OperandError
from backprop_engine.basics.values import Shape, shape_of, unbroadcast
from backprop_engine.catalogue.shared.axes import refuse_whole
from backprop_engine.catalogue.shared.entries import INPUT, in_steps
from backprop_engine.catalogue.shared.reducing import (
    LOSS_PARAMETERS,
    REDUCE,
    REDUCTION,
    SIZE_AVERAGE,
    WEIGHT,
    broadcast_loss,
    check_same_shape,
    of_each,
    opened_as,
    over_all,
    reduced,
    spread,
)
from backprop_engine.catalogue.smooth import log_sigmoid, sigmoid
from backprop_engine.operation import Application, Derivative, Kind, Parameter, Template

_LEAST_LOG = -100.0
"""torch lets no logarithm of this loss fall below it, so that the loss stays finite."""
_LEAST_SLOPE = float(np.float32(1e-12))
"""Nor a(1 − a) below this in the slope; torch holds the bound in float32."""


def _bce(a: Any, b: Any, c: Any = None, *, reduction: str) -> Any:
    check_same_shape("binary_cross_entropy", a, b)
    if c is not None and np.broadcast_shapes(shape_of(a), shape_of(c)) != shape_of(a):
        raise OperandError(
            f"`binary_cross_entropy` takes a weight that can be broadcast to shape {shape_of(a)}, "
            f"not {shape_of(c)}",
            "give one weight for each element, or for each of the last axis",
        )
    if not np.all((np.asarray(b) >= 0) & (np.asarray(b) <= 1)):
        raise OperandError(
            "all elements of target should be between 0 and 1",
            "give probabilities as targets, such as 0 and 1",
        )
    if not np.all((np.asarray(a) >= 0) & (np.asarray(a) <= 1)):
        raise OperandError(
            "`binary_cross_entropy` takes probabilities, and some of these are not from 0 to 1",
            "use `binary_cross_entropy_with_logits` for scores",
        )
    wrong = np.maximum(np.log1p(-a), _LEAST_LOG)
    right = np.maximum(np.log(a), _LEAST_LOG)
    return reduced(_weighted((b - 1.0) * wrong - b * right, c), reduction)


def _weighted(losses: Any, weight: Any) -> Any:
    return losses if weight is None else losses * weight


def _bce_rule(g: Any, _y: Any, a: Any, b: Any, c: Any = None, *, reduction: str) -> Any:
    slope = (a - b) / np.maximum((1.0 - a) * a, _LEAST_SLOPE)
    return _weighted(spread(g, a, reduction) * slope, c)


def _bce_target_rule(g: Any, _y: Any, a: Any, _b: Any, c: Any = None, *, reduction: str) -> Any:
    slope = np.log1p(-a) - np.log(a)
    return _weighted(spread(g, a, reduction) * slope, c)


def _bce_logits(a: Any, b: Any, c: Any = None, d: Any = None, *, reduction: str) -> Any:
    check_same_shape("binary_cross_entropy_with_logits", a, b)
    positive = 1.0 if d is None else (d - 1.0) * b + 1.0
    losses = (1.0 - b) * a - positive * log_sigmoid(a)
    return reduced(_weighted(losses, c), reduction)


def _bce_logits_rule(
    g: Any, _y: Any, a: Any, b: Any, c: Any = None, d: Any = None, *, reduction: str
) -> Any:
    positive = b if d is None else d * b
    slope = sigmoid(a) - b if d is None else (positive + 1.0 - b) * sigmoid(a) - positive
    return unbroadcast(_weighted(_each_upstream(g, a, c, d, reduction) * slope, c), shape_of(a))


def _bce_logits_target_rule(
    g: Any, _y: Any, a: Any, b: Any, c: Any = None, d: Any = None, *, reduction: str
) -> Any:
    slope = -a if d is None else log_sigmoid(-a) - d * log_sigmoid(a)
    return unbroadcast(_weighted(_each_upstream(g, a, c, d, reduction) * slope, c), shape_of(b))


def _each_upstream(g: Any, a: Any, c: Any, d: Any, reduction: str) -> Any:
    shapes = [shape_of(operand) for operand in (a, c, d) if operand is not None]
    return spread(g, np.empty(np.broadcast_shapes(*shapes)), reduction)


def _kl_div(a: Any, b: Any, reduction: str, log_target: bool) -> Any:
    for operand in (a, b):
        refuse_whole(operand, "kl_div")
    # 0·log 0 counts as 0.
    own = b if log_target else np.where(b == 0.0, 0.0, b * np.log(b))
    losses = np.exp(b) * (own - a) if log_target else own - b * a
    if reduction == "batchmean":
        return np.sum(losses) / _batch(shape_of(a))
    return reduced(losses, reduction)


def _batch(shape: Shape) -> int:
    return shape[0] if shape else 1


def _kl_upstream(g: Any, a: Any, b: Any, reduction: str) -> Any:
    if reduction == "batchmean":
        g, reduction = g / _batch(shape_of(a)), "sum"
    return spread(g, a + b, reduction)


def _kl_rule(g: Any, _y: Any, a: Any, b: Any, reduction: str, log_target: bool) -> Any:
    target = np.exp(b) if log_target else b
    return unbroadcast(_kl_upstream(g, a, b, reduction) * -target, shape_of(a))


def _kl_target_rule(g: Any, _y: Any, a: Any, b: Any, reduction: str, log_target: bool) -> Any:
    # b/b is 1, and nan at 0, where torch has nan too.
    slope = np.exp(b) * (b - a + 1.0) if log_target else np.log(b) + b / b - a
    return unbroadcast(_kl_upstream(g, a, b, reduction) * slope, shape_of(b))


def _kl_twin(torch: Any, a: Any, b: Any, reduction: str, log_target: bool) -> Any:
    # The function of torch itself: the one in `nn.functional` warns of its default reduction.
    number = {"none": 0, "mean": 1, "sum": 2, "batchmean": 2}[reduction]
    loss = torch.kl_div(a, b, number, log_target=log_target)
    return loss / a.shape[0] if reduction == "batchmean" and a.ndim else loss


def _kl_grad_fn(application: Application) -> str:
    reduction = application.attributes["reduction"]
    if reduction == "none":
        return "MulBackward0" if application.attributes["log_target"] else "SubBackward0"
    if reduction == "batchmean" and application.shapes[0]:
        return "DivBackward0"
    return "MeanBackward0" if reduction == "mean" else "SumBackward0"


def _by_target(plain: str, of_log: str) -> Template:
    """A template for a target of probabilities, and one for a target of their logarithms."""

    return lambda log_target, **_: of_log if log_target else plain


def _kl_composite(shapes: tuple[Shape, ...], reduction: str, log_target: bool, **_: Any) -> str:
    loss = "exp(b) * (b - a)" if log_target else "xlogy(b, b) - b * a"
    if reduction == "batchmean":
        return f"l = {loss}\nl.sum() / {_batch(shapes[0])}"
    return opened_as(loss)(shapes=shapes, reduction=reduction)


def _bce_logits_composite(shapes: tuple[Shape, ...], reduction: str, **_: Any) -> str:
    positive = "((d - 1) * b + 1)" if len(shapes) > 3 else "1"
    return opened_as(f"(1 - b) * a - {positive} * logsigmoid(a)")(
        shapes=shapes, reduction=reduction
    )


BINARY_CROSS_ENTROPY = in_steps(
    "binary_cross_entropy",
    _bce,
    Derivative(
        rule=_bce_rule,
        vjp=of_each("({a} − {b})/({a}·(1 − {a}))"),
        words="The farther a probability is on the wrong side, the steeper its logarithm.",
    ),
    Derivative(
        rule=_bce_target_rule,
        vjp=of_each("(log(1 − {a}) − log({a}))"),
        words="A target weighs the two logarithms, so it receives their difference.",
    ),
    lay_out=as_operands,
    notation=over_all("−{b}·log({a}) − (1 − {b})·log(1 − {a})", is_sum=True),
    words="how surprised probabilities are at targets of 0 and 1",
    parameters=(INPUT, Parameter("target"), WEIGHT, SIZE_AVERAGE, REDUCE, REDUCTION),
    composite=opened_as(
        "right = clamp(log(a), min=-100)\n"
        "wrong = clamp(log1p(-a), min=-100)\n"
        "(b - 1) * wrong - b * right"
    ),
    example="p=[0.8, 0.3], loss=binary_cross_entropy(p, [1, 0])",
)

BINARY_CROSS_ENTROPY_WITH_LOGITS = broadcast_loss(
    "binary_cross_entropy_with_logits",
    _bce_logits,
    Derivative(
        rule=_bce_logits_rule,
        vjp=of_each(
            lambda numbers, **_: (
                "(({d}·{b} + 1 − {b})·σ({a}) − {d}·{b})" if len(numbers) > 3 else "(σ({a}) − {b})"
            )
        ),
        words="Probability less target: a wrong score keeps its gradient however far off it "
        "is, while σ and a loss apart would lose it.",
    ),
    Derivative(
        rule=_bce_logits_target_rule,
        vjp=of_each(
            lambda numbers, **_: "(log σ(−{a}) − {d}·log σ({a}))" if len(numbers) > 3 else "−{a}"
        ),
        words="A target weighs the score itself.",
    ),
    lay_out=as_operands_reversed,
    notation=over_all(
        lambda numbers, **_: (
            f"−{'{d}·' if len(numbers) > 3 else ''}{{b}}·log σ({{a}}) − (1 − {{b}})·log σ(−{{a}})"
        ),
        is_sum=True,
    ),
    words="how surprised the sigmoid of the scores is at targets of 0 and 1",
    parameters=(
        INPUT,
        Parameter("target"),
        WEIGHT,
        SIZE_AVERAGE,
        REDUCE,
        REDUCTION,
        Parameter("pos_weight", default=None, is_constant=True),
    ),
    composite=_bce_logits_composite,
    example="z=[2, -1], loss=binary_cross_entropy_with_logits(z, [1, 0])",
)

KL_DIV = broadcast_loss(
    "kl_div",
    _kl_div,
    Derivative(
        rule=_kl_rule,
        vjp=of_each(_by_target("−{b}", "−exp({b})")),
        words="Each log-probability counts as often as the target distribution draws it.",
    ),
    Derivative(
        rule=_kl_target_rule,
        vjp=of_each(_by_target("(log({b}) + 1 − {a})", "exp({b})·({b} − {a} + 1)")),
        words="A target probability counts in front of the logarithm and inside of it.",
    ),
    lay_out=as_operands_reversed,
    notation=over_all(_by_target("{b}·(log({b}) − {a})", "exp({b})·({b} − {a})")),
    torch=_kl_twin,
    grad_fn=_kl_grad_fn,
    words="how far the distribution of these log-probabilities is from the target",
    parameters=(
        *LOSS_PARAMETERS[:-1],
        Kind.TEXT("reduction", "mean", choices=("none", "batchmean", "mean", "sum")),
        Kind.FLAG("log_target", False),
    ),
    composite=_kl_composite,
    example="p=[-0.4, -1.2], loss=kl_div(p, [0.5, 0.5], reduction='sum')",
)
