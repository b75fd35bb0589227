"""Lines of a pasted program that compute nothing: `import torch`, `print(x.grad)`, `assert …`.

They are read over; but a module that is not known, and a name that nothing is called, are errors.
"""

from __future__ import annotations

import re
from collections.abc import Set as AbstractSet
from typing import Final

from backprop_engine.expressions import mistakes
from backprop_engine.expressions.reading import Reading
from backprop_engine.source import ProblemError
from backprop_engine.suggestions import did_you_mean, listed

MODULES: Final = ("torch", "numpy", "math")
"""What may be imported, with all that is in it."""

_PRINT: Final = re.compile(r"print[^\S\n]*\(")
_LOOK: Final = re.compile(
    r"(?P<name>[^\W\d]\w*)\.(?:grad|grad_fn|requires_grad|is_leaf|shape|dtype)[^\S\n]*(?=[\n;#,]|$)"
)
_LINE: Final = re.compile(r"(?:[^\n;#(]|\([^)]*\))*")
_IMPORTED: Final = re.compile(r"(?P<module>[\w.]+)(?:\s+as\s+\w+)?\s*(?:,\s*|$)")
_IMPORT: Final = re.compile(r"import\s+" + _IMPORTED.pattern)
_FROM: Final = re.compile(r"from\s+(?P<module>[\w.]+)\s+import\s+\(?(?P<names>[^)]*)\)?\s*$")
_PYTHONS: Final = {
    "torch": ("sum", "max", "min", "abs", "pow", "round"),
    "numpy": ("sum", "max", "min", "abs", "pow", "round"),
    "math": ("pow",),
}
"""What `from torch import *` gives another meaning than Python's."""
_PIECE: Final = re.compile(
    r"(?P<TEXT>(?P<prefix>[fFrRbBuU]{0,2})(?:'(?:[^'\\\n]|\\.)*'|\"(?:[^\"\\\n]|\\.)*\"))"
    r"|(?P<OPEN>[(\[{])|(?P<CLOSE>[)\]}])"
    r"|(?P<PROPERTY>\.\s*[^\W\d]\w*)"
    r"|(?P<NAME>[^\W\d]\w*)(?P<other>\s*\(|\s*=(?!=))?"
    r"|(?P<REST>\d[\w.]*|[^\w])"
)
_ENDS: Final = ("\n", ";", "#")
_FIELD: Final = re.compile(r"\{([^{}:!]*)")
_WORDS: Final = frozenset({"True", "False", "None", "and", "or", "not", "in", "is", "if", "else"})


def is_print(reading: Reading, start: int) -> bool:
    """Whether a call of `print` starts here."""
    return not reading.has("print") and bool(_PRINT.match(reading.excerpt.text, start))


def skip_assert(reading: Reading, start: int, libraries: AbstractSet[str]) -> int:
    """Where the `assert` statement at `start` ends: at the end of its line, or of its brackets.

    Raises ProblemError for a name in it that is not known here, and where a bracket does not end.
    """
    return _skip(reading, start + len("assert"), libraries, opening=None)


def skip_look(reading: Reading, start: int) -> int | None:
    """Where `x.grad` ends, the last line of a notebook's cell that shows it; None if it is none.

    Raises ProblemError for a name that is not known.
    """
    line = _LOOK.match(reading.excerpt.text, start)
    if line is None:
        return None
    _check_name(reading, frozenset(), line["name"], start)
    return line.end()


def skip_import(reading: Reading, start: int, libraries: AbstractSet[str]) -> int:
    """Where the `import` or `from` line at `start` ends.

    Raises ProblemError for a module that is not known, or one that gets a name unlike its own.
    """
    line = _LINE.match(reading.excerpt.text, start)
    stop = line.end() if line else start
    text = reading.text(start, stop).rstrip()
    whole = _FROM.fullmatch(text)
    if whole:
        _check_module(reading, start + whole.start("module"), whole["module"])
        _check_aliases(reading, start + whole.start("names"), whole["names"], libraries)
        names = whole["names"].replace(",", " ").split()
        if names == ["*"]:
            names = list(_PYTHONS.get(whole["module"], ()))
        reading.imported |= dict.fromkeys(names, whole["module"])
        return stop
    one = _IMPORT.match(text)
    while one:
        _check_module(reading, start + one.start("module"), one["module"])
        _check_aliases(reading, start + one.start(), one[0], libraries)
        if one.end() == len(text):
            return stop
        one = _IMPORTED.match(text, one.end())
    span = reading.span(start, start + len(text))
    raise ProblemError("this import is not understood", span, "`import torch`")


def _check_module(reading: Reading, start: int, module: str) -> None:
    if module.partition(".")[0] not in MODULES:
        raise ProblemError(
            f"`{module}` cannot be imported",
            reading.span(start, start + len(module)),
            listed(MODULES),
            "leave it out: functions such as `exp` are there without it",
        )


def _check_aliases(reading: Reading, start: int, names: str, libraries: AbstractSet[str]) -> None:
    for one in re.finditer(r"([\w.]+)\s+as\s+(\w+)", names):
        if one[2] not in libraries and one[2] != one[1]:
            raise ProblemError(
                f"`{one[2]}` is not known as a module's name",
                reading.span(start + one.start(2), start + one.end(2)),
                listed(sorted(libraries)),
            )


def skip_print(reading: Reading, start: int, libraries: AbstractSet[str]) -> int:
    """Where the `print(…)` at `start` ends.

    Raises ProblemError for a name in it that is not known here, and where it does not end.
    """
    opening = _PRINT.match(reading.excerpt.text, start)
    at = opening.end() if opening else start
    return _skip(reading, at, libraries, opening=at - 1)


def _skip(reading: Reading, at: int, libraries: AbstractSet[str], opening: int | None) -> int:
    """Where the bracket that opened at `opening` ends; without one, where the statement does."""
    text = reading.excerpt.text
    brackets = [] if opening is None else [opening]
    while piece := _PIECE.match(text, at):
        if not brackets and (opening is not None or piece["REST"] in _ENDS):
            return at
        at = piece.end()
        if piece["CLOSE"]:
            del brackets[-1:]
        elif piece["OPEN"] or (piece["other"] or "").endswith("("):
            brackets.append(at - 1)
        if piece["NAME"] and not piece["other"]:
            _check_name(reading, libraries, piece["NAME"], piece.start("NAME"))
        elif piece["TEXT"] and "f" in piece["prefix"].lower():
            _check_fields(reading, libraries, piece["TEXT"], piece.start("TEXT"))
    if brackets:
        reading.brackets.append(("(", brackets[0]))
        raise mistakes.unclosed(reading)
    return at


def _check_fields(reading: Reading, libraries: AbstractSet[str], text: str, start: int) -> None:
    for place in _FIELD.finditer(text):
        for piece in _PIECE.finditer(place[1]):
            if piece["NAME"] and not piece["other"]:
                at = start + place.start(1) + piece.start("NAME")
                _check_name(reading, libraries, piece["NAME"], at)


def _check_name(reading: Reading, libraries: AbstractSet[str], name: str, start: int) -> None:
    if not reading.has(name) and name not in libraries and name not in _WORDS:
        raise ProblemError(
            f"unknown name `{name}`",
            reading.span(start, start + len(name)),
            fix=did_you_mean(name, reading.variables),
        )
