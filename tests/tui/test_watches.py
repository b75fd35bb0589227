"""Watches as functions of a session, and the rows that the pane draws of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.tui.at_once import AtOnce, at_once

from backprop_engine.basics.source import Source
from backprop_engine.basics.values import same
from backprop_engine.reading.watches import compile_watch, watched
from backprop_engine.run.record import record
from backprop_engine.scenarios.loader import parse_document, parse_shorthand
from backprop_tui.session import session as do
from backprop_tui.session.session import open_session
from backprop_tui.session.stops import continuing
from backprop_tui.session.stops import watching as stop_watching
from backprop_tui.session.stops.rows import column_of, place_of, watch_rows
from backprop_tui.session.stops.state import Watch

watching = AtOnce(stop_watching)
continue_back = at_once(continuing.continue_back)
continue_forward = at_once(continuing.continue_forward)


def opened(text):
    return open_session(record(parse_shorthand(Source("<-e>", text))))


BASIC = opened("x=2, y=x**2+3x+1")


def opened_document(text):
    return open_session(record(parse_document(Source("one.yaml", text))))


PASSES = opened_document("inputs: {x: 3}\ncompute: y = x**2\nbackward: [y, zero_grad, y]\n")
TEXTS = ["x", "y", "x.grad", "y.grad", "x.grad*y", "y.grad + x.grad"]


def watched_at(session, text):
    """What a watch comes to at each cursor, one by one."""
    trace = session.trace
    formula = compile_watch(text, trace)
    return [watched(formula, trace, cursor) for cursor in range(len(trace) + 1)]


def with_watches(session, *texts):
    for text in texts:
        session = watching.set_watch(session, None, text)
    return session


@given(st.sampled_from([BASIC, PASSES]), st.sampled_from(TEXTS), st.integers(0, 10))
def test_a_watch_that_is_a_stop_stops_where_it_next_changes_either_way(session, text, cursor):
    at = min(cursor, len(session.trace))
    values = watched_at(session, text)
    changes = [k for k in range(1, len(values)) if not same(values[k], values[k - 1])]
    there = replace(watching.toggle_watch_stop(with_watches(session, text)), cursor=at)
    later, earlier = [k for k in changes if k > at], [k for k in changes if k < at]
    assert continue_forward(there).cursor == (later[0] if later else at)
    assert continue_back(there).cursor == (earlier[-1] if earlier else at)
    assert watching.to_change_forward(there).cursor == continue_forward(there).cursor
    assert watching.to_change_back(there).cursor == continue_back(there).cursor


@given(st.sampled_from([BASIC, PASSES]), st.sampled_from(TEXTS), st.integers(0, 10))
def test_a_row_tells_the_value_now_and_one_step_before(session, text, cursor):
    at = min(cursor, len(session.trace))
    values = watched_at(session, text)
    (row,) = watch_rows(replace(with_watches(session, text), cursor=at), 8)
    assert same(row.now, values[at])
    assert same(row.before, values[max(at - 1, 0)])
    assert row.is_changed == (not same(row.now, row.before))


def test_the_stop_tells_what_changed_to_what_and_which_step_did_it():
    there = watching.to_change_forward(with_watches(BASIC, "x.grad"))
    assert there.cursor == 10
    assert there.notice == "stopped: x.grad: – → 7 by pow → x"
    assert watching.to_change_forward(there).notice == "x.grad: no later change; this place is one"


def test_a_watch_that_is_no_stop_is_passed_by():
    assert "no breakpoint yet" in continue_forward(with_watches(BASIC, "x.grad")).notice


def test_w_suggests_the_gradient_of_the_selected_node_or_else_its_value():
    assert watching.suggestion(BASIC) == "%1.grad"
    x = int(BASIC.outline.full_rows[BASIC.trace.named("x")])
    assert watching.suggestion(do.select(BASIC, x)) == "x.grad"
    literal = int(BASIC.outline.full_rows[1])
    assert watching.suggestion(do.select(BASIC, literal)) == ""


def test_watches_are_added_chosen_edited_and_deleted():
    session = with_watches(BASIC, "x", "y", "x")
    assert [watch.text for watch in session.stops.watches] == ["x", "y"]
    assert watching.chosen_watch(session).text == "x"
    down = watching.watch_down(session)
    assert watching.chosen_watch(down).text == "y"
    assert watching.watch_down(down).stops.chosen == 1
    assert watching.watch_up(watching.watch_up(down)).stops.chosen == 0
    edited = watching.set_watch(down, "y", "y.grad")
    assert [watch.text for watch in edited.stops.watches] == ["x", "y.grad"]
    gone = watching.delete_watch(edited)
    assert gone.stops.watches == (Watch("x"),)
    assert watching.delete_watch(gone).stops.watches == ()


@pytest.mark.parametrize(
    "command",
    [watching.delete_watch, watching.toggle_watch_stop, watching.to_change_forward,
     watching.to_change_back],
)  # fmt: skip
def test_without_a_watch_the_commands_say_how_to_add_one(command):
    assert command(BASIC).notice == "no watch yet: w adds one"
    assert watching.watch_down(BASIC).stops == BASIC.stops


def test_the_sparkline_rises_with_the_watch_and_is_blank_where_it_is_unknown():
    (row,) = watch_rows(with_watches(BASIC, "%3.grad + x"), 11)
    assert row.sparkline == "      ▅▅▅▅▅"
    (row,) = watch_rows(with_watches(PASSES, "x.grad"), 7)
    assert row.sparkline == "   ▅  ▅"
    (row,) = watch_rows(with_watches(opened("x=0, y=1/x + x"), "%1"), 4)
    assert row.sparkline[-1] == "!"


@given(st.integers(2, 60), st.integers(0, 10))
def test_each_column_of_the_sparkline_shows_a_place_of_its_own(width, cursor):
    column = column_of(BASIC.trace, cursor, width)
    assert 0 <= column < width
    assert abs(place_of(BASIC.trace, column, width) - cursor) <= max(10 / (width - 1), 1)
    assert place_of(BASIC.trace, 0, width) == 0
    assert place_of(BASIC.trace, width - 1, width) == 10


def test_shapes_that_do_not_fit_are_told_in_the_row():
    session = opened("A=[[1, 2], [3, 4]], v=[1, 2, 3], y=A.sum()*v.sum()")
    (row,) = watch_rows(with_watches(session, "A*v"), 8)
    assert row.trouble == "`*` cannot broadcast shapes (2, 2) and (3,)"
    assert row.now is None


def test_of_arrays_the_norm_is_drawn():
    small = opened("A=[[1, 2], [3, 4]], y=A.sum()")
    (row,) = watch_rows(with_watches(small, "A.grad"), 4)
    assert np.array_equal(watch_rows(replace(with_watches(small, "A.grad"), cursor=3), 4)[0].now,
                          np.ones((2, 2)))  # fmt: skip
    assert row.sparkline == "   ▅"
