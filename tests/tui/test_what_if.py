"""Other values in the place of inputs and constants, against a scenario written with them."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.foreign_trace import WHOLE
from tests.tui.at_once import AtOnce, at_once, found_out
from tests.tui.reruns import rerun_by

from backprop_engine.basics.source import ProblemError, ScenarioError, Source
from backprop_engine.basics.values import same as same_value
from backprop_engine.run.record import record
from backprop_engine.run.tape import graph_of
from backprop_engine.scenarios.loader import parse_document, parse_shorthand
from backprop_engine.trace.abilities import Reruns
from backprop_tui.commands.table import BY_NAME
from backprop_tui.opening.targets import open_target
from backprop_tui.session.session import open_session, pass_end, select
from backprop_tui.session.stepping_in import step_into
from backprop_tui.session.stops import editing as stop_editing
from backprop_tui.session.stops.continuing import is_surveyed, scan_of
from backprop_tui.session.stops.parsing import parse_breakpoint
from backprop_tui.session.whatif import editing as value_editing
from backprop_tui.session.whatif import nudging
from backprop_tui.session.whatif.comparing import gradient_differs, rows, value_differs
from backprop_tui.session.whatif.parsing import parse_edit
from backprop_tui.session.whatif.state import Nudge

editing = AtOnce(value_editing)
set_breakpoint = at_once(stop_editing.set_breakpoint)

ARRAYS = """\
inputs:
  x: 2
  W: [[1, 2], [3, 4]]
  i: {value: [0, 1], dtype: int64}
  m: {value: true, dtype: bool}
  k: {value: 3, requires_grad: false}
compute: |
  h = (W*x)[i]
  y = h.sum() + k
