"""Python programs in the list and on the command line: nothing of them runs unasked."""

from __future__ import annotations

from pathlib import Path

import pytest

from backprop_tui.arguments.commands import open_parser
from backprop_tui.screens.picker import PickerScreen
from backprop_tui.screens.problem import ProblemScreen

NEEDS_PYTHON = "import pathlib\npathlib.Path(__file__ + '.ran').touch()\ndef f(x):\n    return x\n"
READABLE = "import torch\nx = torch.tensor(2.0, requires_grad=True)\ny = x * x\ny.backward()\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "train.py").write_text(NEEDS_PYTHON)
    return tmp_path


async def test_a_program_in_the_list_is_asked_about_and_not_run(opened, text_of, folder):
    async with opened(folder) as pilot:
        await pilot.pause()
        assert "a Python script: backprop-tui run records" in text_of(pilot.app)
        await pilot.press("enter")
        assert isinstance(pilot.app.screen, ProblemScreen)
        assert "Run it, and record what it really does? y/N" in text_of(pilot.app)
        for answer in ("n", "N", "escape"):
            await pilot.press(answer)
            assert isinstance(pilot.app.screen, PickerScreen)
            await pilot.press("enter")
            assert isinstance(pilot.app.screen, ProblemScreen)
    assert [path.name for path in folder.iterdir()] == ["train.py"]


@pytest.mark.parametrize("line", ["class A: pass", "def f(x): return x", "if True: y = 1"])
async def test_a_program_given_as_an_expression_is_not_run(opened, text_of, tmp_path, line):
    program = tmp_path / "train.py"
    program.write_text(f"{NEEDS_PYTHON.partition('def')[0]}{line}\n")
    (target,) = open_parser().parse_args(["-e", f"@{program}"]).targets
    async with opened(target) as pilot:
        assert isinstance(pilot.app.screen, ProblemScreen)
        assert "Run it, and record what it really does? y/N" in text_of(pilot.app)
        await pilot.press("n")
    assert pilot.app.return_value is None
    assert list(tmp_path.iterdir()) == [program]


async def test_y_leaves_with_the_program_to_run(opened, folder):
    async with opened(folder / "train.py") as pilot:
        await pilot.press("y")
    assert pilot.app.return_value == folder / "train.py"
    assert [path.name for path in folder.iterdir()] == ["train.py"]


async def test_a_program_that_is_read_is_opened(opened, text_of, tmp_path):
    (tmp_path / "small.py").write_text(READABLE)
    async with opened(tmp_path) as pilot:
        await pilot.press("enter")
        assert pilot.app.session is not None
        await pilot.press("y")
        assert pilot.app.return_value is None


async def test_a_scenario_that_is_refused_is_not_offered_to_python(opened, text_of, tmp_path):
    (tmp_path / "bad.yaml").write_text("inputs: {x: 2}\ncompute: y = x +\n")
    async with opened(tmp_path / "bad.yaml") as pilot:
        assert "y/N" not in text_of(pilot.app)
        await pilot.press("y")
        assert pilot.app.return_value is None
