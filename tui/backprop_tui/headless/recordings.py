"""`check` and `autopsy` of recordings: as text for people, and as JSON."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path, PurePath
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
from backprop_tui.headless.printer import Printer, counted, printer

OK, OFF, BAD = 0, 1, 2
_SHOWN: Final = 64
"""Elements up to which a gradient is given whole."""


def check(path: str, *, json: bool) -> int:
    """Verify one recording: our rules on its operands, what it holds and what it lacks."""
    opened = _opened(path, json=json)
    if opened is None:
        return BAD
    recording, trace = opened
    found, places = verified(trace)
    faults = recording.faults
    found, places = _with_functions(recording, found, places)
    is_ok = not found.differ and not faults
    if json:
        told = _as_json(path, recording, trace, found, places)
        sys.stdout.write(json_line({**told, "ok": is_ok}) + "\n")
    else:
        out = printer(sys.stdout)
        for style, line in _lines(path, recording, trace, found, places):
            out.line(line, style)
        out.line("✓ nothing is off" if is_ok else "✗ something is off", "good" if is_ok else "bad")
    return OK if is_ok else OFF


def tell_autopsy(path: str, *, json: bool) -> int:
    """Where the first nan or inf of a recording was born; 1 if one was."""
    opened = _opened(path, json=json)
    if opened is None:
        return BAD
    recording, trace = opened
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


def _opened(path: str, *, json: bool) -> tuple[Recording, Trace] | None:
    try:
        with np.errstate(all="ignore"):
            recording = read(Path(path))
            return recording, trace_of(recording)
    except ScenarioError as error:
        if json:
            told = {"recording": path, "ok": False, "errors": [error.render()]}
            sys.stdout.write(json_line(told) + "\n")
        sys.stderr.write(error.render() + "\n")
        return None


def _as_json(
    path: str, recording: Recording, trace: Trace, found: Verified, places: list[str]
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
        "differing": places,
        "error": _error(recording),
        "faults": recording.faults,
        "errors": [],
    }


def _with_functions(
    recording: Recording, found: Verified, places: list[str]
) -> tuple[Verified, list[str]]:
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


def _function(recording: Recording, check: FunctionCheck) -> str:
    """Where a custom Function's backward is off."""
    where = spot(recording, check.stack)
    at = "" if where is None else f"{PurePath(where.file).name}:{where.line}: "
    element = f" at {list(check.element)}" if check.element else ""
    return (
        f"{at}{check.name}.backward: by argument {check.argument}{element} it has "
        f"{check.backward:.6g}, finite differences through its forward {check.differences:.6g}; "
        "if that is meant, as of a gradient reversal, it is no mistake"
    )


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
    path: str, recording: Recording, trace: Trace, found: Verified, places: list[str]
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
        yield "bad", f"    {place}"
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
        yield "bad", f"  a mistake of the recorder's: {fault.strip().splitlines()[-1]}"


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
