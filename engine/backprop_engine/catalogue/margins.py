"""Losses with a margin, and those of a Poisson and a Gaussian distribution."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from backprop_engine.basics.memory_order import as_last_first, as_operands_reversed
from backprop_engine.basics.source import OperandError
from backprop_engine.basics.values import exp, shape_of, unbroadcast, where
from backprop_engine.catalogue.shared.entries import INPUT
from backprop_engine.catalogue.shared.reducing import (
    LOSS_PARAMETERS,
    REDUCE,
    REDUCTION,
    SIZE_AVERAGE,
    broadcast_loss,
    by_reduction,
    of_each,
    opened_as,
    over_all,
    reduced,
    spread,
)
from backprop_engine.operation import Derivative, Kind, Parameter


def _slope_rule(slope: Any, operand: int, gate: Any = None) -> Any:
    """The rule of a loss by its operand, from the slope of each element's loss.

    A gate that is shut sends 0, whatever comes; a slope of 0 times nan is nan. A slope of several
    terms is a tuple: each is sent by itself, as inf times a difference is not that of the products.
    """

    def rule(g: Any, _y: Any, *operands: Any, reduction: str, **settings: Any) -> Any:
        local = slope(*operands, **settings)
        terms = local if isinstance(local, tuple) else (local,)
        shape = np.broadcast_shapes(*map(np.shape, (*terms, *operands[:2])))
        upstream = spread(g, np.broadcast_to(0.0, shape), reduction)
        if gate is not None:
            upstream = where(gate(*operands, **settings), upstream, 0.0)
        sent = sum((upstream * term for term in terms[1:]), start=upstream * terms[0])
        return unbroadcast(sent, shape_of(operands[operand]))

    return rule


def _hinge_embedding(a: Any, b: Any, margin: float, reduction: str) -> Any:
    far = where(b != 1, np.maximum(margin - a, 0.0), 0.0)
    return reduced(far + where(b != -1, a, 0.0), reduction)


def _hinge_embedding_slope(a: Any, b: Any, margin: float) -> Any:
    return where(b != -1, 1.0, 0.0) - where((b != 1) & (margin - a >= 0), 1.0, 0.0)


def _ranking(a: Any, b: Any, c: Any, margin: float) -> Any:
    """By how much the order of `a` and `b` misses what `c` asks for."""
    return -c * (a - b) + margin


def _ranking_gate(a: Any, b: Any, c: Any, margin: float) -> Any:
    return _ranking(a, b, c, margin) >= 0


def _poisson(a: Any, b: Any, log_input: bool, full: bool, eps: float, reduction: str) -> Any:
    losses = exp(a) - b * a if log_input else a - b * np.log(a + eps)
    if full:
        stirling = b * np.log(b) - b + 0.5 * np.log(2 * math.pi * b)
        losses = losses + where(b > 1, stirling, 0.0)
    return reduced(losses, reduction)


def _poisson_slope(a: Any, b: Any, log_input: bool, eps: float, **_: bool) -> Any:
    less = -1.0 * b  # a truth value has no minus
    return (exp(a), less) if log_input else (1.0, less / (a + eps))


def _poisson_target_slope(a: Any, b: Any, log_input: bool, full: bool, eps: float) -> Any:
    slope = -1.0 * a if log_input else -np.log(a + eps)
    return slope + where(b > 1, np.log(b) + 0.5 / b, 0.0) if full else slope


def _per_element(a: Any, c: Any) -> Any:
    """The variance, with a last axis of 1 where there is one for each sample alone."""
    shape = shape_of(a)
    if shape_of(c) == shape[:-1] and shape:
        return np.expand_dims(c, -1)
    if shape_of(c) not in (shape, (*shape[:-1], 1)):
        raise OperandError(
            f"`gaussian_nll_loss` takes a variance of the shape {shape} of its input, or one for "
            f"each sample, not {shape_of(c)}",
            "give one variance for each element",
        )
    return c


def _gaussian(a: Any, b: Any, c: Any, full: bool, eps: float, reduction: str) -> Any:
    variance = np.maximum(_per_element(a, c), eps)
    losses = 0.5 * (np.log(variance) + (a - b) ** 2 / variance)
    return reduced(losses + 0.5 * math.log(2 * math.pi) if full else losses, reduction)


def _gaussian_slope(a: Any, b: Any, c: Any, eps: float, **_: bool) -> Any:
    return (a - b) / np.maximum(_per_element(a, c), eps)


def _variance_rule(
    g: Any, _y: Any, a: Any, b: Any, c: Any, eps: float, reduction: str, **_: bool
) -> Any:
    # The least variance stands in for a smaller one, and lets its gradient pass all the same.
    variance = np.maximum(_per_element(a, c), eps)
    slope = 0.5 * (1.0 - (a - b) ** 2 / variance) / variance
    sent = spread(g, slope, reduction) * slope
    return np.reshape(unbroadcast(sent, np.shape(variance)), shape_of(c))


def _poisson_text(of_scores: str, of_rates: str) -> Any:
    return lambda log_input, **_: of_scores if log_input else of_rates


def _poisson_composite(log_input: bool, full: bool, eps: float, **facts: Any) -> str:
    loss = "exp(a) - b * a" if log_input else f"a - b * log(a + {eps})"
    if full:
        half = "0.5 * log(2 * torch.pi * b)"
        loss = f"s = b * log(b) - b + {half}\n{loss} + where(gt(b, 1), s, 0.0)"
    return opened_as(loss)(**facts)


def _gaussian_composite(
    shapes: tuple[Any, ...], full: bool, eps: float, reduction: str, **_: Any
) -> str:
    loss = "0.5 * (log(v) + (a - b)**2 / v)"
    if full:
        loss += " + 0.5 * log(2 * torch.pi)"
    per_sample = ".unsqueeze(-1)" if len(shapes[2]) < len(shapes[0]) else ""
    lines = f"v = c{per_sample} + clamp({eps} - c{per_sample}, min=0).detach()\n{loss}"
    return opened_as(lines, has_weight=False)(shapes=shapes, reduction=reduction)


SOFT_MARGIN_LOSS = broadcast_loss(
    "soft_margin_loss",
    lambda a, b, reduction: reduced(np.log1p(np.exp(-b * a)), reduction),
    rule=_slope_rule(lambda a, b: -b * np.exp(-b * a) / (np.exp(-b * a) + 1.0), 0),
    vjp=of_each("−{b}·σ(−{b}·{a})"),
    because="A score on the wrong side is pulled across; far on the right side it rests.",
    notation=over_all("log(1 + exp(−{b}·{a}))"),
    words="how surprised the sigmoid of the scores is at targets of 1 and −1",
    parameters=(INPUT, Parameter("target"), *LOSS_PARAMETERS[2:]),
    composite=opened_as("log1p(exp(-b * a))"),
    example="z=[2, -1], loss=soft_margin_loss(z, [1, 1])",
)

HINGE_EMBEDDING_LOSS = broadcast_loss(
    "hinge_embedding_loss",
    _hinge_embedding,
    rule=_slope_rule(
        _hinge_embedding_slope, 0, lambda a, b, margin: _hinge_embedding_slope(a, b, margin) != 0
    ),
    vjp=of_each("(1 where {b} = 1, −1 where {b} = −1 and {a} ≤ {margin}, else 0)"),
    because="Like pairs are drawn together; unlike ones are pushed apart up to the margin.",
    lay_out=as_operands_reversed,
    notation=over_all("({a} where {b} = 1, max(0, {margin} − {a}) where {b} = −1)"),
    grad_fn=by_reduction("AddBackward0"),
    words="the distances of like pairs, and what unlike pairs miss of the margin",
    parameters=(
        INPUT,
        Parameter("target", is_constant=True),
        Kind.NUMBER("margin", 1.0),
        *LOSS_PARAMETERS[2:],
    ),
    composite=opened_as(
        "unlike = where(ne(b, 1), clamp({margin} - a, min=0), 0.0)\n"
        "unlike + where(ne(b, -1), a, 0.0)"
    ),
    example="d=[0.5, 0.25], loss=hinge_embedding_loss(d, [1, -1])",
)

MARGIN_RANKING_LOSS = broadcast_loss(
    "margin_ranking_loss",
    lambda a, b, c, margin, reduction: reduced(
        np.maximum(_ranking(a, b, c, margin), 0.0), reduction
    ),
    Derivative(
        rule=_slope_rule(lambda a, b, c, margin: -c, 0, _ranking_gate),
        vjp=of_each("−{c}·[{c}·({a} − {b}) ≤ {margin}]", has_weight=False),
        words="A pair in the wrong order is pulled apart; one in the right order rests.",
    ),
    Derivative(
        rule=_slope_rule(lambda a, b, c, margin: c, 1, _ranking_gate),
        vjp=of_each("{c}·[{c}·({a} − {b}) ≤ {margin}]", has_weight=False),
        words="A pair in the wrong order is pulled apart; one in the right order rests.",
    ),
    Derivative(
        rule=_slope_rule(lambda a, b, c, margin: b - a, 2, _ranking_gate),
        vjp=of_each("({b} − {a})·[{c}·({a} − {b}) ≤ {margin}]", has_weight=False),
        words="The target multiplies the difference, so it receives that.",
    ),
    lay_out=as_last_first,
    notation="max(0, −{c}·({a} − {b}) + {margin})",
    grad_fn=by_reduction("ClampMinBackward0"),
    words="what pairs miss of the order that is asked for, and of a margin",
    parameters=(
        Parameter("input1"),
        Parameter("input2"),
        Parameter("target"),
        Kind.NUMBER("margin", 0.0),
        SIZE_AVERAGE,
        REDUCE,
        REDUCTION,
    ),
    composite=opened_as("clamp(-c * (a - b) + {margin}, min=0)", has_weight=False),
    example="u=[2, 1], v=[1, 3], loss=margin_ranking_loss(u, v, [1, 1])",
)

POISSON_NLL_LOSS = broadcast_loss(
    "poisson_nll_loss",
    _poisson,
    Derivative(
        rule=_slope_rule(_poisson_slope, 0),
        vjp=of_each(_poisson_text("(exp({a}) − {b})", "(1 − {b}/({a} + {eps}))")),
        words="The rate that was predicted, less the count that was seen.",
    ),
    Derivative(
        rule=_slope_rule(_poisson_target_slope, 1),
        vjp=of_each(_poisson_text("−{a}", "−log({a} + {eps})")),
        words="A count weighs the logarithm of the rate.",
    ),
    notation=over_all(
        _poisson_text("exp({a}) − {b}·{a}", "{a} − {b}·log({a} + {eps})"), is_sum=True
    ),
    grad_fn=by_reduction(lambda full, **_: "AddBackward0" if full else "SubBackward0"),
    words="how surprised a Poisson distribution is at the counts",
    parameters=(
        INPUT,
        Parameter("target"),
        Kind.FLAG("log_input", True),
        Kind.FLAG("full", False),
        SIZE_AVERAGE,
        Kind.NUMBER("eps", 1e-8),
        REDUCE,
        REDUCTION,
    ),
    composite=_poisson_composite,
    example="z=[0.5, 1], loss=poisson_nll_loss(z, [2, 3])",
)

GAUSSIAN_NLL_LOSS = broadcast_loss(
    "gaussian_nll_loss",
    _gaussian,
    Derivative(
        rule=_slope_rule(_gaussian_slope, 0),
        vjp=of_each("({a} − {b})/{c}", has_weight=False),
        words="The surer the prediction, the harder it is pulled towards its target.",
    ),
    Derivative(
        rule=_slope_rule(lambda *operands, **settings: -_gaussian_slope(*operands, **settings), 1),
        vjp=of_each("({b} − {a})/{c}", has_weight=False),
        words="Only the difference counts, so the target receives the same with its sign turned.",
    ),
    Derivative(
        rule=_variance_rule,
        vjp=of_each("(1 − ({a} − {b})²/{c})/(2·{c})", has_weight=False),
        words="A variance smaller than the squared error is told to grow, a larger one to shrink.",
    ),
    lay_out=as_last_first,
    notation="½·(log({c}) + ({a} − {b})²/{c})",
    grad_fn=by_reduction(lambda full, **_: "AddBackward0" if full else "MulBackward0"),
    words="how surprised normal distributions of these means and variances are",
    parameters=(
        INPUT,
        Parameter("target"),
        Parameter("var"),
        Kind.FLAG("full", False),
        Kind.NUMBER("eps", 1e-6),
        REDUCTION,
    ),
    composite=_gaussian_composite,
    example="x=[1, 2], v=[0.5, 2], loss=gaussian_nll_loss(x, [1.5, 1], v)",
)
