"""What goes over the pipe arrives as it was."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from tests.piped import piped

from backprop_tui.oracles.messages import decode_attribute, encode_attribute
from backprop_tui.oracles.torch.columns import Column, Entries, Gathering, Names
from backprop_tui.oracles.torch.protocol import cleared_grads

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


@given(attributes)
def test_attributes_of_operations(attribute):
    arrived = decode_attribute(piped({"it": encode_attribute(attribute)})["it"])
    assert arrived == attribute
    assert type(arrived) is type(attribute)


@given(arrays)
def test_arrays_to_the_last_bit(array):
    arrived = piped({"it": array})["it"]
    assert (arrived.dtype, arrived.shape) == (array.dtype, array.shape)
    assert arrived.tobytes() == array.tobytes()
    assert arrived.flags.writeable


values = (
    st.floats(width=64)
    | st.floats(width=32).map(np.float32)
    | st.integers()
    | st.booleans()
    | arrays.filter(lambda array: array.ndim)
)


@given(st.dictionaries(st.integers(0, 2**31 - 1), values))
def test_columns_of_values_of_all_kinds(values):
    gathered = Gathering()
    for key, value in values.items():
        gathered.add(key, value)
    column = Column(Entries.decoded(piped(gathered.entries().encoded())))
    assert list(column) == sorted(values)
    for key, value in values.items():
        assert type(column[key]) is type(value)
        np.testing.assert_equal(column[key], value)
    for absent in {0, 1, 2**31 - 1} - set(values):
        assert absent not in column
        assert column.get(absent, "absent") == "absent"


@given(st.lists(st.sampled_from(["", "add", "mul"])))
def test_names(names):
    arrived = Names.decoded(piped(Names.of(names).encoded()))
    assert dict(arrived) == dict(enumerate(names))


def test_a_view_with_a_stride_arrives_as_its_elements():
    array = np.arange(12.0).reshape(3, 4).T[::-1]
    np.testing.assert_array_equal(piped({"it": array})["it"], array)


def test_clearing_is_told_by_what_it_did():
    before = {0: 1.0, 1: np.ones(2), 2: 0.0, 3: None}
    assert cleared_grads(before, dict.fromkeys(before)) == ([0, 1, 2, 3], [])
    assert cleared_grads(before, before | {1: np.zeros(2)}) == ([3], [1])
