"""Stepping into a composite and out again, as functions of the session."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.passed_off import pass_off

from backprop_engine.basics.source import Source
from backprop_engine.run.record import record
from backprop_engine.run.tape import graph_of
from backprop_engine.scenarios.loader import parse_shorthand
from backprop_tui.session import session as do
from backprop_tui.session.session import open_session
from backprop_tui.session.stepping_in import (
    breadcrumb,
    closing,
    opening,
    stack,
    step_into,
    step_out,
)


def opened(text):
    return open_session(record(parse_shorthand(Source("<-e>", text))))


SESSION = opened("x=2, p=sigmoid(x), y=3p")


def at(session, name, cursor):
    trace = session.trace
    node = next(node for node in range(len(graph_of(trace))) if trace.label(node) == name)
    return replace(do.select(session, int(session.outline.full_rows[node])), cursor=cursor)


def test_before_the_upstream_gradient_is_there_it_opens_forward():
    for cursor in (0, 1, 2, 3):
        inside = step_into(at(SESSION, "p", cursor))
        assert inside.cursor == 0
        assert inside.trace.label(int(inside.trace.senders[-1])) == "%1"


def test_with_the_upstream_gradient_it_opens_where_backward_begins():
    for cursor in (4, 5):
        inside = step_into(at(SESSION, "p", cursor))
        assert inside.cursor == inside.trace.passes[1].start
        assert inside.trace.contribution(inside.cursor) == 3


def test_inside_of_what_changes_in_place_is_what_it_was_computed_from():
    session = opened("x=2, y=x*3, y.sigmoid_(), z=y*x")
    node = session.trace.label(session.trace.assigned["y"])
    inside = step_into(at(session, node, 0))
    (operand,) = inside.trace.nodes.inputs.values()
    assert inside.trace.nodes.value[operand] == 6.0


def test_out_again_everything_is_as_it_was_but_for_what_is_said():
    session = replace(at(SESSION, "p", 4), folds=frozenset({0}), origins=(1, 2))
    inside = do.pass_end(do.step_forward(step_into(session)))
    back = step_out(inside)
    assert replace(back, notice=session.notice) == session
    told = "agree up to rounding: to x 0.314981, 3.33e−16 apart"
    assert back.notice == f"p: inside and outside {told}"


def test_inside_the_commands_work_on_the_inner_trace_and_know_the_way_out():
    inside = step_into(at(SESSION, "p", 4))
    for command in (do.step_forward, do.node_forward, do.pass_end, do.restart, do.down, do.fold):
        inside = command(inside)
        assert inside.outer is not None
    assert stack(inside)[-1].trace is SESSION.trace


def test_where_no_gradient_goes_through_there_is_none_to_compare():
    inside = step_into(at(opened("x=2, p=sigmoid(x), y=3x"), "p", 0))
    assert step_out(inside).notice == (
        "back out of p; no gradient goes through it, so there is no sum to compare"
    )


@pytest.mark.parametrize(
    ("name", "notice"),
    [("x", "x is an input: nothing was computed that could be opened"),
     ("3", "3 is a constant: nothing was computed that could be opened"),
     ("y", "y = 3·p: mul is not made of other parts")],
)  # fmt: skip
def test_what_cannot_be_opened_is_named_and_the_session_stays(name, notice):
    session = at(SESSION, name, 3)
    assert step_into(session) == replace(session, notice=notice)


def test_outside_there_is_no_way_out():
    assert step_out(SESSION).notice == ("this is not the inside of an operation; i steps into one")


def test_composites_open_inside_of_composites():
    session = opened("x=2, p=sigmoid(x), y=3p")
    node = session.trace.assigned["p"]
    pass_off(session.trace, node, composite="q = sigmoid(a); 2q - q")
    inner = step_into(at(session, "p", 4))
    innermost = step_into(at(inner, "q", len(inner.trace)))
    assert breadcrumb(innermost) == ("p = σ(x)", "q = σ(a)")
    assert [one.trace for one in stack(innermost)] == [
        innermost.trace, inner.trace, session.trace
    ]  # fmt: skip
    assert step_out(step_out(innermost)).trace is session.trace


def test_what_is_done_is_told_with_the_operation():
    assert opening(at(SESSION, "p", 0)) == "opening p = σ(x)"
    inside = step_into(at(SESSION, "p", 0))
    assert closing(inside) == "comparing the inside and the outside of p = σ(x)"
