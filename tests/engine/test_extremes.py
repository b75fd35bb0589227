"""Numbers at the edge: signs of zero, nan in a window, whole numbers that overflow, as in torch."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch

from backprop_engine.basics.source import OperandError
from backprop_engine.catalogue import OPERATIONS
from backprop_engine.checking.compare import compare
from backprop_engine.graph import Graph

NAN, INF = float("nan"), float("inf")
SIGNED = {
    "float64": (0.0, -0.0, 1.0, -1.0, 2.5, -3.0, 5e-324, -5e-324, 1.797e308, INF, -INF),
    "float32": (0.0, -0.0, 1.0, -1.0, 2.5, -3.0, 1e-45, -1e-45, 3.4028234663852886e38, INF, -INF),
}  # fmt: skip
KEEPS_ZEROS = (
    "remainder", "fmod", "copysign", "atan2", "maximum", "minimum", "div", "mul", "add", "sub",
)  # fmt: skip
ONE_OPERAND = ("relu", "abs", "neg", "sign", "floor", "ceil", "trunc", "round", "frac", "sqrt")


def assert_same_bits(ours: Any, theirs: Any, at: Any) -> None:
    assert (ours == theirs) or (ours != ours and theirs != theirs), at
    assert np.isnan(ours) or np.signbit(ours) == np.signbit(theirs), (at, ours, theirs)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", KEEPS_ZEROS)
def test_a_zero_has_the_sign_that_torch_gives_it(name, dtype, both):
    for a, b in itertools.product(SIGNED[dtype], SIGNED[dtype]):
        run = both(name, [a, b], {}, dtype)
        if run.value == 0 or name in ("remainder", "fmod"):
            assert_same_bits(run.value, run.torch_value, (a, b))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", ONE_OPERAND)
def test_a_zero_of_one_operand_has_the_sign_that_torch_gives_it(name, dtype, both, with_defaults):
    attributes = with_defaults(OPERATIONS[name], {})
    for a in SIGNED[dtype]:
        run = both(name, [a], attributes, dtype)
        assert_same_bits(run.value, run.torch_value, a)
    array = np.array(SIGNED[dtype], dtype)
    run = both(name, [array], attributes, dtype)
    for ours, theirs, at in zip(run.value, run.torch_value, array, strict=True):
        assert_same_bits(ours, theirs, at)


@pytest.mark.parametrize("exponent", [0.5, -0.5, 1.5, -1.0, -2.0, 2.0])
@pytest.mark.parametrize("base", [0.0, -0.0, INF, -INF])
def test_a_root_has_the_slope_of_torch_also_at_minus_zero(exponent, base, both):
    for numbers in ([1], []):
        run = both("pow", [base, exponent], {}, "float64", numbers=numbers)
        ours, theirs = (run.value, run.gradients[0]), (run.torch_value, run.torch_gradients[0])
        for one, other in zip(ours, theirs, strict=True):
            if base == 2.0:  # with AVX512 torch's root of 2 is the number below
                assert compare(float(one), float(other)).agrees
            else:
                assert_same_bits(one, other, (base, exponent, numbers))


@pytest.mark.parametrize("exponent", [0.5, -0.5, 1.5, -1.0, -2.0, 2.0])
def test_a_root_of_an_ordinary_number_is_torchs_within_the_last_digit(exponent, both):
    # What torch's vectorised pow rounds to depends on the processor.
    for numbers in ([1], []):
        run = both("pow", [2.0, exponent], {}, "float64", numbers=numbers)
        np.testing.assert_array_max_ulp(run.value, run.torch_value, maxulp=1)
        np.testing.assert_array_max_ulp(run.gradients[0], run.torch_gradients[0], maxulp=1)


@pytest.mark.parametrize(
    ("operands", "sent"),
    [([2.0, INF], [0, 1]), ([2.0, -INF], [1, 0]), ([2.0, 3.0, INF], [0, 1, 0])],
)
def test_a_bound_of_infinity_receives_what_it_takes_over(operands, sent, both):
    run = both("clamp.tensor", operands, {}, "float64")
    assert [float(gradient) != 0 for gradient in run.gradients] == [bool(one) for one in sent]
    for ours, theirs in zip(run.gradients, run.torch_gradients, strict=True):
        assert ours == theirs


@pytest.mark.parametrize("places", [[0], [2], [0, 2], [1, 2], [0, 1, 2, 3, 4, 5]])
@pytest.mark.parametrize("name", ["max_pool1d", "max_pool2d", "avg_pool2d", "adaptive_avg_pool2d"])
def test_pooling_hands_on_nan_and_sends_to_the_element_that_torch_takes(
    name, places, both, with_defaults
):
    values = np.arange(24.0) % 7
    values[places] = NAN
    image = values.reshape((1, 2, 12) if name.endswith("1d") else (1, 2, 3, 4))
    settings = {"output_size": (2, 3)} if "adaptive" in name else {"kernel_size": 2, "stride": 1}
    run = both(name, [image], with_defaults(OPERATIONS[name], settings), "float64")
    np.testing.assert_array_equal(run.value, run.torch_value)
    np.testing.assert_allclose(run.gradients[0], run.torch_gradients[0], rtol=1e-14)


def test_an_infinity_reaches_the_windows_that_hold_it_alone(both):
    image = np.arange(40.0).reshape(1, 5, 8)
    image[0, 2, 3] = INF
    run = both("adaptive_avg_pool2d", [image], {"output_size": (3, 4)}, "float64")
    np.testing.assert_array_equal(run.value, run.torch_value)


LARGEST = 2**63 - 1


@pytest.mark.parametrize(
    ("name", "operands"),
    [
        ("add", (LARGEST, 1)),
        ("mul", (LARGEST, 2)),
        ("neg", (-(2**63),)),
        ("pow", (LARGEST, 2)),
        ("pow", (3, 50)),
        ("remainder", (-7, 3)),
        ("fmod", (-7, 3)),
    ],
)
def test_a_whole_number_that_is_too_large_wraps_as_in_torch(name, operands):
    operation, graph = OPERATIONS[name], Graph()
    leaves = tuple(
        graph.add_input(f"i{at}", one, requires_grad=False) for at, one in enumerate(operands)
    )
    with np.errstate(all="ignore"):
        node = graph.apply(operation, leaves, {})
    assert graph.value[node] == operation.twins.torch(torch, *map(torch.tensor, operands)).item()


@pytest.mark.parametrize("base", [3, -1, 1, np.array([3, -1, 1, 2])])
@pytest.mark.parametrize("exponent", [-1, -2, 3, np.array([-1, -2, 0, 2])])
def test_a_whole_number_to_the_power_of_a_whole_tensor_is_that_of_torch(base, exponent):
    graph = Graph()
    leaves = tuple(
        graph.add_input(f"i{at}", one, requires_grad=False)
        for at, one in enumerate((base, exponent))
    )
    node = graph.apply(OPERATIONS["pow"], leaves, {})
    expected = torch.pow(torch.tensor(base), torch.tensor(exponent)).numpy()
    np.testing.assert_array_equal(graph.value[node], expected)


@pytest.mark.parametrize("value", [3, np.array([3, 4])])
@pytest.mark.parametrize(
    ("name", "number", "words"),
    [
        ("pow", -1, "Integers to negative integer powers are not allowed."),
        ("remainder", 0, "ZeroDivisionError"),
        ("fmod", 0, "ZeroDivisionError"),
    ],
)
def test_what_torch_refuses_of_whole_numbers_is_refused_in_its_words(value, name, number, words):
    with pytest.raises(RuntimeError, match=words.rstrip(".")):
        OPERATIONS[name].twins.torch(torch, torch.tensor(value), number)
    graph = Graph()
    i = graph.add_input("i", value, requires_grad=False)
    with pytest.raises(OperandError, match=words.rstrip(".")):
        graph.apply(OPERATIONS[name], (i, graph.add_constant(number)), {})


def test_two_numbers_of_python_are_raised_by_python():
    graph = Graph()
    node = graph.apply(OPERATIONS["pow"], (graph.add_constant(2), graph.add_constant(-1)), {})
    assert graph.value[node] == 0.5


@pytest.mark.parametrize("size", [1])
def test_one_number_unfolds_into_one_window(size, both):
    run = both("Tensor.unfold", [2.0], {"dimension": 0, "size": size, "step": 1}, "float64")
    np.testing.assert_array_equal(run.value, run.torch_value)
    assert run.value.shape == (1,)
    assert run.gradients == run.torch_gradients
    assert run.grad_fn == run.torch_grad_fn


def kinds(array: Any) -> list[str]:
    """What kinds of numbers an array holds."""
    numbers = np.ravel(array)
    return sorted({"nan" if x != x else "inf" if np.isinf(x) else "finite" for x in numbers})


@pytest.mark.parametrize(("dtype", "huge"), [("float64", 1e200), ("float32", 1e20)])
@pytest.mark.parametrize("count", [3, 4, 6, 8, 9, 16])
@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("layer_norm", {}), ("group_norm", {"num_groups": 1}), ("batch_norm", {"training": True}),
        ("instance_norm", {}), ("rms_norm", {}), ("var", {}), ("std", {}), ("std", {"dim": 0}),
    ],
)  # fmt: skip
def test_what_overflows_inside_of_a_normalisation_comes_out_as_in_torch(
    name, settings, count, dtype, huge, both, with_defaults
):
    shape = {"group_norm": (1, count), "batch_norm": (count, 1), "instance_norm": (1, 1, count)}
    if name in ("layer_norm", "rms_norm"):
        settings = {"normalized_shape": (count,)}
    for values in (np.linspace(1, 2, count), np.eye(count)[0], -np.eye(count)[1]):
        operand = (values * huge + np.arange(count)).reshape(shape.get(name, (count,)))
        run = both(name, [operand], with_defaults(OPERATIONS[name], settings), dtype)
        assert kinds(run.value) == kinds(run.torch_value)
        assert kinds(run.gradients[0]) == kinds(run.torch_gradients[0])
        if name in ("rms_norm", "instance_norm") and np.count_nonzero(values) == 1:
            # Twice the value overflows, and what is sent.
            largest = (values * (float(np.finfo(dtype).max) * 0.95)).reshape(operand.shape)
            run = both(name, [largest], with_defaults(OPERATIONS[name], settings), dtype)
            assert kinds(run.gradients[0]) == kinds(run.torch_gradients[0])
        if name == "std":  # in 64 bits inside: what fits the result is finite
            np.testing.assert_allclose(run.value, run.torch_value, rtol=1e-5)
