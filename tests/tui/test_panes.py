"""The panes share the screen by what stands in them, and their borders can be moved."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.events import MouseMove
from textual.geometry import Offset, Size

from backprop_engine.basics.source import Source
from backprop_tui.widgets.pane_sizes import (
    LEFT,
    TABS,
    Border,
    Wishes,
    arranged,
    border_at,
    border_of,
    moved,
)
from backprop_tui.widgets.panes import Panes

GALLERY = Path(__file__).parents[2] / "scenarios" / "gallery"
ALL = [*LEFT, "chain", "torch", "watches"]
NARROW = ["graph", TABS, "chain"]
COUNTS = st.integers(0, 80)
WISHES = st.builds(Wishes, *[COUNTS] * 6)
LARGE = Size(120, 37)
PLAIN = "x=2, y=x*x"


def covers(regions, size):
    return sum(region.area for region in regions.values()) == size.area and all(
        not one.overlaps(other)
        for name, one in regions.items()
        for next_name, other in regions.items()
        if name < next_name
    )


@given(WISHES, st.integers(120, 250), st.integers(31, 90))
def test_whatever_they_ask_for_the_panes_fill_the_screen_and_each_is_there(wishes, width, height):
    size = Size(width, height)
    regions = arranged(ALL, size, wishes, {})
    assert set(regions) == set(ALL)
    assert covers(regions, size)
    assert all(region.height >= 1 for region in regions.values())
    assert regions["chain"].width >= 46
    assert regions["chain"].height >= 12


@given(WISHES, st.integers(3, 120), st.integers(6, 33))
def test_of_two_the_lower_one_has_the_larger_part(wishes, width, height):
    regions = arranged(NARROW, Size(width, height), wishes, {})
    assert covers(regions, Size(width, height))
    assert regions["chain"].height >= regions["graph"].height


def test_what_has_nothing_to_say_is_a_line_and_others_have_its_room():
    empty, full = Wishes(source=40), Wishes(source=40, notes=6, watches=3)
    small, large = (arranged(ALL, LARGE, wishes, {}) for wishes in (empty, full))
    assert small["notes"].height == small["watches"].height == 1
    assert large["notes"].height == 8
    assert large["watches"].height == 5
    assert small["source"].height > large["source"].height


def test_the_graph_is_as_wide_as_its_names_and_no_wider_than_what_it_holds():
    widths = [
        arranged(ALL, LARGE, Wishes(names, width, 20), {})["graph"].width
        for names, width in ((30, 40), (30, 90), (68, 90), (110, 120))
    ]
    assert widths == [54, 69, 72, 74]


@given(WISHES, st.lists(st.tuples(st.sampled_from(ALL), st.booleans(), st.integers(-50, 50))))
def test_borders_go_where_they_are_moved_and_no_further_than_they_can(wishes, moves):
    sizes = {}
    for pane, is_upright, by in moves:
        regions = arranged(ALL, LARGE, wishes, sizes)
        border = border_of(regions, pane, is_upright=is_upright)
        sizes = moved(regions, sizes, border, by)
        after = arranged(ALL, LARGE, wishes, sizes)
        assert covers(after, LARGE)
        if is_upright:
            assert after["graph"].width == max(min(regions["graph"].width + by, 96), 24)
        else:
            grown = after[border.upper].height - regions[border.upper].height
            assert grown == regions[border.lower].height - after[border.lower].height
            assert abs(grown) <= abs(by)


def test_a_graph_and_a_chain_rule_alone_stand_side_by_side():
    regions = arranged(["graph", "chain"], LARGE, Wishes(), {})
    assert covers(regions, LARGE)
    assert {region.height for region in regions.values()} == {LARGE.height}


def test_a_border_is_found_where_it_is_drawn():
    regions = arranged(ALL, LARGE, Wishes(), {})
    below = regions["source"].offset + Offset(10, 0)
    assert (
        border_at(regions, below) == border_at(regions, below - Offset(0, 1)) == Border(*LEFT[:2])
    )
    assert border_at(regions, below + Offset(0, 2)) is None
    assert border_at(regions, Offset(regions["chain"].x, 5)).is_upright
    narrow = arranged(NARROW, Size(80, 20), Wishes(), {})
    assert border_at(narrow, narrow[TABS].offset) == border_of(narrow, "chain", is_upright=False)


def test_the_panes_that_share_a_place_have_one_size():
    regions = arranged(ALL, LARGE, Wishes(), {})
    sizes = moved(regions, {}, Border("chain", "torch"), 3)
    assert sizes["torch"] == sizes["symbolic"]
    other = ["symbolic" if name == "torch" else name for name in ALL]
    assert arranged(other, LARGE, Wishes(), sizes)["symbolic"].y == regions["torch"].y + 3


def test_what_was_moved_suits_a_larger_screen():
    regions = arranged(ALL, LARGE, Wishes(), {})
    sizes = moved(regions, {}, Border("left", "left"), 12)
    wider = arranged(ALL, Size(240, 37), Wishes(), sizes)["graph"].width
    assert wider == pytest.approx(2 * (regions["graph"].width + 12), abs=1)


async def test_the_first_what_if_cuts_no_name(opened, text_of):
    scores = "z=[2, 1, 0.1], label=torch.argmin(z, 0), loss=cross_entropy(z*z, label)"
    async with opened(Source("<-e>", scores), (120, 40)) as pilot:
        await pilot.press("f", "g", "z", "enter", "plus")
        assert re.search(r"loss = cross_entropy\(%1, label\) was \S+ +≠ ", text_of(pilot))


@pytest.mark.parametrize("name", ["10-softmax-cross-entropy", "14-where", "24-batch-norm-bias"])
async def test_notes_ask_for_the_lines_they_take_and_source_has_the_rest(opened, name):
    async with opened(GALLERY / f"{name}.yaml", (160, 60)) as pilot:
        notes = pilot.app.screen.query_one("#notes")
        assert not notes.show_vertical_scrollbar
        needed = sum(child.outer_size.height for child in notes.query("Markdown, .hint"))
        assert 0 <= notes.scrollable_content_region.height - needed <= 3


async def test_keys_and_mouse_move_borders_and_one_key_gives_the_first_sizes_back(opened):
    async with opened(Source("<-e>", PLAIN), (120, 40)) as pilot:
        screen = pilot.app.screen
        graph, source = screen.query_one("#graph"), screen.query_one("#source")
        panes, first = screen.query_one(Panes), graph.region
        assert screen.query_one("#watches").region.height == 1
        await pilot.press("ctrl+down", "ctrl+down", "ctrl+right")
        assert graph.region.size == first.size + Size(2, 2)
        kept = screen.layout_now.sizes
        await pilot.press("Z")
        assert graph.region == first
        assert (screen.layout_now.sizes, bool(kept)) == ({}, True)
        await pilot.mouse_down(offset=(20, source.region.y))
        for y in (first.bottom - 1, first.bottom - 4):
            panes.post_message(MouseMove(panes, 0, 0, 0, 0, 1, False, False, False, 20, y))
            await pilot.pause()
        await pilot.mouse_up(offset=(20, first.bottom - 4))
        await pilot.hover(offset=(20, 5))
        assert graph.region.height == first.height - 4
