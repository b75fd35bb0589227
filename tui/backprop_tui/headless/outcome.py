"""What a check leaves behind once it is printed: texts, and the figures of the last line."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, astuple, field, replace
from operator import add
from typing import Any, Self

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.source import Position
from backprop_tui.headless.check_output import as_json, print_checked, said_of
from backprop_tui.headless.checked import Bad, Checked
from backprop_tui.headless.json_values import json_line
from backprop_tui.headless.printer import Printer, counted
from backprop_tui.headless.reports import Case, Fault
from backprop_tui.opening.targets import advised
from backprop_tui.oracles.sympy.report import IN_ARRAYS


@dataclass(frozen=True, slots=True)
class Tally:
    """How many of each; of gradients that were not judged, the reasons."""

    scenarios: int = 0
    failed: int = 0
    bad: int = 0
    gradients: int = 0
    off: int = 0
    not_settled: int = 0
    """Scenarios that are ok, of which torch has another result, or could have."""
    skipped: list[str] = field(default_factory=list)
    """By finite differences."""
    unjudged: list[str] = field(default_factory=list)
    """By formulas."""

    @property
    def code(self) -> int:
        """The exit code: 2 if something is bad, 1 if something is off, else 0."""
        return 2 if self.bad else 1 if self.failed else 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(*map(add, astuple(self), astuple(other)))

    def print(self, out: Printer) -> None:
        """The last line: how many scenarios, gradients and skips."""
        parts = [
            counted(self.scenarios, "scenario"),
            f"{self.scenarios - self.bad - self.failed} ok",
            *([f"{self.not_settled} of them not settled"] if self.not_settled else []),
            *([f"{self.failed} failed"] if self.failed else []),
            *([f"{self.bad} bad"] if self.bad else []),
        ]
        off = f"{self.off} off" if self.off else "none off"
        gradients = f"{counted(self.gradients, 'gradient')}, {off}"
        style = "bad" if self.failed or self.bad else "good"
        out.line(f"{', '.join(parts)}; {gradients}; {self._skips()}", style)

    def _skips(self) -> str:
        """How many gradients an oracle could not judge, and why, with the oracle's name.

        Formulas are for numbers: a program with arrays is no case for them, and is told apart.
        """
        unjudged = Counter(self.unjudged)
        in_arrays = unjudged.pop(IN_ARRAYS, 0)
        by_oracle = {"finite differences": Counter(self.skipped), "symbolic": unjudged}
        others = f"; no formulas for {in_arrays} in arrays" if in_arrays else ""
        total = sum(counts.total() for counts in by_oracle.values())
        if not total:
            return f"no skips{others}"
        reasons = [
            f"{oracle} {reasons.total()}: {', '.join(reasons)}"
            for oracle, reasons in by_oracle.items()
            if reasons
        ]
        return f"{counted(total, 'skip')} ({'; '.join(reasons)}){others}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One scenario's part of the output, and of the tally."""

    printed: str
    """For standard output."""
    complaint: str
    """For standard error."""
    tally: Tally
    case: Case

    def as_json(self) -> dict[str, Any]:
        """Itself, for the way from one process to another."""
        return asdict(self)

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Self:
        """The inverse of `as_json`; KeyError or TypeError if it is none."""
        tally, case = Tally(**told["tally"]), Case.from_json(told["case"])
        return cls(told["printed"], told["complaint"], tally, case)


def outcome_of(result: Checked | Bad, out: Printer, *, json: bool) -> Outcome:
    """`result` as it is to be printed by `out`, which itself prints nothing here."""
    case = _case(result)
    text = ""
    if json:
        text = json_line(as_json(result)) + "\n"
    elif isinstance(result, Checked):
        lines = io.StringIO()
        print_checked(result, replace(out, stream=lines))
        text = lines.getvalue()
    if isinstance(result, Bad):
        return Outcome(text, advised(result.error) + "\n", Tally(scenarios=1, bad=1), case)
    rows = result.gradients
    differences, formulas = [row.difference for row in rows], [row.symbolic for row in rows]
    tally = Tally(
        scenarios=1,
        failed=not result.ok,
        gradients=len(rows),
        off=sum(not row.ok for row in rows),
        not_settled=result.ok and result.not_settled > 0,
        skipped=[found.reason for found in differences if found is not None and found.skipped],
        unjudged=[found.summary for found in formulas if found is not None and found.reason],
    )
    return Outcome(text, "", tally, case)


def _case(result: Checked | Bad) -> Case:
    if isinstance(result, Checked):
        said = result.complaints
        faults = tuple(_fault(said_of(complaint), complaint.place) for complaint in said)
        return Case(result.heading, result.scenario, faults, seconds=result.seconds)
    source = result.error.source
    faults = tuple(
        _fault(problem.sentence, source.position(problem.span.start) if source.text else None)
        for problem in result.error.problems
    )
    return Case(source.known_as, result.scenario, faults, True, result.seconds)


def _fault(message: str, place: Position | None) -> Fault:
    return Fault(message) if place is None else Fault(message, place.line, place.column)
