"""What ruamel.yaml objects to, in words for people who do not know YAML's grammar."""

from __future__ import annotations

import re
from typing import Final

from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.reader import ReaderError

from backprop_engine.source import ProblemError, Span

_CANNOT_START = re.compile(r"found character '(.+)' that cannot start any token")
_NOT_CLOSED = re.compile(r"expected ',' or '([\]}])', but got '(.+)'")
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
    problem = str(error.problem)
    context = str(error.context)
    here, start = Span(at, at + 1), Span(began, began + 1)
    if problem == "mapping values are not allowed here":
        return _second_colon(text, at)
    cannot_start = _CANNOT_START.fullmatch(problem)
    if cannot_start and cannot_start[1] == "\\t":
        return ProblemError("YAML cannot be indented with a tab", here, fix="use blanks")
    if cannot_start:
        return ProblemError(f"a value cannot start with `{text[at]}`", here, fix=_QUOTE)
    not_closed = _NOT_CLOSED.fullmatch(problem)
    if not_closed and (not_closed[2] == "<stream end>" or _is_key(text, began, at)):
        message = f"this `{text[began]}` is never closed"
        return ProblemError(message, start, fix=f"add `{not_closed[1]}`")
    if not_closed and text[at] in "]}":
        message = f"`{text[at]}` cannot close `{text[began]}`"
        return ProblemError(message, here, fix=f"write `{not_closed[1]}`")
    if not_closed:
        return ProblemError(
            f"this cannot follow inside of `{text[began]}`", here, f"`,` or `{not_closed[1]}`"
        )
    if context == "while scanning a quoted scalar" and "end of stream" in problem:
        return ProblemError("this quote is never closed", start, fix=f"add `{text[began]}`")
    if context == "while scanning a simple key":
        return ProblemError("this line has no `:`", start, "`name: value`")
    if context in ("while scanning an alias", "while scanning an anchor"):
        return ProblemError(f"a value cannot start with `{text[began]}`", start, fix=_QUOTE)
    if problem.startswith("expected <block end>"):
        return ProblemError(
            "this does not continue what stands above it",
            here,
            "`name: value`, indented like the lines above",
        )
    return ProblemError(f"this is not YAML: {problem}", here)


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
