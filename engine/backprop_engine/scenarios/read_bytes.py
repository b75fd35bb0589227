"""The bytes of a file, and no more of them, nor later, than they may be."""

from __future__ import annotations

import os
import select
import stat
import time
from pathlib import Path

from backprop_engine.basics.limits import MAX_FILE, PIPE_SECONDS

_PIECE = 1 << 16


def read_bytes(path: Path) -> bytes:
    """What is in a file; where that is too much, one byte more than `MAX_FILE`.

    Pipes and devices are read, too (`<(…)` in a shell is one), but not waited for without end.
    Raises OSError where it cannot be read.
    """
    # Opened the usual way, a pipe waits for somebody to write to it. What it is, is asked of what
    # has been opened: another file may have the name by then.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags)
    try:
        kind = os.fstat(descriptor).st_mode
        if stat.S_ISREG(kind) or stat.S_ISDIR(kind):
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                return file.read(MAX_FILE + 1)
        return _drained(descriptor)
    finally:
        os.close(descriptor)


def _drained(descriptor: int) -> bytes:
    data = b""
    deadline = time.monotonic() + PIPE_SECONDS
    while len(data) <= MAX_FILE:
        left = max(0.0, deadline - time.monotonic())
        if not select.select([descriptor], [], [], left)[0]:
            raise OSError(0, f"it is a pipe or a device, and has not ended in {PIPE_SECONDS:g} s")
        piece = os.read(descriptor, min(_PIECE, MAX_FILE + 1 - len(data)))
        if not piece:
            break
        data += piece
    return data
