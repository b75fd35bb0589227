"""Shape operations, joining, cutting, indexing and filling against their torch twins."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from backprop_engine.backward import backward
from backprop_engine.basics.memory_order import strides_of
from backprop_engine.basics.source import OperandError
from backprop_engine.basics.values import shape_of
from backprop_engine.catalogue import FUNCTIONS, GROUPS, OPERATIONS
from backprop_engine.catalogue.subscripts import FROM_OPERAND
from backprop_engine.graph import Graph

NAN = float("nan")
VECTOR = [0.3, -1.2, 2.0, 0.7]
MATRIX = [[0.5, -1.0, 2.0], [1.5, 0.25, -0.75]]
CUBE = (np.cos(np.arange(24)) * 2).reshape(2, 3, 4).tolist()
ONES = [[[0.5, -1.0, 2.0]], [[1.5, 0.25, -0.75]]]
"""2×1×3."""
EMPTY: list[list[float]] = [[], []]
COUNTS = np.array([1, 0, 2, 1])
MASK = np.array([[True, False, True], [False, False, True]])
ROWS = np.array([1, 0, 1])


def index(*rows: Any) -> np.ndarray:
    return np.array(rows, dtype=np.int64)


Case = tuple[list[Any], dict[str, Any]]


def parts(operands: list[Any], given: dict[str, Any], count: int) -> list[Case]:
    return [(operands, {**given, "output": at}) for at in range(count)]


CASES: dict[str, list[Case]] = {
    "reshape": [
        ([MATRIX], {"shape": (3, 2)}), ([MATRIX], {"shape": (-1,)}), ([2.0], {"shape": (1, 1)}),
        ([EMPTY], {"shape": (3, 0)}), ([[2.0]], {"shape": ()}), ([index(1, 2)], {"shape": (2, 1)}),
    ],
    "view": [([MATRIX], {"shape": (3, 2)}), ([CUBE], {"shape": (2, -1)}), ([2.0], {"shape": (1,)})],
    "flatten": [
        ([CUBE], {}), ([CUBE], {"start_dim": 1}), ([CUBE], {"end_dim": -2}), ([2.0], {}),
    ],
    "ravel": [([CUBE], {}), ([VECTOR], {}), ([2.0], {})],
    "unflatten": [([VECTOR], {"dim": 0, "sizes": (2, 2)}), ([CUBE], {"dim": -1, "sizes": (2, -1)})],
    "squeeze": [
        ([ONES], {}), ([ONES], {"dim": 1}), ([ONES], {"dim": 0}), ([ONES], {"dim": (-2, 0)}),
        ([2.0], {}), ([2.0], {"dim": 0}), ([MASK], {}),
    ],
    "unsqueeze": [([MATRIX], {"dim": 0}), ([MATRIX], {"dim": -1}), ([2.0], {"dim": 0})],
    "transpose": [
        ([MATRIX], {"dim0": 0, "dim1": 1}), ([CUBE], {"dim0": -1, "dim1": 0}),
        ([2.0], {"dim0": 0, "dim1": -1}), ([MASK], {"dim0": 0, "dim1": 1}),
    ],
    "T": [([MATRIX], {}), ([VECTOR], {}), ([CUBE], {})],
    "mT": [([MATRIX], {}), ([CUBE], {}), ([2.0], {})],
    "t": [([MATRIX], {}), ([VECTOR], {}), ([2.0], {})],
    "permute": [
        ([CUBE], {"dims": (2, 0, 1)}), ([CUBE], {"dims": (-1, 1, 0)}), ([VECTOR], {"dims": (0,)}),
    ],
    "movedim": [
        ([CUBE], {"source": 0, "destination": 2}),
        ([CUBE], {"source": (0, 1), "destination": (2, 0)}),
        ([CUBE], {"source": -1, "destination": 0}),
    ],
    "expand": [
        ([VECTOR], {"size": (3, 4)}), ([ONES], {"size": (2, 5, 3)}),
        ([ONES], {"size": (3, -1, 2, -1)}),
        ([2.0], {"size": (2, 2)}), ([VECTOR], {"size": (4,)}), ([MASK], {"size": (2, 2, 3)}),
    ],
    "clone": [([MATRIX], {}), ([2.0], {}), ([index(1, 2)], {})],
    "cat": [
        ([MATRIX, MATRIX], {}), ([MATRIX, [[1.0], [2.0]]], {"dim": -1}), ([VECTOR], {}),
        ([CUBE, CUBE, CUBE], {"dim": 1}), ([index(1, 2), index(3)], {}),
        ([EMPTY, MATRIX], {"dim": 1}),
        ([VECTOR, index(1, 2)], {}),
    ],
    "stack": [
        ([MATRIX, MATRIX], {}), ([MATRIX, MATRIX, MATRIX], {"dim": -1}), ([1.0, 2.0], {}),
        ([VECTOR, VECTOR], {"dim": 1}),
    ],
    "hstack": [([MATRIX, [[1.0], [2.0]]], {}), ([VECTOR, [1.0]], {}), ([1.0, 2.0], {})],
    "vstack": [([MATRIX, MATRIX], {}), ([VECTOR, VECTOR], {}), ([1.0, 2.0], {})],
    "split": [
        *parts([VECTOR], {"split_size_or_sections": 3}, 2),
        *parts([CUBE], {"split_size_or_sections": (1, 2), "dim": 1}, 2),
        *parts([CUBE], {"split_size_or_sections": 2, "dim": -1}, 2),
    ],
    "chunk": [*parts([VECTOR], {"chunks": 3}, 2), *parts([CUBE], {"chunks": 2, "dim": 1}, 2)],
    "unbind": [*parts([MATRIX], {}, 2), *parts([CUBE], {"dim": -1}, 4)],
    "repeat": [
        ([MATRIX], {"repeats": (2, 1)}), ([MATRIX], {"repeats": (2, 2, 3)}),
        ([VECTOR], {"repeats": (2,)}),
        ([2.0], {"repeats": (3,)}), ([MATRIX], {"repeats": (0, 1)}), ([MASK], {"repeats": (1, 2)}),
    ],
    "tile": [([MATRIX], {"dims": (2,)}), ([MATRIX], {"dims": (2, 1, 2)}), ([2.0], {"dims": (2,)})],
    "repeat_interleave": [
        ([MATRIX], {"repeats": 2}), ([MATRIX], {"repeats": 2, "dim": 1}),
        ([VECTOR], {"repeats": 3, "dim": 0}),
    ],
    "repeat_interleave.Tensor": [
        ([VECTOR, COUNTS], {}), ([CUBE, COUNTS], {"dim": -1}), ([MATRIX, index(2, 1)], {"dim": 0}),
    ],
    "roll": [
        ([MATRIX], {"shifts": 1}), ([MATRIX], {"shifts": -1, "dims": 1}), ([2.0], {"shifts": 1}),
        ([CUBE], {"shifts": (1, 2), "dims": (0, -1)}),
    ],
    "flip": [([MATRIX], {"dims": (0,)}), ([CUBE], {"dims": (0, -1)}), ([MATRIX], {"dims": ()})],
    "fliplr": [([MATRIX], {})],
    "flipud": [([MATRIX], {}), ([VECTOR], {})],
    "rot90": [
        ([MATRIX], {}), ([MATRIX], {"k": 2}), ([MATRIX], {"k": -1}),
        ([CUBE], {"dims": (1, 2), "k": 3}),
    ],
    "pad": [
        ([VECTOR], {"pad": (1, 2)}), ([MATRIX], {"pad": (1, 1, 0, 2), "value": 3.0}),
        ([MATRIX], {"pad": (-1, 1)}), ([CUBE], {"pad": (2, 1), "mode": "reflect"}),
        ([CUBE], {"pad": (2, -4), "mode": "replicate"}),
        ([CUBE], {"pad": (-1, 2), "mode": "reflect"}),
        ([CUBE], {"pad": (2, 1, 1, 3), "mode": "replicate"}),
        ([CUBE], {"pad": (1, 2), "mode": "circular"}),
        ([CUBE], {"pad": (-1, 2), "mode": "circular"}),
    ],
    "Tensor.unfold": [
        ([VECTOR], {"dimension": 0, "size": 2, "step": 1}),
        ([CUBE], {"dimension": -1, "size": 2, "step": 2}),
        ([CUBE], {"dimension": 1, "size": 3, "step": 1}),
    ],
    "index": [
        ([CUBE], {"items": (..., None, 0)}),
        ([CUBE, ROWS], {"items": (slice(None), FROM_OPERAND, 0)}),
        ([CUBE, ROWS, ROWS], {"items": (FROM_OPERAND, FROM_OPERAND)}),
        ([CUBE, ROWS, index(2)], {"items": (FROM_OPERAND, slice(None), FROM_OPERAND)}),
        ([MATRIX, MASK], {"items": (FROM_OPERAND,)}),
        ([MATRIX, index([0, 1], [1, 1])], {"items": (FROM_OPERAND,)}),
        ([CUBE, MASK], {"items": (FROM_OPERAND, slice(1, None))}),
        ([CUBE], {"items": (1, slice(0, 2), slice(None, None, 2))}),
        ([CUBE], {"items": ((1, 0, 1), ..., -1)}), ([EMPTY], {"items": (0,)}),
    ],
    "gather": [
        ([MATRIX, index([0, 2], [1, 1])], {"dim": 1}), ([MATRIX, index([1, 0, 1])], {"dim": 0}),
        ([2.0, np.int64(0).reshape(())], {"dim": 0}), ([CUBE, index([[3, 3]])], {"dim": -1}),
    ],
    "index_select": [
        ([MATRIX, ROWS], {"dim": 0}), ([CUBE, index(3, 0)], {"dim": -1}), ([VECTOR, 2], {"dim": 0}),
        ([2.0, index(0)], {"dim": 0}),
    ],
    "take": [
        ([MATRIX, index(0, 5, 5)], {}), ([MATRIX, 3], {}), ([MATRIX, index([0, -1], [2, 2])], {}),
    ],
    "select": [
        ([MATRIX], {"dim": 0, "index": 1}), ([CUBE], {"dim": -1, "index": -2}),
        ([VECTOR], {"dim": 0, "index": 0}),
    ],
    "narrow": [
        ([VECTOR], {"dim": 0, "start": 1, "length": 2}),
        ([CUBE], {"dim": -1, "start": -3, "length": 2}),
        ([CUBE], {"dim": 1, "start": 0, "length": 3}),
    ],
    "masked_select": [
        ([MATRIX, MASK], {}), ([[1.0, 2.0, 3.0], MASK], {}),
        ([2.0, np.array([True, False, True])], {}),
    ],
    "embedding": [
        ([index([0, 0], [1, 0]), MATRIX], {}), ([1, MATRIX], {}),
        ([ROWS, MATRIX], {"padding_idx": 1}),
    ],
    "one_hot": [([ROWS], {}), ([ROWS], {"num_classes": 3}), ([index([0], [2])], {})],
    "masked_fill": [
        ([MATRIX, MASK], {"value": 2.0}), ([[1.0, 2.0, 3.0], MASK], {"value": float("-inf")}),
        ([2.0, MASK], {"value": NAN}),
    ],
    "masked_fill.Tensor": [([MATRIX, MASK, 2.0], {}), ([[1.0, 2.0, 3.0], MASK, 0.5], {})],
    "index_fill": [
        ([2.0, index(0)], {"dim": 0, "value": 5.0}),
        ([MATRIX, index(0)], {"dim": 0, "value": 5.0}),
        ([CUBE, index(1, 3, 1)], {"dim": -1, "value": 5.0}),
    ],
    "index_fill.Tensor": [
        ([MATRIX, index(0), 5.0], {"dim": 0}), ([CUBE, index(1, 3, 1), 0.5], {"dim": -1}),
    ],
    "scatter": [
        ([MATRIX, index([1, 0, 1]), [[7.0, 8.0, 9.0]]], {"dim": 0}),
        ([MATRIX, index([2], [0]), [[7.0], [1.0]]], {"dim": 1}),
        ([VECTOR, index(3, 1), [5.0, 6.0]], {"dim": -1}),
    ],
    "scatter.value": [
        ([MATRIX, index([1, 0, 1])], {"dim": 0, "value": 4.0}),
        ([VECTOR, index(3, 3)], {"dim": 0, "value": 1.0}),
    ],
    "scatter_add": [
        ([MATRIX, index([1, 0, 1]), [[7.0, 8.0, 9.0]]], {"dim": 0}),
        ([VECTOR, index(3, 3, 0), [5.0, 6.0, 7.0]], {"dim": 0}),
    ],
    "index_add": [
        ([2.0, index(0), 3.0], {"dim": 0, "alpha": 2.0}),
        ([MATRIX, index(0, 0), [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]], {"dim": 0}),
        ([MATRIX, index(2, 1), [[1.0, 2.0], [3.0, 4.0]]], {"dim": 1, "alpha": -0.5}),
    ],
}  # fmt: skip
MODELS = ("view_as", "reshape_as", "expand_as")
GROUPED = (
    "Shapes and axes",
    "Joining and cutting",
    "Repeating, shifting and padding",
    "Indexing",
    "Filling in",
)  # fmt: skip


def test_every_operation_of_these_groups_has_cases():
    named = {one.name for group in GROUPED for one in GROUPS[group]}
    assert named == {*CASES, *MODELS, "contiguous"}


@pytest.mark.filterwarnings("ignore:The use of `x.T`")
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", CASES)
def test_value_gradients_and_grad_fn_equal_those_of_torch(name, dtype, agree):
    for operands, attributes in CASES[name]:
        agree(name, operands, attributes, dtype)


def row_by_row(operand: Any) -> np.ndarray:
    return np.asarray(operand)


def column_by_column(operand: Any) -> np.ndarray:
    return np.asarray(operand, order="F")


@pytest.mark.filterwarnings("ignore:The use of `x.T`")
@pytest.mark.parametrize(
    ("name", "layout"),
    [(name, row_by_row) for name in CASES]
    + [(name, column_by_column) for name in CASES if name != "view"],  # which it refuses
)
def test_elements_lie_in_memory_as_torchs_do(name, layout, with_defaults):
    """For `view` and the `grad_fn` of a later `reshape` hang on it."""
    operation = OPERATIONS[name]
    for operands, given in CASES[name]:
        arrays = [layout(operands[0]), *map(np.asarray, operands[1:])]
        attributes = with_defaults(operation, given)
        ours = np.asarray(operation.forward(*arrays, **attributes))
        if ours.ndim > 1:
            ours = operation.lay_out(ours, arrays, attributes)
        theirs = operation.twins.torch(torch, *map(torch.from_numpy, arrays), **attributes)
        assert strides_of(ours) == theirs.stride() or not ours.size, (given, ours.shape)


def applied(graph: Graph, name: str, *operands: int, **attributes: Any) -> int:
    return graph.apply(OPERATIONS[name], operands, attributes)


@pytest.mark.parametrize(
    ("name", "shape"), [("view_as", (4, 1)), ("reshape_as", (2, 2)), ("expand_as", (3, 4))]
)
def test_a_model_gives_its_shape_and_receives_nothing(name, shape):
    graph = Graph()
    x = graph.add_input("x", np.array(VECTOR), requires_grad=True)
    model = graph.add_input("m", np.ones(shape), requires_grad=True)
    node = applied(graph, name, x, model)
    assert shape_of(graph.value[node]) == shape
    done = backward(graph, node, np.ones(shape))
    assert [one.operand for one in done] == [x]
    twin = torch.tensor(VECTOR, requires_grad=True)
    assert graph.grad_fn(node) == getattr(twin, name)(torch.ones(shape)).grad_fn.name()
    np.testing.assert_array_equal(done.gradient[x], np.full(4, np.prod(shape) / 4))


def test_what_only_a_model_requires_grad_for_does_not_require_it():
    graph = Graph()
    x = graph.add_input("x", np.array(VECTOR), requires_grad=False)
    model = graph.add_input("m", np.ones((4, 1)), requires_grad=True)
    assert not graph.requires_grad[applied(graph, "view_as", x, model)]


@pytest.mark.parametrize(
    ("steps", "shape"),
    [
        ([("T", {})], (12,)), ([("T", {})], (4, 3)), ([("T", {})], (2, 2, 3)),
        ([("select", {"dim": 1, "index": 0})], (1, 3)), ([("expand", {"size": (2, 3, 4)})], (6, 4)),
        ([("narrow", {"dim": 1, "start": 0, "length": 2})], (3, 2, 1)),
        ([("flip", {"dims": (0,)})], (12,)), ([("rot90", {"k": 1, "dims": (0, 1)})], (12,)),
        ([("T", {}), ("contiguous", {})], (12,)), ([("T", {}), ("clone", {})], (12,)),
        ([("T", {}), ("roll", {"shifts": 1, "dims": 0})], (12,)),
        ([("T", {}), ("cumsum", {"dim": 0})], (12,)),
    ],
)  # fmt: skip
@pytest.mark.parametrize("how", ["reshape", "flatten", "ravel"])
def test_a_reshape_has_the_grad_fn_that_the_layout_in_memory_gives(steps, shape, how):
    graph = Graph()
    node = graph.add_input("x", np.arange(12.0).reshape(3, 4), requires_grad=True)
    tensor = torch.arange(12.0).reshape(3, 4).requires_grad_()
    for name, attributes in steps:
        node = applied(graph, name, node, **attributes)
        tensor = OPERATIONS[name].twins.torch(torch, tensor, **attributes)
    given = {"reshape": {"shape": shape}, "flatten": {"start_dim": 0, "end_dim": -1}}.get(how, {})
    assert graph.grad_fn(node) == tensor.grad_fn.name()
    node = applied(graph, how, node, **given)
    assert graph.grad_fn(node) == OPERATIONS[how].twins.torch(torch, tensor, **given).grad_fn.name()


def test_what_torch_hands_through_keeps_the_grad_fn_it_has():
    graph = Graph()
    x = graph.add_input("x", np.array(VECTOR), requires_grad=True)
    assert graph.grad_fn(applied(graph, "flatten", x, start_dim=0, end_dim=-1)) == ""
    squared = applied(graph, "mul", x, x)
    passed = applied(graph, "contiguous", applied(graph, "contiguous", squared))
    assert graph.grad_fn(passed) == "MulBackward0"
    done = backward(graph, passed, np.ones(4))
    np.testing.assert_allclose(done.gradient[x], 2 * np.array(VECTOR))


def test_a_repeated_row_of_an_embedding_receives_the_sum(agree):
    run = agree("embedding", [index(0, 2, 2), [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]], {}, "float64")
    (gradient,) = run.gradients
    assert not gradient[1].any()
    assert (gradient[2] > gradient[0]).all()


def test_an_empty_vector_joins_with_anything(agree):
    agree("cat", [[], MATRIX], {}, "float64")


def test_the_parts_of_a_cut_are_counted():
    (split,), (chunk,), (unbind,) = (FUNCTIONS[name] for name in ("split", "chunk", "unbind"))
    assert split.outputs(np.zeros(5), split_size_or_sections=2, dim=0) == ("0", "1", "2")
    assert split.outputs(np.zeros(5), split_size_or_sections=(4, 1), dim=0) == ("0", "1")
    assert chunk.outputs(np.zeros((3, 4)), chunks=5, dim=0) == ("0", "1", "2")
    assert unbind.outputs(np.zeros((3, 4)), dim=1) == ("0", "1", "2", "3")


@pytest.mark.parametrize(
    ("name", "operands", "attributes", "message"),
    [
        (
            "reshape", [VECTOR], {"shape": (2, 3)},
            "`reshape` cannot take shape (4,) to (2, 3): it has 4",
        ),
        ("reshape", [VECTOR], {"shape": (3, -1)}, "it has 4 elements, and they must stay 4"),
        ("reshape", [VECTOR], {"shape": (-1, -1)}, "cannot take shape (4,) to (-1, -1)"),
        ("t", [CUBE], {}, "`t` takes a matrix"),
        ("permute", [MATRIX], {"dims": (0,)}, "`permute` needs every axis of shape (2, 3) once"),
        ("permute", [MATRIX], {"dims": (0, 0)}, "a dim appears multiple times"),
        ("unsqueeze", [MATRIX], {"dim": 5}, "in range of [-3, 2], but got 5)"),
        ("squeeze", [MATRIX], {"dim": 5}, "in range of [-2, 1], but got 5)"),
        ("expand", [MATRIX], {"size": (2, 4)}, "`expand` cannot take shape (2, 3) to (2, 4)"),
        ("cat", [MATRIX, VECTOR], {"dim": 0}, "`cat` cannot join shapes (2, 3) and (4,)"),
        ("cat", [MATRIX, [[1.0]]], {"dim": 0}, "`cat` cannot join shapes (2, 3) and (1, 1)"),
        ("cat", [1.0, 2.0], {"dim": 0}, "`cat` cannot join single numbers"),
        ("stack", [MATRIX, VECTOR], {"dim": 0}, "`stack` cannot join shapes (2, 3) and (4,)"),
        (
            "split", [VECTOR], {"split_size_or_sections": (1, 1), "dim": 0, "output": 0},
            "axis 0 of shape (4,) has 4",
        ),
        ("chunk", [VECTOR], {"chunks": 0, "dim": 0, "output": 0}, "cannot cut shape (4,) into 0"),
        ("unbind", [1.0], {"dim": 0, "output": 0}, "cannot cut a single number"),
        (
            "repeat", [MATRIX], {"repeats": (2,)},
            "`repeat` needs a number for every axis of shape (2, 3)",
        ),
        ("repeat_interleave.Tensor", [VECTOR, index(1, 2)], {"dim": None}, "each of 4 elements"),
        ("roll", [VECTOR], {"shifts": (1, 2), "dims": None}, "got 2 shifts and no axes"),
        ("flip", [VECTOR], {"dims": (0, 0)}, "a dim appears multiple times"),
        ("fliplr", [VECTOR], {}, "`fliplr` needs at least 2 axes, and got shape (4,)"),
        (
            "pad", [VECTOR], {"pad": (1,), "mode": "constant", "value": None},
            "two numbers for an axis",
        ),
        (
            "pad", [CUBE], {"pad": (4, 0), "mode": "reflect", "value": None},
            "of shape (2, 3, 4) in mode reflect",
        ),
        ("Tensor.unfold", [VECTOR], {"dimension": 0, "size": 7, "step": 1}, "cut windows of 7"),
        ("index", [VECTOR], {"items": (5,)}, "index 5 is out of bounds"),
        ("index", [2.0], {"items": (0,)}, "a single number cannot be indexed"),
        ("index", [VECTOR, 1.5], {"items": (FROM_OPERAND,)}, "an index must be whole numbers"),
        ("gather", [MATRIX, index([5])], {"dim": 0}, "index 5 of `gather` is out of bounds for 2"),
        ("gather", [MATRIX, index(1)], {"dim": 0}, "the shapes are (2, 3) and (1,)"),
        ("gather", [MATRIX, [[1.0]]], {"dim": 0}, "must be whole numbers, not float64"),
        ("index_select", [MATRIX, index(7)], {"dim": 0}, "index 7 of `index_select`"),
        ("take", [MATRIX, index(6)], {}, "index 6 of `take` is out of bounds for 6 elements"),
        ("select", [VECTOR], {"dim": 0, "index": 9}, "index 9 is out of bounds"),
        (
            "narrow", [VECTOR], {"dim": 0, "start": 2, "length": 5},
            "cannot take 5 elements from 2 on",
        ),
        ("embedding", [index(3), MATRIX], {"padding_idx": None}, "index 3 of `embedding`"),
        ("embedding", [index(0), VECTOR], {"padding_idx": None}, "from a matrix, not shape (4,)"),
        ("one_hot", [index(4)], {"num_classes": 3}, "index 4 of `one_hot` is out of bounds for 3"),
        ("masked_fill", [VECTOR, VECTOR], {"value": 1.0}, "must be truth values, not float64"),
        (
            "masked_fill.Tensor", [MATRIX, MASK, VECTOR], {},
            "takes one number to fill in, not shape (4,)",
        ),
        ("masked_fill", [VECTOR, MASK], {"value": 1.0}, "cannot broadcast shapes (4,) and (2, 3)"),
        ("scatter", [VECTOR, index(0, 1), [1.0]], {"dim": 0}, "cannot put shape (1,) into (4,)"),
        ("scatter_add", [VECTOR, index(0), 1.0], {"dim": 0}, "the shapes are (4,) and ()"),
        (
            "index_add", [MATRIX, index(0), VECTOR], {"dim": 0, "alpha": 1.0},
            "`index_add` adds shape (1, 3)",
        ),
    ],
)  # fmt: skip
def test_operands_that_do_not_fit_are_refused_in_words(name, operands, attributes, message):
    graph = Graph()
    values = [
        operand if isinstance(operand, float | np.ndarray) else np.array(operand, float)
        for operand in operands
    ]
    leaves = [graph.add_input(f"x{at}", one, requires_grad=False) for at, one in enumerate(values)]
    with pytest.raises(OperandError) as caught:
        applied(graph, name, *leaves, **attributes)
    assert message in str(caught.value)


def test_a_view_of_what_does_not_lie_in_order_is_refused_with_the_remedy():
    graph = Graph()
    x = graph.add_input("x", np.arange(6.0).reshape(2, 3), requires_grad=True)
    with pytest.raises(OperandError, match="do not lie in memory in that order") as caught:
        applied(graph, "view", applied(graph, "T", x), shape=(6,))
    assert "reshape" in caught.value.fix
