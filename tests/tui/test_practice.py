"""What is due is practised: boxes, the exercise that is drawn, and one after another."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from tests.tui.conftest import Agreeing, Formulas

from backprop_tui.app.app import DebuggerApp
from backprop_tui.cli import main
from backprop_tui.memory import boxes
from backprop_tui.memory.boxes import RESTS, Box, Boxes
from backprop_tui.opening.practice import Course
from backprop_tui.screens.predict import PredictPrompt

TODAY = date(2026, 1, 5)
CUBE = "inputs: {x: 2}\ncompute: |\n  y = x**3\nbackward: y\n"
TANH = "inputs: {x: 2}\ncompute: |\n  y = tanh(x)*3\nbackward: y\n"


def in_days(count: int) -> date:
    return TODAY + timedelta(count)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "1-cube.yaml").write_text(CUBE)
    (tmp_path / "set" / "2-tanh.yaml").write_text(TANH)
    (tmp_path / "set" / "3-bad.yaml").write_text("inputs: {x: 2}\ncompute: y = z\n")
    return tmp_path / "set"


def course_of(folder: Path, today: date = TODAY) -> Course:
    return Course(folder, folder.parent / "state", lambda: today)


def test_what_is_avoided_rests_longer_each_time_and_what_is_made_is_due_the_next_day():
    now = Boxes()
    for box, days in enumerate(RESTS, start=1):
        now = Boxes(now.moved({"sign": True}, TODAY))
        assert now.kinds["sign"] == Box(box, in_days(days))
    assert now.moved({"sign": True}, TODAY)["sign"].number == len(RESTS)
    assert now.moved({"sign": False}, TODAY)["sign"] == Box(1, in_days(1))


def test_what_has_waited_longest_is_due_first():
    lying = Boxes({"a": Box(2, in_days(-1)), "b": Box(1, in_days(-3)), "c": Box(1, in_days(1))})
    assert lying.due(TODAY) == ["b", "a"]
    assert lying.next_due(["a", "c"]) == in_days(-1)
    assert Boxes().next_due(["a"]) is None


def test_boxes_are_kept_beside_what_another_program_has_moved(tmp_path):
    boxes.write(tmp_path, {"sign": Box(2, TODAY)}, 3)
    boxes.write(tmp_path, {"mask": Box(1, TODAY)}, 1)
    kept, trouble = boxes.read(tmp_path)
    assert kept == Boxes({"sign": Box(2, TODAY), "mask": Box(1, TODAY)}, 3)
    assert not trouble


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"version": 1}', '{"version": 1, "kinds": {"a": [9, "x"]}, "rounds": 1}'],
)
def test_a_damaged_file_is_set_aside_and_told(tmp_path, text):
    (tmp_path / "practice.json").write_text(text)
    kept, trouble = boxes.read(tmp_path)
    assert kept == Boxes()
    assert trouble.startswith("the boxes were set aside, it ")
    assert (tmp_path / "practice.json.broken").read_text() == text


def test_a_file_that_cannot_be_read_is_told_and_left(tmp_path):
    (tmp_path / "practice.json").mkdir()
    assert "cannot be read" in boxes.read(tmp_path)[1]


def drawn_from(course: Course, count: int) -> list[str]:
    drawn = [course.draw() for _ in range(count)]
    return [Path(trace.heading.name).name for trace in drawn if trace is not None]


def test_exercises_are_drawn_in_their_order_until_each_was_and_with_values_of_their_own(folder):
    assert drawn_from(course_of(folder), 3) == ["1-cube.yaml", "2-tanh.yaml", "1-cube.yaml"]
    course = course_of(folder)
    assert len({float(course.draw().nodes.value[0]) for _ in range(8)}) > 2


def test_what_has_waited_longest_is_trained_before_what_is_new(folder):
    boxes.write(folder.parent / "state", {"factor-forgotten": Box(1, TODAY)}, 1)
    assert drawn_from(course_of(folder), 2) == ["2-tanh.yaml", "2-tanh.yaml"]
    assert drawn_from(course_of(folder, in_days(-1)), 1) == ["1-cube.yaml"]


def test_where_all_rests_it_is_said_until_when(folder):
    rested = dict.fromkeys(course_of(folder).kinds, Box(2, in_days(9)))
    boxes.write(folder.parent / "state", {**rested, "sign": Box(1, in_days(3))}, 1)
    assert course_of(folder).draw() is None
    assert course_of(folder).nothing_due == "nothing is due until 2026-01-08"
    assert course_of(folder, in_days(3)).nothing_due == ""


async def test_exercises_come_one_after_another_and_answers_move_the_boxes(folder, text_of):
    state = folder.parent / "state"
    app = DebuggerApp(folder, oracle=Agreeing(), symbolic=Formulas(), course=course_of(folder))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert (
            "s asks, step by step, at values of its own; esc goes on to another exercise"
            in text_of(pilot)
        )
        assert not app.opening.has_list
        await pilot.press("s", "s", *"x", "asterisk", "asterisk", "2", "enter")
        await pilot.press("home", "3", "asterisk", "enter")
        await pilot.pause()
        assert "y sends" in text_of(pilot)
        assert "done, 0/1 · streak 0: esc goes on" in text_of(pilot)
        kept = json.loads((state / "practice.json").read_text())["kinds"]
        assert kept["exponent"] == [1, "2026-01-06"]
        await pilot.press("escape")
        await pilot.pause()
        assert app.session.trace.heading.name.rpartition("/")[2] == "2-tanh.yaml"
        await pilot.press("f")
        assert isinstance(app.screen, PredictPrompt)


async def test_where_nothing_is_due_any_more_it_is_left_with_a_word(folder):
    course = course_of(folder)
    boxes.write(folder.parent / "state", dict.fromkeys(course.kinds, Box(1, in_days(1))), 1)
    app = DebuggerApp(folder, oracle=Agreeing(), course=course_of(folder))
    async with app.run_test() as pilot:
        await pilot.pause()
    assert app.return_value == "nothing is due until 2026-01-06"


def test_the_command_says_when_something_is_due(folder, monkeypatch, capsys):
    monkeypatch.setattr("backprop_tui.config.folders.state_folder", lambda: folder.parent / "state")
    tomorrow = datetime.now().astimezone().date() + timedelta(1)
    lying = dict.fromkeys(course_of(folder).kinds, Box(1, tomorrow))
    boxes.write(folder.parent / "state", lying, 1)
    assert main(["practice", str(folder)]) == 0
    assert capsys.readouterr().out == f"nothing is due until {tomorrow}\n"


def test_the_command_wants_a_folder_with_something_to_ask_and_a_terminal(
    folder, monkeypatch, capsys
):
    monkeypatch.setattr("backprop_tui.config.folders.state_folder", lambda: folder.parent / "state")
    assert main(["practice", "nowhere"]) == 2
    assert "nowhere: there is no such folder" in capsys.readouterr().err
    assert main(["practice", str(folder.parent / "state")]) == 2
    assert main(["practice", str(folder)]) == 2
    assert "the screen needs a terminal" in capsys.readouterr().err
