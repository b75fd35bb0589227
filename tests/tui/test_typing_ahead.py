"""Keys that come faster than screens open reach the screen they were meant for."""

from __future__ import annotations

import asyncio

import pytest
from textual import events
from textual.command import CommandList

from backprop_tui.app.palette import Palette
from backprop_tui.screens.debugger import DebuggerScreen
from backprop_tui.screens.help import HelpScreen

PRINTED = {"\r": "enter", "/": "slash", "[": "left_square_bracket", "%": "percent_sign",
           ">": "greater_than_sign", ".": "full_stop", "\x1b": "escape", " ": "space",
           "?": "question_mark", "=": "equals_sign"}  # fmt: skip


async def type_at_once(pilot, text):
    """All keys before the app has looked at the first one, as a terminal under load sends them."""
    for sign in text:
        key = PRINTED.get(sign, sign)
        pilot.app.post_message(events.Key(key, sign if sign.isprintable() else None))
    for _ in range(200):
        await asyncio.sleep(0.005)
        if not pilot.app.keys.has_keys:
            break
    await pilot.pause()


@pytest.mark.parametrize(
    ("typed", "cursor"), [("g7\r", 7), ("g50%\rs", 6), ("ffg3\rg9\r", 9), ("ssg1\rS", 0)]
)
async def test_a_step_typed_with_the_key_that_asks_for_it_is_gone_to(opened, typed, cursor):
    async with opened() as pilot:
        await type_at_once(pilot, typed)
        assert pilot.app.session.cursor == cursor
        assert isinstance(pilot.app.screen, DebuggerScreen)


async def test_a_search_and_what_follows_it(opened):
    async with opened() as pilot:
        await type_at_once(pilot, "/Mul\rb")
        session = pilot.app.session
        assert session.search.text == "Mul"
        assert session.trace.label(session.node) == "%2"
        assert [breakpoint_.text for breakpoint_ in session.stops.breakpoints] == ["%2"]


async def test_a_watch_and_a_breakpoint_with_a_condition(opened):
    async with opened() as pilot:
        await type_at_once(pilot, "wx.grad\r")
        assert [watch.text for watch in pilot.app.session.stops.watches] == ["x.grad"]
        await type_at_once(pilot, "La" + "if grad>2\r" + "\x1b" + "c")
        assert pilot.app.session.cursor > 0


async def test_help_is_left_by_the_next_key_and_the_one_after_steps(opened):
    async with opened() as pilot:
        await type_at_once(pilot, "?")
        assert isinstance(pilot.app.screen, HelpScreen)
        await type_at_once(pilot, "\x1bss")
        assert pilot.app.session.cursor == 2


async def test_steps_typed_at_once_are_all_made_and_few_are_drawn(opened, text_of, monkeypatch):
    async with opened() as pilot:
        drawn = []
        draw = pilot.app.redraw
        monkeypatch.setattr(
            pilot.app.keys, "_redraw", lambda: drawn.append(pilot.app.session.cursor) or draw()
        )
        await type_at_once(pilot, "s" * 9)
        assert pilot.app.session.cursor == 9
        assert drawn[-1] == 9
        assert len(drawn) < 9
        assert "9/10" in text_of(pilot)


async def test_a_paste_keeps_its_place_among_the_keys(opened):
    async with opened() as pilot:
        pilot.app.post_message(events.Key("g", "g"))
        pilot.app.post_message(events.Paste("8"))
        await type_at_once(pilot, "\r")
        assert pilot.app.session.cursor == 8


async def test_a_key_behind_a_choice_in_the_list_finds_the_scenario_open(opened, tmp_path):
    (tmp_path / "lesson.yaml").write_text("x=2, y=x**2")
    async with opened(tmp_path) as pilot:
        pilot.app.post_message(events.Key("enter", None))
        pilot.app.post_message(events.Key("ctrl+p", None))
        await type_at_once(pilot, "")
        shown = [type(one) for one in pilot.app.screen_stack[-2:]]
        assert shown == [DebuggerScreen, Palette]


@pytest.mark.parametrize("size", [(80, 24), (3, 2)])
@pytest.mark.parametrize("key", ["pageup", "pagedown"])
async def test_paging_reaches_the_palette_before_its_list_and_where_it_has_no_room(
    opened, key, size
):
    async with opened(size=size) as pilot:
        for typed in ("ctrl+p", key, key):
            pilot.app.post_message(events.Key(typed, None))
        await type_at_once(pilot, "th")
        pilot.app.post_message(events.Key(key, None))
        await type_at_once(pilot, "")
        assert isinstance(pilot.app.screen, Palette)


async def test_in_the_palette_a_page_is_a_page(opened):
    async with opened() as pilot:
        await pilot.press("ctrl+p", "pagedown")
        assert pilot.app.screen.query_one(CommandList).highlighted > 1


async def test_a_click_on_a_palette_that_is_not_there_yet_is_none(opened):
    async with opened() as pilot:
        palette = Palette()
        at = {"x": 2, "y": 20, "screen_x": 2, "screen_y": 20, "delta_x": 0, "delta_y": 0}
        keys = {"shift": False, "meta": False, "ctrl": False, "button": 1}
        pilot.app.push_screen(palette)
        palette.post_message(events.Click(palette, **at, **keys))
        await pilot.pause()
        assert pilot.app.screen is palette
        palette.post_message(events.Click(palette, **at, **keys))
        await pilot.pause()
        assert isinstance(pilot.app.screen, DebuggerScreen)
