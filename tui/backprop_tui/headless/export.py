"""`export` as a command: read, choose the steps, write one file, and tell the exit code."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from backprop_engine.basics.sanitised import printable
from backprop_engine.basics.source import ScenarioError, Source
from backprop_engine.recording.frames import is_recording
from backprop_engine.run.record import record
from backprop_engine.scenarios.loader import load_target
from backprop_engine.trace import Trace
from backprop_engine.trace.abilities import MissingError
from backprop_tui.export.contract import contract
from backprop_tui.export.lesson import Lesson, lesson_of, without_folders
from backprop_tui.export.pages import page
from backprop_tui.export.solution import as_latex, as_markdown
from backprop_tui.opening.targets import advised

OK, OFF, BAD = 0, 1, 2
MOST_STEPS: Final = 4_000
"""Of a file for people; a page of so many has about a megabyte."""

_PICTURE: Final = ".svg"
_WRITERS: Final[Mapping[str, Callable[[Lesson], bytes]]] = {
    ".html": page,
    ".json": contract,
    ".md": as_markdown,
    ".tex": as_latex,
}


def export(target: str | Source, options: argparse.Namespace) -> int:
    """Write the file that `options.output` names; its ending says what it is."""
    path = Path(options.output)
    ending = path.suffix.lower()
    if ending not in (*_WRITERS, _PICTURE):
        known = ", ".join([*_WRITERS, _PICTURE])
        return _complain(f"{path}: the ending says what is written; it may be {known}")
    try:
        trace = _trace(target, with_source=options.source)
    except ScenarioError as error:
        sys.stderr.write(advised(error) + "\n")
        return BAD
    if options.quiz and ending != ".html":
        return _complain(f"{path}: only a page asks; --quiz goes with .html")
    if ending == _PICTURE:
        return _draw(trace, options.first, path)
    first, last = options.first, len(trace) if options.last is None else options.last
    if not 0 <= first < max(last, 1) <= max(len(trace), 1):
        return _complain(
            f"--from {first} --to {last}: this run has the steps 0 to {len(trace):,}, and --to is "
            "the greater"
        )
    if last - first > MOST_STEPS and ending != ".json":
        return _complain(
            f"{last - first:,} steps are too many to look at: a {ending} file holds "
            f"{MOST_STEPS:,}. Choose some, as with `--from {first} --to {first + MOST_STEPS}`; "
            "a .json file holds them all"
        )
    try:
        lesson = lesson_of(trace, first, last, quiz=options.quiz)
    except MissingError as error:
        return _complain(f"a quiz needs a scenario: {error}")
    return _write(path, _WRITERS[ending](lesson))


def _draw(trace: Trace, cursor: int, path: Path) -> int:
    """The screen before step `cursor`."""
    if cursor > len(trace):
        return _complain(f"--from {cursor}: this run has the steps 0 to {len(trace):,}")
    from backprop_tui.app.still import still

    heading = trace.heading
    heading = replace(heading, name=without_folders(heading.name, heading.files))
    return _write(path, still(replace(trace, heading=heading), cursor).encode())


def _write(path: Path, content: bytes) -> int:
    try:
        path.write_bytes(content)
    except OSError as error:
        _complain(f"{path} cannot be written: {error.strerror}")
        return OFF
    return OK


def _trace(target: str | Source, *, with_source: bool) -> Trace:
    if isinstance(target, str) and is_recording(Path(target)):
        from backprop_engine.recording.opened import open_recording

        return open_recording(Path(target), with_source=with_source)
    return record(load_target(target))


def _complain(message: str) -> int:
    sys.stderr.write(f"backprop-tui: {printable(message)}\n")
    return BAD
