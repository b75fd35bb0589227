"""From what a person asked to open to its trace."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from backprop_engine.record import Runner, record
from backprop_engine.scenarios.loader import load, parse_shorthand
from backprop_engine.scenarios.scenario import Scenario
from backprop_engine.source import ScenarioError, Source
from backprop_engine.trace import Trace
from backprop_tui.whatif.state import Rerun

Target = Path | Source | Trace
"""A scenario file, a shorthand, or a run that is recorded already."""

SMALL = 8_000
"""Bytes of a scenario that is run in no time."""


@dataclass(frozen=True, eq=False)
class Refusal:
    """A scenario that could not be opened, and why.

    `title` and `about` are those of a lesson whose point is just this error; else empty.
    """

    error: ScenarioError
    title: str = ""
    about: str = ""

    @property
    def headline(self) -> str:
        """What is wrong, in one line: the file without its folders, line, column, message."""
        line = self.error.render().partition("\n")[0]
        name = self.error.source.name
        return Path(name).name + line.removeprefix(name)

    @property
    def is_lesson(self) -> bool:
        """Whether the scenario is about this very error."""
        return bool(self.title or self.about)


@dataclass(frozen=True, eq=False)
class Run:
    """A trace and, where it was not recorded elsewhere, the way to run it with other values."""

    trace: Trace
    rerun: Rerun | None = None
    seconds: float = 0.0
    """How long it takes to run it again, about."""


def open_target(target: Target) -> Run | Refusal:
    """The run of `target`, or why there is none."""
    if isinstance(target, Trace):
        return Run(target)
    try:
        scenario = parse_shorthand(target) if isinstance(target, Source) else load(target)
    except ScenarioError as error:
        return Refusal(error)
    try:
        runner = Runner(scenario)
        start = perf_counter()
        trace = runner.run()
        # To run again is to compute the values, too, which takes about as long.
        return Run(trace, runner.run, 2 * (perf_counter() - start))
    except ScenarioError as error:
        if is_the_point(scenario, error):
            return Refusal(error, scenario.title, scenario.about)
        return Refusal(error)


def is_the_point(scenario: Scenario, error: ScenarioError) -> bool:
    """Whether the scenario expects this very error."""
    expected = scenario.expected_error
    return expected is not None and expected in error.render()


def size_of(target: Target) -> int:
    """Bytes to read and run; 0 for a file that is not there."""
    if isinstance(target, Path):
        return target.stat().st_size if target.is_file() else 0
    return len(target.text) if isinstance(target, Source) else 0


@dataclass(frozen=True, slots=True)
class Entry:
    """One scenario of a folder: its file, title and first words, or what is wrong with it."""

    path: Path
    title: str
    summary: str
    error: str = ""


def list_scenarios(folder: Path) -> tuple[Entry, ...]:
    """The YAML files of `folder` and of those in it, by name; a broken one with its error."""
    patterns = ("*.yaml", "*.yml", "*/*.yaml", "*/*.yml")
    files = sorted(path for pattern in patterns for path in folder.glob(pattern))
    return tuple(_entry(path) for path in files)


def _entry(path: Path) -> Entry:
    title = path.name
    try:
        scenario = load(path)
        title = scenario.title or path.stem
        if size_of(path) <= SMALL and scenario.expected_error is None:
            record(scenario)
    except ScenarioError as error:
        return Entry(path, title, "", error.render().partition("\n")[0])
    return Entry(path, title, " ".join(scenario.about.split("\n\n")[0].split()))
