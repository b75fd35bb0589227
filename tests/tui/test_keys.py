"""Every key, pressed in the running app."""

from __future__ import annotations

import pytest
from textual.screen import Screen

from backprop_tui.app.app import DebuggerApp
from backprop_tui.commands.table import COMMANDS
from backprop_tui.screens.asking import ASKING
from backprop_tui.screens.debugger import DebuggerScreen
from backprop_tui.screens.help import HelpScreen
from backprop_tui.screens.picker import PickerScreen
from backprop_tui.screens.prompt import GotoScreen
from backprop_tui.widgets.graph_tree import GraphTree
from backprop_tui.widgets.watches_pane import WatchesPane

STEPPING = [
    ("n", 1), ("space", 1), ("s", 1), ("f", 4), ("f f", 10), ("f n", 5), ("f n n n", 8),
    ("f n s", 6), ("f n n N", 5), ("f f S", 9), ("f f N", 9), ("s s N", 1), ("f F", 0),
    ("f f F", 4), ("f s s F", 4), ("f s r", 0), ("f f backspace", 4),
    ("f f backspace backspace", 0),
    ("N", 0), ("S", 0), ("F", 0), ("f f f", 10), ("f f n", 10), ("f f s", 10),
    ("g 7 enter", 7), ("g 5 0 percent_sign enter", 5), ("g plus 3 enter", 3),
    ("f g minus 2 enter", 2), ("g 9 enter backspace", 0), ("g 9 escape", 0),
    ("t", 3), ("f f T", 5), ("home t t", 4), ("home t t t", 5),
]  # fmt: skip

SELECTING = [
    ("down", "%3"), ("j", "%3"), ("down down up", "%3"), ("j j k", "%3"), ("end", "1"),
    ("end home", "y"), ("pagedown", "1"), ("end pageup", "y"), ("home left down", "y"),
    ("home left right down", "%3"), ("home h l down", "%3"), ("home right", "%3"),
    ("home down left left", "y"), ("end up enter", "x"),
]  # fmt: skip


async def test_keys_that_move_the_cursor(opened):
    async with opened() as pilot:
        start = pilot.app.session
        for keys, cursor in STEPPING:
            pilot.app.session = start
            if "t" in keys.split() or "T" in keys.split():
                await pilot.press("home")  # the row of y
            await pilot.press(*keys.split())
            assert pilot.app.session.cursor == cursor, keys
            assert isinstance(pilot.app.screen, DebuggerScreen), keys


async def test_keys_that_move_the_selection(opened):
    async with opened() as pilot:
        start = pilot.app.session
        for keys, label in SELECTING:
            pilot.app.session = start
            await pilot.press("home", *keys.split())
            session = pilot.app.session
            assert session.trace.label(session.node) == label, keys
            assert session.cursor == 0, keys


async def test_a_place_that_is_none_is_said_and_the_prompt_stays(opened, text_of):
    async with opened() as pilot:
        await pilot.press("g", "z", "enter")
        await pilot.pause()
        assert isinstance(pilot.app.screen, GotoScreen)
        assert "“z” is no place" in text_of(pilot)
        await pilot.press("backspace", "3", "enter")
        assert pilot.app.session.cursor == 3


async def test_a_command_that_cannot_do_it_says_so_until_the_next(opened, text_of):
    async with opened() as pilot:
        await pilot.press("backspace")
        await pilot.pause()
        assert "no jump to go back from" in text_of(pilot)
        await pilot.press("s")
        await pilot.pause()
        assert "no jump" not in text_of(pilot)


async def test_tab_goes_round_the_panes_and_shift_tab_back(opened):
    async with opened() as pilot:
        seen = []
        for _ in range(7):
            seen.append(pilot.app.screen.focused.id)
            await pilot.press("tab")
        assert seen == ["graph", "chain", "torch", "symbolic", "source", "notes", "watches"]
        assert pilot.app.screen.focused.id == "graph"
        await pilot.press("shift+tab")
        assert pilot.app.screen.focused.id == "watches"


async def test_tabs_that_come_faster_than_they_are_drawn_all_count(opened):
    async with opened() as pilot:
        for _ in range(3):
            pilot.app.screen.action_turn(1)
        assert pilot.app.screen.focused.id == "symbolic"


