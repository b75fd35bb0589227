"""From what a person asked to open to its trace."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from backprop_engine.source import Source
from backprop_engine.trace import Trace

Target = Path | Source


def open_target(target: Target) -> Trace:
    """The trace of a scenario file or a shorthand.

    Raises ScenarioError for a bad scenario, OSError for a file that cannot be read.
    """
    # The parser and the catalogue take their time to import: after the first paint, if possible.
    from backprop_engine.loader import load, parse_shorthand
    from backprop_engine.record import record

    return record(parse_shorthand(target) if isinstance(target, Source) else load(target))


@dataclass(frozen=True, slots=True)
class Entry:
    """One scenario of a folder: its file, title and first words, or what is wrong with it."""

    path: Path
    title: str
    summary: str
    error: str = ""


def list_scenarios(folder: Path) -> tuple[Entry, ...]:
    """The YAML files of `folder` by name; a broken one is listed with its error."""
    files = sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")])
    return tuple(_entry(path) for path in files)


def _entry(path: Path) -> Entry:
    from backprop_engine.loader import load
    from backprop_engine.source import ScenarioError

    try:
        scenario = load(path)
    except ScenarioError as error:
        return Entry(path, path.name, "", error.render().partition("\n")[0])
    except OSError as error:
        return Entry(path, path.name, "", f"{path}: {error.strerror or error}")
    sentence = " ".join(scenario.about.split("\n\n")[0].split())
    return Entry(path, scenario.title or path.stem, sentence)
