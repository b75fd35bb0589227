"""A learner's file examined: by a scenario, or by programs that bring mistakes out."""

from __future__ import annotations

from dataclasses import dataclass, replace

from backprop_engine.trace import Trace
from backprop_tui.oracles.report import Failed
from backprop_tui.oracles.yours.client import Learners
from backprop_tui.oracles.yours.judging import judge
from backprop_tui.oracles.yours.learner import ENGINE
from backprop_tui.oracles.yours.probes import probes
from backprop_tui.oracles.yours.protocol import Contents, Unusable
from backprop_tui.oracles.yours.verdict import Verdict

_MOST_NAMED = 8


@dataclass(frozen=True, slots=True)
class Finding:
    """What is to be said of a file, about one scenario or by itself."""

    name: str = ""
    """What was examined: an engine's class, or functions."""
    verdict: Verdict | None = None
    trouble: str = ""
    """Why nothing can be judged."""
    line: int | None = None
    """Of the trouble."""
    remarks: tuple[str, ...] = ()
    """What is no mistake and worth a word."""
    programs: int = 0
    """How many were run."""
    unlimited: tuple[str, ...] = ()
    """The limits that this system does not have."""

    @property
    def is_right(self) -> bool:
        """Whether it was examined and nothing is wrong."""
        return self.verdict is None and not self.trouble


def examine(learners: Learners, trace: Trace | None) -> Finding:
    """Examine the file by a scenario's trace, or by itself."""
    contents = learners.contents(() if trace is None else tuple(trace.names))
    if not isinstance(contents, Contents):
        return _troubled(contents)
    found = Finding(contents.engine, unlimited=contents.unlimited)
    if contents.kind == ENGINE:
        return (
            _by_probes(learners, contents, found) if trace is None else _by(learners, trace, found)
        )
    return found


def _troubled(trouble: Unusable | Failed, found: Finding | None = None) -> Finding:
    found = found or Finding()
    if isinstance(trouble, Failed):
        return replace(found, trouble=trouble.sentences)
    return replace(found, trouble=f"{trouble.message}.", line=trouble.line)


def _by(learners: Learners, trace: Trace, found: Finding) -> Finding:
    run = learners.run(trace)
    if isinstance(run, Unusable | Failed):
        return _troubled(run, found)
    return replace(found, verdict=judge(trace, run), remarks=run.notes, programs=1)


def _by_probes(learners: Learners, contents: Contents, found: Finding) -> Finding:
    remarks: dict[str, None] = {}
    missing: dict[str, None] = {}
    count = 0
    for probe in probes(arrays=contents.holds_arrays):
        run = learners.run(probe.trace)
        if isinstance(run, Failed) or (isinstance(run, Unusable) and not run.is_lacking):
            return _troubled(run, found)
        if isinstance(run, Unusable):
            missing[run.missing or run.message] = None
            continue
        count += 1
        remarks |= dict.fromkeys(f"{note}." for note in run.notes)
        verdict = judge(probe.trace, run)
        if verdict is not None and probe.remark:
            remarks[f"{probe.remark}: {verdict.message}"] = None
        elif verdict is not None:
            return replace(found, verdict=replace(verdict, program=probe.text), programs=count)
    if not count:
        trouble = f"{contents.engine} runs no program: it has no {', '.join(missing)}."
        return replace(found, trouble=trouble)
    if missing:
        some, rest = list(missing)[:_MOST_NAMED], len(missing) - _MOST_NAMED
        more = f" and {rest} more" if rest > 0 else ""
        remarks[f"Not examined, for it is not there: {', '.join(some)}{more}."] = None
    return replace(found, remarks=tuple(remarks), programs=count)
