"""Operations that go along an axis in order: sorting, the largest few, and running results."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from backprop_engine.basics.memory_order import as_first
from backprop_engine.basics.source import OperandError
from backprop_engine.basics.values import shape_of, where
from backprop_engine.catalogue.shared.axes import DIM, KEEPDIM, axes_text, axis_of, cumprod, cumsum
from backprop_engine.catalogue.shared.entries import INPUT, in_steps, operation
from backprop_engine.catalogue.shared.picking import picking
from backprop_engine.operation import Application, Kind, Operation

_LAST = Kind.AXIS("dim", -1, aliases=("axis",))
_PUT_BACK = "Sorting changes no number: each gradient goes back to where its element came from."


def _order(a: Any, dim: int, descending: bool = False, stable: bool | None = None) -> Any:
    """Indices that sort along `dim`; equal elements stay in order, NaN counts as the largest."""
    del stable  # numpy is asked for a stable order always, and so torch's other one is met too
    if not descending:
        return np.argsort(a, axis=dim, kind="stable")
    reverse = np.flip(np.argsort(np.flip(a, dim), axis=dim, kind="stable"), dim)
    return a.shape[dim] - 1 - reverse


def _top(a: Any, dim: int, k: int, largest: bool) -> Any:
    if not 0 <= k <= a.shape[dim]:
        raise OperandError(
            f"`topk` cannot take {k} of {a.shape[dim]} elements: the shape is {a.shape}",
            "make `k` smaller, or name another `dim`",
        )
    return np.take(_order(a, dim, descending=largest), np.arange(k), axis=dim)


def _kth(a: Any, dim: int, k: int) -> Any:
    if not 1 <= k <= a.shape[dim]:
        raise OperandError(
            f"`kthvalue` cannot take element {k} of {a.shape[dim]}: the shape is {a.shape}",
            "`k` counts from 1",
        )
    return np.take(_order(a, dim), [k - 1], axis=dim)


def _running_place(best: np.ufunc, holds: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    """Where the largest (or smallest) element so far is; of equal ones the last, as in torch."""

    def place(a: Any, dim: int) -> Any:
        lines = np.moveaxis(a, dim, 0)
        before, later = best.accumulate(lines)[:-1], lines[1:]
        takes_over = np.isnan(later) | (~np.isnan(before) & holds(later, before))
        found = np.zeros(lines.shape, np.int64)
        places = np.arange(1, len(lines)).reshape(-1, *(1,) * (lines.ndim - 1))
        found[1:] = np.maximum.accumulate(np.where(takes_over, places, 0))
        return np.moveaxis(found, 0, dim)

    return place


def _along(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` along `dim`; a scalar has an axis of its own, as in torch."""

    def forward(a: Any, dim: int) -> Any:
        axis = axis_of(a, dim)
        return np.reshape(function(np.atleast_1d(a), axis), shape_of(a))

    return forward


def _reverse_sum(g: Any, axis: int) -> Any:
    """The sum from each element on to the end."""
    return np.flip(cumsum(np.flip(g, axis), axis), axis)


def _cumprod_rule(g: Any, y: Any, a: Any, dim: int) -> Any:
    axis = axis_of(a, dim)
    if np.size(a) <= 1 or a.shape[axis] == 1:
        return g
    zeros = np.cumsum(np.equal(a, 0), axis=axis)
    if not np.any(zeros):
        return _reverse_sum(g * y, axis) / a
    before = _reverse_sum(where(zeros > 0, 0.0, g * y), axis) / a
    return where(zeros == 0, before, _to_first_zero(g, y, a, zeros, axis))


def _to_first_zero(g: Any, y: Any, a: Any, zeros: Any, axis: int) -> Any:
    """What the first 0 of each line receives, and 0 elsewhere: beyond it no other factor counts.

    That is the product before it, times the upstream gradients up to the second 0, each with the
    product of the elements between. `zeros` counts them up to each element.
    """
    is_first = (zeros == 1) & np.equal(a, 0)
    between = (zeros == 1) & ~is_first
    products = cumprod(where(between, a, 1.0), axis) * where(zeros == 1, g, 0.0)
    place = np.argmax(is_first, axis=axis, keepdims=True)
    before = np.take_along_axis(y, np.maximum(place - 1, 0), axis)
    sent = np.sum(products, axis=axis, keepdims=True) * where(place == 0, 1.0, before)
    return where(is_first, sent, 0.0)


