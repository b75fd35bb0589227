"""Pictures of every pane and screen; `make snapshots` takes them anew."""

from __future__ import annotations

import pytest

from backprop_engine.basics.source import Source
from backprop_tui.view.glyphs import ASCII

SIZES = [(80, 24), (120, 40), (160, 50)]
TWO_INPUTS = Source("<-e>", "x=2, z=3, y=x*z/(x+z)")
PLACES = {"start": "0", "middle": "9", "end": "100%"}


async def go_to(pilot, place):
    await pilot.press("g", *place.replace("%", ""), *(["percent_sign"] if "%" in place else []))
    await pilot.press("enter")
    await pilot.pause()


async def switch(pilot, theme):
    pilot.app.theme = theme
    await pilot.pause()


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
async def test_the_debugger_at_start_middle_and_end_in_dark_and_light(
    opened, text_of, svg, txt, size
):
    async with opened(size=size) as pilot:
        for name, place in PLACES.items():
            await go_to(pilot, place)
            assert text_of(pilot) == txt(name=name)
            for theme in ("blackboard", "whiteboard"):
                await switch(pilot, theme)
                assert pilot.app.export_screenshot() == svg(name=f"{name} {theme}")


@pytest.mark.parametrize("presses", [2, 3, 4, 5], ids=["torch", "symbolic", "source", "notes"])
async def test_each_further_pane_of_a_narrow_screen(opened, text_of, svg, txt, presses):
    async with opened() as pilot:
        await pilot.press(*["tab"] * presses)
        for name, place in PLACES.items():
            await go_to(pilot, place)
            assert text_of(pilot) == txt(name=name)
        assert pilot.app.export_screenshot() == svg


async def test_arrays(opened, text_of, svg, txt):
    async with opened("layer.yaml", (120, 40)) as pilot:
        await pilot.press("f", "n", "n", "n", "s")
        await pilot.pause()
        assert text_of(pilot) == txt
        assert pilot.app.export_screenshot() == svg


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
async def test_the_formula_of_two_inputs_halfway(opened, text_of, svg, txt, size):
    async with opened(TWO_INPUTS, size=size) as pilot:
        await pilot.press("f", "f", "S", "tab", "tab", "tab")
        await pilot.app.workers.wait_for_complete()
        await pilot.pause()
        assert text_of(pilot) == txt
        assert pilot.app.export_screenshot() == svg


async def test_formulas_in_an_ascii_terminal(opened, text_of, txt):
    async with opened(TWO_INPUTS, glyphs=ASCII) as pilot:
        await pilot.press("f", "f", "tab", "tab", "tab")
        await pilot.app.workers.wait_for_complete()
        await pilot.pause()
        assert text_of(pilot).isascii()
        assert text_of(pilot) == txt


async def test_no_formula_for_arrays(opened, text_of, txt):
    async with opened("layer.yaml") as pilot:
        await pilot.press("tab", "tab", "tab")
        await pilot.app.workers.wait_for_complete()
        await pilot.pause()
        assert text_of(pilot) == txt


async def test_an_ascii_terminal(opened, text_of, txt):
    async with opened("layer.yaml", glyphs=ASCII) as pilot:
        await pilot.press("f", "n", "n", "n", "s")
        await pilot.pause()
        assert text_of(pilot) == txt


async def test_the_help(opened, text_of, svg, txt):
    async with opened(size=(90, 110)) as pilot:
        await pilot.press("question_mark")
        await pilot.pause()
        assert text_of(pilot) == txt
        assert pilot.app.export_screenshot() == svg


async def test_the_list_of_scenarios(opened, text_of, svg, txt):
    async with opened("folder") as pilot:
        assert text_of(pilot) == txt
        assert pilot.app.export_screenshot() == svg


async def test_a_bad_scenario(opened, text_of, svg, txt):
    async with opened("folder/2-broken.yaml") as pilot:
        assert text_of(pilot) == txt
        assert pilot.app.export_screenshot() == svg


async def test_torch_missing(opened, text_of, svg, txt, missing):
    async with opened(oracle=missing) as pilot:
        await go_to(pilot, "9")
        await pilot.press("tab", "tab")
        await pilot.pause()
        assert text_of(pilot) == txt
        assert pilot.app.export_screenshot() == svg


async def test_torch_disagreeing(opened, text_of, svg, txt, disagreeing):
    async with opened(oracle=disagreeing) as pilot:
        await go_to(pilot, "9")
        await pilot.press("tab", "tab")
        await pilot.pause()
        assert text_of(pilot) == txt
        assert pilot.app.export_screenshot() == svg


async def test_a_place_that_is_none(opened, text_of, txt):
    async with opened() as pilot:
        await pilot.press("g", "z", "enter")
        await pilot.pause()
        assert text_of(pilot) == txt
