"""Depth and size do not matter to the screen."""

from __future__ import annotations

import pytest

from backprop_engine.expressions.syntax import Assignment, Binary, Name, Number
from backprop_engine.record import record
from backprop_engine.scenarios.scenario import Backward, Input, Scenario
from backprop_engine.source import Source, Span
from backprop_tui.session import open_session
from backprop_tui.stops import continuing, editing
from backprop_tui.stops.reading import parse_breakpoint

HERE = Span(0, 0)
OPERATIONS = 100_000


def statement(name, left, symbol, right):
    return Assignment(name, Binary(symbol, left, right, HERE), HERE, HERE)


def recorded(statements):
    return record(
        Scenario(
            source=Source("large", "…"),
            inputs=(Input("x", 2.0, True, HERE),),
            statements=tuple(statements),
            passes=(Backward("y", None, HERE),),
        )
    )


@pytest.fixture(scope="module")
def chain():
    """y = ((x · 1) · 1) · 1 …"""
    x, y, one = Name("x", HERE), Name("y", HERE), Number(1, HERE)
    return recorded(
        [statement("y", x, "*", one), *[statement("y", y, "*", one)] * (OPERATIONS - 1)]
    )


@pytest.fixture(scope="module")
def wide():
    """y = x·x + x·x + …: x has 20,000 uses."""
    x, t, y = Name("x", HERE), Name("t", HERE), Name("y", HERE)
    pair = [statement("t", x, "*", x), statement("y", y, "+", t)]
    return recorded([statement("y", x, "*", x), *pair * 10_000])


async def test_a_chain_of_100_000_operations_opens_and_steps(opened, text_of, chain):
    async with opened(chain, (120, 40)) as pilot:
        assert f"0/{2 * OPERATIONS + 1:,}" in text_of(pilot)
        await pilot.press("s", "n", "end", "f", "n", "s", "home")
        await pilot.pause()
        assert pilot.app.session.cursor == OPERATIONS + 2
        await pilot.press("f", "S")
        await pilot.pause()
        shown = text_of(pilot)
        assert "▶" in shown
        assert "┄9999" in shown  # the depth is told, not drawn
        last = parse_breakpoint("if step == 199999", chain)
        pilot.app.session = editing.set_breakpoint(pilot.app.session, None, last)
        await pilot.press("F", "c")
        await pilot.app.workers.wait_for_complete()
        await pilot.pause()
        assert pilot.app.session.cursor == 199_999
        assert "stopped: step = 199999 at mul → " in text_of(pilot)


async def test_a_value_with_20_000_uses_opens_and_steps(opened, text_of, wide):
    async with opened(wide, (120, 40)) as pilot:
        await pilot.press("f", "f")
        await pilot.pause()
        await pilot.press("N", "N", "left", "right", "end", "pageup", "home")
        await pilot.pause()
        assert "y@10001" in text_of(pilot)
        await pilot.press("t", "T", "backspace")
        assert 0 < pilot.app.session.cursor < len(wide)


def test_a_condition_on_a_long_trace_is_looked_for_in_bounded_portions(chain):
    one = parse_breakpoint("if (contribution > 1) | (step > 150000)", chain)
    session = editing.set_breakpoint(open_session(chain), None, one)
    assert continuing.scan_of(session, one) is None  # left to a thread
    session = continuing.continue_forward(session)
    progress = [session.notice]
    while session.stops.search is not None:
        session = continuing.survey(session, 500)
        progress.append(session.notice)
    assert session.cursor == 150_001
    assert progress[:3] == [f"looking for a hit: {p}% · esc stops" for p in (0, 12, 24)]
    # By columns a portion of 500 is 25,000 steps: what is decided ends the search.
    assert len(progress) == 8
