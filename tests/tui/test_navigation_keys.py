"""Search, marks, play, zoom, jump hints, copying and saving, by key in the running app."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from tests.full_disk import full_disk
from tests.tui.stillness import impatient, until

from backprop_engine.basics.source import Source
from backprop_engine.run.record import record
from backprop_engine.scenarios.loader import parse_shorthand
from backprop_tui.app.palette import CommandList
from backprop_tui.app.picture import picture_name, save_picture
from backprop_tui.commands.table import COMMANDS
from backprop_tui.screens.debugger import DebuggerScreen
from backprop_tui.screens.jump import JumpScreen
from backprop_tui.screens.marks import MarkScreen
from backprop_tui.screens.prompt import SearchPrompt
from backprop_tui.session.search import searching
from backprop_tui.session.session import open_session, restart
from backprop_tui.widgets.graph_tree import GraphTree


def selected(pilot):
    session = pilot.app.session
    return session.trace.label(session.node)


# Search


async def test_each_letter_shows_the_first_match_and_enter_keeps_it(opened, text_of):
    async with opened() as pilot:
        await pilot.press("slash", "m", "u", "l")
        await pilot.pause()
        assert isinstance(pilot.app.screen, SearchPrompt)
        assert "match 1 of 1 for “mul”" in text_of(pilot)
        assert selected(pilot) == "%2"
        await pilot.press("enter")
        await pilot.pause()
        assert selected(pilot) == "%2"
        assert isinstance(pilot.app.screen, DebuggerScreen)


async def test_escape_leaves_all_as_it_was(opened):
    async with opened() as pilot:
        await pilot.press("end", "slash", "x", "enter", "slash", "m", "u", "l", "escape")
        await pilot.pause()
        assert selected(pilot) == "x"
        assert pilot.app.session.search.text == "x"


async def test_the_brackets_go_from_match_to_match(opened, text_of):
    async with opened() as pilot:
        await pilot.press("slash", *"add", "enter", "right_square_bracket")
        await pilot.pause()
        assert "match 2 of 2 for “add”" in text_of(pilot)
        assert selected(pilot) == "%3"
        await pilot.press("left_square_bracket")
        assert selected(pilot) == "y"


async def test_no_match_and_a_mistake_are_said_while_one_types(opened, text_of):
    async with opened() as pilot:
        await pilot.press("slash", *"zz")
        await pilot.pause()
        assert "no match for “zz”" in text_of(pilot)
        await pilot.press("backspace", "backspace")
        await pilot.pause()
        assert "a name, an operation, an expression" in text_of(pilot)
        await pilot.press(*"grad", "greater_than_sign")
        await pilot.pause()
        assert "nothing follows this `>`" in text_of(pilot)


async def test_values_are_searched_as_they_stand_at_the_cursor(opened):
    async with opened() as pilot:
        await pilot.press("f", "f", "slash", *"grad", "greater_than_sign", "1", "enter")
        await pilot.pause()
        assert selected(pilot) == "x"


async def test_a_long_search_runs_in_a_thread(opened, monkeypatch):
    impatient(monkeypatch)
    monkeypatch.setattr(searching, "_FIRST", 1)
    async with opened() as pilot:
        await pilot.press("slash", *"mul")
        await pilot.app.workers.wait_for_complete()
        await pilot.pause()
        assert selected(pilot) == "%2"
        assert pilot.app.session.search.matches.is_complete


# Going to a name, and marks


async def test_g_goes_to_a_name(opened):
    async with opened() as pilot:
        await pilot.press("g", "y", "enter")
        assert pilot.app.session.cursor == 3
        assert selected(pilot) == "y"
        await pilot.press("backspace")
        assert pilot.app.session.cursor == 0


async def test_a_mark_is_set_shown_on_the_timeline_listed_and_gone_to(opened, text_of):
    async with opened() as pilot:
        await pilot.press("f", "m", "a", "f")
        await pilot.pause()
        assert re.search(r"backward y a━", text_of(pilot).splitlines()[-2])
        await pilot.press("apostrophe")
        await pilot.pause()
        assert isinstance(pilot.app.screen, MarkScreen)
        assert re.search(r"a +4  start backward at y", text_of(pilot))
        await pilot.press("a")
        await pilot.pause()
        assert pilot.app.session.cursor == 4
        await pilot.press("apostrophe", "escape", "apostrophe", "q")
        await pilot.pause()
        assert "no mark q" in text_of(pilot)


async def test_a_mark_can_be_clicked(opened, text_of):
    async with opened() as pilot:
        await pilot.press("f", "m", "a", "f", "apostrophe")
        await pilot.pause()
        lines = text_of(pilot).splitlines()
        row = next(at for at, line in enumerate(lines) if "start backward" in line)
        await pilot.click(offset=(lines[row].index("start"), row))
        await pilot.pause()
        assert pilot.app.session.cursor == 4


# Play


async def test_p_plays_until_the_end_and_the_timeline_says_so(opened, text_of):
    async with opened() as pilot:
        await pilot.press("p")
        await pilot.pause()
        assert " ▶▶ " in text_of(pilot)
        assert "p pause  < > 2 a second" in text_of(pilot)
        assert pilot.app.play.timer is not None
        for _ in range(10):
            pilot.app.play.tick()
        await pilot.pause()
        assert pilot.app.session.cursor == 10
        assert "▶▶" not in text_of(pilot)
        assert pilot.app.play.timer is None


async def test_play_backwards_slower_faster_and_pause(opened, text_of):
    async with opened() as pilot:
        await pilot.press("f", "f", "P", "greater_than_sign")
        await pilot.pause()
        assert " ◀◀ " in text_of(pilot)
        assert "P pause  < > 4 a second" in text_of(pilot)
        pilot.app.play.tick()
        assert pilot.app.session.cursor == 9
        await pilot.press("less_than_sign", "P")
        await pilot.pause()
        assert "paused" in text_of(pilot)
        pilot.app.play.tick()
        assert pilot.app.session.cursor == 9
        await pilot.press("p", "escape")
        assert pilot.app.session.play is None


async def test_nothing_moves_when_play_starts(opened, text_of):
    async with opened() as pilot:
        await pilot.press("s")
        await pilot.pause()
        before = text_of(pilot).splitlines()
        await pilot.press("p")
        await pilot.pause()
        after = text_of(pilot).splitlines()
        assert after[-2].replace("▶▶", "  ") == before[-2]
        assert after[:-2] == before[:-2]


async def test_a_timer_makes_the_steps(opened):
    async with opened() as pilot:
        await pilot.press(*["greater_than_sign"] * 4, "p")
        await until(pilot, lambda: pilot.app.session.cursor > 0)
    # The last tick may come when the screens have gone.
    pilot.app.session = restart(pilot.app.session)
    assert pilot.app.session.cursor == 0


# Panes


async def test_z_lets_the_focused_pane_fill_the_screen_and_tab_takes_that_along(opened, text_of):
    async with opened(size=(160, 50)) as pilot:
        await pilot.press("z")
        await pilot.pause()
        assert pilot.app.screen.query_one(GraphTree).region.width == 160
        assert "Chain rule" not in text_of(pilot)
        assert "z shows all panes" in text_of(pilot)
        await pilot.press("tab")
        await pilot.pause()
        assert "Chain rule" in text_of(pilot)
        assert not pilot.app.screen.query_one(GraphTree).display
        await pilot.press("z")
        await pilot.pause()
        assert pilot.app.screen.query_one(GraphTree).display
        assert "Chain rule" in text_of(pilot)
        await pilot.press("z", "escape")
        await pilot.pause()
        assert pilot.app.screen.query_one(GraphTree).display


@pytest.mark.parametrize("size", [(80, 24), (160, 50)], ids=["narrow", "wide"])
async def test_a_letter_leads_to_each_pane(opened, size):
    letters = {"c": "chain", "t": "torch", "y": "symbolic", "s": "source", "n": "notes",
               "w": "watches", "g": "graph"}  # fmt: skip
    async with opened(size=size) as pilot:
        for letter, pane in letters.items():
            await pilot.press("ctrl+o")
            await pilot.pause()
            assert isinstance(pilot.app.screen, JumpScreen)
            await pilot.press(letter)
            await pilot.pause()
            assert pilot.app.screen.focused.id == pane


@pytest.mark.parametrize("size", [(80, 24), (40, 12), (160, 50)], ids=str)
@pytest.mark.parametrize("front", [0, 3], ids=["chain rule", "symbolic"])
async def test_the_letters_hide_nothing_but_themselves(opened, text_of, size, front):
    async with opened(size=size) as pilot:
        await pilot.press(*["tab"] * front)
        await pilot.pause()
        before = text_of(pilot)
        await pilot.press("ctrl+o")
        await pilot.pause()
        assert text_of(pilot) != before
        assert text_of(pilot).casefold() == before.casefold()


async def test_a_letter_can_be_clicked_and_any_other_key_closes(opened):
    async with opened(size=(160, 50)) as pilot:
        await pilot.press("ctrl+o")
        await pilot.pause()
        await pilot.click("#to-source")
        await pilot.pause()
        assert pilot.app.screen.focused.id == "source"
        await pilot.press("ctrl+o", "q")
        await pilot.pause()
        assert isinstance(pilot.app.screen, DebuggerScreen)
        await pilot.press("z", "ctrl+o", "n")
        await pilot.pause()
        assert pilot.app.screen.focused.id == "notes"


async def test_help_explains_the_focused_pane_first(opened, text_of):
    async with opened() as pilot:
        for said in ("Each row is a node", "three times over", "computed by PyTorch", "SymPy",
                     "own text", "about itself", "keep an eye on"):  # fmt: skip
            await pilot.press("question_mark")
            await pilot.pause()
            assert said in " ".join(text_of(pilot).split())
            await pilot.press("escape", "tab")
            await pilot.pause()


async def test_the_palette_has_every_command_with_its_key_beside_it(opened):
    async with opened() as pilot:
        shown = [hit.display async for hit in CommandList(pilot.app.screen).discover()]
        for command in COMMANDS:
            if command.name != "command_palette":
                assert any(str(one).startswith(command.title) for one in shown)
        assert "zoom  (z)" in map(str, shown)
        assert "search  (/)" in map(str, shown)


# Copying and saving


async def test_y_copies_the_value_and_capital_y_the_gradient(opened, text_of):
    async with opened() as pilot:
        await pilot.press("y")
        await pilot.pause()
        assert "%1 is not computed yet" in text_of(pilot)
        await pilot.press("Y", "f", "f", "home", "y")
        assert pilot.app.clipboard == "11"
        await pilot.press("slash", "x", "enter", "Y")
        await pilot.pause()
        assert pilot.app.clipboard == "7"
        assert "copied the gradient of x: 7" in text_of(pilot)


async def test_the_explanation_is_copied_as_markdown_and_as_latex(opened):
    async with opened() as pilot:
        await pilot.press("g", "9", "enter")
        await pilot.app.run_action("app.copy('copy_latex')")
        assert r"\frac{\partial y}{\partial x} &= 3 + 4 = 7" in pilot.app.clipboard
        await pilot.app.run_action("app.copy('copy_markdown')")
        assert pilot.app.clipboard.startswith("**%1 = x²")
        await pilot.press("f")
        await pilot.app.run_action("app.copy('copy_latex')")
        assert pilot.app.session.notice == "at the end there is no step to explain"


async def test_a_picture_of_the_screen_is_saved_where_one_is(
    opened, text_of, tmp_path, monkeypatch
):
    async with opened(size=(160, 24)) as pilot:
        monkeypatch.chdir(tmp_path)
        for name in ("basic-step-4.svg", "basic-step-4-2.svg"):
            await pilot.press("g", "4", "enter")
            await pilot.app.run_action("app.save_picture")
            await pilot.pause()
            assert f"saved {name} in " in pilot.app.session.notice
            assert (tmp_path / name).read_text().startswith("<svg")


async def test_a_picture_that_cannot_be_saved_is_said_with_the_reason_and_all_goes_on(
    opened, text_of, tmp_path, monkeypatch
):
    async with opened() as pilot:
        monkeypatch.chdir(tmp_path)
        with full_disk(left=4_000):
            await pilot.app.run_action("app.save_picture")
            await pilot.pause()
        assert "the picture cannot be saved: File too large" in text_of(pilot)
        assert list(tmp_path.iterdir()) == []
        await pilot.press("s")
        await pilot.app.run_action("app.save_picture")
        await pilot.pause()
        assert (tmp_path / "basic-step-1.svg").read_text().endswith("</svg>\n")


def test_a_picture_of_what_has_no_file_has_a_name_all_the_same():
    session = open_session(record(parse_shorthand(Source("<-e>", "x=2, y=x/2"))))
    assert picture_name(replace(session, cursor=2)) == "backprop-step-2"


@pytest.mark.parametrize("left", [0, 1, 5_000])
def test_a_disk_that_is_full_in_the_middle_leaves_no_half_file(tmp_path, left):
    with full_disk(left), pytest.raises(OSError, match="File too large"):
        save_picture("<svg>" * 10_000, "one", tmp_path)
    assert list(tmp_path.iterdir()) == []
