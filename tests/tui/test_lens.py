"""One element of an array is looked at alone: `.` chooses it, arrows move it, esc ends it."""

from __future__ import annotations

import pytest

from backprop_engine.basics.source import Source
from backprop_engine.reading.element_story import explain_element
from backprop_engine.run.record import record
from backprop_engine.scenarios.loader import parse_shorthand
from backprop_tui.commands.table import BY_NAME
from backprop_tui.session import lens
from backprop_tui.session.session import Session, open_session, restart, step_forward

LAYER = Source(
    "<-e>",
    "X=[[1,2],[3,4],[5,6]], W=[[0.5,-1],[2,0.25]], b=[0.1,0.2], Y=relu(X@W+b), L=(Y**2).mean()",
)


def at_the_step_to(label: str) -> Session:
    session = open_session(record(parse_shorthand(LAYER)))
    while True:
        session = step_forward(session)
        step = session.step
        operand = None if step is None else step.operand
        if operand is not None and session.trace.label(operand) == label:
            return session


def press(session: Session, *names: str) -> Session:
    for name in names:
        apply = BY_NAME[name].apply
        assert apply is not None
        session = apply(session)
    return session


def test_the_first_element_comes_first_and_arrows_go_as_one_reads():
    session = press(at_the_step_to("W"), "lens")
    assert session.sent_element == (0, 0)
    assert press(session, "unfold").sent_element == (0, 1)
    assert press(session, "unfold", "unfold").sent_element == (1, 0)
    assert press(session, "down").sent_element == (1, 0)
    assert press(session, "down", "fold").sent_element == (0, 1)
    assert press(session, "up", "fold").sent_element == (0, 0)
    assert press(session, "down", "down", "unfold").sent_element == (1, 1)


def test_the_chain_rule_tells_the_element_alone_and_then_the_whole_again():
    session = press(at_the_step_to("W"), "lens", "down")
    assert session.told == explain_element(session.trace, session.cursor, (1, 0))
    assert session.told != session.explanation
    assert press(session, "lens").told == session.explanation
    assert lens.leave(session).told == session.explanation


def test_the_element_is_held_inside_of_each_array_and_nowhere_in_numbers():
    session = press(at_the_step_to("%1"), "lens", "down", "down", "unfold")
    assert session.sent_element == (2, 1)
    to_w = step_forward(step_forward(step_forward(session)))
    assert to_w.sent_shape == (2, 2)
    assert to_w.sent_element == (1, 1)
    assert restart(session).sent_element is None
    assert restart(session).told == restart(session).explanation


def test_where_no_array_is_sent_it_says_so():
    session = press(open_session(record(parse_shorthand(LAYER))), "lens")
    assert session.element is None
    assert session.notice == "this step sends no array; s and n go to one that does"


def test_an_element_of_another_node_than_the_one_that_receives_is_refused():
    session = at_the_step_to("W")
    node = session.trace.named("X")
    assert node is not None
    refused = lens.choose(session, node, (0, 0))
    assert refused.element is None
    assert refused.notice == "this step sends nothing to X; t goes to one that may"


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (160, 50)], ids=lambda size: f"{size[0]}")
async def test_the_screen(opened, text_of, svg, txt, size):
    async with opened(LAYER, size) as pilot:
        await pilot.press("f", *"sssssss", "full_stop", "down")
        assert text_of(pilot.app) == txt
        assert pilot.app.export_screenshot() == svg


async def test_esc_ends_it_before_anything_else(opened):
    async with opened(LAYER) as pilot:
        await pilot.press("f", *"sssssss", "full_stop")
        assert pilot.app.session.element == ()
        await pilot.press("escape")
        assert pilot.app.session.element is None


async def test_the_inspector_chooses_the_element_under_its_cursor(opened):
    async with opened(LAYER) as pilot:
        await pilot.press("f", *"sssssss", "t", "down", "down", "enter")
        inspected = pilot.app.screen._node
        await pilot.press("down", "full_stop")
        session = pilot.app.session
        assert session.step.operand == inspected
        assert session.element == (1, 0)
