"""What nobody can know is told as not settled, with both numbers, and a fault is a fault still."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from tests.oracle.test_agreement import document, faultless, judged, shorthand

from backprop_engine import catalogue
from backprop_engine.catalogue import OPERATIONS
from backprop_engine.checking.unsettled import OVERFLOW, ROUNDING, unsettled
from backprop_engine.trace import Trace
from backprop_tui.oracles.report import Ready
from backprop_tui.oracles.torch.agreement import agreement
from backprop_tui.oracles.torch.sweep import UNWRITTEN
from backprop_tui.session.session import open_session
from backprop_tui.view.glyphs import ASCII, UNICODE
from backprop_tui.view.view import View
from backprop_tui.widgets.torch_pane import torch_lines, torch_status

NAN, INF = float("nan"), float("inf")


def step_of(trace: Trace, name: str) -> int:
    return int(trace.forward_steps[trace.assigned[name]])


@pytest.mark.parametrize(
    ("terms", "is_open"),
    [
        ([3e38, 3e38, -3e38], True),
        ([1e38, 1e38, 1e38], False),
        ([INF, 1.0, -1.0], False),
        ([INF, 3e38, 3e38], True),
        ([NAN, 1.0], False),
    ],
)
def test_a_sum_is_open_where_its_finite_terms_overflow_in_some_order(terms, is_open):
    assert bool(np.any(unsettled(np.sum, [np.array(terms, np.float32)]))) == is_open


def test_a_product_is_open_where_factors_overflow_or_vanish_before_the_others_come():
    for factors, is_open in (
        ([1e30, 1e30, 1e-30], True),
        ([1e-30, 1e-30, 1e30], True),
        ([2, 3], 0),
    ):
        assert bool(unsettled(np.prod, [np.array(factors, np.float32)])) == bool(is_open)


@pytest.mark.parametrize(
    ("matrix", "is_open"),
    [
        ([[1.0, 2.0], [3.0, 4.0]], False),
        ([[1e30, 1.0], [1.0, 1e30]], True),
        ([[NAN, 1], [0, 1]], 1),
    ],
)
def test_a_matrix_is_open_where_its_pivots_may_leave_the_range(matrix, is_open):
    given = [np.array(matrix, np.float32)]
    for function in (np.linalg.det, np.linalg.inv, lambda a: np.linalg.slogdet(a)[1]):
        assert bool(np.any(unsettled(function, given))) == bool(is_open)


@pytest.mark.parametrize("name", ["inv", "solve"])
def test_elements_that_may_be_all_rounding_of_an_elimination_are_open(name):
    apart = np.array([[3e38, 0.5, 16777217.0], [3e38, -107.0, 0.0], [0.0, -1e20, 1e20]])
    for matrix, open_ones in ((apart, {(0, 0), (0, 2), (2, 2)}), (np.tri(3) + 1, set())):
        operands = [matrix, np.eye(3)][: len(OPERATIONS[name].derivatives)]
        is_open = OPERATIONS[name].is_open(operands, {})
        assert {tuple(map(int, at)) for at in np.argwhere(is_open)} == open_ones


def test_only_the_elements_that_hang_on_the_order_are_open():
    lines = np.array([[3e38, 3e38, -3e38], [1.0, 2.0, 3.0]], np.float32)
    np.testing.assert_array_equal(unsettled(lambda a: np.sum(a, axis=1), [lines]), [True, False])


def test_what_departs_is_open_and_so_is_what_follows_from_it_alone(oracle):
    trace = shorthand("A=[[1,2],[2,4]], B=A*3, d=det(B), y=d*2")
    agreed = judged(oracle, trace)
    assert faultless(agreed)
    (step,) = agreed.departures
    compared = [agreed.step(at) for at in range(len(trace))]
    opened = [at for at, one in enumerate(compared) if one is not None and one.is_open]
    assert opened == [step, step + 1]
    grad, total = agreed.grad_after(1, trace.named("A")), agreed.total(step)
    assert grad is not None
    assert (grad.agrees, grad.is_open, total and total.is_open) == (True, True, True)


def test_what_is_open_has_a_mark_of_its_own_on_the_screen(oracle):
    trace = shorthand("A=[[1,2],[2,4]], d=det(A), y=d*2")
    agreed = judged(oracle, trace)
    (step,) = agreed.departures
    session = dataclasses.replace(open_session(trace), cursor=step)
    for glyphs, mark in ((UNICODE, "≟"), (ASCII, "u")):
        view = View(session, Ready(agreed.report), agreed, glyphs)
        assert torch_status(view).endswith(f" {mark}")
        lines = [line.plain for line in torch_lines(view, 100)]
        (contribution,) = [line for line in lines if line.startswith("contribution")]
        assert contribution.endswith(f" {mark}")
        assert any(line.startswith(f"{mark} of a singular matrix torch sends 0") for line in lines)
        assert view.mark(agreed.value(trace.named("y"))) == glyphs.agrees


def test_an_overflow_that_hangs_on_the_order_is_told_at_its_step(oracle):
    trace = document(
        "dtype: float32\ninputs: {x: [3.0e+38, 3.0e+38, -3.0e+38]}\n"
        "compute: |\n  s = x.sum()\n  y = s * 2\n"
    )
    agreed = judged(oracle, trace)
    assert faultless(agreed)
    assert agreed.departures == {step_of(trace, "s"): OVERFLOW}
    value, later = (agreed.value(trace.assigned[name]) for name in "sy")
    assert value is not None
    assert later is not None
    assert (value.is_open, later.agrees, later.is_open) == (True, True, later.ulp > 0)


def test_terms_that_cancel_are_told_where_more_than_half_of_the_digits_are_gone(
    oracle, monkeypatch
):
    def from_the_other_end(a, dim, keepdim):
        return a[2] + a[0] + a[1]

    wrong = dataclasses.replace(OPERATIONS["sum"], forward=from_the_other_end)
    monkeypatch.setitem(catalogue.FUNCTIONS, "sum", (wrong,))
    agreed = judged(oracle, trace := shorthand("x=[1e20, 88, -1e20], z=sum(x), y=z*2"))
    assert faultless(agreed)
    either = agreed.report.values[trace.assigned["z"]] != trace.nodes.value[trace.assigned["z"]]
    assert (agreed.departures.get(step_of(trace, "z")) == ROUNDING) == either


def test_the_sign_of_a_zero_is_a_fault_of_a_remainder_and_rounding_in_a_determinant(oracle):
    agreed = judged(oracle, trace := shorthand("A=[[1,2],[2,4]], d=det(A), y=log(d)"))
    assert faultless(agreed)
    told = agreed.departures.get(step_of(trace, "d"), "")
    assert not told or told == "not settled: y hangs on the sign of a 0 that is rounded"


@pytest.mark.parametrize("value", ["det(A)", "inv(A).sum()", "solve(A, A[0]).sum()"])
def test_what_goes_back_through_an_elimination_is_open_where_it_is_no_number(oracle, value):
    trace = shorthand(f"A=[[0,1],[2,4]], d={value}, y=d*1e308*1e308")
    agreed = judged(oracle, trace)
    assert faultless(agreed)
    assert set(agreed.departures.values()) <= {OVERFLOW}
    operation = OPERATIONS[value.partition("(")[0]]
    for upstream, is_open in ((INF, True), (NAN, True), (1e308, False)):
        operands = [np.array([[0.0, 1], [2, 4]]), np.array([0.0, 1])][: len(operation.derivatives)]
        found = operation.is_open(operands, {}, np.full(2, upstream))
        assert bool(np.any(found)) == is_open


def test_a_wrong_sum_is_a_fault_where_nothing_overflows(oracle, monkeypatch):
    wrong = dataclasses.replace(OPERATIONS["sum"], forward=lambda a, **_: np.sum(a) * 1.001)
    monkeypatch.setitem(catalogue.FUNCTIONS, "sum", (wrong,))
    for numbers, is_told in (("[1.0, 2.0, 3.0]", True), ("[1e308, 1e308, -1e308]", False)):
        trace = shorthand(f"x={numbers}, s=x.sum(), y=s*2")
        assert bool(judged(oracle, trace).faulty_nodes) == is_told


def test_the_sign_of_a_0_that_softshrink_makes_of_a_small_negative_value_is_open(oracle):
    """Torch's vectors make 0 of it, and what is left over of an array makes −0."""
    numbers = ", ".join(["-0.3"] * 17)
    agreed = judged(oracle, trace := shorthand(f"x=[{numbers}], h=softshrink(x), y=1/h, z=y.sum()"))
    assert faultless(agreed)
    ours, theirs = (each[trace.assigned["h"]] for each in (trace.nodes.value, agreed.report.values))
    assert np.signbit(ours).all()
    told = agreed.departures.get(step_of(trace, "h"), "")
    assert bool(told) == (not np.signbit(theirs).all())
    assert told in ("", "not settled: y hangs on the sign of a 0 of `softshrink`")


