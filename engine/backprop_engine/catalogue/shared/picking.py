"""Operations that pick elements along one axis and tell which: `max` with `dim`, `sort`, `topk`.

They have two outputs, `values` and `indices`. The indices say where the gradient of the values
goes back to.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from backprop_engine.basics.values import same_elements, shape_of
from backprop_engine.catalogue.shared.axes import axes_text, axis_of
from backprop_engine.catalogue.shared.entries import operation
from backprop_engine.operation import Operation


def added_at(model: Any, key: Any, g: Any) -> Any:
    """Zeros in the shape of `model`, and `g` added at `key`: what was picked twice gets twice."""
    gradient = np.zeros_like(model)
    np.add.at(gradient, key, g)
    return gradient


def put_at(model: Any, key: Any, g: Any) -> Any:
    """Zeros in the shape of `model`, and `g` at `key`, which picks nothing twice."""
    gradient = np.zeros_like(model)
    gradient[key] = g
    return gradient


def cleared_at(g: Any, key: Any) -> Any:
    """`g` with zeros at `key`, in at least one axis."""
    left = np.atleast_1d(np.array(g))
    left[key] = 0.0
    return left


VALUES, INDICES = 0, 1
"""What the attribute `output` stands for."""
_NOT_OF_PLACES = ("output", "keepdim")


def add_along_axis(a: Any, indices: Any, g: Any, axis: int) -> Any:
    """Zeros in the shape of `a`, and each element of `g` added at its index along `axis`."""
    places = list(np.indices(indices.shape, sparse=True))
    places[axis] = indices
    return added_at(a, tuple(places), g)


def is_tied(array: Any, picked: Any, axis: int) -> Any:
    """Where an element is equal to another of its line and to one that was picked from there."""
    lines, chosen = np.moveaxis(array, axis, -1), np.moveaxis(picked, axis, -1)
    order = np.argsort(lines, axis=-1)
    in_order = np.take_along_axis(lines, order, -1)
    repeats = same_elements(in_order[..., 1:], in_order[..., :-1])
    ends = np.zeros((*repeats.shape[:-1], 1), bool)
    repeated = np.concatenate([repeats, ends], -1) | np.concatenate([ends, repeats], -1)
    tied = np.zeros(lines.shape, bool)
    np.put_along_axis(tied, order, repeated, -1)
    # What is picked lies together in order: between the smallest and the largest of it.
    is_between = (lines >= np.min(chosen, -1, keepdims=True, initial=np.inf)) & (
        lines <= np.max(chosen, -1, keepdims=True, initial=-np.inf)
    )
    return np.moveaxis(tied & (is_between | np.isnan(lines)), -1, axis)


def picking(name: str, places: Callable[..., Any], **entry: Any) -> Operation:
    """An operation that picks along an axis.

    `places(array, dim, **attributes)` are the indices of what is picked, with the axis kept; it
    is given an array of at least one axis.
    """
    called = name.partition(".")[0]

    def find(a: Any, dim: int, attributes: dict[str, Any]) -> tuple[Any, Any, int]:
        array, axis = np.atleast_1d(a), axis_of(a, dim)
        given = {name: value for name, value in attributes.items() if name not in _NOT_OF_PLACES}
        return array, places(array, axis, **given), axis

    def forward(a: Any, dim: int, output: int, keepdim: bool = True, **attributes: Any) -> Any:
        array, indices, axis = find(a, dim, attributes)
        picked = indices if output == INDICES else np.take_along_axis(array, indices, axis)
        if not shape_of(a):
            return picked[0]
        return picked if keepdim else np.squeeze(picked, axis)

    def tied(a: Any, dim: int, **attributes: Any) -> Any:
        array, indices, axis = find(a, dim, attributes)
        picked = np.take_along_axis(array, indices, axis)
        return np.reshape(is_tied(array, picked, axis), shape_of(a))

    def rule(g: Any, _y: Any, a: Any, dim: int, **attributes: Any) -> Any:
        array, indices, axis = find(a, dim, attributes)
        sent = add_along_axis(array, indices, np.reshape(g, indices.shape), axis)
        return np.reshape(sent, shape_of(a))

    def notation(dim: int, output: int, **_: Any) -> str:
        which = "values" if output == VALUES else "indices"
        return f"{called}({{a}}){axes_text(dim)}, {which}"

    return operation(
        name,
        forward,
        rule=rule,
        vjp="{g}, back where the elements were picked; 0 elsewhere",
        notation=notation,
        outputs=lambda *_operands, **_attributes: ("values", "indices"),
        tied=tied,
        symbolic=lambda sympy, a, output, **_: a if output == VALUES else sympy.Integer(0),
        **entry,
    )
