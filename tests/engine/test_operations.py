"""Every operation of the catalogue against its torch twin: value, gradients and grad_fn."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import pytest
import torch

from backprop_engine.backward import backward
from backprop_engine.catalogue import BINARY, FUNCTIONS, GROUPS, OPERATIONS, PROPERTIES
from backprop_engine.catalogue.shapes import FROM_OPERAND
from backprop_engine.graph import Graph
from backprop_engine.operation import OperandError
from backprop_engine.values import UNIT_ROUNDOFF, Dtype, settle, shape_of

SCALARS = (
    0.0,
    -0.0,
    0.5,
    -1.5,
    3.0,
    1e-30,
    700.0,
    -750.0,
    float("inf"),
    float("-inf"),
    float("nan"),
)
VECTOR = [0.3, -1.2, 2.0]
MATRIX = [[0.5, -1.0, 2.0], [1.5, 0.25, -0.75]]
SQUARE = [[0.5, -1.0, 2.0], [1.5, 0.25, -0.75], [2.5, 1.0, 0.125]]
CUBE = np.linspace(-1, 2, 2 * 3 * 4).reshape(2, 3, 4).tolist()

UNARY = ("neg", "exp", "log", "sqrt", "sin", "cos", "tanh", "sigmoid", "relu", "abs")
PAIRED = ("add", "sub", "mul", "div", "pow")

ARRAY_CASES: dict[str, list[tuple[list[Any], dict[str, Any]]]] = {
    **{name: [([VECTOR], {}), ([MATRIX], {}), ([[]], {})] for name in UNARY},
    **{
        name: [
            ([VECTOR, MATRIX], {}),
            ([MATRIX, 2.0], {}),
            ([2.0, MATRIX], {}),
            ([[[1.0], [2.0]], VECTOR], {}),
            ([CUBE, [[2.0], [3.0], [0.5]]], {}),
        ]
        for name in PAIRED
    },
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


def our_value(operand: Any, dtype: Dtype) -> Any:
    if isinstance(operand, int) or getattr(operand, "dtype", None) in (np.int64, bool):
        return operand
    array = np.asarray(operand, dtype)
    return array if array.ndim else settle(array, dtype)


def run_both(name: str, operands: list[Any], attributes: dict[str, Any], dtype: Dtype):
    """Value, gradients and grad_fn, of ours and of torch, for a seed without symmetry."""
    operation = OPERATIONS[name]
    graph = Graph(dtype)
    leaves, tensors = [], []
    for position, operand in enumerate(operands):
        value = our_value(operand, dtype)
        floats = not isinstance(value, int) and np.asarray(value).dtype.kind == "f"
        leaves.append(graph.add_input(f"x{position}", value, requires_grad=floats))
        tensor = torch.tensor(np.asarray(value))
        tensors.append(tensor.requires_grad_() if floats else tensor)
    with np.errstate(all="ignore"):
        output = graph.apply(operation, tuple(leaves), attributes)
    twin = operation.torch(torch, *tensors, **attributes)
    generator = np.random.default_rng(zlib.crc32(name.encode()))
    seed = settle(
        np.asarray(generator.uniform(0.5, 2, shape_of(graph.value[output])), dtype), dtype
    )
    twin.backward(torch.tensor(np.asarray(seed)))
    value = graph.value[output]
    # A rule may use the output: both sides get the same, or one ulp of it would be amplified.
    graph.value[output] = settle(twin.detach().numpy().copy(), dtype)
    with np.errstate(all="ignore"):
        received = {step.operand: step.total for step in backward(graph, output, seed)}
    ours = [received[leaf] for leaf in leaves if graph.requires_grad[leaf]]
    theirs = [np.asarray(tensor.grad) for tensor in tensors if tensor.requires_grad]
    return value, twin.detach().numpy(), ours, theirs, (graph, output, twin)


def assert_equal_to_rounding(ours: Any, theirs: Any, dtype: Dtype, terms: float) -> None:
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    assert ours.shape == theirs.shape
    assert ours.dtype == theirs.dtype
    unit = UNIT_ROUNDOFF[dtype]
    np.testing.assert_allclose(ours, theirs, rtol=8 * unit, atol=8 * unit * terms)


@pytest.mark.filterwarnings("ignore:.*0D or 1D")
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("name", "operands", "attributes"), CASES)
def test_value_gradients_and_grad_fn_equal_those_of_torch(name, operands, attributes, dtype):
    value, twin, ours, theirs, (graph, output, tensor) = run_both(name, operands, attributes, dtype)
    reduces = name in ("sum", "mean", "matmul", "dot", *PAIRED)
    terms = 32.0 if reduces else 0.0
    assert_equal_to_rounding(value, twin, dtype, terms)
    assert len(ours) == len(theirs) > 0
    for our, their in zip(ours, theirs, strict=True):
        assert_equal_to_rounding(our, their, dtype, terms)
    assert graph.grad_fn(output) == tensor.grad_fn.name()


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", UNARY)
def test_a_scalar_function_answers_as_torch_at_every_kind_of_number(name, dtype):
    for x in SCALARS:
        value, twin, ours, theirs, _ = run_both(name, [x], {}, dtype)
        assert_equal_to_rounding(value, twin, dtype, 0.0)
        assert_equal_to_rounding(ours[0], theirs[0], dtype, 0.0)


@pytest.mark.parametrize("name", PAIRED)
def test_a_scalar_pair_answers_as_torch_at_every_kind_of_number(name):
    for a in SCALARS:
        for b in SCALARS:
            value, twin, ours, theirs, _ = run_both(name, [a, b], {}, "float64")
            assert_equal_to_rounding(value, twin, "float64", 0.0)
            for our, their in zip(ours, theirs, strict=True):
                assert_equal_to_rounding(our, their, "float64", 0.0)


@pytest.mark.parametrize("exponent", [0.0, 1.0, 2.0, 3.0, -1.0, 0.5, -2.5])
def test_a_power_with_a_number_as_exponent_equals_torch(exponent):
    for x in (0.0, 0.7, -1.3, 2.0, 1e200):
        graph = Graph()
        leaf = graph.add_input("x", x, requires_grad=True)
        with np.errstate(all="ignore"):
            output = graph.apply(BINARY["**"], (leaf, graph.add_constant(exponent)))
        tensor = torch.tensor(x, dtype=torch.float64, requires_grad=True)
        twin = tensor**exponent
        twin.backward()
        with np.errstate(all="ignore"):
            (step,) = backward(graph, output, 1.0)
        assert_equal_to_rounding(graph.value[output], twin.item(), "float64", 0.0)
        assert_equal_to_rounding(step.contribution, tensor.grad.item(), "float64", 0.0)
        assert graph.grad_fn(output) == twin.grad_fn.name() == "PowBackward0"


@pytest.mark.parametrize(
    ("symbol", "name"),
    [("-", "RsubBackward1"), ("/", "MulBackward0"), ("**", "PowBackward2"), ("+", "AddBackward0")],
)
def test_a_number_on_the_left_gives_the_grad_fn_torch_gives(symbol, name):
    graph = Graph()
    number, leaf = graph.add_constant(2.0), graph.add_input("x", 3.0, requires_grad=True)
    assert graph.grad_fn(graph.apply(BINARY[symbol], (number, leaf))) == name


def test_plus_times_and_relu_match_torch_bit_for_bit():
    generator = np.random.default_rng(7)
    for name in ("add", "mul", "relu", "sub", "neg"):
        count = len(OPERATIONS[name].derivatives)
        operands = [generator.standard_normal(50).tolist() for _ in range(count)]
        value, twin, ours, theirs, _ = run_both(name, operands, {}, "float64")
        np.testing.assert_array_equal(value, twin)
        np.testing.assert_array_equal(ours, theirs)


def test_every_operation_of_these_groups_is_tested_here():
    # The groups of networks have files of their own, and each of these checks that it is complete.
    elsewhere = (
        "Layers of networks",
        "Convolution",
        "Pooling",
        "Softmax and attention",
        "Normalisation and lengths",
        "Losses",
    )
    here = [one for title, group in GROUPS.items() if title not in elsewhere for one in group]
    assert set(ARRAY_CASES) == {one.name for one in here if one.differentiable}


def test_every_operation_can_be_written():
    reachable = {
        *(one.name for one in BINARY.values()),
        *(one.name for forms in FUNCTIONS.values() for one in forms),
        *(one.name for one, _ in PROPERTIES.values()),
        "index",
    }
    assert reachable == set(OPERATIONS)


def test_every_derivative_says_what_it_does():
    for operation in OPERATIONS.values():
        assert operation.words
        for derivative in operation.derivatives:
            assert derivative.words
            assert derivative.local or derivative.vjp
            assert (derivative.local is not None) == operation.elementwise


@pytest.mark.parametrize(
    ("name", "operands", "attributes", "message"),
    [
        ("add", [VECTOR, [1.0, 2.0]], {}, "`+` cannot broadcast shapes (3,) and (2,)"),
        ("matmul", [MATRIX, [1.0, 2.0]], {}, "`@` cannot multiply shapes (2, 3) and (2,)"),
        ("matmul", [2.0, VECTOR], {}, "`@` takes vectors and matrices"),
        ("dot", [VECTOR, MATRIX], {}, "`dot` takes two vectors"),
        ("dot", [VECTOR, [1.0]], {}, "of one length, not 3 and 1"),
        ("reshape", [VECTOR], {"shape": (2, 2)}, "`reshape` cannot take shape (3,)"),
        ("index", [VECTOR], {"items": (5,)}, "index 5 is out of bounds"),
        ("index", [2.0], {"items": (0,)}, "a single number cannot be indexed"),
        ("index", [VECTOR, 1.5], {"items": (FROM_OPERAND,)}, "an index must be whole numbers"),
        ("sum", [VECTOR], {"dim": 1, "keepdim": False}, "axis 1 is out of bounds"),
        ("T", [CUBE], {}, "`T` takes a matrix"),
    ],
)
def test_operands_that_do_not_fit_are_refused_in_words(name, operands, attributes, message):
    graph = Graph()
    leaves = tuple(
        graph.add_input(f"x{at}", our_value(one, "float64"), requires_grad=False)
        for at, one in enumerate(operands)
    )
    with pytest.raises(OperandError) as caught:
        graph.apply(OPERATIONS[name], leaves, attributes)
    assert message in str(caught.value)
