"""What rounding can change in a computation of several steps, found by running it perturbed."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from backprop_engine.basics.values import UNIT_ROUNDOFF, Dtype, Value
from backprop_engine.checking.perturbed import sensitivity

DTYPES: tuple[Dtype, ...] = ("float64", "float32")


def softmax(a: Any) -> Any:
    powers = np.exp(a - np.max(a, axis=-1, keepdims=True))
    return powers / np.sum(powers, axis=-1, keepdims=True)


def log_softmax(a: Any) -> Any:
    below = a - np.max(a, axis=-1, keepdims=True)
    return below - np.log(np.sum(np.exp(below), axis=-1, keepdims=True))


def variance(a: Any) -> Any:
    return np.sum((a - np.mean(a, axis=-1, keepdims=True)) ** 2, axis=-1) / (a.shape[-1] - 1)


def standardized(a: Any) -> Any:
    mean = np.mean(a, axis=-1, keepdims=True)
    return (a - mean) / np.sqrt(np.mean((a - mean) ** 2, axis=-1, keepdims=True) + 1e-5)


def norm(a: Any) -> Any:
    return np.sqrt(np.sum(a * a, axis=-1))


def cumulative(a: Any) -> Any:
    return np.cumsum(a, axis=-1)


def inverse(a: Any) -> Any:
    return np.linalg.inv(a)


def bilinear(a: Any) -> Any:
    return np.einsum("ij,kj->ik", a, a) @ a


STEPWISE = [softmax, log_softmax, variance, standardized, norm, cumulative, inverse, bilinear]


def allowed(function: Any, a: Any, dtype: Dtype) -> Value:
    return sensitivity(function, [a], {}, function(a), dtype)


def matrices(dtype: Dtype) -> list[np.ndarray]:
    """Well-behaved ones, small and large ones, and rows far from zero."""
    generator = np.random.default_rng(5)
    scales = [1.0, 1.0, 1e-3, 1e3]
    drawn = [generator.standard_normal((6, 6)) * scale for scale in scales]
    return [one.astype(dtype) for one in [*drawn, generator.standard_normal((6, 6)) + 100]]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("function", STEPWISE)
def test_it_covers_the_error_that_rounding_really_makes(function, dtype):
    for a in matrices(dtype):
        exact = function(a.astype(np.longdouble if function is not inverse else np.float64))
        error = np.abs(function(a) - exact)
        assert (error <= allowed(function, a, dtype)).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("function", STEPWISE)
def test_it_covers_another_order_of_the_same_steps(function, dtype):
    backwards = np.arange(5, -1, -1)
    for a in matrices(dtype):
        if function is cumulative:
            other = np.array([[np.sum(row[: at + 1]) for at in range(6)] for row in a], dtype)
        elif function in (variance, norm):
            other = function(a[:, backwards])
        elif function in (inverse, bilinear):
            other = function(a[np.ix_(backwards, backwards)])[np.ix_(backwards, backwards)]
        else:
            other = function(a[:, backwards])[:, backwards]
        assert (np.abs(function(a) - other) <= allowed(function, a, dtype)).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("function", STEPWISE)
def test_it_is_far_from_covering_a_wrong_factor(function, dtype):
    a = matrices(dtype)[0]
    off = np.abs(function(a) * 1.001 - function(a))
    assert (off > allowed(function, a, dtype)).any()


def test_it_is_the_same_each_time():
    a = matrices("float64")[0]
    np.testing.assert_array_equal(allowed(softmax, a, "float64"), allowed(softmax, a, "float64"))


def test_where_steps_cancel_the_terms_count_and_not_the_small_result():
    sure = np.array([20.0, 0.0])
    value = log_softmax(sure)[0]
    assert -1e-8 < value < 0
    assert allowed(log_softmax, sure, "float64")[0] > UNIT_ROUNDOFF["float64"]
    far = np.array([1e6, 1e6 + 1, 1e6 + 2])
    assert allowed(variance, far, "float64") > 1e5 * UNIT_ROUNDOFF["float64"]


def test_nothing_is_allowed_for_a_choice_between_equals():
    def share_of_the_largest(a: Any) -> Any:
        return (a == np.max(a)) / np.sum(a == np.max(a))

    def side(a: Any) -> Any:
        return np.sign(a - np.mean(a))

    tie = np.array([2.0, 2.0, 1.0])
    assert (allowed(share_of_the_largest, tie, "float64") < 1e-14).all()
    middle = np.array([1.0, 2.0, 3.0])
    assert (allowed(side, middle, "float64") < 1e-14).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_function_of_single_numbers_is_a_step_like_any_other(dtype):
    erf = np.vectorize(math.erf, otypes=[float])
    a = np.array([-3.0, -1.0, 2.0], dtype)
    in_steps = allowed(lambda a: 1 + erf(a).astype(a.dtype), a, dtype)
    assert in_steps[0] > UNIT_ROUNDOFF[dtype], "the terms 1 and -0.99998 cancel"


def test_a_target_of_one_stays_a_target_of_one():
    def loss(a: Any, target: Any) -> Any:
        return np.sum(np.where(target == 1, a, np.maximum(0, 0.7 - a)))

    a, target = np.array([0.1, 0.35, 0.2]), np.array([1.0, -1.0, 1.0])
    bound = sensitivity(loss, [a, target], {}, loss(a, target), "float64")
    assert UNIT_ROUNDOFF["float64"] < bound < 1e-14


def test_nothing_is_allowed_where_the_result_is_not_finite():
    a = np.array([np.inf, 1.0])
    assert not allowed(lambda a: a * 2, a, "float64")[0]


def test_scalars_whole_numbers_and_places_written_to_are_taken_as_they_are():
    def scattered(a: Any, index: Any) -> Any:
        total = np.zeros(3)
        np.add.at(total, index, a * a)
        return total

    a, index = np.array([1.0, 2.0, 3.0]), np.array([0, 0, 2])
    found = sensitivity(scattered, [a, index], {}, scattered(a, index), "float64")
    assert (np.asarray(found)[[0, 2]] > 0).all()
    assert 0 < sensitivity(lambda a: a * a, [3.0], {}, 9.0, "float64") < 1e-13
