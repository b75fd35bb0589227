"""Work that is mostly done at once, and else goes on beside the screen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from threading import Thread
from typing import Final, TypeVar

Result = TypeVar("Result")

PATIENCE: Final = 0.2
"""Seconds that the screen stands still for work rather than show for a moment that it waits."""


def begin(work: Callable[[], Result]) -> Future[Result]:
    """`work` in a thread of its own, which the end of the program does not wait for."""
    (future,) = begin_all((work,))
    return future


def begin_all(works: Sequence[Callable[[], Result]]) -> list[Future[Result]]:
    """One after the other, all in one such thread."""
    futures: list[Future[Result]] = [Future() for _ in works]

    def run() -> None:
        for work, future in zip(works, futures, strict=True):
            try:
                future.set_result(work())
            except BaseException as error:  # noqa: BLE001 - raised where the result is asked for
                future.set_exception(error)

    Thread(target=run, daemon=True).start()
    return futures
