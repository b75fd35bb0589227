"""Pictures of the inspector, of search, marks, play, jump hints and of a pane alone."""

from __future__ import annotations

import pytest

from backprop_tui.view.glyphs import ASCII

SIZES = [(80, 24), (160, 50)]

INSPECTOR = {
    "matrix": ["slash", "W", "enter", "enter", "down", "right"],
    "gradient": ["tab"],
    "torch": ["t"],
    "difference": ["t"],
    "not sent": ["tab"],
    "help": ["question_mark"],
    "three axes": ["escape", "escape", "slash", "Z", "enter", "enter", "right_square_bracket", "x"],
    "nan": ["escape", "slash", *"v/v", "enter", "enter", "exclamation_mark"],
    "number": ["escape", "slash", "x", "enter", "enter"],
}
"""What is pressed from picture to picture, all steps done."""

STATES = {
    "matches": ["slash", "a", "d", "d"],
    "letters": ["backspace", "backspace", "backspace", *"pwbk"],
    "no match": ["z", "z"],
    "mistake": [*["backspace"] * 6, *"grad", "greater_than_sign"],
    "condition": ["1", "enter"],
    "no mark yet": ["apostrophe"],
    "setting a mark": ["escape", "m"],
    "marks": ["a", "S", "S", "m", "b", "apostrophe"],
    "playing": ["escape", "P"],
    "paused": ["P"],
    "hints": ["ctrl+o"],
    "zoomed": ["escape", "z"],
    "hints while zoomed": ["ctrl+o"],
}


async def walk(pilot, text_of, states, svg, txt, drawn):
    """Press on from state to state; a text of each, and a drawing of those in `drawn`."""
    for name, keys in states.items():
        await pilot.press(*keys)
        await pilot.pause()
        assert text_of(pilot) == txt(name=name)
        if name in drawn:
            assert pilot.app.export_screenshot() == svg(name=name)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
async def test_the_inspector(opened, text_of, svg, txt, size):
    async with opened("attention.yaml", size) as pilot:
        await pilot.press("f", "f")
        drawn = ("matrix", "nan", "number") if size == (80, 24) else ("matrix", "three axes")
        await walk(pilot, text_of, INSPECTOR, svg, txt, drawn)


async def test_the_inspector_in_light_colours(opened, svg):
    async with opened("attention.yaml") as pilot:
        await pilot.press("f", "f", *INSPECTOR["matrix"])
        pilot.app.theme = "whiteboard"
        await pilot.pause()
        assert pilot.app.export_screenshot() == svg


async def test_the_inspector_on_an_ascii_terminal(opened, text_of, txt):
    async with opened("attention.yaml", glyphs=ASCII) as pilot:
        await pilot.press("f", "f", *INSPECTOR["matrix"])
        await pilot.pause()
        shown = text_of(pilot)
        assert shown == txt
        assert shown.isascii()
        assert "?" not in shown.replace("? help", "")


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
async def test_finding_ones_way(opened, text_of, svg, txt, size):
    async with opened(size=size) as pilot:
        await pilot.press("f", "f")
        drawn = ("condition", "playing", "hints") if size == (80, 24) else ("marks", "hints")
        await walk(pilot, text_of, STATES, svg, txt, drawn)
