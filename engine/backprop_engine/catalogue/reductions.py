"""Sums, means and products over all elements or along axes, and the counts beside them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from backprop_engine.basics.source import OperandError
from backprop_engine.basics.values import shape_of, where
from backprop_engine.catalogue.shared.axes import (
    DIMS,
    KEEPDIM,
    Axes,
    axes_of,
    axes_text,
    axis_of,
    count_of,
    cumprod,
    kept,
    mean_of,
    reduced_count,
    refuse_whole,
    spread,
)
from backprop_engine.catalogue.shared.entries import INPUT, operation
from backprop_engine.operation import Application, Kind, Operation, Rounding


def _mean(a: Any, dim: Axes, keepdim: bool) -> Any:
    refuse_whole(a, "mean")
    return mean_of(a, dim, keepdim=keepdim)


def _prod(a: Any, dim: int | None, keepdim: bool) -> Any:
    if dim is None and keepdim:
        raise OperandError("`prod` keeps an axis only where `dim` names it", "leave out `keepdim`")
    return np.prod(a, axis=axes_of(a, dim), keepdims=keepdim)


def _prod_rule(g: Any, y: Any, a: Any, dim: int | None, **_: Any) -> Any:
    if not shape_of(a):
        return g
    if np.all(a):
        return kept(g, a, dim) * (kept(y, a, dim) / a)
    if dim is None and np.count_nonzero(a) < np.size(a) - 1:
        return np.zeros_like(a)
    return kept(g, a, dim) * _product_of_others(a, dim)


def _product_of_others(a: Any, dim: int | None) -> Any:
    """For each element the product of all others that are reduced with it; zeros do no harm."""
    lines = np.reshape(a, (-1, 1)) if dim is None else np.moveaxis(a, axis_of(a, dim), 0)
    ones = np.ones_like(lines[:1])
    before = cumprod(np.concatenate([ones, lines[:-1]]), 0)
    after = cumprod(np.concatenate([ones, lines[:0:-1]]), 0)[::-1]
    others = before * after
    return others.reshape(a.shape) if dim is None else np.moveaxis(others, 0, axis_of(a, dim))


def _numbered(name: str) -> Callable[[Application], str]:
    """torch has one autograd node for the whole tensor (0) and another for given axes (1)."""

    def grad_fn(application: Application) -> str:
        attributes = application.attributes
        is_whole = attributes["dim"] is None and not attributes["keepdim"]
        return f"{name}Backward{0 if is_whole else 1}"

    return grad_fn


def _reduction(name: str, forward: Callable[..., Any], **entry: Any) -> Operation:
    """A function that torch has twice: of axes, and of the whole tensor."""

    def twin(torch: Any, a: Any, dim: Axes, keepdim: bool) -> Any:
        function = getattr(torch, name)
        return function(a) if dim is None and not keepdim else function(a, dim, keepdim=keepdim)

    shared: dict[str, Any] = {
        "parameters": (INPUT, DIMS, KEEPDIM),
        "symbolic": lambda sympy, a, **_: a,
    }
    return operation(name, forward, torch=twin, **(shared | entry))


def _truth(name: str, words: str, forward: Callable[..., Any]) -> Operation:
    """An operation that answers with truth values, and so has no gradient."""
    return _reduction(
        name,
        lambda a, dim, keepdim: forward(a, axis=axes_of(a, dim), keepdims=keepdim),
        notation=lambda dim, **_: f"{name}({{a}}){axes_text(dim)}",
        words=words,
        symbolic=None,
        example=f"x=[1,0,3], t={name}(x), y=x.sum()",
    )


SUM = _reduction(
    "sum",
    lambda a, dim, keepdim: np.sum(a, axis=axes_of(a, dim), keepdims=keepdim),
    rule=lambda g, y, a, dim, keepdim: spread(g, a, dim),
    vjp="{g}, copied to every element of {a}",
    because="Every element counts once in the sum, so each receives the whole gradient.",
    notation=lambda dim, **_: f"Σ {{a}}{axes_text(dim)}",
    grad_fn=_numbered("Sum"),
    words="the sum of all elements, or along axes",
    example="A=[[1,2],[3,4]], s=A.sum(dim=0), y=(s**2).sum()",
)

MEAN = _reduction(
    "mean",
    _mean,
    rule=lambda g, y, a, dim, keepdim: spread(g, a, dim) / float(reduced_count(a, dim)),
    vjp="{g}/n, copied to every element of {a}",
    because="Each of the n elements has one n-th of a say in the mean.",
    notation=lambda dim, **_: f"mean({{a}}){axes_text(dim)}",
    grad_fn=_numbered("Mean"),
    words="the mean of all elements, or along axes",
    terms=lambda a, dim, **_: reduced_count(a, dim),
    composite=lambda dim, keepdim, shapes, **_: (
        f"s = sum(a, dim={dim}, keepdim={keepdim})\ns / {count_of(shapes[0], dim)}"
    ),
    example="x=[1,2,6], y=mean(x)",
)

PROD = _reduction(
    "prod",
    _prod,
    rule=_prod_rule,
    vjp="{g} · (the product of all other elements)",
    because="In a product each factor receives the gradient times all the others.",
    notation=lambda dim, **_: f"Π {{a}}{axes_text(dim)}",
    grad_fn=_numbered("Prod"),
    words="the product of all elements, or along an axis",
    rounding=Rounding.CONDITION,
    parameters=(INPUT, Kind.AXIS("dim", None, aliases=("axis",)), KEEPDIM),
    example="x=[2,3,4], y=prod(x)",
)

NANSUM = _reduction(
    "nansum",
    lambda a, dim, keepdim: np.nansum(a, axis=axes_of(a, dim), keepdims=keepdim),
    rule=lambda g, y, a, dim, keepdim: where(np.isnan(a), 0.0, spread(g, a, dim)),
    vjp="{g}, copied to every element of {a} that is a number",
    because="Every element that is a number counts once; a NaN is left out of the sum and "
    "receives 0.",
    notation=lambda dim, **_: f"nansum({{a}}){axes_text(dim)}",
    words="the sum of the elements that are not NaN",
    example="x=[1,2,4], y=nansum(x)",
)

COUNT_NONZERO = operation(
    "count_nonzero",
    lambda a, dim: np.count_nonzero(np.asarray(a), axis=axes_of(a, dim)),
    notation=lambda dim, **_: f"count_nonzero({{a}}){axes_text(dim)}",
    words="how many elements are not 0: a whole number, without a gradient",
    parameters=(INPUT, DIMS),
    example="x=[1,0,3], n=count_nonzero(x), y=x.sum()/n",
)

ANY = _truth("any", "whether any element is not 0: a truth value, without a gradient", np.any)
ALL = _truth("all", "whether no element is 0: a truth value, without a gradient", np.all)
