"""Judging torch's report: rounding is forgiven, a wrong rule is found where it is wrong."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from backprop_engine import catalogue
from backprop_engine.basics.source import Source
from backprop_engine.catalogue import OPERATIONS
from backprop_engine.operation import Operation
from backprop_engine.run.record import record
from backprop_engine.run.tape import graph_of
from backprop_engine.scenarios.loader import parse_document, parse_shorthand
from backprop_engine.trace import Trace
from backprop_tui.oracles.report import Ready
from backprop_tui.oracles.torch.agreement import Agreement, agreement


def shorthand(text: str) -> Trace:
    return record(parse_shorthand(Source("<-e>", text)))


def document(text: str) -> Trace:
    return record(parse_document(Source("test.yaml", text)))


def judged(oracle, trace: Trace) -> Agreement:
    answer = oracle.ask(trace)
    assert isinstance(answer, Ready), answer
    return agreement(trace, answer.report)


def with_rule(name: str, rule) -> Operation:
    """The catalogue's entry with another first derivative."""
    entry = OPERATIONS[name]
    wrong = dataclasses.replace(entry.derivatives[0], rule=rule)
    return dataclasses.replace(entry, derivatives=(wrong, *entry.derivatives[1:]))


def faultless(agreed: Agreement) -> bool:
    trace = agreed.trace
    steps = [agreed.step(step) for step in range(len(trace))]
    grads = [
        agreed.grad_after(pass_.index, node)
        for pass_ in trace.passes
        for node in (pass_.grads or {})
    ]
    return (
        not agreed.faulty_nodes
        and not agreed.faulty_steps
        and all(one.agrees for one in [*steps, *grads] if one is not None)
    )


@pytest.mark.parametrize(
    "text",
    [
        "x=2, y=x**2+3x+1",
        "x=0.3, z=-2, y=exp(x)*sin(z)/x + sigmoid(z)**x - sqrt(x)*log(x)*abs(z) + 3/x + 2**x",
        "x=0.5, a=tanh(3x), b=sin(cos(a)), y=a*b*a/b - b**3 + a**0.5",
        "x=[1,2,3], y=(x@x)*x.sum() + x[0]*x[[0,0,1]].sum() - (x*x).mean()",
        "x=[[1,2],[3,4]], b=[1,-1], y=(x@x@x.T + b).mean()/(x*b).sum()",
        "x=0, y=1/x + log(x) + sqrt(x) + relu(x)",
        "x=30, y=tanh(x)*sigmoid(-x)*exp(-x)",
    ],
)
def test_torch_agrees_with_every_step(oracle, text):
    assert faultless(judged(oracle, shorthand(text)))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_torch_agrees_with_a_network_in_either_precision(oracle, dtype):
    text = f"""
dtype: {dtype}
inputs:
  X: {{normal: [16, 8], seed: 1}}
  W: {{normal: [8, 12], seed: 2}}
  b: {{normal: [12], seed: 3}}
  V: {{normal: [12, 3], seed: 4}}
compute: |
  H = tanh(X @ W + b)
  L = (sigmoid(H @ V)**2).mean()
"""
    assert faultless(judged(oracle, document(text)))


def test_drift_along_a_long_chain_is_not_held_against_anyone(oracle):
    chaotic = "  h = 3*sin(exp(tanh(h) + h/2))\n"
    lines = chaotic * 40
    agreed = judged(oracle, document(f"inputs: {{x: 0.3}}\ncompute: |\n  h = 1x\n{lines}\n"))
    assert faultless(agreed)
    worst = max(agreed.value(node).ulp for node in range(len(graph_of(agreed.trace))))
    assert worst > 4, "the chain was chosen to drift"


def test_terms_that_cancel_are_not_held_against_anyone(oracle):
    assert faultless(judged(oracle, shorthand("x=1e-9, y=(exp(x) - 1)/x, z=sin(x) - x")))


def test_a_wrong_rule_is_found_at_its_own_step_and_spoils_what_follows(oracle, monkeypatch):
    wrong = with_rule("mul", lambda g, y, a, b: g * b * 1.001)
    monkeypatch.setitem(catalogue.BINARY, "*", wrong)
    trace = shorthand("x=2, a=x*3, b=sin(a), y=exp(b)")
    agreed = judged(oracle, trace)
    assert [trace.label(trace.step(step).node) for step in agreed.faulty_steps] == ["a"]
    assert not agreed.grad(graph_of(trace).inputs["x"], len(trace)).agrees
    assert all(agreed.value(node).agrees for node in range(len(graph_of(trace))))


