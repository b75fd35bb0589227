"""A presentation: graph and chain rule alone, with room between the rows."""

from __future__ import annotations

import pytest
from textual.geometry import Offset

SIZES = [(80, 24), (120, 40), (160, 50)]


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
async def test_graph_and_chain_rule_stand_alone(opened, text_of, txt, size):
    async with opened("basic.yaml", size) as pilot:
        await pilot.press("f", "s", "s", "ctrl+t")
        assert text_of(pilot) == txt
        shown = {pane.id for pane in pilot.app.screen.query(".pane") if pane.region.area}
        assert shown == {"graph", "chain"}


async def test_it_goes_back_to_what_there_was(opened, text_of):
    async with opened("basic.yaml", (120, 40)) as pilot:
        before = text_of(pilot)
        await pilot.press("ctrl+t", "escape")
        assert text_of(pilot) == before
        await pilot.press("ctrl+t", "ctrl+t")
        assert text_of(pilot) == before


async def test_the_step_stays_in_sight_and_tab_goes_between_the_two(opened, text_of):
    async with opened("neuron.yaml") as pilot:
        await pilot.press("ctrl+t")
        for _ in range(len(pilot.app.session.trace) - 1):
            await pilot.press("s")
            assert "▶" in text_of(pilot)
        await pilot.press("tab")
        assert pilot.app.focused.id == "chain"
        await pilot.press("tab")
        assert pilot.app.focused.id == "graph"


async def test_a_click_chooses_the_row_it_stands_on(opened):
    async with opened("basic.yaml") as pilot:
        await pilot.press("ctrl+t")
        graph = pilot.app.screen.query_one("#graph")
        for index in range(3):
            place = graph.content_region.offset + Offset(12, 1 + 2 * index)
            await pilot.click(offset=place)
            assert pilot.app.session.row == pilot.app.session.visible[index]
