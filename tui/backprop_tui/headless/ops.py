"""`ops`: what the catalogue says about its operations, as data, text, JSON and Markdown."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any, Final

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.source import SHORTHAND_NAME, Source
from backprop_engine.basics.suggestions import did_you_mean
from backprop_engine.catalogue import FUNCTIONS, GROUPS, OPERATIONS, PROPERTIES
from backprop_engine.mathematics.text import text_of
from backprop_engine.mathematics.tree import Text, Tree
from backprop_engine.operation import OPERAND_LETTERS, REQUIRED, Kind, Operation, Template, chosen
from backprop_engine.program.arguments import signature
from backprop_engine.run.record import record
from backprop_engine.run.tape import graph_of
from backprop_engine.scenarios.loader import parse_shorthand
from backprop_engine.trace import Trace
from backprop_engine.trace.formula import Formula
from backprop_tui.headless.check import check_scenario
from backprop_tui.headless.check_output import figures, gradient_table
from backprop_tui.headless.checked import Checked
from backprop_tui.headless.json_values import json_value
from backprop_tui.headless.printer import Printer

_VARIADIC_OPERANDS = 2
"""So many stand in a formula that has no example to count them in."""


@dataclass(frozen=True, slots=True)
class Part:
    """How an operation answers for one operand."""

    operand: str
    formula: str
    """`∂y/∂a = …` where elements do not mix, else what is sent, in the upstream gradient g."""
    words: str


@dataclass(frozen=True, eq=False, slots=True)
class Page:
    """Everything that is told about one operation."""

    operation: Operation
    group: str
    formula: str
    signatures: tuple[str, ...]
    """One for each name it is called by."""
    operator: str
    properties: tuple[str, ...]
    method: str
    """The method form where its arguments stand in another order."""
    parts: tuple[Part, ...]
    grad_fn: str
    """Where it depends on the operands, that of the example."""
    steps: tuple[str, ...]
    """What it is made of, a statement each."""
    example: Checked | None


class UnknownOperationError(LookupError):
    """No operation has this name; the message says which may be meant."""


_WRITTEN: Final = {
    "neg": "-a",
    "index": "a[…]",
    "index_put": "a[…] = b",
    "copy_slices": "a.T[…] = b",
    "new_numbers": "a.detach()[…] = b",
}
"""How operations are written that have neither a name nor a symbol of their own."""


def find(name: str) -> tuple[Operation, ...]:
    """The operations that a name, an operator or a property stands for.

    `torch.`, `F.` and a leading dot may stand before it. Raises UnknownOperationError.
    """
    wanted = name.rpartition(".")[2].removesuffix("()")
    found = [operation for operation in OPERATIONS.values() if operation.spelling.symbol == name]
    found += FUNCTIONS.get(name, FUNCTIONS.get(wanted, ()))
    found += [OPERATIONS[key] for key in (name, wanted) if key in OPERATIONS]
    if wanted in PROPERTIES:
        found.append(PROPERTIES[wanted][0])
    if not found:
        names = [*FUNCTIONS, *OPERATIONS, *PROPERTIES]
        hint = did_you_mean(wanted, names)
        raise UnknownOperationError(f"there is no operation `{name}`{'; ' if hint else ''}{hint}")
    return tuple({operation.name: operation for operation in found}.values())


def page(operation: Operation) -> Page:
    """The page of an operation, its example run."""
    trace = _example(operation)
    filled = _Filled(operation, trace)
    return Page(
        operation=operation,
        group=next(title for title, entries in GROUPS.items() if operation in entries),
        formula=filled.text(operation.description.notation),
        signatures=tuple(signature(operation, name) for name in operation.spelling.functions),
        operator=operator_form(operation),
        properties=tuple(f".{name}" for name in operation.spelling.properties),
        method=_method_form(operation),
        parts=tuple(_parts(operation, filled)),
        grad_fn=_grad_fn(operation, trace, filled.node),
        steps=filled.steps(),
        example=_checked(operation),
    )


def formula(operation: Operation) -> str:
    """The operation as mathematics, over operands a, b, …"""
    return _Filled(operation, _example(operation)).text(operation.description.notation)


def operator_form(operation: Operation) -> str:
    """How it is written with Python's signs, empty where that is not possible."""
    symbol = operation.spelling.symbol
    if symbol:
        return f"{symbol}a" if len(operation.spelling.parameters) == 1 else f"a {symbol} b"
    return _WRITTEN.get(operation.name, "")


