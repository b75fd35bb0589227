"""`exercise` and `grade` as commands: run, print, and tell the exit code."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal

from backprop_engine.basics.source import ScenarioError
from backprop_engine.scenarios.read_bytes import read_bytes
from backprop_tui.headless.exercises.assignment import read_exercise
from backprop_tui.headless.exercises.grading import Grade, Grader, Unreadable, places_of
from backprop_tui.headless.exercises.output import (
    as_case,
    as_json,
    print_grade,
    print_summary,
    write_csv,
)
from backprop_tui.headless.exercises.sheet import written
from backprop_tui.headless.json_values import json_line
from backprop_tui.headless.printer import printer
from backprop_tui.headless.reports import Report

OK, OFF, BAD = 0, 1, 2
_SHEET: Final = re.compile(r"\.(?:ya?ml|txt)\b", re.IGNORECASE)
"""In the name of one; `anna.yaml.txt` is what Windows makes of it."""


def exercise(target: str, seed: int, count: int, *, solved: bool) -> int:
    """Print a sheet for the scenario in a file, or for a bundled one by its name."""
    try:
        path = Path(target)
        if not path.exists() and path.name == target:
            path = next(places_of(target, Path()), path)
        assignment = read_exercise(path).assigned(seed)
    except ScenarioError as error:
        sys.stderr.write(error.render() + "\n")
        return BAD
    sys.stdout.write(written(assignment, count, solved=solved))
    return OK


def grade(
    sheets: Sequence[str], form: Literal["table", "json", "csv"], junit: Path | None = None
) -> int:
    """Print the grade of every sheet; one that is none is told and does not stop the others."""
    grader, grades, report = Grader(), [], Report(junit=junit, command="grade")
    out = printer(sys.stdout)
    for path in _files(sheets):
        graded = grader.grade(path)
        grades.append(graded)
        report.cases.append(as_case(graded))
        if form == "json":
            sys.stdout.write(json_line(as_json(graded)) + "\n")
        elif form == "table" and isinstance(graded, Grade):
            print_grade(graded, out)
        if isinstance(graded, Unreadable):
            sys.stderr.write(graded.error.render() + "\n")
    read = [graded for graded in grades if isinstance(graded, Grade)]
    if form == "csv":
        write_csv(grades, sys.stdout)
    elif form == "table":
        print_summary(read, len(grades) - len(read), out)
    if not report.write() or len(read) < len(grades):
        return BAD
    return OK if all(graded.points == graded.of for graded in read) else OFF


def _files(sheets: Sequence[str]) -> list[str]:
    """Folders replaced by the sheets in them; an empty one stays, to be an error."""
    files: list[str] = []
    for sheet in sheets:
        inside = sorted(path for path in Path(sheet).rglob("*") if _is_handed_in(path))
        found = [str(path) for path in inside if _SHEET.search(path.name) and _is_no_scenario(path)]
        files += found or [sheet]
        if others := [path.name for path in inside if str(path) not in found]:
            sys.stderr.write(f"{sheet}: left out, as they are no sheets: {', '.join(others)}\n")
    return files


def _is_handed_in(path: Path) -> bool:
    return path.is_file() and not path.name.startswith(".")


def _is_no_scenario(path: Path) -> bool:
    """One may stand beside the sheets that are made from it."""
    with suppress(OSError):  # which is told when it is graded
        return b"\ncompute:" not in b"\n" + read_bytes(path)
    return True
