"""`check --broken KIND`: what comes out if an engine makes one mistake, and where it shows."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from backprop_engine.basics.source import ScenarioError, Source
from backprop_engine.mistakes.broken import BROKEN, BrokenEngine, no_such
from backprop_engine.mistakes.wording import told
from backprop_engine.run.record import record
from backprop_engine.scenarios.loader import load_target
from backprop_engine.trace import StepKind, Trace
from backprop_tui.headless.json_values import json_line
from backprop_tui.headless.printer import Printer, counted, printer
from backprop_tui.opening.targets import advised
from backprop_tui.oracles.yours.broken import first_mistake, where_it_shows
from backprop_tui.oracles.yours.verdict import Kind, Verdict

OK, OFF, BAD = 0, 1, 2
LIST = "list"


def check_broken(kind: str, targets: Sequence[str | Source], *, json: bool) -> int:
    """Say where the engine with a mistake goes wrong in each scenario, and where else it does."""
    engine, out = BROKEN.get(kind), printer(sys.stdout)
    if kind == LIST:
        for slug, broken in BROKEN.items():
            out.line(f"{slug:<28}{broken.mistake.name}")
        return OK
    if engine is None:
        sys.stderr.write(f"backprop-tui: {no_such(kind)}\n")
        return BAD
    worst, shown_in = OK, where_it_shows(engine)
    for target in targets:
        name = target.name if isinstance(target, Source) else target
        try:
            trace = record(load_target(target))
        except ScenarioError as error:
            sys.stderr.write(advised(error) + "\n")
            if json:
                errors = [{"line": None, "message": str(error)}]
                sys.stdout.write(json_line(_json(engine, name, None, "", shown_in, errors)) + "\n")
            worst = BAD
            continue
        verdict = first_mistake(engine, trace)
        why = "" if verdict is None else in_words(engine, trace, verdict)
        if json:
            sys.stdout.write(json_line(_json(engine, name, verdict, why, shown_in)) + "\n")
        else:
            _print(engine, name, verdict, why, out)
        worst = max(worst, OK if verdict is None else OFF)
    if not json:
        out.line(f"{kind} shows in {counted(len(shown_in), 'bundled scenario')}:", "bold")
        out.paragraph(", ".join(shown_in), 2, "dim")
    elif not targets:
        sys.stdout.write(json_line(_json(engine, None, None, "", shown_in)) + "\n")
    return worst


def in_words(engine: BrokenEngine, trace: Trace, verdict: Verdict) -> str:
    """What there is to learn from it, about the nodes of the step."""
    step = verdict.step
    if step is None or trace.step(step).kind is not StepKind.CONTRIBUTION:
        return ""
    return told(engine.mistake, trace, step)


def _json(
    engine: BrokenEngine,
    scenario: str | None,
    verdict: Verdict | None,
    why: str,
    shown_in: Sequence[str],
    errors: Sequence[dict[str, Any]] = (),
) -> dict[str, Any]:
    """One object for one scenario, null where there is none; the keys are a contract."""
    return {
        "scenario": scenario,
        "broken": engine.slug,
        "ok": verdict is None and not errors,
        "verdict": None if verdict is None else str(verdict.kind),
        "step": None if verdict is None else verdict.step,
        "line": None,
        "message": None if verdict is None else verdict.message,
        "mistake": why or None,
        "shows_in": list(shown_in),
        "errors": list(errors),
    }


def _print(
    engine: BrokenEngine, scenario: str, verdict: Verdict | None, why: str, out: Printer
) -> None:
    if verdict is None:
        out.line(f"✓ {engine.slug} does not show in {scenario}", "good")
        return
    out.line(f"✗ {engine.slug} in {scenario}: {verdict.kind}, step {verdict.step}", "bad")
    out.paragraph(verdict.message, 4)
    if why and verdict.kind is Kind.RULE and engine.mistake.name not in verdict.message:
        out.paragraph(f"{why[0].upper()}{why[1:]}.", 4)
