"""The desk that practises: one exercise after another, and what became of each."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from backprop_tui.app.desk import Desk
from backprop_tui.memory.boxes import Boxes
from backprop_tui.memory.layout import Layout
from backprop_tui.opening.practice import Course
from backprop_tui.session import session as do
from backprop_tui.session.predicting.answering import held, toggle
from backprop_tui.session.predicting.state import Settled
from backprop_tui.session.session import Session, open_session

if TYPE_CHECKING:
    from backprop_tui.app.app import DebuggerApp

_KEEPING = "The boxes"
_HOW = "s asks, step by step, at values of its own; esc goes on to another exercise"


class PracticeDesk(Desk):
    """Draws exercises while there is a course, and has it keep how they were answered."""

    def __init__(self, app: DebuggerApp, course: Course | None) -> None:
        super().__init__(app)
        self._app, self._course = app, course
        self._settled: tuple[Settled, ...] = ()
        self._after: Boxes | None = None
        """Where the kinds lie by now."""

    @property
    def is_on(self) -> bool:
        """Whether there is a course."""
        return self._course is not None

    def begin(self) -> bool:
        """Open the next exercise, or leave where nothing is due; False without a course."""
        course = self._course
        if course is None:
            return False
        if self._after is not None:
            course.close(self._after)
        self._settled, self._after = (), None
        told, course.trouble = course.trouble or _HOW, ""
        self._app.opening.work("choosing an exercise", lambda _: _drawn(course, told), self._open)
        return True

    def _open(self, session: Session | None) -> None:
        if session is None:
            self._app.exit(self._course and self._course.nothing_due)
        else:
            self._app.file.begin(session.trace)
            self._app.opening.put(session, Layout())

    def follow(self, session: Session | None) -> None:
        """Keep what was answered."""
        now = None if session is None else session.predicting
        if self._course is None or session is None or now is None or now.settled == self._settled:
            return
        self._settled = now.settled
        keep = partial(self._course.settle, session.trace, now.settled)
        self._host.soon(_KEEPING, lambda _: keep(), partial(setattr, self, "_after"))
        if session.cursor == len(session.trace):
            self._host.say(f"{session.notice} · done, {now.score}: esc goes on")


def _drawn(course: Course, told: str) -> Session | None:
    """An exercise before its backward pass, of which each step is asked; None for none."""
    trace = course.draw()
    if trace is None:
        return None
    session = held(do.pass_end(toggle(open_session(trace))))
    return replace(session, origins=(), notice=told)
