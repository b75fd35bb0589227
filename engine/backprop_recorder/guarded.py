"""The recorder's own mistakes are kept, and never reach the program."""

from __future__ import annotations

import functools
import signal
import traceback
from collections.abc import Callable
from types import CodeType
from typing import Any

_MOST = 100


class Guard:
    """The mistakes so far."""

    def __init__(self) -> None:
        self.faults: list[str] = []

    def caught(self, error: Exception) -> None:
        """Keep a mistake. What a handler of a signal has raised is the program's, and goes on."""
        if _is_of_a_handler(error):
            raise error
        if len(self.faults) < _MOST:
            self.faults.append("".join(traceback.format_exception(error)))


def _is_of_a_handler(error: Exception) -> bool:
    handlers = {_code(signal.getsignal(number)) for number in signal.valid_signals()} - {None}
    entry = error.__traceback__
    while entry is not None:
        if entry.tb_frame.f_code in handlers:
            return True
        entry = entry.tb_next
    return False


def _code(handler: Any) -> CodeType | None:
    while isinstance(handler, functools.partial):
        handler = handler.func
    if not hasattr(handler, "__code__") and not hasattr(handler, "__func__"):
        handler = getattr(handler, "__call__", None)  # noqa: B004 - the method itself is wanted
    found = getattr(getattr(handler, "__func__", handler), "__code__", None)
    return found if isinstance(found, CodeType) else None


def guarded(method: Callable[..., None]) -> Callable[..., None]:
    """A method of what has a `guard`, called by torch or the program: it raises nothing there."""

    @functools.wraps(method)
    def call(self: Any, *args: Any, **keywords: Any) -> None:
        try:
            method(self, *args, **keywords)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is not the program's
            self.guard.caught(error)

    return call
