"""`check --yours`: a learner's own engine, layers or answers, and the first mistake in them."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any

from backprop_engine.basics.sanitised import printable
from backprop_engine.basics.source import ScenarioError, Source
from backprop_engine.run.record import record
from backprop_engine.scenarios.loader import load_target
from backprop_engine.trace import Trace
from backprop_tui.headless.checked import Bad
from backprop_tui.headless.json_values import json_line
from backprop_tui.headless.outcome import Outcome, Tally, outcome_of
from backprop_tui.headless.printer import Printer, counted, printer
from backprop_tui.headless.reports import Case, Fault, Report
from backprop_tui.oracles.yours.client import Learners
from backprop_tui.oracles.yours.examining import examine
from backprop_tui.oracles.yours.file import File, file_of
from backprop_tui.oracles.yours.finding import Finding

OK, BAD = 0, 2


def check_yours(
    argument: str, targets: Sequence[str | Source], *, json: bool, report: Report
) -> int:
    """Judge a file by each scenario, or by itself where there is none; print what is found."""
    file, out = file_of(argument), printer(sys.stdout)
    if not Path(file.path).is_file():
        sys.stderr.write(f"backprop-tui: {printable(file.path)}: there is no such file\n")
        return BAD
    worst = OK
    try:
        for target in (*targets,) or (None,):
            outcome = _outcome(file, target, out, json=json)
            report.tell(outcome.case, outcome.printed, outcome.complaint)
            worst = max(worst, outcome.tally.code)
    finally:
        is_written = report.write()
    return worst if is_written else BAD


def _outcome(file: File, target: str | Source | None, out: Printer, *, json: bool) -> Outcome:
    """What is printed and reported of one scenario."""
    name = target.name if isinstance(target, Source) else target
    began = monotonic()
    try:
        trace = None if target is None else record(load_target(target))
    except ScenarioError as error:
        told = json_line(_json(file, name, Finding(trouble=str(error)))) + "\n" if json else ""
        return replace(outcome_of(Bad(str(name), error), out, json=False), printed=told)
    with Learners(file) as learners:
        found = examine(learners, trace)
    lines = io.StringIO()
    if json:
        lines.write(json_line(_json(file, name, found)) + "\n")
    else:
        _print(file, name, trace, found, replace(out, stream=lines))
    tally = Tally(bad=bool(found.trouble), failed=not found.is_right)
    return Outcome(lines.getvalue(), "", tally, _case(file, name, found, monotonic() - began))


def _case(file: File, scenario: str | None, found: Finding, seconds: float) -> Case:
    """A test case of the learner's file, one for each scenario."""
    name = file.path if scenario is None else f"{file.path} in {scenario}"
    faults: tuple[Fault, ...] = ()
    if found.trouble:
        faults = (Fault(found.trouble, found.line),)
    elif found.verdict is not None:
        verdict = found.verdict
        where = verdict.program or scenario
        told = f"{verdict.kind}: {verdict.message}" + (f" (in {where})" if where else "")
        faults = (Fault(told, verdict.line, file=found.file),)
    return Case(name, file.path, faults, bool(found.trouble), seconds)


def _json(file: File, scenario: str | None, found: Finding) -> dict[str, Any]:
    """One object for one scenario, null where there is none; the keys are a contract."""
    verdict = found.verdict
    errors = [{"line": found.line, "message": found.trouble}] if found.trouble else []
    return {
        "scenario": scenario,
        "file": found.file or file.path,
        "ok": found.is_right,
        "verdict": None if verdict is None else str(verdict.kind),
        "step": None if verdict is None else verdict.step,
        "line": None if verdict is None else verdict.line,
        "message": None if verdict is None else verdict.message,
        "program": None if verdict is None else verdict.program or None,
        "programs": found.programs,
        "judged": dict(found.judged),
        "remarks": list(found.remarks),
        "unlimited": list(found.unlimited),
        "errors": errors,
    }


def _print(
    file: File, scenario: str | None, trace: Trace | None, found: Finding, out: Printer
) -> None:
    verdict = found.verdict
    style = "good" if found.is_right else "bad"
    out.line(_headline(file, scenario, trace, found), style)
    if verdict is not None and verdict.program:
        out.paragraph(verdict.program, 4)
    if found.quoted:
        out.line(f"    {found.quoted}", "bold")
    for text in (found.trouble, "" if verdict is None else verdict.message):
        out.paragraph(text, 4)
    marks = (f"{'✓' if is_right else '✗'} {name}" for name, is_right in found.judged.items())
    out.paragraph("  ".join(marks), 4)
    for remark in found.remarks:
        out.paragraph(remark, 4, "dim")
    for limit in found.unlimited:
        out.paragraph(f"This system sets no limit to {limit}.", 4, "dim")


def _headline(file: File, scenario: str | None, trace: Trace | None, found: Finding) -> str:
    mark = "✓" if found.is_right else "✗"
    name = f"{file.path}: {found.name}" if found.name else file.path
    name += f" of {found.file}" if found.file else ""
    said = f"{mark} {name}" + ("" if scenario is None else f" in {scenario}")
    verdict, line = found.verdict, found.line
    if verdict is not None:
        said, line = f"{said}: {verdict.kind}", verdict.line
    elif found.trouble:
        said += ": cannot be judged"
    elif trace is None:
        return f"{said}: right in {counted(found.programs, 'program')}"
    else:
        return f"{said}: right"
    return said if line is None else f"{said}, line {line}"
