"""Scenario files, YAML texts and the one-line shorthand to `Scenario`s."""

from __future__ import annotations

import os
from collections.abc import Callable
from keyword import iskeyword
from pathlib import Path
from typing import Final, cast, get_args

import numpy as np

from backprop_engine.excerpt import Excerpt, whole
from backprop_engine.inputs import read_input
from backprop_engine.lexer import canonical
from backprop_engine.names import Names
from backprop_engine.parser import parse_expression, parse_program
from backprop_engine.scenario import Backward, Input, Scenario
from backprop_engine.sections import (
    Expected,
    read_disagrees,
    read_expect,
    read_hints,
    read_passes,
    read_table,
    read_text,
)
from backprop_engine.source import ProblemError, Problem, ScenarioError, Source, Span
from backprop_engine.suggestions import did_you_mean, listed
from backprop_engine.syntax import Assignment, Expression, Number, Sequence, Unary
from backprop_engine.values import Dtype, Value, settle
from backprop_engine.yaml_document import Node, Scalar, Table, read_document

MAX_BYTES: Final = 10_000_000
"""Size of a scenario file."""

KEYS: Final = (
    "version", "title", "about", "dtype", "inputs", "compute", "backward", "expect", "hints",
    "disagrees",
)  # fmt: skip


def load(path: str | os.PathLike[str]) -> Scenario:
    """The scenario in a UTF-8 file. Raises ScenarioError, also where it cannot be read."""
    name = os.fspath(path)
    try:
        with Path(path).open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        text = data.decode("utf-8-sig")
    except FileNotFoundError:
        problem = "there is no such file"
    except IsADirectoryError:
        problem = "this is a folder, not a scenario file"
    except UnicodeDecodeError as error:
        problem = f"this is not a text in UTF-8 (byte {error.start} is {data[error.start]:#04x})"
    except OSError as error:
        problem = f"the file cannot be read: {error.strerror}"
    except ValueError as error:  # a null byte in the name
        problem = f"the file cannot be read: {error}"
    else:
        if len(data) <= MAX_BYTES:
            return parse_document(Source(name, text.replace("\r\n", "\n").replace("\r", "\n")))
        problem = f"the file is larger than {MAX_BYTES // 1_000_000} MB"
    raise ScenarioError(Source(name, ""), Problem(problem, Span(0, 0)))


def parse_document(source: Source) -> Scenario:
    """The scenario in a YAML text: a mapping, or one plain text in the shorthand.

    Raises ScenarioError for the first problem in it.
    """
    try:
        return _scenario(source, read_document(source))
    except ProblemError as error:
        raise ScenarioError(source, error.problem) from error


def parse_shorthand(source: Source) -> Scenario:
    """The scenario in a text like `x=2, y=x**2+3x+1`. Raises ScenarioError."""
    try:
        return _shorthand(whole(source))
    except ProblemError as error:
        raise ScenarioError(source, error.problem) from error


def _scenario(source: Source, node: Node | None) -> Scenario:
    if node is None or (isinstance(node, Scalar) and not node.text.strip()):
        raise ProblemError("the scenario is empty", Span(0, 0), "for example `x=2, y=x**2+3x+1`")
    if isinstance(node, Scalar):
        return _shorthand(node.excerpt(source))
    if not isinstance(node, Table):
        raise ProblemError("a scenario is a mapping, not a list", node.span, listed(KEYS))
    return _document(source, node)


def _document(source: Source, table: Table) -> Scenario:
    for key, _ in table.entries:
        if key.text not in KEYS:
            raise ProblemError(
                f"unknown key `{key.text}`", key.span, listed(KEYS), did_you_mean(key.text, KEYS)
            )
    _check_version(table.get("version"))
    dtype = _read_dtype(table.get("dtype"))
    inputs = _read_inputs(table.get("inputs"), dtype)
    names_given = frozenset(item.name for item in inputs)
    statements = _read_compute(source, table, names_given)
    names = Names(names_given, (statement.name for statement in statements))

    def section(key: str, read: Callable[[Node], object], default: object) -> object:
        node = table.get(key)
        return default if node is None else read(node)

    title = section("title", lambda node: read_text(node, "`title`"), "")
    about = section("about", lambda node: read_text(node, "`about`"), "")
    node = table.get("backward")
    passes = read_passes(node, names, dtype) if node else (_last(statements),)
    node = table.get("expect")
    expected = read_expect(node, names) if node else Expected()
    node = table.get("hints")
    hints = read_hints(node, names) if node else {}
    node = table.get("disagrees")
    disagrees = read_disagrees(node, names) if node else {}
    return Scenario(
        source, inputs, statements, passes, dtype, str(title), str(about),
        expected.values, expected.error, hints, disagrees,
    )  # fmt: skip


