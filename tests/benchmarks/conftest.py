"""Benchmarks are ratios of two things that run in turn, and end in one table.

Seconds depend on the machine and on what else it does; a ratio of two runs side by side does so
much less. Each figure is the median over several pairs of CPU times.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.benchmarks.stopwatch import seconds

ROOT = Path(__file__).parents[2]
ROWS = pytest.StashKey[list["Row"]]()


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    what: str
    peer: str
    ratio: float
    goal: str
    reached: bool


class Table:
    """Collects figures; `at_least` and `at_most` are the goals, for people, not assertions."""

    def __init__(self, rows: list[Row]) -> None:
        self._rows = rows

    def faster(
        self, what: str, peer: str, ours: str, theirs: str, *, at_least: float, pairs: int = 5
    ) -> None:
        """How many times as long `theirs` takes, each in processes of its own (see stopwatch)."""
        ratio = statistics.median(alone(theirs) / alone(ours) for _ in range(pairs))
        self.add(what, peer, ratio, f"≥ {at_least:g}× faster", ratio >= at_least)

    def slower(
        self,
        what: str,
        peer: str,
        ours: Callable[[], Any],
        theirs: Callable[[], Any],
        *,
        at_most: float,
        pairs: int = 7,
        times: int = 1,
        per: tuple[float, float] = (1, 1),
    ) -> None:
        """How many times as long `ours` takes, each divided by its number in `per`.

        Short ones run several `times` in a row.
        """
        ratio = statistics.median(
            (seconds(ours, times=times) / per[0]) / (seconds(theirs, times=times) / per[1])
            for _ in range(pairs)
        )
        self.bounded(what, peer, ratio, at_most)

    def slower_alone(
        self, what: str, peer: str, ours: str, theirs: str, *, at_most: float, pairs: int = 5
    ) -> None:
        """How many times as long `ours` takes, each in processes of its own (see stopwatch)."""
        ratio = statistics.median(alone(ours) / alone(theirs) for _ in range(pairs))
        self.bounded(what, peer, ratio, at_most)

    def bounded(self, what: str, peer: str, figure: float, at_most: float, unit: str = "×") -> None:
        """A figure measured elsewhere that has to be small."""
        self.add(what, peer, figure, f"≤ {at_most:g}{unit}", figure <= at_most)

    def add(self, what: str, peer: str, ratio: float, goal: str, reached: bool) -> None:
        """One line."""
        self._rows.append(Row(what, peer, ratio, goal, reached))


def alone(program: str) -> float:
    """What the stopwatch says of `program` in a new process, whose memory nobody else has used."""
    command = [sys.executable, "-m", "tests.benchmarks.stopwatch", program]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return float(done.stdout)


@pytest.fixture
def table(request: pytest.FixtureRequest) -> Table:
    return Table(request.config.stash.setdefault(ROWS, []))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """The table."""
    rows = config.stash.get(ROWS, [])
    if not rows:
        return
    terminalreporter.section("speed, as ratios in the same run")
    what, peer = (max(len(getattr(row, name)) for row in rows) for name in ("what", "peer"))
    for row in rows:
        mark = "✓" if row.reached else "✗"
        line = f"{row.what:{what}}  {row.peer:{peer}}  {row.ratio:8.2f}  {row.goal:14} {mark}"
        terminalreporter.write_line(line)
