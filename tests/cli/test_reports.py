"""`check --junit FILE` and `check --github`: what other programs are told, and cannot be told."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from tests.oracle.yours.engines import MICROGRAD
from tests.recorder.hand_made import write

from backprop_tui.headless import run as headless
from backprop_tui.headless.reports import Case, Fault, disarmed, github_lines, junit

BASIC = "inputs: {x: 2}\ncompute: y = x**2 + 3x + 1\n"
WRONG = "inputs: {x: 2}\ncompute: y = x**2\nexpect:\n  y: 4\n  x.grad: 3\n"
BROKEN = "inputs: {x: 2}\ncompute: y = x^2\n"
EVIL = "::add-mask::2 ##[add-mask]3 %0A::error::\x1b[31m\x07\u202e\ud800\ufffe]]>&<\"'"
QUICK = ("--no-torch", "--no-symbolic")

# What the schema of Ant's JUnit task wants of each element: attributes, and children in order.
SCHEMA = {
    "testsuites": (set(), ["testsuite"]),
    "testsuite": (
        {"name", "package", "id", "timestamp", "hostname", "tests", "failures", "errors", "time"},
        ["properties", "testcase", "system-out", "system-err"],
    ),
    "testcase": ({"name", "classname", "time"}, ["error", "failure"]),
    "error": ({"type", "message"}, []),
    "failure": ({"type", "message"}, []),
    "properties": (set(), []),
    "system-out": (set(), []),
    "system-err": (set(), []),
}


def commands_in(text: str) -> list[str]:
    """What GitHub's runner takes for a command: at the start of a line, or `##[` in it."""
    found = []
    for line in text.splitlines():
        command, is_ended, _ = line.lstrip().removeprefix("::").partition("::")
        if line.lstrip().startswith("::") and is_ended:
            found.append(command)
        elif "##[" in line:
            found.append(line)
    return found


def report(path: str = "report.xml") -> ET.Element:
    suites = ET.fromstring(Path(path).read_bytes())
    for element in suites.iter():
        attributes, children = SCHEMA[element.tag]
        assert set(element.attrib) == attributes
        tags = [child.tag for child in element]
        assert sorted(tags, key=children.index) == tags
    (suite,) = suites
    cases = suite.findall("testcase")
    assert all(len(case) <= 1 for case in cases)
    assert int(suite.attrib["tests"]) == len(cases)
    assert int(suite.attrib["failures"]) == len(suite.findall("testcase/failure"))
    assert int(suite.attrib["errors"]) == len(suite.findall("testcase/error"))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", suite.attrib["timestamp"])
    return suite


def told(suite: ET.Element) -> dict[str, tuple[str, str]]:
    """By name: what a case is, and what is said of it."""
    return {
        case.attrib["name"]: (case[0].tag, str(case[0].text)) if len(case) else ("ok", "")
        for case in suite.findall("testcase")
    }


def test_every_scenario_is_a_test_case_with_the_places_of_what_is_off(run, scenario):
    names = [scenario("a.yaml", BASIC), scenario("b.yaml", WRONG), scenario("c.yaml", BROKEN)]
    code, out, _ = run("check", *QUICK, *names, "-e", "x=2, y=q(x)", "--junit", "report.xml")
    assert code == 2
    assert "4 scenarios, 1 ok, 1 failed, 2 bad" in out
    assert told(report()) == {
        "a.yaml": ("ok", ""),
        "b.yaml": ("failure", "b.yaml:5:3: expect: expected x.grad = 3, but it is 4"),
        "c.yaml": ("error", "c.yaml:2:15: `^` is not a power here; write `**`"),
        "x=2, y=q(x)": ("error", "1:8: unknown function `q`; did you mean `eq`?"),
    }


def test_github_marks_the_line_of_a_file_that_is_off(run, scenario):
    names = [scenario("a.yaml", BASIC), scenario("a,b:c%.yaml", WRONG)]
    code, out, _ = run("check", "--github", *QUICK, *names, "-e", "x=2, y=q(x)", "no.yaml")
    assert code == 2
    assert [line for line in out.splitlines() if line.startswith("::")] == [
        "::error file=a%2Cb%3Ac%25.yaml,line=5,col=3::expect: expected x.grad = 3, but it is 4",
        "::error::x=2, y=q(x): unknown function `q`; did you mean `eq`?",
        "::error file=no.yaml::there is no such file",
    ]
    assert "✓ a.yaml" in out


def test_what_an_oracle_says_of_a_gradient_stands_at_its_input(run, scenario):
    scenario("a.yaml", BASIC + "disagrees: {x: [finite_difference]}\n")
    code, out, _ = run("check", "--github", *QUICK, "a.yaml")
    assert code == 1
    assert "::error file=a.yaml,line=1,col=10::finite difference: agrees with the engine" in out


def test_a_recording_is_a_test_case_with_the_lines_of_its_program(run, tmp_path):
    write(tmp_path / "run.bp")
    code, out, _ = run("check", "run.bp", "--github", "--junit", "report.xml")
    assert code == 1
    ((kind, text),) = told(report()).values()
    assert kind == "failure"
    assert text.startswith("train.py:2: Cube.backward: by argument 1 at [0, 2] it has 3")
    assert "::error file=train.py,line=2::Cube.backward: by argument" in out
    assert "✗ something is off" in out


def test_a_recording_that_cannot_be_read_is_an_error(run, tmp_path):
    Path("run.bp").write_bytes(b"BPREC\r\n\x1a" + bytes(56))
    assert run("check", "run.bp", "--junit", "report.xml")[0] == 2
    assert [kind for kind, _ in told(report()).values()] == ["error"]


