"""Whatever looks clickable can be clicked."""

from __future__ import annotations

import pytest

from backprop_tui.screens.help import HelpScreen
from backprop_tui.widgets.bars import KeyBar, PaneTabs
from backprop_tui.widgets.graph_tree import GraphTree
from backprop_tui.widgets.timeline import Timeline


async def click_text(pilot, text_of, text, widget, *, nth=0):
    """Click the first cell of `text` where it stands on the screen, inside `widget`."""
    region = pilot.app.screen.query_one(widget).region
    lines = text_of(pilot).splitlines()
    found = [
        (line.index(text), y)
        for y, line in enumerate(lines)
        if region.y <= y < region.bottom and text in line
    ]
    await pilot.click(offset=found[nth])
    await pilot.pause()


async def test_a_click_on_a_row_selects_it(opened, text_of):
    async with opened() as pilot:
        await click_text(pilot, text_of, "%2 = 3·x", GraphTree)
        session = pilot.app.session
        assert session.trace.label(session.node) == "%2"


async def test_a_click_on_a_mark_folds_and_unfolds(opened, text_of):
    async with opened() as pilot:
        await click_text(pilot, text_of, "○ %3", GraphTree)
        assert "▸ 6 more" in text_of(pilot)
        await click_text(pilot, text_of, "○ %3", GraphTree)
        assert pilot.app.session.folds == frozenset()


async def test_a_click_on_a_reference_leads_to_the_full_drawing(opened, text_of):
    async with opened() as pilot:
        await click_text(pilot, text_of, "↗ x", GraphTree)
        session = pilot.app.session
        assert not session.outline.is_reference[session.row]
        assert session.trace.label(session.node) == "x"


async def test_a_click_on_the_timeline_jumps(opened, text_of):
    async with opened() as pilot:
        await click_text(pilot, text_of, "backward y", Timeline)
        assert pilot.app.session.cursor == 4
        await pilot.press("backspace")
        assert pilot.app.session.cursor == 0


@pytest.mark.parametrize("pane", ["Torch", "Symbolic", "Source", "Notes", "Watches"])
async def test_a_click_on_a_tab_shows_its_pane(opened, text_of, pane):
    async with opened() as pilot:
        await click_text(pilot, text_of, pane, PaneTabs)
        assert f"[{pane}]" in text_of(pilot)
        assert pilot.app.screen.query_one(f"#{pane.lower()}").display


async def test_a_click_on_a_key_runs_its_command(opened, text_of):
    async with opened() as pilot:
        await click_text(pilot, text_of, "f F pass", KeyBar)
        assert pilot.app.session.cursor == 4
        await click_text(pilot, text_of, "S step", KeyBar)
        assert pilot.app.session.cursor == 3
        await click_text(pilot, text_of, "pass", KeyBar)
        assert pilot.app.session.cursor == 4
        await click_text(pilot, text_of, "? help", KeyBar)
        assert isinstance(pilot.app.screen, HelpScreen)


async def test_a_click_beside_everything_does_nothing(opened, text_of):
    async with opened(size=(160, 50)) as pilot:
        before = pilot.app.session
        await pilot.click(GraphTree, offset=(10, 25))
        await pilot.click(KeyBar, offset=(150, 0))
        assert pilot.app.session == before
