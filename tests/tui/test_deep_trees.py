"""A tree too deep to be drawn from its root on is drawn from where one looks on."""

from __future__ import annotations

import pytest

from backprop_engine.basics.source import Source
from backprop_tui.view.glyphs import ASCII

NEURONS = Source(
    "<-e>",
    """x=2, w=0.5
hidden = []
for n in range(40):
  h = x
  for i in range(5):
    h = w*h + x
  hidden.append(relu(h))
y = sum(hidden)""",
)


@pytest.mark.parametrize("size", [(80, 24), (160, 50)], ids=str)
async def test_it_opens_with_the_row_of_the_step_in_sight(opened, text_of, size):
    async with opened(NEURONS, size) as pilot:
        assert "▶ %" in text_of(pilot)


async def test_names_stand_in_full_and_the_head_tells_where_they_belong(opened, text_of):
    async with opened(NEURONS) as pilot:
        await pilot.press("f", "g", *"50%".replace("%", ""), "percent_sign", "enter")
        for _ in range(30):
            await pilot.press("s")
        await pilot.pause()
        head, *rows = text_of(pilot).splitlines()[1:11]
        assert head.split()[:3] == ["Graph", "in", head.split()[2]]
        assert ", depth " in head
        assert not any("…" in row[:36] for row in rows if "=" in row)


async def test_the_lines_of_a_chain_start_at_the_left_wherever_one_is(opened, text_of):
    chain = Source("<-e>", "x=2, y=x\nfor i in range(600): y = tanh(y)")
    async with opened(chain) as pilot:
        await pilot.press("f", "g", *"900", "enter")
        await pilot.pause()
        head, first, *_ = text_of(pilot).splitlines()[1:11]
        assert "in y@" in head
        assert first.startswith("   └─● y@")
        assert "TanhBackward0" in first


async def test_a_tree_that_has_room_is_drawn_from_its_root_on(opened, text_of):
    async with opened(size=(60, 14)) as pilot:
        await pilot.press("end")
        await pilot.pause()
        assert "depth" not in text_of(pilot).splitlines()[1]


async def test_a_click_on_the_mark_of_a_deep_row_folds_it(opened, text_of):
    chain = Source("<-e>", "x=2, y=x\nfor i in range(600): y = tanh(y)")
    async with opened(chain) as pilot:
        await pilot.press("f", "g", *"900", "enter")
        await pilot.pause()
        line = text_of(pilot).splitlines()[3]
        assert await pilot.click("#graph", offset=(line.index("●"), 2))
        await pilot.pause()
        name = line.split()[1]
        assert any(name in one and " more" in one for one in text_of(pilot).splitlines())


async def test_where_one_is_can_be_read_in_ascii(opened, text_of):
    async with opened(NEURONS, glyphs=ASCII) as pilot:
        await pilot.press("f", "n", "n", "n")
        await pilot.pause()
        assert text_of(pilot).isascii()
