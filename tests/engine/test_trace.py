"""What a trace answers at a cursor, against a replay that goes step by step and keeps books."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from backprop_engine.basics.source import Source
from backprop_engine.run.record import record
from backprop_engine.run.tape import graph_of
from backprop_engine.scenarios.loader import parse_document, parse_shorthand
from backprop_engine.trace import PassKind, StepKind, Trace

ATOMS = ("a", "b", "c", "2", "0.5")


@st.composite
def traces(draw) -> Trace:
    """A random program on three inputs, with reuse, dead ends and several passes."""
    names = list(ATOMS)
    lines = []
    for number in range(draw(st.integers(1, 8))):
        left, right = draw(st.sampled_from(names)), draw(st.sampled_from(names))
        symbol = draw(st.sampled_from("+-*"))
        lines.append(f"v{number} = {left} {symbol} {right}")
        names.append(f"v{number}")
    lines.append("y = " + " + ".join(["a", *(name for name in names[-2:])]))
    passes = draw(st.lists(st.sampled_from(["y", "y", "zero_grad", "a"]), min_size=1, max_size=4))
    text = "\n".join(
        ["inputs: {a: 2, b: -3, c: {value: 5, requires_grad: false}}", "compute: |"]
        + [f"  {line}" for line in lines]
        + [f"backward: [{', '.join(passes)}]"]
    )
    return record(parse_document(Source("random.yaml", text)))


class Replay:
    """The state before step `cursor`, found the slow way: run every step from the first."""

    def __init__(self, trace: Trace, cursor: int) -> None:
        self.computed = {n for n, op in enumerate(graph_of(trace).operation) if op is None}
        self.gradient: dict[int, float] = {}
        self.received: dict[int, int] = {}
        self.grad: dict[int, float] = {}
        for pass_ in trace.passes:
            if cursor <= pass_.start:
                break
            self.gradient, self.received = {}, {}
            for index in range(pass_.start, min(cursor, pass_.stop)):
                self.run(trace, index)
            if cursor >= pass_.stop and pass_.kind is PassKind.BACKWARD:
                for leaf, total in self.gradient.items():
                    if leaf in graph_of(trace).inputs.values():
                        self.grad[leaf] = self.grad.get(leaf, 0.0) + total

    def run(self, trace: Trace, index: int) -> None:
        step: Any = trace.step(index)
        sent: Any = trace.contributions[index]
        if step.kind is StepKind.FORWARD:
            self.computed.add(step.node)
        elif step.kind is StepKind.ZERO_GRAD:
            self.grad = {}
        else:
            to = step.node if step.kind is StepKind.SEED else step.operand
            self.gradient[to] = self.gradient.get(to, 0.0) + sent
            self.received[to] = self.received.get(to, 0) + 1


@settings(max_examples=60, deadline=None)
@given(traces(), st.data())
def test_the_state_at_any_step_is_that_of_a_slow_replay(trace, data):
    cursor = data.draw(st.integers(0, len(trace)))
    replay = Replay(trace, cursor)
    finished = cursor == trace.shown_pass(cursor).stop
    for node in range(len(graph_of(trace))):
        assert trace.is_computed(node, cursor) == (node in replay.computed)
        assert trace.gradient(node, cursor) == replay.gradient.get(node)
        assert trace.progress(node, cursor).received == replay.received.get(node, 0)
        if finished:
            assert trace.grad(node, cursor) == replay.grad.get(node)


@settings(max_examples=40, deadline=None)
@given(traces())
def test_steps_passes_and_visits_fit_together(trace):
    assert [pass_.start for pass_ in trace.passes[1:]] == [
        pass_.stop for pass_ in trace.passes[:-1]
    ]
    assert trace.passes[-1].stop == len(trace)
    for index in range(len(trace)):
        step = trace.step(index)
        in_pass = trace.passes[step.pass_index]
        assert in_pass.start <= index < in_pass.stop
        start, stop = trace.node_step(index)
        assert in_pass.start <= start <= index < stop <= in_pass.stop
        assert {trace.step(one).node for one in range(start, stop)} == {step.node}
        for node in {step.node, step.operand} - {None}:
            assert index in trace.visits(node)


@settings(max_examples=40, deadline=None)
@given(traces())
def test_a_node_sends_only_when_its_own_gradient_is_complete(trace):
    for index in range(len(trace)):
        step = trace.step(index)
        if step.kind is StepKind.CONTRIBUTION:
            assert trace.progress(step.node, index).is_complete


def trace_of(text: str) -> Trace:
    return record(parse_document(Source("lesson.yaml", text)))


def test_grad_changes_with_the_last_contribution_and_the_gradient_with_each():
    trace = trace_of("x=2, y=x**2+3x+1")
    assert [trace.gradient(0, k) for k in (8, 9, 10)] == [None, 3.0, 7.0]
    assert [trace.grad(0, k) for k in (8, 9, 10)] == [None, None, 7.0]


def test_between_two_passes_the_results_of_the_first_still_stand():
    trace = trace_of("inputs: {x: 3}\ncompute: y = x*x\nbackward: [y, y]\n")
    boundary = trace.passes[1].stop
    assert trace.gradient(0, boundary) == 6.0
    assert trace.gradient(0, boundary + 1) is None
    assert trace.shown_pass(boundary).index == 1
    assert trace.pass_index(boundary) == 2


def test_consumers_of_a_node_used_twice_in_one_place_stand_there_twice():
    trace = trace_of("x=3, y=x*x, z=y+x")
    assert [trace.label(node) for node in trace.consumers(0)] == ["y", "y", "z"]


def test_an_input_outside_the_program_is_a_node_that_nothing_visits():
    trace = trace_of("inputs: {x: 3, unused: 1}\ncompute: y = x*x\n")
    unused = graph_of(trace).inputs["unused"]
    assert trace.visits(unused) == []
    assert trace.grad(unused, len(trace)) is None


def test_a_trace_is_described_in_a_few_words_however_large_it_is() -> None:
    trace = record(parse_shorthand(Source("<-e>", "x=2, y=x, for i in range(9): y = y*x")))

    assert repr(trace) == "<Trace of 10 nodes in 28 steps>"


def test_what_goes_to_one_node_a_thousand_times_is_looked_up_once(monkeypatch):
    names = ", ".join(["h=x*2"] + ["h=h+x"] * 1_000)
    trace = record(parse_shorthand(Source("<-e>", f"x=2, {names}, y=h")))
    column, looks = Trace._column, []
    monkeypatch.setattr(Trace, "_column", staticmethod(lambda *a: looks.append(a) or column(*a)))
    x = graph_of(trace).inputs["x"]
    for cursor in range(len(trace)):
        trace.progress(x, cursor)
    assert trace.receipts(x) == [step for step, to in enumerate(trace.receivers) if to == x]
    assert len(looks) == 1
