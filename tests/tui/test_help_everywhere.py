"""Help answers on every screen, with what one can do there first."""

from __future__ import annotations

from pathlib import Path

import pytest

from backprop_tui.commands.pane_help import SCREEN_HELP
from backprop_tui.screens.help import HelpScreen

PROMPTS = {"goto": "g", "search": "slash", "breakpoint": "B", "watch": "w", "edit": "e"}
LISTS = {"breakpoints": "L", "what-if": "v", "autopsy": "a", "marks": "m", "origin": "o"}


async def shows_help_of(pilot, text_of, topic, key):
    before = pilot.app.screen
    await pilot.press(key)
    await pilot.pause()
    assert isinstance(pilot.app.screen, HelpScreen)
    assert text_of(pilot).splitlines()[1].strip(" │▃▂▁") == SCREEN_HELP[topic].title
    await pilot.press("f1")
    await pilot.pause()
    assert pilot.app.screen is before


@pytest.mark.parametrize(("topic", "key"), LISTS.items())
async def test_the_question_mark_explains_each_list(opened, text_of, topic, key):
    async with opened() as pilot:
        await pilot.press("f", "f", "home", key)
        await pilot.pause()
        await shows_help_of(pilot, text_of, topic, "question_mark")


@pytest.mark.parametrize(("topic", "key"), PROMPTS.items())
async def test_f1_explains_each_prompt_where_a_question_mark_is_text(opened, text_of, topic, key):
    async with opened() as pilot:
        await pilot.press(key)
        await pilot.pause()
        assert "F1 help" in text_of(pilot)
        await shows_help_of(pilot, text_of, topic, "f1")


async def test_f1_explains_a_question(opened, text_of):
    async with opened() as pilot:
        await pilot.press("x", "f", "f")
        await pilot.pause()
        await shows_help_of(pilot, text_of, "predict", "f1")


async def test_the_list_of_scenarios_and_a_mistake_in_one_are_explained(opened, text_of):
    async with opened("folder") as pilot:
        await shows_help_of(pilot, text_of, "picker", "question_mark")
        await pilot.press("down", "enter")
        await pilot.pause()
        await shows_help_of(pilot, text_of, "problem", "question_mark")


async def test_keys_that_are_explained_first_are_not_explained_again(opened, text_of):
    async with opened(size=(100, 140)) as pilot:
        await pilot.press("question_mark")
        await pilot.pause()
        shown = text_of(pilot)
        assert shown.count("Select the row above.") == 1
        assert shown.count("Graph  ") == 1


async def test_the_lines_of_a_mistake_hang_level(opened, text_of, tmp_path):
    bad = Path(tmp_path / "bad.yaml")
    bad.write_text("inputs: {x: {value: 2, requires_grad: false}}\ncompute: y = x*2\n")
    async with opened(bad) as pilot:
        lines = text_of(pilot).splitlines()
        at = next(number for number, line in enumerate(lines) if "✗ element 0" in line)
        assert lines[at + 1].index("grad_fn") == lines[at].index("element")
