"""Arithmetic on the numbers of a graph is IEEE 754's."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from backprop_engine.basics import notation
from backprop_engine.basics.summary import Summary
from backprop_engine.basics.values import where


@given(st.data(), st.sampled_from(["f4", "f8"]), arrays.array_shapes(min_dims=1, max_dims=3))
def test_zeros_are_put_in_without_a_look_at_what_was_there(data, dtype, shape):
    values = data.draw(arrays.arrays(dtype, shape))
    condition = data.draw(arrays.arrays(np.bool_, shape))
    for turned in (lambda array: array, lambda array: array.T, lambda array: array[::-1]):
        chosen = where(turned(condition), 0.0, turned(values))
        expected = np.where(turned(condition), 0.0, turned(values)).astype(dtype)
        assert chosen.dtype == expected.dtype
        assert chosen.shape == expected.shape
        assert chosen.tobytes() == expected.tobytes()


def test_a_negative_zero_is_put_in_as_it_is():
    assert np.signbit(where(np.array([True, False]), -0.0, np.ones(2))).tolist() == [True, False]


@pytest.mark.parametrize("condition", [True, False])
def test_one_condition_for_all_chooses_in_the_shape_of_both(condition):
    numbers = np.array([[1.0], [2.0]])
    assert np.shape(where(condition, numbers, 5.0)) == (2, 1)
    assert np.shape(where(condition, numbers, np.zeros(3))) == (2, 3)


@pytest.mark.parametrize(
    ("norm", "nans", "short"), [(math.nan, 0, "3 ‖?‖"), (math.nan, 2, "3 ‖nan‖ 2 nan")]
)
def test_a_figure_that_was_not_taken_is_no_nan(norm, nans, short):
    value = Summary((3,), "float32", norm, norm, norm, norm, 0, nans, 0)
    assert notation.short(value) == short
    assert ("norm ?" in notation.full(value)) is not bool(nans)
