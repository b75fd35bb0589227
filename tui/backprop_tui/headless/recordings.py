"""`check` and `autopsy` of recordings: as text for people, and as JSON."""

from __future__ import annotations

import io
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from time import monotonic
from typing import Any, Final

import numpy as np

from backprop_engine.basics import notation
from backprop_engine.basics.source import ScenarioError
from backprop_engine.basics.values import norm_of, shape_of
from backprop_engine.reading.autopsy.report import (
    Autopsy,
    autopsy,
    autopsy_lines,
    birth_node,
    cure_lines,
)
from backprop_engine.recording.cut_off import cut_off_lines
from backprop_engine.recording.findings import (
    Culprit,
    Difference,
    Verified,
    culprit,
    error_lines,
    first_nonfinite,
    last_gradients,
    spot,
    verified,
)
from backprop_engine.recording.reader import read
from backprop_engine.recording.recording import FunctionCheck, Recording, Update
from backprop_engine.recording.trace import trace_of
from backprop_engine.trace import Trace
from backprop_tui.headless.json_values import json_line, json_value
from backprop_tui.headless.outcome import Outcome, Tally
from backprop_tui.headless.printer import Printer, counted, printer
from backprop_tui.headless.reports import Case, Fault

OK, OFF, BAD = 0, 1, 2
_SHOWN: Final = 64
"""Elements up to which a gradient is given whole."""


def check(path: str, out: Printer, *, json: bool) -> Outcome:
    """Verify one recording: our rules on its operands, what it holds and what it lacks.

    `out` is what it is to be printed by; nothing is printed here.
    """
    began = monotonic()
    try:
        recording, trace = _opened(path)
    except ScenarioError as error:
        printed, said = _refusal(path, error, json=json)
        case = Case(path, path, (Fault(error.problems[0].sentence),), is_bad=True)
        return Outcome(printed, said, Tally(bad=1), case)
    found, places = verified(trace)
    faults = recording.faults
    found, places = _with_functions(recording, found, places)
    is_ok = not found.differ and not faults
    if json:
        told = _as_json(path, recording, trace, found, places)
        text = json_line({**told, "ok": is_ok}) + "\n"
    else:
        block = io.StringIO()
        out = replace(out, stream=block)
        for style, line in _lines(path, recording, trace, found, places):
            out.line(line, style)
        out.line("✓ nothing is off" if is_ok else "✗ something is off", "good" if is_ok else "bad")
        text = block.getvalue()
    heading = f"{trace.heading.title} ({path})"
    off = tuple(map(_fault, places)) + tuple(Fault(_last_line(fault)) for fault in faults)
    case = Case(heading, path, off, seconds=monotonic() - began)
    return Outcome(text, "", Tally(failed=not is_ok), case)


def _fault(difference: Difference) -> Fault:
    spot = difference.spot
    if spot is None:
        return Fault(difference.message)
    return Fault(difference.message, spot.line, file=spot.file)


def _last_line(fault: str) -> str:
    return f"a mistake of the recorder's: {fault.strip().splitlines()[-1]}"


def tell_autopsy(path: str, *, json: bool) -> int:
    """Where the first nan or inf of a recording was born; 1 if one was."""
    try:
        recording, trace = _opened(path)
    except ScenarioError as error:
        printed, said = _refusal(path, error, json=json)
        sys.stdout.write(printed)
        sys.stderr.write(said)
        return BAD
    found = autopsy(trace)
    if json:
        told = {
            "recording": path,
            "first_nonfinite": first_nonfinite(trace, found),
            "operands": None if found is None else _operands(trace, found),
            "error": _error(recording),
            "errors": [],
        }
        sys.stdout.write(json_line(told) + "\n")
    else:
        _print_autopsy(trace, recording, found, printer(sys.stdout))
    return OK if found is None else OFF


def _opened(path: str) -> tuple[Recording, Trace]:
    """Raises ScenarioError."""
    with np.errstate(all="ignore"):
        recording = read(Path(path))
        return recording, trace_of(recording)


def _refusal(path: str, error: ScenarioError, *, json: bool) -> tuple[str, str]:
    """What is told of a recording that cannot be read, on standard output and on error."""
    told = {"recording": path, "ok": False, "errors": [error.render()]}
    return (json_line(told) + "\n") if json else "", error.render() + "\n"


def _as_json(
    path: str, recording: Recording, trace: Trace, found: Verified, places: list[Difference]
) -> dict[str, Any]:
    passes = recording.passes
    return {
        "recording": path,
        "ok": True,
        "complete": recording.is_complete,
        "passes": len(passes),
        "iterations": iterations(recording),
        "nodes": len(trace.nodes),
        "gradients": {
            name: {
                "shape": list(shape_of(value)),
                "norm": json_value(norm_of(value)),
                "value": json_value(value) if np.prod(shape_of(value)) <= _SHOWN else None,
            }
            for name, value in last_gradients(recording).items()
        },
        "missing_gradients": list(passes[-1].missing) if passes else [],
        "first_nonfinite": first_nonfinite(trace, autopsy(trace)),
        "verified": asdict(found),
        "differing": [place.told for place in places],
        "error": _error(recording),
        "faults": recording.faults,
        "errors": [],
    }


