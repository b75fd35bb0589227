"""The list of a folder: groups, file names, what was opened last, and a filter as one types."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.recorder.hand_made import write

from backprop_tui.app.app import DebuggerApp
from backprop_tui.memory.keeper import Keeper, recent, remember
from backprop_tui.opening.listing import Entry, fitting, listed, read_entry
from backprop_tui.screens.debugger import DebuggerScreen
from backprop_tui.screens.picker import PickerScreen


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "lessons"
    (place / "gallery").mkdir(parents=True)
    (place / "basic.yaml").write_text(
        "title: Basic\nabout: A first one.\ninputs: {x: 2}\ncompute: y = x*x\n"
    )
    (place / "gallery" / "norm.yaml").write_text("title: A norm at 0\ncompute: y = 3\n")
    (place / "program.py").write_text(
        "import torch\nx = torch.tensor([2.0], requires_grad=True)\ny = x**2\ny.backward()\n"
    )
    (place / "train.py").write_text("import os\n\nos.fork()\n")
    write(place / "run.bp")
    return place


def names(groups):
    return {name: [path.name for path in paths] for name, paths in groups}


def test_groups_are_the_folders_then_recordings_then_scripts(folder):
    assert names(listed(folder)) == {
        "scenarios": ["basic.yaml"],
        "gallery": ["norm.yaml"],
        "recordings": ["run.bp"],
        "scripts": ["program.py", "train.py"],
    }


def test_what_was_opened_last_of_the_folder_stands_first_and_where_it_belongs(folder, tmp_path):
    other = tmp_path / "other.yaml"
    groups = listed(folder, [folder / "run.bp", other, folder / "gone.yaml"])
    assert names(groups)["opened last"] == ["run.bp"]
    assert names(groups)["recordings"] == ["run.bp"]


def test_a_script_that_is_no_scenario_is_not_marked_as_broken(folder):
    assert read_entry(folder / "train.py").error == ""
    assert "backprop-tui run" in read_entry(folder / "train.py").summary
    assert "read as a scenario" in read_entry(folder / "program.py").summary
    assert read_entry(folder / "run.bp").summary.startswith("a recording of ")


def test_every_word_is_to_be_found_in_title_file_folder_or_first_words():
    entries = [
        Entry(Path("a/gallery/29-norm-at-zero.yaml"), "A length at 0", "One might think"),
        Entry(Path("a/basic.yaml"), "Basic", "How fast"),
    ]
    for query, found in (("NORM", [0]), ("gallery think", [0]), ("a", [0, 1]), ("norm fast", [])):
        assert list(fitting(entries, query)) == [entries[at] for at in found]


def test_the_latest_is_first_and_what_cannot_be_read_is_nothing(tmp_path):
    for name in ("a", "b", "a"):
        remember(tmp_path, Path("/somewhere") / name)
    assert [path.name for path in recent(tmp_path)] == ["a", "b"]
    (tmp_path / "recent.json").write_text("[1]")
    assert recent(tmp_path) == ()


async def test_letters_filter_and_enter_opens_what_is_left(opened, text_of, folder):
    async with opened(folder) as pilot:
        shown = text_of(pilot)
        assert [w for w in ("scenarios", "gallery", "recordings", "scripts") if w in shown]
        assert "norm.yaml" in shown
        await pilot.press("n", "o", "r")
        shown = text_of(pilot)
        assert "1 of 5 files" in shown
        assert "basic.yaml" not in shown
        await pilot.press("escape")
        assert "basic.yaml" in text_of(pilot)
        await pilot.press("slash", *"run", "enter")
        assert isinstance(pilot.app.screen, DebuggerScreen)
        await pilot.press("escape")
        assert isinstance(pilot.app.screen, PickerScreen)


async def test_arrows_choose_while_one_types_and_nothing_found_opens_nothing(
    opened, text_of, folder
):
    async with opened(folder) as pilot:
        await pilot.press(*"y", "down", "down")
        chosen = pilot.app.screen.query_one("Choices").highlighted
        assert chosen is not None
        await pilot.press(*"zzz", "enter")
        assert isinstance(pilot.app.screen, PickerScreen)
        assert "0 of 5 files" in text_of(pilot)


async def test_what_is_opened_is_remembered(folder, tmp_path, agreeing, formulas):
    keeper = Keeper(tmp_path / "state", "textual-dark")
    app = DebuggerApp(folder / "basic.yaml", oracle=agreeing, symbolic=formulas, keeper=keeper)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
    assert [path.name for path in keeper.recent] == ["basic.yaml"]
