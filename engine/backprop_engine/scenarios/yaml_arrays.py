"""Numbers and arrays written out in a scenario: `2`, `1e-3`, `[[1, 2], [3, 4]]`.

Every function raises ProblemError at the number or the row that is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol, TypeVar

import numpy as np

from backprop_engine.basics.limits import MAX_DIMENSIONS, MAX_ELEMENTS
from backprop_engine.basics.source import ProblemError, Span
from backprop_engine.basics.values import Dtype, Shape, Value, settle
from backprop_engine.scenarios.yaml_document import Listing, Node, Scalar

_INT64 = np.iinfo(np.int64)


class _Placed(Protocol):
    """Something that stands in a source."""

    @property
    def span(self) -> Span: ...


_Item = TypeVar("_Item", bound=_Placed)


def read_value(node: Node, dtype: Dtype) -> Value:
    """A number or a nested list of numbers, as floats of `dtype`."""
    return settle(read_array(node, dtype), dtype)


def read_array(node: Node, dtype: str) -> Any:
    """A number or a nested list as an array of `dtype` (a float type, `int64` or `bool`)."""
    return nested_array(node, _items, _READERS.get(dtype, read_number), dtype)


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
            if len(elements) > MAX_ELEMENTS:
                raise ProblemError(f"an array has at most {MAX_ELEMENTS:,} elements", item.span)
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
        if len(shape) > MAX_DIMENSIONS:
            raise ProblemError(f"an array has at most {MAX_DIMENSIONS} dimensions", item.span)
        if not entries:
            break
        item = entries[0]
    return tuple(shape)


def _items(node: Node) -> tuple[Node, ...] | None:
    return node.items if isinstance(node, Listing) else None


def written(node: Node) -> str:
    """What stands in the file, as far as a message can repeat it."""
    if isinstance(node, Scalar):
        return f"`{node.text}`"
    return "a list" if isinstance(node, Listing) else "a mapping"


def read_number(node: Node) -> float:
    """One number as a float64."""
    if not isinstance(node, Scalar):
        raise ProblemError(f"{written(node)} stands where a number should", node.span, "a number")
    if node.number is not None:
        return float(node.number)
    if node.is_null or not node.text.strip():
        raise ProblemError("a number is missing here", node.span, "a number or a list of numbers")
    if node.boolean is not None:
        fix = f"for a mask write `{{value: {node.text}, dtype: bool}}`"
        raise ProblemError(f"`{node.text}` is not a number", node.span, "a number", fix)
    raise ProblemError(
        f"`{node.text}` is not a number",
        node.span,
        "a number such as 2, -0.5 or 1e-3, or a list of numbers",
    )


def read_whole(node: Node, what: str) -> int:
    """One whole number, 0 or more; `what` it is (`a size`) goes into the message."""
    number = node.number if isinstance(node, Scalar) else None
    if number is None or number < 0 or not float(number).is_integer():
        raise ProblemError(f"{written(node)} is not {what}", node.span, "a whole number, 0 or more")
    return int(number)


def _read_int64(node: Node) -> int:
    number = node.number if isinstance(node, Scalar) else None
    if number is None or not float(number).is_integer():
        raise ProblemError(f"{written(node)} is not a whole number", node.span, "an int64")
    if not _INT64.min <= int(number) <= _INT64.max:
        raise ProblemError(f"{written(node)} is too large for int64", node.span)
    return int(number)


def _read_bool(node: Node) -> bool:
    if isinstance(node, Scalar):
        if node.boolean is not None:
            return node.boolean
        if node.number in (0, 1):
            return bool(node.number)
    raise ProblemError(f"{written(node)} is not a truth value", node.span, "`true` or `false`")


_READERS: Final[Mapping[str, Callable[[Node], Any]]] = {"int64": _read_int64, "bool": _read_bool}
