"""Breakpoints as one types them, and all stops as plain data that is kept between runs."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.tui.at_once import AtOnce

from backprop_engine.basics.source import ProblemError, Source
from backprop_engine.run.record import record
from backprop_engine.scenarios.loader import parse_shorthand
from backprop_tui.session.session import open_session
from backprop_tui.session.stops import editing as stop_editing
from backprop_tui.session.stops.parsing import parse_breakpoint
from backprop_tui.session.stops.persisting import carried_over, from_plain, to_plain
from backprop_tui.session.stops.state import ANYWHERE, Place, PlaceKind, Stops, Watch

editing = AtOnce(stop_editing)


def opened(text):
    return open_session(record(parse_shorthand(Source("<-e>", text))))


BASIC = opened("x=2, y=x**2+3x+1")
TEXTS = ["x", "%1 if grad > 2", "mul", "backward y if value", "if ~(grad == 1)"]


def with_texts(session, texts):
    for text in texts:
        one = parse_breakpoint(text, session.trace)
        session = editing.set_breakpoint(session, None, one)
    return session


# Reading


@pytest.mark.parametrize(
    ("text", "place", "condition"),
    [
        ("x", Place(PlaceKind.NODE, "x"), ""),
        ("  x  if  grad > 1 ", Place(PlaceKind.NODE, "x"), "grad > 1"),
        ("x if", Place(PlaceKind.NODE, "x"), ""),
        ("node %1", Place(PlaceKind.NODE, "%1"), ""),
        ("mul", Place(PlaceKind.OPERATION, "mul"), ""),
        ("any *", Place(PlaceKind.OPERATION, "mul"), ""),
        ("operation mul if value", Place(PlaceKind.OPERATION, "mul"), "value"),
        ("backward y", Place(PlaceKind.PASSES, "backward y"), ""),
        ("pass forward", Place(PlaceKind.PASSES, "forward"), ""),
        ("if grad", ANYWHERE, "grad"),
        ("anywhere if grad", ANYWHERE, "grad"),
    ],
)
def test_a_breakpoint_is_read_as_it_is_typed(text, place, condition):
    one = parse_breakpoint(text, BASIC.trace)
    assert (one.place, one.condition) == (place, condition)
    assert parse_breakpoint(one.text, BASIC.trace) == one


@pytest.mark.parametrize(
    ("text", "message", "caret"),
    [
        ("", "there is nothing to stop at", ""),
        ("if", "there is nothing to stop at", "if"),
        ("yy", "there is no node, operation or pass `yy`", "yy"),
        ("mull", "there is no node, operation or pass `mull`; did you mean `mul`?", "mull"),
        ("pass forwrd", "there is no pass `forwrd`; did you mean `forward`?", "pass forwrd"),
        ("node mul", "there is no node `mul`", "node mul"),
        ("x if abs(grd) > 1", "unknown name `grd`", "grd"),
        ("x if grad > ", "nothing follows this `>`", ">"),
    ],
)
def test_a_mistake_is_told_with_its_place(text, message, caret):
    with pytest.raises(ProblemError) as error:
        parse_breakpoint(text, BASIC.trace)
    problem = error.value.problem
    assert message in problem.sentence
    assert text[problem.span.start : problem.span.stop] == caret


# Kept between runs


BREAKPOINTS = st.builds(
    lambda text, ignored, is_enabled: replace(
        parse_breakpoint(text, BASIC.trace), ignored=ignored, is_enabled=is_enabled
    ),
    st.sampled_from(TEXTS),
    st.integers(0, 3),
    st.booleans(),
)
WATCHES = st.builds(Watch, st.sampled_from(["x", "y", "y.grad", "%1*x"]), st.booleans())


@given(
    st.lists(BREAKPOINTS, unique_by=lambda one: one.key),
    st.lists(WATCHES, unique_by=lambda one: one.key),
)
def test_what_is_kept_between_runs_comes_back_the_same(breakpoints, watches):
    kept = Stops(breakpoints=tuple(breakpoints), watches=tuple(watches))
    plain = json.loads(json.dumps(to_plain(kept)))
    stops, told = from_plain(plain, BASIC.trace)
    assert told == ()
    assert (stops.breakpoints, stops.watches) == (kept.breakpoints, kept.watches)


def test_what_has_no_name_in_a_changed_graph_is_put_aside_told_and_still_kept():
    session = with_texts(BASIC, ["x if grad > 1", "%3", "mul"])
    old = replace(session.stops, watches=(Watch("x.grad"), Watch("%3*2", is_stop=True)))
    changed = opened("x=2, y=x*x")
    stops, told = carried_over(old, changed.trace)
    assert [breakpoint_.text for breakpoint_ in stops.breakpoints] == [
        "x if grad > 1",
        "operation mul",
    ]
    assert [watch.text for watch in stops.watches] == ["x.grad"]
    assert told == (
        "breakpoint %3: there is no node `%3`",
        "watch %3*2: unknown name `%3`",
    )
    assert to_plain(stops)["watches"] == to_plain(old)["watches"]
    back, told = carried_over(stops, BASIC.trace)
    assert told == ()
    assert set(back.all) == set(old.all)


@pytest.mark.parametrize(
    "plain",
    [
        {},
        {"breakpoints": [{}], "watches": []},
        {"breakpoints": [], "watches": [{"expression": 3, "stop": False}]},
        {"breakpoints": [{"on": "moon", "name": "x", "condition": "", "title": "", "ignored": 0,
                          "enabled": True}], "watches": []},
    ],
)  # fmt: skip
def test_what_was_never_written_is_refused(plain):
    with pytest.raises((KeyError, TypeError, ValueError)):
        from_plain(plain, BASIC.trace)
