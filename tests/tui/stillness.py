"""Waiting until the app stands still: by what is left to do, and never by the time it takes.

Textual's own `wait_for_idle` takes a process that uses no time for one that has finished. On a
machine with other work that is often wrong, and on an idle one it costs 20 ms a key or more.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread, current_thread
from time import monotonic
from typing import Any
from weakref import WeakSet

import pytest
from textual._compositor import Compositor
from textual._context import active_app
from textual.app import App
from textual.pilot import Pilot
from textual.timer import Timer
from textual.worker import NoActiveWorker, Worker, get_current_worker

from backprop_tui.app.app import DebuggerApp
from backprop_tui.app.soon import Job

PATIENCE = 60
"""Seconds after which an app that still has something to do is one that will never be still."""

_set_aside: set[Worker[Any] | Thread] = set()
_threads: WeakSet[Thread] = WeakSet()


class _IdleSelector(selectors.DefaultSelector):
    """Tells when the loop has nothing to run: only then is a selector asked to wait."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: list[asyncio.Future[None]] = []

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if not self.waiting or (timeout is not None and timeout <= 0):
            return super().select(timeout)
        events = super().select(0)
        if not events:
            for one in self.waiting:
                if not one.done():
                    one.set_result(None)
            self.waiting.clear()
        return events


class StillLoop(asyncio.SelectorEventLoop):
    """An event loop that can be waited for."""

    def __init__(self) -> None:
        self._listening = _IdleSelector()
        super().__init__(self._listening)

    async def nothing_to_run(self) -> None:
        """Return as soon as every task waits for a timer, a thread or the caller."""
        future: asyncio.Future[None] = self.create_future()
        self._listening.waiting.append(future)
        await future


class KnownThread(Thread):
    """A thread of the program's own, beside Textual's workers."""

    def start(self) -> None:
        super().start()
        _threads.add(self)


@contextmanager
def nobody_waits() -> Iterator[None]:
    """What this thread does takes as long as the test likes; the app is still meanwhile."""
    try:
        work: Worker[Any] | Thread = get_current_worker()
    except NoActiveWorker:
        work = current_thread()
    _set_aside.add(work)
    try:
        yield
    finally:
        _set_aside.discard(work)


def _at_work(app: App[Any]) -> list[object]:
    workers = [worker for worker in app.workers if not worker.is_finished]
    threads = [thread for thread in _threads if thread.is_alive()]
    return [one for one in (*workers, *threads) if one not in _set_aside]


def _is_about_to_ask(app: DebuggerApp) -> bool:
    """Whether torch is asked once nobody has nudged a value for a moment."""
    later = app.oracles._later
    return isinstance(later, Timer) and later._task is not None and not later._task.done()


async def stand_still(app: App[Any]) -> None:
    """Wait until all messages are handled, and all threads done or set aside.

    Raises:
        TimeoutError: it does not come to that.
    """
    loop = asyncio.get_running_loop()
    assert isinstance(loop, StillLoop)
    end = monotonic() + PATIENCE
    while True:
        await loop.nothing_to_run()
        if app._exception is not None or not app.is_running or not app.screen_stack:
            return
        at_work = _at_work(app)
        if monotonic() > end:
            raise TimeoutError(f"still at work: {at_work}")
        is_due = isinstance(app, DebuggerApp) and (app.keys.has_keys or _is_about_to_ask(app))
        if at_work or is_due or app._resize_timer is not None:
            await asyncio.sleep(0.001)
        elif app.screen._update_timer._active.is_set():
            app.screen._on_timer_update()
        else:
            return


_render_update, _render_strips = Compositor.render_update, Compositor.render_strips
_due: WeakSet[Compositor] = WeakSet()


def frames_are_due(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is to be drawn is drawn when somebody looks, or `draw_frame` says so.

    That is a third of what a test of the screen takes. A terminal sees no more: Textual draws as
    often as the time allows.
    """

    def note(compositor: Compositor, full: bool = False, **more: Any) -> Any:
        if full:  # a picture
            return _render_update(compositor, full=True, **more)
        _due.add(compositor)
        return None

    def look(compositor: Compositor, *how: Any) -> Any:
        draw_frame(active_app.get())
        return _render_strips(compositor, *how)

    monkeypatch.setattr(Compositor, "render_update", note)
    monkeypatch.setattr(Compositor, "render_strips", look)


def draw_frame(app: App[Any]) -> None:
    """Draw what is to be drawn as Textual draws it, so far as there is something."""
    if not app.is_running or not app.screen_stack:
        return
    compositor = app.screen._compositor
    if compositor in _due:
        _due.discard(compositor)
        _render_update(compositor, screen_stack=app._background_screens)


def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The screen stands still for what is short, however much else the machine has to do.

    For what `nobody_waits` for it does not.
    """
    of_others = frozenset(_set_aside)

    def wait(job: Job, patience: float) -> None:
        end = monotonic() + (patience and 1.0)
        while monotonic() < end and _set_aside <= of_others and not job._ended.wait(0.002):
            pass

    monkeypatch.setattr("backprop_tui.app.oracle_desk._PAUSE", 0.01)
    monkeypatch.setattr(Job, "wait", wait)


def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The screen stands still for nothing: whatever is left to a thread arrives later."""
    monkeypatch.setattr(Job, "wait", lambda *_: None)


async def until(pilot: Pilot[None], condition: Callable[[], bool]) -> None:
    """Wait for what comes by itself, of a timer."""
    end = monotonic() + PATIENCE
    while not condition():
        assert monotonic() < end
        await pilot.pause(0.01)
    await pilot.pause()
