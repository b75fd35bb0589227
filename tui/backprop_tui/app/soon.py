"""Work that is mostly done at once, and else goes on beside the screen.

Nobody guesses how long something takes: it begins on a thread, the screen stands still for it for
a moment that nobody notices, and what is not done by then arrives when it is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from contextlib import suppress
from functools import partial
from threading import Event, Thread
from time import sleep
from typing import Any, Final, Protocol, TypeVar, cast

from textual.dom import DOMNode

from backprop_engine.budget import StoppedError
from backprop_tui.oracles.answering import answer_of
from backprop_tui.oracles.report import Failed

Result = TypeVar("Result")
Key = Hashable

PATIENCE: Final = 0.2
"""Seconds that the screen stands still for what a person has asked for, rather than show for a
moment that it waits."""
GLANCE: Final = 0.005
"""The same for what only goes along with a key: the key itself is to be seen at once."""
_NAP: Final = 0.005
"""Seconds between two looks at whether a key is under way."""


class Job:
    """Work under way, as its thread sees it."""

    def __init__(self, soon: Soon, key: Key, then: Callable[[Any], None]) -> None:
        self._soon, self._key, self._then = soon, key, then
        self._told: deque[Any] = deque()
        self._is_over = self.is_done = False
        self._ended = Event()
        self.is_cancelled = False
        self.is_waited_for = True

    def is_unwanted(self) -> bool:
        """Whether nobody wants the result any longer; to be asked every few milliseconds.

        First it leaves the processor to a key, until what that does is on the screen: Python lets
        a thread compute for a while once it does, and a key needs the loop's dozens of times.
        """
        while not (self.is_waited_for or self.is_cancelled) and self._soon.is_typing():
            sleep(_NAP)
        return self.is_cancelled

    def rest(self) -> None:
        """Raise StoppedError where it `is_unwanted`."""
        if self.is_unwanted():
            raise StoppedError

    def tell(self, part: Any) -> None:
        """Hand over a part of the result, of which there may be several."""
        self._told.append(part)
        if not self.is_waited_for:
            self._soon.call_later(self.deliver)

    def run(self, name: str, work: Callable[[Job], Any]) -> None:
        """Do it, and hand the result over; Failed where it raises anything."""
        with suppress(StoppedError):  # whoever has cancelled it knows
            result = answer_of(name, partial(work, self))
            self._is_over = True
            self.tell(result)
        self._ended.set()

    def wait(self, patience: float) -> None:
        """In the loop: stand still until it is done, but for so many seconds at most."""
        self._ended.wait(patience)

    def deliver(self) -> None:
        """In the loop: hand on what has been told."""
        while self._told and not self.is_cancelled:
            part = self._told.popleft()
            if self._is_over and not self._told:
                self.is_done = True
                self._soon.forget(self._key)
            self._then(part)


class Soon:
    """Everything that is under way, one work for each key."""

    def __init__(
        self,
        call_later: Callable[[Callable[[], None]], object],
        is_typing: Callable[[], bool] = lambda: False,
        fail: Callable[[Failed], None] = lambda _: None,
    ) -> None:
        """`call_later` calls in the loop, from any thread; `fail` tells what nobody else does."""
        self.call_later, self.is_typing, self._fail = call_later, is_typing, fail
        self._jobs: dict[Key, Job] = {}

    def __call__(
        self,
        key: Key,
        work: Callable[[Job], Result],
        then: Callable[[Result], None],
        *,
        failed: Callable[[Failed], None] | None = None,
        patience: float = PATIENCE,
    ) -> bool:
        """Have a thread do `work`, and the loop call `then` with its result; whether that is done.

        `key` is a name as it begins a sentence, alone or as a pair with what it is about; what was
        wanted before under the same key is not wanted any more. `failed` is called instead where
        the work raises anything.
        """
        self.cancel(key)

        def take(result: Any) -> None:
            if isinstance(result, Failed):
                (failed or self._fail)(result)
            else:
                then(result)

        job = self._jobs[key] = Job(self, key, take)
        name = key[0] if isinstance(key, tuple) else str(key)
        # Nothing waits for it when the program ends.
        Thread(target=job.run, args=(name, work), daemon=True).start()
        job.wait(patience)
        job.is_waited_for = False
        job.deliver()
        return job.is_done

    def is_at(self, key: Key) -> bool:
        """Whether that is still under way."""
        return key in self._jobs

    def cancel(self, *keys: Key) -> None:
        """Nobody wants that any longer."""
        for key in keys:
            if (job := self._jobs.pop(key, None)) is not None:
                job.is_cancelled = True

    def forget(self, key: Key) -> None:
        """That is done."""
        del self._jobs[key]

    def close(self) -> None:
        """Nothing is wanted any longer."""
        self.cancel(*self._jobs)


class _HasSoon(Protocol):
    soon: Soon


def soon_of(node: DOMNode) -> Soon:
    """The one of the app that a widget is part of."""
    return cast("_HasSoon", node.app).soon
