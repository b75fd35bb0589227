"""The reference of operations: a table, a page each, JSON, and Markdown for the README."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
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


def as_json(one: Page) -> dict[str, Any]:
    """One object for one operation; the keys are a contract, see the documentation."""
    example = one.example
    return {
        "name": one.operation.name,
        "group": one.group,
        "words": one.operation.description.words,
        "formula": one.formula,
        "signatures": list(one.signatures),
        "operator": one.operator or None,
        "properties": list(one.properties),
        "method": one.method or None,
        "derivatives": [
            {"operand": part.operand, "formula": part.formula, "words": part.words}
            for part in one.parts
        ],
        "grad_fn": one.grad_fn or None,
        "composite": list(one.steps),
        "rounding": one.operation.rounding.value,
        "example": None
        if example is None
        else {
            "text": one.operation.description.example,
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


def print_page(one: Page, out: Printer) -> None:
    """Everything about one operation, its example run."""
    operation = one.operation
    out.line(operation.name, "bold")
    out.paragraph(_sentence(operation.description.words), 2)
    out.line()
    _print_entry("formula", [f"y = {one.formula}"], out)
    written = [*([one.operator] if one.operator else []), *one.signatures, *one.properties]
    _print_entry("written", written, out)
    if one.method:
        _print_entry("method", [one.method], out)
    for part in one.parts:
        _print_entry(part.operand, [part.formula, part.words], out)
    if not one.parts:
        _print_entry("gradient", ["none goes back through it"], out)
    _print_entry("grad_fn", [one.grad_fn or "None"], out)
    if one.steps:
        _print_entry("made of", list(one.steps), out)
    _print_entry("rounding", [operation.rounding.value], out)
    if one.example is not None:
        out.line()
        _print_example(operation.description.example, one.example, out)
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
    """The table of the README: a row a group, with all names by which its operations go."""
    rows = [
        f"| {title} | {', '.join(dict.fromkeys(_names(entries)))} |"
        for title, entries in GROUPS.items()
    ]
    return "\n".join(["| group | operations |", "|---|---|", *rows]) + "\n"


def _names(entries: tuple[Operation, ...]) -> Iterator[str]:
    for one in entries:
        form = operator_form(one)
        yield from ([f"`{form}`".replace("|", "\\|")] if form else [])
        yield from (f"`{name}`" for name in one.spelling.functions)
        yield from (f"`.{name}`" for name in one.spelling.properties)
