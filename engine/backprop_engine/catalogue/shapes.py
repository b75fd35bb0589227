"""Operations that move elements and compute nothing: their derivatives move them back."""

from __future__ import annotations

from collections.abc import Iterator
from types import EllipsisType
from typing import Any

import numpy as np

from backprop_engine.operation import (
    Application,
    Derivative,
    Kind,
    OperandError,
    Operation,
    Parameter,
)
from backprop_engine.values import shape_of

FROM_OPERAND = "operand"
"""In an index: this entry is the next operand, a node that holds whole numbers or a mask."""

IndexItem = int | slice | EllipsisType | tuple[int, ...] | str | None

_MOVED_BACK = "Moving elements changes no number: the gradient is moved back the same way."


def _transpose(a: Any, dim0: int, dim1: int) -> Any:
    return np.swapaxes(a, dim0, dim1) if shape_of(a) else a


def _matrix_transpose(a: Any) -> Any:
    if len(shape_of(a)) > 2:
        raise OperandError(
            f"`T` takes a matrix, not shape {shape_of(a)}", "use `mT` or `transpose(dim0, dim1)`"
        )
    return np.transpose(a) if shape_of(a) else a


def _index_key(indices: tuple[Any, ...], items: tuple[IndexItem, ...]) -> Any:
    """The index to give to numpy or torch, from the recorded items and the operands among them."""
    operands = iter(indices)
    key = tuple(_key_entry(item, operands) for item in items)
    # To torch `x[:]` and `x[(:,)]` are two things; Python writes the first.
    return key[0] if len(key) == 1 else key


def _key_entry(item: IndexItem, operands: Iterator[Any]) -> Any:
    if item == FROM_OPERAND:
        return next(operands)
    return list(item) if isinstance(item, tuple) else item


def _index(a: Any, *indices: Any, items: tuple[IndexItem, ...]) -> Any:
    if not shape_of(a):
        raise OperandError("a single number cannot be indexed")
    for index in indices:
        if (
            not np.issubdtype(np.asarray(index).dtype, np.integer)
            and np.asarray(index).dtype != bool
        ):
            raise OperandError(
                "an index must be whole numbers or a mask",
                "make it an input with `dtype: int64` or `dtype: bool`",
            )
    return a[_index_key(indices, items)]


def _scatter(g: Any, _y: Any, a: Any, *indices: Any, items: tuple[IndexItem, ...]) -> Any:
    gradient = np.zeros_like(a)
    np.add.at(gradient, _index_key(indices, items), g)
    return gradient


def _item_text(item: IndexItem) -> str:
    if isinstance(item, slice):
        parts = [item.start, item.stop] + ([item.step] if item.step is not None else [])
        return ":".join("" if part is None else str(part) for part in parts)
    return "..." if item is Ellipsis else str(item)


def _index_text(a: str, items: str, **_: str) -> str:
    return f"{a}[{items}]"


def index_items_text(items: tuple[IndexItem, ...], operands: tuple[str, ...]) -> str:
    """An index as it was written: `0, 1:3, idx`."""
    names = iter(operands)
    return ", ".join(
        next(names) if item == FROM_OPERAND else _item_text(item) for item in items
    ).replace("-", "−")


def _index_grad_fn(application: Application) -> str:
    """torch applies an index item by item and gathers last; the last one done names the node."""
    items: tuple[IndexItem, ...] = application.attributes["items"]
    ranks = iter([len(shape) for shape in application.shapes[1:]])
    kinds = [_index_kind(item, ranks) for item in items]
    if "Index" in kinds:
        return "IndexBackward0"
    if items == (slice(None),):
        return "SliceBackward0"
    # Beside other indices torch drops `:` and `...`.
    done = [kind for kind, item in zip(kinds, items, strict=True) if item not in (slice(None), ...)]
    return f"{done[-1]}Backward0" if done else "AliasBackward0"


def _index_kind(item: IndexItem, ranks: Iterator[int]) -> str:
    if item == FROM_OPERAND:
        return "Index" if next(ranks) else "Select"  # a 0-d index selects as a number does
    kinds = {tuple: "Index", int: "Select", slice: "Slice"}
    return kinds.get(type(item), "Unsqueeze" if item is None else "")


RESHAPE = Operation(
    name="reshape",
    forward=lambda a, shape: np.reshape(a, shape),
    derivatives=(
        Derivative(
            rule=lambda g, y, a, shape: np.reshape(g, shape_of(a)),
            vjp="{g}, back in the shape of {a}",
            words=_MOVED_BACK,
        ),
    ),
    notation="reshape({a}, {shape})",
    torch=lambda torch, a, shape: torch.reshape(a, shape),
    grad_fn=lambda application: (
        "ViewBackward0" if application.contiguous[0] else "UnsafeViewBackward0"
    ),
    words="the same elements in another shape",
    symbolic=lambda sympy, a, **_: a,
    parameters=(Parameter("input"), Parameter("shape", Kind.SHAPE)),
)

TRANSPOSE = Operation(
    name="transpose",
    forward=_transpose,
    derivatives=(
        Derivative(
            rule=lambda g, y, a, dim0, dim1: _transpose(g, dim0, dim1),
            vjp="{g}ᵀ",
            words=_MOVED_BACK,
        ),
    ),
    notation="transpose({a}, {dim0}, {dim1})",
    torch=lambda torch, a, dim0, dim1: torch.transpose(a, dim0, dim1),
    grad_fn="TransposeBackward0",
    words="two axes exchanged",
    symbolic=lambda sympy, a, **_: a,
    parameters=(
        Parameter("input"),
        Parameter("dim0", Kind.AXIS, aliases=("axis0",)),
        Parameter("dim1", Kind.AXIS, aliases=("axis1",)),
    ),
    functions=("transpose", "swapaxes", "swapdims"),
    properties={"mT": {"dim0": -2, "dim1": -1}},
)

MATRIX_TRANSPOSE = Operation(
    name="T",
    forward=_matrix_transpose,
    derivatives=(
        Derivative(rule=lambda g, y, a: _matrix_transpose(g), vjp="{g}ᵀ", words=_MOVED_BACK),
    ),
    notation="{a}ᵀ",
    torch=lambda torch, a: a.T,
    grad_fn="PermuteBackward0",
    words="rows and columns of a matrix exchanged",
    symbolic=lambda sympy, a, **_: a,
    functions=(),
    properties={"T": {}},
)

SHORT_TRANSPOSE = Operation(
    name="t",
    forward=_matrix_transpose,
    derivatives=(
        Derivative(rule=lambda g, y, a: _matrix_transpose(g), vjp="{g}ᵀ", words=_MOVED_BACK),
    ),
    notation="{a}ᵀ",
    torch=lambda torch, a: a.t(),
    grad_fn="TBackward0",
    words="rows and columns of a matrix exchanged",
    symbolic=lambda sympy, a, **_: a,
    functions=("t",),
)

INDEX = Operation(
    name="index",
    forward=_index,
    derivatives=(
        Derivative(
            rule=_scatter,
            vjp="{g}, put back at [{items}], zeros elsewhere",
            words="Only the elements that were picked receive a gradient; one picked twice, twice.",
        ),
    ),
    notation=_index_text,
    torch=lambda torch, a, *indices, items: a[_index_key(indices, items)],
    grad_fn=_index_grad_fn,
    words="some of the elements, picked by index, slice or mask",
    functions=(),
)

SHAPES = (RESHAPE, TRANSPOSE, MATRIX_TRANSPOSE, SHORT_TRANSPOSE, INDEX)
