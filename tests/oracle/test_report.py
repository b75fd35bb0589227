"""What the torch process says about a program."""

from __future__ import annotations

import dataclasses
import gc
import math
import tracemalloc

import numpy as np
import pytest
import torch
from tests.passed_off import changed
from tests.piped import piped

from backprop_engine.basics.source import Source
from backprop_engine.catalogue import OPERATIONS
from backprop_engine.run.record import record
from backprop_engine.run.tape import graph_of
from backprop_engine.scenarios.loader import parse_document, parse_shorthand
from backprop_engine.trace import Trace
from backprop_tui.oracles.client import Oracle
from backprop_tui.oracles.report import Ready, TorchReport
from backprop_tui.oracles.torch import child
from backprop_tui.oracles.torch.agreement import agreement
from backprop_tui.oracles.torch.protocol import decode_report, encode_request


def shorthand(text: str) -> Trace:
    return record(parse_shorthand(Source("<-e>", text)))


def document(text: str) -> Trace:
    return record(parse_document(Source("test.yaml", text)))


def report_of(oracle: Oracle, trace: Trace) -> TorchReport:
    answer = oracle.ask(trace)
    assert isinstance(answer, Ready), answer
    return answer.report


def test_the_lecture_example_comes_back_step_by_step(oracle):
    trace = shorthand("x=2, y=x**2+3x+1")
    report = report_of(oracle, trace)
    x = graph_of(trace).inputs["x"]
    backward = trace.passes[1]
    sent = [report.contributions[step] for step in range(backward.start, backward.stop)]
    assert sent == [1, 1, 1, 1, 3, 4]
    assert report.totals[backward.stop - 1] == 7
    assert report.gradients[1][x] == 7
    assert report.grads[1][x] == 7
    assert report.values[trace.assigned["y"]] == 11
    assert [
        report.grad_fns[node] for node in range(len(graph_of(trace))) if report.grad_fns[node]
    ] == [
        "PowBackward0",
        "MulBackward0",
        "AddBackward0",
        "AddBackward0",
    ]


def test_a_square_by_multiplication_has_two_contributions_of_its_own(oracle):
    trace = shorthand("x=3, y=x*x")
    report = report_of(oracle, trace)
    assert [report.contributions[step] for step in (2, 3)] == [3, 3]
    assert not report.joints


def test_a_number_divided_by_a_tensor_is_one_edge_through_two_torch_nodes(oracle):
    trace = shorthand("x=2, y=3/x")
    report = report_of(oracle, trace)
    assert report.contributions[len(trace) - 1] == -0.75
    assert report.grad_fns[trace.assigned["y"]] == "MulBackward0"


def test_edges_that_cannot_be_told_apart_come_as_a_joint(oracle):
    text = "inputs: {A: [[[1, 2], [3, 4]], [[5, 6], [7, 8]]]}\ncompute: y = (A @ A).sum()\n"
    trace = document(text)
    report = report_of(oracle, trace)
    assert report.joints, "batched matmul takes several torch nodes for each operand"
    for step, joint in report.joints.items():
        assert step in joint.steps
        assert step not in report.contributions
    (joint,) = {id(one): one for one in report.joints.values()}.values()
    ours = sum(trace.contribution(step) for step in joint.steps)
    np.testing.assert_allclose(joint.contribution, ours)
    assert joint.steps[0] not in report.totals
    np.testing.assert_allclose(report.totals[joint.steps[-1]], ours)


def test_passes_accumulate_and_are_cleared_as_in_torch(oracle):
    text = "inputs: {x: 3, b: 1}\ncompute: y = x**2 + b\nbackward: [y, y, zero_grad, y]\n"
    trace = document(text)
    report = report_of(oracle, trace)
    x = graph_of(trace).inputs["x"]
    assert [report.grads[index][x] for index in (1, 2, 3, 4)] == [6, 12, None, 6]
    for pass_ in trace.passes[1:]:
        assert report.grads[pass_.index] == dict(pass_.grads)


def test_zeroing_one_grad_in_place_leaves_the_other_alone(oracle):
    text = 'inputs: {x: 3, b: 1}\ncompute: y = x**2 + b\nbackward: [y, "x.grad.zero_()", y]\n'
    trace = document(text)
    report = report_of(oracle, trace)
    assert list(report.grads[2].values()) == [0, 1]
    assert list(report.grads[3].values()) == [6, 2]


def test_an_explicit_seed_weights_the_output(oracle):
    text = "inputs: {x: [1, 2, 3]}\ncompute: y = x * x\nbackward: {of: y, gradient: [1, 10, 100]}\n"
    trace = document(text)
    report = report_of(oracle, trace)
    np.testing.assert_array_equal(report.grads[1][graph_of(trace).inputs["x"]], [2, 40, 600])
    np.testing.assert_array_equal(report.contributions[1], [1, 10, 100])


@pytest.mark.parametrize(
    ("text", "value"),
    [("x=0, y=1/x", math.inf), ("x=0, y=log(x)", -math.inf), ("x=-1, y=sqrt(x)", math.nan)],
)
def test_non_finite_numbers_survive_the_pipe_both_ways(oracle, text, value):
    trace = shorthand(f"{text}, z=y*{1e300}")
    report = report_of(oracle, trace)
    np.testing.assert_equal(report.values[trace.assigned["y"]], value)


