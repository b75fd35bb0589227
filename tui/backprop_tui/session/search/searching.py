"""Search and the way from match to match: Session → Session, as far as matches are known.

Where looking takes a while, the session is left with what is still wanted of the search; whoever
runs `look_on` in a thread hands its findings to `learn`, which goes there when it is decided.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import numpy as np

from backprop_tui.session.navigation import Matches, Search
from backprop_tui.session.notices import lasting, told_anew
from backprop_tui.session.search.matching import begin, look
from backprop_tui.session.session import Session, select


def search_for(session: Session, text: str, start: int) -> Session:
    """Look for `text`, and choose its first match in row `start` or below, else from the top."""
    asked = Search(text, forward=True, start=start, inclusive=True)
    return _seek(replace(session, search=asked))


def _to_match(session: Session, *, forward: bool) -> Session:
    if session.search is None:
        return replace(session, notice="nothing searched for yet: / searches")
    matches = fitting(session)
    asked = replace(session.search, matches=matches, forward=forward, start=session.row)
    return _seek(replace(session, search=replace(asked, inclusive=False)))


next_match = partial(_to_match, forward=True)
"""To the next match below the selected row, after the last to the first."""
previous_match = partial(_to_match, forward=False)
"""To the match above the selected row, before the first to the last."""


def fitting(session: Session) -> Matches | None:
    """The matches of the session's search, if they are true of this trace and this cursor."""
    matches = None if session.search is None else session.search.matches
    if matches is None or matches.trace is not session.trace:
        return None
    return matches if matches.cursor in (None, session.cursor) else None


def _seek(session: Session) -> Session:
    search = session.search
    if search is None or fitting(session) is not None:
        return _settle(session)
    return learn(session, begin(session, search.text))


def needs_looking(session: Session) -> bool:
    """Whether rows are still to be looked at."""
    matches = fitting(session)
    return matches is not None and not matches.is_complete


def look_on(session: Session, rest: Callable[[], None] = lambda: None) -> Iterator[Matches]:
    """All that there is to find, a little at a time: for a thread that reports as it goes.

    See `look` for `rest`.
    """
    matches = fitting(session)
    return look(session, matches, rest) if matches is not None else iter(())


def learn(session: Session, matches: Matches) -> Session:
    """With more matches, and gone to the one that was wanted if that is certain now."""
    search = session.search
    if search is None or matches.text != search.text or matches.trace is not session.trace:
        return session
    if matches.total not in (0, len(session.outline)):
        return session  # they are rows of the other tree
    return _settle(told_anew(replace(session, search=replace(search, matches=matches))))


def _settle(session: Session) -> Session:
    search, matches = session.search, fitting(session)
    if search is None or matches is None or search.forward is None:
        return session
    if matches.trouble:
        return _done(session, search, matches.trouble)
    row = _named(session, search, matches)
    row = _wanted(matches, search) if row is None else row
    if row is not None:
        there = select(session, row)
        return lasting(_done(there, search, ""), position)
    if matches.is_complete:
        return _done(session, search, nothing(matches) if search.text.strip() else "")
    return lasting(session, _progress)


def _progress(session: Session) -> str:
    """How far the search is that a match is still wanted of."""
    matches, search = fitting(session), session.search
    if matches is None or search is None or search.forward is None:
        return ""
    return f"searching: {100 * matches.done // matches.total}%"


def _done(session: Session, search: Search, notice: str) -> Session:
    current = session.search or search
    return replace(session, search=replace(current, forward=None), notice=notice)


def _named(session: Session, search: Search, matches: Matches) -> int | None:
    """The row of the node that has just this name: whoever types it all means that one."""
    if not search.inclusive or matches.cursor is not None or not matches.done:
        return None
    node = session.trace.named(search.text.strip())
    return None if node is None else int(session.outline.full_rows[node])


def _wanted(matches: Matches, search: Search) -> int | None:
    """The match that is wanted; None where there is none, or it is not certain yet."""
    rows = matches.rows
    if not len(rows):
        return None
    if search.forward:
        at = int(np.searchsorted(rows, search.start, "left" if search.inclusive else "right"))
        if at == len(rows) and not matches.is_complete:
            return None
        return int(rows[at % len(rows)])
    at = int(np.searchsorted(rows, search.start)) - 1
    is_known = matches.is_complete or (at >= 0 and matches.done >= search.start)
    return int(rows[at]) if is_known else None


def nothing(matches: Matches) -> str:
    """`no match for “xyz”`"""
    now = "" if matches.cursor is None else " now"
    return f"no match for “{matches.text.strip()}”{now}"


def position(session: Session) -> str:
    """`match 2 of 7 for “mul”`; nothing where the selected row is no match."""
    search, matches = session.search, fitting(session)
    if search is None or matches is None or not len(matches.rows):
        return ""
    rows = matches.rows
    at = int(np.searchsorted(rows, session.row))
    if at == len(rows) or rows[at] != session.row:
        return ""
    far = "" if matches.is_complete else " so far"
    meant = "the letters " if rows is matches.fuzzy else ""
    return f"match {at + 1:,} of {len(rows):,}{far} for {meant}“{search.text.strip()}”"


def is_match(session: Session, row: int) -> bool:
    """Whether `row` is among the matches that are known and true at the cursor."""
    matches = fitting(session)
    if matches is None:
        return False
    at = int(np.searchsorted(matches.rows, row))
    return at < len(matches.rows) and bool(matches.rows[at] == row)
