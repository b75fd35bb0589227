"""Losses by the difference of two values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from backprop_engine.basics.memory_order import as_first, stretched
from backprop_engine.basics.values import shape_of, sign, unbroadcast, where
from backprop_engine.catalogue.shared.entries import INPUT
from backprop_engine.catalogue.shared.reducing import (
    LOSS_PARAMETERS,
    REDUCTION,
    broadcast_loss,
    by_reduction,
    of_each,
    opened_as,
    over_all,
    reduced,
    spread,
)
from backprop_engine.operation import Application, Derivative, Kind, Parameter


def _of_difference(rule: Callable[..., Any], slope: str, words: str) -> tuple[Derivative, ...]:
    """How a loss of `a − b` answers for both; `rule` is told by `turned` that it is the target."""
    return (
        Derivative(rule=partial(rule, turned=False), vjp=of_each(slope), words=words),
        Derivative(
            rule=partial(rule, turned=True),
            vjp=of_each(f"−{slope}"),
            words="Only the difference counts, so the target receives the same with its sign "
            "turned.",
        ),
    )


def _difference_rule(slope: Any) -> Any:
    """The rule of a loss of `a − b`, from its slope by the difference."""

    def rule(
        g: Any, _y: Any, a: Any, b: Any, reduction: str, *, turned: bool, **settings: float
    ) -> Any:
        difference = a - b
        sent = spread(g, difference, reduction) * slope(difference, **settings)
        return unbroadcast(-sent if turned else sent, shape_of(b if turned else a))

    return rule


def _mse_rule(g: Any, _y: Any, a: Any, b: Any, reduction: str, *, turned: bool) -> Any:
    # As torch groups it: a third of 1e-45, and twice a difference of 3e38, are beyond float32.
    difference = a - b
    sent = difference * (2.0 / np.size(difference) if reduction == "mean" else 2.0) * g
    return unbroadcast(-sent if turned else sent, shape_of(b if turned else a))


def _mse_loss(a: Any, b: Any, reduction: str) -> Any:
    difference = a - b
    return reduced(difference * difference, reduction)


def _smooth_l1_loss(a: Any, b: Any, reduction: str, beta: float) -> Any:
    size = abs(a - b)
    if beta == 0:
        return reduced(size, reduction)
    return reduced(where(size < beta, 0.5 * size * size / beta, size - 0.5 * beta), reduction)


def _smoothsign(difference: Any, beta: float) -> Any:
    return np.clip(difference / beta, -1.0, 1.0) if beta else sign(difference)


def _smooth_l1_grad_fn(application: Application) -> str:
    # Without a bend it is the plain distance, to torch as well.
    if application.attributes["beta"] == 0:
        return by_reduction("AbsBackward0")(application)
    return "SmoothL1LossBackward0"


def _huber_loss(a: Any, b: Any, reduction: str, delta: float) -> Any:
    size = abs(a - b)
    far = delta * (size - 0.5 * delta)
    return reduced(where(size < delta, 0.5 * size * size, far), reduction)


def _huber_slope(difference: Any, delta: float) -> Any:
    return np.clip(difference, -delta, delta)


MSE_LOSS = broadcast_loss(
    "mse_loss",
    _mse_loss,
    *_of_difference(
        _mse_rule,
        "2·({a} − {b})",
        "A square pulls the harder, the farther the value is from its target.",
    ),
    notation=over_all("({a} − {b})²"),
    words="the mean squared error",
    parameters=(
        *LOSS_PARAMETERS,
        Parameter("weight", default=None, refusal="write `(w * (x - y)**2).sum() / w.sum()`"),
    ),
    composite=opened_as("(a - b)**2"),
    example="x=[1, 2, 4], loss=mse_loss(x, [1, 1, 1])",
)

L1_LOSS = broadcast_loss(
    "l1_loss",
    lambda a, b, reduction: reduced(abs(a - b), reduction),
    *_of_difference(
        _difference_rule(sign),
        "sign({a} − {b})",
        "A distance pulls with the same strength from near and far; at 0 torch takes 0.",
    ),
    notation=over_all("|{a} − {b}|"),
    grad_fn=by_reduction("AbsBackward0"),
    words="the mean absolute error",
    parameters=(
        *LOSS_PARAMETERS,
        Parameter("weight", default=None, refusal="write `(w * abs(x - y)).sum() / w.sum()`"),
    ),
    composite=opened_as("abs(a - b)"),
    example="x=[1, 2, 4], loss=l1_loss(x, [1, 1, 1])",
)

SMOOTH_L1_LOSS = broadcast_loss(
    "smooth_l1_loss",
    _smooth_l1_loss,
    *_of_difference(
        _difference_rule(_smoothsign),
        "clamp(({a} − {b})/{beta}, −1, 1)",
        "A square near the target, a distance far from it: the pull never exceeds 1.",
    ),
    notation=over_all("smooth_l1({a} − {b})"),
    grad_fn=_smooth_l1_grad_fn,
    words="the absolute error, rounded off below beta",
    parameters=(*LOSS_PARAMETERS, Kind.NUMBER("beta", 1.0)),
    composite=lambda shapes, reduction, beta, **_: opened_as(
        "abs(a - b)"
        if float(beta) == 0
        else "d = abs(a - b)\nwhere(lt(d, {beta}), 0.5 * d**2 / {beta}, d - 0.5 * {beta})"
    )(shapes=shapes, reduction=reduction, beta=beta),
    example="x=[1, 1.5, 4], loss=smooth_l1_loss(x, [1, 1, 1])",
)


def _huber_order(made: Any, operands: Sequence[Any], _: Mapping[str, Any]) -> Any:
    """As the input, stretched to the shape of the losses."""
    return as_first(made, (stretched(operands[0], made.shape),))


HUBER_LOSS = broadcast_loss(
    "huber_loss",
    _huber_loss,
    *_of_difference(
        _difference_rule(_huber_slope),
        "clamp({a} − {b}, −{delta}, {delta})",
        "A square near the target, a line far from it: the pull never exceeds delta.",
    ),
    lay_out=_huber_order,
    wide=True,
    notation=over_all("huber({a} − {b})"),
    words="half the squared error, straightened beyond delta",
    parameters=(
        INPUT,
        Parameter("target"),
        REDUCTION,
        Kind.NUMBER("delta", 1.0),
        Parameter("weight", default=None, refusal="multiply the losses of `reduction='none'`"),
    ),
    composite=opened_as(
        "d = abs(a - b)\nwhere(lt(d, {delta}), 0.5 * d**2, {delta} * (d - 0.5 * {delta}))"
    ),
    example="x=[1, 1.5, 4], loss=huber_loss(x, [1, 1, 1])",
)
