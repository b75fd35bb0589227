"""The debugger as a visitor has it."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.recorder.hand_made import write
from textual import events

from backprop_tui.memory.keeper import Keeper
from backprop_tui.screens.debugger import DebuggerScreen
from backprop_tui.screens.picker import PickerScreen
from backprop_tui.screens.problem import ProblemScreen
from backprop_tui.serving.app import ServedApp
from backprop_tui.serving.reach import Reach
from backprop_tui.view.messages import ScenarioChosen


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "lessons"
    place.mkdir()
    (place / "basic.yaml").write_text("title: Basic\ninputs: {x: 2}\ncompute: y = x*x\n")
    (place / "train.py").write_text("import torch\nx = torch.tensor(2.0)\n")
    write(place / "run.bp")
    (tmp_path / "secret.yaml").write_text("title: Secret\ninputs: {x: 2}\ncompute: y = x*x\n")
    (place / "linked.yaml").symlink_to(tmp_path / "secret.yaml")
    return place


@pytest.fixture
def app(folder, tmp_path, agreeing, formulas) -> ServedApp:
    keeper = Keeper(tmp_path / "state", "textual-dark")
    return ServedApp(
        Reach(folder, tmp_path / "state"), oracle=agreeing, symbolic=formulas, keeper=keeper
    )


async def test_a_folder_lists_scenarios_and_recordings_only(app, text_of):
    async with app.run_test(size=(100, 24)) as pilot:
        await pilot.pause()
        shown = text_of(pilot)
        assert "2 files in" in shown
        assert "basic.yaml" in shown
        assert "run.bp" in shown
        assert "train" not in shown
        assert "linked" not in shown


@pytest.mark.parametrize("name", ["lessons/train.py", "lessons/linked.yaml", "secret.yaml"])
async def test_what_is_not_served_is_refused_however_it_is_asked_for(app, text_of, tmp_path, name):
    async with app.run_test(size=(100, 24)) as pilot:
        await pilot.pause()
        app.post_message(ScenarioChosen(tmp_path / name))
        await pilot.pause()
        assert isinstance(app.screen, ProblemScreen)
        assert "this is not served" in text_of(pilot)
        assert str(tmp_path) not in text_of(pilot)
        await pilot.press("R", "y", "escape")
        assert isinstance(app.screen, PickerScreen)


@pytest.mark.parametrize("action", ["edit_source", "save_picture", "suspend_process"])
async def test_neither_editor_nor_file_is_to_be_had(
    app, text_of, folder, action, monkeypatch, tmp_path
):
    monkeypatch.chdir(folder)
    monkeypatch.setenv("EDITOR", f"touch {tmp_path / 'edited'}")
    async with app.run_test(size=(100, 24)) as pilot:
        await pilot.press("enter")
        assert isinstance(app.screen, DebuggerScreen)
        await app.run_action(action)
        await pilot.pause()
        assert "this session is served" in text_of(pilot)
    assert {path.suffix for path in folder.iterdir()} == {".yaml", ".py", ".bp"}
    assert not (tmp_path / "edited").exists()


async def test_the_palette_says_what_is_not_to_be_had(app, text_of):
    async with app.run_test(size=(100, 24)) as pilot:
        await pilot.press("enter", "ctrl+p", *"edit the scen")
        await app.workers.wait_for_complete()
        await pilot.pause()
        assert "not here: this session is served: the editor belongs to" in text_of(pilot)


async def test_keys_are_heard_without_a_click(app):
    async with app.run_test(size=(100, 24)) as pilot:
        await pilot.press("enter")
        app.post_message(events.AppBlur())
        await pilot.press("s")
        assert app.session is not None
        assert app.session.cursor == 1
