"""A recording of another producer opens like any other trace, and every key is answered."""

from __future__ import annotations

import pytest
from tests.foreign_trace import SUMMED_UP, WHOLE, foreign_trace, summed_up
from tests.thorough import share

from backprop_engine.reading.autopsy.report import autopsy
from backprop_engine.reading.explain import explain
from backprop_engine.trace import Missing
from backprop_tui.commands.table import BY_NAME, COMMANDS

TRACES = {
    "whole": WHOLE,
    "summed up": SUMMED_UP,
    "whole with a nan": foreign_trace(spoilt=True),
    "summed up with a nan": foreign_trace(summed_up, spoilt=True),
}
LEAVING = {"quit", "suspend_process", "edit_source", "save_picture"}
"""They end the app, leave it, or write a file."""
PLACES = {
    "at the start": (),
    "in the middle of the backward pass": ("g", "8", "enter"),
    "at the end, on a leaf": ("f", "f", "end"),
}


EVERYWHERE = [(name, place) for name in TRACES for place in PLACES]
USUAL = [
    (name, place)
    for name, place in EVERYWHERE
    if (name == "whole" and place != "at the start")
    or (name == "summed up with a nan" and "middle" in place)
]


@pytest.mark.usefixtures("every_frame")
@pytest.mark.parametrize(("name", "place"), share(USUAL, EVERYWHERE))
async def test_every_key_is_answered(opened, name, place):
    async with opened(TRACES[name]) as pilot:
        await pilot.press(*PLACES[place])
        at_the_place, screens = pilot.app.session, len(pilot.app.screen_stack)
        for command in COMMANDS:
            if command.name in LEAVING or not command.keys:
                continue
            while len(pilot.app.screen_stack) > screens:
                await pilot.press("escape")
            # Back without a frame: what is asked is the next key's answer.
            pilot.app._session = at_the_place
            await pilot.press(command.keys[0])
            session = pilot.app.session
            assert session is not None, command.name
            if isinstance(command.missing(session), Missing):
                assert session.notice == "" or "a recording cannot do this" in session.notice
                await pilot.press(command.keys[0])
                assert "a recording cannot do this" in pilot.app.session.notice, command.name
    assert pilot.app.return_code in (0, None)


@pytest.mark.parametrize("name", share(["whole", "summed up with a nan"], [*TRACES]))
async def test_every_step_both_ways_is_drawn(opened, text_of, name):
    trace = TRACES[name]
    async with opened(trace, (120, 40)) as pilot:
        for key in ["s"] * len(trace) + ["N"] * len(trace) + ["n"] * len(trace):
            await pilot.press(key)
        shown = text_of(pilot.app)
        assert "h = torch" in shown


async def test_the_file_of_the_step_is_shown(opened, text_of):
    async with opened(WHOLE, (160, 50)) as pilot:
        assert "return F.linear(x, weight, bias)" in text_of(pilot.app)
        await pilot.press("s")
        assert "loss = 2 * relu(h).sum()" in text_of(pilot.app)


def test_a_step_tells_the_module_that_it_belongs_to():
    steps = [step for step in map(WHOLE.step, range(len(WHOLE))) if step.node == 3]
    assert steps
    for step in steps:
        assert explain(WHOLE, step.index).notes[-1].endswith(" was made in module fc")


async def test_what_is_missing_is_left_out_of_the_footer_and_told_in_the_palette(opened, text_of):
    async with opened(WHOLE, (160, 50)) as pilot:
        assert " edit" not in text_of(pilot.app).splitlines()[-1]
        await pilot.press("ctrl+p", *"edit a")
        await pilot.pause()
        assert "not here: a recording cannot do this" in text_of(pilot.app)


@pytest.mark.parametrize("key", ["question_mark", "f1"])
async def test_help_says_beside_a_key_what_is_missing_and_what_to_do_instead(opened, text_of, key):
    async with opened(WHOLE, (100, 170)) as pilot:
        await pilot.press(key)
        shown = " ".join(text_of(pilot.app).replace("│", " ").split())
        assert (
            "e Put another value in the place of an input or a constant, and run all again. "
            "Not here: a recording cannot do this (Reruns); open a scenario."
        ) in shown
        needing = [command for command in COMMANDS if command.needs]
        assert shown.count("Not here: ") == len(needing)


async def test_help_says_nothing_of_the_kind_where_all_can_be_done(opened, text_of):
    async with opened("neuron.yaml", (100, 170)) as pilot:
        await pilot.press("f", "f", "slash", *"sigmoid", "enter", "question_mark")
        assert "Not here" not in text_of(pilot.app)


def test_what_a_command_needs_is_asked_of_the_trace():
    assert [command.name for command in COMMANDS if command.needs] == [
        "predict", "edit_value", "nudge_up", "nudge_down", "undo_edit", "reset_value", "reset_all",
        "compare", "origin", "lens", "step_into",
    ]  # fmt: skip
    assert BY_NAME["autopsy"].needs is None


@pytest.mark.parametrize("keep", [lambda value: value, summed_up], ids=["whole", "summed up"])
def test_the_first_nan_is_found_without_its_maker(keep):
    found = autopsy(foreign_trace(keep, spoilt=True))
    assert found is not None
    assert found.first.kind == "nan"
    assert found.first.operation == "input"
    assert "x" in found.first.headline
    assert found.victims == ("loss", "fc.weight.grad")
