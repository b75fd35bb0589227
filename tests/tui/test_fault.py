"""A run with a nan or inf says so, and where it is: at the opening, in cells, on the timeline."""

from __future__ import annotations

import asyncio
from pathlib import Path
from threading import Event

import pytest
from tests.recorder.programs import SCRIPTS, run_script

from backprop_engine.basics.source import Source
from backprop_recorder.recorder import Recorder
from backprop_tui.app.app import DebuggerApp
from backprop_tui.view.glyphs import ASCII

ROOT = Source("<-e>", "x=0, y=sqrt(x**2)")


def styles(pilot, text: str) -> set[str]:
    """The colours in which `text` is drawn."""
    error = pilot.app.get_css_variables()["error"]
    found = set()
    for strip in pilot.app.screen._compositor.render_strips():
        for segment in strip:
            if text in segment.text and segment.style and segment.style.color:
                is_bad = segment.style.color.triplet.hex == error.lower()
                found.add("bad" if is_bad else "other")
    return found


async def test_it_is_told_on_opening_where_the_first_is_and_which_key_tells_more(opened, text_of):
    async with opened(ROOT) as pilot:
        assert text_of(pilot).splitlines()[-1].strip() == "first inf at step 3, line 1: press a"
        await pilot.press("s")
        assert "press a" not in text_of(pilot)
        assert "a NaN/inf: why?" in text_of(pilot)


async def test_without_one_nothing_is_told(opened, text_of):
    async with opened(Source("<-e>", "x=1, y=x + exp(-1/0)")) as pilot:
        await pilot.press("f", "f")
        shown = text_of(pilot)
        assert "press a" not in shown
        assert "NaN" not in shown
        assert "!" not in shown


async def test_a_leaf_that_was_given_so_is_named(opened, text_of, tmp_path: Path):
    (tmp_path / "given.yaml").write_text("inputs: {x: [1, .nan]}\ncompute: y = sum(x)\n")
    async with opened(tmp_path / "given.yaml") as pilot:
        assert "first nan at the start, given as x, line 1: press a" in text_of(pilot)


@pytest.mark.parametrize("glyphs", [None, ASCII])
async def test_cells_that_hold_one_have_a_mark_and_the_timeline_has_one(opened, text_of, glyphs):
    async with opened(ROOT, **({} if glyphs is None else {"glyphs": glyphs})) as pilot:
        shown = text_of(pilot)
        assert "!" in shown.splitlines()[-2]
        assert "! " not in "\n".join(shown.splitlines()[:-2])
        await pilot.press("f", "f")
        shown = text_of(pilot)
        assert "! inf" in shown
        assert "! nan" in shown
        assert styles(pilot, "! nan") == {"bad"}


async def test_the_end_is_not_green(opened, text_of):
    async with opened(ROOT) as pilot:
        await pilot.press("f", "f")
        assert styles(pilot, "the end:") == {"bad"}
        assert "first inf at step 3, line 1: press a" in text_of(pilot)
    async with opened() as pilot:
        await pilot.press("f", "f")
        assert styles(pilot, "the end:") == {"other"}


async def test_the_autopsy_ends_with_what_cures_it_and_the_lesson(opened, text_of):
    async with opened(ROOT) as pilot:
        await pilot.press("a")
        shown = text_of(pilot)
        assert "what usually cures it" in shown
        assert "the gallery shows it: 13-root-of-a-square" in shown
        assert "the way to x.grad" in shown


async def test_enter_opens_the_lesson_and_esc_leads_back_to_the_step(opened, text_of):
    async with opened(ROOT) as pilot:
        await pilot.press("f", "a")
        assert "to the step, or the lesson" in text_of(pilot)
        await pilot.press("escape", "r")
        pilot.app.say("first inf at step 3, line 1: press a")
        await pilot.press("a", "home", "enter")
        assert text_of(pilot).startswith(" √(x²) at 0 ")
        assert pilot.app.session.cursor == 0
        await pilot.press("s", "escape")
        assert text_of(pilot).count("press a") == 1
        await pilot.press("f", "a", "home", "enter", "escape")
        assert pilot.app.session.cursor == 2
        assert pilot.app.file.path is None
        assert len(pilot.app.screen_stack) == 2
        await pilot.press("escape")
        assert pilot.app.session.cursor == 2


async def test_a_recording_says_so_too(opened, text_of, tmp_path: Path):
    path = tmp_path / "run.bp"
    with Recorder(path):
        run_script(SCRIPTS["nan_loss"])
    async with opened(path) as pilot:
        assert "press a" in text_of(pilot)
        assert "line 6: press a" in text_of(pilot)


async def test_what_is_found_while_the_app_ends_is_told_to_nobody(opened, monkeypatch):
    async with opened(ROOT) as pilot:
        wanted, told = Event(), list[object]()
        for screens in ([], pilot.app.screen_stack):
            wanted.clear()
            pilot.app.soon("late", lambda _: wanted.wait(10), told.append, patience=0)
            with monkeypatch.context() as ending:
                ending.setattr(DebuggerApp, "screen_stack", screens)
                wanted.set()
                await asyncio.sleep(0.1)
            assert told == [True] * bool(screens)
