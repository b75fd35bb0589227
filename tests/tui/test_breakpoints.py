"""Breakpoints and continuing as functions of a session, against a scan of every step."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.tui.at_once import AtOnce, at_once

from backprop_engine.basics.source import OperandError, ProblemError, Source
from backprop_engine.reading.conditions import compile_condition, holds
from backprop_engine.run.record import record
from backprop_engine.run.tape import graph_of
from backprop_engine.scenarios.loader import parse_document, parse_shorthand
from backprop_engine.trace import StepKind
from backprop_tui.session import session as do
from backprop_tui.session.session import open_session
from backprop_tui.session.stops import continuing
from backprop_tui.session.stops import editing as stop_editing
from backprop_tui.session.stops.continuing import (
    cancel,
    is_surveyed,
    learn,
    scan_of,
    survey,
    surveys,
    tick_columns,
    with_stops,
)
from backprop_tui.session.stops.parsing import parse_breakpoint
from backprop_tui.session.stops.state import Breakpoint, Place, PlaceKind, Search, Stops

editing = AtOnce(stop_editing)
continue_back = at_once(continuing.continue_back)
continue_forward = at_once(continuing.continue_forward)

PASSES = """\
inputs: {x: 3, v: [1, -2]}
compute: |
  h = v*x
  h = h + x
  y = h.sum()*x
