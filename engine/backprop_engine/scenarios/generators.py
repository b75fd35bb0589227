"""Generators of arrays: what `{normal: [3, 4], seed: 1}` and its like in a scenario make.

Every generator gives a float64 array; sizes are checked before anything is allocated.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.nested import check_count, check_rank
from backprop_engine.basics.source import ProblemError
from backprop_engine.basics.values import Shape
from backprop_engine.scenarios.yaml_arrays import read_number, read_whole, written
from backprop_engine.scenarios.yaml_document import Listing, Node


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
