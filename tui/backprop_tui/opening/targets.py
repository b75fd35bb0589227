"""From what a person asked to open to its trace."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from backprop_engine.basics.source import ScenarioError, Source
from backprop_engine.program.scenario import Scenario
from backprop_engine.recording.frames import is_recording
from backprop_engine.run.record import record
from backprop_engine.scenarios.loader import load_target
from backprop_engine.trace import Trace

Target = Path | Source | Trace
"""A scenario file or a recording, a shorthand, or a run that is recorded already."""


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
