"""`check --yours`: what is printed, as text and as JSON, and the exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.oracle.yours.engines import MICROGRAD

from backprop_tui.cli import main

WRONG = MICROGRAD.replace("(1 - t**2)", "(1 - t)")
LINE = WRONG[: WRONG.index("(1 - t)")].count("\n") + 1


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path / "mine.py"


def test_a_mistake_is_told_with_its_line_its_text_and_its_name(
    mine: Path, capsys: pytest.CaptureFixture[str]
):
    mine.write_text(WRONG)
    assert main(["check", "--yours", "mine.py"]) == 1
    said = capsys.readouterr().out
    assert f"✗ mine.py: Value: rule, line {LINE}" in said
    assert f"{LINE} | self.grad += (1 - t) * out.grad" in said
    assert "factor forgotten" in said


def test_json_is_one_object_a_scenario_in_their_order(
    mine: Path, capsys: pytest.CaptureFixture[str]
):
    mine.write_text(WRONG)
    asked = ["-e", "x=2, y=x**2", "-e", "x=2, y=tanh(x)*3"]
    assert main(["check", "--json", "--yours", "mine.py:Value", *asked]) == 1
    right, wrong = map(json.loads, capsys.readouterr().out.splitlines())
    assert (right["ok"], right["verdict"], right["errors"]) == (True, None, [])
    assert (wrong["ok"], wrong["verdict"], wrong["line"], wrong["step"]) == (False, "rule", LINE, 4)
    assert "factor forgotten" in wrong["message"]


def test_by_itself_a_file_has_no_scenario_and_names_the_program(
    mine: Path, capsys: pytest.CaptureFixture[str]
):
    mine.write_text(WRONG)
    assert main(["check", "--json", "--yours", "mine.py"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["scenario"] is None
    assert "tanh(x)" in told["program"]
    assert main(["check", "--github", "--yours", "mine.py"]) == 1
    annotation = capsys.readouterr().out.splitlines()[-1]
    assert annotation.startswith(f"::error file=mine.py,line={LINE}::rule: ")
    assert annotation.endswith(f"(in {told['program']})")


def test_a_right_engine_is_said_to_be_right_and_what_it_does_not_have(
    mine: Path, capsys: pytest.CaptureFixture[str]
):
    mine.write_text(MICROGRAD)
    assert main(["check", "--yours", "mine.py"]) == 0
    said = capsys.readouterr().out
    assert "Value: right in" in said
    assert "it is not there: log, sigmoid" in said


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--yours", "none.py"], "there is no such file"),
        (["--yours", "mine.py:Other"], "there is no class `Other`"),
        (["--yours", "mine.py", "-e", "x=2, y=sin(x)"], "Value has no `sin`"),
        (["--yours", "mine.py", "-e", "x=2, y=x^2"], "`^` is not a power here"),
        (["--yours", "two.py"], "say which: FILE:A or FILE:B"),
    ],
)
def test_what_cannot_be_judged_is_told_and_exits_with_2(
    arguments: list[str], told: str, mine: Path, capsys: pytest.CaptureFixture[str]
):
    mine.write_text(MICROGRAD)
    mine.with_name("two.py").write_text(
        MICROGRAD.replace("Value", "A") + MICROGRAD.replace("Value", "B")
    )
    assert main(["check", *arguments]) == 2
    printed = capsys.readouterr()
    assert told in " ".join((printed.out + printed.err).split())
