"""Grades as a table, as JSON and as CSV."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final, TextIO

from backprop_tui.headless.exercises.grading import Grade, Graded, Unreadable
from backprop_tui.headless.exercises.sheet import answer_text
from backprop_tui.headless.json_values import json_value
from backprop_tui.headless.printer import Printer, counted
from backprop_tui.headless.reports import Case, Fault

COLUMNS: Final = ("sheet", "exercise", "seed", "points", "of", "marks", "mistakes", "error")
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet would run, at the beginning of a cell."""
_FREQUENT: Final = 3


def as_json(grade: Grade | Unreadable) -> dict[str, Any]:
    """One object a sheet; the keys are a contract."""
    if isinstance(grade, Unreadable):
        errors = [
            {"line": place.line, "column": place.column, "message": problem.sentence}
            for problem in grade.error.problems
            for place in (grade.error.source.position(problem.span.start),)
        ]
        return {"sheet": grade.sheet, "ok": False, "errors": errors}
    return {
        "sheet": grade.sheet,
        "ok": grade.points == grade.of,
        "exercise": grade.exercise,
        "seed": grade.seed,
        "points": grade.points,
        "of": grade.of,
        "answers": [_answer_json(answer) for answer in grade.answers],
        "errors": [],
    }


def _answer_json(answer: Graded) -> dict[str, Any]:
    return {
        "step": answer.step,
        "asked": answer.asked,
        "answer": answer.answer or None,
        "points": answer.points,
        "right": json_value(answer.right),
        "mistakes": [mistake.name for mistake in answer.mistakes],
        "message": answer.message,
        "line": answer.line,
    }


def as_case(grade: Grade | Unreadable) -> Case:
    """A sheet as a test, which failed where an answer is not worth its point."""
    if isinstance(grade, Unreadable):
        error = grade.error
        places = [error.source.position(problem.span.start) for problem in error.problems]
        faults = tuple(
            Fault(problem.sentence, place.line, place.column)
            for problem, place in zip(error.problems, places, strict=True)
        )
        return Case(grade.sheet, grade.sheet, faults, is_bad=True)
    faults = tuple(
        Fault(f"{answer.step}: {answer.asked}: {_wrong(answer)}", answer.line)
        for answer in grade.answers
        if answer.points < 1
    )
    name = f"{grade.exercise}, seed {grade.seed}: {points_text(grade.points)} of {grade.of}"
    return Case(name, grade.sheet, faults)


def _wrong(answer: Graded) -> str:
    answered = answer.answer and f"{answer.answer} is not {answer_text(answer.right)}"
    return "; ".join(filter(None, (answered, answer.message)))


def print_grade(grade: Grade, out: Printer) -> None:
    """A sheet in a line, and each answer that is not worth a point."""
    marks = " ".join(answer.mark for answer in grade.answers)
    style = "good" if grade.points == grade.of else ""
    points = f"{points_text(grade.points)} of {grade.of}"
    out.line(f"{points:>9}  {marks}  {grade.sheet} ({grade.exercise}, seed {grade.seed})", style)
    for answer in grade.answers:
        if answer.points < 1:
            out.paragraph(f"{answer.step}: {answer.asked}: {_wrong(answer)}", 11, "dim")


def print_summary(grades: Sequence[Grade], unreadable: int, out: Printer) -> None:
    """How the class did."""
    parts = [counted(len(grades) + unreadable, "sheet")]
    if grades:
        share = sum(grade.points for grade in grades) / max(sum(grade.of for grade in grades), 1)
        parts.append(f"{share:.0%} of the points")
    if unreadable:
        parts.append(f"{unreadable} cannot be graded")
    out.line("; ".join(parts), "bad" if unreadable else "bold")
    frequent = Counter(
        mistake.name for grade in grades for answer in grade.answers for mistake in answer.mistakes
    ).most_common(_FREQUENT)
    if frequent:
        told = ", ".join(f"{name} ({count})" for name, count in frequent)
        out.line(f"most frequent: {told}", "dim")


def points_text(points: float) -> str:
    """`4` or `4.5`."""
    return f"{points:g}"


def write_csv(grades: Iterable[Grade | Unreadable], stream: TextIO) -> None:
    """A row a sheet, for a spreadsheet, which finds nothing to run in it."""
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    for grade in grades:
        writer.writerow([_harmless(str(cell)) for cell in _cells(grade)])


def _cells(grade: Grade | Unreadable) -> tuple[object, ...]:
    if isinstance(grade, Unreadable):
        return (grade.sheet, "", "", "", "", "", "", grade.error.render().partition("\n")[0])
    names = (mistake.name for answer in grade.answers for mistake in answer.mistakes)
    return (
        grade.sheet,
        grade.exercise,
        grade.seed,
        points_text(grade.points),
        grade.of,
        "".join(answer.mark for answer in grade.answers),
        "; ".join(dict.fromkeys(names)),
        "",
    )


def _harmless(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) else cell