@pytest.mark.parametrize(
    ("number", "wrong", "is_fault"),
    [
        ("0.3", lambda right: -right, True),
        ("-0.3", lambda right: -right, False),
        ("-0.3", lambda right: right + 0.1, True),
    ],
)
def test_only_the_sign_of_that_0_is_open_and_only_of_a_negative_value(
    oracle, monkeypatch, number, wrong, is_fault
):
    def forward(a, lambd):
        return wrong(before.forward(a, lambd))

    before = OPERATIONS["softshrink"]
    otherwise = dataclasses.replace(before, forward=forward)
    monkeypatch.setitem(catalogue.FUNCTIONS, "softshrink", (otherwise,))
    agreed = judged(oracle, trace := shorthand(f"x=[{number}], h=softshrink(x), y=1/h, z=y.sum()"))
    assert (trace.assigned["h"] in agreed.faulty_nodes) == is_fault


@pytest.mark.parametrize("norm", ["layer_norm(x, 9)", "group_norm(x, 1)"])
def test_a_product_that_a_processor_may_leave_unrounded_is_open_where_it_overflows(oracle, norm):
    factors = [1, 1.3, 1.4, 1.2, 1, 1.7, 1.2, 1, 0.8]
    trace = document(
        "dtype: float32\ninputs: {x: [[3.3e+38, 1, 2, 3, 4, 5, 6, 7, 8]]}\n"
        f"compute: |\n  n = {norm}\n  y = (n * {factors}).sum()\n"
    )
    assert faultless(judged(oracle, trace))
    operation = OPERATIONS[norm.partition("(")[0]]
    settings = {"normalized_shape": 9, "num_groups": 1, "eps": 1e-5}
    x = np.array([[3.3e38, *range(1, 9)]], np.float32)
    for factor, is_open in ((1.0, True), (1e-9, False)):
        with np.errstate(over="ignore"):
            found = operation.is_open([x * factor], settings, np.array([factors], np.float32))
        assert bool(found) == is_open


def test_what_torch_reads_where_sgn_has_written_nothing_is_told_as_its_fault(oracle):
    """It does so in `group_norm`; what stands there is not the same in two runs."""
    answer = oracle.ask(trace := shorthand("x=[1, -2], h=exp(x), y=sgn(h).sum()"))
    assert isinstance(answer, Ready), answer
    step = len(trace) - 1
    assert trace.label(int(trace.senders[step])) == "h"
    for read, words in ((np.array([1e-23, NAN]), UNWRITTEN), (np.zeros(2), None)):
        contributions = {**answer.report.contributions, step: read}
        agreed = agreement(trace, dataclasses.replace(answer.report, contributions=contributions))
        assert not agreed.faulty_steps
        assert agreed.departures.get(step) == words
