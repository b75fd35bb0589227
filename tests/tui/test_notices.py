"""What a command has to say is told whole, however long it is, and nothing moves for it."""

from __future__ import annotations

from dataclasses import replace

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


async def test_random_numbers_that_torch_would_not_draw_are_told_at_once(opened, text_of, tmp_path):
    program = "x = torch.rand(2, requires_grad=True)\ny = x.sum()\n"
    for head, is_told in (("", True), ("torch.manual_seed(1)\n", False)):
        path = tmp_path / "drawn.py"
        path.write_text(head + program)
        async with opened(path) as pilot:
            shown = " ".join(text_of(pilot).split())
            assert ("Random numbers: torch draws others in every run" in shown) is is_told
