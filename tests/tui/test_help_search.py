"""Help can be searched, and has the words and all marks."""

from __future__ import annotations

import pytest

from backprop_tui.commands.pane_help import GLOSSARY
from backprop_tui.commands.table import COMMANDS
from backprop_tui.screens.debugger import DebuggerScreen
from backprop_tui.screens.help import found_in, help_sections, help_text, joined
from backprop_tui.view.glyphs import ASCII, LEGEND, UNICODE

SECTIONS = list(help_sections(UNICODE, 78, None, COMMANDS, None))


def found(query):
    return " ".join(joined(found_in(SECTIONS, query), query).plain.split())


@pytest.mark.parametrize(
    "word",
    ["leaf", "seed", "operand", "upstream", "ulp", "grad_fn", "%1", "h@2", "contribution"],
)
def test_the_glossary_has_the_words_of_the_screen(word):
    assert word in dict(GLOSSARY)
    assert f"Words {word}" in found(f"words {dict(GLOSSARY)[word]}")


def test_what_is_found_stands_under_its_title_and_the_rest_is_left_out():
    assert found("last place").startswith("Words ulp Unit in the last place")
    assert "Breakpoints" in found("condition")
    assert "Timeline" not in found("condition")


def test_every_word_must_be_there_in_any_case_and_across_lines():
    assert "Run to the end of this pass." in found("PASS end jump")
    assert found("zebra") == "Nothing here has “zebra” in it."
    assert found("") == " ".join(help_text(UNICODE, 78).plain.split())


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII])
def test_all_marks_are_explained(glyphs):
    told = help_text(glyphs, 78).plain
    for mark in (*(getattr(glyphs, name) for name, _ in LEGEND), "┃", "‖0.3‖", "┄3"):
        assert f"\n{mark} " in told


async def test_a_slash_searches_as_one_types_and_escape_shows_all_again(opened, text_of):
    async with opened() as pilot:
        await pilot.press("question_mark", "slash", *"ulp")
        assert "Unit in the last place" in text_of(pilot)
        assert "Run all contributions" not in text_of(pilot)
        await pilot.press("q", "escape")
        assert "Run all contributions" in text_of(pilot) or "Each row is a node" in text_of(pilot)
        await pilot.press("escape")
        assert isinstance(pilot.app.screen, DebuggerScreen)
