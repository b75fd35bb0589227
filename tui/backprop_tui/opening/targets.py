"""From what a person asked to open to its trace."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Final

from backprop_engine.basics.source import ScenarioError, Source
from backprop_engine.program.scenario import Scenario
from backprop_engine.recording.frames import is_recording
from backprop_engine.run.record import record
from backprop_engine.scenarios.loader import load, load_target
from backprop_engine.trace import Trace

Target = Path | Source | Trace
"""A scenario file or a recording, a shorthand, or a run that is recorded already."""

LONG: Final = 100_000
"""Bytes of a scenario that a list gives only the name of."""
LISTING: Final = 0.1
"""Seconds that each scenario of a list is run, to see whether it can be."""


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


def open_target(target: Target) -> Trace | Refusal:
    """The trace of `target`, or why there is none."""
    if isinstance(target, Trace):
        return target
    if isinstance(target, Path) and is_recording(target):
        from backprop_engine.recording.opened import open_recording

        try:
            return open_recording(target)
        except ScenarioError as error:
            return Refusal(error)
    try:
        scenario = load_target(target)
    except ScenarioError as error:
        return Refusal(error)
    try:
        return record(scenario)
    except ScenarioError as error:
        if is_the_point(scenario, error):
            return Refusal(error, scenario.title, scenario.about)
        return Refusal(error)


def is_the_point(scenario: Scenario, error: ScenarioError) -> bool:
    """Whether the scenario expects this very error."""
    expected = scenario.expected_error
    return expected is not None and expected in error.render()


@dataclass(frozen=True, slots=True)
class Entry:
    """One scenario of a folder: its file, title and first words, or what is wrong with it."""

    path: Path
    title: str
    summary: str
    error: str = ""


def scenario_files(folder: Path) -> tuple[Path, ...]:
    """The YAML files of `folder`, then of those in it, by name."""
    patterns = ("*.yaml", "*.yml", "*/*.yaml", "*/*.yml")
    found = {path for pattern in patterns for path in folder.glob(pattern)}
    return tuple(sorted(found, key=lambda path: (path.parent != folder, path)))


def unread(path: Path) -> Entry:
    """What a list says of a scenario before it is read."""
    return Entry(path, path.stem, "")


def read_entry(path: Path) -> Entry:
    """What a list says of a scenario; of a broken one its error."""
    with suppress(OSError):  # to read it says why
        if path.is_file() and path.stat().st_size > LONG:
            return unread(path)
    title = path.name
    try:
        scenario = load(path)
        title = scenario.title or path.stem
        if scenario.expected_error is None:
            _try(scenario)
    except ScenarioError as error:
        return Entry(path, title, "", Refusal(error).headline)
    return Entry(path, title, " ".join(scenario.about.split("\n\n")[0].split()))


def _try(scenario: Scenario) -> None:
    """Raise ScenarioError for what is found wrong with it in a short run."""
    start = perf_counter()
    try:
        record(scenario, LISTING)
    except ScenarioError:
        if perf_counter() - start < LISTING:  # else it may be that it just takes longer
            raise
