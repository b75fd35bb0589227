"""What ruamel.yaml objects to, in words for people who do not know YAML's grammar."""

from __future__ import annotations

import re
from typing import Final

from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.reader import ReaderError

from backprop_engine.basics.source import ProblemError, Span

_IN_BRACKETS = re.compile(r"expected ',' or '[\]}]', but got '.+'")
_ESCAPE = re.compile(r"\\U([0-9a-fA-F]{8})")
_LAST_CHARACTER: Final = 0x10FFFF
_LONE_KEY = re.compile(r"\s*[\w.@]+")
_QUOTE: Final = "put quotes around the value"


def unreadable(text: str, error: ReaderError) -> ProblemError:
    """A character that YAML does not allow anywhere."""
    at = error.position
    return ProblemError(
        f"the character U+{ord(text[at]):04X} cannot stand in a scenario",
        Span(at, at + 1),
        fix="delete it",
    )


def no_character(text: str) -> ProblemError:
    """An escape such as `\\UFFFFFFFF` that stands for no character."""
    escapes = (match for match in _ESCAPE.finditer(text) if int(match[1], 16) > _LAST_CHARACTER)
    found = next(escapes, None)
    if found is None:
        return ProblemError("this is not YAML", Span(0, 0))
    return ProblemError(f"`{found[0]}` is no character", Span(*found.span()), fix="delete it")


def not_yaml(text: str, error: MarkedYAMLError) -> ProblemError:
    """A text that is not YAML."""
    at = _offset(text, error.problem_mark)
    began = _offset(text, error.context_mark) if error.context_mark else at
    problem, context = str(error.problem), str(error.context)
    if problem == "mapping values are not allowed here":
        return _second_colon(text, at)
    if _IN_BRACKETS.fullmatch(problem):
        return _in_brackets(text, problem, began, at)
    if context == "while scanning a simple key":
        return ProblemError("this line has no `:`", Span(began, began + 1), "`name: value`")
    if problem.startswith("expected <block end>"):
        return _misplaced(text, at)
    return _in_a_value(text, problem, context, began, at)


def _in_a_value(text: str, problem: str, context: str, began: int, at: int) -> ProblemError:
    """A value starts or goes on as none can."""
    here, start = Span(at, at + 1), Span(began, began + 1)
    if problem.endswith("that cannot start any token"):
        if text[at] == "\t":
            return ProblemError("YAML cannot be indented with a tab", here, fix="use blanks")
        return ProblemError(f"a value cannot start with `{text[at]}`", here, fix=_QUOTE)
    if context in ("while scanning an alias", "while scanning an anchor"):
        return ProblemError(f"a value cannot start with `{text[began]}`", start, fix=_QUOTE)
    if context == "while scanning a quoted scalar":
        return ProblemError("this quote is never closed", start, fix=f"add `{text[began]}`")
    if problem.startswith("found unknown escape"):
        escape = Span(at - 1, at + 1)
        fix = "double the backslash, or use single quotes"
        return ProblemError(f"`\\{text[at]}` means nothing in double quotes", escape, fix=fix)
    if context == "while scanning a block scalar":
        fix = f"start a new line after `{text[began]}`"
        return ProblemError("this cannot stand in the first line of a block", here, fix=fix)
    return ProblemError(f"this is not YAML: {problem}", here)


def _in_brackets(text: str, problem: str, began: int, at: int) -> ProblemError:
    """Neither a comma nor the closing bracket follows inside of `[` or `{`."""
    closing = "]" if text[began] == "[" else "}"
    here, opening = Span(at, at + 1), Span(began, began + 1)
    if problem.endswith("'<stream end>'") or _is_key(text, began, at):
        message = f"this `{text[began]}` is never closed"
        return ProblemError(message, opening, fix=f"add `{closing}`")
    if text[at] in "]}":
        message = f"`{text[at]}` cannot close `{text[began]}`"
        return ProblemError(message, here, fix=f"write `{closing}`")
    message = f"this cannot follow inside of `{text[began]}`"
    return ProblemError(message, here, f"`,` or `{closing}`")


def _second_colon(text: str, at: int) -> ProblemError:
    line_start = text.rfind("\n", 0, at) + 1
    key = _LONE_KEY.fullmatch(text, line_start, at)
    if key:
        return ProblemError(
            "this line is not indented like those above it",
            Span(line_start + len(key[0]) - len(key[0].lstrip()), at),
            "`name: value`, indented like the lines above",
        )
    return ProblemError(
        "a second `:` in this line",
        Span(at, at + 1),
        "one `name: value` a line",
        "put quotes around a text with a colon in it",
    )


def _misplaced(text: str, at: int) -> ProblemError:
    """Something that belongs neither to the value before it nor to the mapping around it."""
    here = Span(at, at + 1)
    if text[text.rfind("\n", 0, at) + 1 : at].strip():
        message = "this cannot follow the value before it"
        return ProblemError(message, here, fix="put quotes around all of it")
    return ProblemError(
        "this does not continue what stands above it",
        here,
        "`name: value`, indented like the lines above",
    )


def _is_key(text: str, began: int, at: int) -> bool:
    """Whether the colon at `at` ends a key in a later line than the one of `began`."""
    line_start = text.rfind("\n", 0, at) + 1
    return (
        text[at] == ":" and line_start > began and bool(_LONE_KEY.fullmatch(text, line_start, at))
    )


def _offset(text: str, mark: object) -> int:
    """The offset of a mark, at most that of the last character."""
    index = getattr(mark, "index", 0)
    return max(0, min(int(index), len(text) - 1))
