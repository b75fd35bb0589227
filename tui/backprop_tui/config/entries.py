"""The entries of the configuration file, with the place of each, for those who read them."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.sanitised import brief, printable
from backprop_engine.basics.suggestions import did_you_mean
from backprop_engine.scenarios.read_bytes import read_bytes

_TABLE: Final = re.compile(r"\[(?P<name>[^\[\]#]+)\]")
_ENTRY: Final = re.compile(r"(?P<key>(?:[\w.\- ]|\"[^\"]*\"|'[^']*')+)=")
_AT: Final = re.compile(r" \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)$")


class Places:
    """The entries of a text by their keys, with line and column, from 1."""

    def __init__(self, text: str, name: str) -> None:
        self._name = name
        self._lines = text.splitlines()
        self._found: dict[tuple[str, ...], tuple[int, int]] = {}
        table: tuple[str, ...] = ()
        for number, line in enumerate(self._lines, 1):
            written = line.lstrip()
            column = len(line) - len(written) + 1
            if header := _TABLE.match(written):
                name = header["name"]
                table = _parts(name)
                at = column + 1 + len(name) - len(name.lstrip())
                self._found.setdefault(table, (number, at))
            elif entry := _ENTRY.match(written):
                key = (*table, *_parts(entry["key"]))
                self._found.setdefault(key, (number, column))

    def of(self, key: tuple[str, ...]) -> str:
        """`FILE:LINE:COLUMN` of an entry; of the table it stands in, where it has no line."""
        while key and key not in self._found:
            key = key[:-1]
        line, column = self._found.get(key, (1, 1))
        return f"{self._name}:{line}:{column}"

    def of_error(self, message: str) -> str:
        """Python's own message with the place before it."""
        at = _AT.search(message)
        said = message[: at.start()] if at else message
        line, column = len(self._lines) or 1, 1
        if at is not None and at["line"]:
            line, column = int(at["line"]), int(at["column"])
        return f"{self._name}:{line}:{column}: this is no TOML: {said[:1].lower()}{said[1:]}"


def _parts(key: str) -> tuple[str, ...]:
    return tuple(part.strip().strip("\"'") for part in key.split("."))


LARGEST: Final = 100_000
"""Bytes of a configuration file, which has a line for each of some hundred commands."""
LONGEST_LINE: Final = 1_000
"""Characters. Python's reader takes the square of the parts of a key `a.b.c`."""


class MistakeError(Exception):
    """What is wrong with one entry, in a sentence; the others apply."""


@dataclass(frozen=True, slots=True)
class Entries:
    """What a file has set, not yet read any further; nothing where `mistake` says why."""

    places: Places
    found: Mapping[str, Any]
    mistake: str = ""

    def told(self, key: tuple[str, ...], message: str) -> str:
        """What is wrong with the entry `key`, with its file, line and column."""
        return printable(brief(f"{self.places.of(key)}: {message}"))


def read_entries(path: Path) -> Entries:
    """What is in the file at `path`; nothing where there is no such file."""
    name = str(path)
    nothing = Entries(Places("", name), {})
    try:
        data = read_bytes(path)
        if len(data) > LARGEST:
            return _refused(name, f"it is larger than {LARGEST // 1_000} kB")
        return parse_entries(data.decode("utf-8"), name)
    except FileNotFoundError:
        return nothing
    except UnicodeDecodeError:
        return _refused(name, "it is not UTF-8")
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        return _refused(name, getattr(error, "strerror", None) or str(error))


def _refused(name: str, reason: str) -> Entries:
    return Entries(Places("", name), {}, printable(f"{name}: cannot be read: {reason}"))


def parse_entries(text: str, name: str) -> Entries:
    """What a TOML text sets; `name` is what it is called in its mistakes."""
    longest = max(map(len, text.split("\n")))
    if longest > LONGEST_LINE:
        return _refused(name, f"a line of it has more than {LONGEST_LINE:,} characters")
    places = Places(text, name)
    try:
        return Entries(places, tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        said = places.of_error(str(error))
    except ValueError:  # more digits than Python reads
        said = f"{name}: a number in it is too long"
    except RecursionError:
        said = f"{name}: nested too deeply"
    return Entries(places, {}, printable(brief(said)))


def unknown(what: str, word: Any, known: Any) -> str:
    """That there is no such setting, theme, command or key, and perhaps which was meant."""
    hint = did_you_mean(word, known) if isinstance(word, str) else ""
    return f"there is no {what} `{word}`" + (f"; {hint}" if hint else "")
