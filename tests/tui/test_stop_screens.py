"""Breakpoints and watches in the running app: every key, the prompts, the list, the pane."""

from __future__ import annotations

import pytest
from tests.tui.stillness import impatient
from textual.widgets import Input

from backprop_engine.basics.source import Source
from backprop_tui.screens.breakpoint_list import BreakpointList
from backprop_tui.screens.debugger import DebuggerScreen
from backprop_tui.screens.prompt import BreakpointPrompt, WatchPrompt
from backprop_tui.session import session as do
from backprop_tui.session.stops import editing, watching
from backprop_tui.session.stops.parsing import parse_breakpoint
from backprop_tui.view.glyphs import ASCII
from backprop_tui.widgets.timeline import Timeline
from backprop_tui.widgets.watches_pane import WatchesPane, lay_out

SIZES = [(80, 24), (160, 50)]


async def type_in(pilot, text):
    """Put `text` where the prompt's cursor is, in place of what is selected, and send it."""
    prompt = pilot.app.screen.query_one(Input)
    if prompt.selection.is_empty:
        prompt.insert_text_at_cursor(text)
    else:
        prompt.value = text
    await pilot.press("enter")
    await pilot.pause()


async def press(pilot, keys):
    await pilot.press(*keys.split())
    await pilot.pause()


def breakpoints(pilot):
    return [breakpoint_.text for breakpoint_ in pilot.app.session.stops.breakpoints]


def watches(pilot):
    return [watch.text for watch in pilot.app.session.stops.watches]


# Breakpoints


async def test_b_sets_a_breakpoint_and_marks_it_and_c_goes_there(opened, text_of):
    async with opened() as pilot:
        await press(pilot, "end up b")
        assert breakpoints(pilot) == ["x"]
        shown = text_of(pilot)
        assert [line[2] for line in shown.splitlines() if "○ x" in line] == ["■"]
        assert "breakpoint on x: 2 hits" in shown
        assert "┃" in shown.splitlines()[-2]
        await press(pilot, "c")
        assert pilot.app.session.cursor == 8
        assert "stopped: x at mul → x, 3 (hit 1 of 2)" in text_of(pilot)
        await press(pilot, "c C")
        assert pilot.app.session.cursor == 8
        await press(pilot, "b")
        assert breakpoints(pilot) == []
        assert "■" not in text_of(pilot)


async def test_capital_b_asks_for_a_condition(opened, text_of):
    async with opened() as pilot:
        await press(pilot, "end up B")
        assert isinstance(pilot.app.screen, BreakpointPrompt)
        assert "Stop at x if" in text_of(pilot)
        await type_in(pilot, "abs(grad) > 5")
        assert breakpoints(pilot) == ["x if abs(grad) > 5"]
        await press(pilot, "c")
        assert pilot.app.session.cursor == 9
        await press(pilot, "B")
        assert "Stop at x if abs(grad) > 5" in text_of(pilot)
        await press(pilot, "escape")
        assert breakpoints(pilot) == ["x if abs(grad) > 5"]


async def test_a_mistake_in_a_condition_is_told_with_a_caret_under_it(opened, text_of):
    async with opened() as pilot:
        await press(pilot, "end up B")
        await type_in(pilot, "grd > 1")
        assert isinstance(pilot.app.screen, BreakpointPrompt)
        typed, caret, said, *_ = text_of(pilot).splitlines()[-4:]
        assert caret.index("^^^") == typed.index("grd")
        assert said.strip() == "unknown name `grd`; did you mean `grad`?"
        await press(pilot, "backspace")
        assert "unknown" not in text_of(pilot)


