"""Joining several values into one, and cutting one into several."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from backprop_engine.basics.memory_order import open_unless_by_rows
from backprop_engine.basics.source import OperandError
from backprop_engine.basics.values import Shape, shape_of
from backprop_engine.budget import check_elements
from backprop_engine.catalogue.shared.axes import axis_of
from backprop_engine.catalogue.shared.entries import INPUT, operation
from backprop_engine.catalogue.shared.picking import put_at
from backprop_engine.operation import (
    OPERAND_LETTERS,
    Application,
    Kind,
    Numbers,
    Operation,
    Parameter,
    Sharing,
)

_TENSORS = Kind.OPERANDS("tensors")
_FIRST = Kind.AXIS("dim", 0, aliases=("axis",))
_PART = "Only the elements of this part receive a gradient from it."
_joining = partial(
    operation,
    vjp="the part of {g} that this operand fills",
    because="Joining changes no number: each operand gets back its own part of the gradient.",
    lay_out=open_unless_by_rows,
    variadic=True,
)


def _joined(values: tuple[Any, ...], axis: int, name: str) -> Any:
    """The values side by side; OperandError where the other axes differ."""
    if not values:
        raise OperandError(f"`{name}` needs at least one value", f"such as `{name}([a, b])`")
    # An empty vector joins with anything, as torch has always let it.
    shapes = [shape_of(value) for value in values]
    parts = [value for value in values if shape_of(value) != (0,)] or list(values)
    first = shape_of(parts[0])
    if not first:
        raise OperandError(f"`{name}` cannot join single numbers", "use `stack`")
    check_elements(sum(map(np.size, parts)))
    at = axis_of(parts[0], axis)
    for shape in map(shape_of, parts[1:]):
        same = (*first[:at], *first[at + 1 :]) == (*shape[:at], *shape[at + 1 :])
        if len(shape) != len(first) or not same:
            raise OperandError(
                f"`{name}` cannot join shapes {' and '.join(map(str, dict.fromkeys(shapes)))}",
                f"but for axis {at} they must be equal",
            )
    return np.concatenate(parts, axis=at)


def _part(g: Any, shapes: list[Shape], axis: int, position: int) -> Any:
    """What one operand filled of a join along `axis`."""
    shape = shapes[position]
    if shape == (0,) and len(shape_of(g)) != 1:
        return np.zeros(0, np.asarray(g).dtype)
    at = axis_of(g, axis)
    start = sum(shape[at] for shape in shapes[:position] if shape != (0,))
    return g[(*(slice(None),) * at, slice(start, start + shape[at]))]


def _stack(values: tuple[Any, ...], dim: int) -> Any:
    shapes = list(dict.fromkeys(map(shape_of, values)))
    if len(shapes) > 1:
        raise OperandError(
            f"`stack` cannot join shapes {' and '.join(map(str, shapes))}",
            "they must be equal; `cat` joins along an axis that is there",
        )
    check_elements(sum(map(np.size, values)))
    return np.stack(values, axis=dim)


def _columns(values: tuple[Any, ...]) -> tuple[tuple[Any, ...], int]:
    """For `hstack`: at least vectors, and the axis they are joined along."""
    grown = tuple(np.atleast_1d(value) for value in values)
    return grown, 0 if not grown or grown[0].ndim == 1 else 1


def _hstack(values: tuple[Any, ...]) -> Any:
    grown, axis = _columns(values)
    return _joined(grown, axis, "hstack")


def _hstack_rule(g: Any, _y: Any, *values: Any, position: int) -> Any:
    grown, axis = _columns(values)
    part = _part(g, [operand.shape for operand in grown], axis, position)
    return np.reshape(part, shape_of(values[position]))


def _vstack_rule(g: Any, _y: Any, *values: Any, position: int) -> Any:
    part = _part(g, [np.atleast_2d(value).shape for value in values], 0, position)
    return np.reshape(part, shape_of(values[position]))


def _items(numbers: Numbers) -> str:
    """The operands as a list: `[{a}, {b}]`, with dots for those beyond the last letter."""
    named = [f"{{{letter}}}" for letter in OPERAND_LETTERS[: len(numbers)]]
    return f"[{', '.join(named)}{', …' if len(named) == len(OPERAND_LETTERS) else ''}]"


def _along(function: str) -> Callable[..., str]:
    def text(numbers: Numbers, dim: int, **_: Any) -> str:
        return f"{function}({_items(numbers)}) along axis {dim}".replace("-", "−")

    return text


def _sections(a: Any, size: int | tuple[int, ...], dim: int) -> list[int]:
    """How long each part of a split is."""
    if not shape_of(a):
        raise OperandError("`split` cannot cut a single number", "make it a vector: `x.reshape(1)`")
    length = shape_of(a)[axis_of(a, dim)]
    if isinstance(size, int):
        if size <= 0:
            raise OperandError(
                f"`split` cannot cut parts of {size} elements",
                "give sizes of 0 or more, which add up to the length of the axis",
            )
        return [min(size, length - start) for start in range(0, max(length, 1), size)]
    if sum(size) != length or min(size, default=0) < 0:
        raise OperandError(
            f"`split` into {size} needs {sum(size)} elements, but axis {dim} of shape "
            f"{shape_of(a)} has {length}",
            "the sizes must add up to the length of the axis",
        )
    return list(size)


def _chunk_sections(a: Any, chunks: int, dim: int) -> list[int]:
    if chunks < 1 or not shape_of(a):
        raise OperandError(
            f"`chunk` cannot cut shape {shape_of(a)} into {chunks}",
            "give an axis, and 1 part or more",
        )
    length = shape_of(a)[axis_of(a, dim)]
    return _sections(a, max(-(-length // chunks), 1), dim)


def _cut(a: Any, sections: list[int], dim: int, output: int) -> tuple[Any, ...]:
    """The key of one part."""
    start = sum(sections[:output])
    return (*(slice(None),) * axis_of(a, dim), slice(start, start + sections[output]))


def _numbers(count: int) -> tuple[str, ...]:
    return tuple(map(str, range(count)))


def _unbind_key(a: Any, dim: int, output: int) -> tuple[Any, ...]:
    if not shape_of(a):
        raise OperandError(
            "`unbind` cannot cut a single number", "make it a vector: `x.reshape(1)`"
        )
    return (*(slice(None),) * axis_of(a, dim), output)


def _split_grad_fn(application: Application) -> str:
    is_even = isinstance(application.attributes["split_size_or_sections"], int)
    return "SplitBackward0" if is_even else "SplitWithSizesBackward0"


CAT = _joining(
    "cat",
    lambda *values, dim: _joined(values, dim, "cat"),
    rule=lambda g, y, *values, dim, position: _part(
        g, [shape_of(value) for value in values], dim, position
    ),
    notation=_along("cat"),
    words="values joined along an axis they have",
    parameters=(_TENSORS, _FIRST),
    functions=("cat", "concat", "concatenate"),
    example="a=[1,2], b=[3], c=cat([a, b]), y=c@c",
)

STACK = _joining(
    "stack",
    lambda *values, dim: _stack(values, dim),
    rule=lambda g, _y, *_values, dim, position: np.moveaxis(g, dim, 0)[position],
    notation=_along("stack"),
    words="values of one shape joined along a new axis",
    parameters=(_TENSORS, _FIRST),
    example="a=2, b=3, c=stack([a, b]), y=c@c",
)

HSTACK = _joining(
    "hstack",
    lambda *values: _hstack(values),
    rule=_hstack_rule,
    notation=lambda numbers, **_: f"hstack({_items(numbers)})",
    grad_fn="CatBackward0",
    words="values joined column by column; vectors end to end",
    parameters=(_TENSORS,),
    example="a=[1,2], b=[3], c=hstack([a, b]), y=c@c",
)

VSTACK = _joining(
    "vstack",
    lambda *values: _joined(tuple(np.atleast_2d(value) for value in values), 0, "vstack"),
    rule=_vstack_rule,
    notation=lambda numbers, **_: f"vstack({_items(numbers)})",
    grad_fn="CatBackward0",
    words="values joined row by row; a vector is a row",
    parameters=(_TENSORS,),
    functions=("vstack", "row_stack"),
    example="a=[1,2], b=[3,4], M=vstack([a, b]), y=(M@M).sum()",
)


def _cutting(name: str, sections: Callable[..., list[int]], size: str, **entry: Any) -> Operation:
    """`split` or `chunk`: `sections(a, size, dim)` are how long the parts are."""

    def key(a: Any, how: dict[str, Any]) -> tuple[Any, ...]:
        return _cut(a, sections(a, how[size], how["dim"]), how["dim"], how["output"])

    return operation(
        name,
        lambda a, **how: a[key(a, how)],
        rule=lambda g, y, a, **how: put_at(a, key(a, how), g),
        vjp="{g}, put back as part {output} of {a}; 0 elsewhere",
        because=_PART,
        notation=f"part {{output}} of {name}({{a}}, {{{size}}})",
        sharing=Sharing.ALWAYS,
        outputs=lambda a, **how: _numbers(len(sections(a, how[size], how["dim"]))),
        **entry,
    )


SPLIT = _cutting(
    "split",
    _sections,
    "split_size_or_sections",
    grad_fn=_split_grad_fn,
    words="a value cut along an axis into parts of a given size",
    parameters=(
        Parameter("tensor", aliases=("input",)),
        Kind.SIZES("split_size_or_sections", aliases=("split_size",)),
        _FIRST,
    ),
    example="x=[1,2,3,4], a, b = x.split(2), y=a@b",
)

CHUNK = _cutting(
    "chunk",
    _chunk_sections,
    "chunks",
    grad_fn="SplitBackward0",
    words="a value cut along an axis into a given number of parts",
    parameters=(INPUT, Kind.WHOLE("chunks"), _FIRST),
    example="x=[1,2,3,4], a, b = x.chunk(2), y=a@b",
)

UNBIND = operation(
    "unbind",
    lambda a, dim, output: a[_unbind_key(a, dim, output)],
    rule=lambda g, y, a, dim, output: put_at(a, _unbind_key(a, dim, output), g),
    vjp="{g}, put back as slice {output} of {a}; 0 elsewhere",
    because=_PART,
    notation="slice {output} of unbind({a}, {dim})",
    sharing=Sharing.ALWAYS,
    words="a value cut along an axis into its slices, and the axis dropped",
    parameters=(INPUT, _FIRST),
    outputs=lambda a, dim, **_: _numbers(shape_of(a)[axis_of(a, dim)] if shape_of(a) else 0),
    example="x=[2,3], a, b = x.unbind(), y=a*b",
)
