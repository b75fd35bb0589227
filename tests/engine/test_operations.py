"""Operations whose elements mix against their torch twins; what holds for every entry."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from backprop_engine.basics.source import OperandError
from backprop_engine.basics.values import UNIT_ROUNDOFF, Dtype
from backprop_engine.catalogue import BINARY, FUNCTIONS, OPERATIONS, PROPERTIES
from backprop_engine.catalogue.subscripts import FROM_OPERAND
from backprop_engine.graph import Graph

VECTOR = [0.3, -1.2, 2.0]
MATRIX = [[0.5, -1.0, 2.0], [1.5, 0.25, -0.75]]
SQUARE = [[0.5, -1.0, 2.0], [1.5, 0.25, -0.75], [2.5, 1.0, 0.125]]
CUBE = np.linspace(-1, 2, 2 * 3 * 4).reshape(2, 3, 4).tolist()

ARRAY_CASES: dict[str, list[tuple[list[Any], dict[str, Any]]]] = {
    "sum": [
        ([1.5], {"dim": None, "keepdim": False}),
        ([CUBE], {"dim": None, "keepdim": False}),
        ([CUBE], {"dim": 1, "keepdim": False}),
        ([CUBE], {"dim": -1, "keepdim": True}),
        ([CUBE], {"dim": (0, 2), "keepdim": False}),
        ([CUBE], {"dim": (0, 2), "keepdim": True}),
    ],
    "mean": [
        ([1.5], {"dim": None, "keepdim": False}),
        ([MATRIX], {"dim": None, "keepdim": False}),
        ([CUBE], {"dim": 0, "keepdim": False}),
        ([CUBE], {"dim": (-1, 0), "keepdim": True}),
    ],
    "matmul": [
        ([VECTOR, VECTOR], {}),
        ([MATRIX, VECTOR], {}),
        ([VECTOR, SQUARE], {}),
        ([MATRIX, SQUARE], {}),
        ([CUBE, np.ones((4, 2)).tolist()], {}),
        ([CUBE, [1.0, 2.0, 3.0, 4.0]], {}),
        ([VECTOR, CUBE], {}),
        ([CUBE, np.arange(2 * 4 * 2.0).reshape(2, 4, 2).tolist()], {}),
        ([MATRIX, CUBE], {}),
        ([CUBE, np.ones((1, 4, 2)).tolist()], {}),
    ],
    "dot": [([VECTOR, [2.0, 0.0, -3.0]], {})],
    "reshape": [
        ([MATRIX], {"shape": (3, 2)}), ([MATRIX], {"shape": (-1,)}), ([2.0], {"shape": (1, 1)}),
    ],
    "transpose": [([MATRIX], {"dim0": 0, "dim1": 1}), ([CUBE], {"dim0": -1, "dim1": 0})],
    "glu": [
        ([[0.5, -1.0, 2.0, 1.5]], {"dim": -1}),
        ([CUBE], {"dim": 0}),
        ([CUBE], {"dim": -1}),
    ],
    "T": [([MATRIX], {})],
    "t": [([MATRIX], {}), ([VECTOR], {})],
    "index": [
        ([VECTOR], {"items": (0,)}),
        ([VECTOR], {"items": (-1,)}),
        ([VECTOR], {"items": (slice(0, 2, None),)}),
        ([VECTOR], {"items": (slice(None, None, 2),)}),
        ([VECTOR], {"items": (slice(None, None, None),)}),
        ([MATRIX], {"items": (slice(None, None, None), slice(None, None, None))}),
        ([MATRIX], {"items": (...,)}),
        ([VECTOR], {"items": ((0, 0, 2),)}),
        ([VECTOR], {"items": (None,)}),
        ([MATRIX], {"items": (1, 2)}),
        ([MATRIX], {"items": (slice(None), 1)}),
        ([MATRIX], {"items": (1, slice(None))}),
        ([MATRIX], {"items": (slice(0, 1, None), slice(1, 3, None))}),
        ([MATRIX], {"items": (..., 0)}),
        ([CUBE], {"items": (0, ..., slice(1, 3, None))}),
        ([VECTOR, np.array([0, 0, 2])], {"items": (FROM_OPERAND,)}),
        ([MATRIX, np.array([2, 0, 2])], {"items": (slice(None), FROM_OPERAND)}),
        ([MATRIX, 1], {"items": (FROM_OPERAND,)}),
        ([VECTOR, np.array([True, False, True])], {"items": (FROM_OPERAND,)}),
    ],
}  # fmt: skip

CASES = [
    pytest.param(name, operands, attributes, id=f"{name}-{number}")
    for name, cases in ARRAY_CASES.items()
    for number, (operands, attributes) in enumerate(cases)
]


def assert_equal_to_rounding(ours: Any, theirs: Any, dtype: Dtype, terms: float) -> None:
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    assert ours.shape == theirs.shape
    assert ours.dtype == theirs.dtype
    unit = UNIT_ROUNDOFF[dtype]
    np.testing.assert_allclose(ours, theirs, rtol=8 * unit, atol=8 * unit * terms)


@pytest.mark.filterwarnings("ignore:.*0D or 1D")
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("name", "operands", "attributes"), CASES)
def test_value_gradients_and_grad_fn_equal_those_of_torch(both, name, operands, attributes, dtype):
    run = both(name, operands, attributes, dtype)
    terms = 32.0 if name in ("sum", "mean", "matmul", "dot") else 0.0
    assert_equal_to_rounding(run.value, run.torch_value, dtype, terms)
    assert len(run.gradients) == len(run.torch_gradients) > 0
    for our, their in zip(run.gradients, run.torch_gradients, strict=True):
        assert_equal_to_rounding(our, their, dtype, terms)
    assert run.grad_fn == run.torch_grad_fn


@pytest.mark.parametrize(
    ("symbol", "name"),
    [("-", "RsubBackward1"), ("/", "MulBackward0"), ("**", "PowBackward2"), ("+", "AddBackward0")],
)
def test_a_number_on_the_left_gives_the_grad_fn_torch_gives(symbol, name):
    graph = Graph()
    number, leaf = graph.add_constant(2.0), graph.add_input("x", 3.0, requires_grad=True)
    assert graph.grad_fn(graph.apply(BINARY[symbol], (number, leaf))) == name


def test_every_operation_can_be_written():
    reachable = {
        *(one.name for one in BINARY.values()),
        *(form.name for forms in FUNCTIONS.values() for form in forms),
        *(one.name for one, _ in PROPERTIES.values()),
        "index",
        "index_put",  # `y[0] = v`
        "copy_slices",
        "new_numbers",  # `with torch.no_grad(): y += 1`
    }
    assert reachable == set(OPERATIONS)


def test_every_derivative_says_what_it_does():
    for operation in OPERATIONS.values():
        assert operation.description.words
        for derivative in operation.derivatives:
            assert derivative.words
            assert derivative.local or derivative.vjp
            assert (derivative.local is not None) == operation.elementwise


@pytest.mark.parametrize(
    ("name", "operands", "attributes", "message"),
    [
        ("glu", [VECTOR], {"dim": 0}, "`glu` halves an axis, which shape (3,) does not allow"),
        ("add", [VECTOR, [1.0, 2.0]], {}, "`+` cannot broadcast shapes (3,) and (2,)"),
        ("matmul", [MATRIX, [1.0, 2.0]], {}, "`@` cannot multiply shapes (2, 3) and (2,)"),
        ("matmul", [2.0, VECTOR], {}, "`@` takes vectors and matrices"),
        ("dot", [VECTOR, MATRIX], {}, "`dot` takes two vectors"),
        ("dot", [VECTOR, [1.0]], {}, "of one length, not 3 and 1"),
        ("reshape", [VECTOR], {"shape": (2, 2)}, "`reshape` cannot take shape (3,)"),
        ("index", [VECTOR], {"items": (5,)}, "index 5 is out of bounds"),
        ("index", [2.0], {"items": (0,)}, "a single number cannot be indexed"),
        ("index", [VECTOR, 1.5], {"items": (FROM_OPERAND,)}, "an index must be whole numbers"),
        ("sum", [VECTOR], {"dim": 1, "keepdim": False}, "in range of [-1, 0], but got 1)"),
        ("t", [CUBE], {}, "`t` takes a matrix"),
        ("new_numbers", [MATRIX, VECTOR], {}, "cannot hold numbers of shape"),
    ],
)
def test_operands_that_do_not_fit_are_refused_in_words(both, name, operands, attributes, message):
    with pytest.raises(OperandError) as caught:
        both(name, operands, attributes, "float64")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("name", "operands", "attributes", "told"),
    [
        ("sum", [VECTOR], {"dim": 2, "keepdim": False}, "Dimension out of range"),
        ("index", [VECTOR], {"items": (5,)}, "index 5 is out of bounds for dimension 0 with size"),
    ],
)
def test_what_only_numpy_would_say_so_is_said_as_torch_does(name, operands, attributes, told):
    graph = Graph()
    nodes = tuple(graph.add_constant(np.asarray(operand)) for operand in operands)
    with pytest.raises(OperandError) as caught:
        graph.apply(OPERATIONS[name], nodes, attributes)
    assert told in str(caught.value)
    assert "numpy" not in str(caught.value)
    assert "axis" not in str(caught.value)


def test_an_error_that_nobody_has_foreseen_is_told_by_the_call_and_not_in_numpys_words():
    def forward(*_, **__):
        raise TypeError("'numpy.int64' object is not iterable")

    graph = Graph()
    broken = dataclasses.replace(OPERATIONS["sum"], forward=forward)
    with pytest.raises(OperandError) as caught:
        graph.apply(broken, (graph.add_constant(np.ones(3)),), {"dim": 0})
    assert str(caught.value) == "`sum` cannot take shape (3,): not with dim=0"
