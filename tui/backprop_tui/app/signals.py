"""Signals that end the program: the terminal is given back first."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import FrameType

_TYPED = ("SIGINT", "SIGQUIT")
"""What ^C and ^\\ send to every program of a terminal that is not in raw mode."""


def end_in_order(end: Callable[[int], None]) -> None:
    """Have `end` called in the running loop with a shell's exit code, 128 and the signal's number.

    Windows has no such signals.
    """
    if sys.platform == "win32":
        return
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, partial(end, 128 + number))

    def end_soon(number: int, _: FrameType | None) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(end, 128 + number)

    # Not the loop's own handler: that hears, later, also what was meant for an editor.
    signal.signal(signal.SIGQUIT, end_soon)


@contextmanager
def left_to_editor() -> Iterator[None]:
    """Typed signals are meant for the program that has the terminal alone, as in system(3)."""
    numbers = [getattr(signal, name) for name in _TYPED if hasattr(signal, name)]
    before = {number: signal.signal(number, _ignored) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _ignored(number: int, frame: FrameType | None) -> None:
    """Hears a signal; unlike SIG_IGN, a program that is started does not inherit it."""


def end_as_told(code: int) -> None:
    """Die of the SIGQUIT that has ended the app: it asks for a core, and the shell tells of it."""
    if sys.platform != "win32" and code == 128 + signal.SIGQUIT:
        signal.signal(signal.SIGQUIT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGQUIT)
