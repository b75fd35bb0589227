"""The derivative of a black box: an estimate with an error that covers the true one, or none."""

from __future__ import annotations

import math

import numpy as np
import pytest

from backprop_engine.checking.richardson import slope


def test_the_estimated_error_covers_the_true_one():
    for f, exact in [(math.sin, 1.0), (math.exp, 1.0), (lambda t: math.atan(5 * t), 5.0)]:
        estimate = slope(f, 1.0)
        assert not estimate.reason
        assert abs(estimate.value - exact) <= 10 * estimate.error


def test_a_function_that_fools_large_steps_is_looked_at_from_close_by():
    # Zero at every multiple of 1/64: the first rows of the table all say 0.
    estimate = slope(lambda t: math.sin(64 * math.pi * t), 1.0)
    assert estimate.reason or estimate.value == pytest.approx(64 * math.pi, rel=1e-6)


def test_a_jump_is_no_slope():
    assert slope(lambda t: 1.0 if t >= 0 else 0.0, 1.0).reason


def test_the_many_roundings_of_a_long_program_are_no_kink():
    def long(t):
        y = 1.0 + t
        for _ in range(10_000):
            y = y * 1.000001 + 0.000001
        return y

    estimate = slope(long, 2.0)
    assert not estimate.reason
    assert estimate.value == pytest.approx(1.000001**10_000, rel=1e-9)


def test_a_kink_close_by_is_no_slope_or_the_right_one():
    for distance in (1e-3, 1e-5, 1e-7, 1e-12):
        estimate = slope(lambda t, at=distance: max(t + at, 0.0), 1.0)
        assert estimate.reason or estimate.value == pytest.approx(1.0, rel=1e-4)


def test_pure_noise_is_no_slope():
    noise = np.random.default_rng(0)
    assert slope(lambda _: float(noise.normal()), 1.0).reason
