"""Vectors by their length: brought to length 1, their angle, their distance."""

from __future__ import annotations

from typing import Any

import numpy as np

from backprop_engine.operation import Derivative, Kind, Operation, Parameter, Rounding
from backprop_engine.values import shape_of, sign, unbroadcast

_INFINITE = float("inf")


def _length(a: Any, p: float, dim: Any) -> Any:
    """The p-norm of `a` along `dim`, which is kept as an axis of 1."""
    size = np.abs(a)
    if p == _INFINITE:
        return np.max(size, axis=dim, keepdims=True)
    if p == 2:
        return np.sqrt(np.sum(a * a, axis=dim, keepdims=True))
    if p == 1:
        return np.sum(size, axis=dim, keepdims=True)
    if p == 0:
        return np.sum(size != 0, axis=dim, keepdims=True, dtype=size.dtype)
    return np.power(np.sum(np.power(size, p), axis=dim, keepdims=True), 1.0 / p)


def _length_slope(a: Any, length: Any, p: float, dim: Any) -> Any:
    """∂length/∂a, which torch takes as 0 where the length is 0."""
    if p == _INFINITE:
        is_largest = np.abs(a) == length
        share = sign(a) * is_largest / np.sum(is_largest, axis=dim, keepdims=True)
        return np.where(length == 0.0, 0.0, share)
    if p in (0, 1):
        return sign(a) * p
    if p == 2:
        return np.where(length == 0.0, 0.0, a / length)
    slope = sign(a) * np.power(np.abs(a), p - 1.0) * np.power(length, 1.0 - p)
    return np.where((length == 0.0) | ((a == 0.0) & (p < 1)), 0.0, slope)


def _normalize(a: Any, p: float, dim: Any, eps: float) -> Any:
    vectors = np.atleast_1d(a)
    return np.reshape(vectors / np.maximum(_length(vectors, p, dim), eps), shape_of(a))


def _normalize_rule(
    g: Any, _y: Any, a: Any, p: float, dim: Any, eps: float, *, is_cut: bool = True
) -> Any:
    """g/length − slope·Σ g⊙a/length²; the second only as far as the length itself counts.

    Where `eps` stands in for a smaller length, that length has no say (`is_cut`) or still one.
    """
    vectors = np.atleast_1d(a)
    g = np.reshape(g, vectors.shape)
    own = _length(vectors, p, dim)
    length = np.maximum(own, eps)
    to_length = -np.sum(g * (vectors / length), axis=dim, keepdims=True) / length
    if is_cut:
        to_length = np.where(own >= eps, to_length, 0.0)
    sent = g / length + to_length * _length_slope(vectors, own, p, dim)
    return np.reshape(sent, shape_of(a))


def _cosine_similarity(a: Any, b: Any, dim: int, eps: float) -> Any:
    a, b = np.broadcast_arrays(a, b)
    return np.sum(_normalize(a, 2, dim, eps) * _normalize(b, 2, dim, eps), axis=dim)


def _cosine_rule(g: Any, a: Any, b: Any, dim: int, eps: float) -> Any:
    """The contribution to `a`, of the shape `a` and `b` broadcast to."""
    a, b = np.broadcast_arrays(a, b)
    sent = np.expand_dims(g, dim) * _normalize(b, 2, dim, eps)
    # torch sets `eps` for a short length and lets the length's own gradient pass all the same.
    return _normalize_rule(sent, None, a, 2, dim, eps, is_cut=False)


def _pairwise_distance(a: Any, b: Any, p: float, eps: float, keepdim: bool) -> Any:
    length = _length(np.atleast_1d(a - b + eps), p, -1)
    return length if keepdim else np.squeeze(length, -1)


def _pairwise_rule(g: Any, a: Any, b: Any, p: float, eps: float, keepdim: bool) -> Any:
    """The contribution to `a`, of the shape `a` and `b` broadcast to."""
    difference = a - b + eps
    g = g if keepdim else np.expand_dims(g, -1)
    return g * _length_slope(difference, _length(difference, p, -1), p, -1)


def _order(p: str) -> str:
    """The index of a norm: none for the usual one."""
    return {"2.0": "", "1.0": "₁", "inf": "∞"}.get(p, f"_{p}")


def _length_statement(vector: str, p: str, dim: str) -> str:
    """A length as a composite spells it."""
    if p == "2.0":
        return f"sqrt(({vector}**2).sum({dim}, keepdim=True))"
    if p == "1.0":
        return f"abs({vector}).sum({dim}, keepdim=True)"
    if p == "0.0":
        return f"sign(abs({vector})).detach().sum({dim}, keepdim=True)"
    if p == "inf":
        return f"amax(abs({vector}), dim={dim}, keepdim=True)"
    return f"((abs({vector})**{p}).sum({dim}, keepdim=True))**(1/{p})"


def _cosine_composite(dim: str, eps: str, **_: Any) -> str:
    return (
        f"u = a / clamp({_length_statement('a', '2.0', dim)}, min={eps})\n"
        f"v = b / clamp({_length_statement('b', '2.0', dim)}, min={eps})\n"
        f"(u * v).sum({dim})"
    )


