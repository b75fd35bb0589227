"""A recording of a real run in the debugger: every key is answered, every step is drawn."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.recorder.hand_made import write
from tests.recorder.programs import SCRIPTS, run_script

from backprop_engine.recording.opened import open_recording
from backprop_recorder.recorder import Recorder
from backprop_tui.commands.table import COMMANDS

LEAVING = {"quit", "suspend_process", "edit_source", "save_picture"}
"""They end the app, leave it, or write a file."""
RECORDED = ("mlp", "mlp summed up", "nan_loss", "double_backward", "complex_numbers")


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("recordings")
    found = {"by hand": write(folder / "hand.bp")}
    for name in RECORDED:
        found[name] = folder / f"{name}.bp"
        with Recorder(found[name], values=0 if "summed" in name else 64):
            run_script(SCRIPTS[name.split(" ", maxsplit=1)[0]])
    return found


@pytest.mark.parametrize("name", ["by hand", *RECORDED])
async def test_every_key_is_answered(opened, files, name):
    async with opened(files[name], (120, 40)) as pilot:
        await pilot.press("f", "f", "s", "s")
        place, screens = pilot.app.session, len(pilot.app.screen_stack)
        for command in COMMANDS:
            if command.name in LEAVING or not command.keys:
                continue
            while len(pilot.app.screen_stack) > screens:
                await pilot.press("escape")
            pilot.app.session = place
            await pilot.press(command.keys[0])
            assert pilot.app.session is not None, command.name
    assert pilot.app.return_code in (0, None)


@pytest.mark.parametrize("name", ["mlp", "mlp summed up"])
async def test_every_step_is_drawn(opened, text_of, files, name):
    trace = open_recording(files[name])
    async with opened(files[name], (120, 40)) as pilot:
        for _ in range(len(trace)):
            await pilot.press("s")
        shown = text_of(pilot.app)
        assert "SGD.step" in shown
        await pilot.press("N", "N", "F")
        assert pilot.app.session.cursor < len(trace)


async def test_the_persons_own_file_is_shown_with_the_part_lit(opened, text_of, files):
    async with opened(files["mlp"], (160, 50)) as pilot:
        await pilot.press("s", "s", "s")
        shown = text_of(pilot.app)
        assert "h = self.net(x)" in shown
        assert "return torch.softmax(h / torch.sqrt(h.var(dim=1" in shown
