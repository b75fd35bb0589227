"""A learner's file examined: by a scenario, or by programs that bring mistakes out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from backprop_engine.trace import Trace
from backprop_tui.oracles.report import Failed
from backprop_tui.oracles.yours.beside import beside
from backprop_tui.oracles.yours.by_hand import by_answers, by_layers
from backprop_tui.oracles.yours.client import Learners
from backprop_tui.oracles.yours.file import File
from backprop_tui.oracles.yours.finding import Finding
from backprop_tui.oracles.yours.judging import judge
from backprop_tui.oracles.yours.learner import ANSWERS, ENGINE, FILE, LAYERS
from backprop_tui.oracles.yours.probes import probes
from backprop_tui.oracles.yours.protocol import Contents, Unusable

_MOST_NAMED = 8
_LONGEST = 1_000
"""Characters of a line that is quoted."""


class Examiner:
    """Examines a file by whatever trace is shown, each time in a process of its own."""

    def __init__(self, file: File) -> None:
        self.file = file
        self._learners: Learners | None = None
        self._is_closed = False

    @property
    def path(self) -> Path:
        """Where the file is."""
        return Path(self.file.path)

    def ask(self, trace: Trace) -> Finding:
        """What is found by `trace`. Blocking."""
        if self._learners is not None:
            self._learners.close()  # what is still asked is of a file that is no more
        if self._is_closed:
            return Finding(trouble="The file is no longer examined.")
        with Learners(self.file) as self._learners:
            return examine(self._learners, trace)

    def close(self) -> None:
        """End the process; an `ask` under way in another thread returns."""
        self._is_closed = True
        if self._learners is not None:
            self._learners.close()


def examine(learners: Learners, trace: Trace | None) -> Finding:
    """Examine the file by a scenario's trace, or by itself."""
    found = _examined(learners, trace)
    line = found.line if found.verdict is None else found.verdict.line
    return replace(found, quoted=_quoted(found.file or learners.file.path, line))


def _in_its_file(found: Finding, files: Sequence[str]) -> Finding:
    """The same with the line of a verdict in the file that it is of."""
    verdict = found.verdict
    file, line = divmod((verdict and verdict.line) or 0, FILE)
    if verdict is None or not 0 < file < len(files):
        return found
    return replace(found, file=files[file], verdict=replace(verdict, line=line))


def _examined(learners: Learners, trace: Trace | None) -> Finding:
    contents = learners.contents(() if trace is None else tuple(trace.names))
    if not isinstance(contents, Contents):
        return Finding().troubled(contents)
    first = contents.files[0] if contents.files else learners.file.path
    elsewhere = first if first != learners.file.path else ""
    left_out = contents.left_out
    remarks = (f"Left out, for it fails: {_named(left_out, 3)}.",) if left_out else ()
    found = Finding(contents.engine, elsewhere, unlimited=contents.unlimited, remarks=remarks)
    if contents.kind == LAYERS:
        return by_layers(learners, contents, trace, found)
    if contents.kind == ANSWERS and trace is not None:
        return by_answers(learners, trace, found)
    if contents.kind == ENGINE:
        found = (
            _by_probes(learners, contents, found) if trace is None else _by(learners, trace, found)
        )
        return _in_its_file(found, contents.files)
    return found


def _by(learners: Learners, trace: Trace, found: Finding) -> Finding:
    run = learners.run(trace)
    if isinstance(run, Unusable | Failed):
        return found.troubled(run)
    verdict = judge(trace, run)
    remarks = (*found.remarks, *((_wrapped(found.name, run.notes),) if run.notes else ()))
    agreement = beside(trace, run, verdict)
    return replace(found, verdict=verdict, remarks=remarks, programs=1, agreement=agreement)


def _by_probes(learners: Learners, contents: Contents, found: Finding) -> Finding:
    remarks = dict.fromkeys(found.remarks)
    missing: dict[str, None] = {}
    wrapped: dict[str, None] = {}
    count = 0
    for probe in probes(arrays=contents.holds_arrays):
        run = learners.run(probe.trace)
        if isinstance(run, Failed) or (isinstance(run, Unusable) and not run.is_lacking):
            return found.troubled(run)
        if isinstance(run, Unusable):
            missing[run.missing or run.message] = None
            continue
        count += 1
        wrapped |= dict.fromkeys(run.notes)
        verdict = judge(probe.trace, run)
        if verdict is not None and probe.remark:
            remarks[f"{probe.remark}: {verdict.message}"] = None
        elif verdict is not None:
            return replace(found, verdict=replace(verdict, program=probe.text), programs=count)
    if not count:
        trouble = f"{contents.engine} runs no program: it has no {', '.join(missing)}."
        return replace(found, trouble=trouble)
    if wrapped:
        remarks[_wrapped(contents.engine, wrapped)] = None
    if missing:
        remarks[f"Not examined, for it is not there: {_named(missing)}."] = None
    return replace(found, remarks=tuple(remarks), programs=count)


def _wrapped(engine: str, calls: Iterable[str]) -> str:
    return f"{engine} takes no number beside its values: {_named(calls)}."


def _named(calls: Iterable[str], most: int = _MOST_NAMED) -> str:
    """The first few."""
    some = list(calls)
    more = f" and {len(some) - most} more" if len(some) > most else ""
    return ", ".join(some[:most]) + more


def _quoted(path: str, line: int | None) -> str:
    """A line of a file as it is now, with its number; empty where there is none."""
    try:
        lines = Path(path).read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        return ""
    if line is None or not 0 < line <= len(lines):
        return ""
    return f"{line} | {lines[line - 1].strip()[:_LONGEST]}"
