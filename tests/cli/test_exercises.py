"""`exercise` and `grade`: sheets are made, filled in and graded, and nothing in them is run."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from tests.thorough import share

from backprop_engine import load, record
from backprop_tui.headless.exercises.assignment import read_exercise
from backprop_tui.headless.exercises.sheet import written

EXERCISES = sorted((Path(__file__).parents[2] / "scenarios" / "exercises").glob("*.yaml"))
NEURON = "inputs: {x: 2, w: 3, b: 1}\ncompute: |\n  s = w*x + b\n  t = tanh(s)\n  y = t**3\n"


@cache
def solution() -> str:
    """The sheet of the neuron with its answers."""
    return written(read_exercise(EXERCISES[4]).assigned(7), 5, solved=True)


@pytest.fixture
def sheet():
    """A sheet of the neuron, its answers replaced by those given by step."""

    def make(name: str = "sheet.yaml", **answers: str) -> str:
        text = solution()
        for step, answer in answers.items():
            text = re.sub(rf"^  {step.strip('_')}: .*$", f"  {step.strip('_')}: {answer}", text,
                          flags=re.MULTILINE)  # fmt: skip
        Path(name).write_text(text, encoding="utf-8")
        return name

    return make


def graded(run, *sheets: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in run("grade", "--json", *sheets)[1].splitlines()]


def test_there_are_a_dozen_exercises_in_order_and_each_says_what_it_trains():
    assert len(EXERCISES) >= 12
    assert [path.name[:2] for path in EXERCISES] == [f"{n:02}" for n in range(1, 16)]
    for path in EXERCISES:
        scenario = load(path)
        assert "*Trains:*" in scenario.about
        assert scenario.hints
        assert len(record(scenario)) < 60, "that is too much to do by hand"


@pytest.mark.parametrize("path", EXERCISES, ids=lambda path: path.stem)
def test_the_solution_of_a_sheet_has_all_points(run, path):
    exercise = read_exercise(path)
    for seed in range(share(usual=1, thorough=10)):
        text = written(exercise.assigned(seed, attempt=0), 50, solved=True)
        Path("sheet.yaml").write_text(text, encoding="utf-8")
        code, out, complaint = run("grade", "sheet.yaml")
        assert (code, complaint) == (0, ""), out


def test_a_sheet_names_its_scenario_and_has_values_of_its_seed(run):
    first = run("exercise", "05-neuron", "--seed", "7")[1]
    assert first == run("exercise", str(EXERCISES[4]), "--seed", "7")[1]
    assert first != run("exercise", "05-neuron", "--seed", "8")[1]
    path = next(path for path in EXERCISES if path.stem == "05-neuron")
    assert f"sha256: {hashlib.sha256(path.read_bytes()).hexdigest()}\n" in first
    assert '\nexercise: "05-neuron.yaml"\nsha256: ' in first
    assert "\nseed: 7\nattempt: " in first
    assert "#   s = w1*x1 + w2*x2 + b" in first
    assert re.search(r"^#   x1 = \d\.\d$", first, re.MULTILINE)
    assert len(re.findall(r"^  \d+:$", first, re.MULTILINE)) == 5


def test_a_sheet_says_how_many_questions_it_asks(run):
    text = run("exercise", "05-neuron", "--seed", "8", "-n", "50")[1]
    assert "\nquestions: 7\n" in text
    assert len(re.findall(r"^  \d+:$", text, re.MULTILINE)) == 7


def test_a_sheet_says_how_what_has_no_name_is_made(run):
    text = run("exercise", "08-mean", "--seed", "3")[1]
    assert "  # L = mean(%2) sends to its operand %2 = e²\n  6:\n" in text
    assert "  # %2 = e² sends to its operand e\n  7:\n" in text


def test_a_solution_of_arrays_is_numbers_and_no_picture(run):
    text = run("exercise", "08-mean", "--seed", "3", "--solution")[1]
    assert "\n  6: [0.3333, 0.3333, 0.3333]\n" in text
    assert "#   ∂L/∂b: – → 2.83333\n" in text
    assert "█" not in text


def test_an_empty_sheet_has_no_points(run):
    Path("empty.yaml").write_text(run("exercise", "05-neuron", "--seed", "7")[1])
    code, out, _ = run("grade", "empty.yaml")
    assert code == 1
    assert "0 of 5  – – – – –  empty.yaml" in out
    assert "no answer" in out


def test_algebra_and_numbers_are_answers(run, sheet):
    name = sheet(_10="g*(1 - t**2)", _15="x2*upstream", _16="0.061")
    assert graded(run, name)[0]["points"] == 5


def test_a_mistake_is_named_and_costs_its_point(run, sheet):
    (told,) = graded(run, sheet(_10="1 - t**2"))
    assert not told["ok"]
    assert (told["points"], told["of"], told["errors"]) == (4, 5, [])
    answer = next(answer for answer in told["answers"] if answer["step"] == 10)
    assert answer["mistakes"] == ["upstream forgotten"]
    assert answer["answer"] == "1 - t**2"
    assert answer["points"] == 0
    assert "∂y/∂t was forgotten" in answer["message"]
    text = Path("sheet.yaml").read_text(encoding="utf-8").splitlines()
    assert text[answer["line"] - 1] == "  10: 1 - t**2"


def test_what_follows_from_a_wrong_answer_is_worth_half_a_point(run, sheet):
    # t sends 0.06824 to s, and s what it has to w2·x2.
    (told,) = graded(run, sheet(_10="-0.06824", _15="0.1638", _16="-0.06142"))
    points = {answer["step"]: answer["points"] for answer in told["answers"]}
    assert points == {8: 1, 10: 0, 15: 0.5, 16: 0.5, 18: 1}
    assert told["points"] == 3
    table = run("grade", "sheet.yaml")[1]
    assert "3 of 5  ✓ ✗ ½ ½ ✓  sheet.yaml" in table


def test_an_answer_that_cannot_be_read_is_told_and_the_others_count(run, sheet):
    (told,) = graded(run, sheet(_10="g*(1 - ", _15="foo", _16="[1, 2]", _18="__import__('os')"))
    messages = {answer["step"]: answer["message"] for answer in told["answers"]}
    assert "`(`" in messages[10]
    assert "unknown name `foo`" in messages[15]
    assert "shape" in messages[16]
    assert messages[18]
    assert told["points"] == 1


@pytest.mark.parametrize(
    "answer",
    [
        "9**9**9**9**9", "1e400", "x1.repeat(100000, 100000)", f"{'(' * 3000}x1{')' * 3000}",
        "open('/etc/passwd')", "().__class__", "lambda: 0", "nan", "-inf", "x1 if x1 else 2",
    ],
)  # fmt: skip
def test_a_hostile_answer_is_worth_nothing_and_does_nothing(run, sheet, answer):
    (told,) = graded(run, sheet(_10=json.dumps(answer)))
    points = {answer["step"]: answer["points"] for answer in told["answers"]}
    assert points == {8: 1, 10: 0, 15: 1, 16: 1, 18: 1}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("seed: 7", "seed: seven", "`seed` must be a whole number"),
        ("seed: 7", "seed: -7", "`seed` must be a whole number"),
        ("seed: 7", f"seed: {10**30}", "`seed` must be a whole number"),
        ("seed: 7", "", "the sheet has no `seed`"),
        ("seed: 7", "seed: 7\nsed: 8", "unknown key `sed`"),
        ("sha256: ", "sha256: 0", "has been changed since the sheet was made"),
        ("05-neuron.yaml", "../../etc/passwd", "there is no scenario"),
        ("05-neuron.yaml", "99-none.yaml", "there is no scenario `99-none.yaml`"),
        ("05-neuron.yaml", "01-chain.yaml", "is another one"),
        ("  10:", "  11:", "step 11 is not asked on this sheet"),
        ("  10:", "  ten:", "`ten` is no number of a step"),
        ("  10:", "  10: 3\n  10:", "10"),
        ("answers:", "answers: []\nother:", "unknown key `other`"),
    ],
)
def test_a_sheet_that_is_none_is_told_with_its_place(run, sheet, old, new, said):
    sheet("good.yaml")
    text = Path("good.yaml").read_text(encoding="utf-8")
    Path("bad.yaml").write_text(text.replace(old, new, 1), encoding="utf-8")
    code, out, complaint = run("grade", "bad.yaml", "good.yaml")
    assert code == 2
    assert re.match(r"bad\.yaml:\d+:\d+: ", complaint)
    assert said in complaint
    assert "5 of 5  ✓ ✓ ✓ ✓ ✓  good.yaml" in out
    assert "2 sheets; 100% of the points; 1 cannot be graded" in out


@pytest.mark.parametrize(
    "content", [b"", b"hello", b"\xff\xfe", b"- 1\n- 2", b"{" * 500, b"a: !!python/object:os {}"]
)
def test_a_file_that_is_no_sheet_is_told(run, content):
    Path("bad.yaml").write_bytes(content)
    code, _, complaint = run("grade", "bad.yaml")
    assert code == 2
    assert complaint.startswith("bad.yaml:1:")
    assert "Traceback" not in complaint
    (told,) = graded(run, "bad.yaml")
    assert not told["ok"]
    assert set(told["errors"][0]) == {"line", "column", "message"}


def test_a_missing_sheet_and_an_empty_folder_are_told(run):
    Path("empty").mkdir()
    code, _, complaint = run("grade", "nowhere.yaml", "empty")
    assert code == 2
    assert "nowhere.yaml:1:1: there is no such file" in complaint
    assert "empty:1:1: this is a folder, not a sheet" in complaint


def test_a_folder_of_sheets_is_graded_in_order_and_what_else_is_there_is_told(run, sheet):
    Path("class/anna_1").mkdir(parents=True)
    names = ["class/a.yaml", "class/anna_1/sheet.YML", "class/b.yaml.txt"]
    for name in (*reversed(names), "class/._a.yaml"):
        sheet(name)
    Path("class/mine.yaml").write_text(NEURON)
    Path("class/c.pdf").write_bytes(b"%PDF-1.7")
    code, out, complaint = run("grade", "--json", "class")
    assert [json.loads(line)["sheet"] for line in out.splitlines()] == names
    assert (code, complaint) == (0, "class: left out, as they are no sheets: c.pdf, mine.yaml\n")


TEN = "  10: 0.06824"


@pytest.mark.parametrize(
    "written",
    [
        "10: 0.06824", "  10:0.06824", "\t10 : 0.06824", "    10 = 0.06824", "  10. 0.06824",
        "  - 10:\u00a00.06824", "  10： 0,06824", "  10: “0.06824”", '  10: "0.06824',
        "  010: = .06824", "  10:\n      0.06824  # it: is", "  10: |\n    g*(1 -\n      t²)",
        "  10: %4.grad*2*t*(1-t**2)",
        "  10: tensor(0.0682, grad_fn=<MulBackward0>)", "  10: {}\n  10: 0.06824".format("?"),
    ],
)  # fmt: skip
def test_an_answer_may_be_written_as_it_comes(run, written):
    text = solution().replace(TEN, written)
    Path("a.yaml").write_bytes(text.replace("\n", "\r\n").encode("utf-8-sig"))
    assert run("grade", "a.yaml")[:2] == (
        0, "   5 of 5  ✓ ✓ ✓ ✓ ✓  a.yaml (05-neuron.yaml, seed 7)\n1 sheet; 100% of the points\n"
    )  # fmt: skip


@pytest.mark.parametrize(
    "written",
    ["@", "*x", "{0.06824}", "[1. 2.]\n   [3. 4.]]", "a: b", "!!python/object:os", "'", "\0"],
)  # fmt: skip
def test_what_is_no_answer_costs_no_other_answer(run, written):
    Path("a.yaml").write_text(solution().replace(TEN, f"  10: {written}"), encoding="utf-8")
    (told,) = graded(run, "a.yaml")
    assert {answer["step"]: answer["points"] for answer in told["answers"]} == {
        8: 1, 10: 0, 15: 1, 16: 1, 18: 1,
    }  # fmt: skip


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1", "cp1252", "utf-8-sig"])
def test_a_sheet_may_come_from_any_editor_and_with_its_lines_moved(run, encoding):
    head, _, answers = solution().replace("# A neuron", "# Jürg").partition("answers:")
    text = f"answers:{answers.replace('0.06824', 'g·(1-t²)')}{head}"
    kept = text if "utf" in encoding else re.sub("#   .*", "# ü", text)
    Path("a.yaml").write_bytes(kept.encode(encoding))
    assert run("grade", "a.yaml")[0] == 0


def test_grades_are_a_table_that_no_spreadsheet_runs(run, sheet):
    sheet("=cmd.yaml", _10="-0.06824")
    sheet("b.yaml")
    Path("c.yaml").write_text("no sheet")
    code, out, _ = run("grade", "--csv", "=cmd.yaml", "b.yaml", "c.yaml")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert code == 2
    assert rows[0]["sheet"] == "'=cmd.yaml"
    assert (rows[0]["points"], rows[0]["of"], rows[0]["mistakes"]) == ("4", "5", "sign")
    assert (rows[1]["points"], rows[1]["marks"]) == ("5", "✓✓✓✓✓")
    assert "c.yaml:1:1" in rows[2]["error"]


def test_a_report_for_junit_has_a_case_for_each_sheet(run, sheet):
    sheet("a.yaml", _10="-0.06824")
    sheet("b.yaml")
    assert run("grade", "--junit", "report.xml", "a.yaml", "b.yaml")[0] == 1
    suite = ET.fromstring(Path("report.xml").read_bytes())[0]
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    failure = suite.find("testcase/failure")
    assert failure is not None
    assert "the sign is the other one" in (failure.text or "")


@pytest.mark.parametrize(("written", "line"), [("  10:", 32), ("  10: ?", 32), ("", 24)])
def test_a_question_that_is_not_answered_has_its_line(run, written, line):
    Path("a.yaml").write_text(solution().replace(TEN, written), encoding="utf-8")
    (told,) = graded(run, "a.yaml")
    assert (told["answers"][1]["message"], told["answers"][1]["line"]) == ("no answer", line)
    run("grade", "--junit", "report.xml", "a.yaml")
    assert f"a.yaml:{line}: 10: t = tanh(s)" in Path("report.xml").read_text(encoding="utf-8")


def test_a_scenario_of_ones_own_is_an_exercise(run, scenario):
    scenario("mine.yaml", NEURON)
    code, text, _ = run("exercise", "mine.yaml", "--seed", "1", "-n", "2", "--solution")
    assert code == 0
    Path("sheet.yaml").write_text(text, encoding="utf-8")
    assert run("grade", "sheet.yaml")[0] == 0
    scenario("mine.yaml", NEURON.replace("3", "4"))
    assert "has been changed" in run("grade", "sheet.yaml")[2]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("inputs: {x: 2}\ncompute: y = x + 1\n", "there is nothing to ask"),
        ("inputs: {x: 2}\ncompute: y = x^2\n", "write `**`"),
    ],
)
def test_what_is_no_exercise_is_told(run, scenario, text, said):
    code, out, complaint = run("exercise", scenario("mine.yaml", text), "--seed", "1")
    assert (code, out) == (2, "")
    assert said in complaint


@pytest.mark.parametrize(
    "arguments",
    [("exercise", "05-neuron"), ("exercise", "05-neuron", "--seed", "-1"), ("grade",),
     ("exercise", "05-neuron", "--seed", "1", "-n", "0"), ("grade", "--json", "--csv", "a.yaml")],
)  # fmt: skip
def test_a_wrong_usage_is_told(run, arguments):
    code, out, complaint = run(*arguments)
    assert (code, out) == (2, "")
    assert complaint.startswith("usage: backprop-tui")


def test_a_changed_scenario_with_other_line_ends_is_the_same(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_bytes(NEURON.encode())
    first = read_exercise(path).sha256
    path.write_bytes(NEURON.replace("\n", "\r\n").encode())
    assert read_exercise(path).sha256 == first
