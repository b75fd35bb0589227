"""Fixtures of the command line: scenarios on disk, and what a command prints."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from backprop_tui.cli import main


@pytest.fixture(autouse=True)
def plain_environment(shared_oracles, monkeypatch, tmp_path):
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "TERM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def scenario(tmp_path) -> Callable[[str, str], str]:
    """Write a scenario into the current folder; returns its name."""

    def write(name: str, text: str) -> str:
        path = Path(tmp_path, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return name

    return write


@pytest.fixture
def run(capsys):
    """Run the command line; returns exit code, standard output and standard error."""

    def call(*arguments: str) -> tuple[int, str, str]:
        code = main(arguments)
        streams = capsys.readouterr()
        return code, streams.out, streams.err

    return call


@pytest.fixture
def run_json(run):
    """The same, with standard output read as JSON lines."""

    def call(*arguments: str) -> tuple[int, list[dict], str]:
        code, out, err = run(*arguments)
        return (
            code,
            [json.loads(line, parse_constant=pytest.fail) for line in out.splitlines()],
            err,
        )

    return call
