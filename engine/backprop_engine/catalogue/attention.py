"""Scores turned into probabilities, and attention, whose answer is mixed by such probabilities."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from backprop_engine.basics.source import OperandError
from backprop_engine.basics.values import Shape, shape_of, unbroadcast
from backprop_engine.budget import check_product
from backprop_engine.catalogue.shared.entries import INPUT, in_steps
from backprop_engine.operation import Application, Derivative, Kind, Parameter

_ONE_DTYPE = "leave it out: all floats have one dtype"

_PARAMETERS = (
    INPUT,
    Kind.AXIS("dim", None, aliases=("axis",), required_by=("torch", "special", "Tensor")),
    Kind.WHOLE("_stacklevel", 3, is_ignored=True),
    Kind.TEXT("dtype", None, refusal=_ONE_DTYPE),
)


def axis_of(shape: Shape, dim: int | None) -> int:
    """The axis that is meant: torch's old rule takes the first or the second where none is."""
    if dim is None:
        return 0 if len(shape) in (0, 1, 3) else 1
    return dim


def softmax(a: Any, dim: int | None) -> Any:
    """exp(a)/Σ exp(a) along `dim`, of the shape of `a`; the largest score is subtracted first."""
    axis = axis_of(shape_of(a), dim)
    scores = np.atleast_1d(a)
    powers = np.exp(scores - np.max(scores, axis=axis, keepdims=True, initial=-np.inf))
    return np.reshape(powers / np.sum(powers, axis=axis, keepdims=True), shape_of(a))


def softmax_rule(g: Any, y: Any, dim: int | None) -> Any:
    """The contribution to the scores from the probabilities `y` alone."""
    axis = axis_of(shape_of(y), dim)
    sent = np.atleast_1d(g * y)
    rest = np.atleast_1d(y) * np.sum(sent, axis=axis, keepdims=True)
    return np.reshape(sent - rest, shape_of(y))


def log_softmax(a: Any, dim: int | None) -> Any:
    """a − log Σ exp(a) along `dim`, of the shape of `a`, finite where the softmax is 0."""
    axis = axis_of(shape_of(a), dim)
    scores = np.atleast_1d(a)
    shifted = scores - np.max(scores, axis=axis, keepdims=True, initial=-np.inf)
    total = np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True))
    return np.reshape(shifted - total, shape_of(a))


def log_softmax_rule(g: Any, y: Any, dim: int | None) -> Any:
    """The contribution to the scores from the log-probabilities `y` alone."""
    axis = axis_of(shape_of(y), dim)
    total = np.sum(np.atleast_1d(g), axis=axis, keepdims=True)
    return np.reshape(np.atleast_1d(g) - np.exp(np.atleast_1d(y)) * total, shape_of(y))


def _opened_along(statements: str) -> Any:
    """Statements in which `AXIS` is the axis along which the probabilities sum to 1."""

    def opened(shapes: tuple[Shape, ...], dim: int | None, **_: Any) -> str:
        axis = axis_of(shapes[0], dim)
        return statements.replace("AXIS", str(axis))

    return opened


SOFTMAX = in_steps(
    "softmax",
    softmax,
    rule=lambda g, y, a, dim: softmax_rule(g, y, dim),
    vjp="{y} ⊙ ({g} − Σ {g} ⊙ {y})",
    because="Probabilities sum to 1: a score that rises takes from all others, so each "
    "receives only how far its gradient is above the average, weighted by its probability.",
    torch=lambda torch, a, dim: torch.softmax(a, axis_of(a.shape, dim)),
    words="scores as probabilities: positive, and 1 in total along the axis",
    parameters=_PARAMETERS,
    composite=_opened_along(
        "m = amax(a, dim=AXIS, keepdim=True).detach()\n"
        "e = exp(a - m)\n"
        "e / e.sum(AXIS, keepdim=True)"
    ),
    example="z=[2, 1, 0.1], p=softmax(z, dim=0), y=p[0]",
)

LOG_SOFTMAX = in_steps(
    "log_softmax",
    log_softmax,
    rule=lambda g, y, a, dim: log_softmax_rule(g, y, dim),
    vjp="{g} − exp({y})·Σ {g}",
    because="The gradient of each score, less its probability's share of all gradients.",
    notation="log softmax({a})",
    torch=lambda torch, a, dim: torch.log_softmax(a, axis_of(a.shape, dim)),
    words="the logarithms of the softmax, exact even where a probability is too small to hold",
    parameters=_PARAMETERS,
    composite=_opened_along(
        "m = amax(a, dim=AXIS, keepdim=True).detach()\n"
        "s = a - m\n"
        "s - log(exp(s).sum(AXIS, keepdim=True))"
    ),
    example="z=[2, 1, 0.1], p=log_softmax(z, dim=0), y=p[0]",
)

