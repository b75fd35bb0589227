"""The one-line form of a scenario, `x=2, y=x**2+3x+1`, and pasted programs, also from a pipe.

Here, and only here, a statement whose right side is a signed number or a list of them gives an
input; every other one computes. In a program that writes its tensors out as PyTorch does, numbers
are numbers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from backprop_engine.basics.limits import MAX_FILE
from backprop_engine.basics.nested import nested_array
from backprop_engine.basics.source import (
    STANDARD_INPUT,
    Problem,
    ProblemError,
    ScenarioError,
    Source,
    Span,
)
from backprop_engine.basics.values import Value, settle
from backprop_engine.grammar import syntax
from backprop_engine.grammar.excerpt import Excerpt
from backprop_engine.grammar.parser import parse_program
from backprop_engine.program.dtypes import makes_tensors
from backprop_engine.program.scenario import Input, Scenario
from backprop_engine.program.statements import read_program
from backprop_engine.program.tensors import MAKERS


def read_shorthand(excerpt: Excerpt) -> Scenario:
    """The scenario in a text.

    Raises ScenarioError for what is no statement, ProblemError for an input given twice or an
    array that is none, and where nothing is computed.
    """
    statements = parse_program(excerpt, shorthand=True)
    if makes_tensors(statements):
        return _scenario(excerpt, statements, (), is_program=True)
    return _scenario(excerpt, *_inputs_apart(statements), is_program=False)


def read_snippet(excerpt: Excerpt) -> Scenario:
    """The scenario in a Python file: statements one a line, numbers are numbers, dtypes torch's.

    Raises as `read_shorthand` does.
    """
    return _scenario(excerpt, parse_program(excerpt), (), is_program=True, as_torch=True)


def _scenario(
    excerpt: Excerpt,
    statements: Iterable[syntax.Statement],
    inputs: Iterable[Input],
    *,
    is_program: bool,
    as_torch: bool = False,
) -> Scenario:
    scenario = read_program(
        excerpt.source, statements, inputs, as_torch=as_torch, is_program=is_program
    )
    if not scenario.passes:
        end = excerpt.offsets[len(excerpt.text.rstrip())]
        raise ProblemError(
            "nothing is computed here", Span(end, end), fix="add a statement such as `y = x**2`"
        )
    return scenario


def _inputs_apart(
    statements: Iterable[syntax.Statement],
) -> tuple[tuple[syntax.Statement, ...], tuple[Input, ...]]:
    """The statements that give no input, and the inputs."""
    inputs: dict[str, Input] = {}
    rest: list[syntax.Statement] = []
    computed: set[str] = set()
    listed = tuple(statements)
    growing = {name.name for name in map(syntax.grown, syntax.flat(listed)) if name}
    for statement in _one_by_one(listed):
        if (
            not isinstance(statement, syntax.Assignment)
            or not _is_literal(statement.expression)
            or statement.name in growing  # `hs = []` is a list
        ):
            rest.append(statement)
            if isinstance(statement, syntax.Assignment | syntax.Unpacking | syntax.Loop):
                computed.update(name.name for name in statement.names)
            continue
        name, span = statement.name, statement.name_span
        if name in inputs:
            raise ProblemError(f"the input `{name}` is given twice", span, fix="keep one of them")
        if name in computed:
            raise ProblemError(
                f"`{name}` is computed already, and a number of its own would make it an input",
                span,
                fix="use another name",
            )
        inputs[name] = Input(name, _value(statement.expression), True, span)
    return tuple(rest), tuple(inputs.values())


def _one_by_one(statements: Iterable[syntax.Statement]) -> Iterator[syntax.Statement]:
    """The statements, `a, b = 2, 3` as two."""
    for statement in statements:
        values = (
            syntax.children(statement.expression) if isinstance(statement, syntax.Unpacking) else ()
        )
        if (
            isinstance(statement, syntax.Unpacking)
            and isinstance(statement.expression, syntax.Sequence)
            and len(values) == len(statement.targets)
            and all(map(_is_literal, values))
        ):
            for name, value in zip(statement.targets, values, strict=True):
                yield syntax.Assignment(name.name, value, name.span, statement.span)
        else:
            yield statement


def _is_literal(expression: syntax.Expression) -> bool:
    """Whether it is a number, a signed number, or a list of such to any depth."""
    for part in syntax.postorder(expression):
        is_signed = isinstance(part, syntax.Unary) and isinstance(part.operand, syntax.Number)
        if not (is_signed or isinstance(part, syntax.Number | syntax.Sequence)):
            return False
    return True


def _value(expression: syntax.Expression) -> Value:
    return settle(nested_array(expression, _items, _element, "float64"), "float64")


def _items(expression: syntax.Expression) -> tuple[syntax.Expression, ...] | None:
    return syntax.children(expression) if isinstance(expression, syntax.Sequence) else None


def _element(expression: syntax.Expression) -> float:
    """The value of a signed number."""
    match expression:
        case syntax.Unary(symbol="-", operand=syntax.Number(value=value)):
            return -float(value)
        case syntax.Unary(operand=syntax.Number(value=value)) | syntax.Number(value=value):
            return float(value)
        case _:
            raise ProblemError("a list stands where the first row has a number", expression.span)


_DOCUMENT: Final = re.compile(r"(?:\s*#[^\n]*\n)*\s*(?:---|%YAML|\{|[^\W\d]\w*\s*:(?=\s))")
"""A mapping's first key, or how else YAML begins, below comments."""
_PROGRAM: Final = re.compile(
    r"^\s*(?:(?:import|from)\s+\w|\"{3}|'{3})"
    rf"|\btorch\s*\.\s*(?:{'|'.join(MAKERS)}|manual_seed|set_default_dtype)\s*\(",
    re.MULTILINE,
)
"""A line that imports, a docstring, or a tensor that is written out."""
_NO_TEXT: Final = re.compile(r"[\udc80-\udcff]")
"""What a byte becomes that is not UTF-8."""


def piped_source(data: bytes) -> Source:
    """The text that came; a byte that is not UTF-8 stays in it until it is read, to be told."""
    text = data.decode("utf-8-sig", "surrogateescape")
    return Source(STANDARD_INPUT, text.replace("\r\n", "\n").replace("\r", "\n"))


def check_text(source: Source) -> None:
    """Raise ScenarioError at the first byte that is not UTF-8, and where there is too much."""
    found = _NO_TEXT.search(source.text)
    if found is not None:
        byte = ord(found[0]) - 0xDC00
        problem = f"this is not text in UTF-8: there is a byte {byte:#04x}"
        raise ScenarioError(source, Problem(problem, Span(found.start(), found.end())))
    if len(source.text.encode("utf-8")) > MAX_FILE:
        problem = f"this is more than {MAX_FILE // 1_000_000} MB"
        raise ScenarioError(Source(source.name, ""), Problem(problem, Span(0, 0)))


def is_document(text: str) -> bool:
    """Whether it is a scenario in YAML, by its first key."""
    return _DOCUMENT.match(text) is not None


def is_torch_program(text: str) -> bool:
    """Whether it is a program of torch's: a line imports, or a tensor is written out."""
    return _PROGRAM.search(text) is not None
