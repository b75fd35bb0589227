"""Inputs and other values of a scenario file: numbers, nested lists and generators of arrays."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from backprop_engine.scenario import Input
from backprop_engine.source import ProblemError, Span
from backprop_engine.suggestions import did_you_mean, listed
from backprop_engine.values import Dtype, Shape, Value, settle
from backprop_engine.yaml_document import Listing, Node, Scalar, Table

MAX_ELEMENTS: Final = 10_000_000
"""Elements of one array."""

MAX_DIMENSIONS: Final = 32
"""Dimensions of one array."""

_INT64 = np.iinfo(np.int64)


def read_input(name: str, span: Span, node: Node, dtype: Dtype) -> Input:
    """One entry of `inputs`. Raises ProblemError at whatever is wrong with it."""
    if not isinstance(node, Table):
        return Input(name, read_value(node, dtype), True, span)
    kind = _kind(node, dtype)
    value = _specified(node, kind, dtype)
    requires_grad = _flag(node, "requires_grad", kind.startswith("float"))
    if requires_grad and not kind.startswith("float"):
        at = node.get("requires_grad")
        raise ProblemError(
            "only Tensors of floating point dtype can require gradients",
            at.span if at else span,
            fix=f"`{name}` is {kind}: leave `requires_grad` out",
        )
    return Input(name, value, requires_grad, span)


def read_value(node: Node, dtype: Dtype) -> Value:
    """A number or a nested list of numbers, as floats of `dtype`."""
    return settle(read_array(node, np.dtype(dtype)), dtype)


def read_array(node: Node, dtype: np.dtype[Any]) -> Any:
    """A number or a nested list as an array of `dtype`. Raises ProblemError where it is ragged."""
    elements: list[Any] = []
    shape = _shape_of(node)
    _collect(node, shape, elements, _element_reader(dtype))
    with np.errstate(over="ignore"):
        return np.array(elements, dtype).reshape(shape)


def _shape_of(node: Node) -> Shape:
    """The shape, if every list is like the first in it."""
    shape: list[int] = []
    while isinstance(node, Listing):
        shape.append(len(node.items))
        if len(shape) > MAX_DIMENSIONS:
            raise ProblemError(f"an array has at most {MAX_DIMENSIONS} dimensions", node.span)
        if not node.items:
            break
        node = node.items[0]
    return tuple(shape)


def _collect(node: Node, shape: Shape, elements: list[Any], element: Callable[[Node], Any]) -> None:
    """Append the elements of a nested list; its depth is at most MAX_DIMENSIONS."""
    if not shape:
        elements.append(element(node))
        if len(elements) > MAX_ELEMENTS:
            raise ProblemError(f"an array has at most {MAX_ELEMENTS:,} elements", node.span)
        return
    if not isinstance(node, Listing):
        raise ProblemError(
            "the lists of an array must all be equally deep", node.span, f"a list of {shape[0]}"
        )
    if len(node.items) != shape[0]:
        raise ProblemError(
            f"this row has {len(node.items)} entries, the first one has {shape[0]}",
            node.span,
            "rows of one length",
        )
    for item in node.items:
        _collect(item, shape[1:], elements, element)


def _element_reader(dtype: np.dtype[Any]) -> Callable[[Node], Any]:
    if dtype.kind == "f":
        return read_number
    return read_boolean if dtype.kind == "b" else read_integer


def read_number(node: Node) -> float:
    """One number as a float64."""
    number = node.number if isinstance(node, Scalar) else None
    if number is not None:
        return float(number)
    if isinstance(node, Listing):
        raise ProblemError("a list stands where a number should", node.span, "a number")
    if isinstance(node, Table):
        raise ProblemError("a mapping stands where a number should", node.span, "a number")
    if node.boolean is not None:
        raise ProblemError(
            f"`{node.text}` is not a number",
            node.span,
            "a number",
            "for a mask write `{value: …, dtype: bool}`",
        )
    shown = f"`{node.text}` is not a number" if node.text.strip() else "a number is missing here"
    raise ProblemError(shown, node.span, "a number such as 2, -0.5 or 1e-3, or a list of numbers")


def read_integer(node: Node) -> int:
    """One whole number in the range of int64."""
    number = read_number(node)
    exact = node.number if isinstance(node, Scalar) else None
    if not number.is_integer() or not _INT64.min <= int(exact or 0) <= _INT64.max:
        raise ProblemError(f"`{_text(node)}` is not a whole number of int64", node.span)
    return int(exact or 0)


def read_boolean(node: Node) -> bool:
    """`true` or `false`; 1 and 0 count too."""
    if isinstance(node, Scalar):
        if node.boolean is not None:
            return node.boolean
        if node.number in (0, 1):
            return bool(node.number)
    raise ProblemError(f"`{_text(node)}` is not a truth value", node.span, "`true` or `false`")


def _text(node: Node) -> str:
    if isinstance(node, Scalar):
        return node.text
    return "a list" if isinstance(node, Listing) else "a mapping"


def _flag(spec: Table, key: str, default: bool) -> bool:
    node = spec.get(key)
    if node is None:
        return default
    if not isinstance(node, Scalar) or node.boolean is None:
        raise ProblemError(f"`{key}` is true or false", node.span, "`true` or `false`")
    return node.boolean


def _kind(spec: Table, dtype: Dtype) -> str:
    """The dtype of an input given as a mapping."""
    node = spec.get("dtype")
    if node is None:
        return dtype
    if _text(node) not in ("int64", "bool", dtype):
        raise ProblemError(
            f"an input's dtype is int64 or bool, not `{_text(node)}`",
            node.span,
            "`int64` or `bool`",
            "the `dtype` of the scenario is that of all its floats",
        )
    return _text(node)


def _specified(spec: Table, kind: str, dtype: Dtype) -> Value:
    """The value of an input given as a mapping."""
    recipes = [(key, node) for key, node in spec.entries if key.text in RECIPES]
    if not recipes:
        unknown = next((key for key, _ in spec.entries if key.text not in _OPTIONS), None)
        hint = did_you_mean(unknown.text, [*RECIPES, *_OPTIONS]) if unknown else ""
        raise ProblemError(
            f"unknown key `{unknown.text}`" if unknown else "this input has no value",
            unknown.span if unknown else spec.span,
            listed(RECIPES),
            hint,
        )
    (key, node), *others = recipes
    if others:
        raise ProblemError(
            f"`{key.text}` and `{others[0][0].text}` both give the value",
            others[0][0].span,
            "one of them",
        )
    options = ("requires_grad", "dtype", *_OWN_OPTIONS.get(key.text, ()))
    for option, _ in spec.entries:
        if option.text not in (key.text, *options):
            raise ProblemError(
                f"unknown key `{option.text}` beside `{key.text}`",
                option.span,
                listed(options),
                did_you_mean(option.text, options),
            )
    if key.text == "value":
        return settle(read_array(node, np.dtype(kind)), dtype)
    array = RECIPES[key.text](node, spec)
    return settle(_cast(array, kind, node.span), dtype)


def _cast(array: Any, kind: str, span: Span) -> Any:
    if kind.startswith("float"):
        with np.errstate(over="ignore"):
            return np.asarray(array, kind)
    with np.errstate(invalid="ignore"):
        converted = np.asarray(array).astype(kind)
    if not np.array_equal(converted, array):
        raise ProblemError(f"these are not values of dtype {kind}", span)
    return converted


def _size(node: Node) -> int:
    number = node.number if isinstance(node, Scalar) else None
    if number is None or not float(number).is_integer() or number < 0:
        raise ProblemError(f"`{_text(node)}` is not a size", node.span, "a whole number, 0 or more")
    return int(number)


def _read_shape(node: Node) -> Shape:
    """A size, or a list of sizes; at most MAX_ELEMENTS elements in all."""
    items = node.items if isinstance(node, Listing) else (node,)
    shape = tuple(_size(item) for item in items)
    if len(shape) > MAX_DIMENSIONS:
        raise ProblemError(f"an array has at most {MAX_DIMENSIONS} dimensions", node.span)
    _check_count(math.prod(shape), node)
    return shape


def _check_count(count: float, node: Node) -> None:
    if count > MAX_ELEMENTS:
        raise ProblemError(f"an array has at most {MAX_ELEMENTS:,} elements", node.span)


def _finite(node: Node) -> float:
    number = read_number(node)
    if not math.isfinite(number):
        raise ProblemError(f"`{_text(node)}` is not finite", node.span, "a finite number")
    return number


def _generator(spec: Table) -> np.random.Generator:
    node = spec.get("seed")
    seed = 0 if node is None else _size(node)
    return np.random.Generator(np.random.PCG64(seed))


def _full(node: Node, spec: Table) -> Any:
    fill = spec.get("fill")
    if fill is None:
        raise ProblemError("`full` needs a `fill`", node.span, "`{full: SHAPE, fill: NUMBER}`")
    return np.full(_read_shape(node), read_number(fill))


def _arange(node: Node, spec: Table) -> Any:
    items = node.items if isinstance(node, Listing) else (node,)
    if not 1 <= len(items) <= 3:
        raise ProblemError(
            f"`arange` takes one to three numbers, not {len(items)}",
            node.span,
            "`[start, stop, step]`",
        )
    numbers = [_finite(item) for item in items]
    start, stop = (0.0, numbers[0]) if len(numbers) == 1 else numbers[:2]
    step = numbers[2] if len(numbers) == 3 else 1.0
    if step == 0:
        raise ProblemError("the step of `arange` is 0", items[2].span, "any other number")
    _check_count((stop - start) / step, node)
    return np.arange(start, stop, step)


def _linspace(node: Node, spec: Table) -> Any:
    items = node.items if isinstance(node, Listing) else ()
    if len(items) != 3:
        raise ProblemError("`linspace` takes three numbers", node.span, "`[start, stop, count]`")
    count = _size(items[2])
    _check_count(count, items[2])
    return np.linspace(_finite(items[0]), _finite(items[1]), count)


def _eye(node: Node, spec: Table) -> Any:
    size = _size(node)
    _check_count(size * size, node)
    return np.eye(size)


RECIPES: Final[Mapping[str, Callable[[Node, Table], Any]]] = {
    "value": lambda node, spec: None,
    "normal": lambda node, spec: _generator(spec).standard_normal(_read_shape(node)),
    "uniform": lambda node, spec: _generator(spec).random(_read_shape(node)),
    "zeros": lambda node, spec: np.zeros(_read_shape(node)),
    "ones": lambda node, spec: np.ones(_read_shape(node)),
    "full": _full,
    "arange": _arange,
    "linspace": _linspace,
    "eye": _eye,
}
"""How the value of an input can be given."""

_OWN_OPTIONS: Final = {"normal": ("seed",), "uniform": ("seed",), "full": ("fill",)}
_OPTIONS: Final = ("requires_grad", "dtype", "seed", "fill")