SOFTMIN = in_steps(
    "softmin",
    lambda a, dim: softmax(-a, dim),
    rule=lambda g, y, a, dim: -softmax_rule(g, y, dim),
    vjp="−{y} ⊙ ({g} − Σ {g} ⊙ {y})",
    because="The softmax of the scores with their signs turned, so the gradient's sign "
    "is turned as well.",
    torch=lambda torch, a, dim: torch.nn.functional.softmin(a, axis_of(a.shape, dim)),
    grad_fn="SoftmaxBackward0",
    words="scores as probabilities, the smallest score the most probable",
    parameters=_PARAMETERS,
    composite=_opened_along("softmax(-a, dim=AXIS)"),
    example="z=[2, 1, 0.1], p=softmin(z, dim=0), y=p[0]",
)


_NAME = "scaled_dot_product_attention"


def _swapped(a: Any) -> Any:
    return np.swapaxes(a, -1, -2)


def _scale(a: Any, scale: float | None) -> float:
    return 1.0 / math.sqrt(a.shape[-1]) if scale is None else scale


def _check(a: Any, b: Any, c: Any, mask: Any, is_causal: bool) -> None:
    shapes = [shape_of(operand) for operand in (a, b, c)]
    if min(map(len, shapes)) < 2:
        raise OperandError(
            f"`{_NAME}` takes matrices of query, key and value, not shapes {_listed(shapes)}",
            "put the axes of a matrix last: (…, positions, features)",
        )
    if shapes[0][-1] != shapes[1][-1]:
        raise OperandError(
            f"`{_NAME}` cannot multiply query {shapes[0]} and key {shapes[1]}: their last axes "
            f"({shapes[0][-1]} and {shapes[1][-1]}) must be equally long",
            "give a key whose last axis is as long as that of the query",
        )
    if shapes[1][-2] != shapes[2][-2]:
        raise OperandError(
            f"`{_NAME}` takes as many keys as values, not {shapes[1][-2]} and {shapes[2][-2]} "
            f"(shapes {shapes[1]} and {shapes[2]})",
            "give a value with a row for each key",
        )
    if mask is not None and is_causal:
        raise OperandError(
            f"`{_NAME}` takes `attn_mask` or `is_causal=True`, not both", "leave one of them out"
        )
    scores = (shapes[0][-2], shapes[1][-2])
    if mask is not None and not _broadcasts(shape_of(mask)[-2:], scores):
        raise OperandError(
            f"`attn_mask` of `{_NAME}` has shape {shape_of(mask)}, and the scores are {scores}",
            "give it the shape of the scores, or one that broadcasts to it",
        )


def _listed(shapes: list[Shape]) -> str:
    return ", ".join(map(str, shapes))


def _broadcasts(shape: Shape, to: Shape) -> bool:
    return len(shape) == 2 and all(
        length in (1, size) for length, size in zip(shape, to, strict=True)
    )


def _scores(a: Any, b: Any, mask: Any, how: Any) -> Any:
    """Query · key, scaled, and −inf where the mask does not let look."""
    check_product(a, _swapped(b))
    scores = (a @ _swapped(b)) * _scale(a, how["scale"])
    if how["is_causal"]:
        mask = np.tri(scores.shape[-2], scores.shape[-1], dtype=bool)
    if mask is None:
        return scores
    if np.asarray(mask).dtype == bool:
        return np.where(mask, scores, -np.inf)
    return scores + mask


def _attention(a: Any, b: Any, mask: Any, how: Any) -> Any:
    """How much each query looks at each key; a query that may look at none gets zeros."""
    scores = _scores(a, b, mask, how)
    is_blind = np.all(scores == -np.inf, axis=-1, keepdims=True)
    return np.where(is_blind, 0.0, softmax(np.where(is_blind, 0.0, scores), -1))


def _forward(a: Any, b: Any, c: Any, d: Any = None, **how: Any) -> Any:
    _check(a, b, c, d, how["is_causal"])
    return _attention(a, b, d, how) @ c


def _is_fused(shapes: tuple[Shape, ...]) -> bool:
    """Whether torch has a kernel of its own for operands of these shapes, a mask the fourth."""
    query, key, value, *mask = shapes
    return (
        len(query) == len(key) == len(value) == 4
        and query[:2] == key[:2] == value[:2]
        and query[3] == value[3]
        and all(len(group) in (2, 4) for group in mask)
    )


def _again(a: Any, b: Any, c: Any, mask: Any, how: Any) -> tuple[Any, bool]:
    """The attention as torch computes it for the way back, and whether its own kernel does.

    That has exp(scores − log Σ exp), which is another number where the log gets lost.
    """
    operands = (a, b, c) if mask is None else (a, b, c, mask)
    if not _is_fused(tuple(map(shape_of, operands))):
        return _attention(a, b, mask, how), False
    scores = _scores(a, b, mask, how)
    is_blind = np.all(scores == -np.inf, axis=-1, keepdims=True)
    scores = np.where(is_blind, 0.0, scores)
    largest = np.max(scores, axis=-1, keepdims=True, initial=-np.inf)
    total = largest + np.log(np.sum(np.exp(scores - largest), axis=-1, keepdims=True))
    return np.where(is_blind, 0.0, np.exp(scores - total)), True


