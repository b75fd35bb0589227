"""What a list has to offer: scenarios, recordings and scripts of a folder."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from itertools import groupby
from pathlib import Path
from time import perf_counter
from typing import Final, NamedTuple

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.source import ScenarioError
from backprop_engine.program.scenario import Scenario
from backprop_engine.run.record import record
from backprop_engine.scenarios.loader import load
from backprop_tui.opening.targets import Refusal

LONG: Final = 100_000
"""Bytes of a scenario that a list gives only the name of."""
LISTING: Final = 0.1
"""Seconds that each scenario of a list is run, to see whether it can be."""
_GROUPS: Final = {".bp": "recordings", ".py": "scripts"}
_MOST_RECENT: Final = 5
_PROGRAM: Final = "a PyTorch program, read as a scenario"
_SCRIPT: Final = "a Python script: backprop-tui run records what it does"


@dataclass(frozen=True, slots=True)
class Entry:
    """One file: its title and first words, or what is wrong with it."""

    path: Path
    title: str
    summary: str
    error: str = ""


class Group(NamedTuple):
    """Entries under a heading."""

    name: str
    paths: tuple[Path, ...]


def listed(
    folder: Path,
    recent: Iterable[Path] = (),
    may_open: Callable[[Path], bool] = lambda _: True,
) -> tuple[Group, ...]:
    """What was opened last of it; scenarios of `folder`, then of each folder in it; the rest."""
    found = {
        path
        for suffix in (".yaml", ".yml", *_GROUPS)
        for pattern in (f"*{suffix}", f"*/*{suffix}")
        for path in folder.glob(pattern)
        if not path.name.startswith("__") and may_open(path)
    }
    known = {path.resolve(): path for path in found}
    last = [known[path.resolve()] for path in recent if path.resolve() in known][:_MOST_RECENT]
    ordered = sorted(found, key=lambda path: (path.suffix in _GROUPS, _group(folder, path), path))
    groups = [Group("opened last", tuple(last))] if last else []
    by_group = groupby(ordered, key=lambda path: _group(folder, path)[1])
    return (*groups, *(Group(name, tuple(paths)) for name, paths in by_group))


def _group(folder: Path, path: Path) -> tuple[bool, str]:
    """Whether it stands in a folder of its own, and the name of its group."""
    if path.suffix in _GROUPS:
        return False, _GROUPS[path.suffix]
    is_inside = path.parent != folder
    return is_inside, path.parent.name if is_inside else "scenarios"


def fitting(entries: Iterable[Entry], query: str) -> Iterator[Entry]:
    """Those with every word of `query` in their title, file name, folder or first words."""
    words = query.casefold().split()
    for entry in entries:
        text = f"{entry.title} {'/'.join(entry.path.parts[-2:])} {entry.summary} {entry.error}"
        if all(word in text.casefold() for word in words):
            yield entry


def unread(path: Path) -> Entry:
    """What a list says of a file before it is read."""
    return Entry(path, path.stem, "")


def read_entry(path: Path) -> Entry:
    """What a list says of a file; of a broken scenario its error."""
    with suppress(OSError):  # to read it says why
        if path.suffix == ".bp":
            return _recording(path)
        if path.is_file() and path.stat().st_size > LONG:
            return unread(path)
    title = path.name
    try:
        scenario = load(path)
        title = scenario.title or path.stem
        if scenario.expected_error is None:
            _try(scenario)
    except ScenarioError as error:
        if path.suffix == ".py":
            return Entry(path, path.stem, _SCRIPT)
        return Entry(path, title, "", Refusal(error).headline)
    about = " ".join(scenario.about.split("\n\n")[0].split())
    return Entry(path, title, about or (_PROGRAM if path.suffix == ".py" else ""))


def _recording(path: Path) -> Entry:
    found = path.stat()
    when = datetime.fromtimestamp(found.st_mtime).strftime("%Y-%m-%d %H:%M")  # noqa: DTZ006 - local
    return Entry(path, path.stem, f"a recording of {when}, {max(found.st_size // 1000, 1):,} kB")


def _try(scenario: Scenario) -> None:
    """Raise ScenarioError for what is found wrong with it in a short run."""
    start = perf_counter()
    try:
        record(scenario, LISTING)
    except ScenarioError:
        if perf_counter() - start < LISTING:  # else it may be that it just takes longer
            raise
