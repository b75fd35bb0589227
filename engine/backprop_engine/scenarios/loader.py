"""Scenario files, YAML texts and the one-line shorthand to `Scenario`s."""

from __future__ import annotations

import os
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Callable
from dataclasses import replace
from keyword import iskeyword
from pathlib import Path
from typing import Final, cast, get_args

from backprop_engine.basics.limits import MAX_FILE
from backprop_engine.basics.source import (
    STANDARD_INPUT,
    Problem,
    ProblemError,
    ScenarioError,
    Source,
    Span,
)
from backprop_engine.basics.suggestions import did_you_mean, listed
from backprop_engine.basics.values import Dtype
from backprop_engine.budget import Budget
from backprop_engine.grammar.excerpt import Excerpt, check_characters, whole
from backprop_engine.grammar.lexer import canonical
from backprop_engine.grammar.parser import parse_expression, parse_program
from backprop_engine.grammar.syntax import Assignment, Name, Statement, Unpacking
from backprop_engine.program.names import Names
from backprop_engine.program.scenario import Backward, Input, Scenario, ZeroGrad
from backprop_engine.program.statements import read_program
from backprop_engine.scenarios.inputs import read_input
from backprop_engine.scenarios.read_bytes import read_bytes
from backprop_engine.scenarios.sections import (
    Expected,
    expected_error,
    read_disagrees,
    read_expect,
    read_hints,
    read_passes,
    read_table,
    read_text,
)
from backprop_engine.scenarios.shorthand import (
    check_text,
    is_document,
    is_torch_program,
    read_shorthand,
    read_snippet,
)
from backprop_engine.scenarios.yaml_document import Node, Scalar, Table, read_document

KEYS: Final = (
    "version", "title", "about", "dtype", "inputs", "compute", "backward", "expect", "hints",
    "disagrees",
)  # fmt: skip
"""What a scenario file can say."""

_EXAMPLE: Final = "such as `x=2, y=x**2+3x+1`"


def load_target(target: str | os.PathLike[str] | Source) -> Scenario:
    """The scenario in a file, in a text given with `-e`, or in what came from standard input.

    Raises ScenarioError.
    """
    if not isinstance(target, Source):
        return load(target)
    return parse_piped(target) if target.name == STANDARD_INPUT else parse_shorthand(target)


def load(path: str | os.PathLike[str]) -> Scenario:
    """The scenario in a UTF-8 file: YAML, or a PyTorch program where its name ends in `.py`.

    Raises ScenarioError, also where it cannot be read.
    """
    source = read_source(path, "a scenario file")
    return parse_snippet(source) if source.name.endswith(".py") else parse_document(source)


def read_source(path: str | os.PathLike[str], what: str, *, is_handed_in: bool = False) -> Source:
    """The text of a UTF-8 file that is to be `what`. Raises ScenarioError where it is none.

    One that `is_handed_in` may come from any editor and shell: from those of Windows in UTF-16,
    or in Windows' and Latin letters.
    """
    name = os.fspath(path)
    try:
        data = read_bytes(Path(path))
        text = _handed_in(data) if is_handed_in else data.decode("utf-8-sig")
    except FileNotFoundError:
        problem = "there is no such file"
    except IsADirectoryError:
        problem = f"this is a folder, not {what}"
    except UnicodeDecodeError as error:
        problem = f"this is not text in UTF-8: byte {error.start} is {data[error.start]:#04x}"
    except OSError as error:
        problem = f"this file cannot be read: {error.strerror}"
    except ValueError as error:  # a null byte in the name
        problem = f"this file cannot be read: {error}"
    else:
        if len(data) <= MAX_FILE:
            return Source(name, text.replace("\r\n", "\n").replace("\r", "\n"))
        problem = f"this file is larger than {MAX_FILE // 1_000_000} MB"
    raise ScenarioError(Source(name, ""), Problem(problem, Span(0, 0)))


