"""Variance, standard deviation, log-sum-exp and norms: reductions made of several steps."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from backprop_engine.basics.source import OperandError
from backprop_engine.basics.values import Shape, shape_of, where
from backprop_engine.catalogue import exponentials
from backprop_engine.catalogue.shared.axes import (
    DIMS,
    KEEPDIM,
    Axes,
    axes_of,
    axes_text,
    count_of,
    kept,
    mean_of,
    reduced_count,
    refuse_whole,
)
from backprop_engine.catalogue.shared.entries import INPUT, in_steps
from backprop_engine.catalogue.shared.p_norms import p_norm, p_norm_rule, p_norm_statements
from backprop_engine.operation import Kind, Operation, Parameter


def _correction(unbiased: bool | None, correction: float | None) -> float:
    """`unbiased` is the older word for a correction of 1 or 0; where neither is said, it is 1."""
    if unbiased is not None:
        return 1.0 if unbiased else 0.0
    return 1.0 if correction is None else correction


def _freedom(a: Any, dim: Axes, unbiased: bool | None, correction: float | None) -> float:
    """n − correction."""
    return reduced_count(a, dim) - _correction(unbiased, correction)


def _deviations(a: Any, dim: Axes) -> Any:
    return a - mean_of(a, dim, keepdim=True)


def _var(a: Any, dim: Axes, unbiased: bool | None, keepdim: bool, correction: float | None) -> Any:
    refuse_whole(a, "var")
    # torch adds up float32 in 64 bits, but for the mean where one number comes of all there is.
    wide = a.astype(np.float64) if isinstance(a, np.ndarray) else a
    is_whole = np.size(a) == reduced_count(a, dim)
    squares = np.square(wide - mean_of(a if is_whole else wide, dim, keepdim=True))
    total = np.sum(squares, axis=axes_of(a, dim), keepdims=keepdim)
    return total / np.float64(max(_freedom(a, dim, unbiased, correction), 0.0))


def _std(a: Any, dim: Axes, unbiased: bool | None, keepdim: bool, correction: float | None) -> Any:
    return np.sqrt(_var(a, dim, unbiased, keepdim, correction))


def _var_rule(
    g: Any, _y: Any, a: Any, dim: Axes, unbiased: bool | None, correction: float | None, **_: Any
) -> Any:
    freedom = _freedom(a, dim, unbiased, correction)
    if freedom <= 0 and (dim is None or not shape_of(a)):  # 2/0 times what differs from the mean
        is_mean = np.equal(a, mean_of(a, dim, keepdim=True))
        return kept(g, a, dim) * np.where(is_mean, np.nan, np.inf)
    factor = float(np.float64(2.0) / np.float64(freedom))  # of Python, and so g keeps its dtype
    return factor * kept(g, a, dim) * _deviations(a, dim)


def _std_rule(g: Any, y: Any, a: Any, **attributes: Any) -> Any:
    # Where all elements are equal the slope does not exist; torch takes 0.
    upstream = where(np.equal(y, 0.0), 0.0, exponentials.SQRT.rules[0](g, np.asarray(y), None))
    return _var_rule(upstream, y, a, **attributes)


def _var_parts(
    dim: Axes,
    unbiased: bool | None,
    keepdim: bool,
    correction: float | None,
    shapes: tuple[Shape, ...],
    **_: Any,
) -> str:
    if unbiased is not None:
        correction = int(unbiased)
    elif correction is None:
        correction = 1
    count = count_of(shapes[0], dim)
    return (
        f"d = a - mean(a, dim={dim}, keepdim=True)\n"
        f"s = sum(d**2, dim={dim}, keepdim={keepdim})\n"
        f"s / {count - correction:g}"
    )


def _std_parts(**facts: Any) -> str:
    before, newline, variance = _var_parts(**facts).rpartition("\n")
    return f"{before}{newline}v = {variance}\nsqrt(v)"


def _logsumexp(a: Any, dim: Axes, keepdim: bool) -> Any:
    refuse_whole(a, "logsumexp")
    axes = axes_of(a, dim)
    top = np.max(a, axis=axes, keepdims=True, initial=-np.inf)
    top = where(np.isfinite(top), top, np.zeros_like(top))
    total = np.log(np.sum(np.exp(a - top), axis=axes, keepdims=True)) + top
    return total if keepdim else np.squeeze(total, axis=axes)


def _logsumexp_parts(dim: Axes, keepdim: bool, **_: Any) -> str:
    parts = (
        f"m = amax(a, dim={dim}, keepdim=True).detach()\n"
        f"e = exp(a - m)\n"
        f"s = sum(e, dim={dim}, keepdim={keepdim})\n"
    )
    if keepdim:
        return f"{parts}log(s) + m"
    return f"{parts}k = m.squeeze({dim})\nlog(s) + k"


_SPREAD = (
    INPUT,
    DIMS,
    Kind.FLAG("unbiased", None),
    KEEPDIM,
    Kind.NUMBER("correction", None, aliases=("ddof",)),
)


def _of_everything(whole: Operation) -> Operation:
    """The older form that takes `unbiased` alone: `x.var(False)`."""
    (derivative,) = whole.derivatives
    parts: Any = whole.description.composite

    def all_of(unbiased: bool) -> dict[str, Any]:
        return {"dim": None, "unbiased": unbiased, "keepdim": False, "correction": None}

    return in_steps(
        f"{whole.name}.unbiased",
        lambda a, unbiased: whole.forward(a, **all_of(unbiased)),
        replace(
            derivative,
            rule=lambda g, y, a, unbiased: derivative.rule(g, y, a, **all_of(unbiased)),
        ),
        torch=lambda torch, a, unbiased: whole.twins.torch(torch, a, **all_of(unbiased)),
        notation=f"{whole.name}({{a}})",
        words=whole.description.words,
        parameters=(INPUT, Kind.FLAG("unbiased")),
        composite=lambda unbiased, **facts: parts(**all_of(unbiased), **facts),
        example=f"x=[1,2,6], y={whole.name}(x, False)",
    )


VAR = in_steps(
    "var",
    _var,
    rule=_var_rule,
    vjp="{g} · 2·({a} − mean)/(n − correction)",
    because="An element far from the mean changes the variance most. The mean moves too, "
    "but the deviations from it add up to 0, so that this cancels.",
    notation=lambda dim, **_: f"var({{a}}){axes_text(dim)}",
    torch=lambda torch, a, dim, unbiased, keepdim, correction: torch.var(
        a, dim, correction=_correction(unbiased, correction), keepdim=keepdim
    ),
    words="the variance: the mean squared deviation from the mean, with n − 1 for n",
    parameters=_SPREAD,
    composite=_var_parts,
    example="x=[1,2,6], y=var(x)",
)

VAR_UNBIASED = _of_everything(VAR)

STD = in_steps(
    "std",
    _std,
    rule=_std_rule,
    vjp="{g} · ({a} − mean)/((n − correction)·{y})",
    because="The root of the variance: its slope is that of the variance over twice the "
    "deviation. Where all elements are equal torch takes 0.",
    notation=lambda dim, **_: f"std({{a}}){axes_text(dim)}",
    torch=lambda torch, a, dim, unbiased, keepdim, correction: torch.std(
        a, dim, correction=_correction(unbiased, correction), keepdim=keepdim
    ),
    words="the standard deviation: the root of the variance",
    parameters=_SPREAD,
    composite=_std_parts,
    example="x=[1,2,6], y=std(x)",
)


STD_UNBIASED = _of_everything(STD)

LOGSUMEXP = in_steps(
    "logsumexp",
    _logsumexp,
    rule=lambda g, y, a, dim, keepdim: kept(g, a, dim) * np.exp(a - kept(y, a, dim)),
    vjp="{g} ⊙ exp({a} − {y})",
    because="The gradient is shared out as softmax does it: most to the largest element.",
    notation=lambda dim, **_: f"log Σ exp({{a}}){axes_text(dim)}",
    words="the logarithm of the sum of exponentials, computed without overflow",
    parameters=(INPUT, Kind.AXES("dim", aliases=("axis",)), KEEPDIM),
    composite=_logsumexp_parts,
    symbolic=lambda sympy, a, **_: a,
    example="x=[1000,1001,1002], y=logsumexp(x, dim=0)",
)


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
