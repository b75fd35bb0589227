"""`check` and `trace` as commands: run, print, and tell the exit code."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import ExitStack

from backprop_engine.record import record
from backprop_engine.scenarios.loader import load, parse_shorthand
from backprop_engine.source import ScenarioError, Source
from backprop_tui.headless import check_output, trace_text
from backprop_tui.headless.check import Bad, Checked, check_scenario
from backprop_tui.headless.json_values import json_line
from backprop_tui.headless.printer import printer
from backprop_tui.oracle.client import Oracle
from backprop_tui.oracle.symbolic.client import SymbolicOracle

OK, OFF, BAD = 0, 1, 2


def check(targets: Sequence[str | Source], *, json: bool, torch: bool, symbolic: bool) -> int:
    """Check every target, in order; a bad one is told and does not stop the others."""
    out = printer(sys.stdout)
    results: list[Checked | Bad] = []
    with ExitStack() as stack:
        oracle = stack.enter_context(Oracle()) if torch else None
        formulas = stack.enter_context(SymbolicOracle()) if symbolic else None
        for target in targets:
            result = check_scenario(target, oracle, formulas)
            results.append(result)
            if json:
                sys.stdout.write(json_line(check_output.as_json(result)) + "\n")
            elif isinstance(result, Checked):
                check_output.print_checked(result, out)
            out.flush()
            if isinstance(result, Bad):
                _complain(result.error)
    if not json:
        check_output.print_summary(results, out)
    if any(isinstance(one, Bad) for one in results):
        return BAD
    return OK if all(isinstance(one, Checked) and one.ok for one in results) else OFF


def trace(target: str | Source, *, json: bool) -> int:
    """Print every step of one scenario."""
    try:
        scenario = parse_shorthand(target) if isinstance(target, Source) else load(target)
        recorded = record(scenario)
    except ScenarioError as error:
        _complain(error)
        return BAD
    if json:
        for one in trace_text.as_json(recorded):
            sys.stdout.write(json_line(one) + "\n")
    else:
        trace_text.print_trace(recorded, printer(sys.stdout))
    return OK


def _complain(error: ScenarioError) -> None:
    sys.stderr.write(error.render() + "\n")
    sys.stderr.flush()
