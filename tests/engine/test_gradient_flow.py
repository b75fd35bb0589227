"""The gradient's flow, layer by layer: figures, marks, and the contributions of a shared weight."""

from __future__ import annotations

import numpy as np
import pytest
from tests.foreign_trace import foreign_trace, summed_up

from backprop_engine.basics.source import Source
from backprop_engine.reading.gradient_flow import Kind, figures_of, flow_pass, gradient_flow
from backprop_engine.reading.groups import group_tree
from backprop_engine.run.record import record
from backprop_engine.scenarios.loader import parse_shorthand

RNN = (
    "x=[1, 2], W=[[0.05, 0.01], [0.02, 0.04]], h=[0.1, 0.2], "
    "for t in range(4): h = tanh(W @ h + x), y = sum(h)"
)


def flow_of(text):
    trace = record(parse_shorthand(Source("<-e>", text)))
    return gradient_flow(trace, flow_pass(trace, 0), group_tree(trace))


def said(flow):
    return [(f"{'  ' * row.depth}{row.name}", row.mark) for row in flow.rows]


def test_groups_come_in_the_order_of_the_backward_pass_and_a_weight_with_its_time_steps():
    flow = flow_of(RNN)
    assert said(flow)[:6] == [
        ("y", ""), ("t=3", ""), ("t=2", ""), ("t=1", "vanishing"), ("t=0", "vanishing"),
        ("  h@1", "vanishing"),
    ]  # fmt: skip
    assert said(flow)[6:11] == [
        ("W", ""), ("  t=3, from %7", ""), ("  t=2, from %5", ""),
        ("  t=1, from %3", "vanishing"), ("  t=0, from %1", "vanishing"),
    ]  # fmt: skip


def test_the_contributions_of_a_weight_are_those_recorded_and_sum_up_to_its_gradient():
    flow = flow_of(RNN)
    trace, shares = flow.trace, [row for row in flow.rows if row.kind is Kind.SHARE]
    w = trace.named("W")
    own = [row for row in shares if row.node == w]
    assert [row.figures for row in own] == [figures_of(trace.contribution(row.step)) for row in own]
    total = sum(trace.contribution(row.step) for row in own)
    assert np.allclose(total, trace.gradient(w, len(trace)))


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        ("x=[-1, -2], h=relu(x), y=sum(h)", "dead"),
        ("x=[1, 1], h=1e5*x, y=sum(h)", "exploding"),
        ("x=[1, 1], h=1e-5*x, y=sum(h)", "vanishing"),
        ("x=[0, 1], h=sqrt(x), y=sum(h)", "nan"),
        ("x=[1, 1], h=2*x, y=sum(h)", ""),
    ],
)
def test_marks(text, mark):
    (row,) = (row for row in flow_of(text).rows if row.name == "x")
    assert row.mark == mark


def test_what_has_received_nothing_in_the_pass_has_no_row():
    flow = flow_of("x=2, z=3, u=z*x, y=x**2")
    assert [name for name, _ in said(flow)] == ["y", "x"]


def test_the_pass_is_the_one_at_the_cursor_or_the_next():
    trace = record(parse_shorthand(Source("<-e>", "x=2, y=x*x")))
    assert flow_pass(trace, 0).name == "backward y"
    assert flow_pass(trace, len(trace)).name == "backward y"
    assert flow_pass(foreign_trace(), 0).output is not None


def test_a_recording_has_its_modules_and_their_weights():
    trace = foreign_trace()
    flow = gradient_flow(trace, flow_pass(trace, 0), group_tree(trace))
    names = [name for name, _ in said(flow)]
    assert names[:1] == ["loss"]
    assert {"  weight", "  bias"} <= set(names)
    summed = foreign_trace(summed_up)
    again = gradient_flow(summed, flow_pass(summed, 0), group_tree(summed))
    assert [row.name for row in again.rows] == [row.name for row in flow.rows]
    for row, other in zip(flow.rows, again.rows, strict=True):
        assert other.figures.norm == pytest.approx(row.figures.norm)
        assert other.figures.zeros == row.figures.zeros