"""


def opened(text, name="<-e>"):
    trace = open_target(Source("<-e>", text)) if name == "<-e>" else None
    if trace is None:
        raise AssertionError
    return open_session(trace)


def arrays():
    return open_session(record(parse_document(Source("arrays.yaml", ARRAYS))))


BASIC = opened("x=2, y=x**2+3x+1")
ARRAY = arrays()


def on(session, name):
    trace = session.trace
    return select(session, int(session.outline.full_rows[trace.named(name)]))


def edited(session, text, name=None):
    node = None if name is None else session.trace.named(name)
    return editing.edit(session, parse_edit(text, session.trace, node))


def same(one, other):
    return (
        all(map(same_value, graph_of(one).value, graph_of(other).value))
        and all(map(same_value, one.totals, other.totals))
        and all(map(same_value, one.contributions, other.contributions))
    )


NUMBERS = st.floats(allow_nan=True, allow_infinity=True)


@given(st.lists(NUMBERS, min_size=1, max_size=6))
@settings(max_examples=40, deadline=None)
def test_every_edit_undone_is_as_if_none_had_been_made(values):
    session = BASIC
    for value in values:
        session = edited(session, f"x = {value!r}")
    while session.whatif.history:
        session = editing.undo(session)
    assert session.trace.nodes is BASIC.trace.nodes
    assert session.whatif.values == {}
    assert session.whatif.difference is None
    assert replace(session, whatif=BASIC.whatif, notice="") == replace(BASIC, notice="")


@given(NUMBERS)
@settings(max_examples=60, deadline=None)
def test_an_edit_gives_the_trace_of_a_scenario_written_with_that_value(value):
    written = f"inputs:\n  x: {str(value).replace('inf', '.inf').replace('nan', '.nan')}\n"
    fresh = record(parse_document(Source("f.yaml", written + "compute: y = x**2+3x+1\n")))
    assert same(edited(BASIC, f"x = {value!r}").trace, fresh)


@given(st.floats(-1e6, 1e6), st.lists(st.booleans(), min_size=1, max_size=5))
@settings(max_examples=40, deadline=None)
def test_the_truth_of_a_nudge_is_that_of_a_fresh_scenario(start, ups):
    session = on(opened(f"x={start!r}, y=x**2+3x+1"), "x")
    for is_up in ups:
        session = (editing.nudge_up if is_up else editing.nudge_down)(session)
    x = graph_of(session.trace).value[session.trace.named("x")]
    fresh = record(parse_shorthand(Source("<-e>", f"x={x!r}, y=x**2+3x+1")))
    assert same(session.trace, fresh)


def test_a_constant_can_be_edited_too():
    session = on(BASIC, "y")
    three = next(
        node for node in range(len(graph_of(BASIC.trace))) if BASIC.trace.label(node) == "3"
    )
    session = editing.edit(session, parse_edit("5", session.trace, three))
    assert same(session.trace, record(parse_shorthand(Source("<-e>", "x=2, y=x**2+5x+1"))))


def test_the_place_stays_and_what_differs_is_known():
    session = edited(pass_end(pass_end(on(BASIC, "x"))), "x = 3")
    assert (session.cursor, session.row) == (10, on(BASIC, "x").row)
    x, y = (session.trace.named(name) for name in "xy")
    assert value_differs(session, y)
    assert gradient_differs(session, x)
    assert not gradient_differs(session, y)
    assert not value_differs(BASIC, y)
    assert [(row.name, row.original, row.current) for row in rows(session)] == [
        ("x", 2, 3),
        ("y", 11, 19),
        ("x.grad", 7, 9),
    ]


def test_the_value_that_was_there_before_is_no_change():
    session = edited(edited(BASIC, "x = 3"), "x = 2")
    assert session.trace.nodes is BASIC.trace.nodes
    assert not session.whatif.values
    assert len(session.whatif.history) == 2
    assert edited(BASIC, "x = 2").whatif.history == ()


def test_reset_gives_one_value_back_and_reset_all_every_one():
    session = edited(edited(ARRAY, "x = 3"), "W[0,1] = 7")
    assert set(session.whatif.values) == {session.trace.named(name) for name in ("x", "W")}
    one = editing.reset(on(session, "x"))
    assert set(one.whatif.values) == {one.trace.named("W")}
    both = editing.reset_all(session)
    assert both.trace is ARRAY.trace
    assert set(editing.undo(both).whatif.values) == set(session.whatif.values)
    assert "its own value" in editing.reset(on(BASIC, "x")).notice
    assert "nothing to reset" in editing.reset_all(BASIC).notice
    assert "no edit to undo" in editing.undo(BASIC).notice


def test_the_hits_of_breakpoints_are_those_of_the_new_run():
    stop = parse_breakpoint("x if grad > 8", BASIC.trace)
    session = set_breakpoint(BASIC, None, stop)
    assert len(scan_of(session, stop).hits) == 0
    change = parse_edit("x = 3", session.trace, None)
    session = value_editing.edit(session, change)
    outcome = value_editing.carry_out(session.whatif, session.whatif.wanted)
    session = value_editing.arrive(session, outcome)
    assert scan_of(session, stop) is None
    session = found_out(session)
    assert is_surveyed(session)
    assert len(scan_of(session, stop).hits) > 0


# Nudges


@pytest.mark.parametrize(
    ("text", "name", "said"),
    [
        (
            "x=2, y=x**2+3x+1",
            "x",
            "x + 0.01 · y: 11 → 11.0701, predicted 11.07 (7 × 0.01), off by 0.0001",
        ),
        ("x=2, y=3x", "x", "x + 0.01 · y: 6 → 6.03, predicted 6.03 (3 × 0.01), and so it is"),
        ("x=2000, y=3x", "x", "x + 10 · y: 6000 → 6030, predicted 6030 (3 × 10), and so it is"),
        ("x=0, y=x*x", "x", "x + 0.01 · y: 0 → 0.0001, predicted 0 (0 × 0.01), off by 0.0001"),
        (
            "v=[1,2], y=v.sum()",
            "v",
            "every element of v + 0.01 · y: 3 → 3.02, predicted 3.02 (2 × 0.01), and so it is",
        ),
        (
            "x=2, k=3, y=k*x.detach()",
            "x",
            "x + 0.01 · y: 6 → 6.03; no gradient arrives, no prediction",
        ),
    ],
)
def test_a_nudge_says_what_was_predicted_and_what_is_true(text, name, said):
    assert editing.nudge_up(on(opened(text), name)).notice == said


def test_up_and_down_lead_back_to_the_very_number():
    session = on(BASIC, "x")
    for _ in range(7):
        session = editing.nudge_up(session)
    for _ in range(7):
        session = editing.nudge_down(session)
    assert session.trace.nodes is BASIC.trace.nodes


def test_a_nudge_moves_the_element_that_was_edited_last():
    session = editing.nudge_up(on(edited(ARRAY, "W[0,1] = 2.5"), "W"))
    assert graph_of(session.trace).value[session.trace.named("W")].tolist() == [[1, 2.51], [3, 4]]
    assert session.notice.startswith("W[0, 1] + 0.01")


def test_float32_is_told_by_what_was_added_in_truth():
    document = "dtype: float32\ninputs: {x: 2}\ncompute: y = 3x\n"
    session = on(open_session(record(parse_document(Source("f.yaml", document)))), "x")
    after = editing.nudge_up(session)
    assert type(graph_of(after.trace).value[after.node]) is np.float32
    found = nudging.predict(session.trace, after.trace, 0, Nudge(session.node, 0.01))
    assert abs(found.off) < 1e-6


@pytest.mark.parametrize(
    ("name", "said"),
    [("y", "y is computed"), ("i", "i is int64"), ("m", "m is bool")],
)
def test_what_cannot_be_nudged_says_why(name, said):
    after = editing.nudge_up(on(ARRAY, name))
    assert said in after.notice
    assert after.trace is ARRAY.trace


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_value_that_is_not_finite_stays_what_it_is(value):
    session = editing.nudge_up(on(edited(BASIC, f"x = {value}"), "x"))
    assert same_value(graph_of(session.trace).value[session.node], value)


# What one may write


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("-0.5", "x", -0.5),
        ("x = 1e-3", None, 1e-3),
        ("x=inf", None, math.inf),
        ("-inf", "x", -math.inf),
        ("x = nan", None, math.nan),
        ("1/8", "x", 0.125),
        ("W[0,1] = 2.5", None, [[1, 2.5], [3, 4]]),
        ("W[-1] = [8, 9]", None, [[1, 2], [8, 9]]),
        ("W[:, 0] = 0", None, [[0, 2], [0, 4]]),
        ("[[5, 6], [7, nan]]", "W", [[5, 6], [7, math.nan]]),
        ("i[0] = 1", None, [1, 1]),
        ("false", "m", False),
        ("[1,0] = -1", "W", [[1, 2], [-1, 4]]),
    ],
)
def test_values_that_one_may_write(text, name, value):
    node = None if name is None else ARRAY.trace.named(name)
    found = parse_edit(text, ARRAY.trace, node)
    old = graph_of(ARRAY.trace).value[found.node]
    assert np.array_equal(np.asarray(found.value, float), np.asarray(value, float), equal_nan=True)
    assert type(found.value) is type(old)
    assert np.asarray(found.value).dtype == np.asarray(old).dtype


@pytest.mark.parametrize(
    ("text", "name", "message", "marked"),
    [
        ("", "x", "a value is missing here", ""),
        ("x = ", None, "a value is missing here", ""),
        ("z = 3", None, "there is no `z`", "z"),
        ("y = 3", None, "`y` is computed from others", "y "),
        ("3", None, "which input is meant?", "3"),
        ("x = foo", None, "this must be written out, not computed", "foo"),
        ("x = [1, 2]", None, "`x` is a single number, this has shape (2,)", "[1, 2]"),
        ("W = 1", None, "`W` has shape (2, 2), this is one number", "1"),
        ("W = [[1, 2], [3]]", None, "this row has length 1", "[3]"),
        ("W[2,0] = 1", None, "there is no such element", "[2,0]"),
        ("W[0] = [1, 2, 3]", None, "`W[0]` has shape (2,), this has shape (3,)", "[1, 2, 3]"),
        ("x[0] = 1", None, "`x` is a single number, without elements", "[0]"),
        ("i[0] = 0.5", None, "this is no whole number", "0.5"),
        ("m = 2", None, "this is no truth value", "2"),
        ("W[0.5,0] = 1", None, "an index is a whole number", "0.5"),
        ("x = 10**400", None, "this number cannot be computed", "10**400"),
        ("x = (", None, "", ""),
    ],
)
def test_mistakes_are_told_with_their_place(text, name, message, marked):
    node = None if name is None else ARRAY.trace.named(name)
    with pytest.raises(ProblemError) as caught:
        parse_edit(text, ARRAY.trace, node)
    problem = caught.value.problem
    assert message in problem.message
    if marked:
        assert text[problem.span.start : problem.span.stop] == marked


def test_an_index_that_leads_nowhere_is_refused_and_nothing_changes():
    after = edited(ARRAY, "i = [0, 7]")
    assert after.trace is ARRAY.trace
    assert after.whatif.refusal.startswith("cannot run with this i: ")


def test_a_trace_recorded_elsewhere_says_why_not():
    session = open_session(WHOLE)
    for name in ("edit_value", "nudge_up", "undo_edit", "reset_all"):
        assert BY_NAME[name].missing(on(session, "x")).sentence == (
            "a recording cannot do this (Reruns); open a scenario"
        )
    inside = step_into(on(opened("x=2, y=sigmoid(x)"), "y"))
    assert "steps out" in BY_NAME["nudge_up"].missing(on(inside, "a")).sentence


# Runs that take long


def long_session():
    return replace(BASIC, trace=rerun_by(BASIC.trace, BASIC.trace.can(Reruns).run, 3.0))


def test_a_long_run_waits_for_a_thread_and_further_edits_add_to_it():
    session = value_editing.nudge_up(value_editing.nudge_up(on(long_session(), "x")))
    wanted = session.whatif.wanted
    assert session.trace.nodes is BASIC.trace.nodes
    assert list(wanted.values.values()) == [2.02]
    assert "1.5 of about 3.0 seconds" in value_editing.progress(session, 1.5).notice
    done = value_editing.arrive(session, value_editing.carry_out(session.whatif, wanted))
    assert graph_of(done.trace).value[done.node] == 2.02
    assert done.whatif.wanted is None
    assert len(done.whatif.history) == 2


def test_what_is_cancelled_does_not_arrive():
    session = value_editing.nudge_up(on(long_session(), "x"))
    outcome = value_editing.carry_out(session.whatif, session.whatif.wanted)
    cancelled = value_editing.cancel(session)
    assert value_editing.arrive(cancelled, outcome) is cancelled
    assert cancelled.whatif.values == {}
    assert value_editing.cancel(BASIC) is BASIC
    assert value_editing.progress(BASIC, 1) is BASIC


def test_a_run_that_is_refused_leaves_all_as_it_was():
    def refuse(values, is_unwanted):
        raise ScenarioError(Source("f", "x"), parse_problem())

    def parse_problem():
        with pytest.raises(ProblemError) as caught:
            parse_edit("z=1", BASIC.trace, None)
        return caught.value.problem

    session = open_session(rerun_by(BASIC.trace, refuse))
    after = edited(session, "x = 3")
    assert after.whatif.refusal == after.notice != ""
    assert after.whatif.history == ()
