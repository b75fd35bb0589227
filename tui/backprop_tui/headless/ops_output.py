"""The reference of operations: a table, a page each, JSON, and Markdown for docs/."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from backprop_engine.catalogue import GROUPS
from backprop_engine.operation import Operation
from backprop_tui.headless.check_output import figures, gradient_table
from backprop_tui.headless.checked import Checked
from backprop_tui.headless.json_values import json_value
from backprop_tui.headless.ops import Page, formula, operator_form
from backprop_tui.headless.printer import Printer

_INDENT = "  "
_LABEL = 11
_NAME, _FORMULA = 14, 30
"""What is longer takes a line for itself."""


def as_json(page: Page) -> dict[str, Any]:
    """One object for one operation; the keys are a contract, see the documentation."""
    example = page.example
    return {
        "name": page.operation.name,
        "group": page.group,
        "words": page.operation.description.words,
        "formula": page.formula,
        "signatures": list(page.signatures),
        "operator": page.operator or None,
        "properties": list(page.properties),
        "method": page.method or None,
        "derivatives": list(map(asdict, page.parts)),
        "grad_fn": page.grad_fn or None,
        "composite": list(page.steps),
        "rounding": page.operation.rounding.value,
        "example": None
        if example is None
        else {
            "text": page.operation.description.example,
            "values": {name: json_value(value) for name, value in example.values.items()},
            "gradients": {row.name: json_value(row.engine) for row in example.gradients},
        },
    }


def print_table(out: Printer) -> None:
    """All operations: name, formula, and how each is written."""
    for number, (title, entries) in enumerate(GROUPS.items()):
        if number:
            out.line()
        out.line(title, "bold")
        for operation in entries:
            _print_row(operation, out)
    out.line()
    out.line("backprop-tui ops NAME tells the rest; torch. and F. may stand before a name.", "dim")


def _print_row(operation: Operation, out: Printer) -> None:
    line = _INDENT
    for cell, width in ((operation.name, _NAME), (out.text(formula(operation)), _FORMULA)):
        if len(cell) > width:
            out.line(line + cell)
            line, cell = " " * len(line), ""
        line += f"{cell:<{width}}{_INDENT}"
    ways = ", ".join(_ways(operation))
    first, *others = textwrap.wrap(ways, out.width - len(line), break_long_words=False) or [""]
    out.line(line + first)
    for other in others:
        out.line(" " * len(line) + other)


def _ways(operation: Operation) -> Iterator[str]:
    """`a + b`, `add`, `.T`."""
    if form := operator_form(operation):
        yield form
    yield from operation.spelling.functions
    yield from (f".{name}" for name in operation.spelling.properties)


def print_page(page: Page, out: Printer) -> None:
    """Everything about one operation, its example run."""
    operation = page.operation
    out.line(operation.name, "bold")
    out.paragraph(_sentence(operation.description.words), 2)
    out.line()
    _print_entry("formula", [f"y = {page.formula}"], out)
    written = [*([page.operator] if page.operator else []), *page.signatures, *page.properties]
    _print_entry("written", written, out)
    if page.method:
        _print_entry("method", [page.method], out)
    for part in page.parts:
        _print_entry(part.operand, [part.formula, part.words], out)
    if not page.parts:
        _print_entry("gradient", ["none goes back through it"], out)
    _print_entry("grad_fn", [page.grad_fn or "None"], out)
    if page.steps:
        _print_entry("made of", list(page.steps), out)
    _print_entry("rounding", [operation.rounding.value], out)
    if page.example is not None:
        out.line()
        _print_example(operation.description.example, page.example, out)
    out.line()


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:] + ("" if words.endswith(".") else ".")


def _print_entry(label: str, texts: list[str], out: Printer) -> None:
    room = out.width - _LABEL - len(_INDENT)
    lines = [line for text in texts for line in textwrap.wrap(text, room, subsequent_indent="  ")]
    for number, line in enumerate(lines):
        shown = label if number == 0 else ""
        if len(shown) >= _LABEL:
            out.line(_INDENT + shown)
            shown = ""
        out.line(f"{_INDENT}{shown:<{_LABEL}}{line}")


def _print_example(text: str, example: Checked, out: Printer) -> None:
    out.line(f"{_INDENT}backprop-tui -e '{text}'", "bold")
    for name, value in example.values.items():
        out.line(f"    {name} = {figures(value)}")
    for at, line in enumerate(gradient_table(example.gradients, out, with_torch=False)):
        out.line(line, "dim" if at == 0 else "")


def markdown() -> str:
    """The table of docs/operations.md: a row a group, with all names by which its operations go."""
    rows = [
        f"| {title} | {', '.join(dict.fromkeys(_names(entries)))} |"
        for title, entries in GROUPS.items()
    ]
    return "\n".join(["| group | operations |", "|---|---|", *rows]) + "\n"


def _names(entries: tuple[Operation, ...]) -> Iterator[str]:
    for operation in entries:
        form = operator_form(operation)
        yield from ([f"`{form}`".replace("|", "\\|")] if form else [])
        yield from (f"`{name}`" for name in operation.spelling.functions)
        yield from (f"`.{name}`" for name in operation.spelling.properties)
