"""Operations that put values into a copy: `masked_fill`, `scatter`, `index_add` and their like.

What was overwritten has lost its influence and receives 0.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from backprop_engine.basics.memory_order import as_first, by_rows
from backprop_engine.basics.source import OperandError
from backprop_engine.basics.values import shape_of, unbroadcast
from backprop_engine.catalogue.indexing import NO_GRADIENT, in_range, mask_of, whole
from backprop_engine.catalogue.shared.axes import DIM, axis_of
from backprop_engine.catalogue.shared.entries import INPUT, autograd_node, operation
from backprop_engine.catalogue.shared.picking import cleared_at, put_at
from backprop_engine.operation import Derivative, Kind, Operation, Parameter

_KEPT = "What was overwritten has lost its influence and receives 0; the rest passes unchanged."
_PUT_IN = "Each value receives the gradient of the places it was put into."
_ADDED = "Adding to it changes nothing for what was there: the gradient passes unchanged."
_TAKEN = "Each term receives the gradient of the place it was added to."


def _masked_fill(a: Any, mask: Any, value: Any) -> Any:
    if shape_of(value):
        raise OperandError(
            f"`masked_fill` takes one number to fill in, not shape {shape_of(value)}",
            "use `where(mask, values, x)`",
        )
    truth = mask_of(mask, "masked_fill")
    try:
        return np.where(truth, np.asarray(value, np.asarray(a).dtype), a)
    except ValueError:
        raise OperandError(
            f"`masked_fill` cannot broadcast shapes {shape_of(a)} and {truth.shape}",
            "compared from the last axis on, sizes must be equal, or one of them 1",
        ) from None


def _places(a: Any, dim: int, index: Any, source: Any, name: str) -> tuple[Any, ...]:
    """Where `scatter` puts each element of `source`: one array of indices for each axis."""
    shape, places = shape_of(a) or (1,), np.atleast_1d(whole(index, name))
    axis = axis_of(a, dim)
    parts = np.atleast_1d(source) if shape_of(source) else np.broadcast_to(source, places.shape)
    fits = len(places.shape) == len(shape) == parts.ndim and all(
        size <= parts.shape[at] and (at == axis or size <= shape[at])
        for at, size in enumerate(places.shape)
    )
    if not fits and places.size:
        raise OperandError(
            f"`{name}` cannot put shape {shape_of(source)} into {shape_of(a)} by an index of shape "
            f"{shape_of(index)}",
            "the index must have as many axes, and be no longer than either",
        )
    found: list[Any] = list(np.indices(places.shape, sparse=True))
    found[axis] = in_range(places, shape[axis], name)
    return tuple(found)


def _within(index: Any) -> tuple[slice, ...]:
    """The part of the source that an index of this shape reads."""
    return tuple(slice(size) for size in np.atleast_1d(index).shape)


def _scatter(a: Any, index: Any, source: Any, dim: int) -> Any:
    places = _places(a, dim, index, source, "scatter")
    filled = np.atleast_1d(np.array(a, order="C"))
    filled[places] = np.atleast_1d(source)[_within(index)] if shape_of(source) else source
    return np.reshape(filled, shape_of(a))


def _scatter_rule(g: Any, _y: Any, a: Any, index: Any, source: Any, dim: int) -> Any:
    return np.reshape(cleared_at(g, _places(a, dim, index, source, "scatter")), shape_of(a))


def _scatter_add(a: Any, index: Any, source: Any, dim: int) -> Any:
    if len(shape_of(source)) != len(shape_of(a)):
        raise OperandError(
            f"`scatter_add` needs a source with as many axes as the input; the shapes are "
            f"{shape_of(a)} and {shape_of(source)}",
            "give input and source as many axes as each other",
        )
    total = np.atleast_1d(np.array(a, order="C"))
    places = _places(a, dim, index, source, "scatter_add")
    np.add.at(total, places, np.atleast_1d(source)[_within(index)])
    return np.reshape(total, shape_of(a))


def _source_rule(g: Any, _y: Any, a: Any, index: Any, source: Any, dim: int) -> Any:
    """Each element of the source looks up the gradient of its place."""
    if not np.size(index):
        return np.zeros_like(source)
    picked = np.atleast_1d(g)[_places(a, dim, index, source, "scatter")]
    if not shape_of(source):
        return np.sum(picked)
    return put_at(source, _within(index), picked)


def _rows(a: Any, index: Any, dim: int, name: str) -> tuple[Any, ...]:
    """A key for the slices along `dim` that a vector of indices names."""
    places = np.atleast_1d(whole(index, name))
    axis = axis_of(a, dim)
    if places.ndim > 1:
        raise OperandError(
            f"`{name}` takes slices by a vector of indices; the shapes are {shape_of(a)} and "
            f"{places.shape}",
            "flatten the index: `i.flatten()`",
        )
    return (*(slice(None),) * axis, in_range(places, (shape_of(a) or (1,))[axis], name))


def _index_add(a: Any, index: Any, source: Any, dim: int, alpha: float) -> Any:
    key = _rows(a, index, dim, "index_add")
    total = np.atleast_1d(np.array(a, order="C"))
    if shape_of(source) != (total[key].shape if shape_of(a) else ()):
        raise OperandError(
            f"`index_add` adds shape {total[key].shape} here, not {shape_of(source)}",
            "one slice for each index",
        )
    np.add.at(total, key, source if alpha == 1 else alpha * source)
    return np.reshape(total, shape_of(a))


def _index_fill(a: Any, index: Any, value: Any, dim: int) -> Any:
    if shape_of(value):
        raise OperandError(
            f"`index_fill` takes one number to fill in, not shape {shape_of(value)}",
            "use `index_add`, or write to the elements: `y[i] = values`",
        )
    filled = np.atleast_1d(np.array(a))
    filled[_rows(a, index, dim, "index_fill")] = value
    return np.reshape(filled, shape_of(a))


def _index_fill_rule(g: Any, _y: Any, a: Any, index: Any, _value: Any, dim: int) -> Any:
    return np.reshape(cleared_at(g, _rows(a, index, dim, "index_fill")), shape_of(a))


def _filled_by_rule(g: Any, _y: Any, a: Any, index: Any, _value: Any, dim: int) -> Any:
    """torch counts an index that is given twice once: the place was filled once."""
    return np.sum(np.atleast_1d(g)[_rows(a, np.unique(index), dim, "index_fill")])


def _masked_rule(g: Any, _y: Any, a: Any, mask: Any, *_: Any, **__: Any) -> Any:
    return unbroadcast(np.where(mask, np.zeros_like(g), g), shape_of(a))


def _filling(
    name: str,
    forward: Callable[..., Any],
    rules: tuple[Callable[..., Any], Callable[..., Any]],
    parameters: tuple[Parameter, ...],
    texts: tuple[str, str, str],
    shown: tuple[str, str, str, str],
) -> tuple[Operation, Operation]:
    """An operation that fills in a Python number, and its other form that fills in a tensor.

    They are two as in torch: a number is an attribute and has no gradient. `texts` are what they do
    and the two vjps, `shown` a leaf, what is put into it in the place of VALUE, and two values.
    """
    words, kept, filled = texts
    leaf, statements, number_shown, tensor_shown = shown
    is_scatter = name == "scatter"
    lay_out = as_first if name == "index_fill" else by_rows
    number = operation(
        f"{name}{'.value' if is_scatter else ''}",
        lambda a, index, value, **dim: forward(a, index, value, **dim),
        rule=lambda g, y, a, index, value, **dim: rules[0](g, y, a, index, value, **dim),
        vjp=kept,
        because=_KEPT,
        lay_out=lay_out,
        grad_fn=autograd_node(name, int(is_scatter)),
        words=words,
        parameters=(*parameters, Kind.NUMBER("value")),
        example=f"{leaf}, {statements.replace('VALUE', number_shown)}",
    )
    tensor = operation(
        f"{name}{'' if is_scatter else '.Tensor'}",
        forward,
        Derivative(rule=rules[0], vjp=kept, words=_KEPT),
        NO_GRADIENT,
        Derivative(rule=rules[1], vjp=filled, words=_PUT_IN),
        lay_out=lay_out,
        grad_fn=autograd_node(name, int(not is_scatter)),
        words=words,
        parameters=(*parameters, Parameter("src" if is_scatter else "value")),
        example=f"{leaf}, v=torch.tensor({tensor_shown}, requires_grad=True), "
        f"{statements.replace('VALUE', 'v')}",
    )
    return number, tensor


MASKED_FILL, MASKED_FILL_TENSOR = _filling(
    "masked_fill",
    _masked_fill,
    (_masked_rule, lambda g, y, a, mask, value: np.sum(np.where(mask, g, np.zeros_like(g)))),
    (INPUT, Parameter("mask")),
    (
        "a number put in where a mask is true",
        "{g} where {b} is false, 0 where it is true",
        "Σ {g} where {b} is true",
    ),
    (
        "x=torch.tensor([1., -2., 3.], requires_grad=True)",
        "m=x.masked_fill(torch.tensor([False,True,False]), VALUE), y=m@m",
        "0.5",
        "4.",
    ),
)

INDEX_FILL, INDEX_FILL_TENSOR = _filling(
    "index_fill",
    _index_fill,
    (_index_fill_rule, _filled_by_rule),
    (INPUT, DIM, Parameter("index")),
    (
        "slices along an axis filled with one number",
        "{g}, but 0 at the slices {b}",
        "Σ {g} at the slices {b}",
    ),
    (
        "A=torch.tensor([[1., 2.], [3., 4.]], requires_grad=True)",
        "f=A.index_fill(0, torch.tensor([0]), VALUE), y=(f*A).sum()",
        "5",
        "5.",
    ),
)

SCATTER_VALUE, SCATTER = _filling(
    "scatter",
    _scatter,
    (_scatter_rule, _source_rule),
    (INPUT, DIM, Parameter("index")),
    (
        "values put in along an axis, each at an index of its own",
        "{g}, but 0 at the places {b}",
        "{g} at the places {b}",
    ),
    (
        "x=torch.tensor([1., 2., 3.], requires_grad=True)",
        "s=x.scatter(0, torch.tensor([0,2]), VALUE), y=s@s",
        "5",
        "[5., 7.]",
    ),
)

SCATTER_ADD = operation(
    "scatter_add",
    _scatter_add,
    Derivative(rule=lambda g, y, *_, dim: g, vjp="{g}", words=_ADDED),
    NO_GRADIENT,
    Derivative(rule=_source_rule, vjp="{g} at the places {b}", words=_TAKEN),
    words="values added along an axis, each at an index of its own",
    parameters=(INPUT, DIM, Parameter("index"), Parameter("src")),
    example="x=torch.tensor([1., 2., 3.], requires_grad=True), "
    "z=torch.zeros(2), "
    "s=z.scatter_add(0, torch.tensor([0,1,0]), x), y=s@s",
)

INDEX_ADD = operation(
    "index_add",
    _index_add,
    Derivative(rule=lambda g, y, *_, dim, alpha: g, vjp="{g}", words=_ADDED),
    NO_GRADIENT,
    Derivative(
        rule=lambda g, y, a, index, source, dim, alpha: (
            alpha
            * np.reshape(np.atleast_1d(g)[_rows(a, index, dim, "index_add")], shape_of(source))
        ),
        vjp="{g} at the slices {b}, times {alpha}",
        words=_TAKEN,
    ),
    words="slices added along an axis, each at its index",
    parameters=(INPUT, DIM, Parameter("index"), Parameter("source"), Kind.NUMBER("alpha", 1.0)),
    example="A=torch.tensor([[1., 2.], [3., 4.]], requires_grad=True), "
    "B=torch.ones(2, 2), "
    "s=B.index_add(0, torch.tensor([0,0]), A), y=(s**2).sum()",
)