async def test_the_names_of_all_panes_fit_a_very_narrow_screen(opened, text_of):
    async with opened(size=(40, 12)) as pilot:
        assert " [Chain] Torc Symb Sour Note Watc" in text_of(pilot)
        await pilot.press("tab", "tab")
        await pilot.pause()
        assert " Chai [Torch] Symb Sour Note Watc" in text_of(pilot)


async def test_a_narrow_screen_shows_the_pane_that_has_the_focus(opened, text_of):
    async with opened() as pilot:
        await pilot.press("tab", "tab")
        await pilot.pause()
        assert "[Torch]" in text_of(pilot)
        assert "off by" in text_of(pilot)


async def test_the_arrows_scroll_a_pane_of_text_that_has_the_focus(opened):
    async with opened(size=(60, 14)) as pilot:
        await pilot.press("tab", "tab", "tab", "tab", "j", "j")
        await pilot.pause()
        source = pilot.app.screen.focused
        assert source.id == "source"
        assert pilot.app.session.selected is None


async def test_stepping_works_from_every_pane(opened):
    async with opened() as pilot:
        for cursor in range(1, 6):
            await pilot.press("s", "tab")
            assert pilot.app.session.cursor == cursor


async def test_escape_lets_the_selection_follow_again(opened):
    async with opened() as pilot:
        await pilot.press("end", "s", "escape")
        assert pilot.app.session.selected is None
        assert isinstance(pilot.app.screen, DebuggerScreen)


async def test_escape_leads_from_the_debugger_to_the_list(opened):
    async with opened("folder") as pilot:
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(pilot.app.screen, DebuggerScreen)
        await pilot.press("escape")
        await pilot.pause()
        assert isinstance(pilot.app.screen, PickerScreen)
        await pilot.press("escape")
        await pilot.pause()
        assert pilot.app.is_running
        assert isinstance(pilot.app.screen, PickerScreen)


async def test_escape_with_nothing_to_let_go_of_brings_the_keys_back(opened):
    async with opened() as pilot:
        await pilot.press("c")
        assert pilot.app.session.notice
        await pilot.press("escape")
        assert not pilot.app.session.notice


async def test_the_question_mark_shows_every_command_with_its_keys(opened, text_of):
    async with opened(size=(100, 170)) as pilot:
        await pilot.press("question_mark")
        await pilot.pause()
        shown = text_of(pilot)
        assert isinstance(pilot.app.screen, HelpScreen)
        for command in COMMANDS:
            assert command.help.split()[-1] in shown
            if not command.keys:
                assert f"{command.title}: " in shown  # what to look for in the palette
        await pilot.press("escape")
        assert isinstance(pilot.app.screen, DebuggerScreen)


async def test_the_palette_finds_a_command_and_runs_it(opened):
    async with opened() as pilot:
        await pilot.press("ctrl+p", *"end of pass", "enter")
        assert pilot.app.session.cursor == 4


@pytest.mark.parametrize("key", ["q", "ctrl+q"])
async def test_quitting_closes_the_oracle_and_exits_with_0(opened, agreeing, key):
    async with opened(oracle=agreeing) as pilot:
        await pilot.press(key)
    assert pilot.app.return_code == 0
    assert agreeing.closed


def test_no_key_has_two_meanings_in_one_place():
    for place in ("", "tree", "watches"):
        keys = [key for command in COMMANDS if command.place == place for key in command.keys]
        assert len(keys) == len(set(keys)) > 0


def test_every_command_is_bound_where_its_keys_are_heard():
    bound = {
        key
        for owner in (GraphTree, DebuggerScreen, WatchesPane)
        for binding in owner.BINDINGS
        if binding not in Screen.BINDINGS
        for key in binding.key.split(",")
    }
    assert bound - {"f1"} == {key for command in COMMANDS for key in command.keys}


def test_every_command_has_something_to_run():
    for command in COMMANDS:
        has_action = hasattr(DebuggerApp, f"action_{command.name}") or hasattr(
            DebuggerScreen, f"action_{command.does.partition('(')[0]}"
        )
        ways = [command.apply, command.copies, command.name in ASKING or None, has_action or None]
        assert len([way for way in ways if way is not None]) == 1
        assert command.asks == (command.name in ASKING)
