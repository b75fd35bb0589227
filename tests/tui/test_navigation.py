"""Search, places to go to, marks and play, as functions Session → Session."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.tui.at_once import AtOnce, at_once

from backprop_engine.basics.source import Source
from backprop_engine.reading.formula_columns import columns_at
from backprop_engine.run.record import record
from backprop_engine.run.tape import graph_of
from backprop_engine.scenarios.loader import parse_shorthand
from backprop_tui.session import moving
from backprop_tui.session import session as do
from backprop_tui.session.moving import parse_target
from backprop_tui.session.navigation import RATES
from backprop_tui.session.search import searching
from backprop_tui.session.search.searching import (
    compile_query,
    learn,
    look_on,
    needs_looking,
    position,
)
from backprop_tui.session.session import open_session
from backprop_tui.session.stops import editing as stop_editing

editing = AtOnce(stop_editing)
next_match = at_once(searching.next_match)
previous_match = at_once(searching.previous_match)
search_for = at_once(searching.search_for)


def opened(text):
    return open_session(record(parse_shorthand(Source("<-e>", text))))


BASIC = opened("x=2, y=x**2+3x+1")
NEURON = opened("w1=2, w2=-3, x1=-1, x2=-2, s=w1*x1+w2*x2, out=sigmoid(s), loss=-log(out)")
ARRAYS = opened("W=[[1,-2],[3,4]], b=[0,1], h=relu(W@b), L=(h*h).sum()")


def found(session, text, start=0):
    """The labels of all matches, from the top."""
    session = search_for(session, text, start)
    rows = session.search.matches.rows
    return [session.trace.label(int(session.outline.nodes[row])) for row in rows]


# What is found


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("w1", ["%1", "w1"]),
        ("sigmoid", ["out"]),
        ("SigmoidBackward0", ["out"]),
        ("Mul", ["%1", "%2"]),
        ("mul", ["%1", "%2"]),
        ("w1*x1", ["%1"]),
        ("w1·x1", ["%1"]),
        ("leaf", ["w1", "x1", "w2", "x2"]),
        ("  out ", ["%3", "out"]),
        ("nowhere", []),
    ],
)
def test_a_text_is_found_in_names_expressions_operations_and_grad_fns(text, labels):
    assert found(NEURON, text) == labels


def test_a_power_may_be_typed_as_in_python():
    assert found(BASIC, "x**2") == found(BASIC, "x²") == found(BASIC, "x^2") == ["%1"]


def test_small_letters_find_capitals_and_capitals_only_capitals():
    assert "W" in found(ARRAYS, "w")
    assert "b" not in found(ARRAYS, "B")


def test_where_no_row_has_the_text_its_letters_in_order_will_do():
    session = search_for(NEURON, "sgmd", 0)
    assert found(NEURON, "sgmd") == ["out"]
    assert session.notice == "match 1 of 1 for the letters “sgmd”"


def test_a_name_typed_in_full_means_that_node_and_not_the_first_that_mentions_it():
    session = search_for(NEURON, "out", 0)
    assert session.trace.label(session.node) == "out"


def test_no_match_is_said_and_nothing_is_selected():
    session = search_for(BASIC, "zzz", 0)
    assert session.notice == "no match for “zzz”"
    assert session.selected is None


# Conditions


def test_a_condition_speaks_of_what_is_known_at_the_cursor():
    assert found(BASIC, "value > 5") == []
    end = replace(BASIC, cursor=len(BASIC.trace))
    assert found(end, "value > 5") == ["y", "%3", "%2"]
    assert found(end, "grad > 1") == ["x"]
    assert found(replace(BASIC, cursor=9), "grad > 1") == ["x"]
    assert found(replace(BASIC, cursor=8), "grad > 1") == []


def test_of_an_array_one_element_is_enough():
    assert found(ARRAYS, "value < 0") == ["W"]
    assert found(ARRAYS, "all(value < 0)") == []


def test_a_mistake_in_a_condition_is_said():
    assert "unknown name `valu`" in search_for(BASIC, "(valu > 1) & (grad > 1)", 0).notice


@pytest.mark.parametrize("text", ["grad >", "value <"])
def test_a_condition_half_typed_is_no_match_yet(text):
    session = search_for(BASIC, text, 0)
    assert session.search.matches.trouble
    assert session.selected is None


def test_matches_of_a_condition_are_looked_for_anew_where_the_cursor_is_elsewhere():
    session = search_for(replace(BASIC, cursor=8), "grad > 1", 0)
    assert session.notice.startswith("no match")
    session = next_match(replace(session, cursor=10))
    assert session.notice == "match 1 of 1 for “grad > 1”"


@given(st.sampled_from([BASIC, NEURON]), st.data())
def test_a_condition_over_all_nodes_at_once_holds_where_it_holds_for_each(session, data):
    text = data.draw(
        st.sampled_from(
            ["grad > 1", "value < 0", "abs(grad) > 0.1", "(grad > 0) | (value > 0)",
             "(value >= 2) & (grad != 1)", "isnan(grad)", "grad - value < 0"]
        )
    )  # fmt: skip
    cursor = data.draw(st.integers(0, len(session.trace)))
    formula, trace = compile_query(text), session.trace
    columns = columns_at(trace, cursor)
    assert columns is not None
    assert columns.can_evaluate(formula)
    at_once = columns.holding(formula, 0, len(trace.nodes))
    one_by_one = [
        searching._fit(trace, cursor, formula, node) == 2 for node in range(len(graph_of(trace)))
    ]
    assert at_once.tolist() == one_by_one


# From match to match


def test_the_next_match_after_the_last_is_the_first_and_the_other_way_round():
    session = search_for(NEURON, "mul", 0)
    assert session.notice == "match 1 of 2 for “mul”"
    assert next_match(session).notice == "match 2 of 2 for “mul”"
    assert next_match(next_match(session)).row == session.row
    assert previous_match(session).notice == "match 2 of 2 for “mul”"


@given(
    st.sampled_from([BASIC, NEURON, ARRAYS]),
    st.sampled_from(["a", "x", "mul", "1", "leaf", "=", "value > 0"]),
    st.data(),
)
def test_next_and_previous_undo_each_other_on_a_match(session, text, data):
    cursor = data.draw(st.integers(0, len(session.trace)))
    start = data.draw(st.integers(0, len(session.outline) - 1))
    session = search_for(replace(session, cursor=cursor), text, start)
    if session.selected is not None:
        assert previous_match(next_match(session)).row == session.row
        assert next_match(previous_match(session)).row == session.row
        assert session.row in session.search.matches.rows


def test_without_a_search_the_way_to_one_is_said():
    assert next_match(BASIC).notice == "nothing searched for yet: / searches"


def test_a_match_inside_of_a_fold_opens_it():
    session = do.toggle_fold(NEURON, 0)
    session = search_for(session, "w2", 0)
    assert not session.folds
    assert session.trace.label(session.node) == "w2"


# Where looking takes long, a thread does it


@pytest.fixture
def slowly(monkeypatch):
    monkeypatch.setattr(searching, "_FIRST", 2)


def test_a_long_search_says_how_far_it_is_and_is_settled_by_what_comes(slowly):
    session = searching.search_for(NEURON, "sigmoid", 0)
    assert session.notice == "searching: 0%"
    assert needs_looking(session)
    for matches in look_on(session):
        session = learn(session, matches)
    assert not needs_looking(session)
    assert session.trace.label(session.node) == "out"
    assert session.notice == "match 1 of 1 for “sigmoid”"


def test_a_match_found_early_is_shown_before_all_rows_are_looked_at(slowly):
    session = searching.search_for(NEURON, "log", 0)
    session = learn(session, next(look_on(session)))
    assert session.notice == "match 1 of 1 so far for “log”"
    assert needs_looking(session)


def test_findings_of_an_older_search_change_nothing(slowly):
    older = searching.search_for(NEURON, "log", 0)
    newer = searching.search_for(older, "mul", 0)
    assert learn(newer, next(look_on(older))) is newer


def test_stepwise_and_at_once_find_the_same(slowly):
    session = searching.search_for(NEURON, "x", 0)
    for matches in look_on(session):
        session = learn(session, matches)
    exact = [row for row in range(len(NEURON.outline)) if row in session.search.matches.exact]
    assert np.array_equal(session.search.matches.exact, exact)
    assert position(session)


# Places to go to


@pytest.mark.parametrize(
    ("text", "cursor"),
    [("7", 7), ("50%", 5), ("+3", 5), ("-1", 1), ("−1", 1), ("y", 3), ("x", 8), ("%1", 0),
     ("forward", 0), ("backward y", 4)],
)  # fmt: skip
def test_a_step_a_percentage_a_distance_a_name_and_a_pass_are_places(text, cursor):
    assert parse_target(text, BASIC)(replace(BASIC, cursor=2)).cursor == (
        {"+3": 3, "-1": 0, "−1": 0}.get(text, cursor)
    )


def test_going_to_a_name_selects_its_node_and_is_undone_like_any_jump():
    session = parse_target("x", BASIC)(BASIC)
    assert session.trace.label(session.node) == "x"
    assert do.jump_back(session).cursor == 0


def test_a_name_that_takes_part_in_no_step_is_selected_and_that_is_said():
    session = opened("x=2, unused=3, y=x*x")
    there = parse_target("unused", session)(session)
    assert there.notice == "unused takes part in no step"
    assert there.trace.label(there.node) == "unused"


@pytest.mark.parametrize(
    ("text", "said"),
    [("", "“” is no place"), ("lss", "did you mean `loss`"), ("99", "there are 16 steps"),
     ("x9", "is no place"), ("120%", "between 0% and 100%")],
)  # fmt: skip
def test_what_is_no_place_is_said_with_a_way_out(text, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        parse_target(text, NEURON)


# Marks


@given(st.integers(0, 10), st.integers(0, 10))
def test_a_mark_leads_back_to_where_it_was_set(there, elsewhere):
    session = moving.set_mark(replace(BASIC, cursor=there), "a")
    back = moving.to_mark(replace(session, cursor=elsewhere), "a")
    assert back.cursor == there
    assert do.jump_back(back).cursor == elsewhere


def test_a_mark_set_again_moves_and_in_its_own_place_is_taken_away():
    session = moving.set_mark(replace(BASIC, cursor=3), "a")
    moved = moving.set_mark(replace(session, cursor=5), "a")
    assert dict(moved.marks) == {"a": 5}
    assert dict(moving.set_mark(moved, "a").marks) == {}


def test_a_letter_without_a_mark_is_said():
    assert moving.to_mark(BASIC, "q").notice == "no mark q: mq sets it"


def test_marks_are_listed_in_the_order_of_the_timeline_with_what_runs_there():
    session = replace(BASIC, marks={"a": 10, "b": 4, "c": 0})
    assert moving.mark_rows(session) == [
        ("c", 0, "compute %1 = x²"),
        ("b", 4, "start backward at y"),
        ("a", 10, "the end"),
    ]


@given(st.integers(0, 10), st.integers(1, 40))
def test_every_mark_stands_in_exactly_one_bar_of_the_timeline(place, width):
    session = replace(BASIC, marks={"m": place})
    bars = [
        moving.mark_columns(session, pass_.start, pass_.stop, width) for pass_ in BASIC.trace.passes
    ]
    assert sum(len(bar) for bar in bars) == 1
    assert all(0 <= column < width for bar in bars for column in bar)


# Play


def played(session):
    """All cursors that play comes through, until it ends by itself."""
    cursors = []
    while moving.is_playing(session):
        session = moving.tick(session)
        cursors.append(session.cursor)
    return cursors, session


@given(st.integers(0, 10))
def test_play_makes_each_step_up_to_the_end_and_back_to_the_start(cursor):
    session = replace(BASIC, cursor=cursor)
    assert played(moving.play_forward(session))[0] == list(range(cursor + 1, 11))
    assert played(moving.play_back(session))[0] == list(range(cursor - 1, -1, -1))


def test_the_same_key_pauses_and_the_other_turns_round():
    session = moving.play_forward(BASIC)
    assert not moving.is_playing(moving.play_forward(session))
    turned = moving.play_back(moving.tick(session))
    assert moving.is_playing(turned)
    assert not turned.play.forward


def test_at_an_end_play_says_where_it_can_go():
    assert moving.play_back(BASIC).notice == "this is the start: p plays forwards"
    end = replace(BASIC, cursor=10)
    assert moving.play_forward(end).notice == "this is the end: P plays backwards"


def test_any_other_command_that_moves_the_cursor_ends_play():
    session = do.step_forward(moving.play_forward(BASIC))
    assert not moving.is_playing(session)
    assert moving.tick(session).cursor == 1


def test_play_stops_at_a_breakpoint_and_says_why():
    session = editing.toggle(do.select(BASIC, BASIC.outline.full_rows[BASIC.trace.named("x")]))
    session = do.release(session)
    cursors, session = played(moving.play_forward(session))
    assert cursors[-1] < 10
    assert session.notice.startswith("stopped: x")


def test_the_rate_goes_through_all_rates_and_ends_at_the_fastest_and_the_slowest():
    session = replace(BASIC, rate=RATES[0])
    rates = [session.rate]
    for _ in RATES:
        session = moving.faster(session)
        rates.append(session.rate)
    assert rates == [*RATES, RATES[-1]]
    assert session.notice == "32 steps a second is the fastest"
    assert moving.slower(replace(BASIC, rate=RATES[0])).notice.endswith("is the slowest")