async def test_the_list_edits_adds_switches_deletes_and_ignores(opened, text_of):
    async with opened() as pilot:
        await press(pilot, "L")
        assert isinstance(pilot.app.screen, BreakpointList)
        assert "No breakpoint yet." in text_of(pilot)
        await press(pilot, "a")
        await type_in(pilot, "mul")
        await press(pilot, "a")
        await type_in(pilot, "if abs(contribution) > 2")
        assert breakpoints(pilot) == ["operation mul", "if abs(contribution) > 2"]
        await press(pilot, "plus plus minus")
        assert [breakpoint_.ignored for breakpoint_ in pilot.app.session.stops.breakpoints] == [
            1,
            0,
        ]
        await press(pilot, "j space")
        assert [breakpoint_.is_enabled for breakpoint_ in pilot.app.session.stops.breakpoints] == [
            True,
            False,
        ]
        shown = text_of(pilot)
        assert "□ if abs(contribution) > 2" in shown
        assert "esc closes" in shown
        assert "ignores 1" in shown
        await press(pilot, "enter")
        await type_in(pilot, "0")
        assert breakpoints(pilot)[1] == "if abs(contribution) > 20"
        await press(pilot, "k d")
        assert breakpoints(pilot) == ["if abs(contribution) > 20"]
        await press(pilot, "escape")
        assert isinstance(pilot.app.screen, DebuggerScreen)


async def test_from_the_list_one_goes_to_the_next_hit(opened):
    async with opened() as pilot:
        await press(pilot, "end up b L g")
        assert isinstance(pilot.app.screen, DebuggerScreen)
        assert pilot.app.session.cursor == 8


async def test_the_palette_offers_the_ready_made_breakpoints(opened, text_of):
    async with opened(Source("<-e>", "x=-1, y=log(x)*2")) as pilot:
        await pilot.press("ctrl+p", *"first nan".replace(" ", ""), "enter")
        assert "stopped: NaN at log → %1, value nan" in text_of(pilot)


async def test_a_long_search_runs_in_a_thread_and_ends_at_the_hit(opened, text_of, monkeypatch):
    impatient(monkeypatch)
    async with opened() as pilot:
        await press(pilot, "L a")
        await type_in(pilot, "if local > 3")
        await press(pilot, "escape")
        await pilot.press("c")
        await pilot.app.workers.wait_for_complete()
        await pilot.pause()
        assert pilot.app.session.cursor == 9
        assert "stopped: local > 3 at pow → x, 4" in text_of(pilot)


async def test_escape_ends_a_search(opened, text_of, monkeypatch):
    monkeypatch.setattr("backprop_tui.app.surveys.surveys", lambda session: iter(()))
    async with opened() as pilot:
        await press(pilot, "end up b c")
        assert "looking for a hit: 0% · esc stops" in text_of(pilot)
        await press(pilot, "escape")
        assert pilot.app.session.stops.search is None
        assert pilot.app.session.selected is not None
        assert "looking" not in text_of(pilot)


async def test_a_click_left_of_a_row_sets_a_breakpoint_and_deletes_it_again(opened, text_of):
    async with opened() as pilot:
        y = next(at for at, line in enumerate(text_of(pilot).splitlines()) if "○ %2" in line)
        await pilot.click(offset=(1, y))
        await pilot.pause()
        assert breakpoints(pilot) == ["%2"]
        await pilot.click(offset=(2, y))
        await pilot.pause()
        assert breakpoints(pilot) == []


# Watches


async def test_w_adds_a_watch_of_the_selected_node_and_shows_its_pane(opened, text_of):
    async with opened() as pilot:
        await press(pilot, "end up w")
        assert isinstance(pilot.app.screen, WatchPrompt)
        await press(pilot, "enter")
        assert watches(pilot) == ["x.grad"]
        assert "[Watches]" in text_of(pilot)
        await press(pilot, "w")
        await type_in(pilot, "x*%1")
        assert watches(pilot) == ["x.grad", "x*%1"]


async def test_an_unknown_name_is_told_with_a_caret_and_the_prompt_stays(opened, text_of):
    async with opened() as pilot:
        await press(pilot, "w")
        await type_in(pilot, "x + yy.grad")
        assert isinstance(pilot.app.screen, WatchPrompt)
        typed, caret, said, *_ = text_of(pilot).splitlines()[-4:]
        assert caret.index("^^") == typed.index("yy")
        assert "unknown name `yy`; did you mean `y`?" in said
        await press(pilot, "escape")
        assert watches(pilot) == []


