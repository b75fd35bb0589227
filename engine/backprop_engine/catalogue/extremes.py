"""Largest, smallest and middle elements, and how torch shares the gradient where they tie."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from backprop_engine.basics.source import OperandError
from backprop_engine.basics.values import dtype_of, shape_of
from backprop_engine.catalogue.shared.axes import (
    DIM,
    DIMS,
    KEEPDIM,
    Axes,
    axes_of,
    axes_text,
    axis_of,
    kept,
    refuse_empty,
)
from backprop_engine.catalogue.shared.entries import INPUT, operation
from backprop_engine.catalogue.shared.picking import picking
from backprop_engine.operation import Kind, Operation

_SHARED = "Only the elements that are equal to the result count; ties share the gradient evenly."
_OF_ONE = "Only the element that was picked receives the gradient; of equal ones torch picks one."


def _is_chosen(y: Any, a: Any) -> Any:
    """Which elements are the result: equal to it, or NaN where it is NaN."""
    return np.isnan(a) if np.isnan(y) else np.equal(a, y)


def _shared_rule(g: Any, y: Any, a: Any) -> Any:
    """torch's evenly_distribute_backward: the elements equal to the result share evenly."""
    chosen = _is_chosen(y, a)
    return np.where(chosen, np.divide(g, np.count_nonzero(chosen)), np.zeros_like(g))


def _shared_along_rule(g: Any, y: Any, a: Any, dim: Axes, **_: Any) -> Any:
    """torch's scale_grad_by_count, which answers NaN where the result is NaN."""
    chosen = np.equal(a, kept(y, a, dim))
    count = np.sum(chosen, axis=axes_of(a, dim), keepdims=True)
    return kept(g, a, dim) * chosen / count


def _tied_in_all(extreme: Callable[..., Any]) -> Callable[..., Any]:
    """Which elements share the gradient of `extreme` of all elements with another."""

    def tied(a: Any) -> Any:
        chosen = _is_chosen(extreme(a), a)
        return chosen & (np.count_nonzero(chosen) > 1)

    return tied


def _tied_along(extreme: Callable[..., Any]) -> Callable[..., Any]:
    """The same along axes."""

    def tied(a: Any, dim: Axes, **_: Any) -> Any:
        axes = axes_of(a, dim)
        chosen = np.equal(a, extreme(a, axis=axes, keepdims=True))
        return chosen & (np.sum(chosen, axis=axes, keepdims=True) > 1)

    return tied


def _whole(name: str, extreme: Callable[..., Any], words: str, grad_fn: str) -> Operation:
    """`max` or `min` of all elements."""

    def forward(a: Any) -> Any:
        refuse_empty(a, None, name)
        return extreme(a)

    return operation(
        name,
        forward,
        rule=_shared_rule,
        vjp=f"{{g}} where {{a}} is its {name}, shared evenly; 0 elsewhere",
        because=_SHARED,
        grad_fn=grad_fn,
        words=words,
        tied=_tied_in_all(extreme),
        symbolic=lambda sympy, a: a,
        example=f"x=[3,1,3], y={name}(x)",
    )


def _along(name: str, extreme: Callable[..., Any], words: str) -> Operation:
    """`amax` or `amin`."""

    def forward(a: Any, dim: Axes, keepdim: bool) -> Any:
        refuse_empty(a, dim, name)
        return extreme(a, axis=axes_of(a, dim), keepdims=keepdim)

    return operation(
        name,
        forward,
        rule=_shared_along_rule,
        vjp="{g} where {a} is {y}, shared evenly; 0 elsewhere",
        because=_SHARED,
        notation=lambda dim, **_: f"{name}({{a}}){axes_text(dim)}",
        words=words,
        parameters=(INPUT, DIMS, KEEPDIM),
        tied=_tied_along(extreme),
        symbolic=lambda sympy, a, **_: a,
        example=f"A=[[1,4],[3,2]], m={name}(A, dim=1), y=m.sum()",
    )


