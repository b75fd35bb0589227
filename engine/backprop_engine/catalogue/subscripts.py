"""Indexing as torch does it: `x[0, 1:3]`, `x[mask]`, `x[0, :, [0, 1, 1]]`.

torch goes through the items from left to right and takes whole numbers, slices and `None` at once,
as views; the tensors and lists among them pick from what is left, all together. numpy would count
a whole number among the lists, and so put the axis of what is picked elsewhere.

What is picked receives the gradient, the rest 0; an element picked twice receives it twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import EllipsisType
from typing import Any, NamedTuple

import numpy as np

from backprop_engine.basics.memory_order import iterated, restrided, strides_of
from backprop_engine.basics.source import Advice, OperandError
from backprop_engine.basics.values import Shape, shape_of
from backprop_engine.budget import check_broadcast
from backprop_engine.catalogue.shared.entries import operation
from backprop_engine.operation import OPERAND_LETTERS, Application, Numbers, Sharing, Template

FROM_OPERAND = "operand"
"""In an index: this entry is the next operand, a node that holds whole numbers or a mask."""

IndexItem = int | slice | EllipsisType | tuple[int, ...] | str | None

_ALL = slice(None)


class Key(NamedTuple):
    """An index in the two parts that are applied one after the other."""

    view: tuple[Any, ...]
    """Whole numbers, slices, `None` and `...`; a slice of everything for each axis of an array."""
    arrays: tuple[Any, ...]
    """Of what is left: arrays of whole numbers and masks, and slices of everything."""

    @property
    def picks(self) -> bool:
        """Whether there are arrays: without, it all is a view."""
        return any(isinstance(array, np.ndarray) for array in self.arrays)

    def of(self, array: np.ndarray) -> Any:
        """The elements of an array at this index."""
        viewed = self.viewed(array)
        return viewed[self.arrays] if self.picks else viewed

    def put(self, array: np.ndarray, value: Any) -> None:
        """Write `value` over the elements of an array at this index."""
        if self.picks:
            self.viewed(array)[self.arrays] = value
        else:
            array[self.view] = value

    def viewed(self, array: np.ndarray) -> Any:
        """What the arrays pick from; OperandError if a mask has not the lengths of its axes."""
        viewed = array[self.view]
        axis = 0
        for entry in self.arrays:
            is_mask = isinstance(entry, np.ndarray) and entry.dtype == bool
            for at, length in enumerate(entry.shape if is_mask else ()):
                # numpy lets an empty mask pass over an axis of one element.
                if length != viewed.shape[axis + at]:
                    raise OperandError(
                        f"The shape of the mask {[*entry.shape]} at index {at} does not match the "
                        f"shape of the indexed tensor {[*viewed.shape]} at index {axis + at}",
                        "a mask has the lengths of the axes that it picks from",
                    )
            axis += entry.ndim if is_mask else 1
        return viewed


def key_of(a: Any, indices: tuple[Any, ...], items: tuple[IndexItem, ...]) -> Key:
    """The index from the recorded items and the operands among them; OperandError if it is none."""
    entries = list(_resolved(indices, items))
    rank, needed = len(shape_of(a)), sum(map(_axes_of, entries))
    if needed and not rank:
        raise OperandError("a single number cannot be indexed", "but by `[None]` and `[...]`")
    view: list[Any] = []
    arrays: list[Any] = []
    for entry in entries:
        if isinstance(entry, np.ndarray):
            axes = _axes_of(entry)
            # One truth value makes a new axis, and keeps all of it or nothing.
            view += [_ALL] * axes if axes else [None]
            arrays.append(entry if axes else np.zeros(int(entry), np.int64))
            continue
        view.append(entry)
        if entry is Ellipsis:
            arrays += [_ALL] * (rank - needed)
        elif not isinstance(entry, int):
            arrays.append(_ALL)
    return Key(tuple(view), tuple(arrays))


def _axes_of(entry: Any) -> int:
    """How many axes of the operand an entry takes."""
    if isinstance(entry, np.ndarray):
        return entry.ndim if entry.dtype == bool else 1
    return int(isinstance(entry, int | slice))


def _resolved(indices: tuple[Any, ...], items: tuple[IndexItem, ...]) -> Iterator[Any]:
    """The items with operands put in: an int for one whole number, else an array."""
    operands = iter(indices)
    for item in items:
        if isinstance(item, tuple):
            yield np.array(item, np.int64)
        elif item == FROM_OPERAND:
            operand = np.asarray(next(operands))
            if operand.dtype.kind not in "ib":
                raise OperandError(
                    "an index must be whole numbers or a mask",
                    Advice(
                        "make it an input with `dtype: int64` or `dtype: bool`",
                        "write `torch.tensor([0, 2])`, or compare for a mask: `x > 0`",
                    ),
                )
            is_number = operand.ndim == 0 and operand.dtype != bool
            yield int(operand) if is_number else operand
        else:
            yield item


def _index(a: Any, *indices: Any, items: tuple[IndexItem, ...]) -> Any:
    key = key_of(a, indices, items)
    viewed = key.viewed(np.asarray(a))
    if not key.picks:
        return _with_new_axes(viewed, np.asarray(a), key.view) if None in key.view else viewed
    _check_picked(viewed, key)
    return viewed[key.arrays]


def _index_order(made: Any, operands: Sequence[Any], attributes: Mapping[str, Any]) -> Any:
    """What is left of `a` and the indices are gone through side by side, each 0 apart along the
    axes of the other.
    """
    a, *indices = operands
    key = key_of(a, tuple(indices), attributes["items"])
    if not key.picks or not made.size:
        return made
    viewed, entries = key.viewed(np.asarray(a)), list[Any]()
    for entry in key.arrays:
        is_mask = isinstance(entry, np.ndarray) and entry.dtype == bool
        entries += entry.nonzero() if is_mask else [entry]
    axes = [axis for axis, entry in enumerate(entries) if isinstance(entry, np.ndarray)]
    arrays = np.broadcast_arrays(*(entries[axis] for axis in axes))
    is_side_by_side = axes[-1] - axes[0] + 1 == len(axes)
    before = axes[0] if is_side_by_side else 0
    rest = viewed[tuple(0 if axis in axes else _ALL for axis in range(viewed.ndim))]
    around = (*(_ALL,) * before, *(None,) * arrays[0].ndim)
    after = (..., *(None,) * (rest.ndim - before))
    read = np.broadcast_to(rest[around], made.shape)
    return iterated(made, [read, *(array[after] for array in arrays)])


def _with_new_axes(viewed: np.ndarray, a: np.ndarray, view: tuple[Any, ...]) -> np.ndarray:
    """With the strides of torch, which adds an axis before it cuts those behind."""
    strides, at, axis = list(strides_of(viewed)), 0, 0
    for entry in view:
        if entry is None:
            strides[at] = strides_of(a)[axis] * a.shape[axis] if axis < a.ndim else 1
        if entry is Ellipsis:
            axes = a.ndim - sum(isinstance(each, int | slice) for each in view)
            at, axis = at + axes, axis + axes
        else:
            at, axis = at + (not isinstance(entry, int)), axis + (entry is not None)
    return restrided(viewed, tuple(strides))


def _check_picked(viewed: Any, key: Key) -> None:
    """Raise LimitError if the arrays of `key` would pick too many elements."""
    rest: list[Any] = []
    shapes: list[Shape] = []
    for entry in key.arrays:
        if isinstance(entry, np.ndarray):
            rest += [slice(0, 1)] * _axes_of(entry)
            is_mask = entry.dtype == bool
            shapes.append((int(np.count_nonzero(entry)),) if is_mask else entry.shape)
        else:
            rest.append(entry)
    check_broadcast(*shapes, times=np.size(viewed[tuple(rest)]))


def _scatter(g: Any, _y: Any, a: Any, *indices: Any, items: tuple[IndexItem, ...]) -> Any:
    key = key_of(a, indices, items)
    gradient = np.zeros_like(a)
    if key.picks:
        np.add.at(gradient[key.view], key.arrays, g)
    else:
        key.put(gradient, g)
    return gradient


def torch_key(indices: tuple[Any, ...], items: tuple[IndexItem, ...]) -> Any:
    """The index as it is written for torch."""
    operands = iter(indices)
    key = tuple(
        next(operands) if item == FROM_OPERAND else list(item) if isinstance(item, tuple) else item
        for item in items
    )
    # To torch `x[:]` and `x[(:,)]` are two things; Python writes the first.
    return key[0] if len(key) == 1 else key


def _item_text(item: IndexItem) -> str:
    if isinstance(item, slice):
        parts = [item.start, item.stop] + ([item.step] if item.step is not None else [])
        return ":".join("" if part is None else str(part) for part in parts)
    return "..." if item is Ellipsis else str(item)


def index_items_text(items: tuple[IndexItem, ...], operands: tuple[str, ...]) -> str:
    """An index as it was written: `0, 1:3, idx`."""
    names = iter(operands)
    return ", ".join(
        next(names) if item == FROM_OPERAND else _item_text(item) for item in items
    ).replace("-", "−")


def with_items(template: str) -> Template:
    """A template with the index for ITEMS, of which the last operands are a part."""

    def text(numbers: Numbers, items: tuple[IndexItem, ...], **_: Any) -> str:
        holes = [f"{{{letter}}}" for letter in OPERAND_LETTERS[: len(numbers)]]
        holes += ["…"] * (len(numbers) - len(holes))
        indices = holes[len(holes) - items.count(FROM_OPERAND) :]
        return template.replace("ITEMS", index_items_text(items, tuple(indices)))

    return text


def _index_grad_fn(application: Application) -> str:
    """The last item that makes a node of its own names it; lists and masks come last."""
    items: tuple[IndexItem, ...] = application.attributes["items"]
    entries = list(_resolved(application.values[1:], items))
    if any(isinstance(entry, np.ndarray) for entry in entries):
        return "IndexBackward0"
    shape = application.shapes[0]
    if len(entries) == 1 and isinstance(entries[0], slice):
        return "SliceBackward0"
    done, axis = "Alias", 0
    for entry in entries:
        if entry is Ellipsis:
            axis += len(shape) - sum(map(_axes_of, entries))
        elif entry is None:
            done = "Unsqueeze"
        elif isinstance(entry, int):
            done, axis = "Select", axis + 1
        else:
            done, axis = done if _is_all(entry, shape[axis]) else "Slice", axis + 1
    return f"{done}Backward0"


def is_everything(items: tuple[IndexItem, ...], shape: Shape) -> bool:
    """Whether an index of slices and `...` leaves nothing out: to torch that is no index at all."""
    if not all(item is ... or isinstance(item, slice) for item in items):
        return False
    at = items.index(...) if ... in items else len(items)
    before, after = items[:at], items[at + 1 :]
    sizes = (*shape[: len(before)], *shape[len(shape) - len(after) :])
    slices = [item for item in (*before, *after) if isinstance(item, slice)]
    return len(slices) == len(sizes) and all(map(_is_all, slices, sizes))


def _is_all(entry: slice, size: int) -> bool:
    """A slice that torch drops beside other items: from 0, every one, to the end or beyond."""
    is_open = entry.stop is None or entry.stop >= size
    return entry.start in (None, 0) and entry.step in (None, 1) and is_open


INDEX = operation(
    "index",
    _index,
    rule=_scatter,
    vjp=with_items("{g}, put back at [ITEMS], zeros elsewhere"),
    because="Only the elements that were picked receive a gradient; one picked twice, twice.",
    notation=with_items("{a}[ITEMS]"),
    torch=lambda torch, a, *indices, items: a[torch_key(indices, items)],
    grad_fn=_index_grad_fn,
    sharing=Sharing.WHERE_POSSIBLE,
    lay_out=_index_order,
    words="some of the elements, picked by index, slice or mask",
    functions=(),
    example="x=[1,2,3], y=x[0]*x[-1] + x[1:].sum()",
)
