"""What goes over the pipe arrives as it was."""

from __future__ import annotations

import json

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from backprop_tui.oracle.protocol import (
    cleared_grads,
    decode_attribute,
    decode_value,
    encode_attribute,
    encode_value,
)

scalars = st.none() | st.booleans() | st.integers(-9, 9) | st.floats(allow_nan=False) | st.text()
slices = st.builds(slice, *[st.none() | st.integers(-9, 9)] * 3)
attributes = st.recursive(
    scalars | slices | st.just(...),
    lambda inner: st.lists(inner) | st.lists(inner).map(tuple),
    max_leaves=8,
)
arrays = hnp.arrays(
    st.sampled_from(["float64", "float32", "int64", "bool"]), hnp.array_shapes(min_side=0)
)


def piped(encoded):
    return json.loads(json.dumps(encoded))


@given(attributes)
def test_attributes_of_operations(attribute):
    arrived = decode_attribute(piped(encode_attribute(attribute)))
    assert arrived == attribute
    assert type(arrived) is type(attribute)


@given(arrays)
def test_arrays_to_the_last_bit(array):
    arrived = decode_value(piped(encode_value(array)), "float64")
    assert (arrived.dtype, arrived.shape) == (array.dtype, array.shape)
    assert arrived.tobytes() == array.tobytes()
    assert arrived.flags.writeable


@given(st.floats(allow_nan=True, allow_infinity=True, width=32))
def test_scalars_of_both_precisions(number):
    for value, dtype in ((number, "float64"), (np.float32(number), "float32")):
        arrived = decode_value(piped(encode_value(value)), dtype)
        assert type(arrived) is type(value)
        np.testing.assert_equal(arrived, value)


def test_a_view_with_a_stride_arrives_as_its_elements():
    array = np.arange(12.0).reshape(3, 4).T[::-1]
    np.testing.assert_array_equal(decode_value(piped(encode_value(array)), "float64"), array)


def test_clearing_is_told_by_what_it_did():
    before = {0: 1.0, 1: np.ones(2), 2: 0.0, 3: None}
    assert cleared_grads(before, dict.fromkeys(before)) == ([0, 1, 2, 3], [])
    assert cleared_grads(before, before | {1: np.zeros(2)}) == ([3], [1])
