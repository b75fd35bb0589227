"""The recorder's own mistakes are kept, and never reach the program."""

from __future__ import annotations

import functools
import traceback
from collections.abc import Callable
from typing import Any

_MOST = 100


class Guard:
    """The mistakes so far."""

    def __init__(self) -> None:
        self.faults: list[str] = []

    def caught(self, error: Exception) -> None:
        """Keep a mistake."""
        if len(self.faults) < _MOST:
            self.faults.append("".join(traceback.format_exception(error)))


def guarded(method: Callable[..., None]) -> Callable[..., None]:
    """A method of what has a `guard`, called by torch or the program: it raises nothing there."""

    @functools.wraps(method)
    def call(self: Any, *args: Any, **keywords: Any) -> None:
        try:
            method(self, *args, **keywords)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is not the program's
            self.guard.caught(error)

    return call