def test_non_finite_inputs_survive_too(oracle):
    trace = document("inputs: {x: [.inf, .nan, -.inf]}\ncompute: y = (2x).sum()\n")
    report = report_of(oracle, trace)
    np.testing.assert_array_equal(report.values[0], [np.inf, np.nan, -np.inf])


def test_float32_keeps_its_dtype_and_its_bits(oracle):
    trace = document("dtype: float32\ninputs: {x: 0.1, w: [0.1, 0.7]}\ncompute: y = (x*w).sum()\n")
    report = report_of(oracle, trace)
    y = report.values[trace.assigned["y"]]
    assert type(y) is np.float32
    assert y == graph_of(trace).value[trace.assigned["y"]]
    assert report.values[graph_of(trace).inputs["w"]].dtype == np.float32
    assert type(report.grads[1][graph_of(trace).inputs["x"]]) is np.float32


def test_arithmetic_on_literals_alone_stays_a_number(oracle):
    trace = shorthand("x=2, y=(1/3)*x + 2**3")
    report = report_of(oracle, trace)
    third = next(n for n in range(len(graph_of(trace))) if graph_of(trace).value[n] == 1 / 3)
    assert report.values[third] == 1 / 3
    assert report.grad_fns[third] == ""


def test_indices_and_attributes_reach_torch(oracle):
    text = (
        "inputs:\n  x: [[1, 2, 3], [4, 5, 6]]\n  i: {value: [0, 0, 1], dtype: int64}\n"
        "compute: |\n  a = x[i, 1:].sum()\n  b = x[..., -1].sum() + x.mean(0, keepdim=True).sum()\n"
        "  y = a + b\n"
    )
    trace = document(text)
    report = report_of(oracle, trace)
    x = graph_of(trace).inputs["x"]
    np.testing.assert_array_equal(report.grads[1][x], trace.passes[1].grads[x])


def test_a_value_torch_hands_through_still_has_an_edge_of_its_own(monkeypatch):
    trace = shorthand("x=[1, 2], y=-x, z=(y*y).sum()")
    same = changed(OPERATIONS["neg"], torch=lambda torch, a: a)
    monkeypatch.setattr(child, "OPERATIONS", {**OPERATIONS, "neg": same})
    request = piped(encode_request(trace))
    report = decode_report(trace, piped(child.answer(request)))
    assert not report.surplus
    np.testing.assert_array_equal(report.contributions[len(trace) - 1], [2, 4])
    np.testing.assert_array_equal(report.grads[1][graph_of(trace).inputs["x"]], [2, 4])


@pytest.mark.thorough
def test_a_chain_of_a_hundred_thousand_nodes_is_answered(oracle):
    # Taking down a graph of this depth in the wrong order ends torch with SIGSEGV.
    source = Source("<-e>", "x=2, y=-x")
    scenario = parse_shorthand(source)
    (statement,) = scenario.statements
    expression = statement.expression
    for _ in range(100_000):
        expression = dataclasses.replace(statement.expression, operand=expression)
    deep = dataclasses.replace(statement, expression=expression)
    trace = record(dataclasses.replace(scenario, statements=(deep,)))
    report = report_of(oracle, trace)
    assert len(report.values) == 100_002
    assert report.grads[1][graph_of(trace).inputs["x"]] == -1
    assert report_of(oracle, shorthand("x=2, y=-x")).version, "it is still there"


def test_one_process_answers_many_traces(oracle):
    for exponent in (2, 3, 4):
        report = report_of(oracle, shorthand(f"x=2, y=x**{exponent}"))
        assert report.values[2] == 2**exponent


@pytest.mark.thorough
def test_a_report_of_numbers_takes_a_few_bytes_for_each():
    trace = record(parse_shorthand(Source("<-e>", f"x=2, y={'+'.join(['x'] * 4000)}")))
    request = piped(encode_request(trace))
    reply = piped(child.answer(request))
    tracemalloc.start()
    try:
        report = decode_report(trace, reply)
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    numbers = len(report.values) + len(report.contributions) + len(report.totals)
    assert len(report.gradients[1]) == len(report.values)
    assert taken < 24 * numbers, "an object of Python's for each would take some hundred"


def traced_memory(make):
    """What `make()` gives, and how many bytes it holds."""
    gc.freeze()  # what other tests have left is not looked through
    tracemalloc.start()
    try:
        made = make()
        gc.collect()
        return made, tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
        gc.unfreeze()


@pytest.mark.thorough
def test_torchs_answer_and_what_is_judged_by_it_take_a_small_part_of_what_the_trace_takes():
    text = f"x=2, y={'+'.join(['x*x'] * 800)}"
    trace, of_trace = traced_memory(lambda: record(parse_shorthand(Source("<-e>", text))))
    reply = piped(child.answer(piped(encode_request(trace))))

    def told():
        agreed = agreement(trace, decode_report(trace, reply))
        assert not agreed.faulty_steps
        return agreed

    _, of_answer = traced_memory(told)
    assert of_answer < of_trace / 4, "it was twice as much as the trace once"


def test_the_child_lets_go_of_torchs_graph_once_it_has_answered():
    request = piped(encode_request(shorthand(f"x=2, y={'+'.join(['x*x'] * 500)}")))

    def tensors():
        gc.collect()
        return sum(type(held) is torch.Tensor for held in gc.get_objects())

    gc.freeze()  # what was there before is not counted
    try:
        assert child.answer(request)["passes"]
        assert tensors() == 0
    finally:
        gc.unfreeze()
