"""Where in a TOML text an entry stands, which Python's reader does not say."""

from __future__ import annotations

import re
from typing import Final

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
