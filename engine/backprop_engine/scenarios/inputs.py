"""The section `inputs` of a scenario file: what the leaves are called and hold, or generate."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.nested import check_count, check_rank
from backprop_engine.basics.source import ProblemError, Span, no_float
from backprop_engine.basics.suggestions import listed
from backprop_engine.basics.values import Dtype, Shape, Value, settle
from backprop_engine.program.scenario import Input
from backprop_engine.scenarios.yaml_arrays import (
    no_truth_value,
    read_array,
    read_number,
    read_value,
    read_whole,
    written,
)
from backprop_engine.scenarios.yaml_document import Listing, Node, Scalar, Table


@dataclass(frozen=True, slots=True)
class Generator:
    """One generator: `make(node, *options)`, with None for an option that is not given."""

    make: Callable[..., Any]
    options: tuple[str, ...] = ()


def _read_shape(node: Node) -> Shape:
    """A size, or a list of sizes."""
    items = node.items if isinstance(node, Listing) else (node,)
    shape = tuple(read_whole(item, "a size") for item in items)
    check_rank(len(shape), node.span)
    # Sizes of 0 must not hide others beyond all measure.
    check_count(math.prod(max(size, 1) for size in shape), node.span)
    return shape


def _finite(node: Node) -> float:
    number = read_number(node)
    if not math.isfinite(number):
        raise ProblemError(f"{written(node)} is not finite", node.span, "a finite number")
    return number


def _random(seed: Node | None) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(0 if seed is None else read_whole(seed, "a seed")))


def _full(shape: Node, fill: Node | None) -> Any:
    if fill is None:
        raise ProblemError(
            "`full` needs a `fill`", shape.span, fix="write `{full: SHAPE, fill: NUMBER}`"
        )
    return np.full(_read_shape(shape), read_number(fill))


def _arange(node: Node) -> Any:
    items = node.items if isinstance(node, Listing) else (node,)
    if not 1 <= len(items) <= 3:
        raise ProblemError(
            f"`arange` takes one to three numbers, not {len(items)}",
            node.span,
            "`stop`, `[start, stop]` or `[start, stop, step]`",
        )
    numbers = [_finite(item) for item in items]
    start, stop = (0.0, numbers[0]) if len(numbers) == 1 else numbers[:2]
    step = numbers[2] if len(numbers) == 3 else 1.0
    if step == 0:
        raise ProblemError("the step of `arange` is 0", items[2].span, "any other number")
    check_count((stop - start) / step, node.span)
    return np.arange(start, stop, step)


def _linspace(node: Node) -> Any:
    items = node.items if isinstance(node, Listing) else ()
    if len(items) != 3:
        raise ProblemError("`linspace` takes three numbers", node.span, "`[start, stop, count]`")
    count = read_whole(items[2], "a count")
    check_count(count, items[2].span)
    with np.errstate(all="ignore"):  # the distance may be beyond float64
        return np.linspace(_finite(items[0]), _finite(items[1]), count)


def _eye(node: Node) -> Any:
    size = read_whole(node, "a size")
    check_count(size * size, node.span)
    return np.eye(size)


GENERATORS: Final[Mapping[str, Generator]] = {
    "normal": Generator(
        lambda shape, seed: _random(seed).standard_normal(_read_shape(shape)), ("seed",)
    ),
    "uniform": Generator(lambda shape, seed: _random(seed).random(_read_shape(shape)), ("seed",)),
    "zeros": Generator(lambda shape: np.zeros(_read_shape(shape))),
    "ones": Generator(lambda shape: np.ones(_read_shape(shape))),
    "full": Generator(_full, ("fill",)),
    "arange": Generator(_arange),
    "linspace": Generator(_linspace),
    "eye": Generator(_eye),
}


_FORMS: Final = ("value", *GENERATORS)
_COMMON_OPTIONS: Final = ("requires_grad", "dtype")


def read_input(name: str, span: Span, node: Node, dtype: Dtype) -> Input:
    """One entry of `inputs`: a number, a nested list, or a mapping that says more.

    Raises ProblemError at whatever is wrong with it.
    """
    if not isinstance(node, Table):
        return Input(name, read_value(node, dtype), True, span)
    kind = _read_kind(node, dtype)
    value = _read_specified(node, kind, dtype)
    requires_grad = _read_flag(node.get("requires_grad"), kind.startswith("float"))
    if requires_grad and not kind.startswith("float"):
        flag = node.get("requires_grad") or node
        raise no_float(flag.span, f"`{name}` is {kind}: leave `requires_grad` out")
    return Input(name, value, requires_grad, span)


def _read_flag(node: Node | None, default: bool) -> bool:
    if node is None:
        return default
    if not isinstance(node, Scalar) or node.boolean is None:
        raise no_truth_value(node)
    return node.boolean


def _read_kind(spec: Table, dtype: Dtype) -> str:
    """The dtype of an input given as a mapping: the scenario's, `int64` or `bool`."""
    node = spec.get("dtype")
    if node is None:
        return dtype
    if not isinstance(node, Scalar) or node.text not in ("int64", "bool", dtype):
        raise ProblemError(
            f"an input cannot have the dtype {written(node)}",
            node.span,
            "`int64` or `bool`",
            "the floats have the `dtype` of the scenario",
        )
    return node.text


def _read_specified(spec: Table, kind: str, dtype: Dtype) -> Value:
    """The value of an input given as a mapping."""
    form, node = _chosen_form(spec)
    generator = GENERATORS.get(form)
    own = generator.options if generator else ()
    options = (*own, *_COMMON_OPTIONS)
    spec.check(f" beside `{form}`", options, form)
    if generator is None:
        return settle(read_array(node, kind), dtype)
    array = generator.make(node, *(spec.get(option) for option in own))
    return settle(_cast(array, kind, node), dtype)


def _chosen_form(spec: Table) -> tuple[str, Node]:
    """The one key of a mapping that gives the value, and what stands there."""
    forms = [(key, node) for key, node in spec.entries if key.text in _FORMS]
    if not forms:
        options = {*_COMMON_OPTIONS, *(name for g in GENERATORS.values() for name in g.options)}
        spec.check(" in an input", _FORMS, *options)
        raise ProblemError("this input has no value", spec.span, listed(_FORMS))
    (first, node), *others = forms
    if others:
        second = others[0][0]
        raise ProblemError(
            f"`{first.text}` and `{second.text}` both give the value", second.span, "one of them"
        )
    return first.text, node


def _cast(array: Any, kind: str, node: Node) -> Any:
    """A generated array in another dtype, if that has its values (a float type rounds)."""
    with np.errstate(over="ignore", invalid="ignore"):
        converted = np.asarray(array).astype(kind)
    if not kind.startswith("float") and not np.array_equal(converted, array):
        raise ProblemError(f"these are not values of dtype {kind}", node.span)
    return converted