def test_a_fault_is_told_once_though_everything_below_it_is_off(oracle, monkeypatch):
    wrong = with_rule("exp", lambda g, y, a: -g * y)
    monkeypatch.setitem(catalogue.FUNCTIONS, "exp", (wrong,))
    trace = shorthand("x=2, a=sin(x), b=cos(a), y=exp(b)")
    agreed = judged(oracle, trace)
    assert len(agreed.faulty_steps) == 1
    backward = trace.passes[1]
    marks = [agreed.contribution(step).agrees for step in range(backward.start, backward.stop)]
    assert marks == [True, False, False, False]
    assert not agreed.gradient(graph_of(trace).inputs["x"], len(trace)).agrees


def test_the_textbook_rule_for_tanh_is_caught_where_it_loses_digits(oracle, monkeypatch):
    textbook = with_rule("tanh", lambda g, y, a: g * (1 - y * y))
    monkeypatch.setitem(catalogue.FUNCTIONS, "tanh", (textbook,))
    trace = shorthand("x=4, y=tanh(x)")
    agreed = judged(oracle, trace)
    assert len(agreed.faulty_steps) == 1
    assert agreed.contribution(agreed.faulty_steps[0]).ulp > 4


def test_a_wrong_value_is_found_at_its_own_node(oracle, monkeypatch):
    wrong = dataclasses.replace(OPERATIONS["sin"], forward=lambda a: math.sin(a) + 1e-12)
    monkeypatch.setitem(catalogue.FUNCTIONS, "sin", (wrong,))
    trace = shorthand("x=2, a=sin(x), y=a*a")
    agreed = judged(oracle, trace)
    assert agreed.faulty_nodes == (trace.assigned["a"],)
    assert not agreed.value(trace.assigned["y"]).agrees


def test_a_sum_that_forgets_is_caught_though_every_contribution_is_right(oracle):
    trace = shorthand("x=3, y=x*x")
    totals = list(trace.totals)
    totals[-1] = trace.contributions[-1]  # `x.grad = ...` where `x.grad += ...` is needed
    last = dataclasses.replace(trace.passes[1], grads={graph_of(trace).inputs["x"]: totals[-1]})
    forgetful = dataclasses.replace(trace, totals=totals, passes=(trace.passes[0], last))
    agreed = judged(oracle, forgetful)
    assert agreed.contribution(len(trace) - 1).agrees
    assert not agreed.total(len(trace) - 1).agrees
    assert not agreed.grad(graph_of(trace).inputs["x"], len(trace)).agrees


def test_a_recorded_contribution_that_is_not_what_the_rule_says_is_caught(oracle):
    trace = shorthand("x=3, y=sin(x)")
    sent = trace.contributions[-1] * (1 + 1e-12)
    grads = {graph_of(trace).inputs["x"]: sent}
    tampered = dataclasses.replace(
        trace,
        contributions=[*trace.contributions[:-1], sent],
        totals=[*trace.totals[:-1], sent],
        passes=(trace.passes[0], dataclasses.replace(trace.passes[1], grads=grads)),
    )
    agreed = judged(oracle, tampered)
    assert agreed.faulty_steps == (len(trace) - 1,)
    assert not agreed.grad(graph_of(trace).inputs["x"], len(trace)).agrees


def test_a_contribution_that_torch_has_and_the_trace_lacks_is_surplus(oracle):
    trace = shorthand("x=3, z=2, y=x*z")
    whole = trace.passes[1]
    short = dataclasses.replace(
        trace,
        passes=(trace.passes[0], dataclasses.replace(whole, stop=whole.stop - 1)),
        senders=trace.senders[:-1],
        receivers=trace.receivers[:-1],
        positions=trace.positions[:-1],
        contributions=trace.contributions[:-1],
        totals=trace.totals[:-1],
    )
    agreed = judged(oracle, short)
    assert [(one.node, one.operand) for one in agreed.report.surplus] == [
        (trace.assigned["y"], graph_of(trace).inputs["z"])
    ]


@pytest.mark.parametrize(("text", "agrees"), [("y=(x*0).sum()", True), ("y=(x*2).sum()", False)])
def test_a_gradient_that_torch_leaves_out_is_zero(oracle, text, agrees):
    trace = shorthand(f"x=[1,2], {text}")
    x = graph_of(trace).inputs["x"]
    whole = judged(oracle, trace).report
    last = len(trace) - 1
    without = dataclasses.replace(
        whole,
        contributions={step: one for step, one in whole.contributions.items() if step != last},
        totals={step: one for step, one in whole.totals.items() if step != last},
        gradients={
            done: {node: gradient for node, gradient in column.items() if node != x}
            for done, column in whole.gradients.items()
        },
        grads={1: {x: None}},
    )
    agreed = agreement(trace, without)
    assert (not agreed.faulty_steps) == agrees
    assert (agreed.grad_after(1, x) is None) == agrees


def test_a_joint_is_compared_as_the_sum_it_is(oracle):
    trace = document(
        "inputs: {A: [[[1, 2], [3, 4]], [[5, 6], [7, 8]]]}\ncompute: y = (A@A).sum()\n"
    )
    agreed = judged(oracle, trace)
    steps = next(iter(agreed.report.joints.values())).steps
    assert [agreed.contribution(step).agrees for step in steps] == [True, True]
    assert agreed.total(steps[0]) is None
    assert agreed.total(steps[1]).agrees


