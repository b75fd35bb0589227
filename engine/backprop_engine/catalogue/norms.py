"""Norms: the length of a vector, by the names and signatures torch has for it."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from backprop_engine.basics.source import OperandError
from backprop_engine.basics.values import shape_of
from backprop_engine.catalogue.shared.axes import (
    DIMS,
    KEEPDIM,
    Axes,
    axes_of,
    axes_text,
    kept,
    refuse_whole,
)
from backprop_engine.catalogue.shared.entries import INPUT, in_steps
from backprop_engine.catalogue.shared.p_norms import p_norm, p_norm_rule, p_norm_statements
from backprop_engine.operation import Kind, Parameter


def _norm(a: Any, p: float, dim: Axes, keepdim: bool) -> Any:
    refuse_whole(a, "norm")
    if p == 0:
        raise OperandError(
            "`norm` with p = 0 counts the elements that are not 0, which has no gradient",
            "use `count_nonzero`",
        )
    return p_norm(a, p, axes_of(a, dim), keepdim=keepdim)


def _norm_rule(g: Any, y: Any, a: Any, p: float, dim: Axes, **_: Any) -> Any:
    return p_norm_rule(kept(g, a, dim), kept(y, a, dim), a, p, axes_of(a, dim))


_EUCLIDEAN = (None, 2, "fro")
"""The orders under which the usual norm goes."""


def _norm_text(dim: Axes, p: float | str | None = None, **_: Any) -> str:
    return f"‖{{a}}‖{'' if p in _EUCLIDEAN else ' with p = {p}'}{axes_text(dim)}"


def _norm_vjp(p: float | str | None = None, **_: Any) -> str:
    if p in _EUCLIDEAN:
        return "{g} ⊙ {a}/{y}"
    if p == 1:
        return "{g} ⊙ sign({a})"
    if p in (np.inf, -np.inf):
        return "{g} ⊙ sign({a}), where |{a}| is {y}, shared evenly"
    return "{g} ⊙ sign({a})·(|{a}|/{y})^({p} − 1)"


def _norm_parts(dim: Axes, keepdim: bool, p: float | str | None = None, **_: Any) -> str:
    order = 2.0 if p in _EUCLIDEAN else float(p)
    return "\n".join(p_norm_statements("a", order, f"dim={dim}, keepdim={keepdim}"))


_norm_like = partial(
    in_steps,
    vjp=_norm_vjp,
    because="A norm grows fastest straight away from the origin: the gradient points along the "
    "vector. Where the norm is 0 torch takes 0.",
    notation=_norm_text,
    grad_fn="LinalgVectorNormBackward0",
    composite=_norm_parts,
    symbolic=lambda sympy, a, **_: sympy.Abs(a),
)
_vector_norm = partial(
    _norm_like,
    rule=_norm_rule,
    torch=lambda torch, a, p, dim, keepdim: torch.linalg.vector_norm(a, p, dim, keepdim),
    words="the length of a vector: (Σ|a|^p)^(1/p), the root of the sum of squares for p = 2",
)

NORM = _vector_norm(
    "norm",
    _norm,
    parameters=(INPUT, Kind.NUMBER("p", 2.0), DIMS, KEEPDIM),
    example="x=[3,4], y=norm(x)",
)

FROBENIUS = _norm_like(
    "norm.fro",
    lambda a, p, dim, keepdim: _norm(a, 2.0, dim, keepdim),
    rule=lambda g, y, a, p, dim, keepdim: _norm_rule(g, y, a, 2.0, dim),
    words="the Frobenius norm: the root of the sum of all squares",
    parameters=(INPUT, Kind.TEXT("p", aliases=("ord",), choices=("fro",)), DIMS, KEEPDIM),
    functions=("norm", "linalg.norm"),
    example="A=[[1,2],[2,4]], y=norm(A, 'fro')",
)

VECTOR_NORM = _vector_norm(
    "vector_norm",
    _norm,
    parameters=(Parameter("x"), Kind.NUMBER("p", 2.0, aliases=("ord",)), DIMS, KEEPDIM),
    example="x=[1,-2,3], y=vector_norm(x, ord=3)",
)


def _linalg_norm(a: Any, p: float | None, dim: Axes, keepdim: bool) -> Any:
    if p is not None and len(axes_of(a, dim)) == 2 and (dim is not None or np.ndim(a) == 2):
        raise OperandError(
            f"`linalg.norm` of a matrix with `ord={p:g}` is a matrix norm, which is not supported",
            "`linalg.vector_norm(A, ord)` takes the norm of all elements",
        )
    if p is not None and dim is None and np.ndim(a) > 2:
        raise OperandError(
            f"`linalg.norm` with `ord` and without `dim` takes a vector, not shape {shape_of(a)}",
            "say along which axis: `dim=-1`",
        )
    return _norm(a, 2.0 if p is None else p, dim, keepdim)


LINALG_NORM = _norm_like(
    "linalg.norm",
    _linalg_norm,
    rule=lambda g, y, a, p, dim, keepdim: _norm_rule(g, y, a, 2.0 if p is None else p, dim),
    torch=lambda torch, a, p, dim, keepdim: torch.linalg.norm(a, p, dim, keepdim),
    words="the length of a vector, or of all elements where `ord` is left out",
    parameters=(Parameter("A"), Kind.NUMBER("p", None, aliases=("ord",)), DIMS, KEEPDIM),
    example="A=[[1,2],[2,4]], y=torch.linalg.norm(A)",
)