NORMALIZE = Operation(
    name="normalize",
    forward=_normalize,
    derivatives=(
        Derivative(
            rule=_normalize_rule,
            vjp=lambda a, y, g, p, **_: (
                f"({g} − {y}·Σ {g} ⊙ {y})/‖{a}‖"
                if p == "2.0"
                else f"({g} − ∂‖{a}‖{_order(p)}·Σ {g} ⊙ {y})/‖{a}‖{_order(p)}"
            ),
            words="Only the direction is left: the part of the gradient along it, which would "
            "only change the length, is taken out.",
        ),
    ),
    notation=lambda a, p, **_: f"{a}/‖{a}‖{_order(p)}",
    torch=lambda torch, a, p, dim, eps: torch.nn.functional.normalize(a, p, dim, eps),
    grad_fn="DivBackward0",
    words="vectors brought to length 1",
    parameters=(
        Parameter("input"),
        Parameter("p", Kind.NUMBER, 2.0),
        Parameter("dim", Kind.AXES, 1, aliases=("axis",)),
        Parameter("eps", Kind.NUMBER, 1e-12),
    ),
    rounding=Rounding.CONDITION,
    composite=lambda p, dim, eps, **_: (
        f"n = {_length_statement('a', p, dim)}\na / clamp(n, min={eps})"
    ),
    example="x=[3, 4], u=normalize(x, dim=0), y=u[0]",
)

COSINE_SIMILARITY = Operation(
    name="cosine_similarity",
    broadcasts=True,
    forward=_cosine_similarity,
    derivatives=(
        Derivative(
            rule=lambda g, y, a, b, dim, eps: unbroadcast(
                _cosine_rule(g, a, b, dim, eps), shape_of(a)
            ),
            vjp="{g}·({b}/‖{b}‖ − {y}·{a}/‖{a}‖)/‖{a}‖",
            words="A vector turns towards the other; what would only make it longer is taken out.",
        ),
        Derivative(
            rule=lambda g, y, a, b, dim, eps: unbroadcast(
                _cosine_rule(g, b, a, dim, eps), shape_of(b)
            ),
            vjp="{g}·({a}/‖{a}‖ − {y}·{b}/‖{b}‖)/‖{b}‖",
            words="A vector turns towards the other; what would only make it longer is taken out.",
        ),
    ),
    notation="cos∠({a}, {b})",
    torch=lambda torch, a, b, dim, eps: torch.nn.functional.cosine_similarity(a, b, dim, eps),
    grad_fn="SumBackward1",
    words="the cosine of the angle between two vectors",
    parameters=(
        Parameter("x1"),
        Parameter("x2"),
        Parameter("dim", Kind.AXIS, 1, aliases=("axis",)),
        Parameter("eps", Kind.NUMBER, 1e-8),
    ),
    rounding=Rounding.CONDITION,
    composite=_cosine_composite,
    example="u=[3, 4], v=[1, 2], y=cosine_similarity(u, v, dim=0)",
)

PAIRWISE_DISTANCE = Operation(
    name="pairwise_distance",
    broadcasts=True,
    forward=_pairwise_distance,
    derivatives=(
        Derivative(
            rule=lambda g, y, a, b, **settings: unbroadcast(
                _pairwise_rule(g, a, b, **settings), shape_of(a)
            ),
            vjp=lambda a, b, g, y, p, **_: (
                f"{g}·∂{y}/∂({a} − {b})" if p != "2.0" else f"{g}·({a} − {b})/{y}"
            ),
            words="Moving straight away from the other point adds to the distance one for one.",
        ),
        Derivative(
            rule=lambda g, y, a, b, **settings: unbroadcast(
                -_pairwise_rule(g, a, b, **settings), shape_of(b)
            ),
            vjp=lambda a, b, g, y, p, **_: (
                f"−{g}·∂{y}/∂({a} − {b})" if p != "2.0" else f"−{g}·({a} − {b})/{y}"
            ),
            words="Moving towards the other point takes from the distance one for one.",
        ),
    ),
    notation=lambda a, b, p, **_: f"‖{a} − {b}‖{_order(p)}",
    torch=lambda torch, a, b, p, eps, keepdim: torch.nn.functional.pairwise_distance(
        a, b, p, eps, keepdim
    ),
    grad_fn="NormBackward1",
    words="the distance of two points",
    parameters=(
        Parameter("x1"),
        Parameter("x2"),
        Parameter("p", Kind.NUMBER, 2.0),
        Parameter("eps", Kind.NUMBER, 1e-6),
        Parameter("keepdim", Kind.FLAG, False),
    ),
    rounding=Rounding.CONDITION,
    composite=lambda p, eps, keepdim, **_: (
        f"d = a - b + {eps}\nn = {_length_statement('d', p, '-1')}\n"
        + ("n" if keepdim == "True" else "n.squeeze(-1)")
    ),
    example="u=[3, 4], v=[1, 2], y=pairwise_distance(u, v)",
)

LENGTHS = (NORMALIZE, COSINE_SIMILARITY, PAIRWISE_DISTANCE)
