"""The functions that pick elements by slice, number or mask.

What is picked receives the gradient, the rest 0; an element picked twice receives it twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from backprop_engine.basics.source import Advice, OperandError
from backprop_engine.basics.values import shape_of, unbroadcast
from backprop_engine.budget import check_broadcast, check_elements
from backprop_engine.catalogue.shared.axes import DIM, axis_of
from backprop_engine.catalogue.shared.entries import INPUT, operation
from backprop_engine.catalogue.shared.picking import add_along_axis, added_at, put_at
from backprop_engine.operation import Derivative, Kind, Parameter, Sharing

_PICKED = "Only the elements that were picked receive a gradient; one picked twice, twice."
_picking = partial(
    operation,
    vjp="{g}, added back where the elements were picked; 0 elsewhere",
    because=_PICKED,
)
NO_GRADIENT = Derivative(
    rule=lambda g, y, *operands, **_: np.zeros(()),
    vjp="0",
    words="An index is a whole number: it cannot move a little, so it has no gradient.",
)
"""For an index that stands before operands which have a gradient. It is never asked for."""


def whole(index: Any, name: str) -> np.ndarray:
    """An index as an array; OperandError if it does not hold whole numbers."""
    array = np.asarray(index)
    if array.dtype.kind != "i":
        raise OperandError(
            f"the index of `{name}` must be whole numbers, not {array.dtype}",
            Advice("make it an input with `dtype: int64`", "write `torch.tensor([0, 2])`"),
        )
    return array


def in_range(index: np.ndarray, size: int, name: str, *, lowest: int = 0) -> np.ndarray:
    """The index itself; OperandError where it points outside of `size` elements."""
    outside = index[(index < lowest) | (index >= size)]
    if outside.size:
        raise OperandError(
            f"index {outside.flat[0]} of `{name}` is out of bounds for {size} elements",
            f"indices go from 0 to {size - 1}" if size else "there are no elements to pick from",
        )
    return index


def mask_of(mask: Any, name: str) -> np.ndarray:
    """A mask as an array; OperandError if it does not hold truth values."""
    array = np.asarray(mask)
    if array.dtype != bool:
        raise OperandError(
            f"the mask of `{name}` must be truth values, not {array.dtype}", "such as `x > 0`"
        )
    return array


def _gather_places(a: Any, dim: int, index: Any, name: str) -> tuple[int, np.ndarray]:
    """The axis and the checked index, both for arrays of at least one axis."""
    shape, places = shape_of(a) or (1,), np.atleast_1d(whole(index, name))
    axis = axis_of(a, dim)
    fits = len(places.shape) == len(shape) and all(
        at == axis or places.shape[at] <= size for at, size in enumerate(shape)
    )
    if not fits and places.size:
        raise OperandError(
            f"`{name}` needs an index with as many axes as the input and, but for axis {axis}, "
            f"none longer; the shapes are {shape_of(a)} and {shape_of(index)}",
            "give the index the shape of what is to be picked",
        )
    return axis, in_range(places, shape[axis], name)


def _gather(a: Any, index: Any, dim: int) -> Any:
    axis, places = _gather_places(a, dim, index, "gather")
    array = np.atleast_1d(a)
    within = tuple(slice(None) if at == axis else slice(n) for at, n in enumerate(places.shape))
    return np.reshape(np.take_along_axis(array[within], places, axis), shape_of(index))


def _gather_rule(g: Any, _y: Any, a: Any, index: Any, dim: int) -> Any:
    places, axis = np.atleast_1d(index), axis_of(a, dim)
    sent = add_along_axis(np.atleast_1d(a), places, np.reshape(g, places.shape), axis)
    return np.reshape(sent, shape_of(a))


def _index_select(a: Any, index: Any, dim: int) -> Any:
    axis = axis_of(a, dim)
    places = np.atleast_1d(whole(index, "index_select"))
    if places.ndim > 1:
        raise OperandError(
            f"`index_select` takes a vector as index, not shape {places.shape}",
            "flatten the index: `i.flatten()`",
        )
    array = np.atleast_1d(a)
    check_elements(len(places), *(n for at, n in enumerate(array.shape) if at != axis))
    picked = np.take(array, in_range(places, array.shape[axis], "index_select"), axis)
    return picked if shape_of(a) else picked[0]


def _index_select_rule(g: Any, _y: Any, a: Any, index: Any, dim: int) -> Any:
    axis = axis_of(a, dim)
    array, places = np.atleast_1d(a), np.atleast_1d(index)
    picked = (*array.shape[:axis], len(places), *array.shape[axis + 1 :])
    sent = added_at(array, (*(slice(None),) * axis, places), np.reshape(g, picked))
    return np.reshape(sent, shape_of(a))


def _take(a: Any, index: Any) -> Any:
    places = in_range(whole(index, "take"), np.size(a), "take", lowest=-np.size(a))
    return np.reshape(a, -1)[places]


def _take_rule(g: Any, _y: Any, a: Any, index: Any) -> Any:
    return np.reshape(added_at(np.reshape(a, -1), np.asarray(index), g), shape_of(a))


def _select_key(a: Any, dim: int, item: int | slice) -> tuple[Any, ...]:
    if not shape_of(a):
        raise OperandError("a single number has no axis to pick from", "use the number itself")
    return (*(slice(None),) * axis_of(a, dim), item)


def _narrow_slice(a: Any, dim: int, start: int, length: int) -> slice:
    size = shape_of(a)[axis_of(a, dim)] if shape_of(a) else 0
    first = start + size if start < 0 else start
    if first < 0 or length < 0 or first + length > size:
        raise OperandError(
            f"`narrow` cannot take {length} elements from {start} on: axis {dim} of shape "
            f"{shape_of(a)} has {size}",
            f"stay between 0 and {size}",
        )
    return slice(first, first + length)


def _masked_select(a: Any, mask: Any) -> Any:
    check_broadcast(shape_of(a), shape_of(mask))
    values, truth = np.broadcast_arrays(a, mask_of(mask, "masked_select"))
    return values[truth]


def _masked_select_rule(g: Any, _y: Any, a: Any, mask: Any) -> Any:
    spread, chosen = np.broadcast_arrays(a, mask)
    return unbroadcast(put_at(spread, chosen, g), shape_of(a))


def _embedding(index: Any, weight: Any, padding_idx: int | None) -> Any:
    if len(shape_of(weight)) != 2:
        raise OperandError(
            f"`embedding` takes its rows from a matrix, not shape {shape_of(weight)}",
            "the index comes first: `F.embedding(idx, W)`",
        )
    count = weight.shape[0]
    if padding_idx is not None and not -count <= padding_idx < count:
        raise OperandError(
            f"`padding_idx` of `embedding` is {padding_idx}, and there are {count} rows",
            f"give a row from {-count} to {count - 1}",
        )
    rows = in_range(whole(index, "embedding"), count, "embedding")
    check_elements(np.size(rows), weight.shape[1])
    return weight[rows]


def _embedding_rule(g: Any, _y: Any, index: Any, weight: Any, padding_idx: int | None) -> Any:
    gradient = added_at(weight, np.asarray(index), g)
    if padding_idx is not None:
        gradient[padding_idx] = 0.0
    return gradient


def _without_padding(
    operands: list[Any], recorded: list[Any], attributes: Mapping[str, Any]
) -> tuple[list[Any], Mapping[str, Any]]:
    """The row of padding stays as it is: torch does not update it."""
    index, weight = operands
    if attributes["padding_idx"] is not None:
        weight = np.array(weight)
        weight[attributes["padding_idx"]] = recorded[1][attributes["padding_idx"]]
    return [index, weight], attributes


def _one_hot(index: Any, num_classes: int) -> Any:
    classes = whole(index, "one_hot")
    count = int(classes.max(initial=-1)) + 1 if num_classes < 0 else num_classes
    in_range(classes, count, "one_hot")
    check_elements(*classes.shape, count)
    return (classes[..., np.newaxis] == np.arange(count)).astype(np.int64)


GATHER = _picking(
    "gather",
    _gather,
    rule=_gather_rule,
    words="elements picked along an axis, each by an index of its own",
    parameters=(INPUT, DIM, Parameter("index")),
    example="A=torch.tensor([[1., 2.], [3., 4.]], requires_grad=True), "
    "g=A.gather(1, torch.tensor([[0,0],[1,0]])), y=(g**2).sum()",
)

INDEX_SELECT = _picking(
    "index_select",
    _index_select,
    rule=_index_select_rule,
    words="rows, or slices along another axis, picked by index",
    parameters=(INPUT, DIM, Parameter("index")),
    example="A=torch.tensor([[1., 2.], [3., 4.]], requires_grad=True), "
    "r=A.index_select(0, torch.tensor([0,0,1])), y=(r**2).sum()",
)

TAKE = _picking(
    "take",
    _take,
    rule=_take_rule,
    words="elements picked by their number, counted through all axes",
    parameters=(INPUT, Parameter("index")),
    example="A=torch.tensor([[1., 2.], [3., 4.]], requires_grad=True), "
    "t=A.take(torch.tensor([0,3,3])), y=(t**2).sum()",
)

SELECT = operation(
    "select",
    lambda a, dim, index: a[_select_key(a, dim, index)],
    rule=lambda g, y, a, dim, index: put_at(a, _select_key(a, dim, index), g),
    vjp="{g}, put back at {index} of axis {dim}; 0 elsewhere",
    because="Only the slice that was picked receives a gradient.",
    sharing=Sharing.ALWAYS,
    words="one slice along an axis",
    parameters=(INPUT, DIM, Kind.WHOLE("index")),
    example="A=[[1,2],[3,4]], r=A.select(0, 1), y=r@r",
)

NARROW = operation(
    "narrow",
    lambda a, dim, start, length: a[_select_key(a, dim, _narrow_slice(a, dim, start, length))],
    rule=lambda g, y, a, dim, start, length: put_at(
        a, _select_key(a, dim, _narrow_slice(a, dim, start, length)), g
    ),
    vjp="{g}, put back from {start} on along axis {dim}; 0 elsewhere",
    because="Only the elements inside of the slice receive a gradient.",
    grad_fn="SliceBackward0",
    sharing=Sharing.ALWAYS,
    words="some neighbouring slices along an axis",
    parameters=(INPUT, DIM, Kind.WHOLE("start"), Kind.WHOLE("length")),
    example="x=[1,2,3,4], n=x.narrow(0,1,2), y=n@n",
)

MASKED_SELECT = _picking(
    "masked_select",
    _masked_select,
    rule=_masked_select_rule,
    notation="{a}[{b}]",
    words="the elements where a mask is true, as a vector",
    parameters=(INPUT, Parameter("mask")),
    example="x=torch.tensor([1., -2., 3.], requires_grad=True), "
    "m=x.masked_select(torch.tensor([True,False,True])), y=m@m",
)

EMBEDDING = operation(
    "embedding",
    _embedding,
    NO_GRADIENT,
    Derivative(rule=_embedding_rule, vjp="{g}, each row added back to row {a}", words=_PICKED),
    words="rows of a table, picked by index",
    differentiated_at=_without_padding,
    parameters=(INPUT, Parameter("weight"), Kind.WHOLE("padding_idx", None)),
    example="W=torch.tensor([[1., 2.], [3., 4.]], requires_grad=True), "
    "e=F.embedding(torch.tensor([0,0,1]), W), y=(e**2).sum()",
)

ONE_HOT = operation(
    "one_hot",
    _one_hot,
    words="a row for each index, 1 at the index and 0 elsewhere, without a gradient",
    parameters=(Parameter("tensor", aliases=("input",)), Kind.WHOLE("num_classes", -1)),
    example="W=torch.tensor([[1., 2.], [3., 4.]], requires_grad=True), "
    "h=F.one_hot(torch.tensor([1,0])), y=(h*W).sum()",
)