def _method_form(operation: Operation) -> str:
    """How the method is called, empty where that has the order of the function or is none."""
    spelling = operation.spelling
    if spelling.method in ((), tuple(parameter.name for parameter in spelling.parameters)):
        return ""
    first, *others = spelling.method
    return f"{first}.{spelling.functions[0]}({', '.join(others)})"


def _example(operation: Operation) -> Trace | None:
    if not operation.description.example:
        return None
    return record(parse_shorthand(Source(SHORTHAND_NAME, operation.description.example)))


def _checked(operation: Operation) -> Checked | None:
    """The example against finite differences; torch is another matter, and takes its time."""
    if not operation.description.example:
        return None
    checked = check_scenario(Source(SHORTHAND_NAME, operation.description.example), None)
    return checked if isinstance(checked, Checked) else None


class _Filled:
    """The templates of an operation, filled with letters for operands and names for attributes.

    A template that is a function looks at the attributes, so it is told with those of the example.
    """

    def __init__(self, operation: Operation, trace: Trace | None) -> None:
        self.operation = operation
        self.node = _node_of(operation, trace)
        self._trace = trace
        count, recorded = _operand_count(operation), {}
        if trace is not None and self.node is not None:
            count = len(trace.nodes.operands[self.node])
            recorded = dict(graph_of(trace).attributes_of(self.node))
        if operation.name in ("index", "index_put"):
            recorded["items"] = ("…",)
        declared = {
            parameter.name: parameter
            for parameter in operation.spelling.parameters
            if parameter.kind not in (Kind.OPERAND, Kind.OPERANDS) and not parameter.is_ignored
        }
        self.letters = tuple(OPERAND_LETTERS[:count])
        self._names = recorded | {name: name for name in declared}
        defaults = {
            name: name if parameter.default is REQUIRED else parameter.default
            for name, parameter in declared.items()
        }
        self._values: Mapping[str, Any] = defaults | recorded

    def text(self, template: Template) -> str:
        """A template as text, over the upstream gradient g as well where there is one."""
        attributes = self._names if isinstance(template, str) else self._values
        nodes = {letter: at for at, letter in enumerate(self.letters)}
        told = chosen(template, [None] * len(nodes), self._values)
        own: dict[str, Tree] = {"y": Text("y"), "g": Text("g")}
        return text_of(Formula(told, nodes, attributes).tree(self.letters.__getitem__, own))

    def steps(self) -> tuple[str, ...]:
        """The statements of what it is made of."""
        template = self.operation.description.composite
        if isinstance(template, str):
            text = template.format(**self._names)
        elif self._trace is not None and self.node is not None:
            graph = graph_of(self._trace)
            values = [graph.value[operand] for operand in graph.operands[self.node]]
            text = self.operation.description.opened(values, graph.attributes_of(self.node))
        else:
            return ()
        return tuple(line.strip() for line in text.replace(";", "\n").splitlines() if line.strip())


def _operand_count(operation: Operation) -> int:
    if operation.variadic:
        return _VARIADIC_OPERANDS
    named = sum(parameter.kind is Kind.OPERAND for parameter in operation.spelling.parameters)
    return max(named, len(operation.derivatives))


def _node_of(operation: Operation, trace: Trace | None) -> int | None:
    if trace is None:
        return None
    made_by = enumerate(graph_of(trace).operation)
    return next(
        (n for n, maker in made_by if maker is not None and maker.name == operation.name), None
    )


def _parts(operation: Operation, filled: _Filled) -> Iterator[Part]:
    for letter, derivative in zip(filled.letters, operation.derivatives, strict=False):
        if derivative.local is not None:
            text = f"∂y/∂{letter} = {filled.text(derivative.local)}"
        elif derivative.vjp is not None:
            text = f"receives {filled.text(derivative.vjp)}"
        else:
            text = ""
        yield Part("each operand" if operation.variadic else letter, text, derivative.words)


def _grad_fn(operation: Operation, trace: Trace | None, node: int | None) -> str:
    if isinstance(operation.twins.grad_fn, str):
        return operation.twins.grad_fn
    if trace is None or node is None:
        return "depends on the operands"
    return trace.nodes.grad_fn(node)


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
