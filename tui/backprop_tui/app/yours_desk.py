"""The desk that has another engine judged, a learner's or a broken one, for what is shown."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Protocol

from backprop_engine.trace import Trace
from backprop_tui.app import file_looks
from backprop_tui.app.desk import Desk, Host
from backprop_tui.oracles.report import Failed, Starting
from backprop_tui.oracles.yours.finding import Finding
from backprop_tui.session.session import Session
from backprop_tui.session.stops.continuing import with_stops
from backprop_tui.session.stops.state import ANYWHERE, Breakpoint


class Examines(Protocol):
    """Who judges an engine; see `backprop_tui.oracles.yours.examining` and `broken`."""

    @property
    def path(self) -> Path | None:
        """The file that it stands in, if that is one that may be saved anew."""

    def ask(self, trace: Trace) -> Finding:
        """What is found by `trace`; called in a thread."""

    def close(self) -> None:
        """End it; an `ask` under way returns."""


class YoursDesk(Desk):
    """Asks about the trace that is shown, and again when the file is saved."""

    def __init__(self, host: Host, examiner: Examines | None) -> None:
        super().__init__(host)
        self._named = self._examiner = examiner
        self._shown: Trace | None = None
        self._found: Finding | Starting | Failed = Starting()
        self._watch()

    @property
    def found(self) -> Finding | Starting | Failed | None:
        """What is known of the trace that is shown; None where no file is named."""
        return None if self._examiner is None else self._found

    def use(self, examiner: Examines | None) -> None:
        """Have another engine judged; the one that was named at the start where it is None."""
        self._examiner = examiner or self._named
        self._watch()
        if self._host.session is not None:
            self._take_away_stops(self._host.session)
        self._ask()

    def _take_away_stops(self, session: Session) -> None:
        self._host.session = with_stops(session, replace(session.stops, found=()))

    def _watch(self) -> None:
        path = None if self._examiner is None else self._examiner.path
        self._path = path
        self._watched = file_looks.begin(None if path is None else file_looks.look(path))

    def close(self) -> None:
        """Let no thread wait when the app ends."""
        if self._named is not None:
            self._named.close()

    def follow(self, session: Session | None) -> None:
        """Ask about another trace than the last one."""
        if session is not None and session.trace is self._shown:
            return
        self._shown = None if session is None else session.trace
        self._ask()

    def ask_again(self) -> None:
        """Ask once more where nothing could be judged."""
        if isinstance(self._found, Failed) or (
            isinstance(self._found, Finding) and self._found.trouble
        ):
            self._ask()
            self._host.redraw()

    def look(self) -> None:
        """Look at the file, and have it judged again if it has been saved."""
        if self._path is not None and self._shown is not None:
            self._watched, is_due = file_looks.after(self._watched, file_looks.look(self._path))
            if is_due:
                self._ask()

    def _ask(self) -> None:
        examiner, trace = self._examiner, self._shown
        if examiner is None or trace is None:
            return
        self._found = Starting()
        take = partial(self._take, trace)
        self._host.soon.cancel("Your file")
        self._host.soon("Your file", lambda _: examiner.ask(trace), take, failed=take, patience=0)

    def _take(self, trace: Trace, found: Finding | Failed) -> None:
        session = self._host.session
        if trace is not self._shown or session is None or self._examiner is None:
            return
        self._found = found
        self._host.session = with_stops(session, replace(session.stops, found=_stops(found)))
        self._host.redraw()


def _stops(found: Finding | Failed) -> tuple[Breakpoint, ...]:
    """Where continuing is to stop: at the first step that is wrong by itself."""
    verdict = found.verdict if isinstance(found, Finding) else None
    if verdict is None or verdict.step is None:
        return ()
    line = "" if verdict.line is None else f", line {verdict.line} of yours"
    title = f"wrong by itself ({verdict.kind}{line})"
    return (Breakpoint(ANYWHERE, f"step == {verdict.step}", title),)
