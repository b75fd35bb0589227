"""The torch oracle from our side: starts the child process, asks it, and survives its death."""

from __future__ import annotations

from types import TracebackType

from backprop_engine.trace import Trace
from backprop_tui.oracle.report import Failed, Ready


class Oracle:
    """One torch child process for many traces. Blocking: call `ask` from a worker thread."""

    def __init__(self, *, time_limit: float = 120.0, command: tuple[str, ...] = ()) -> None:
        raise NotImplementedError

    def ask(self, trace: Trace) -> Ready | Failed:
        """What torch makes of `trace`; starts the child if need be, never raises for its faults."""
        raise NotImplementedError

    def close(self) -> None:
        """End the child; an `ask` under way in another thread returns Failed."""

    def __enter__(self) -> Oracle:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