def _with_functions(
    recording: Recording, found: Verified, places: list[Difference]
) -> tuple[Verified, list[Difference]]:
    """What was verified, and where it is off, the backwards of custom Functions among it."""
    checks = recording.function_checks
    counts = Counter(check.verdict for check in checks)
    more = Verified(
        found.agree + counts["agree"],
        found.differ + counts["differ"],
        found.unknown + counts["unknown"],
    )
    told = [_function(recording, check) for check in checks if check.verdict == "differ"]
    return more, places + told


def _function(recording: Recording, check: FunctionCheck) -> Difference:
    """Where a custom Function's backward is off."""
    element = f" at {list(check.element)}" if check.element else ""
    message = (
        f"{check.name}.backward: by argument {check.argument}{element} it has "
        f"{check.backward:.6g}, finite differences through its forward {check.differences:.6g}; "
        "if that is meant, as of a gradient reversal, it is no mistake"
    )
    return Difference(message, spot(recording, check.stack))


def iterations(recording: Recording) -> int:
    """How many there are: steps of optimisers, or passes where there is none."""
    updates = sum(isinstance(event, Update) for event in recording.events)
    return updates or len({pass_.iteration for pass_ in recording.passes})


def _error(recording: Recording) -> dict[str, Any] | None:
    error = recording.error
    if error is None:
        return None
    where, found = spot(recording, error.stack), culprit(recording)
    return {
        "type": error.type,
        "message": error.message,
        "file": None if where is None else where.file,
        "line": None if where is None else where.line,
        "text": None if where is None else where.text,
        "culprit": None if found is None else _culprit(found),
    }


def _culprit(found: Culprit) -> dict[str, Any]:
    changed, needed = found.changed, found.needed
    return {
        "line": None if changed is None else changed.line,
        "text": None if changed is None else changed.text,
        "needed_by": found.grad_fn,
        "needed_line": None if needed is None else needed.line,
        "needed_text": None if needed is None else needed.text,
    }


def _operands(trace: Trace, found: Autopsy) -> list[dict[str, Any]]:
    node = birth_node(trace, found.first.birth)
    return [
        {"name": trace.label(operand), "value": json_value(trace.nodes.value[operand])}
        for operand in trace.nodes.operands[node]
        if trace.nodes.value[operand] is not None
    ]


# For people


def _lines(
    path: str, recording: Recording, trace: Trace, found: Verified, places: list[Difference]
) -> Iterator[tuple[str, str]]:
    """Styles and lines."""
    passes = recording.passes
    yield "bold", f"{trace.heading.title} ({path})"
    parts = [
        counted(iterations(recording), "iteration"),
        counted(len(passes), "backward pass", "backward passes"),
        counted(len(trace.nodes), "node"),
    ]
    yield "", f"  {', '.join(parts)}{'' if recording.is_complete else '; it was cut off'}"
    counts = f"{found.agree} agree, {found.differ} differ, {found.unknown} unknown"
    yield "", f"  torch's contributions by our rules: {counts}"
    for place in places:
        yield "bad", f"    {place.told}"
    for check in recording.function_checks:
        if check.verdict == "unknown":
            by = f"{check.name}.backward by argument {check.argument}"
            yield "", f"    {by}: cannot be checked, {check.reason}"
    for name, value in last_gradients(recording).items():
        yield "", f"  {name}.grad  {notation.short(value)}"
    for name, why in cut_off_lines(recording):
        yield "", f"  {name}.grad is None: {why}"
    first = autopsy(trace)
    if first is not None:
        yield "bad", f"  {first.first.headline}; `backprop-tui autopsy {path}` tells more"
    yield from (("bad", f"  {line}") for line in error_lines(recording))
    for fault in recording.faults:
        yield "bad", f"  {_last_line(fault)}"


def _print_autopsy(trace: Trace, recording: Recording, found: Autopsy | None, out: Printer) -> None:
    if found is None:
        out.line("nothing in this recording is nan, and no result is inf", "good")
    else:
        node = birth_node(trace, found.first.birth)
        place = trace.nodes.place(node)
        if place is not None:
            text = " ".join(place.text.split())
            out.line(f"{place.source.name}:{place.position.line}: {text}", "bold")
        for line in autopsy_lines(found):
            out.paragraph(line, 2)
        for operand in trace.nodes.operands[node]:
            out.line(f"    {trace.label(operand)} = {notation.short(trace.nodes.value[operand])}")
        for line in cure_lines(found):
            out.paragraph(line, 2)
    for line in error_lines(recording):
        out.paragraph(line, 0, "bad")
