"""What the rows of the tree say where there is little room, or little to say."""

from __future__ import annotations

from backprop_engine.basics.source import Source

LOSS = Source("<-e>", "z=[[1, 2], [3, 0.5]], i=torch.argmin(z, 1), y=cross_entropy(z, i)")


def rows(text):
    return [line[3:] for line in text.splitlines()[1:11]]


async def test_an_attribute_of_an_operation_has_its_name_inside_of_it(opened, text_of):
    async with opened(LOSS, (100, 60)) as pilot:
        await pilot.press("home", "i", "z")
        await pilot.pause()
        assert "ignore_index = −100" in text_of(pilot)
        assert "−100 = −100" not in text_of(pilot)


async def test_a_negative_number_is_not_said_to_be_itself(opened, text_of):
    async with opened(Source("<-e>", "x=2, y=x*-3")) as pilot:
        await pilot.press("f")
        await pilot.pause()
        assert "· −3 " in text_of(pilot)
        assert "−3 = −3" not in text_of(pilot)


async def test_of_a_long_expression_as_much_is_told_as_there_is_room_for(opened, text_of):
    text = "first=2, second=3, y = tanh(first*second + first/second)*tanh(first - second)"
    async with opened(Source("<-e>", text), (60, 40)) as pilot:
        for row in rows(text_of(pilot)):
            assert "=…" not in row
            assert "= …" not in row
        assert "↗ first" in text_of(pilot)


async def test_where_there_is_hardly_any_room_a_reference_keeps_its_name(opened, text_of):
    text = "a_very_long_name=2, y=tanh(a_very_long_name)*a_very_long_name"
    async with opened(Source("<-e>", text), (46, 20)) as pilot:
        assert "a_very_l" in next(row for row in rows(text_of(pilot)) if "↗" in row)
