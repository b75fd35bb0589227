"""`check`, `trace` and `ops` as commands: run, print, and tell the exit code."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import ExitStack

from backprop_engine.catalogue import OPERATIONS
from backprop_engine.harmless import printable
from backprop_engine.record import record
from backprop_engine.scenarios.loader import load, parse_shorthand
from backprop_engine.source import ScenarioError, Source
from backprop_tui.headless import check_output, ops, ops_output, trace_text
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


def reference(names: Sequence[str], *, json: bool, markdown: bool) -> int:
    """Print the catalogue: all of it as a table, or what is known of the operations named."""
    try:
        named = {one.name: one for name in names for one in ops.find(name)}
    except ops.UnknownOperationError as error:
        sys.stderr.write(
            f"backprop-tui: {printable(str(error))}\n`backprop-tui ops` lists them all\n"
        )
        return BAD
    chosen = (named if names else OPERATIONS).values()
    out = printer(sys.stdout)
    if markdown:
        sys.stdout.write(ops_output.markdown())
    elif json:
        for one in chosen:
            sys.stdout.write(json_line(ops_output.as_json(ops.page(one))) + "\n")
    elif names:
        for one in chosen:
            ops_output.print_page(ops.page(one), out)
    else:
        ops_output.print_table(out)
    return OK


def _complain(error: ScenarioError) -> None:
    sys.stderr.write(error.render() + "\n")
    sys.stderr.flush()