backward: [y, zero_grad, y]
"""


def opened(text):
    return open_session(record(parse_shorthand(Source("<-e>", text))))


BASIC = opened("x=2, y=x**2+3x+1")
SESSIONS = [
    BASIC,
    opened("a=2, b=3, c=a+b, d=a*b, y=(c+d)+c*d"),
    opened("x=3, y=x"),
    open_session(record(parse_document(Source("passes.yaml", PASSES)))),
]
TEXTS = [
    "x", "a", "y", "h@1", "mul", "add", "forward", "backward y", "zero_grad", "if grad > 1",
    "if abs(contribution) > 2", "mul if value > 3", "x if grad > 2", "backward y if step > 8",
    "if value | (grad > 1)", "if value > [3, 4]",
    "if local > 1", "if ~(grad == 1)", "y if value", "if upstream < contribution",
]  # fmt: skip


def with_texts(session, texts, **fields):
    for text in texts:
        one = replace(parse_breakpoint(text, session.trace), **fields)
        session = editing.set_breakpoint(session, None, one)
    return session


def fitting(session, texts):
    """The texts that mean something in the graph of `session`."""
    found = []
    for text in texts:
        try:
            found.append(parse_breakpoint(text, session.trace))
        except ProblemError:
            continue
    return found


def brute_force(trace, stop):
    """Every step at which `stop` has a hit, looked at one by one."""
    return [step for step in range(len(trace)) if _is_hit(trace, stop, trace.step(step))]


def _is_hit(trace, stop, step):
    kind, name = stop.place.kind, stop.place.name
    subject = None
    if kind is PlaceKind.NODE:
        subject = trace.named(name)
        if subject not in (step.node, step.operand):
            return False
    elif kind is PlaceKind.OPERATION:
        at_work = step.kind in (StepKind.FORWARD, StepKind.CONTRIBUTION)
        if not at_work or graph_of(trace).operation[step.node].name != name:
            return False
    elif kind is PlaceKind.PASSES:
        in_pass = trace.passes[step.pass_index]
        if in_pass.name != name:
            return False
        if not stop.condition:
            return step.index == in_pass.start
    try:
        return not stop.condition or holds(
            compile_condition(stop.condition), trace, step.index, subject
        )
    except OperandError:
        return False


@st.composite
def with_breakpoints(draw):
    session = draw(st.sampled_from(SESSIONS))
    chosen = draw(st.lists(st.sampled_from(TEXTS), min_size=1, max_size=3, unique=True))
    for one in fitting(session, chosen):
        ignored, is_enabled = draw(st.integers(0, 2)), draw(st.booleans())
        stop = replace(one, ignored=ignored, is_enabled=is_enabled)
        session = editing.set_breakpoint(session, None, stop)
    return replace(session, cursor=draw(st.integers(0, len(session.trace))))


def places_of(session):
    """Where continuing stops, by brute force."""
    return sorted(
        {
            step
            for breakpoint_ in session.stops.breakpoints
            if breakpoint_.is_enabled
            for step in brute_force(session.trace, breakpoint_)[breakpoint_.ignored :]
        }
    )


# Hits


@given(st.sampled_from(SESSIONS), st.sampled_from(TEXTS))
def test_the_hits_of_a_breakpoint_are_those_of_a_scan_of_all_steps(session, text):
    for one in fitting(session, [text]):
        there = editing.set_breakpoint(session, None, one)
        assert scan_of(there, one).hits.tolist() == brute_force(session.trace, one)


def test_a_breakpoint_on_a_name_stops_at_each_value_that_its_tensor_has():
    session = opened("x=[1, 2]; y=x*2; z=y; z += 1; v=y[0]; v *= 3; s=(y*y).sum()")
    (one,) = fitting(session, ["y"])
    there = editing.set_breakpoint(session, None, one)
    assert [step for step in scan_of(there, one).hits.tolist() if step < 5] == [0, 1, 4]


@given(with_breakpoints())
def test_continuing_stops_at_the_next_hit_and_back_at_the_last(session):
    later = [place for place in places_of(session) if place > session.cursor]
    earlier = [place for place in places_of(session) if place < session.cursor]
    assert continue_forward(session).cursor == (later[0] if later else session.cursor)
    assert continue_back(session).cursor == (earlier[-1] if earlier else session.cursor)


@given(with_breakpoints())
def test_continuing_and_continuing_back_are_inverses_from_hit_to_hit(session):
    here = continue_forward(session)
    there = continue_forward(here)
    if session.cursor < here.cursor < there.cursor:
        assert continue_back(there).cursor == here.cursor
        assert continue_forward(continue_back(there)).cursor == there.cursor


@given(with_breakpoints())
def test_continuing_is_a_jump_that_backspace_undoes(session):
    after = continue_forward(session)
    if after.cursor != session.cursor:
        assert do.jump_back(after).cursor == session.cursor


@given(with_breakpoints(), st.integers(1, 40))
def test_a_search_in_small_portions_ends_where_one_at_a_stroke_does(session, budget):
    whole = continue_forward(session)
    bare = replace(session, stops=replace(session.stops, scans={}))
    search = Search(forward=True, origin=bare.cursor, start=bare.cursor)
    asked = replace(bare, stops=replace(bare.stops, search=search))
    rounds = 0
    while not is_surveyed(asked):
        asked = survey(asked, budget)
        rounds += 1
        assert rounds < 1000
    if session.stops.active:
        assert asked.cursor == whole.cursor
        assert asked.notice.partition(" (hit")[0] == whole.notice.partition(" (hit")[0]


# What is said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("if abs(contribution) > 3", "stopped: |contribution| > 3 at pow → x, 4 (hit 1 of 1)"),
        ("x", "stopped: x at mul → x, 3 (hit 1 of 2)"),
        ("mul", "stopped: any mul at mul → %2, 6 (hit 1 of 2)"),
        ("backward y", "stopped: backward y begins (hit 1 of 1)"),
        ("y if grad", "stopped: grad at the seed of y, 1 (hit 1 of 2)"),
        ("if (grad > 3) & (value < 3)",
         "stopped: (grad > 3) and (value < 3) at pow → x, grad 7, value 2 (hit 1 of 1)"),
        ("if step == 2", "stopped: step = 2 at add → %3 (hit 1 of 1)"),
        ("if grad > 8", "no later hit"),
        ("if value > [9, 10]",
         "stopped: value > [9, 10] at add → %3, 10, 1 of 2 elements (hit 1 of 4)"),
    ],
)  # fmt: skip
def test_the_reason_for_a_stop_is_said(text, said):
    assert continue_forward(with_texts(BASIC, [text])).notice == said


def test_of_an_array_it_is_said_how_many_elements_fulfil_the_condition():
    there = continue_forward(with_texts(SESSIONS[-1], ["if value < 0"]))
    assert there.notice == (
        "stopped: value < 0 at add → h@2, [6, −3], 1 of 2 elements (hit 2 of 8)"
    )


def test_all_reasons_for_a_stop_are_said():
    there = continue_forward(with_texts(BASIC, ["if grad == 3", "mul if upstream"]))
    assert there.notice == (
        "stopped: grad = 3 at mul → x, 3 (hit 1 of 1); upstream at mul → x, 1 (hit 1 of 1)"
    )


def test_with_nothing_to_stop_at_it_says_how_to_set_a_breakpoint():
    assert "b sets one on the selected node" in continue_forward(BASIC).notice
    off = with_texts(BASIC, ["x"], is_enabled=False)
    assert continue_forward(off).notice == "every breakpoint is off: L lists them"


def test_at_the_only_hit_it_says_that_this_is_it():
    there = continue_forward(with_texts(BASIC, ["backward y"]))
    assert continue_forward(there).notice == "no later hit; this place is one"
    assert continue_forward(there).cursor == there.cursor


def test_shapes_that_do_not_fit_make_no_hit_and_are_told():
    session = with_texts(SESSIONS[-1], ["if value > [1, 2, 3]"])
    assert "cannot broadcast shapes (2,) and (3,)" in session.notice


# Setting and deleting


def selecting(session, label):
    return do.select(session, int(session.outline.full_rows[session.trace.named(label)]))


def test_b_sets_a_breakpoint_on_the_selected_node_and_deletes_it_again():
    there = editing.toggle(selecting(BASIC, "x"))
    assert there.stops.breakpoints == (Breakpoint(Place(PlaceKind.NODE, "x")),)
    assert there.notice == "breakpoint on x: 2 hits · c and C go there"
    again = editing.toggle(there)
    assert again.stops == Stops()
    assert again.notice == "breakpoint deleted: x"


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("x if abs(grad) > 3", "breakpoint on x if |grad| > 3: "),
        ("mul if value > 3", "breakpoint on any mul if value > 3: "),
        ("if value > 3", "breakpoint if value > 3: "),
        ("mul", "breakpoint on any mul: "),
    ],
)
def test_a_new_breakpoint_is_told_with_its_place_and_its_condition(typed, told):
    assert with_texts(BASIC, [typed]).notice.startswith(told)


def test_b_on_a_constant_says_that_nothing_happens_there():
    literal = next(row for row in range(len(BASIC.outline)) if _label(BASIC, row) == "3")
    there = editing.toggle(do.select(BASIC, literal))
    assert there.stops.breakpoints == ()
    assert there.notice == "3 takes part in no step: nothing to stop at"


def _label(session, row):
    return session.trace.label(int(session.outline.nodes[row]))


def test_a_breakpoint_with_the_same_hits_is_not_set_twice():
    session = with_texts(BASIC, ["x", "mul", "x"])
    assert [breakpoint_.text for breakpoint_ in session.stops.breakpoints] == ["x", "operation mul"]


def test_an_edited_breakpoint_keeps_its_place_its_switch_and_what_it_ignores():
    session = editing.ignore(editing.enable(with_texts(BASIC, ["x", "mul"]), 0), 0, 1)
    old = session.stops.breakpoints[0]
    new = parse_breakpoint("x if grad > 3", BASIC.trace)
    changed = editing.set_breakpoint(session, old, new).stops.breakpoints
    assert [one.text for one in changed] == ["x if grad > 3", "operation mul"]
    assert not changed[0].is_enabled
    assert changed[0].ignored == 1


def test_a_breakpoint_that_is_off_or_deleted_is_passed_by():
    session = with_texts(BASIC, ["x", "backward y"])
    assert continue_forward(editing.enable(session, 1)).cursor == 8
    assert continue_forward(editing.enable(editing.enable(session, 1), 1)).cursor == 4
    assert continue_forward(editing.delete(session, 1)).cursor == 8


def test_ignored_hits_are_counted_from_the_start_and_passed_by_both_ways():
    session = editing.ignore(with_texts(BASIC, ["if grad"]), 0, 2)  # hits 4, 5, 6, 7, 8, 9
    assert continue_forward(session).cursor == 6
    assert continue_back(replace(session, cursor=7)).cursor == 6
    assert continue_back(replace(session, cursor=6)).notice.startswith("no earlier hit")
    assert editing.ignore(session, 0, -5).stops.breakpoints[0].ignored == 0


def test_one_breakpoint_can_be_gone_to_even_if_it_is_off():
    session = editing.enable(with_texts(BASIC, ["mul", "x"]), 1)
    there = editing.to_next_hit(session, 1)
    assert there.cursor == 8
    assert there.notice == "stopped: x at mul → x, 3 (hit 1 of 2)"


@pytest.mark.parametrize(
    ("title", "text", "said"),
    [
        ("NaN", "x=-1, y=log(x)*2", "stopped: NaN at log → %1, value nan (hit 1 of 4)"),
        ("Inf", "x=0, y=2/x", "stopped: Inf at div → y, value inf (hit 1 of 3)"),
        ("vanishing gradient", "x=1, y=x*0.001*0.0001", "vanishing gradient at mul → x, 1e−7"),
        ("exploding gradient", "x=1, y=x*100*100", "at mul → x, 10000"),
        ("zero gradient", "x=-1, y=relu(x)+1", "stopped: zero gradient at relu → x, 0"),
    ],
)
def test_the_ready_made_breakpoints_go_to_their_first_hit(title, text, said):
    session = editing.first_hit(do.pass_end(do.pass_end(opened(text))), title)
    assert said in session.notice
    assert session.stops.breakpoints[0].title == title
    assert do.jump_back(session).cursor == len(session.trace)


def test_a_ready_made_breakpoint_without_a_hit_says_so_and_stays():
    session = editing.first_hit(BASIC, "NaN")
    assert session.notice == "NaN: no hit"
    assert session.cursor == 0
    assert len(session.stops.breakpoints) == 1


def test_scans_of_another_trace_are_not_believed():
    session = with_texts(BASIC, ["x"])
    changed = replace(session, trace=opened("x=2, y=x*x").trace)
    assert scan_of(changed, session.stops.breakpoints[0]) is None
    assert learn(changed, session.stops.scans).stops.scans == session.stops.scans
    assert continue_forward(changed).cursor == 2


# Searching


def under_way(text):
    """A search of which nothing has been found out yet."""
    stop = parse_breakpoint(text, BASIC.trace)
    return continuing.continue_forward(stop_editing.set_breakpoint(BASIC, None, stop))


def test_a_search_under_way_is_told_and_can_be_stopped():
    session = under_way("if local > 1")
    assert session.notice == "looking for a hit: 0% · esc stops"
    assert session.cursor == 0
    assert cancel(session).stops.search is None
    assert cancel(session).notice == ""
    further = survey(session, 5)
    assert further.notice == "looking for a hit: 50% · esc stops"
    assert survey(further, 99).cursor == 8


def test_a_step_ends_a_search():
    session = do.step_forward(under_way("if local > 1"))
    after = survey(session, 99)
    assert after.cursor == 1
    assert after.stops.search is None


def test_a_thread_reports_as_it_goes_and_ends():
    session = with_stops(BASIC, Stops(breakpoints=(parse_breakpoint("if grad", BASIC.trace),)))
    reports = list(surveys(session))
    assert reports
    assert is_surveyed(learn(session, reports[-1]))


def test_a_bar_of_the_timeline_has_a_tick_where_continuing_stops():
    session = with_texts(BASIC, ["x", "backward y"])
    assert tick_columns(session, 0, 4, 8) == []
    assert tick_columns(session, 4, 10, 12) == [0, 8, 10]
    assert tick_columns(session, 4, 10, 3) == [0, 2]
    assert tick_columns(editing.enable(session, 0), 4, 10, 12) == [0]
