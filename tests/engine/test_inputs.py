"""What inputs hold: numbers, lists and generated arrays, in the dtype the scenario asks for."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from numpy.random import PCG64, Generator

from backprop_engine.basics.source import Source
from backprop_engine.program.scenario import Input
from backprop_engine.scenarios.loader import parse_document


def read(spec: str, dtype: str = "float64") -> Input:
    text = f"dtype: {dtype}\ninputs:\n  x: {spec}\ncompute: y = x\n"
    (one,) = parse_document(Source("lesson.yaml", text)).inputs
    return one


@pytest.mark.parametrize(
    ("spec", "value"),
    [
        ("2", 2.0),
        ("-0.5", -0.5),
        ("1e-3", 0.001),
        ("+1_000", 1000.0),
        (".5", 0.5),
        ("010", 10.0),
        (".inf", math.inf),
        ("-.inf", -math.inf),
        ("'-inf'", -math.inf),
        ("1e999", math.inf),
        ("9" * 400, math.inf),
        ("{value: 3}", 3.0),
        ("{normal: [], seed: 3}", Generator(PCG64(3)).standard_normal()),
    ],
)
def test_a_number_is_a_float_that_requires_grad(spec: str, value: float) -> None:
    one = read(spec)

    assert type(one.value) is float
    assert one.value == value
    assert one.requires_grad


def test_not_a_number_is_a_number_here() -> None:
    assert math.isnan(read(".nan").value)
    assert math.isnan(read("nan").value)


@pytest.mark.parametrize(
    ("spec", "array"),
    [
        ("[1, 2.5, -3]", np.array([1, 2.5, -3])),
        ("[[1, 2], [3, 4]]", np.array([[1.0, 2.0], [3.0, 4.0]])),
        ("[]", np.zeros(0)),
        ("[[], []]", np.zeros((2, 0))),
        ("[[[1]], [[.inf]]]", np.array([[[1.0]], [[np.inf]]])),
        ("{normal: [3, 4]}", Generator(PCG64(0)).standard_normal((3, 4))),
        ("{normal: [3, 4], seed: 7}", Generator(PCG64(7)).standard_normal((3, 4))),
        ("{uniform: [2, 2, 2], seed: 1}", Generator(PCG64(1)).random((2, 2, 2))),
        ("{uniform: 5}", Generator(PCG64(0)).random(5)),
        ("{zeros: [2, 0]}", np.zeros((2, 0))),
        ("{ones: 3}", np.ones(3)),
        ("{full: [2, 2], fill: -1.5}", np.full((2, 2), -1.5)),
        ("{arange: 4}", np.arange(4.0)),
        ("{arange: [2, 5]}", np.arange(2.0, 5.0)),
        ("{arange: [1, 0, -0.3]}", np.arange(1.0, 0.0, -0.3)),
        ("{arange: [3, 1]}", np.zeros(0)),
        ("{linspace: [0, 1, 7]}", np.linspace(0, 1, 7)),
        ("{linspace: [0, 1, 0]}", np.zeros(0)),
        ("{eye: 3}", np.eye(3)),
    ],
)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_arrays_and_generators_are_numpys(spec: str, array: Any, dtype: str) -> None:
    one = read(spec, dtype)

    assert isinstance(one.value, np.ndarray)
    assert one.value.dtype == dtype
    assert one.value.shape == array.shape
    assert one.value.tobytes() == array.astype(dtype).tobytes()
    assert one.requires_grad


def test_a_scalar_of_a_float32_scenario_is_rounded_to_float32() -> None:
    one = read("0.1", "float32")

    assert type(one.value) is np.float32
    assert one.value == np.float32(0.1)


@pytest.mark.parametrize(
    ("spec", "array"),
    [
        ("{value: [0, 0, 2], dtype: int64}", np.array([0, 0, 2], np.int64)),
        ("{value: [-9223372036854775808], dtype: int64}", np.array([-(2**63)], np.int64)),
        ("{arange: 3, dtype: int64}", np.arange(3, dtype=np.int64)),
        ("{value: [true, false], dtype: bool}", np.array([True, False])),
        ("{value: [1, 0], dtype: bool}", np.array([True, False])),
        ("{ones: [1, 2], dtype: bool}", np.array([[True, True]])),
    ],
)
def test_indices_and_masks_keep_their_dtype_and_need_no_gradient(spec: str, array: Any) -> None:
    one = read(spec)

    assert isinstance(one.value, np.ndarray)
    assert one.value.dtype == array.dtype
    assert one.value.tolist() == array.tolist()
    assert not one.requires_grad


@pytest.mark.parametrize(
    ("spec", "value"), [("{value: 3, dtype: int64}", 3), ("{value: true, dtype: bool}", True)]
)
def test_a_single_index_or_flag_is_a_python_one(spec: str, value: int | bool) -> None:
    one = read(spec)

    assert one.value == value
    assert type(one.value) is type(value)


def test_an_input_may_do_without_a_gradient() -> None:
    assert not read("{value: [1, 2], requires_grad: false}").requires_grad


def test_an_alias_stands_for_the_value_it_names() -> None:
    text = "inputs:\n  x: &row [1, 2]\n  W: [*row, *row]\ncompute: y = W @ x\n"
    x, w = parse_document(Source("lesson.yaml", text)).inputs

    assert np.asarray(x.value).tolist() == [1, 2]
    assert np.asarray(w.value).tolist() == [[1, 2], [1, 2]]
