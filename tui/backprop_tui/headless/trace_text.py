"""`trace`: every step of a run as text for people, or as one JSON object a step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import wrap
from typing import Any

from backprop_engine.basics import notation
from backprop_engine.mathematics.text import text_of
from backprop_engine.reading.explain import Explanation, explain
from backprop_engine.reading.timeline_words import grads_after
from backprop_engine.trace import Pass, PassKind, StepKind, Trace
from backprop_tui.headless.json_values import json_value
from backprop_tui.headless.printer import Printer, heading

_GAP = 2
_NOTE_WIDTH = 80
_WIDEST_CELL = 40
"""A longer cell does not push its whole column out; it takes a line for itself."""


def as_json(trace: Trace) -> Iterator[dict[str, Any]]:
    """One object a step; the keys are a contract, see the documentation."""
    for index in range(len(trace)):
        step, told = trace.step(index), explain(trace, index)
        sent = step.kind in (StepKind.SEED, StepKind.CONTRIBUTION)
        yield {
            "step": index,
            "pass": step.pass_index,
            "pass_name": trace.passes[step.pass_index].name,
            "kind": str(step.kind),
            "node": None if step.node is None else trace.label(step.node),
            "operand": None if step.operand is None else trace.label(step.operand),
            "value": None if step.node is None else json_value(trace.nodes.value[step.node]),
            "contribution": json_value(trace.contribution(index)) if sent else None,
            "total_after": json_value(trace.total_after(index)) if sent else None,
            "formula": text_of(told.formula or told.vjp),
            "text": _in_one_line(told),
        }


def _in_one_line(told: Explanation) -> str:
    figures = text_of(told.product or told.numbers)
    figures = "; ".join(text for text in (figures, told.running) if text)
    return f"{told.headline}{': ' if figures else ''}{figures}. {told.sentence}"


def print_trace(trace: Trace, out: Printer) -> None:
    """All passes, a step a line, with what explains it."""
    out.line(heading(trace.heading.title, trace.heading.name), "bold")
    for line in wrap(trace.heading.note, _NOTE_WIDTH):
        out.line(line, "dim")
    digits = len(str(max(len(trace) - 1, 0)))
    for pass_ in trace.passes:
        out.line()
        out.line(pass_.name, "bold")
        _print_pass(trace, pass_, digits, out)


def _print_pass(trace: Trace, pass_: Pass, digits: int, out: Printer) -> None:
    steps = range(pass_.start, pass_.stop)
    if not steps:
        out.line("  nothing to compute", "dim")
        return
    told = [explain(trace, index) for index in steps]
    rows = [tuple(map(out.text, _cells(trace, *pair))) for pair in zip(steps, told, strict=True)]
    lengths = (map(len, column) for column in zip(*rows, strict=True))
    widths = [max((n for n in column if n <= _WIDEST_CELL), default=0) for column in lengths]
    indent = digits + 4
    for index, row, explanation in zip(steps, rows, told, strict=True):
        lines = list(_laid_out(row, widths, out.width - indent))
        out.line(f"{index:>{digits + 2}}  {lines[0]}")
        for line in lines[1:]:
            out.line(" " * indent + line)
        # Forward steps speak for themselves.
        texts = () if pass_.kind is PassKind.FORWARD else (explanation.sentence, *explanation.notes)
        for text in texts:
            out.paragraph(text, indent + _GAP, "dim")
    for _, name, grad in grads_after(trace, pass_):
        text = "None" if grad is None else notation.short(grad)
        out.line(f"{'':>{digits + 2}}  {name}.grad = {text}", "bold")


def _cells(trace: Trace, index: int, told: Explanation) -> tuple[str, ...]:
    """The columns of a step: who, the rule, the figures, the running sum."""
    step = trace.step(index)
    formula, numbers = text_of(told.formula), text_of(told.numbers)
    if step.kind is StepKind.FORWARD and step.node is not None:
        return formula, numbers, trace.nodes.grad_fn(step.node)
    if step.kind is StepKind.ZERO_GRAD or step.node is None:
        return (formula,)
    sender = trace.label(step.node)
    if step.operand is None:
        return "start", formula, "", ""
    edge = f"{sender} → {trace.label(step.operand)}"
    if told.product:
        return edge, formula, text_of(told.product), told.running
    return edge, text_of(told.vjp) or formula, "", told.running


def _laid_out(cells: Sequence[str], widths: Sequence[int], room: int) -> Iterator[str]:
    """The cells in their columns; those that do not fit go on in further lines."""
    line, end = "", 0
    for cell, width in zip(cells, widths, strict=True):
        start = end + _GAP if end else 0
        if cell and line and (start + len(cell) > room or len(line) > start - _GAP):
            yield line
            start, line = _GAP, ""
        if cell:
            line = line.ljust(start) + cell
        end = start + width
    yield line
