"""Lines of a pasted program that compute nothing: `import torch`, `print(x.grad)`, `assert …`.

They are read over; but a module that is not known, and a name that nothing is called, are errors.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from typing import Final

from backprop_engine.basics.source import ProblemError
from backprop_engine.basics.suggestions import did_you_mean, listed
from backprop_engine.grammar import mistakes
from backprop_engine.grammar.state import Reading

MODULES: Final = ("torch", "numpy", "math")
"""What may be imported, with all that is in it."""

_PRINT: Final = re.compile(r"print[^\S\n]*\(")
_SHOWN: Final = r"[^\W\d]\w*(?:\.(?:data|grad|grad_fn|requires_grad|is_leaf|shape|dtype|T|device))*"
_LOOK: Final = re.compile(
    rf"(?P<only>{_SHOWN})(?P<more>(?:[^\S\n]*,[^\S\n]*{_SHOWN})*)[^\S\n]*(?P<end>[\n;#,]|$)"
)
_TEXT: Final = re.compile(
    r"[rRbBuU]{0,2}(?:\"{3}.*?\"{3}|'{3}.*?'{3}|'(?:[^'\\\n]|\\.)*'|\"(?:[^\"\\\n]|\\.)*\")"
    r"[^\S\n]*(?=[\n;#]|$)",
    re.DOTALL,
)
_NAME: Final = re.compile(r"(?<![\w.])[^\W\d]\w*")
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
_BOUND: Final = re.compile(r"\bfor\s+([\w\s,()]+?)\s+in\b")
"""What a comprehension in a `print` binds."""
_WORDS: Final = frozenset(
    {"True", "False", "None", "and", "or", "not", "in", "is", "if", "else", "for"}
    | {"str", "int", "float", "repr", "list", "tuple", "len", "type"}
)


def is_print(reading: Reading, start: int) -> bool:
    """Whether a call of `print` starts here."""
    return not reading.has("print") and bool(_PRINT.match(reading.excerpt.text, start))


def skip_assert(reading: Reading, start: int, libraries: AbstractSet[str]) -> int:
    """Where the `assert` statement at `start` ends: at the end of its line, or of its brackets.

    Raises ProblemError for a name in it that is not known here, and where a bracket does not end.
    """
    return _skip(reading, start + len("assert"), libraries, opening=None)


def skip_look(reading: Reading, start: int) -> int | None:
    """Where `x.grad`, or `x, y`, ends, a line of a notebook that shows it; None if it is none.

    In the shorthand, where a comma ends a statement, a name alone must begin a line.
    Raises ProblemError for a name that is not known.
    """
    line = _LOOK.match(reading.excerpt.text, start)
    if line is None:
        return None
    is_attribute = "." in line["only"]
    if line["end"] == "," and not (is_attribute and reading.form == "shorthand"):
        return None
    before = reading.excerpt.text[:start].rstrip(" \t")
    if reading.form == "shorthand" and not is_attribute and before[-1:] not in ("\n", ";"):
        return None
    for name in _NAME.finditer(line["only"] + line["more"]):
        if not is_attribute and not line["more"] and not reading.has(name[0]):
            return None
        _check_name(reading, frozenset(), name[0], start + name.start())
    return start + len(line[0]) - len(line["end"])


def skip_text(reading: Reading, start: int) -> int | None:
    """Where a text ends that stands alone, as a docstring does; None if none starts here."""
    text = _TEXT.match(reading.excerpt.text, start)
    return text.end() if text else None


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
    statement = _IMPORT.match(text)
    while statement:
        _check_module(reading, start + statement.start("module"), statement["module"])
        _check_aliases(reading, start + statement.start(), statement[0], libraries)
        if statement.end() == len(text):
            return stop
        statement = _IMPORTED.match(text, statement.end())
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
    for alias in re.finditer(r"([\w.]+)\s+as\s+(\w+)", names):
        if alias[2] not in libraries and alias[2] != alias[1]:
            raise ProblemError(
                f"`{alias[2]}` is not known as a module's name",
                reading.span(start + alias.start(2), start + alias.end(2)),
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
    text, start = reading.excerpt.text, at
    brackets = [] if opening is None else [opening]
    mentioned: list[tuple[str, int]] = []
    while piece := _PIECE.match(text, at):
        if not brackets and (opening is not None or piece["REST"] in _ENDS):
            break
        at = piece.end()
        if piece["CLOSE"]:
            del brackets[-1:]
        elif piece["OPEN"] or (piece["other"] or "").endswith("("):
            brackets.append(at - 1)
        if piece["NAME"] and not piece["other"]:
            mentioned.append((piece["NAME"], piece.start("NAME")))
        elif piece["TEXT"] and "f" in piece["prefix"].lower():
            mentioned += _fields(piece["TEXT"], piece.start("TEXT"))
    if brackets:
        reading.brackets.append(("(", brackets[0]))
        raise mistakes.unclosed(reading)
    bound = {
        name for bound in _BOUND.finditer(text, start, at) for name in re.findall(r"\w+", bound[1])
    }
    for name, place in mentioned:
        _check_name(reading, libraries | bound, name, place)
    return at


def _fields(text: str, start: int) -> Iterator[tuple[str, int]]:
    """The names in the fields of an f-string, and where they stand."""
    for field in _FIELD.finditer(text):
        for piece in _PIECE.finditer(field[1]):
            if piece["NAME"] and not piece["other"]:
                yield piece["NAME"], start + field.start(1) + piece.start("NAME")


def _check_name(reading: Reading, libraries: AbstractSet[str], name: str, start: int) -> None:
    if not reading.has(name) and name not in libraries and name not in _WORDS:
        raise ProblemError(
            f"unknown name `{name}`",
            reading.span(start, start + len(name)),
            fix=did_you_mean(name, reading.variables),
        )
