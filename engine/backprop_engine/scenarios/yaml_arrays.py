"""Numbers and arrays written out in a scenario: `2`, `1e-3`, `[[1, 2], [3, 4]]`.

Every function raises ProblemError at the number or the row that is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from backprop_engine.basics.nested import nested_array
from backprop_engine.basics.source import ProblemError
from backprop_engine.basics.values import Dtype, Value, settle
from backprop_engine.scenarios.yaml_document import Listing, Node, Scalar

_INT64 = np.iinfo(np.int64)


def read_value(node: Node, dtype: Dtype) -> Value:
    """A number or a nested list of numbers, as floats of `dtype`."""
    return settle(read_array(node, dtype), dtype)


def read_array(node: Node, dtype: str) -> Any:
    """A number or a nested list as an array of `dtype` (a float type, `int64` or `bool`)."""
    return nested_array(node, _items, _READERS.get(dtype, read_number), dtype)


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
    raise no_truth_value(node)


def no_truth_value(node: Node) -> ProblemError:
    """Something else stands where a truth value should."""
    return ProblemError(f"{written(node)} is not a truth value", node.span, "`true` or `false`")


_READERS: Final[Mapping[str, Callable[[Node], Any]]] = {"int64": _read_int64, "bool": _read_bool}