def _to_scores(g: Any, y: Any, a: Any, b: Any, c: Any, d: Any, how: Any) -> Any:
    """What reaches the scores, through the product with the values and the softmax.

    The softmax takes off Σ weights · sent, which is g · y: so torch's kernel has it.
    """
    weights, is_fused = _again(a, b, c, d, how)
    sent = g @ _swapped(c)
    if not is_fused:
        return softmax_rule(sent, weights, -1)
    return weights * (sent - np.sum(g * y, axis=-1, keepdims=True))


def _query_rule(g: Any, y: Any, a: Any, b: Any, c: Any, d: Any = None, **how: Any) -> Any:
    sent = _to_scores(g, y, a, b, c, d, how) * _scale(a, how["scale"])
    return unbroadcast(sent @ b, shape_of(a))


def _key_rule(g: Any, y: Any, a: Any, b: Any, c: Any, d: Any = None, **how: Any) -> Any:
    sent = _to_scores(g, y, a, b, c, d, how) * _scale(a, how["scale"])
    return unbroadcast(_swapped(sent) @ a, shape_of(b))


def _value_rule(g: Any, _: Any, a: Any, b: Any, c: Any, d: Any = None, **how: Any) -> Any:
    weights = _again(a, b, c, d, how)[0]
    return unbroadcast(_swapped(weights) @ g, shape_of(c))


def _mask_rule(g: Any, y: Any, a: Any, b: Any, c: Any, d: Any, **how: Any) -> Any:
    return unbroadcast(_to_scores(g, y, a, b, c, d, how), shape_of(d))


def _grad_fn(application: Application) -> str:
    """torch's own kernel for four axes of equal sizes; elsewhere the product that comes last."""
    query, key, value, *mask = application.shapes
    if _is_fused(application.shapes) and not (mask and application.requires_grad[3]):
        return "ScaledDotProductFlashAttentionForCpuBackward0"
    is_matrix = len(query) == len(key) == len(value) == 2 and all(len(shape) <= 2 for shape in mask)
    return "MmBackward0" if is_matrix else "UnsafeViewBackward0"


def _composite(
    shapes: tuple[Shape, ...], dtypes: tuple[str, ...], is_causal: bool, scale: float | None
) -> str:
    factor = 1.0 / math.sqrt(shapes[0][-1]) if scale is None else scale
    lines = [f"s = a @ b.mT * {factor}"]
    queries, keys = shapes[0][-2], shapes[1][-2]
    if is_causal:
        seen = [[float(key <= query) for key in range(keys)] for query in range(queries)]
        lines.append(f"s = s + log({seen})")
    elif len(shapes) > 3:
        lines.append("s = where(d, s, -torch.inf)" if dtypes[3] == "bool" else "s = s + d")
    return "\n".join([*lines, "p = softmax(s, dim=-1)", "p @ c"])


_MIXED_WORDS = "through the softmax: more for one key is less for all others."

SCALED_DOT_PRODUCT_ATTENTION = in_steps(
    _NAME,
    _forward,
    Derivative(
        rule=_query_rule,
        vjp="∂S @ {b}·scale, ∂S = P ⊙ ({g} @ {c}ᵀ − Σ P ⊙ ({g} @ {c}ᵀ))",
        words=f"A query moves towards the keys whose values are wanted, {_MIXED_WORDS}",
    ),
    Derivative(
        rule=_key_rule,
        vjp="∂Sᵀ @ {a}·scale, ∂S = P ⊙ ({g} @ {c}ᵀ − Σ P ⊙ ({g} @ {c}ᵀ))",
        words=f"A key moves towards the queries that want its value, {_MIXED_WORDS}",
    ),
    Derivative(
        rule=_value_rule,
        vjp="Pᵀ @ {g}, P = softmax({a} @ {b}ᵀ·scale)",
        words="A value receives from each query as much as that query looked at it.",
    ),
    Derivative(
        rule=_mask_rule,
        vjp="P ⊙ ({g} @ {c}ᵀ − Σ P ⊙ ({g} @ {c}ᵀ))",
        words=f"A mask is added to the scores, so it receives what they receive, {_MIXED_WORDS}",
    ),
    notation=lambda numbers, **_: (
        f"softmax({{a}} @ {{b}}ᵀ·scale{' + {d}' if len(numbers) > 3 else ''}) @ {{c}}"
    ),
    grad_fn=_grad_fn,
    words="values, mixed as much as each query agrees with their keys",
    parameters=(
        Parameter("query"),
        Parameter("key"),
        Parameter("value"),
        Parameter("attn_mask", default=None),
        Kind.NUMBER("dropout_p", 0.0, refusal="leave it out, and use `dropout`"),
        Kind.FLAG("is_causal", False),
        Kind.NUMBER("scale", None),
        Kind.FLAG("enable_gqa", False, is_ignored=True),
    ),
    composite=_composite,
    example="Q=[[1, 0]], K=[[1, 0], [0, 1]], V=[[1, 2], [3, 4]], "
    "A=scaled_dot_product_attention(Q, K, V), y=A[0, 0]",
)