def test_an_engine_of_ones_own_is_marked_at_the_line_of_its_mistake(run):
    text = MICROGRAD.replace("(1 - t**2)", "(1 - t)")
    Path("mine.py").write_text(text)
    line = text[: text.index("(1 - t)")].count("\n") + 1
    asked = ["-e", "x=2, y=tanh(x)", "no.yaml", "--github", "--junit", "report.xml"]
    code, out, _ = run("check", "--yours", "mine.py", *asked)
    assert code == 2
    assert f"::error file=mine.py,line={line}::rule: " in out
    assert "::error file=no.yaml::there is no such file" in out
    assert [kind for kind, _ in told(report()).values()] == ["failure", "error"]


def test_an_engine_that_is_broken_on_purpose_is_not_reported(run):
    code, _, err = run("check", "--broken", "overwrite", "--github", "-e", "x=2, y=x")
    assert code == 2
    assert "--github and --junit are not for it" in err


def test_from_many_processes_the_report_is_the_same(run, scenario, monkeypatch):
    names = [scenario("a.yaml", BASIC), scenario("b.yaml", WRONG), scenario("c.yaml", BROKEN)]
    run("check", *QUICK, *names, "--junit", "alone.xml")
    monkeypatch.setattr(headless, "FEW", 0)
    monkeypatch.setattr(headless, "cores", lambda: 2)
    run("check", *QUICK, *names, "--junit", "together.xml")
    assert told(report("alone.xml")) == told(report("together.xml"))


def test_nothing_in_a_scenario_gives_github_a_command(run, scenario):
    said = json.dumps(EVIL.replace("\ud800", ""))  # YAML reads the escapes of JSON
    inside = f"title: {said}\nabout: {said}\ninputs: {{x: 2}}\n"
    names = [
        scenario("##[error]a.yaml", f"{inside}compute: y = x**2\nexpect: {{y: 5}}\n"),
        scenario("::error::b.yaml", f"{inside}compute: |\n  ::error::x ##[error]\n"),
        scenario("c.yaml", "::error::x\n"),
    ]
    _, out, err = run("check", "--github", *QUICK, *names)
    assert [command.partition(" ")[0] for command in commands_in(out)] == ["error"] * 3
    assert "\n::error file=##[error]a.yaml,line=5,col=10::expect" in out
    assert commands_in(err) == []
    assert err.count("yaml:") == 2


def test_long_words_that_begin_a_line_are_no_command(run, scenario):
    title = json.dumps(f"{'x' * 70} ::error::owned")
    scenario(
        "a.yaml", f"title: {title}\ninputs: {{x: 2}}\ncompute: y = x\nexpect: {{error: {title}}}\n"
    )
    _, out, _ = run("check", "--github", *QUICK, "a.yaml")
    assert len(commands_in(out)) == 1


@pytest.mark.parametrize(
    "text", ["::add-mask::x", " \u3000::error::", "a\n\t::group::b", "x ##[x]"]
)
def test_a_line_of_text_is_read_as_a_command_only_before(text):
    assert commands_in(text)
    assert commands_in(disarmed(text)) == []


def test_text_without_commands_stays_as_it_is():
    text = "y = x[::2] + ## [1]\n  %0A :: a: b\n# #[2]"
    assert disarmed(text) == text


def test_hostile_names_and_messages_stay_where_they_are_in_a_report():
    case = Case(EVIL, EVIL, (Fault(EVIL, 1, 2), Fault(EVIL)))
    (suite,) = ET.fromstring(junit("check", [case], datetime(2026, 1, 2, tzinfo=UTC)))
    (element,) = suite.findall("testcase")
    shown = "::add-mask::2 ##[add-mask]3 %0A::error::␛[31m␇���]]>&<\"'"
    assert element.attrib["name"] == element[0].attrib["message"] == shown
    assert element[0].text == f"{shown}:1:2: {shown}\n{shown}: {shown}"
    lines = github_lines(case).splitlines()
    assert [command.partition(" ")[0] for command in commands_in("\n".join(lines))] == ["error"] * 2
    assert all(line.isprintable() for line in lines)


def test_a_report_that_cannot_be_written_is_told_and_ends_with_two(run, scenario):
    code, out, err = run("check", *QUICK, scenario("a.yaml", BASIC), "--junit", "no/report.xml")
    assert "1 scenario, 1 ok" in out
    assert (code, err) == (
        2, "backprop-tui: no/report.xml: the report cannot be written: No such file or directory\n",
    )  # fmt: skip


def test_when_it_is_interrupted_the_report_has_what_is_done(run, scenario, monkeypatch):
    check = headless.check_scenario

    def interrupted(target, *oracles, **how):
        if target == "b.yaml":
            raise KeyboardInterrupt
        return check(target, *oracles, **how)

    monkeypatch.setattr(headless, "check_scenario", interrupted)
    monkeypatch.setattr(headless.signal, "signal", lambda *_: None)
    names = [scenario("a.yaml", BASIC), scenario("b.yaml", BASIC)]
    assert run("check", *QUICK, *names, "--junit", "report.xml")[0] == 130
    assert told(report()) == {"a.yaml": ("ok", "")}


def test_lines_for_github_do_not_go_into_json(run):
    code, _, err = run("check", "--json", "--github", "-e", "x=2, y=x")
    assert code == 2
    assert "not allowed with argument --json" in err
