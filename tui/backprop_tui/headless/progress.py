"""How far a long check has come, on a terminal."""

from __future__ import annotations

import sys
from typing import Self, TextIO

from backprop_engine.basics.dataclass import dataclass


@dataclass(slots=True)
class Progress:
    """One line on `stream`, gone while something else is printed; none if that is no terminal."""

    total: int
    stream: TextIO
    shown: bool
    _done: int = 0
    _width: int = 0

    def step(self) -> None:
        """One more is done."""
        self._done += 1

    def draw(self) -> None:
        """Show where it stands."""
        if self.shown and self._done < self.total:
            text = f"{self._done} of {self.total} checked"
            self._width = len(text)
            self.stream.write(text)
            self.stream.flush()

    def clear(self) -> None:
        """Make room."""
        if self._width:
            # No escape sequences: they are not for every terminal.
            self.stream.write("\r" + " " * self._width + "\r")
            self.stream.flush()
            self._width = 0

    def __enter__(self) -> Self:
        self.draw()
        return self

    def __exit__(self, *_: object) -> None:
        self.clear()


def progress(total: int, *, json: bool) -> Progress:
    """For people at a terminal, and for more than one scenario."""
    at_terminal = sys.stdout.isatty() and sys.stderr.isatty()
    return Progress(total, sys.stderr, shown=at_terminal and not json and total > 1)
