"""Nothing that a scenario says is ever run as code: the sources of both packages show it."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted([*(ROOT / "engine").rglob("*.py"), *(ROOT / "tui").rglob("*.py")])
CALLS = {"eval", "exec", "compile", "__import__", "execfile"}
MODULES = {"pickle", "cPickle", "dill", "shelve", "marshal", "code", "codeop", "runpy", "yaml"}
PROCESSES = {
    "oracles/process.py",
    "app/file_desk.py",
    "headless/running.py",
    "headless/stepping.py",
    "serving/visitor.py",
}
"""Where a process may be started, by a list of arguments: our modules, a person's editor."""
SHELLS = {"os.system", "os.popen", "asyncio.create_subprocess_shell"}
STARTS = SHELLS | {
    *("subprocess.Popen", "subprocess.run", "subprocess.call", "asyncio.create_subprocess_exec"),
}
LAUNCHING = "engine/backprop_recorder/launching.py"
"""Runs the script that `backprop-tui run SCRIPT` names, and is imported for nothing else."""
LEARNER = "tui/backprop_tui/oracles/yours/learner.py"
STATEMENTS = "tui/backprop_tui/oracles/yours/statements.py"
"""These run the file that `--yours FILE` names, in a process of its own."""
DATACLASS = "engine/backprop_engine/basics/dataclass.py"
"""Writes the `__init__` of our own classes, from the names of their fields."""


@cache
def parts() -> list[tuple[str, ast.AST]]:
    named = [(path.relative_to(ROOT).as_posix(), path) for path in FILES]
    return [
        (name, node)
        for name, path in named
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
    ]


def test_all_sources_are_read() -> None:
    assert len(FILES) > 150


def test_nothing_is_evaluated() -> None:
    called = [
        (path, node.lineno)
        for path, node in parts()
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CALLS
        if path not in (LAUNCHING, LEARNER, STATEMENTS, DATACLASS)
    ]

    assert called == []


def test_what_runs_a_script_is_imported_by_the_command_that_does_it_alone() -> None:
    importing = {
        path
        for path, node in parts()
        if isinstance(node, ast.ImportFrom) and node.module == "backprop_recorder.launching"
    }

    assert importing == {"tui/backprop_tui/headless/running.py"}


def test_what_runs_a_learners_file_is_imported_in_its_own_process_alone() -> None:
    running = {f"backprop_tui.oracles.yours.{name}" for name in ("learner", "statements")}
    importing = {
        Path(path).parent.as_posix()
        for path, node in parts()
        if isinstance(node, ast.ImportFrom) and node.module in running
    }

    assert importing == {"tui/backprop_tui/oracles/yours"}


def test_nothing_is_unpickled_and_no_unsafe_yaml_is_there() -> None:
    imported = {
        (path, name.partition(".")[0])
        for path, node in parts()
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in (
            [one.name for one in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
        )
    }

    assert [one for one in imported if one[1] in MODULES and one[0] != LAUNCHING] == []


def test_yaml_is_read_as_events_and_never_built_into_objects() -> None:
    made = [
        ast.unparse(node)
        for _, node in parts()
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "YAML"
    ]
    loaded = [
        path
        for path, node in parts()
        if isinstance(node, ast.Attribute)
        and node.attr in ("load", "load_all", "unsafe_load", "full_load")
        and "yaml" in ast.unparse(node.value).lower()
    ]

    assert made == ["YAML(typ='safe', pure=True)"]
    assert loaded == []


@pytest.mark.parametrize("name", ["allow_pickle", "shell"])
def test_no_call_asks_for_a_shell_or_for_pickles(name: str) -> None:
    asked = [
        (path, node.lineno)
        for path, node in parts()
        if isinstance(node, ast.Call) and any(keyword.arg == name for keyword in node.keywords)
    ]

    assert asked == []


def test_nothing_is_started_by_a_shell() -> None:
    used = {ast.unparse(node) for _, node in parts() if isinstance(node, ast.Attribute)}

    assert used & SHELLS == set()


def test_processes_are_started_in_one_place() -> None:
    started = {
        path.partition("backprop_tui/")[2]
        for path, node in parts()
        if isinstance(node, ast.Attribute) and ast.unparse(node) in STARTS
    }

    assert started == PROCESSES
