"""What a command has to say is told whole, however long it is, and nothing moves for it."""

from __future__ import annotations

from dataclasses import replace

import pytest

LONG = "stopped: |contribution| > 10 at mul → w1, contribution 12.4, upstream 3.1 (hit 2 of 22); "
LONG += "a·b: 3 → 4 by add → c; grad = 0 at relu → h, 0 (hit 7 of 19)"


async def say(pilot, notice):
    pilot.app.session = replace(pilot.app.session, notice=notice)
    await pilot.pause()


async def test_a_reason_that_is_too_long_for_one_line_is_told_whole(opened, text_of):
    async with opened() as pilot:
        before = text_of(pilot).splitlines()
        await say(pilot, LONG)
        shown = text_of(pilot).splitlines()
        assert LONG in " ".join(" ".join(shown).split())
        assert shown[-2:] == before[-2:]  # the timeline and the keys stay where they are
        assert shown[:18] == before[:18]
        await pilot.press("s")
        await pilot.pause()
        assert "stopped" not in text_of(pilot)


async def test_a_short_one_stands_where_the_keys_are(opened, text_of):
    async with opened() as pilot:
        await say(pilot, "paused")
        assert text_of(pilot).splitlines()[-1] == " paused"


async def test_a_wider_screen_has_room_for_it_in_the_line_of_the_keys(opened, text_of):
    async with opened() as pilot:
        await say(pilot, LONG[:100].strip())
        assert "q quit" in text_of(pilot)
        await pilot.resize_terminal(130, 40)
        await pilot.pause()
        assert text_of(pilot).splitlines()[-1].strip() == LONG[:100].strip()


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("drawn.py", "{}y = x.sum()\n", "Random numbers: torch draws others in every run"),
        ("drawn.py", "torch.manual_seed(1)\n{}y = x.sum()\n", ""),
        (
            "drawn.py",
            "torch.manual_seed(1)\n{}y = F.dropout(x, 0.5).sum()\n",
            "`dropout` drops other elements here than torch does.",
        ),
        (
            "drawn.yaml",
            "compute: |\n  torch.manual_seed(1)\n  {}  y = x.sum()\n",
            "In float32, its default, it draws others: a program in a file `X.py` has these.",
        ),
    ],
)
async def test_random_numbers_that_torch_would_not_draw_are_told_at_once_on_a_small_screen(
    name, text, told, opened, text_of, tmp_path
):
    path = tmp_path / name
    path.write_text(text.format("x = torch.rand(2, requires_grad=True)\n"))
    async with opened(path, (80, 24)) as pilot:
        shown = " ".join(text_of(pilot).split())
        assert (told in shown) if told else ("andom numbers" not in shown)
