"""What continuous integration and pre-commit are told to run is there to be run."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

from packaging.specifiers import SpecifierSet
from ruamel.yaml import YAML

from backprop_tui.arguments import commands as parsers
from backprop_tui.arguments.parser import in_order

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
WORKFLOW = ROOT / ".github" / "workflows" / "ci.yml"


def read(path: Path) -> Any:
    return YAML(typ="safe").load(path.read_text(encoding="utf-8"))


def steps() -> list[dict[str, Any]]:
    return [step for job in read(WORKFLOW)["jobs"].values() for step in job["steps"]]


def commands() -> list[list[str]]:
    lines = [line for step in steps() for line in step.get("run", "").splitlines()]
    return [shlex.split(line) for line in lines]


def parse(command: str, words: list[str]) -> Any:
    """What one of our commands makes of its arguments; SystemExit where it takes them not."""
    parser = getattr(parsers, f"{command}_parser")()
    return parser.parse_args(in_order(words, parsers.WITH_VALUE))


def test_every_command_of_the_workflow_exists_and_takes_its_arguments() -> None:
    ours = []
    for program, *words in commands():
        if program == "backprop-tui":
            ours.append(words[0])
            parse(words[0], words[1:])
        elif program in ("pytest", "python", "echo", "gh"):
            continue
        else:
            assert (ROOT / program).is_file(), program
    assert ours == ["check", "export"]
    assert ["pytest", "--backprop", "scenarios/guide"] in commands()


def test_every_path_of_the_workflow_exists() -> None:
    words = [word for command in commands() for word in command]
    named = [word for word in words if re.match(r"(scenarios|constraints|\.ci)\b", word)]
    cached = [step["with"]["cache-dependency-path"] for step in steps() if "cache" in str(step)]
    assert len(named) > 3
    assert [path for path in named + cached if not (ROOT / path).exists()] == []


def test_what_is_installed_there_is_what_is_pinned() -> None:
    installs = [command for command in commands() if command[:3] == ["python", "-m", "pip"]]
    assert installs
    for command in installs:
        assert command[3:7] == ["install", "-c", "constraints.txt", "-e"]
        extras = re.fullmatch(r"\.(?:\[(.+)\])?", command[7])
        assert extras is not None
        assert set((extras[1] or "dev").split(",")) <= set(PROJECT["optional-dependencies"])


def test_it_runs_on_three_systems_and_on_every_python_from_the_oldest() -> None:
    matrix = read(WORKFLOW)["jobs"]["test"]["strategy"]["matrix"]
    assert matrix["os"] == ["ubuntu", "macos", "windows"]
    allowed = SpecifierSet(PROJECT["requires-python"])
    assert matrix["python"] == [f"3.{minor}" for minor in range(15) if f"3.{minor}" in allowed]


def test_nobody_elses_text_is_put_into_a_script() -> None:
    scripts = [step["run"] for step in steps() if "run" in step]
    assert [script for script in scripts if "${{" in script] == []
    workflow = read(WORKFLOW)
    assert workflow["permissions"] == {"contents": "read"}
    may_write = [name for name, job in workflow["jobs"].items() if "permissions" in job]
    assert may_write == ["publish"]
    assert workflow["jobs"]["publish"]["if"] == "github.event_name == 'release'"


def test_the_hook_checks_the_scenarios_that_are_committed() -> None:
    (hook,) = read(ROOT / ".pre-commit-hooks.yaml")
    program, command, *words = shlex.split(hook["entry"])
    assert (hook["id"], hook["language"], program) == ("backprop-check", "python", "backprop-tui")
    paths = [path.relative_to(ROOT).as_posix() for path in (ROOT / "scenarios").rglob("*.yaml")]
    assert [path for path in paths if not re.search(hook["files"], path)] == []
    assert not re.search(hook["files"], ".github/workflows/ci.yml")
    assert parse(command, [*words, *paths]).targets == paths
