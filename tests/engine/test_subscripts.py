"""`x[…]` in all combinations against torch's own: the same result and gradient, or both refuse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from backprop_engine.backward import backward
from backprop_engine.basics.source import OperandError
from backprop_engine.catalogue import OPERATIONS
from backprop_engine.catalogue.subscripts import FROM_OPERAND, index_items_text
from backprop_engine.graph import Graph

INDEX = OPERATIONS["index"]

Subscript = tuple[tuple[Any, ...], tuple[Any, ...]]
"""The items of an index, and the arrays among them."""


def answer(shape: tuple[int, ...], items: tuple[Any, ...], arrays: tuple[Any, ...]) -> Any:
    """Value, gradient and `grad_fn` by us, or None where it is refused."""
    graph = Graph()
    numbers = np.arange(1.0, 1.0 + np.prod(shape)).reshape(shape)
    x = graph.add_input("x", numbers if shape else float(numbers), requires_grad=True)
    given = [graph.add_input(f"i{at}", one, requires_grad=False) for at, one in enumerate(arrays)]
    try:
        y = graph.apply(INDEX, (x, *given), {"items": items})
    except OperandError:
        return None
    value = np.asarray(graph.value[y])
    seed = weights(value.shape)
    (step,) = [
        one for one in backward(graph, y, seed if value.ndim else float(seed)) if one.operand == x
    ]
    return value, np.asarray(step.total), graph.grad_fn(y)


def answer_of_torch(shape: tuple[int, ...], items: tuple[Any, ...], arrays: tuple[Any, ...]) -> Any:
    """The same by torch."""
    numbers = np.arange(1.0, 1.0 + np.prod(shape)).reshape(shape)
    x = torch.tensor(numbers, requires_grad=True)
    try:
        y = INDEX.twins.torch(torch, x, *map(torch.tensor, arrays), items=items)
    except (IndexError, RuntimeError, TypeError, ValueError):
        return None
    (gradient,) = torch.autograd.grad(y, x, torch.tensor(weights(tuple(y.shape))))
    return y.detach().numpy(), gradient.numpy(), y.grad_fn.name()


def weights(shape: tuple[int, ...]) -> np.ndarray:
    return np.asarray(np.arange(2.0, 2.0 + np.prod(shape)).reshape(shape) ** 1.5)


def assert_same(shape: tuple[int, ...], items: tuple[Any, ...], arrays: tuple[Any, ...]) -> None:
    ours, theirs = answer(shape, items, arrays), answer_of_torch(shape, items, arrays)
    written = index_items_text(items, tuple(map(repr, arrays)))
    if ours is None and theirs is not None and theirs[0].size == 0:
        return  # where nothing is picked torch lets an index pass that is out of bounds
    assert (ours is None) == (theirs is None), (shape, written, ours, theirs)
    if ours is None:
        return
    for one, other in zip(ours[:2], theirs[:2], strict=True):
        assert one.shape == other.shape, written
        np.testing.assert_allclose(one, other, rtol=1e-15, err_msg=written)
    assert ours[2] == theirs[2], written


WHOLE = st.integers(-3, 3)
PART = st.none() | WHOLE


@st.composite
def subscripts(draw: st.DrawFn) -> tuple[tuple[int, ...], Subscript]:
    shape = tuple(draw(st.lists(st.integers(0, 3), max_size=4)))
    items: list[Any] = []
    arrays: list[Any] = []
    left = list(shape)
    for _ in range(draw(st.integers(1, 5))):
        kinds = ["whole", "slice", "none", "list", "array", "mask", "truth"]
        kind = draw(st.sampled_from(kinds + ["dots"] * (Ellipsis not in items)))
        if kind == "whole":
            items.append(draw(WHOLE))
        elif kind == "slice":
            items.append(slice(draw(PART), draw(PART), draw(st.none() | st.integers(1, 2))))
        elif kind == "none":
            items.append(None)
        elif kind == "dots":
            items.append(Ellipsis)
            left = left[len(left) // 2 :]
            continue
        elif kind == "list":
            items.append(tuple(draw(st.lists(st.integers(-1, 1), max_size=3))))
        else:
            items.append(FROM_OPERAND)
            size = tuple(left[: draw(st.integers(1, 2))]) if kind == "mask" else ()
            if kind == "array":
                rank = draw(st.integers(0, 2))
                size = (*draw(st.lists(st.integers(0, 3), min_size=rank, max_size=rank)),)
                arrays.append(drawn(draw, size, st.integers(-1, 1), np.int64))
            else:
                arrays.append(drawn(draw, size, st.booleans(), bool))
                left = left[len(size) :]
                continue
        left = left[kind in ("whole", "slice", "list", "array") :]
    return shape, (tuple(items), tuple(arrays))


def drawn(draw: st.DrawFn, size: tuple[int, ...], elements: Any, dtype: Any) -> Any:
    count = int(np.prod(size))
    flat = draw(st.lists(elements, min_size=count, max_size=count))
    array = np.array(flat, dtype).reshape(size)
    return array if size else array.item()


@settings(max_examples=250, deadline=None)
@given(subscripts())
def test_any_subscript_gives_what_torch_gives_or_both_refuse(drawn):
    shape, (items, arrays) = drawn
    assert_same(shape, items, arrays)


ROWS, GRID = np.array([0, 1, 1]), np.array([[0, 1], [1, 0]])
MASK = np.array([True, False, True])


@pytest.mark.parametrize(
    ("shape", "items", "arrays"),
    [
        ((3, 4, 2), (0, slice(None), (0, 1, 1)), ()),
        ((3, 4, 2), (1, ..., FROM_OPERAND), (ROWS,)),
        ((3, 4, 2), (None, (0, 1), slice(None), 1), ()),
        ((3, 4, 2), ((0, 1), slice(None), FROM_OPERAND), (ROWS[:2],)),
        ((3, 4, 2), (FROM_OPERAND, slice(None), FROM_OPERAND), (ROWS, 1)),
        ((3, 4, 2), (FROM_OPERAND, slice(1, 3), 0), (MASK,)),
        ((3, 4, 2), (0, FROM_OPERAND, FROM_OPERAND), (GRID, GRID)),
        ((3, 4, 2), (..., FROM_OPERAND, None), (GRID,)),
        ((3, 4), (FROM_OPERAND,), (np.arange(12).reshape(3, 4) % 2 == 0,)),
        ((3, 4), (FROM_OPERAND, slice(None), FROM_OPERAND), (True, ROWS)),
        ((3,), (FROM_OPERAND,), (False,)),
        ((), (None,), ()),
        ((), (...,), ()),
        ((), (FROM_OPERAND,), (True,)),
        ((), (0,), ()),
        ((), (slice(None),), ()),
        ((1, 0), (..., FROM_OPERAND, ()), (np.zeros(0, bool),)),
        ((1, 2), (..., FROM_OPERAND), (np.ones(1, bool),)),
    ],
)
def test_whole_numbers_and_slices_are_taken_before_lists_as_in_torch(shape, items, arrays):
    assert_same(shape, items, arrays)
