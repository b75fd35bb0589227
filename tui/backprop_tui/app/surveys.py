"""The desk that finds out what a session still wants to know: hits, matches, a run anew."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from time import monotonic
from typing import Any

from backprop_tui.app.desk import Desk, Host
from backprop_tui.app.soon import GLANCE, PATIENCE, Job
from backprop_tui.session.search.searching import learn as learn_matches
from backprop_tui.session.search.searching import look_on, needs_looking
from backprop_tui.session.session import Session
from backprop_tui.session.stops.continuing import is_surveyed, surveys
from backprop_tui.session.stops.continuing import learn as learn_hits
from backprop_tui.session.whatif import editing

_HITS, _MATCHES, _RUN = "The search for hits", "The search", "The run with other values"


class Surveys(Desk):
    """Begins to find out as soon as a session wants to know, and tells it bit by bit."""

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self._asked: dict[str, object] = {}
        self._since = 0.0

    def follow(self, session: Session | None) -> None:
        """Begin what is wanted now, and give up what is not wanted any more."""
        self._look_for_hits(session)
        self._look_for_matches(self._host.session)
        self._run(self._host.session)

    def _is_new(self, key: str, asked: object) -> bool:
        """Whether something else is wanted than what is under way; that is given up then."""
        if asked is not None and self._asked.get(key) == asked:
            return False
        self._host.soon.cancel(key)
        self._asked[key] = asked
        return asked is not None

    def _look_for_hits(self, session: Session | None) -> None:
        if session is None or is_surveyed(session):
            self._is_new(_HITS, None)
        elif self._is_new(_HITS, (session.trace, session.stops.all)):
            patience = GLANCE if session.stops.search is None else PATIENCE
            self._learn(_HITS, lambda _: surveys(session), learn_hits, patience)

    def _look_for_matches(self, session: Session | None) -> None:
        if session is None or session.search is None or not needs_looking(session):
            self._is_new(_MATCHES, None)
            return
        matches = session.search.matches
        cursor = matches.cursor if matches else None
        asked = (session.trace, session.outline, session.search.text, cursor)
        if self._is_new(_MATCHES, asked):
            self._learn(_MATCHES, lambda job: look_on(session, job.rest), learn_matches, GLANCE)

    def _learn(
        self,
        key: str,
        find: Callable[[Job], Iterator[Any]],
        learn: Callable[[Session, Any], Session],
        patience: float,
    ) -> None:
        """Have the session learn what is found, a bit at a time."""

        def look(job: Job) -> None:
            for found in find(job):
                job.rest()
                job.tell(found)

        def take(found: Any) -> None:
            if self._host.session is not None and found is not None:
                self._host.session = learn(self._host.session, found)

        self._host.soon(key, look, take, patience=patience)

    # Other values

    def _run(self, session: Session | None) -> None:
        wanted = None if session is None else session.whatif.wanted
        if session is not None and wanted is not None and self._is_new(_RUN, wanted):
            self._since = monotonic()
            whatif = session.whatif
            self._host.soon(
                _RUN, lambda job: editing.carry_out(whatif, wanted, job.is_unwanted), self._arrive
            )
        elif wanted is None:
            self._is_new(_RUN, None)

    def _arrive(self, outcome: editing.Outcome) -> None:
        if self._host.session is not None:
            self._host.session = editing.arrive(self._host.session, outcome)

    def tell_progress(self) -> None:
        """Say how long a run under way has taken."""
        session = self._host.session
        if session is not None and session.whatif.wanted is not None:
            self._host.session = editing.progress(session, monotonic() - self._since)
