"""Lines of text for a stream: coloured on a terminal, in ASCII where it takes no more."""

from __future__ import annotations

import os
import shutil
from textwrap import TextWrapper
from typing import TextIO

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.source import Source

_NEEDED = "∂·−×²√Σσᵀ→≤…✓✗≟▁█"
_ASCII = str.maketrans(
    {"✓": "ok", "✗": "NO", "≟": "??"} | dict(zip("▁▂▃▄▅▆▇█", "_.:-=+*#", strict=True))
)
_STYLES = {"bold": "1", "dim": "2", "good": "32", "bad": "31"}
NARROW, WIDE = 80, 110


def scenario_heading(title: str, source: Source) -> str:
    """What people know a scenario by: its title and file, or the text given with `-e`."""
    return heading(title, source.known_as)


def heading(title: str, name: str) -> str:
    """A title and, in brackets, the name of what has it; the name alone where there is none."""
    return f"{' '.join(title.split())} ({name})" if title.strip() else name


def counted(count: int, noun: str, nouns: str = "") -> str:
    """`1 node`, `3 nodes`."""
    return f"{count} {noun if count == 1 else nouns or noun + 's'}"


@dataclass(frozen=True, slots=True)
class Printer:
    """Where results go, and what may be printed there."""

    stream: TextIO
    colour: bool
    plain: bool
    """ASCII only."""
    width: int
    """Columns to keep to where that can be done."""
    encoding: str = "utf-8"

    def line(self, text: str = "", style: str = "") -> None:
        """Print one line."""
        self.stream.write(self.styled(self.text(text), style).rstrip(" ") + "\n")

    def paragraph(self, text: str, indent: int, style: str = "") -> None:
        """Print a text in as many lines as it takes, each indented, the further ones more."""
        first, further = " " * indent, " " * (indent + 2)
        wrapper = TextWrapper(
            self.width, first, further, break_long_words=False, break_on_hyphens=False
        )
        for line in wrapper.wrap(text):
            self.line(line, style)

    def flush(self) -> None:
        """Let a reader at the other end of a pipe see what there is."""
        self.stream.flush()

    def text(self, text: str) -> str:
        """What becomes of a text here; control characters never reach a terminal."""
        if not text.isprintable():
            text = "".join(sign if sign.isprintable() else "�" for sign in text)
        if self.plain:
            from backprop_engine.basics.notation import plain

            return plain(text.translate(_ASCII))
        # Somebody else's signs (a title in Greek) may still be too much for the stream.
        return text.encode(self.encoding, "replace").decode(self.encoding)

    def styled(self, text: str, style: str) -> str:
        """The text in a style (bold, dim, good, bad), if the stream is a terminal."""
        return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if self.colour and style and text else text


def printer(stream: TextIO) -> Printer:
    """A printer that suits the stream and the environment (NO_COLOR, TERM, COLUMNS)."""
    terminal = stream.isatty()
    return Printer(
        stream=stream,
        colour=terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb",
        plain=not _takes_mathematics(stream.encoding),
        width=min(max(shutil.get_terminal_size((NARROW, 24)).columns, 40), WIDE),
        encoding=stream.encoding or "utf-8",
    )


def _takes_mathematics(encoding: str | None) -> bool:
    try:
        _NEEDED.encode(encoding or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
