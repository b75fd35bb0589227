"""`backprop-tui export`: what is written, and what is refused, with what to do instead."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.recorder.hand_made import write

from backprop_tui.cli import main
from backprop_tui.headless import export

ONE_LINE = ["-e", "x=2, y=x**2+3x+1"]


def test_the_ending_says_what_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for ending, start in ((".html", b"<!doctype html>"), (".json", b'{"backprop": 2')):
        file = tmp_path / f"lesson{ending}"
        assert main(["export", *ONE_LINE, "-o", str(file)]) == 0
        assert file.read_bytes().startswith(start)
    assert main(["export", *ONE_LINE, "-o", str(tmp_path / "lesson.txt")]) == 2
    assert "it may be .html, .json" in capsys.readouterr().err
    assert len(list(tmp_path.iterdir())) == 2


def test_a_stretch_is_chosen_by_its_ends(tmp_path: Path) -> None:
    file = tmp_path / "lesson.json"
    assert main(["export", "--from", "4", "-o", str(file), *ONE_LINE, "--to", "6"]) == 0
    assert [step["step"] for step in json.loads(file.read_bytes())["steps"]] == [4, 5]


@pytest.mark.parametrize("ends", [("8", "4"), ("0", "99"), ("10", "10")])
def test_a_stretch_that_is_none_is_refused(
    ends: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, last = ends
    file = str(tmp_path / "lesson.html")
    assert main(["export", *ONE_LINE, "-o", file, "--from", first, "--to", last]) == 2
    assert "this run has the steps 0 to 10" in capsys.readouterr().err


def test_what_is_too_long_to_look_at_is_refused_with_a_stretch_to_choose(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "MOST_STEPS", 5)
    assert main(["export", *ONE_LINE, "-o", str(tmp_path / "lesson.html")]) == 2
    assert "`--from 0 --to 5`" in capsys.readouterr().err
    assert main(["export", *ONE_LINE, "-o", str(tmp_path / "lesson.json")]) == 0


def test_a_file_that_cannot_be_written_and_a_scenario_that_cannot_be_read_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", *ONE_LINE, "-o", str(tmp_path / "none" / "lesson.html")]) == 1
    assert "cannot be written: No such file" in capsys.readouterr().err
    assert main(["export", "-e", "x=", "-o", str(tmp_path / "lesson.html")]) == 2
    assert "<-e>:1:2: nothing follows this `=`" in capsys.readouterr().err
    assert main(["export", "-o", str(tmp_path / "lesson.html")]) == 2
    assert "one scenario or recording" in capsys.readouterr().err


def test_only_a_page_asks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", *ONE_LINE, "--quiz", "-o", str(tmp_path / "quiz.html")]) == 0
    assert b"judge" in (tmp_path / "quiz.html").read_bytes()
    assert main(["export", *ONE_LINE, "--quiz", "-o", str(tmp_path / "quiz.md")]) == 2
    assert "only a page asks" in capsys.readouterr().err


@pytest.mark.parametrize("ending", ["html", "json", "md", "tex"])
def test_a_recording_keeps_its_source_to_itself_unless_asked(ending: str, tmp_path: Path) -> None:
    recording = str(write(tmp_path / "run.bp"))
    file = tmp_path / f"run.{ending}"
    assert main(["export", recording, "-o", str(file)]) == 0
    assert b"a * b" not in file.read_bytes()
    assert str(tmp_path).encode() not in file.read_bytes()
    assert main(["export", recording, "-o", str(file), "--source"]) == 0
    assert (b"a * b" in file.read_bytes()) == (ending in ("html", "json"))


def test_a_recording_cannot_ask(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recording = str(write(tmp_path / "run.bp"))
    assert main(["export", recording, "--quiz", "-o", str(tmp_path / "run.html")]) == 2
    assert "a quiz needs a scenario: a recording cannot be run again" in capsys.readouterr().err


def test_a_picture_is_that_of_the_step_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backprop_tui.app.still.still", lambda trace, cursor: f"step {cursor}")
    file = tmp_path / "step.svg"
    assert main(["export", *ONE_LINE, "--from", "10", "-o", str(file)]) == 0
    assert file.read_text() == "step 10"
    assert main(["export", *ONE_LINE, "--from", "11", "-o", str(file)]) == 2
    assert "this run has the steps 0 to 10" in capsys.readouterr().err
