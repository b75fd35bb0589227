"""From what a person asked to open to its trace."""

from __future__ import annotations

from pathlib import Path

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.sanitised import printable
from backprop_engine.basics.source import Problem, ScenarioError, Source, Span
from backprop_engine.program.scenario import Scenario
from backprop_engine.recording.frames import is_recording
from backprop_engine.run.record import record
from backprop_engine.scenarios.loader import load_target
from backprop_engine.trace import Trace

Target = Path | Source | Trace
"""A scenario file or a recording, a shorthand, or a run that is recorded already."""


def script_of(error: ScenarioError) -> Path | None:
    """The Python program that our reader has refused, and Python may run; None where it is none."""
    source = error.source
    return Path(source.name) if source.name.endswith(".py") and source.text else None


def advised(error: ScenarioError) -> str:
    """What is wrong; of a Python program also how to run it."""
    script = script_of(error)
    if script is None:
        return error.render()
    command = printable(f"backprop-tui run {script}")
    return f"{error.render()}\nto run it and record what it really does: {command}"


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


def not_served(target: Target) -> Refusal:
    """What to say of a file that is not among what a visitor may open."""
    name = target.name if isinstance(target, Path) else ""
    return Refusal(ScenarioError(Source(name, ""), Problem("this is not served", Span(0, 0))))


def open_target(target: Target) -> Trace | Refusal:
    """The trace of `target`, or why there is none."""
    if isinstance(target, Trace):
        return target
    scenario: Scenario | None = None
    try:
        if isinstance(target, Path) and is_recording(target):
            from backprop_engine.recording.opened import open_recording

            return open_recording(target)
        scenario = load_target(target)
        return record(scenario)
    except ScenarioError as error:
        expected = None if scenario is None else scenario.expected_error
        if scenario is not None and expected is not None and expected in error.render():
            return Refusal(error, scenario.title, scenario.about)
        return Refusal(error)
