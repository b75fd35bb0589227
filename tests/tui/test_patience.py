"""Nothing that takes long keeps the screen from being there."""

from __future__ import annotations

import asyncio
import threading

import pytest
from tests.tui.stillness import impatient, nobody_waits
from textual.command import CommandPalette

from backprop_tui.app import opening_desk
from backprop_tui.opening import listing as opening
from backprop_tui.opening.listing import read_entry
from backprop_tui.screens import picker
from backprop_tui.screens.debugger import DebuggerScreen
from backprop_tui.screens.working import WorkingScreen

MILLION = """
inputs: {x: 1}
compute: |
  for i in range(250000):
    x = x*1.000001 + 0.000001
"""


async def until(condition):
    while not condition():
        await asyncio.sleep(0.005)


@pytest.fixture
def gate(monkeypatch):
    """Opened by the test: until then every reading takes time."""
    gate, read, entry = threading.Event(), opening_desk.read_session, opening.read_entry

    def waits(work):
        def waiting(target):
            with nobody_waits():
                gate.wait(60)
            return work(target)

        return waiting

    impatient(monkeypatch)
    monkeypatch.setattr(opening_desk, "read_session", waits(read))
    monkeypatch.setattr(picker, "read_entry", waits(entry))
    return gate


async def test_a_scenario_that_takes_long_says_so_until_then(opened, gate, tmp_path, text_of):
    path = tmp_path / "lesson.yaml"
    path.write_text("x=2, y=x**2")
    async with opened(path) as pilot:
        assert isinstance(pilot.app.screen, WorkingScreen)
        assert "esc stops" in text_of(pilot)
        gate.set()
        await until(lambda: isinstance(pilot.app.screen, DebuggerScreen))
        await pilot.pause()


async def test_keys_typed_while_a_scenario_is_read_are_heard_when_it_is_open(
    opened, gate, tmp_path
):
    (tmp_path / "lesson.yaml").write_text("x=2, y=x**2+3x+1")
    async with opened(tmp_path) as pilot:
        await pilot.press("enter", "s", "s", "g", "7", "enter", "S")
        assert isinstance(pilot.app.screen, WorkingScreen)
        gate.set()
        await until(lambda: isinstance(pilot.app.screen, DebuggerScreen))
        await pilot.pause()
        await until(lambda: pilot.app.session.cursor == 6)


async def test_no_palette_stands_before_a_scenario_that_is_read_by_then(opened, gate, tmp_path):
    path = tmp_path / "lesson.yaml"
    path.write_text("x=2, y=x**2")
    async with opened(path) as pilot:
        await pilot.press("ctrl+p")
        gate.set()
        await until(lambda: isinstance(pilot.app.screen, DebuggerScreen))
        await pilot.press("ctrl+p")
        assert isinstance(pilot.app.screen, CommandPalette)


async def test_while_a_scenario_is_read_q_leaves_at_once(opened, gate, tmp_path):
    path = tmp_path / "lesson.yaml"
    path.write_text("x=2, y=x**2")
    async with opened(path) as pilot:
        await pilot.press("q")
        await until(lambda: not pilot.app.is_running)
    assert not gate.is_set()


async def test_escape_leads_from_what_is_still_read_back_to_the_list(
    opened, gate, tmp_path, monkeypatch
):
    (tmp_path / "one.yaml").write_text("x=2, y=x**2")
    async with opened(tmp_path) as pilot:
        await pilot.press("enter")
        assert isinstance(pilot.app.screen, WorkingScreen)
        await pilot.press("escape")
        assert isinstance(pilot.app.screen, picker.PickerScreen)
        gate.set()
        await pilot.pause()
        assert isinstance(pilot.app.screen, picker.PickerScreen)


def test_a_folders_own_scenarios_come_before_those_of_the_folders_in_it(tmp_path):
    for name in ("b.yaml", "a/1.yaml", "c.yml", "c/2.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    groups = opening.listed(tmp_path)
    found = [str(path.relative_to(tmp_path)) for group in groups for path in group.paths]
    assert found == ["b.yaml", "c.yml", "a/1.yaml", "c/2.yaml"]


async def test_a_list_is_there_before_its_scenarios_are_read(opened, gate, tmp_path, text_of):
    for name in ("one", "two"):
        (tmp_path / f"{name}.yaml").write_text(f"title: The {name}\ncompute: y = 2\n")
    (tmp_path / "three.yaml").write_text("title: The three\ncompute: y = 2 +\n")
    async with opened(tmp_path) as pilot:
        assert "3 files" in text_of(pilot)
        assert "The one" not in text_of(pilot)
        gate.set()
        await until(lambda: all(f"The {name}" in text_of(pilot) for name in ("one", "two")))
        assert "three.yaml:2" in text_of(pilot)


def test_a_list_does_not_run_a_long_scenario_to_its_end(tmp_path, monkeypatch):
    monkeypatch.setattr(opening, "LISTING", 0.01)
    path = tmp_path / "long.yaml"
    path.write_text(MILLION)
    assert read_entry(path) == opening.Entry(path, "long", "")


def test_of_a_large_file_a_list_gives_the_name(tmp_path, monkeypatch):
    monkeypatch.setattr(opening, "LONG", 10)
    path = tmp_path / "large.yaml"
    path.write_text("title: Never read\ncompute: y = 2 +\n")
    assert read_entry(path) == opening.unread(path)


def test_of_a_file_that_cannot_be_looked_at_a_list_says_why(tmp_path):
    entry = read_entry(tmp_path / f"{'x' * 300}.yaml")
    assert "File name too long" in entry.error
