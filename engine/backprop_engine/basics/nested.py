"""Arrays that are written as lists of lists, in whatever syntax."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

import numpy as np

from backprop_engine.basics.limits import MAX_DIMENSIONS, MAX_ELEMENTS
from backprop_engine.basics.source import ProblemError, Span
from backprop_engine.basics.values import Shape


class _Placed(Protocol):
    """Something that stands in a source."""

    @property
    def span(self) -> Span: ...


_Item = TypeVar("_Item", bound=_Placed)


def nested_array(
    root: _Item,
    items: Callable[[_Item], Sequence[_Item] | None],
    element: Callable[[_Item], Any],
    dtype: str,
) -> np.ndarray:
    """The array that a tree of lists stands for; it may have no dimensions at all.

    `items` gives the entries of a list and None for what is no list, `element` the value of one
    entry of the array.
    """
    shape = _first_shape(root, items)
    elements: list[Any] = []
    pending = [(root, 0)]
    while pending:
        item, depth = pending.pop()
        if depth == len(shape):
            elements.append(element(item))
            check_count(len(elements), item.span)
            continue
        entries = items(item)
        if entries is None:
            message = "a number stands where the first row has a list"
            raise ProblemError(message, item.span, "lists of one depth")
        if len(entries) != shape[depth]:
            message = f"this row has length {len(entries)}, the first has length {shape[depth]}"
            raise ProblemError(message, item.span, "rows of one length")
        pending.extend((entry, depth + 1) for entry in reversed(entries))
    with np.errstate(over="ignore"):
        return np.array(elements, dtype).reshape(shape)


def _first_shape(item: _Item, items: Callable[[_Item], Sequence[_Item] | None]) -> Shape:
    """The shape, if every list is like the first in it."""
    shape: list[int] = []
    while (entries := items(item)) is not None:
        shape.append(len(entries))
        check_rank(len(shape), item.span)
        if not entries:
            break
        item = entries[0]
    return tuple(shape)


def check_count(count: float, span: Span) -> None:
    """Raise ProblemError for more elements than an array may have."""
    if count > MAX_ELEMENTS:
        raise ProblemError(f"an array has at most {MAX_ELEMENTS:,} elements", span)


def check_rank(rank: int, span: Span) -> None:
    """Raise ProblemError for more axes than an array may have."""
    if rank > MAX_DIMENSIONS:
        raise ProblemError(f"an array has at most {MAX_DIMENSIONS} dimensions", span)
