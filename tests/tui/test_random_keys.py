"""Keys pressed at random, texts typed at random, terminals of any size: the app stays up."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from tests.thorough import share

from backprop_engine.basics.source import Source
from backprop_tui.commands.table import COMMANDS

SCENARIOS = Path(__file__).parents[2] / "scenarios"
LESSONS = Path(__file__).parent / "lessons"
SIZES = [(80, 24), (1, 1), (3, 2), (20, 5), (39, 9), (120, 40)]
TYPED = ["7", "percent_sign", "plus", "minus", "x", "y", "less_than_sign", "left_parenthesis", "0"]
OTHERS = ["escape", "enter", "tab", "shift+tab", "up", "down", "left", "right", "home", "end",
          "pageup", "pagedown", "backspace", "delete", "f1", "ctrl+a", "ctrl+e"]  # fmt: skip
LEAVING = {"q", "ctrl+c", "ctrl+q", "E"}
"""They end the app, or start an editor."""


def keys() -> list[str]:
    """Every key that means something, but for those that end the app."""
    bound = [key for command in COMMANDS for key in command.keys]
    return sorted({*bound, *TYPED, *OTHERS} - LEAVING)


@pytest.mark.usefixtures("every_frame")
@pytest.mark.parametrize(
    ("seed", "target"),
    [
        (1, SCENARIOS / "basic.yaml"),
        (2, SCENARIOS / "lesson-09-accumulate.yaml"),
        (3, SCENARIOS / "lesson-10-network.yaml"),
        (4, Source("<-e>", "x=0, y=log(x)*0 + 1/x")),
        (5, LESSONS / "folder"),
    ][:: share(usual=2, thorough=1)],
)
async def test_the_app_stays_up(opened, seed, target):
    random, all_keys = Random(seed), keys()
    async with opened(target) as pilot:
        for _ in range(3):
            await pilot.press(*random.choices(all_keys, k=12))
            await pilot.resize_terminal(*random.choice(SIZES))
            if not pilot.app.is_running:  # `escape` leaves the list of scenarios
                break
        assert not pilot.app.return_code
