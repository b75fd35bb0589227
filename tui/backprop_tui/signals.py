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

_ENDING = ("SIGTERM", "SIGHUP", "SIGQUIT")
_TYPED = ("SIGINT", "SIGQUIT")
"""What ^C and ^\\ send to every program of a terminal that is not in raw mode."""


class Endings:
    """Has `end` called with the exit code of a shell, 128 and the signal's number."""

    def __init__(self, end: Callable[[int], None]) -> None:
        self._end = end
        self._is_heeding = False

    def heed(self) -> None:
        """From here on, the running loop ends in order. Windows has no such signals."""
        if sys.platform != "win32":
            self._is_heeding = True
            loop = asyncio.get_running_loop()
            for name in _ENDING:
                number = getattr(signal, name)
                loop.add_signal_handler(number, partial(self._end, 128 + number))

    @contextmanager
    def left_to_editor(self) -> Iterator[None]:
        """Typed signals are meant for the program that has the terminal alone, as in system(3)."""
        if sys.platform == "win32":
            yield
            return
        asyncio.get_running_loop().remove_signal_handler(signal.SIGQUIT)
        before = {name: signal.signal(getattr(signal, name), _ignored) for name in _TYPED}
        try:
            yield
        finally:
            for name, handler in before.items():
                signal.signal(getattr(signal, name), handler)
            if self._is_heeding:
                self.heed()


def _ignored(number: int, frame: FrameType | None) -> None:
    """Hears a signal; unlike SIG_IGN, a program that is started does not inherit it."""


def end_as_told(code: int) -> None:
    """Die of a SIGQUIT that has been heeded, since it asks for a core and the shell says so."""
    if sys.platform != "win32" and code == 128 + signal.SIGQUIT:
        signal.signal(signal.SIGQUIT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGQUIT)
