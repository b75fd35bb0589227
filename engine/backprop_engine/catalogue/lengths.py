"""Vectors by their length: brought to length 1, their angle, their distance."""

from __future__ import annotations

from typing import Any

import numpy as np

from backprop_engine.basics.memory_order import as_operands
from backprop_engine.basics.values import shape_of, unbroadcast
from backprop_engine.catalogue.shared.axes import Axes, axes_of
from backprop_engine.catalogue.shared.entries import INPUT, in_steps, symmetric
from backprop_engine.catalogue.shared.p_norms import p_norm, p_norm_rule, p_norm_statements
from backprop_engine.operation import Derivative, Kind, Parameter


def _normalize(a: Any, p: float, dim: Axes, eps: float) -> Any:
    vectors = np.atleast_1d(a)
    length = p_norm(vectors, p, axes_of(vectors, dim), keepdim=True)
    return np.reshape(vectors / np.maximum(length, eps), shape_of(a))


def _normalize_rule(
    g: Any, _y: Any, a: Any, p: float, dim: Axes, eps: float, *, is_cut: bool = True
) -> Any:
    """g/length, and through the length −Σ g⊙a/length²; that only as far as the length counts.

    Where `eps` stands in for a smaller length, that length has no say (`is_cut`) or still one.
    """
    vectors = np.atleast_1d(a)
    axes, g = axes_of(vectors, dim), np.reshape(g, vectors.shape)
    own = p_norm(vectors, p, axes, keepdim=True)
    length = np.maximum(own, eps)
    to_length = -np.sum(g * (vectors / length), axis=axes, keepdims=True) / length
    if is_cut:
        to_length = np.where(own >= eps, to_length, 0.0)
    sent = g / length + p_norm_rule(to_length, own, vectors, p, axes)
    return np.reshape(sent, shape_of(a))


def _cosine_similarity(a: Any, b: Any, dim: int, eps: float) -> Any:
    a, b = np.broadcast_arrays(a, b, subok=True)
    return np.sum(_normalize(a, 2, dim, eps) * _normalize(b, 2, dim, eps), axis=dim)


def _cosine_rule(g: Any, a: Any, b: Any, dim: int, eps: float) -> Any:
    """The contribution to `a`, of the shape `a` and `b` broadcast to."""
    a, b = np.broadcast_arrays(a, b, subok=True)
    sent = np.expand_dims(g, dim) * _normalize(b, 2, dim, eps)
    # torch sets `eps` for a short length and lets the length's own gradient pass all the same.
    return _normalize_rule(sent, None, a, 2, dim, eps, is_cut=False)


def _way(a: Any, b: Any, eps: float) -> tuple[Any, tuple[int, ...]]:
    """The way between two points, which torch makes a little longer, and its last axis."""
    way = np.atleast_1d(a - b + eps)
    return way, (way.ndim - 1,)


def _pairwise_distance(a: Any, b: Any, p: float, eps: float, keepdim: bool) -> Any:
    way, axes = _way(a, b, eps)
    return p_norm(way, p, axes, keepdim=keepdim)


def _pairwise_rule(g: Any, a: Any, b: Any, p: float, eps: float, keepdim: bool) -> Any:
    """The contribution to `a`, of the shape `a` and `b` broadcast to."""
    way, axes = _way(a, b, eps)
    g = g if keepdim else np.expand_dims(g, -1)
    sent = p_norm_rule(g, p_norm(way, p, axes, keepdim=True), way, p, axes)
    return np.reshape(sent, np.broadcast_shapes(shape_of(a), shape_of(b)))


def _order(p: float) -> str:
    """The index of a norm: none for the usual one."""
    return {2: "", 1: "₁", np.inf: "∞"}.get(p, f"_{p:g}".replace("-", "−"))


def _normalize_composite(p: float, dim: int, eps: float, **_: Any) -> str:
    *before, norm = p_norm_statements("a", p, f"dim={dim}, keepdim=True")
    return "\n".join([*before, f"n = {norm}", f"a / clamp(n, min={eps})"])


