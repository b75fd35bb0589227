"""The session as a state machine, without a screen."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backprop_engine.basics.source import Source
from backprop_engine.run.record import record
from backprop_engine.run.tape import graph_of
from backprop_engine.scenarios.loader import parse_shorthand
from backprop_engine.trace import PassKind
from backprop_tui.commands.table import COMMANDS
from backprop_tui.session import session as do
from backprop_tui.session.moving import parse_place
from backprop_tui.session.session import open_session


def opened(text):
    return open_session(record(parse_shorthand(Source("<-e>", text))))


BASIC = opened("x=2, y=x**2+3x+1")
SHARED = opened("a=2, b=3, c=a+b, d=a*b, y=(c+d)+c*d")
SESSIONS = st.sampled_from([BASIC, SHARED, opened("x=3, y=x"), opened("x=1; y=sin(x)*x; z=x+1")])
STEPPING = [command for command in COMMANDS if command.apply]


@st.composite
def anywhere(draw):
    session = draw(SESSIONS)
    cursor = draw(st.integers(0, len(session.trace)))
    row = draw(st.none() | st.integers(0, len(session.outline) - 1))
    return replace(session, cursor=cursor, selected=row)


def test_a_session_opens_before_the_first_step():
    assert BASIC.cursor == 0
    assert BASIC.selected is None


@given(st.lists(st.sampled_from(STEPPING)), SESSIONS)
def test_no_sequence_of_commands_leaves_the_timeline_or_the_tree(commands, session):
    for command in commands:
        session = command.apply(session)
        assert 0 <= session.cursor <= len(session.trace)
        assert 0 <= session.row < len(session.outline)
        assert 0 <= session.node < len(graph_of(session.trace))


@given(anywhere())
def test_a_step_back_undoes_a_step_inside_the_timeline(session):
    if session.cursor < len(session.trace):
        assert do.step_back(do.step_forward(session)).cursor == session.cursor
    if session.cursor > 0:
        assert do.step_forward(do.step_back(session)).cursor == session.cursor


@given(anywhere())
def test_a_node_step_is_a_run_of_single_steps_of_one_sender(session):
    after = do.node_forward(session)
    run = list(range(session.cursor, after.cursor))
    assert run or session.step is None
    assert len({int(session.trace.senders[step]) for step in run}) <= 1
    if after.step is not None and run:
        start = session.trace.node_step(run[0])[0]
        assert session.trace.node_step(after.cursor)[0] != start


@given(SESSIONS)
def test_node_steps_forwards_and_back_stop_at_the_same_places(session):
    there, back = [session.cursor], []
    while session.step is not None:
        session = do.node_forward(session)
        there.append(session.cursor)
    back.append(session.cursor)
    while session.cursor:
        session = do.node_back(session)
        back.append(session.cursor)
    assert there == back[::-1]


@given(anywhere(), st.sampled_from([do.pass_end, do.pass_start, do.restart, do.to_node_forward]))
def test_backspace_undoes_a_jump(session, jump):
    after = jump(session)
    if after.cursor != session.cursor:
        assert do.jump_back(after).cursor == session.cursor
        assert do.jump_back(after).origins == session.origins


def test_several_jumps_are_undone_one_after_the_other():
    session = do.pass_end(do.pass_end(BASIC))
    assert session.cursor == 10
    assert do.jump_back(session).cursor == 4
    assert do.jump_back(do.jump_back(session)).cursor == 0


def test_a_step_is_no_jump():
    assert do.step_forward(BASIC).origins == ()


def test_with_no_jump_to_go_back_from_it_says_so():
    assert do.jump_back(BASIC).notice == "no jump to go back from"


def test_the_end_of_a_pass_is_never_a_dead_end():
    cursors = [0]
    session = BASIC
    for _ in range(3):
        session = do.pass_end(session)
        cursors.append(session.cursor)
    assert cursors == [0, 4, 10, 10]
    for expected in (4, 0, 0):
        session = do.pass_start(session)
        assert session.cursor == expected


def test_to_the_node_visits_each_step_the_node_takes_part_in():
    x = graph_of(BASIC.trace).inputs["x"]
    session = do.select(BASIC, int(BASIC.outline.full_rows[x]))
    visited = []
    for _ in range(2):
        session = do.to_node_forward(session)
        visited.append(session.cursor)
    assert visited == list(BASIC.trace.visits(x)) == [8, 9]
    stuck = do.to_node_forward(session)
    assert stuck.cursor == session.cursor
    assert stuck.notice == "x takes part in no later step"
    assert do.to_node_back(session).cursor == 8


def test_to_the_node_keeps_the_node_selected():
    session = do.to_node_forward(BASIC)
    assert session.node == BASIC.node
    assert do.to_node_forward(session).node == BASIC.node


@pytest.mark.parametrize(
    ("text", "cursor"),
    [("7", 7), ("0", 0), ("10", 10), ("50%", 5), ("100%", 10), ("+2", 7), ("-3", 2), ("−3", 2),
     ("+99", 10), ("-99", 0), (" 4 ", 4), ("12.5%", 1)],
)  # fmt: skip
def test_places_are_steps_percentages_and_distances(text, cursor):
    assert parse_place(text, replace(BASIC, cursor=5)) == cursor


@pytest.mark.parametrize(
    ("text", "problem"),
    [("x", "“x” is no place"), ("", "“” is no place"), ("5x", "“5x” is no place"),
     ("11", "there are 10 steps: say 0 to 10"), ("101%", "between 0% and 100%"),
     ("nan%", "between 0% and 100%"), ("1.5", "“1.5” is no place"), ("%", "“%” is no place")],
)  # fmt: skip
def test_what_is_no_place_is_answered_with_a_sentence(text, problem):
    with pytest.raises(ValueError, match=problem):
        parse_place(text, BASIC)


def test_the_selection_follows_the_steps_until_a_row_is_chosen():
    assert do.step_forward(BASIC).node != BASIC.node
    chosen = do.down(BASIC)
    assert do.step_forward(chosen).node == chosen.node
    assert do.release(do.step_forward(chosen)).node == do.step_forward(BASIC).node


def test_folding_hides_a_subtree_and_unfolding_shows_it():
    session = do.fold(do.top(BASIC))
    assert list(session.visible) == [0]
    assert list(do.unfold(session).visible) == list(range(len(BASIC.outline)))


def test_folding_a_leaf_goes_up_to_its_consumer():
    bottom = do.bottom(BASIC)
    assert do.fold(bottom).row == BASIC.outline.parents[bottom.row]


def test_a_folded_row_stands_for_the_step_inside_it():
    session = do.fold(do.top(BASIC))
    assert session.step_row != 0
    assert session.step_holder == 0


def test_choosing_a_hidden_row_opens_the_folds_around_it():
    session = do.fold(do.top(BASIC))
    assert do.select(session, 4).folds == frozenset()


def test_a_reference_leads_to_the_full_drawing():
    reference = int(BASIC.outline.is_reference.argmax())
    assert BASIC.outline.is_reference[reference]
    session = do.lead(do.select(BASIC, reference))
    assert not session.outline.is_reference[session.row]
    assert session.trace.label(session.node) == "x"


def test_a_screenful_is_as_many_rows_as_the_tree_shows():
    session = do.with_page(do.top(BASIC), 3)
    assert do.page_down(session).row == 3
    assert do.page_up(do.page_down(session)).row == 0


def test_the_receiving_row_hangs_under_the_sending_row():
    session = replace(BASIC, cursor=9)
    assert session.outline.parents[session.edge_row] == session.step_row
    assert session.trace.label(int(session.outline.nodes[session.edge_row])) == "x"


def test_the_end_of_a_pass_is_known():
    assert replace(BASIC, cursor=4).finished_pass.kind is PassKind.FORWARD
    assert replace(BASIC, cursor=5).finished_pass is None
    assert replace(BASIC, cursor=10).finished_pass.kind is PassKind.BACKWARD
