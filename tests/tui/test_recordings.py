"""A recording of a real run in the debugger: every key is answered, every step is drawn."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.recorder.hand_made import write
from tests.recorder.programs import SCRIPTS, run_script
from tests.thorough import share

from backprop_engine.recording.opened import open_recording
from backprop_recorder.recorder import Recorder
from backprop_tui.commands.table import COMMANDS
from backprop_tui.session.stops.watched import trouble_of
from backprop_tui.widgets.timeline import LossLine

LEAVING = {"quit", "suspend_process", "edit_source", "save_picture"}
"""They end the app, leave it, or write a file."""
RECORDED = ("mlp summed up", "nan_loss", "complex_numbers")


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("recordings")
    found = {"by hand": write(folder / "hand.bp")}
    for name in RECORDED:
        found[name] = folder / f"{name}.bp"
        with Recorder(found[name], values=0 if "summed" in name else 64):
            run_script(SCRIPTS[name.split(" ", maxsplit=1)[0]])
    return found


@pytest.mark.usefixtures("every_frame")
@pytest.mark.parametrize("name", share(["nan_loss"], ["by hand", *RECORDED]))
async def test_every_key_is_answered(opened, files, name):
    async with opened(files[name], (120, 40)) as pilot:
        await pilot.press("f", "f", "s", "s")
        place, screens = pilot.app.session, len(pilot.app.screen_stack)
        for command in COMMANDS:
            if command.name in LEAVING or not command.keys:
                continue
            while len(pilot.app.screen_stack) > screens:
                await pilot.press("escape")
            # Back without a frame: what is asked is the next key's answer.
            pilot.app._session = place
            await pilot.press(command.keys[0])
            assert pilot.app.session is not None, command.name
    assert pilot.app.return_code in (0, None)


async def test_every_step_is_drawn(opened, text_of, files):
    trace = open_recording(files["nan_loss"])
    async with opened(files["nan_loss"], (120, 40)) as pilot:
        await pilot.press(*["s"] * len(trace))
        assert "backward sum" in text_of(pilot.app)
        await pilot.press("N", "N", "F")
        assert pilot.app.session.cursor < len(trace)


async def test_iterations_are_gone_through_by_braces_and_steps_told(opened, text_of, files):
    trace = open_recording(files["mlp summed up"])
    ends = [pass_.stop for pass_ in trace.passes if pass_.name == "SGD.step"]
    async with opened(files["mlp summed up"], (120, 40)) as pilot:
        for end in ends:
            await pilot.press("}")
            assert pilot.app.session.cursor == end
        await pilot.press("{", "{", "S")
        assert pilot.app.session.cursor == ends[0] - 1
        shown = text_of(pilot.app)
        assert "SGD step 1, lr 0.1" in shown
        assert "net.0.weight: |grad|" in shown


async def test_the_persons_own_file_is_shown_with_the_part_lit(opened, text_of, files):
    async with opened(files["mlp summed up"], (160, 50)) as pilot:
        await pilot.press("s", "s", "s")
        shown = text_of(pilot.app)
        assert "h = self.net(x)" in shown
        assert "return torch.softmax(h / torch.sqrt(h.var(dim=1" in shown


async def test_a_recording_is_not_given_to_an_editor(opened, files):
    async with opened(files["by hand"]) as pilot:
        await pilot.press("E")
        assert "a recording is not edited" in pilot.app.session.notice


async def test_its_numbers_are_torchs_own_and_are_not_called_ours(opened, text_of, files):
    trace = open_recording(files["mlp summed up"])
    assert trace.heading.computed_by.startswith("torch 2.")
    async with opened(files["mlp summed up"], (160, 50)) as pilot:
        await pilot.press("f", "s")
        shown = text_of(pilot.app)
        assert f"recorded by {trace.heading.computed_by}" in shown.splitlines()[0]
        assert "torch itself was the" in shown
        assert " ours " not in shown


async def test_names_of_modules_inside_of_modules_are_told_apart(opened, text_of, tmp_path):
    with Recorder(tmp_path / "run.bp"):
        run_script(SCRIPTS["transformer_layer"])
    async with opened(tmp_path / "run.bp", (160, 200)) as pilot:
        trace = pilot.app.session.trace
        names = [f"{trace.label(node)}.grad" for node in trace.nodes.keeping_grad]
        lines = [line[90:] for line in text_of(pilot.app).splitlines()]
        assert len(names) > 8
        for name in names:
            assert sum(name[-36:] in line for line in lines) == 1, name


async def test_the_loss_is_a_line_by_iteration_and_a_click_goes_there(opened, text_of, files):
    trace = open_recording(files["mlp summed up"])
    starts = [pass_.start for pass_ in trace.passes if pass_.name.startswith("backward")]
    async with opened(files["mlp summed up"], (80, 24)) as pilot:
        line = pilot.app.screen.query_one(LossLine)
        assert text_of(pilot.app).splitlines()[-3].strip().startswith("loss 1/3")
        await pilot.click(line, offset=(line.size.width - 2, 0))
        assert pilot.app.session.cursor == starts[-1]
        assert "loss 3/3" in text_of(pilot.app)


async def test_a_scenario_has_no_line_of_losses(opened):
    async with opened("basic.yaml") as pilot:
        assert not pilot.app.screen.query_one(LossLine).display


async def test_a_norm_by_iteration_is_a_watch_of_a_parameter(opened, text_of, files):
    async with opened(files["mlp summed up"], (160, 50)) as pilot:
        await pilot.press("w", *["backspace"] * 30)
        await pilot.press(*"norm(net.0.weight.grad)", "enter")
        session = pilot.app.session
        assert session.stops.watches[0].text == "norm(net.0.weight.grad)"
        assert trouble_of(session.trace, session.stops.watches[0].text) == ""