async def test_the_keys_of_the_watches_pane_mean_the_chosen_watch(opened, text_of):
    async with opened() as pilot:
        for text in ("x.grad", "y.grad"):
            await press(pilot, "w")
            await type_in(pilot, text)
        await press(pilot, "shift+tab")
        assert pilot.app.screen.focused.id == "watches"
        await press(pilot, "t")
        assert pilot.app.session.cursor == 5
        assert "stopped: y.grad: – → 1 by the seed of y" in text_of(pilot)
        await press(pilot, "k b s s")
        assert [watch.is_stop for watch in pilot.app.session.stops.watches] == [True, False]
        await press(pilot, "c")
        assert pilot.app.session.cursor == 10
        row = next(line for line in text_of(pilot).splitlines() if "x.grad" in line)
        assert row.split()[:4] == ["›■", "x.grad", "7", "≠"]
        await press(pilot, "j T")
        assert pilot.app.session.cursor == 5
        await press(pilot, "enter")
        assert isinstance(pilot.app.screen, WatchPrompt)
        await type_in(pilot, "*x")
        assert watches(pilot) == ["x.grad", "y.grad*x"]
        await press(pilot, "d")
        await press(pilot, "delete")
        assert watches(pilot) == []


async def test_a_click_on_a_sparkline_jumps_and_one_beside_it_chooses(opened):
    async with opened() as pilot:
        for text in ("x.grad", "y.grad"):
            await press(pilot, "w")
            await type_in(pilot, text)
        pane = pilot.app.screen.query_one(WatchesPane)
        layout = lay_out(pane._text_width)
        last = layout.sparkline_column + layout.sparkline - 1
        await pilot.click(WatchesPane, offset=(last + 1, 1))
        await pilot.pause()
        assert pilot.app.session.cursor == 10
        assert pilot.app.session.stops.chosen == 0
        await pilot.click(WatchesPane, offset=(5, 2))
        await pilot.pause()
        assert pilot.app.session.stops.chosen == 1
        assert pilot.app.session.cursor == 10


async def test_a_watch_that_takes_long_is_there_when_it_is_worked_out(opened, text_of, monkeypatch):
    impatient(monkeypatch)
    async with opened() as pilot:
        await press(pilot, "f f w")
        await type_in(pilot, "x.grad")
        await pilot.app.workers.wait_for_complete()
        await pilot.pause()
        row = next(line for line in text_of(pilot).splitlines() if "x.grad" in line)
        assert row.split()[:3] == ["›", "x.grad", "7"]


# Pictures


async def set_up(pilot):
    """Three breakpoints, one of them off, and three watches, one of them a stop."""
    session = pilot.app.session
    session = do.select(session, int(session.outline.is_reference.argmax()))
    for text in ("x", "if abs(contribution) > 2", "backward y if upstream == 1"):
        one = parse_breakpoint(text, session.trace)
        session = editing.set_breakpoint(session, None, one)
    session = editing.ignore(editing.enable(session, 2), 0, 1)
    for text in ("x.grad", "%3.grad", "x*y"):
        session = watching.set_watch(session, None, text)
    pilot.app.session = watching.toggle_watch_stop(watching.watch_up(session))
    await press(pilot, "shift+tab")


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
async def test_pictures(opened, text_of, svg, txt, size):
    async with opened(size=size) as pilot:
        await press(pilot, "shift+tab")
        assert text_of(pilot) == txt(name="no watch yet")
        await press(pilot, "L")
        assert text_of(pilot) == txt(name="no breakpoint yet")
        await press(pilot, "escape tab")
        await set_up(pilot)
        await press(pilot, "c c")
        assert text_of(pilot) == txt(name="stopped")
        assert pilot.app.export_screenshot() == svg(name="stopped")
        await press(pilot, "L")
        assert text_of(pilot) == txt(name="breakpoints")
        assert pilot.app.export_screenshot() == svg(name="breakpoints")
        await press(pilot, "escape B")
        await type_in(pilot, "(grad > 1) & (grd == 1)")
        assert text_of(pilot) == txt(name="mistake in a condition")
        await press(pilot, "escape w")
        assert text_of(pilot) == txt(name="asking for a watch")


async def test_a_picture_in_ascii(opened, text_of, txt):
    async with opened(glyphs=ASCII) as pilot:
        await set_up(pilot)
        await press(pilot, "c c")
        assert text_of(pilot) == txt
        assert text_of(pilot).isascii()
        assert "|" in text_of(pilot).splitlines()[-2]
        assert pilot.app.screen.query_one(Timeline).size.width == 78
