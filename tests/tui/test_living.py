"""Edits, saved files, memory and changed keys in the running app."""

from __future__ import annotations

import json
import shutil
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
from tests.foreign_trace import WHOLE
from tests.tui.stillness import impatient, until
from textual.app import SuspendNotSupported

from backprop_engine.run.tape import graph_of
from backprop_tui.app import file_looks as watching
from backprop_tui.app.app import DebuggerApp
from backprop_tui.config.settings import parse_settings
from backprop_tui.memory import file
from backprop_tui.memory.keeper import Keeper
from backprop_tui.oracles.report import Ready
from backprop_tui.screens.debugger import DebuggerScreen
from backprop_tui.screens.problem import TroubleScreen
from backprop_tui.screens.whatif import EditPrompt, WhatIfScreen
from backprop_tui.view.glyphs import UNICODE

BASIC = Path(__file__).parent / "lessons" / "basic.yaml"


@pytest.fixture
def scenario(tmp_path, monkeypatch):
    """A copy of the basic lesson, to be saved anew, in the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(watching, "INTERVAL", 0.02)
    shutil.copy(BASIC, tmp_path / "lesson.yaml")
    return Path("lesson.yaml")


@asynccontextmanager
async def living(path, oracle, size=(80, 24), **options):
    app = DebuggerApp(path, oracle=oracle, glyphs=UNICODE, **options)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        await app.workers.wait_for_complete()
        await pilot.pause()
        yield pilot


def look_round(pilot):
    """Let as many looks at the file pass as would be enough for anything."""
    for _ in range(10):
        pilot.app._look_round()


def value(pilot, name):
    trace = pilot.app.session.trace
    return graph_of(trace).value[trace.named(name)]


def select_x(pilot):
    """The keys that lead from the first row to x."""
    return ["home", *["down"] * 3]


async def typed(pilot, text):
    for key in text:
        await pilot.press(key)


# Editing


async def test_e_puts_another_value_in_the_place_of_the_selected_input(opened, text_of):
    async with opened() as pilot:
        await pilot.press("end", "up", "enter", "f", "e")
        await pilot.pause()
        assert isinstance(pilot.app.screen, EditPrompt)
        assert "x = 2.0" in text_of(pilot)
        await pilot.press("3", "enter")
        await pilot.pause()
        assert (value(pilot, "x"), value(pilot, "y")) == (3, 19)
        assert pilot.app.session.cursor == 4
        assert "x was 2" in text_of(pilot)
        assert "≠" in text_of(pilot)
        await pilot.press("u")
        await pilot.pause()
        assert value(pilot, "y") == 11
        assert "was" not in text_of(pilot)


async def test_e_on_what_is_computed_asks_which_input_is_meant(opened, text_of):
    async with opened() as pilot:
        await pilot.press("home", "e", *"5", "enter")
        await pilot.pause()
        assert "which input is meant?" in text_of(pilot)
        await pilot.press("backspace", "x", "equals_sign", "n", "a", "n", "enter")
        await pilot.pause()
        assert str(value(pilot, "y")) == "nan"


async def test_plus_and_minus_nudge_and_torch_is_asked_again(opened, text_of):
    asked = []

    class Counting:
        def ask(self, trace):
            asked.append(trace)
            from backprop_tui.oracles.report import Failed

            return Failed("none", "")

        def close(self):
            pass

    async with opened(oracle=Counting()) as pilot:
        await pilot.press("end", "up", "enter", "plus")
        await pilot.pause()
        assert "y: 11 → 11.0701, predicted 11.07 (7 × 0.01), off by 0.0001" in text_of(pilot)
        await until(pilot, lambda: asked[-1] is pilot.app.session.trace)
        await pilot.press("minus", "minus", "equals_sign")
        assert pilot.app.session.trace is asked[0]


async def test_capital_u_resets_all_and_the_palette_has_reset_of_one(opened):
    async with opened() as pilot:
        await pilot.press("end", "up", "enter", "plus", "plus", "U")
        assert not pilot.app.session.whatif.values
        await pilot.press("u")
        await pilot.app.run_action("app.command('reset_value')")
        assert not pilot.app.session.whatif.values


async def test_v_shows_both_runs_side_by_side_and_undoes_there(opened, text_of):
    async with opened() as pilot:
        await pilot.press("c", "v")
        await pilot.pause()
        assert "All values are the scenario's own." in text_of(pilot)
        assert "no breakpoint yet" not in text_of(pilot)
        await pilot.press("escape", "end", "up", "enter", "plus", "plus", "v")
        await pilot.pause()
        assert isinstance(pilot.app.screen, WhatIfScreen)
        assert "2.02" in text_of(pilot)
        await pilot.press("u")
        await pilot.pause()
        assert "2.01" in text_of(pilot)
        await pilot.press("j", "k", "U")
        await pilot.pause()
        assert "All values are the scenario's own." in text_of(pilot)
        await pilot.press("v")
        assert isinstance(pilot.app.screen, DebuggerScreen)


async def test_a_trace_that_cannot_be_run_again_says_so_before_it_asks(opened, text_of):
    async with opened(target=WHOLE) as pilot:
        await pilot.press("e")
        await pilot.pause()
        assert isinstance(pilot.app.screen, DebuggerScreen)
        assert "a recording cannot do this (Reruns)" in text_of(pilot)


async def test_a_long_run_is_left_to_a_thread_and_escape_cancels_it(opened, monkeypatch):
    impatient(monkeypatch)
    async with opened() as pilot:
        await pilot.press("end", "up", "enter", "plus")
        await pilot.app.workers.wait_for_complete()
        await until(pilot, lambda: value(pilot, "x") == 2.01)
        monkeypatch.setattr(type(pilot.app.surveys), "_run", lambda *_: None)
        await pilot.press("plus")
        assert pilot.app.session.whatif.wanted is not None
        await pilot.press("escape")
        assert pilot.app.session.whatif.wanted is None
        assert value(pilot, "x") == 2.01


# Live reload


async def test_a_saved_file_is_run_again_and_the_place_stays(scenario, agreeing, text_of):
    async with living(scenario, agreeing) as pilot:
        await pilot.press("f", "s", "s", "b")
        before = pilot.app.session.cursor
        scenario.write_text(scenario.read_text().replace("x: 2", "x: 5"))
        await until(pilot, lambda: value(pilot, "x") == 5)
        assert pilot.app.session.cursor == before
        assert len(pilot.app.session.stops.breakpoints) == 1
        assert "read again" in text_of(pilot)


async def test_a_mistake_is_told_and_the_last_good_run_stays(scenario, agreeing, text_of, svg, txt):
    good = scenario.read_text()
    async with living(scenario, agreeing) as pilot:
        await pilot.press("f", "s")
        scenario.write_text(good.replace("3x", "3z"))
        await until(pilot, lambda: pilot.app.file.trouble is not None)
        await pilot.pause()
        assert "unknown name `z`" in text_of(pilot)
        assert (value(pilot, "x"), pilot.app.session.cursor) == (2, 5)
        assert text_of(pilot) == txt(name="banner")
        assert pilot.app.export_screenshot() == svg
        await pilot.press("R")
        await pilot.pause()
        assert isinstance(pilot.app.screen, TroubleScreen)
        assert text_of(pilot) == txt(name="whole")
        scenario.write_text(good)
        await until(pilot, lambda: pilot.app.file.trouble is None)
        await pilot.pause()
        assert isinstance(pilot.app.screen, DebuggerScreen)
        assert "unknown name" not in text_of(pilot)


async def test_the_banner_is_clicked_to_see_the_whole(scenario, agreeing):
    async with living(scenario, agreeing, size=(120, 40)) as pilot:
        scenario.write_text("compute: y = (\n")
        await until(pilot, lambda: pilot.app.file.trouble is not None)
        await pilot.pause()
        await pilot.click("#trouble")
        await pilot.pause()
        assert isinstance(pilot.app.screen, TroubleScreen)
        await pilot.press("escape")
        assert isinstance(pilot.app.screen, DebuggerScreen)


async def test_a_file_that_is_gone_is_told_and_read_when_it_is_back(scenario, agreeing, text_of):
    good = scenario.read_text()
    async with living(scenario, agreeing) as pilot:
        scenario.unlink()
        await until(pilot, lambda: "lesson.yaml is gone" in pilot.app.session.notice)
        other = scenario.with_name("other")
        other.write_text(good.replace("x: 2", "x: 6"))
        other.replace(scenario)
        await until(pilot, lambda: value(pilot, "x") == 6)


async def test_a_prompt_is_not_disturbed(scenario, agreeing):
    async with living(scenario, agreeing) as pilot:
        await pilot.press("g")
        scenario.write_text(scenario.read_text().replace("x: 2", "x: 7"))
        look_round(pilot)
        assert value(pilot, "x") == 2
        await pilot.press("escape")
        await until(pilot, lambda: value(pilot, "x") == 7)


async def test_a_file_that_takes_long_is_read_in_a_thread(scenario, agreeing, monkeypatch):
    impatient(monkeypatch)
    async with living(scenario, agreeing) as pilot:
        scenario.write_text(scenario.read_text().replace("x: 2", "x: 8"))
        await until(pilot, lambda: value(pilot, "x") == 8)


async def test_capital_r_reads_again_at_once(scenario, agreeing, monkeypatch):
    monkeypatch.setattr(watching, "INTERVAL", 1000)
    async with living(scenario, agreeing) as pilot:
        scenario.write_text(scenario.read_text().replace("x: 2", "x: 9"))
        await pilot.press("R")
        assert value(pilot, "x") == 9


async def test_a_text_given_with_e_has_no_file(opened, text_of):
    from backprop_engine.basics.source import Source

    async with opened(target=Source("<-e>", "x=2, y=x*x")) as pilot:
        for key in ("R", "E"):
            await pilot.press(key)
            await pilot.pause()
            assert "it was given with -e" in text_of(pilot)


# The editor


@contextmanager
def lent(*_):
    yield


async def test_capital_e_opens_the_editor_at_the_line_of_the_step(
    scenario, agreeing, monkeypatch, tmp_path
):
    editor = tmp_path / "vim"
    editor.write_text('#!/bin/sh\necho "$@" > "$0.log"\nsed -i "s/x: 2/x: 4/" lesson.yaml\n')
    editor.chmod(0o755)
    monkeypatch.setenv("VISUAL", str(editor))
    monkeypatch.setattr(DebuggerApp, "suspend", lent)
    async with living(scenario, agreeing) as pilot:
        line = 1 + scenario.read_text().split("\n").index("  y = x**2 + 3x + 1")
        await pilot.press("f", "s", "s", "E")
        await pilot.pause()
        assert Path(f"{editor}.log").read_text() == f"+{line} {scenario}\n"
        assert (value(pilot, "x"), pilot.app.session.cursor) == (4, 6)


async def test_what_goes_wrong_with_an_editor_is_told(scenario, agreeing, monkeypatch):
    async with living(scenario, agreeing) as pilot:
        monkeypatch.setenv("EDITOR", "/nowhere/vim")
        await pilot.press("E")
        assert "cannot be lent to an editor" in pilot.app.session.notice
        monkeypatch.setattr(DebuggerApp, "suspend", lent)
        await pilot.press("E")
        assert "/nowhere/vim cannot be started" in pilot.app.session.notice
        monkeypatch.setenv("EDITOR", "false")
        await pilot.press("E")
        assert pilot.app.session.notice == "false ended with exit code 1"
        monkeypatch.delenv("EDITOR")
        monkeypatch.setattr("shutil.which", lambda name: None)
        await pilot.press("E")
        assert "set $EDITOR" in pilot.app.session.notice
    assert issubclass(SuspendNotSupported, Exception)


# Memory


async def test_what_was_left_is_there_again(scenario, agreeing, tmp_path):
    def keeper():
        return Keeper(tmp_path / "state", "blackboard")

    async with living(scenario, agreeing, keeper=keeper()) as pilot:
        await pilot.press("home", "down", "left", "b", "w", *"y", "enter")
        await pilot.press("tab", "tab", "z")
        pilot.app.theme = "whiteboard"
        await pilot.press("q")
    async with living(scenario, agreeing, keeper=keeper()) as pilot:
        screen, session = pilot.app.screen, pilot.app.session
        assert len(session.stops.breakpoints) == 1
        assert len(session.stops.watches) == 1
        assert session.folds == frozenset({1})
        assert screen.focused.id == "torch"
        assert screen.layout_now.is_zoomed
        assert pilot.app.theme == "whiteboard"
    async with living(scenario, agreeing, keeper=keeper(), fresh=True) as pilot:
        assert pilot.app.session.stops.all == ()
        assert pilot.app.theme == "blackboard"


async def test_memory_is_written_while_the_program_runs(scenario, agreeing, tmp_path):
    path = file.file_of(tmp_path / "state", scenario)
    async with living(scenario, agreeing, keeper=Keeper(tmp_path / "state", "blackboard")) as pilot:
        await pilot.press("home", "b")
        await until(pilot, path.exists)
        assert len(json.loads(path.read_text())["breakpoints"]) == 1


async def test_a_broken_state_file_is_told_on_the_screen(scenario, agreeing, tmp_path, text_of):
    path = file.file_of(tmp_path / "state", scenario)
    path.parent.mkdir(parents=True)
    path.write_text("{")
    async with living(scenario, agreeing, keeper=Keeper(tmp_path / "state", "blackboard")) as pilot:
        assert "the state file was set aside, it is no JSON" in text_of(pilot)


async def test_a_folder_that_cannot_be_written_is_told_and_the_program_goes_on(
    scenario, agreeing, tmp_path, text_of
):
    (tmp_path / "state").write_text("")
    async with living(scenario, agreeing, keeper=Keeper(tmp_path / "state", "blackboard")) as pilot:
        await pilot.press("home", "b")
        await until(pilot, lambda: "cannot be kept" in text_of(pilot))
        await pilot.press("s")
        look_round(pilot)
        await pilot.pause()
        assert "cannot be kept" not in text_of(pilot)


# Keys


KEYS = '[keys]\nstep_forward = ["K", "f5"]\ndown = "J"\nreset_value = "f6"\nhelp = "h"\n'


async def test_changed_keys_are_heard_and_shown(scenario, agreeing, text_of):
    settings = parse_settings(KEYS.replace('help = "h"\n', ""), "c")
    async with living(scenario, agreeing, size=(100, 140), settings=settings) as pilot:
        await pilot.press("K", "f5", "s")
        assert pilot.app.session.cursor == 2
        await pilot.press("home", "J", "j")
        assert pilot.app.session.row == 1
        assert "K S step" in text_of(pilot)
        await pilot.press("question_mark")
        await pilot.pause()
        assert "K f5        Run one step" in text_of(pilot)
        assert "f6          Give the selected input" in text_of(pilot)


async def test_a_mistake_in_the_settings_is_told_on_the_screen(scenario, agreeing, text_of):
    settings = parse_settings("[keys]\nquti = 'x'\n", "config.toml")
    async with living(scenario, agreeing, settings=settings) as pilot:
        assert "config.toml:2:1: there is no command `quti`; did you mean" in text_of(pilot)
        assert pilot.app.session.rate == 2.0


async def test_the_first_frame_has_notices_and_notes_whatever_torch_takes(scenario, slow, text_of):
    settings = parse_settings("[keys]\nquti = 'x'\n", "config.toml")
    async with living(scenario, slow, (160, 50), settings=settings) as pilot:
        assert "there is no command `quti`" in text_of(pilot)
        assert "The surprise: x stands in two places" in " ".join(text_of(pilot).split())


# Pictures


@pytest.mark.parametrize("size", [(80, 24), (160, 50)], ids=lambda size: f"{size[0]}x{size[1]}")
async def test_pictures(opened, text_of, svg, txt, size):
    async with opened(size=size) as pilot:
        await pilot.press("end", "up", "enter", "f", "e")
        await pilot.pause()
        assert text_of(pilot) == txt(name="asking for a value")
        await pilot.press("[", "1", "]", "enter")
        await pilot.pause()
        assert text_of(pilot) == txt(name="a mistake in a value")
        await pilot.press("escape", "plus", "f", "escape")
        await until(pilot, lambda: isinstance(pilot.app.oracles.findings.torch, Ready))
        assert text_of(pilot) == txt(name="edited")
        assert pilot.app.export_screenshot() == svg(name="edited")
        await pilot.press("v")
        await pilot.pause()
        assert text_of(pilot) == txt(name="side by side")
        assert pilot.app.export_screenshot() == svg(name="side by side")
        await pilot.press("U")
        await pilot.pause()
        assert text_of(pilot) == txt(name="nothing edited")