def _handed_in(data: bytes) -> str:
    if data.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        return data.decode("utf-16", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")


def parse_document(source: Source) -> Scenario:
    """The scenario in a YAML text: a mapping, or one plain text in the shorthand.

    Raises ScenarioError for the first problem in it.
    """
    node: Node | None = None
    try:
        node = read_document(source)
        source = replace(source, is_document=isinstance(node, Table))
        return _scenario(source, node)
    except ProblemError as error:
        raise ScenarioError(source, error.problem, expected=expected_error(node)) from error


def parse_shorthand(source: Source) -> Scenario:
    """The scenario in a text like `x=2, y=x**2+3x+1`. Raises ScenarioError."""
    return _read(source, read_shorthand)


def parse_snippet(source: Source) -> Scenario:
    """The scenario in a PyTorch program of its own. Raises ScenarioError."""
    return _read(source, read_snippet)


def _read(source: Source, read: Callable[[Excerpt], Scenario]) -> Scenario:
    try:
        check_characters(source.text, Span(0, len(source.text)))
        return read(whole(source))
    except ProblemError as error:
        raise ScenarioError(source, error.problem) from error


def parse_piped(source: Source) -> Scenario:
    """The scenario in a text that may be a YAML mapping, a program, or the shorthand.

    Raises ScenarioError.
    """
    check_text(source)
    if is_document(source.text):
        return parse_document(source)
    return parse_snippet(source) if is_torch_program(source.text) else parse_shorthand(source)


def _scenario(source: Source, node: Node | None) -> Scenario:
    if node is None or (isinstance(node, Scalar) and not node.text.strip()):
        raise ProblemError("this scenario is empty", Span(0, 0), _EXAMPLE)
    if isinstance(node, Scalar):
        return read_shorthand(node.excerpt(source))
    if not isinstance(node, Table):
        raise ProblemError("a scenario is a mapping, not a list", node.span, listed(KEYS))
    return _document(source, node)


def _document(source: Source, table: Table) -> Scenario:
    """The scenario of a mapping; a key with nothing after it counts as left out."""
    for key, value in table.entries:
        if key.text not in KEYS:
            fix = did_you_mean(key.text, KEYS) or _proper_place(value)
            raise ProblemError(f"unknown key `{key.text}`", key.span, listed(KEYS), fix)
    sections = {
        key.text: value
        for key, value in table.entries
        if not (isinstance(value, Scalar) and value.is_null)
    }
    _check_version(sections.get("version"))
    dtype = _read_dtype(sections.get("dtype"))
    program = _read_program(source, table, sections, dtype)
    names = Names(program.inputs, program.statements)
    title, about = sections.get("title"), sections.get("about")
    backward, expect = sections.get("backward"), sections.get("expect")
    hints, disagrees = sections.get("hints"), sections.get("disagrees")
    expected = read_expect(expect, names) if expect else Expected()
    return replace(
        program,
        passes=_read_passes(source, table, backward, program, names),
        title=read_text(title, "`title`") if title else "",
        about=read_text(about, "`about`") if about else "",
        expectations=expected.values,
        expected_error=expected.error,
        hints=read_hints(hints, names) if hints else {},
        disagrees=read_disagrees(disagrees, names) if disagrees else {},
    )


def _read_program(
    source: Source, table: Table, sections: dict[str, Node], dtype: Dtype | None
) -> Scenario:
    """The sections `inputs` and `compute`."""
    given = sections.get("inputs")
    inputs = _read_inputs(given, dtype or "float64")
    variables = frozenset(input_.name for input_ in inputs)
    compute = sections.get("compute")
    statements = _read_compute(source, compute, variables)
    if inputs:  # their numbers are float64 already
        dtype = dtype or "float64"
    program = read_program(source, statements, inputs, dtype)
    if not program.passes:
        raise ProblemError(
            "this scenario computes nothing",
            compute.span if compute else _compute_key(table),
            "`compute:` with a statement such as `y = x**2`",
        )
    return program


def _read_passes(
    source: Source, table: Table, node: Node | None, program: Scenario, names: Names
) -> tuple[Backward | ZeroGrad, ...]:
    """The passes that the key `backward` lists, or else those that the program calls itself."""
    if node is None:
        return program.passes
    if program.called:
        key = next(key for key, _ in table.entries if key.text == "backward")
        line = source.position(program.called[0].span.start).line
        raise ProblemError(
            "`backward` is said twice: here, and by the program itself",
            key.span,
            fix=f"keep this key, or line {line} and its like",
        )
    return read_passes(node, names, program.dtype)


def _proper_place(value: Node) -> str:
    """Where a key that is no section may have been meant to stand."""
    if isinstance(value, Scalar) and value.number is None:
        return ""
    return "inputs stand indented under `inputs:`"


def _check_version(node: Node | None) -> None:
    if node is not None and not (isinstance(node, Scalar) and node.number == 1):
        raise ProblemError("this version of the format is unknown", node.span, "`version: 1`")


def _read_dtype(node: Node | None) -> Dtype | None:
    if node is None:
        return None
    text = read_text(node, "`dtype`")
    known = get_args(Dtype)
    if text not in known:
        fix = did_you_mean(text, known)
        raise ProblemError(f"unknown dtype `{text}`", node.span, listed(known), fix)
    return cast("Dtype", text)


def _read_name(text: str, span: Span) -> str:
    """The name that a key gives, which must be one that an expression can mention."""
    name = canonical(text)
    if iskeyword(name):
        message = f"`{name}` is a word of Python's own and cannot be a name"
        raise ProblemError(message, span, fix=f"write `{name}_`")
    if not name.isidentifier():
        message = f"`{text}` cannot be a name"
        raise ProblemError(message, span, "a letter or `_`, then letters, digits and `_`")
    return name


def _read_inputs(node: Node | None, dtype: Dtype) -> tuple[Input, ...]:
    if node is None:
        return ()
    table = read_table(node, "`inputs`", "`name: value`")
    inputs, budget = [], Budget()
    for key, value in table.entries:
        input_ = read_input(_read_name(key.text, key.span), key.span, value, dtype)
        budget.take_at(key.span, input_.value)
        inputs.append(input_)
    return tuple(inputs)


def _read_compute(
    source: Source, node: Node | None, variables: frozenset[str]
) -> tuple[Statement, ...]:
    if node is None:
        return ()
    if isinstance(node, Table):
        variables |= {name for key, _ in node.entries for name in _key_names(key)}
        return tuple(_named(source, key, value, variables) for key, value in node.entries)
    if isinstance(node, Scalar):
        return parse_program(node.excerpt(source), variables=variables)
    raise ProblemError(
        "`compute` is not a list",
        node.span,
        "statements, one a line, indented under `compute: |`",
    )


def _compute_key(document: Table) -> Span:
    """The place to complain about a missing `compute`: its key, or the end of the document."""
    end = Span(document.span.stop, document.span.stop)
    return next((key.span for key, _ in document.entries if key.text == "compute"), end)


def _key_names(key: Scalar) -> list[str]:
    """The names in a key of `compute`: one, or several as in `a, b: x.chunk(2)`."""
    return [part.strip() for part in key.text.removesuffix(",").split(",")]


def _named(
    source: Source, key: Scalar, value: Node, variables: frozenset[str]
) -> Assignment | Unpacking:
    names = [_read_name(name, key.span) for name in _key_names(key)]
    if not isinstance(value, Scalar):
        message = f"`{key.text}` is not given by an expression"
        raise ProblemError(message, value.span, "an expression such as `x**2`")
    expression = parse_expression(value.excerpt(source), variables=variables)
    span = Span(key.span.start, value.span.stop)
    if "," in key.text:
        return Unpacking(tuple(Name(name, key.span) for name in names), expression, span)
    return Assignment(names[0], expression, key.span, span)
