"""The sentence that tells two numbers apart names one element, and all of it is about that one."""

from __future__ import annotations

import math

import numpy as np

from backprop_engine.basics.source import Source
from backprop_engine.checking.compare import worst_element
from backprop_engine.checking.differences import FiniteDifference
from backprop_engine.run.record import record
from backprop_engine.scenarios.loader import parse_shorthand
from backprop_tui.headless.complaints import told, told_difference


def test_equal_elements_and_those_within_their_allowance_are_not_the_worst():
    ours = np.array([[0.0, 1.0], [28.000000000000018, 5.0]])
    theirs = np.array([[0.0, 1.0], [28.0, 5.1]])
    assert worst_element(ours, theirs, 0.0) == (1, 1)
    assert worst_element(ours, theirs, np.array([[0, 0], [0, 1.0]])) == (1, 0)
    assert worst_element(np.array([1.0, math.nan]), np.array([3.0, 1.0]), 0.0) == (1,)
    assert worst_element(np.array([math.nan, 1.0]), np.array([math.nan, 1.0]), 0.0) == (0,)


def test_a_zero_that_is_off_by_a_rounding_is_not_worse_than_a_wrong_number():
    ours, theirs = np.array([1e-15, 2.0]), np.array([0.0, 2.5])
    sentence = told("the gradient", ours, theirs)
    assert sentence == (
        "the gradient at [1] is 2 by the engine and 2.5 by torch (0.5 apart, 1125899906842624 ulp)"
    )


def test_the_ulps_told_are_those_between_the_numbers_told():
    one = np.float32(1)
    next_but_three = np.float32(1 + 4 * 2.0**-23)
    ours, theirs = np.array([one, 1e-20], np.float32), np.array([next_but_three, 0], np.float32)
    assert "(4.8e-07 apart, 4 ulp)" in told("the gradient", ours, theirs)


def test_no_tolerance_and_no_difference_is_not_the_worst():
    found = FiniteDifference(
        0, np.array([[0.0, 4.0]]), np.array([[0.0, 0.5]]), (), 0, "", agrees=False
    )
    trace = record(parse_shorthand(Source("<-e>", "x=[[0, 4]], y=x.sum()")))
    assert told_difference(np.array([[0.0, 5.0]]), found, trace).startswith(
        "the gradient at [0, 1] is 5 by"
    )


def test_a_gradient_of_one_element_is_told_as_a_number_where_there_is_little_room(run):
    text = (
        "x=[[0]], name_of_another_input=[[1,2],[3,4]], y=(x/x).sum() + name_of_another_input.sum()"
    )
    _, out, _ = run("check", "-e", text)
    (row,) = [line for line in out.splitlines() if line.strip().startswith("x.grad ")]
    assert row.split()[:3] == ["x.grad", "[[nan]]", "[[nan]]"]


def test_the_size_of_a_vector_does_not_pass_for_its_value(run):
    _, out, _ = run("check", "-e", "x=[0, 0], y=sum(abs(x))", "--no-torch")
    assert "x.grad   [2] " in out