def _last(statements: tuple[Assignment, ...]) -> Backward:
    last = statements[-1]
    return Backward(last.name, None, last.name_span)


def _check_version(node: Node | None) -> None:
    if node is not None and not (isinstance(node, Scalar) and node.number == 1):
        raise ProblemError(
            "this is not a version of the format known here", node.span, "`version: 1`"
        )


def _read_dtype(node: Node | None) -> Dtype:
    if node is None:
        return "float64"
    if not isinstance(node, Scalar) or node.text not in get_args(Dtype):
        raise ProblemError("unknown dtype", node.span, listed(get_args(Dtype)))
    return cast("Dtype", node.text)


def check_name(key: Scalar) -> str:
    """The name a key gives. Raises ProblemError where it could not be written in an expression."""
    name = canonical(key.text)
    if not name.isidentifier() or iskeyword(name):
        raise ProblemError(
            f"`{key.text}` cannot be a name", key.span, "a letter or `_`, then letters and digits"
        )
    return name


def _read_inputs(node: Node | None, dtype: Dtype) -> tuple[Input, ...]:
    if node is None or (isinstance(node, Scalar) and node.is_null):
        return ()
    table = read_table(node, "`inputs`", "`name: value`")
    return tuple(
        read_input(check_name(key), key.span, value, dtype) for key, value in table.entries
    )


def _read_compute(source: Source, table: Table, inputs: frozenset[str]) -> tuple[Assignment, ...]:
    node = table.get("compute")
    if node is None:
        raise ProblemError(
            "the scenario computes nothing: `compute` is missing",
            Span(table.span.start, table.span.start),
            "`compute: y = x**2`",
        )
    statements: tuple[Assignment, ...]
    if isinstance(node, Table):
        statements = tuple(_named(source, key, value, inputs) for key, value in node.entries)
    elif isinstance(node, Scalar):
        statements = parse_program(node.excerpt(source), variables=inputs)
    else:
        raise ProblemError(
            "`compute` is a text, not a list",
            node.span,
            "statements, one a line, after `compute: |`",
        )
    if not statements:
        raise ProblemError(
            "`compute` is empty", node.span, "at least one statement, such as `y = x**2`"
        )
    return statements


def _named(source: Source, key: Scalar, value: Node, inputs: frozenset[str]) -> Assignment:
    name = check_name(key)
    if not isinstance(value, Scalar):
        raise ProblemError(f"`{name}` is not given by an expression", value.span, "an expression")
    expression = parse_expression(value.excerpt(source), variables=inputs)
    return Assignment(name, expression, key.span, Span(key.span.start, expression.span.stop))


def _shorthand(excerpt: Excerpt) -> Scenario:
    inputs: dict[str, Input] = {}
    statements: list[Assignment] = []
    for statement in parse_program(excerpt, shorthand=True):
        value = _literal(statement.expression)
        if value is None:
            statements.append(statement)
        elif statement.name in inputs:
            raise ProblemError(f"the input `{statement.name}` is given twice", statement.name_span)
        else:
            inputs[statement.name] = Input(statement.name, value, True, statement.name_span)
    if not statements:
        end = excerpt.offsets[-1]
        raise ProblemError("nothing is computed", Span(end, end), "a statement such as `y = x**2`")
    return Scenario(
        excerpt.source, tuple(inputs.values()), tuple(statements), (_last(tuple(statements)),)
    )


def _literal(expression: Expression) -> Value | None:
    """The value of a signed number or a nested list of them; None for anything else."""
    match expression:
        case Number(value=value):
            return float(value)
        case Unary(symbol=symbol, operand=Number(value=value)):
            return -float(value) if symbol == "-" else float(value)
        case Sequence(items=items):
            rows = [_literal(item) for item in items]
            if any(row is None for row in rows):
                return None
            return settle(np.array(rows, "float64"), "float64")
        case _:
            return None
