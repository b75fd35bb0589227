"""The random numbers here are those that torch draws: bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from backprop_engine.basics.values import Dtype
from backprop_engine.program.torch_random import Stream

DTYPES: dict[Dtype, torch.dtype] = {"float64": torch.float64, "float32": torch.float32}
SEEDS = st.integers(0, 2**64 - 1)
DRAWS = st.one_of(
    st.tuples(st.sampled_from(["rand", "randn"]), st.integers(0, 70)),
    st.tuples(st.just("randperm"), st.integers(0, 40)),
    st.tuples(st.just("randint"), st.integers(1, 2**62), st.integers(-(2**62), 2**62 - 1)),
)


def equal(ours: np.ndarray, theirs: torch.Tensor) -> None:
    """Every bit; without AVX2 torch takes the system's logarithm and sine for float32."""
    if theirs.dtype is torch.float32 and torch.backends.cpu.get_cpu_capability() == "DEFAULT":
        np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-6, atol=1e-6)
    else:
        np.testing.assert_array_equal(ours, theirs.numpy(), strict=True)


def draw(
    stream: Stream, dtype: Dtype, kind: str, size: int, low: int = 0
) -> tuple[np.ndarray, torch.Tensor]:
    """The same numbers drawn here and by torch."""
    if kind == "rand":
        return stream.uniform(size, dtype), torch.rand(size, dtype=DTYPES[dtype])
    if kind == "randn":
        return stream.normal(size, dtype), torch.randn(size, dtype=DTYPES[dtype])
    if kind == "randperm":
        return stream.permutation(size), torch.randperm(size)
    return stream.integers(low, low + size, 5), torch.randint(low, low + size, (5,))


@given(SEEDS, st.lists(st.tuples(st.sampled_from(list(DTYPES)), DRAWS), max_size=6))
def test_what_is_drawn_one_after_the_other_is_what_torch_draws(seed, draws):
    torch.manual_seed(seed)
    stream = Stream(seed)
    for dtype, asked in draws:
        ours, theirs = draw(stream, dtype, *asked)
        equal(ours, theirs)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", ["rand", "randn"])
def test_many_numbers_are_torchs_to_the_last_bit(kind: str, dtype: Dtype):
    torch.manual_seed(7)
    ours, theirs = draw(Stream(7), dtype, kind, 100_003)
    equal(ours, theirs)


@pytest.mark.parametrize("size", [1, 2**28 - 1, 2**28, 2**32 - 1, 2**32, 2**62])
def test_whole_numbers_are_torchs_from_a_range_of_any_size(size: int):
    torch.manual_seed(3)
    ours, theirs = draw(Stream(3), "float64", "randint", size, -5)
    np.testing.assert_array_equal(ours, theirs.numpy())
