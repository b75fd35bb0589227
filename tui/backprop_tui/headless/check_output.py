"""The results of `check`, as a table for people and as JSON for programs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from backprop_engine.basics import notation
from backprop_engine.basics.values import Value
from backprop_engine.reading.autopsy.report import as_record, autopsy_lines, cure_lines
from backprop_tui.headless.checked import Bad, Checked, Complaint, GradientRow
from backprop_tui.headless.json_values import json_value
from backprop_tui.headless.printer import Printer

_NONE = "–"
_HEADER = ("", "engine", "torch", "finite differences", "symbolic", "")
_STYLES = {"✓": "good", "≟": "bold", "✗": "bad"}
_MOST_LISTED = 6
"""Elements of an array that are still told one by one."""


def as_json(result: Checked | Bad) -> dict[str, Any]:
    """One object for one scenario; the keys are a contract, see the documentation."""
    if isinstance(result, Bad):
        position, problems = result.error.source.position, result.error.problems
        errors = [
            asdict(position(problem.span.start)) | {"message": problem.sentence}
            for problem in problems
        ]
        return {"scenario": result.scenario, "ok": False, "errors": errors}
    answer: dict[str, Any] = {
        "scenario": result.scenario,
        "ok": result.ok,
        "values": {name: json_value(value) for name, value in result.values.items()},
        "gradients": {row.name: _row_json(row) for row in result.gradients},
        "nodes": result.nodes,
        "steps": result.steps,
        "float32": result.float32,
        "not_settled": result.not_settled,
        "errors": [
            {"oracle": said.oracle, "name": said.name, "message": said.message}
            for said in (*result.complaints, *result.notices, *result.departures)
        ],
    }
    if result.expected_error:
        answer["expected_error"] = result.expected_error
    if result.autopsy is not None:
        answer["autopsy"] = as_record(result.autopsy)
    return answer


def _row_json(row: GradientRow) -> dict[str, Any]:
    found = row.difference
    estimate = None if found is None else found.gradient
    answer: dict[str, Any] = {
        "engine": json_value(row.engine),
        "torch": json_value(row.torch),
        "finite_difference": _without_skipped(json_value(estimate)),
        "symbolic": None if row.symbolic is None else json_value(row.symbolic.gradient),
        "ok": row.ok,
    }
    if found is not None and found.skipped:
        answer["skipped"] = found.reason
    if found is not None and found.directions:
        answer["directions"] = [
            {
                "engine": json_value(direction.engine),
                "finite_difference": json_value(direction.finite_difference),
                "ok": direction.agrees,
            }
            for direction in found.directions
        ]
    return answer


def _without_skipped(estimate: Any) -> Any:
    """Null for the elements that were skipped; they stand as nan in the estimate."""
    if isinstance(estimate, list):
        return [_without_skipped(number) for number in estimate]
    return None if estimate == "nan" else estimate


def print_checked(result: Checked, out: Printer) -> None:
    """One block: the scenario, a row for each gradient, what is off."""
    mark = out.styled(out.text(f"{result.mark} "), _STYLES[result.mark])
    out.stream.write(mark + out.styled(out.text(result.heading), "bold") + "\n")
    if result.expected_error:
        out.paragraph(f"stops, as it should: {result.expected_error}", 4)
    for at, line in enumerate(gradient_table(result.gradients, out)):
        out.line(line, "dim" if at == 0 else "" if result.gradients[at - 1].ok else "bad")
    if result.autopsy is not None:
        for line in autopsy_lines(result.autopsy):
            out.paragraph(line.strip(), 8 if line.startswith(" ") else 4, "dim")
        for line in cure_lines(result.autopsy):
            out.paragraph(line, 4, "dim")
    if result.float32 is not None:
        out.paragraph(
            f"in float32, torch's default, {result.float32} would not be finite", 4, "dim"
        )
    for complaint in result.complaints:
        out.paragraph(said_of(complaint), 4, "bad")
    for complaint in result.departures:
        out.paragraph(f"{complaint.oracle}: {complaint.message}", 4, "dim")
    out.line()


def said_of(complaint: Complaint) -> str:
    """Who complains, and of what."""
    return f"{complaint.oracle.replace('_', ' ')}: {complaint.message}"


def gradient_table(
    rows: Sequence[GradientRow], out: Printer, *, with_torch: bool = True
) -> list[str]:
    """Aligned lines, a heading first; arrays with as much detail as the width allows."""
    if not rows:
        return []
    lines: list[str] = []
    for show in (_listed, _pictured, _shape):
        table: list[tuple[str, ...]] = [_HEADER]
        table += [tuple(map(out.text, _cells(row, show))) for row in rows]
        if not with_torch:
            table = [cells[:2] + cells[3:] for cells in table]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = ["    " + "   ".join(map(str.ljust, cells, widths)).rstrip() for cells in table]
        if max(map(len, lines)) <= out.width:
            break
    return lines


def _cells(row: GradientRow, show: Callable[[Value], str]) -> tuple[str, ...]:
    found = row.difference
    if found is None:
        estimate = "not run"
    elif found.gradient is not None:
        estimate = show(found.gradient).replace("nan", _NONE)  # nan: that element was skipped
    elif found.directions:
        agreeing = sum(direction.agrees for direction in found.directions)
        estimate = f"{agreeing} of {len(found.directions)} directions agree"
    else:
        estimate = f"skipped: {found.reason}" if found.skipped else _NONE
    engine = _NONE if row.engine is None else show(row.engine)
    torch = "not run" if not row.torch_ran else _NONE if row.torch is None else show(row.torch)
    formula = _NONE
    if row.symbolic is None:
        formula = "not run"
    elif row.symbolic.gradient is not None:
        formula = show(row.symbolic.gradient)
    # A hyphen for minus: these are figures that people copy into other programs.
    figures = (number.replace("−", "-") for number in (engine, torch, estimate, formula))
    mark = "✗" if not row.ok else "≟" if row.is_open else "✓"
    return f"{notation.as_name(row.name)}.grad", *figures, mark


def _pictured(value: Value) -> str:
    return _listed(value) if np.size(value) == 1 else notation.short(value)


def _shape(value: Value) -> str:
    if isinstance(value, np.ndarray) and value.size != 1:
        size = notation.shape(value.shape)
        return f"[{size}]" if value.ndim == 1 else size  # a bare 2 would pass for the value
    return _listed(value)


def figures(value: Value) -> str:
    """A value as it stands in the table: a small array with its elements."""
    return _listed(value).replace("−", "-")


def _listed(value: Value) -> str:
    if not isinstance(value, np.ndarray) or value.size > _MOST_LISTED:
        return notation.short(value)
    return _list_text(value.tolist())


def _list_text(items: Any) -> str:
    if isinstance(items, list):
        return f"[{', '.join(map(_list_text, items))}]"
    return notation.number(items, 4)