def test_gradients_are_answered_as_of_the_cursor(oracle):
    trace = shorthand("x=2, y=x**2+3x+1")
    agreed = judged(oracle, trace)
    x = graph_of(trace).inputs["x"]
    assert [agreed.torch_gradient(x, cursor) for cursor in (4, 8, 9, 10)] == [None, None, 3, 7]
    assert agreed.gradient(x, 8) is None
    assert agreed.gradient(x, 9).agrees
    assert [agreed.torch_grad(x, cursor) for cursor in (9, 10)] == [None, 7]


def test_grad_follows_the_passes(oracle):
    trace = document("inputs: {x: 3}\ncompute: y = x**2\nbackward: [y, zero_grad, y]\n")
    agreed = judged(oracle, trace)
    x = graph_of(trace).inputs["x"]
    for cursor in range(len(trace) + 1):
        assert agreed.torch_grad(x, cursor) == trace.grad(x, cursor)
    assert agreed.grad_after(2, x) is None


def test_arrays_are_judged_element_by_element(oracle, monkeypatch):
    def wrong(g, y, a):
        sent = g * y
        return np.where(np.arange(sent.size) == 1, sent * (1 + 1e-9), sent)

    monkeypatch.setitem(catalogue.FUNCTIONS, "exp", (with_rule("exp", wrong),))
    agreed = judged(oracle, shorthand("x=[1,2,3], y=exp(x).sum()"))
    assert len(agreed.faulty_steps) == 1


def remainder_of_numpy(a, b):
    return np.remainder(a, b)


@pytest.mark.parametrize(
    ("text", "blown_up"),
    [
        ("k = atan2(c, h)", "k"),
        ("k = (c + 1) / h", "k"),
        ("m = h * 2\nk = copysign(x, m)", "k"),
        ("q = sqrt(h)\nk = q * x\np = 1 / q", "p"),
    ],
)
def test_a_zero_of_another_sign_is_told_where_it_begins_if_a_later_step_blows_it_up(
    oracle, monkeypatch, text, blown_up
):
    wrong = dataclasses.replace(OPERATIONS["remainder"], forward=remainder_of_numpy)
    monkeypatch.setitem(catalogue.BINARY, "%", wrong)
    last = text.split("\n")[-1].partition(" ")[0]
    trace = document(
        "inputs:\n  c: {value: [1, 0], requires_grad: false}\n  x: [2, 3]\n"
        "compute: |\n  h = c % -1\n  "
        + text.replace("\n", "\n  ")
        + f"\n  y = ({last} * x).sum()\n"
    )
    agreed = judged(oracle, trace)
    told = [trace.label(node) for node in agreed.faulty_nodes]
    assert told == ["h"]
    later = agreed.blown_up[trace.assigned["h"]]
    assert trace.label(later) == blown_up
    assert not agreed.value(trace.assigned["h"]).agrees
    assert not agreed.step(len(trace) - 1).agrees


def test_a_zero_of_another_sign_that_nothing_comes_of_is_no_difference(oracle, monkeypatch):
    wrong = dataclasses.replace(OPERATIONS["remainder"], forward=remainder_of_numpy)
    monkeypatch.setitem(catalogue.BINARY, "%", wrong)
    trace = document(
        "inputs:\n  c: {value: [1, 0], requires_grad: false}\n  x: [2, 3]\n"
        "compute: |\n  h = c % -1\n  y = (exp(h) * x + h).sum()\n"
    )
    assert faultless(judged(oracle, trace))


@pytest.mark.parametrize(
    ("text", "later"),
    [
        ("k = floor(s)", "k"),
        ("m = s >= 3\nk = where(m, 1.0, 2.0) * s", "m"),
        ("k = log(s - 3)", "k"),
        ("d = s - 3\nk = 1 / d", "k"),
    ],
)
def test_a_last_digit_that_a_later_step_blows_up_is_told_where_it_begins(
    oracle, monkeypatch, text, later
):
    def off_by_one(a):
        return np.nextafter(np.sqrt(a), 0.0)

    wrong = dataclasses.replace(OPERATIONS["sqrt"], forward=off_by_one)
    monkeypatch.setitem(catalogue.FUNCTIONS, "sqrt", (wrong,))
    trace = document(
        "inputs: {x: 9}\ncompute: |\n  s = sqrt(x)\n  "
        + text.replace("\n", "\n  ")
        + "\n  y = k * x\n"
    )
    agreed = judged(oracle, trace)
    assert faultless(agreed)
    at = int(trace.forward_steps[trace.assigned["s"]])
    assert agreed.departures[at] == f"not settled: {later} hangs on the last digit"