def _sort_grad_fn(application: Application) -> str:
    return f"SortBackward{0 if application.attributes['stable'] is None else 1}"


CUMSUM = operation(
    "cumsum",
    _along(cumsum),
    rule=lambda g, y, a, dim: _along(_reverse_sum)(g, dim),
    vjp="the sums of {g} from each element to the end",
    because="An element counts in its own sum and in all that come after it.",
    notation=lambda dim, **_: f"cumsum({{a}}){axes_text(dim)}",
    words="the running sum along an axis",
    parameters=(INPUT, DIM),
    symbolic=lambda sympy, a, dim: a,
    example="x=[1,2,3], y=cumsum(x, dim=0), z=y.sum()",
)

CUMPROD = in_steps(
    "cumprod",
    _along(cumprod),
    rule=_cumprod_rule,
    vjp="the sums of {g}·{y} from each element to the end, over {a}",
    because="An element is a factor of its own product and of all that come after it.",
    notation=lambda dim, **_: f"cumprod({{a}}){axes_text(dim)}",
    words="the running product along an axis",
    parameters=(INPUT, DIM),
    symbolic=lambda sympy, a, dim: a,
    example="x=[2,3,4], y=cumprod(x, dim=0), z=y.sum()",
)


def _running(name: str, best: np.ufunc, holds: Callable[[Any, Any], Any], words: str) -> Operation:
    """`cummax` or `cummin`."""
    return picking(
        name,
        _running_place(best, holds),
        parameters=(INPUT, DIM),
        words=words,
        because="Each result hands its gradient to the one element that holds the record there.",
        example=f"x=[1,3,2], m={name}(x, dim=0).values, y=m.sum()",
    )


CUMMAX = _running(
    "cummax", np.maximum, np.greater_equal, "the largest element so far, and where it is"
)
CUMMIN = _running(
    "cummin", np.minimum, np.less_equal, "the smallest element so far, and where it is"
)

SORT = picking(
    "sort",
    _order,
    lay_out=as_first,
    parameters=(INPUT, _LAST, Kind.FLAG("descending", False), Kind.FLAG("stable", None)),
    grad_fn=_sort_grad_fn,
    words="the elements in order of size along an axis, and where each was",
    because=_PUT_BACK,
    example="x=[3,1,2], s=x.sort().values, y=s[0]",
)

ARGSORT = operation(
    "argsort",
    lambda a, dim, descending: np.reshape(
        _order(np.atleast_1d(a), axis_of(a, dim), descending), shape_of(a)
    ),
    lay_out=as_first,
    notation=lambda dim, **_: f"argsort({{a}}){axes_text(dim)}",
    torch=lambda torch, a, dim, descending: torch.argsort(
        a, dim=dim, descending=descending, stable=True
    ),
    words="where each element stands in order of size: whole numbers, without a gradient",
    parameters=(
        INPUT,
        _LAST,
        Kind.FLAG("descending", False),
        Kind.FLAG("stable", True, is_ignored=True),
    ),
    example="x=[3,1,2], i=argsort(x), y=x[i][0]",
)

TOPK = picking(
    "topk",
    _top,
    parameters=(
        INPUT,
        Kind.WHOLE("k"),
        _LAST,
        Kind.FLAG("largest", True),
        Kind.FLAG("sorted", True, is_ignored=True),
    ),
    words="the k largest elements along an axis, and where they are",
    because="Only the elements that were picked receive a gradient; of equal ones some are picked.",
    example="x=[3,1,2], t=x.topk(2).values, y=t.sum()",
)

KTHVALUE = picking(
    "kthvalue",
    _kth,
    parameters=(INPUT, Kind.WHOLE("k"), _LAST, KEEPDIM),
    words="the k-th smallest element along an axis, and where it is",
    because="Only the element that was picked receives the gradient; of equal ones one is picked.",
    example="x=[3,1,2], y=x.kthvalue(2).values",
)
