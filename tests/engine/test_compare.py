"""When two numbers count as the same."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backprop_engine.basics.source import Source
from backprop_engine.checking.compare import (
    Comparison,
    compare,
    recompute_contribution,
    recompute_output,
    roundoff,
    ulp_distance,
)
from backprop_engine.run.record import record
from backprop_engine.run.tape import graph_of
from backprop_engine.scenarios.loader import parse_shorthand

finite = st.floats(allow_nan=False, allow_infinity=False)


def stepped(number: float, steps: int) -> float:
    for _ in range(abs(steps)):
        number = math.nextafter(number, math.copysign(math.inf, steps))
    return number


@given(st.floats(allow_nan=True))
def test_everything_equals_itself_nan_and_infinities_included(number):
    assert compare(number, number) == Comparison(True, 0, 0)


@given(st.floats(-1e300, 1e300), st.integers(-9, 9))
def test_ulps_count_the_floats_in_between(number, steps):
    other = stepped(number, steps)
    compared = compare(number, other)
    assert compared.ulp == abs(steps)
    assert compared.agrees == (abs(steps) <= 4)
    assert compared.difference == abs(number - other)


@given(finite, finite)
def test_floats_and_arrays_of_one_element_are_judged_alike(a, b):
    scalar, array = compare(a, b), compare(np.array([a]), np.array([b]))
    assert scalar == array


def test_both_zeros_are_one_number():
    assert compare(0.0, -0.0).ulp == 0
    assert ulp_distance(5e-324, -5e-324) == 2


@pytest.mark.parametrize("other", [-math.inf, math.nan, 1.7976931348623157e308])
def test_infinity_agrees_with_nothing_else(other):
    compared = compare(math.inf, other)
    assert not compared.agrees
    assert compared.ulp == math.inf


def test_float32_is_counted_in_its_own_ulps():
    one = np.float32(1)
    assert compare(one, np.nextafter(one, np.float32(2))).ulp == 1
    assert not compare(one, np.float32(1.000001)).agrees


def test_an_array_is_as_far_off_as_its_worst_element():
    ours = np.array([1.0, 2.0, math.nan])
    theirs = np.array([1.0, stepped(2.0, 3), math.nan])
    assert compare(ours, theirs).ulp == 3
    assert compare(ours, theirs).agrees
    assert not compare(ours, np.array([1.0, 2.1, math.nan])).agrees
    assert not compare(ours, np.array([1.0, 2.0, 3.0])).agrees


def test_an_allowance_is_absolute_and_may_differ_by_element():
    ours, theirs = np.array([1.0, 1.0]), np.array([1.1, 1.1])
    assert compare(ours, theirs, 0.2).agrees
    assert not compare(ours, theirs, np.array([0.2, 0.05])).agrees
    assert compare(1.0, 1.1, 0.2).agrees


def test_shapes_must_match():
    assert not compare(np.ones(2), np.ones((2, 1))).agrees
    assert not compare(1.0, np.ones(1)).agrees
    assert math.isnan(compare(1.0, np.ones(1)).difference)


def test_empty_arrays_agree():
    assert compare(np.ones((0, 3)), np.ones((0, 3))) == Comparison(True, 0, 0)


def test_whole_numbers_and_truth_values_agree_only_if_equal():
    assert compare(3, 3).agrees
    assert not compare(3, 4).agrees
    assert compare(np.array([True]), np.array([True])).agrees
    assert not compare(True, False).agrees


def test_what_is_not_finite_allows_nothing():
    np.testing.assert_array_equal(roundoff(np.array([math.inf, math.nan]), 8, "float64"), [0, 0])


@pytest.fixture
def products():
    return record(
        parse_shorthand(Source("<-e>", "A=[[1, 1e16], [1, 2]], b=[1, 1], y=((A@b)*b).sum()"))
    )


def test_recomputing_on_the_recorded_operands_gives_the_recorded_results(products):
    graph = graph_of(products)
    for step in range(products.passes[1].start + 1, len(products)):
        node, _, position = products.edge(step)
        operands = [graph.value[operand] for operand in graph.operands[node]]
        output = recompute_output(graph, node, operands)
        upstream = products.gradient(node, step)
        sent = recompute_contribution(graph, node, position, upstream, graph.value[node], operands)
        assert compare(output.value, graph.value[node]) == Comparison(True, 0, 0)
        assert compare(sent.value, products.contribution(step)) == Comparison(True, 0, 0)


def test_sums_are_allowed_a_few_roundoffs_of_their_terms(products):
    graph = graph_of(products)
    matmul = next(n for n, one in enumerate(graph.operation) if one and one.name == "matmul")
    operands = [np.array([[1.0, -1e16], [1, 2]]), np.array([1.0, 1.0])]
    allowed = recompute_output(graph, matmul, operands).allowed
    assert 8 <= allowed[0] < 10, "8 u of 1e16 + 1, though the sum itself has cancelled"
    assert 0 < allowed[1] < 1e-14


def test_elementwise_operations_are_allowed_nothing_beyond_ulps(products):
    graph = graph_of(products)
    mul = next(n for n, one in enumerate(graph.operation) if one and one.name == "mul")
    operands = [graph.value[operand] for operand in graph.operands[mul]]
    assert recompute_output(graph, mul, operands).allowed == 0