def _pairwise_composite(p: float, eps: float, keepdim: bool, **_: Any) -> str:
    norm = p_norm_statements("d", p, f"dim=-1, keepdim={keepdim}")
    return "\n".join([f"d = a - b + {eps}", *norm])


NORMALIZE = in_steps(
    "normalize",
    _normalize,
    rule=_normalize_rule,
    vjp=lambda p, **_: (
        "({g} − {y}·Σ {g} ⊙ {y})/‖{a}‖"
        if p == 2
        else f"({{g}} − ∂‖{{a}}‖{_order(p)}·Σ {{g}} ⊙ {{y}})/‖{{a}}‖{_order(p)}"
    ),
    because="Only the direction is left: the part of the gradient along it, which would "
    "only change the length, is taken out.",
    lay_out=as_operands,
    notation=lambda p, **_: f"{{a}}/‖{{a}}‖{_order(p)}",
    grad_fn="DivBackward0",
    words="vectors brought to length 1",
    parameters=(
        INPUT,
        Kind.NUMBER("p", 2.0),
        Kind.AXES("dim", 1, aliases=("axis",)),
        Kind.NUMBER("eps", 1e-12),
    ),
    composite=_normalize_composite,
    example="x=[3, 4], u=normalize(x, dim=0), y=u[0]",
)

COSINE_SIMILARITY = in_steps(
    "cosine_similarity",
    _cosine_similarity,
    *symmetric(
        lambda g, y, a, b, dim, eps: unbroadcast(_cosine_rule(g, a, b, dim, eps), shape_of(a)),
        "A vector turns towards the other; what would only make it longer is taken out.",
        vjp="{g}·({b}/‖{b}‖ − {y}·{a}/‖{a}‖)/‖{a}‖",
    ),
    broadcasts=True,
    notation="cos∠({a}, {b})",
    grad_fn="SumBackward1",
    words="the cosine of the angle between two vectors",
    parameters=(
        Parameter("x1"),
        Parameter("x2"),
        Kind.AXIS("dim", 1, aliases=("axis",)),
        Kind.NUMBER("eps", 1e-8),
    ),
    composite=(
        "u = normalize(a, dim={dim}, eps={eps})\n"
        "v = normalize(b, dim={dim}, eps={eps})\n"
        "(u * v).sum({dim})"
    ),
    example="u=[3, 4], v=[1, 2], y=cosine_similarity(u, v, dim=0)",
)

PAIRWISE_DISTANCE = in_steps(
    "pairwise_distance",
    _pairwise_distance,
    Derivative(
        rule=lambda g, y, a, b, **settings: unbroadcast(
            _pairwise_rule(g, a, b, **settings), shape_of(a)
        ),
        vjp=lambda p, **_: "{g}·({a} − {b})/{y}" if p == 2 else "{g}·∂{y}/∂({a} − {b})",
        words="Moving straight away from the other point adds to the distance one for one.",
    ),
    Derivative(
        rule=lambda g, y, a, b, **settings: unbroadcast(
            -_pairwise_rule(g, a, b, **settings), shape_of(b)
        ),
        vjp=lambda p, **_: "−{g}·({a} − {b})/{y}" if p == 2 else "−{g}·∂{y}/∂({a} − {b})",
        words="Moving towards the other point takes from the distance one for one.",
    ),
    broadcasts=True,
    notation=lambda p, **_: f"‖{{a}} − {{b}}‖{_order(p)}",
    grad_fn="NormBackward1",
    words="the distance of two points",
    parameters=(
        Parameter("x1"),
        Parameter("x2"),
        Kind.NUMBER("p", 2.0),
        Kind.NUMBER("eps", 1e-6),
        Kind.FLAG("keepdim", False),
    ),
    composite=_pairwise_composite,
    example="u=[3, 4], v=[1, 2], y=pairwise_distance(u, v)",
)
