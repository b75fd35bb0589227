"""`check`, `trace` and `ops` as commands: run, print, and tell the exit code."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Self, TextIO

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.sanitised import printable
from backprop_engine.basics.source import ScenarioError, Source
from backprop_engine.catalogue import OPERATIONS
from backprop_engine.recording.frames import is_recording
from backprop_engine.run.record import record
from backprop_engine.scenarios.loader import load_target
from backprop_engine.trace import Trace
from backprop_tui.config.time_limits import DEFAULT_LIMITS, TimeLimits
from backprop_tui.headless import ops, trace_text
from backprop_tui.headless.check import check_scenario
from backprop_tui.headless.json_values import json_line
from backprop_tui.headless.outcome import Outcome, Tally, outcome_of
from backprop_tui.headless.printer import printer
from backprop_tui.headless.reports import Report
from backprop_tui.headless.workers import FEW, How, cores, many_outcomes
from backprop_tui.opening.targets import advised
from backprop_tui.oracles.client import Oracle
from backprop_tui.oracles.sympy.client import SymbolicOracle

OK, BAD = 0, 2


def check(
    targets: Sequence[str | Source],
    *,
    json: bool,
    torch: bool,
    symbolic: bool,
    limits: TimeLimits = DEFAULT_LIMITS,
    report: Report | None = None,
) -> int:
    """Check every target, and print in order; a bad one is told and does not stop the others.

    Recordings come first. KeyboardInterrupt passes through, once what is done has been summed up.
    """
    report = report or Report()
    files = [target for target in targets if isinstance(target, str) and is_recording(Path(target))]
    scenarios = [target for target in targets if target not in files]
    how = How(json=json, symbolic=symbolic, limits=limits, out=printer(sys.stdout))
    worst = OK
    try:
        if files:
            from backprop_tui.headless import recordings

            for file in files:
                outcome = recordings.check(file, how.out, json=json)
                report.tell(outcome.case, outcome.printed, outcome.complaint)
                worst = max(worst, outcome.tally.code)
        if scenarios:
            worst = max(worst, _check_scenarios(scenarios, how, report, torch=torch))
    finally:
        is_written = report.write()
    return worst if is_written else BAD


def _check_scenarios(
    targets: Sequence[str | Source], how: How, report: Report, *, torch: bool
) -> int:
    total = Tally()
    with ExitStack() as stack:
        if len(targets) > FEW and cores() > 1:
            oracle = stack.enter_context(Oracle(time_limit=how.limits.torch)) if torch else None
            outcomes = stack.enter_context(many_outcomes(targets, how, oracle, workers=cores()))
        else:
            outcomes = map(stack.enter_context(checking(how, torch=torch)), targets)
        shown = stack.enter_context(progress(len(targets), json=how.json))
        try:
            for outcome in outcomes:
                shown.clear()
                report.tell(outcome.case, outcome.printed, outcome.complaint)
                total += outcome.tally
                shown.step()
                shown.draw()
        except KeyboardInterrupt:
            # Pressed again, ctrl+c shall not disturb the ending of the processes.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            shown.clear()
            if not how.json:
                total.print(how.out)
            said = f"interrupted: {total.scenarios} of {len(targets)} scenarios are checked\n"
            sys.stderr.write(said)
            sys.stdout.flush()
            raise
    if not how.json:
        total.print(how.out)
    return total.code


@contextmanager
def checking(how: How, *, torch: bool) -> Iterator[Callable[[str | Source], Outcome]]:
    """What checks a scenario in this process; leaving ends the oracles."""
    with ExitStack() as stack:
        oracle = stack.enter_context(Oracle(time_limit=how.limits.torch)) if torch else None
        formulas = SymbolicOracle(time_limit=how.limits.symbolic) if how.symbolic else None
        if formulas is not None:
            stack.enter_context(formulas)

        def check(target: str | Source) -> Outcome:
            seconds = how.limits.finite_difference
            result = check_scenario(target, oracle, formulas, seconds=seconds)
            return outcome_of(result, how.out, json=how.json)

        yield check


def trace(target: str | Source, *, json: bool) -> int:
    """Print every step of one scenario."""
    try:
        recorded = _trace(target)
    except ScenarioError as error:
        _complain(error)
        return BAD
    if json:
        for line in trace_text.as_json(recorded):
            sys.stdout.write(json_line(line) + "\n")
    else:
        trace_text.print_trace(recorded, printer(sys.stdout))
    return OK


def _trace(target: str | Source) -> Trace:
    """The trace of a scenario or a recording. Raises ScenarioError."""
    if isinstance(target, str) and is_recording(Path(target)):
        from backprop_engine.recording.opened import open_recording

        return open_recording(Path(target))
    return record(load_target(target))


def reference(names: Sequence[str], *, json: bool, markdown: bool) -> int:
    """Print the catalogue: all of it as a table, or what is known of the operations named."""
    try:
        named = {operation.name: operation for name in names for operation in ops.find(name)}
    except ops.UnknownOperationError as error:
        sys.stderr.write(
            f"backprop-tui: {printable(str(error))}\n`backprop-tui ops` lists them all\n"
        )
        return BAD
    chosen = (named if names else OPERATIONS).values()
    out = printer(sys.stdout)
    if markdown:
        sys.stdout.write(ops.markdown())
    elif json:
        for operation in chosen:
            sys.stdout.write(json_line(ops.as_json(ops.page(operation))) + "\n")
    elif names:
        for operation in chosen:
            ops.print_page(ops.page(operation), out)
    else:
        ops.print_table(out)
    return OK


def _complain(error: ScenarioError) -> None:
    sys.stderr.write(advised(error) + "\n")
    sys.stderr.flush()


@dataclass(slots=True)
class Progress:
    """One line on `stream`, gone while something else is printed; none if that is no terminal."""

    total: int
    stream: TextIO
    shown: bool
    _done: int = 0
    _width: int = 0

    def step(self) -> None:
        """One more is done."""
        self._done += 1

    def draw(self) -> None:
        """Show where it stands."""
        if self.shown and self._done < self.total:
            text = f"{self._done} of {self.total} checked"
            self._width = len(text)
            self.stream.write(text)
            self.stream.flush()

    def clear(self) -> None:
        """Make room."""
        if self._width:
            # No escape sequences: they are not for every terminal.
            self.stream.write("\r" + " " * self._width + "\r")
            self.stream.flush()
            self._width = 0

    def __enter__(self) -> Self:
        self.draw()
        return self

    def __exit__(self, *_: object) -> None:
        self.clear()


def progress(total: int, *, json: bool) -> Progress:
    """For people at a terminal, and for more than one scenario."""
    at_terminal = sys.stdout.isatty() and sys.stderr.isatty()
    return Progress(total, sys.stderr, shown=at_terminal and not json and total > 1)
