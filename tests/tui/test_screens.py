"""What stands on the screen, and when."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from backprop_engine.basics.source import Source
from backprop_tui.app.app import DebuggerApp
from backprop_tui.screens.debugger import DebuggerScreen
from backprop_tui.screens.picker import PickerScreen
from backprop_tui.screens.problem import ProblemScreen

SIZES = [(40, 12), (80, 24), (120, 34), (300, 80)]


async def at(pilot, cursor):
    await pilot.press("g", *str(cursor), "enter")
    await pilot.pause()


# The steps of y = x² + 3x + 1


async def test_unknown_is_blank_and_not_zero(opened, text_of):
    async with opened() as pilot:
        row = next(line for line in text_of(pilot).splitlines() if "%3 = %1 + %2" in line)
        assert row.split("%3 = %1 + %2")[1].split() == ["AddBackward0"]


async def test_a_value_appears_when_its_step_is_done(opened, text_of):
    async with opened() as pilot:
        assert "4  " not in next(line for line in text_of(pilot).splitlines() if "%1 = x²" in line)
        await pilot.press("s")
        await pilot.pause()
        row = next(line for line in text_of(pilot).splitlines() if "○ %1 = x²" in line)
        assert row.split("x²")[1].split()[0] == "4"


async def test_the_last_step_is_told_in_algebra_numbers_and_words(opened, text_of):
    async with opened(size=(160, 50)) as pilot:
        await at(pilot, 9)
        shown = " ".join(text_of(pilot).split())
        for said in ("9 of 10 done", "%1 = x² sends to its operand x", "= 2 · 2 = 4", "= 2·x",
                     "3 from %2", "+ 4 from %1", "= 7 complete", "3 → 7"):  # fmt: skip
            assert said in shown


async def test_the_end_of_the_forward_pass_is_said(opened, text_of):
    async with opened() as pilot:
        await at(pilot, 4)
        assert "forward done: y = 11 · next: backward from y" in text_of(pilot)


async def test_a_later_pass_says_what_it_adds_to(opened, text_of):
    async with opened("folder/3-accumulate.yaml", (160, 50)) as pilot:
        await pilot.press("f", "f")
        await pilot.pause()
        assert "backward from y done: x.grad = 6 · next: backward from y" in text_of(pilot)
        await pilot.press("s")
        await pilot.pause()
        assert "x.grad then grows: 6 + 6 = 12" in text_of(pilot)


async def test_at_the_end_the_gradients_are_said(opened, text_of):
    async with opened() as pilot:
        await at(pilot, 10)
        assert "the end: all 10 steps done" in text_of(pilot)
        assert "x.grad = 7" in text_of(pilot)


async def test_a_zero_grad_forgets_what_the_passes_added_up(opened, text_of):
    async with opened("folder/3-accumulate.yaml") as pilot:
        await pilot.press("f", "f", "f", "tab", "tab")
        await pilot.pause()
        grad = next(line for line in text_of(pilot).splitlines() if "x.grad" in line)
        assert grad.split()[1:3] == ["12", "12"]
        await pilot.press("s")
        await pilot.pause()
        grad = next(line for line in text_of(pilot).splitlines() if "x.grad" in line)
        assert grad.split()[1:] == ["–", "–"]


async def test_the_step_is_always_in_sight(opened, text_of):
    text = "x=2; y=" + "+".join(["x*x"] * 40)
    async with opened(Source("<-e>", text)) as pilot:
        for place in ("3", "70", "79", "100", "150", "+1", "+1", "-90"):
            await pilot.press("g", *place.replace("+", "").replace("-", ""), "home")
            await pilot.press(*({"+": ["plus"], "-": ["minus"]}.get(place[0], [])), "enter")
            await pilot.pause()
            assert "▶" in text_of(pilot)


# Torch


async def test_the_first_paint_does_not_wait_for_torch(opened, text_of, slow):
    async with opened(oracle=slow) as pilot:
        assert "torch …" in text_of(pilot)
        await pilot.press("f")
        await pilot.pause()
        assert "forward done" in text_of(pilot)


async def test_a_missing_torch_is_said_with_the_remedy_and_all_else_works(opened, text_of, missing):
    async with opened(size=(160, 50), oracle=missing) as pilot:
        await pilot.press("f", "f")
        await pilot.pause()
        shown = text_of(pilot)
        assert "PyTorch is not installed." in shown
        assert "`pip install torch` brings it." in shown
        assert re.search(r"x\.grad +7 +–", shown)


async def test_a_disagreement_is_marked_at_its_step(opened, text_of, disagreeing):
    async with opened(oracle=disagreeing) as pilot:
        await at(pilot, 9)
        await pilot.press("tab", "tab")
        await pilot.pause()
        row = next(line for line in text_of(pilot).splitlines() if "contribution" in line)
        assert row.split()[1:] == ["4", "4.5", "0.5", "✗"]


async def test_torch_agreeing_is_marked_on_every_row_that_has_a_number(opened, text_of):
    async with opened() as pilot:
        await at(pilot, 10)
        rows = [line for line in text_of(pilot).splitlines() if "Backward0" in line]
        assert len(rows) == 4
        assert all(row.endswith("✓") for row in rows)


# Lists and errors


async def test_the_list_names_good_and_broken_scenarios(opened, text_of):
    async with opened("folder") as pilot:
        shown = text_of(pilot)
        assert "Two passes and a zero_grad" in shown
        assert "✗ A broken one" in shown
        assert "did you mean `rate`?" in shown


async def test_a_folder_without_scenarios_says_what_one_is(opened, text_of, tmp_path):
    async with opened(tmp_path) as pilot:
        assert "There is no scenario in this folder." in text_of(pilot)


async def test_a_broken_scenario_opens_its_error_and_escape_leads_back(opened, text_of):
    async with opened("folder") as pilot:
        await pilot.press("down", "enter")
        await pilot.pause()
        assert isinstance(pilot.app.screen, ProblemScreen)
        shown = text_of(pilot)
        assert "folder/2-broken.yaml:5:17" in shown
        assert "unknown name `raet`" in shown
        code, caret = next(
            (one, two)
            for one, two in zip(shown.splitlines(), shown.splitlines()[1:], strict=False)
            if "raet" in one
        )
        assert caret.index("^^^^") == code.index("raet")
        await pilot.press("escape")
        assert isinstance(pilot.app.screen, PickerScreen)


async def test_a_mended_scenario_is_read_again(opened, tmp_path):
    path = tmp_path / "one.yaml"
    path.write_text("x=2, y=x**")
    async with opened(path) as pilot:
        assert isinstance(pilot.app.screen, ProblemScreen)
        path.write_text("x=2, y=x**2")
        await pilot.press("R")
        await pilot.pause()
        assert isinstance(pilot.app.screen, DebuggerScreen)


async def test_a_lesson_about_an_error_shows_its_notes_beside_it(opened, text_of, tmp_path):
    path = tmp_path / "one.yaml"
    path.write_text(
        "title: No seed\nabout: A vector needs a seed.\ninputs: {x: [1, 2]}\n"
        "compute: y = x**2\nexpect: {error: scalar outputs}\n"
    )
    async with opened(path) as pilot:
        await pilot.pause()
        shown = text_of(pilot)
        assert "No seed" in shown
        assert "this error is what the lesson is about" in shown
        assert "A vector needs a seed." in shown


async def test_a_file_that_is_not_there_is_said(opened, text_of):
    async with opened("nowhere.yaml") as pilot:
        assert isinstance(pilot.app.screen, ProblemScreen)
        assert "nowhere.yaml" in text_of(pilot)


async def test_a_long_scenario_is_read_in_a_thread(opened, tmp_path):
    path = tmp_path / "long.yaml"
    path.write_text("x=2, y=" + "+".join(["x"] * 5000))
    async with opened(path) as pilot:
        assert isinstance(pilot.app.screen, DebuggerScreen)
        assert len(pilot.app.session.trace) == 3 * 4999 + 1


# Robustness


@pytest.mark.parametrize("lesson", ["basic.yaml", "layer.yaml", "folder/3-accumulate.yaml"])
async def test_every_place_can_be_drawn_at_every_size(opened, text_of, lesson):
    async with opened(lesson) as pilot:
        count = len(pilot.app.session.trace)
        while True:
            for size in SIZES:
                await pilot.resize_terminal(*size)
                await pilot.pause()
                lines = text_of(pilot).splitlines()
                assert len(lines) == size[1]
                assert f"{pilot.app.session.cursor}/{count}" in lines[-2]
                assert "q quit" in lines[-1]
            if pilot.app.session.step is None:
                break
            await pilot.press("f")


async def test_a_resize_keeps_the_place_and_the_panes(opened, text_of):
    async with opened(size=(160, 50)) as pilot:
        await at(pilot, 9)
        for size in [(80, 24), (40, 12), (130, 40)]:
            await pilot.resize_terminal(*size)
            await pilot.pause()
            assert "▶" in text_of(pilot)
        assert pilot.app.session.cursor == 9


async def test_text_from_a_scenario_is_never_markup(opened, text_of):
    async with opened("folder/4-markup.yaml", (160, 50)) as pilot:
        await pilot.press("f")
        await pilot.pause()
        await pilot.pause()
        shown = text_of(pilot)
        assert "[red]No markup[/red] and no ␛[31m escape" in shown
        assert "[bold]Square[/bold] brackets stay square brackets." in shown
        assert "y: [reverse]nor here[/reverse]" in shown


def test_the_app_does_not_import_torch():
    code = "import sys, backprop_tui.app.app; print('torch' in sys.modules, 'sympy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


@pytest.mark.parametrize("how", ["exit", "call_later", "call_next", "call_after_refresh"])
async def test_who_leaves_before_the_first_frame_leaves_without_a_word(agreeing, monkeypatch, how):
    begin = DebuggerApp.on_mount

    def begin_and_leave(self):
        begin(self)
        getattr(self, how)(*() if how == "exit" else (self.exit,))

    monkeypatch.setattr(DebuggerApp, "on_mount", begin_and_leave)
    app = DebuggerApp(Path("basic.yaml"), oracle=agreeing)
    await app.run_async(headless=True)
    assert app.return_code == 0
