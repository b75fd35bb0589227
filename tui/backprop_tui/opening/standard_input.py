"""A scenario from standard input; the keys then come from the terminal itself."""

from __future__ import annotations

import os
import sys

from backprop_engine.basics.limits import MAX_FILE
from backprop_engine.basics.source import Source
from backprop_engine.scenarios.shorthand import piped_source

_TERMINAL = "/dev/tty"


def read_source() -> Source:
    """All that comes, but no more than is read of a file. Raises OSError."""
    return piped_source(sys.stdin.buffer.read(MAX_FILE + 1))


def open_keyboard() -> int | None:
    """A descriptor of the terminal that this process belongs to; None where there is none."""
    try:
        return os.open(_TERMINAL, os.O_RDWR)
    except OSError:
        return None


def take_keys_from(descriptor: int) -> None:
    """Let the terminal be standard input from here on."""
    os.dup2(descriptor, 0)
    os.close(descriptor)
