"""A class of 1,000: how long until all sheets are graded."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from itertools import cycle
from pathlib import Path
from typing import Any

from tests.benchmarks.conftest import ROOT

from backprop_tui.headless.exercises.assignment import read_exercise
from backprop_tui.headless.exercises.sheet import written

SHEETS = 1000


def test_a_class_of_1000_is_graded(table: Any, tmp_path: Path) -> None:
    """In: starting Python, reading the sheets, a quarter of the answers wrong. Out: making them."""
    paths = sorted((ROOT / "scenarios" / "exercises").glob("*.yaml"))
    exercises = cycle([read_exercise(path) for path in paths])
    for seed, exercise in zip(range(SHEETS), exercises, strict=False):
        text = written(exercise.assigned(seed, attempt=0), 4, solved=True)
        lines = re.sub(r"^(  \d+: )(?=[^[])(.*)$", r"\1-(\2)", text, count=1, flags=re.MULTILINE)
        (tmp_path / f"{seed:04}.yaml").write_text(lines, encoding="utf-8")
    start = time.perf_counter()
    grade = [sys.executable, "-m", "backprop_tui", "grade", "--csv", str(tmp_path)]
    done = subprocess.run(grade, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - start
    assert len(done.stdout.splitlines()) == SHEETS + 1, done.stderr
    table.bounded("grading 1,000 sheets", "–", seconds, at_most=30, unit=" s")