def _position(name: str, extreme: Callable[..., Any], words: str) -> Operation:
    """`argmax` or `argmin`: a whole number, so without a gradient."""

    def forward(a: Any, dim: int | None, keepdim: bool) -> Any:
        refuse_empty(a, dim, name)
        if dtype_of(a) == "bool":
            raise OperandError(f"`{name}` does not support truth values", "write `mask.float()`")
        if not shape_of(a):
            return 0 * axis_of(a, 0 if dim is None else dim)
        return extreme(a, axis=dim, keepdims=keepdim)

    return operation(
        name,
        forward,
        notation=lambda dim, **_: f"{name}({{a}}){axes_text(dim)}",
        words=words,
        parameters=(INPUT, Kind.AXIS("dim", None, aliases=("axis",)), KEEPDIM),
        example=f"x=[2,5,1], i={name}(x), y=x[i]",
    )


def _median(a: Any) -> Any:
    if np.size(a) == 0:
        return np.asarray(np.nan, np.asarray(a).dtype)
    if np.isnan(a).any():
        return np.asarray(np.nan, np.asarray(a).dtype)
    return np.sort(a, axis=None)[(np.size(a) - 1) // 2]


def _median_place(a: Any, dim: int) -> Any:
    """Of an even number of elements the lower middle one; the first NaN if there is one."""
    refuse_empty(a, dim, "median")
    order = np.argsort(a, axis=dim, kind="stable")
    middle = np.take(order, [(a.shape[dim] - 1) // 2], axis=dim)
    missing = np.isnan(a)
    first_missing = np.argmax(missing, axis=dim, keepdims=True)
    return np.where(missing.any(axis=dim, keepdims=True), first_missing, middle)


def _is_repeated(operands: Sequence[Any], *_: Any) -> bool:
    """Whether elements are one in memory, as after `expand`: torch sorts them in place there."""
    shape, steps = shape_of(operands[0]), getattr(operands[0], "strides", ())
    return any(step == 0 and size > 1 for step, size in zip(steps, shape, strict=True))


def _picked(name: str, extreme: Callable[..., Any], words: str) -> Operation:
    """`max` or `min` along an axis."""

    def place(a: Any, dim: int) -> Any:
        refuse_empty(a, dim, name)
        return extreme(a, axis=dim, keepdims=True)

    return picking(
        f"{name}.dim",
        place,
        parameters=(INPUT, DIM, KEEPDIM),
        words=words,
        because=_OF_ONE,
        example=f"A=[[1,4],[3,2]], m=A.{name}(dim=1).values, y=m.sum()",
    )


MAX = _whole("max", np.max, "the largest element", "MaxBackward1")
MAX_DIM = _picked("max", np.argmax, "the largest element along an axis, and where it is")

MIN = _whole("min", np.min, "the smallest element", "MinBackward1")
MIN_DIM = _picked("min", np.argmin, "the smallest element along an axis, and where it is")

AMAX = _along("amax", np.max, "the largest element, or along axes")
AMIN = _along("amin", np.min, "the smallest element, or along axes")
ARGMAX = _position("argmax", np.argmax, "where the largest element is: the first of equal ones")
ARGMIN = _position("argmin", np.argmin, "where the smallest element is: the first of equal ones")

MEDIAN = operation(
    "median",
    _median,
    rule=_shared_rule,
    vjp="{g} where {a} is its median, shared evenly; 0 elsewhere",
    because=_SHARED,
    words="the middle element in order of size; the lower one of two",
    tied=_tied_in_all(_median),
    symbolic=lambda sympy, a: a,
    example="x=[5,1,3], y=median(x)",
)

MEDIAN_DIM = picking(
    "median.dim",
    _median_place,
    parameters=(INPUT, DIM, KEEPDIM),
    grad_fn="MedianBackward1",
    words="the middle element along an axis, and where it is",
    because=_OF_ONE,
    unsettled=_is_repeated,
    example="A=[[1,4,2],[3,2,5]], m=A.median(dim=1).values, y=m.sum()",
)
