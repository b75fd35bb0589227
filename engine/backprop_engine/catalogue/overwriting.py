"""What a change in place makes of a tensor: `y[0] = v`, `y.copy_(v)`, and the base of a view.

The old value is an operand and the changed one the output. What was written over receives 0, and
what was written receives the gradient of its places: torch's CopySlices (torch/csrc/autograd/
functions/tensor.cpp) and `index_put`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from backprop_engine.basics.source import OperandError
from backprop_engine.basics.values import full_like, shape_of, unbroadcast
from backprop_engine.catalogue.shared.entries import INPUT, by_number, operation
from backprop_engine.catalogue.subscripts import (
    IndexItem,
    is_everything,
    key_of,
    torch_key,
    with_items,
)
from backprop_engine.operation import Application, Derivative, Parameter

_KEPT = "What was written over has lost its influence and receives 0; the rest passes unchanged."
_WRITTEN = "What was written receives the gradient of the places that it was written to."


def _overwritten(a: Any) -> np.ndarray:
    """A copy that lies in memory as `a` does."""
    return np.array(a, order="K")


def _check_fits(a: Any, places: tuple[int, ...], b: Any) -> None:
    """OperandError where `b` cannot be stretched to the places that it is written to."""
    try:
        fits = np.broadcast_shapes(places, shape_of(b)) == places
    except ValueError:
        fits = False
    if not fits:
        raise OperandError(
            f"shape mismatch: value tensor of shape {list(shape_of(b))} cannot be broadcast to "
            f"indexing result of shape {list(places)}",
            f"a value with as many elements as are written over in shape {shape_of(a)}",
        )


def _index_put(a: Any, b: Any, *indices: Any, items: tuple[IndexItem, ...]) -> Any:
    made, key = _overwritten(a), key_of(a, indices, items)
    places, value = np.shape(key.of(made)), b
    while shape_of(value)[:1] == (1,) and len(shape_of(value)) > len(places):
        value = np.reshape(value, shape_of(value)[1:])  # torch drops leading axes of size 1
    _check_fits(a, places, value)
    key.put(made, value)
    return made


def _cleared(g: Any, a: Any, *indices: Any, items: tuple[IndexItem, ...]) -> Any:
    left = np.array(g)
    key_of(a, indices, items).put(left, 0.0)
    return left


def _written(g: Any, a: Any, b: Any, *indices: Any, items: tuple[IndexItem, ...]) -> Any:
    picked = key_of(a, indices, items).of(np.asarray(g))
    inner = shape_of(b)[max(len(shape_of(b)) - np.ndim(picked), 0) :]
    return np.reshape(unbroadcast(picked, inner), shape_of(b))


def _index_put_grad_fn(application: Application) -> str:
    """What is written to is a view unless lists and masks pick from all of the tensor."""
    a, b, *indices = application.values
    if is_everything(application.attributes["items"], shape_of(a)) and not shape_of(b):
        return "FillBackward3"  # of a number, too: torch makes a tensor of it
    key = key_of(a, tuple(indices), application.attributes["items"])
    is_whole = key.picks and is_everything(key.view, shape_of(a))
    return "IndexPutBackward0" if is_whole else "torch::autograd::CopySlices"


def _index_put_twin(a: Any, b: Any, *indices: Any, items: tuple[IndexItem, ...]) -> Any:
    made = a.clone()
    made[torch_key(indices, items)] = b.to(made.dtype)
    return made


def _all_written(
    operands: list[Any], recorded: list[Any], attributes: Mapping[str, Any]
) -> tuple[list[Any], Mapping[str, Any]]:
    """Of several values for one element one is kept, and to torch's gradient each is.

    "The behavior is undefined if indices contain duplicate elements": torch.Tensor.index_put_.
    """
    a, b, *indices = operands
    key = key_of(a, tuple(indices), attributes["items"])
    if not key.picks:
        return operands, attributes
    moved = np.zeros(shape_of(a))
    change = np.subtract(b, recorded[1], dtype=float)
    np.add.at(moved[key.view], key.arrays, change)
    return [a, recorded[1] + key.of(moved), *indices], attributes


def _copy(a: Any, b: Any) -> Any:
    made = _overwritten(a)
    _check_fits(a, made.shape, b)
    made[...] = b
    return made


def _filled(a: Any, b: Any) -> Any:
    if shape_of(b):
        raise OperandError(
            "fill_ only supports 0-dimension value tensor but got tensor with "
            f"{len(shape_of(b))} dimensions.",
            "`y.copy_(…)`",
        )
    return _copy(a, b)


def _copy_slices(a: Any, b: Any, at: np.ndarray) -> Any:
    made = _overwritten(a)
    made.flat[at.ravel()] = np.ravel(b)
    return made


def _copy_slices_twin(torch: Any, a: Any, b: Any, at: np.ndarray) -> Any:
    made = a.clone(memory_format=torch.contiguous_format)
    made.view(-1)[torch.as_tensor(at).flatten()] = b.flatten()
    return made


INDEX_PUT = operation(
    "index_put",
    _index_put,
    Derivative(
        rule=lambda g, y, a, b, *indices, items: _cleared(g, a, *indices, items=items),
        vjp=with_items("{g} with zeros at [ITEMS]"),
        words=_KEPT,
    ),
    Derivative(
        rule=lambda g, y, a, b, *indices, items: _written(g, a, b, *indices, items=items),
        vjp=with_items("{g}[ITEMS]"),
        words=_WRITTEN,
    ),
    notation=with_items("{a} with {b} at [ITEMS]"),
    torch=lambda torch, a, b, *indices, items: _index_put_twin(a, b, *indices, items=items),
    grad_fn=_index_put_grad_fn,
    differentiated_at=_all_written,
    words="a tensor with some elements written over, as `y[0] = v` does",
    functions=(),
    parameters=(INPUT, Parameter("value")),
    example="x=[1,2,3], y=x*2, y[0] = x[1]*x[2], z=y@y",
)

COPY = operation(
    "copy",
    _copy,
    Derivative(rule=lambda g, y, a, b: np.zeros_like(g), vjp="0", words=_KEPT),
    Derivative(rule=lambda g, y, a, b: unbroadcast(g, shape_of(b)), vjp="{g}", words=_WRITTEN),
    notation="copy of {b} into {a}",
    torch=lambda torch, a, b: a.clone().copy_(b),
    grad_fn="torch::autograd::CopyBackwards",
    words="a tensor with all of its elements written over, as `y.copy_(v)` does",
    functions=("copy_",),
    parameters=(INPUT, Parameter("src")),
    example="x=[1,2], y=x*2, y.copy_(x**2), z=y@y",
)

ZERO = operation(
    "zero",
    lambda a: np.zeros_like(a) if isinstance(a, np.ndarray) else type(a)(0),
    rule=lambda g, y, a: full_like(g, 0.0),
    vjp="0",
    because=_KEPT,
    notation="0 in place of {a}",
    torch=lambda torch, a: a.clone().zero_(),
    words="a tensor with zeros written over all of its elements, as `y.zero_()` does",
    functions=("zero_",),
    symbolic=lambda sympy, a: sympy.Integer(0),
    example="x=[1,2], y=x**2, y.zero_(), y += x, z=y@y",
)

FILL = operation(
    "fill",
    lambda a, b: _filled(a, b),
    Derivative(rule=lambda g, y, a, b: np.zeros_like(g), vjp="0", words=_KEPT),
    Derivative(rule=lambda g, y, a, b: np.sum(g), vjp="Σ {g}", words=_WRITTEN),
    notation="{b} in place of {a}",
    torch=lambda torch, a, b: a.clone().fill_(b),
    grad_fn=by_number("fill", number=2, tensor=3),
    words="a tensor with one number written over all of its elements, as `y.fill_(2)` does",
    functions=("fill_",),
    parameters=(INPUT, Parameter("value")),
    arithmetic=True,
    example="x=2, y=[1,2]*x, y.fill_(x), z=y.sum()",
)


def _in_place_of(torch: Any, a: Any, b: Any) -> Any:
    made = a.clone()
    with torch.no_grad():
        return made.copy_(b)


def _new_numbers(a: Any, b: Any) -> Any:
    if shape_of(a) != shape_of(b):
        raise OperandError(
            f"a tensor of shape {shape_of(a)} cannot hold numbers of shape {shape_of(b)}",
            "as many numbers as there are",
        )
    return b


def _moved_along(
    operands: list[Any], recorded: list[Any], attributes: Mapping[str, Any]
) -> tuple[list[Any], Mapping[str, Any]]:
    """By as much as the tensor would have been another, the new numbers are."""
    off = np.subtract(operands[0], recorded[0], dtype=float)
    return [operands[0], np.add(recorded[1], off, dtype=float)], attributes


NEW_NUMBERS = operation(
    "new_numbers",
    _new_numbers,
    rule=lambda g, y, a, b: g,
    vjp="{g}",
    because="To gradients it is the same tensor, whatever numbers it holds.",
    notation="{b} in place of {a}",
    parameters=(INPUT, Parameter("value")),
    torch=_in_place_of,
    grad_fn="",
    differentiated_at=_moved_along,
    words="a tensor with other numbers, of which its history knows nothing: so it is changed in "
    "place inside of `no_grad`, or by `y.detach()`",
    functions=(),
    example="x=[1,2], y=x*2, d=y.detach(), d += 1, z=y@y",
)

COPY_SLICES = operation(
    "copy_slices",
    _copy_slices,
    Derivative(
        rule=lambda g, y, a, b, at: _copy_slices(g, np.zeros(at.shape), at),
        vjp="{g} with zeros where {b} was written",
        words=_KEPT,
    ),
    Derivative(
        rule=lambda g, y, a, b, at: np.asarray(g).ravel()[at],
        vjp="{g} where {b} was written",
        words=_WRITTEN,
    ),
    notation="{a} with {b} in its view",
    torch=_copy_slices_twin,
    grad_fn="torch::autograd::CopySlices",
    words="a tensor of which a view has been changed in place",
    functions=(),
    parameters=(INPUT, Parameter("value")),
    example="A=[[1,2],[3,4]], B=A*2, v=B.T[0], v *= A[0], y=(B*B).sum()",
)
