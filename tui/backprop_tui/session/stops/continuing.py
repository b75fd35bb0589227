"""Continue, forwards and back: Session → Session, as far as hits are known.

A continue that needs hits not yet looked for leaves a `Search` behind; `survey` looks for them, a
bounded number of steps at a time, and settles the search when enough is known.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial

import numpy as np

from backprop_tui.oracles.answering import answer_of
from backprop_tui.oracles.report import Failed
from backprop_tui.session.notices import lasting, told_anew
from backprop_tui.session.session import Session, jump
from backprop_tui.session.stops.reasons import algebra, reason
from backprop_tui.session.stops.scanning import BUDGET, advance, begin, nowhere
from backprop_tui.session.stops.state import Key, Scan, Search, Stop, Stops, Watch


def _continue(session: Session, *, forward: bool) -> Session:
    stops = session.stops
    if not stops.active:
        return replace(session, notice=_nothing_to_stop_at(stops))
    return _search(session, Search(forward, session.cursor, session.cursor))


continue_forward = partial(_continue, forward=True)
"""To the next hit of a breakpoint, or the next change of a watch that is a stop."""
continue_back = partial(_continue, forward=False)
"""To the last hit before the cursor."""


def seek(session: Session, key: Key, start: int, *, forward: bool = True) -> Session:
    """To the next hit of the one stop with this key beyond the cursor `start`."""
    return _search(session, Search(forward, session.cursor, start, key))


def _search(session: Session, search: Search) -> Session:
    asked = replace(session, stops=replace(session.stops, search=search))
    return settle(asked)


def _nothing_to_stop_at(stops: Stops) -> str:
    if stops.breakpoints:
        return "every breakpoint is off: L lists them"
    return "no breakpoint yet: b sets one on the selected node, B one with a condition"


def with_stops(session: Session, stops: Stops) -> Session:
    """With other breakpoints and watches; what was known of the old ones' hits is forgotten."""
    wanted = {stop.key for stop in stops.all}
    kept = {key: scan for key, scan in stops.scans.items() if key in wanted}
    return replace(session, stops=replace(stops, scans=kept))


# Scans


def scan_of(session: Session, stop: Stop) -> Scan | None:
    """What is known of the hits of `stop` in the session's trace; None for nothing."""
    scan = session.stops.scans.get(stop.key)
    return scan if scan is not None and scan.trace is session.trace else None


def _scans(session: Session, stops: Iterable[Stop]) -> list[tuple[Stop, Scan]]:
    """Stops with what is known of their hits, be it nothing."""
    nothing = Scan(session.trace, range(len(session.trace)), 0, np.empty(0, np.int64))
    return [(stop, scan_of(session, stop) or nothing) for stop in stops]


def is_surveyed(session: Session) -> bool:
    """Whether all hits of all stops are known."""
    scans = [scan_of(session, stop) for stop in session.stops.all]
    return all(scan is not None and scan.is_complete for scan in scans)


def survey(session: Session, budget: int = BUDGET) -> Session:
    """Look for hits at the cost of about `budget` steps, and settle a search that they settle."""
    found: dict[Key, Scan] = {}
    for stop in session.stops.all:
        looked = answer_of("The search for hits", partial(_further_on, session, stop, budget))
        if isinstance(looked, Failed):
            looked = nowhere(session.trace, looked.reason), budget
        found[stop.key], budget = looked
    return learn(session, found)


def _further_on(session: Session, stop: Stop, budget: int) -> tuple[Scan, int]:
    return advance(scan_of(session, stop) or begin(session.trace, stop), stop, budget)


def surveys(session: Session) -> Iterator[Mapping[Key, Scan]]:
    """All that there is to find, a little at a time: for a thread that reports as it goes."""
    session = cancel(session)
    while not is_surveyed(session):
        session = survey(session)
        yield session.stops.scans


def learn(session: Session, scans: Mapping[Key, Scan]) -> Session:
    """With what scans have found, and a search settled that they settle."""
    mine = {key: scan for key, scan in scans.items() if scan.trace is session.trace}
    known = {key: _further(session.stops.scans.get(key), scan) for key, scan in mine.items()}
    stops = replace(session.stops, scans={**session.stops.scans, **known})
    return settle(told_anew(with_stops(session, stops)))


def _further(ours: Scan | None, other: Scan) -> Scan:
    if ours is None or ours.trace is not other.trace:
        return other
    return ours if ours.done > other.done else other


# Settling


def settle(session: Session) -> Session:
    """Carry out the search under way, if what is known decides it; else say how far it is."""
    search = session.stops.search
    if search is None:
        return session
    if search.origin != session.cursor:
        return cancel(session)
    found, is_decided = _nearest(session, search)
    if not is_decided:
        return lasting(session, _progress)
    done = replace(session, stops=replace(session.stops, search=None))
    if found is None:
        return replace(done, notice=_nowhere(session, search))
    there = jump(done, found)
    return replace(there, notice=reason(there.trace, found, _hits_at(session, found)))


def cancel(session: Session) -> Session:
    """With no search under way."""
    if session.stops.search is None:
        return session
    return told_anew(replace(session, stops=replace(session.stops, search=None)))


def _places(session: Session, stop: Stop, scan: Scan) -> np.ndarray:
    """Where the search may stop: the known hits, without those that are ignored."""
    search = session.stops.search
    is_meant = search is not None and search.only is not None
    return scan.hits if is_meant else scan.hits[stop.ignored :]


def _nearest(session: Session, search: Search) -> tuple[int | None, bool]:
    """The next place to stop at, as far as is known, and whether that is certain."""
    best: int | None = None
    reach = len(session.trace) + 1
    for stop, scan in _scans(session, session.stops.sought):
        reach = min(reach, scan.reach)
        places = _places(session, stop, scan)
        if search.forward:
            at = int(np.searchsorted(places, search.start, "right"))
            if at < len(places):
                best = int(places[at]) if best is None else min(best, int(places[at]))
        elif at := int(np.searchsorted(places, search.start)):
            best = int(places[at - 1]) if best is None else max(best, int(places[at - 1]))
    if not search.forward:
        return best, reach >= search.start
    return best, reach > (len(session.trace) if best is None else best)


def _hits_at(session: Session, cursor: int) -> list[tuple[Stop, Scan]]:
    """What stops at `cursor`."""
    scans = _scans(session, session.stops.sought)
    return [(stop, scan) for stop, scan in scans if cursor in _places(session, stop, scan)]


def hit_sentence(session: Session) -> str:
    """Why continuing would stop at the cursor; empty where it would not, as far as is known."""
    active = replace(session, stops=replace(session.stops, search=None))
    hits = _hits_at(active, session.cursor)
    return reason(session.trace, session.cursor, hits) if hits else ""


def tick_columns(session: Session, start: int, stop: int, width: int) -> list[int]:
    """The columns of a bar for the steps `start` up to `stop` in which continuing would stop."""
    if stop <= start or not width:
        return []
    edges = start + -(-np.arange(width + 1) * (stop - start) // width)
    if stop == len(session.trace):
        edges[-1] += 1  # a watch can change at the very end
    is_hit = np.zeros(width, bool)
    for active, scan in _scans(session, session.stops.active):
        hits = scan.hits[active.ignored :]
        if session.predicting is not None:
            hits = hits[hits < session.predicting.reached]
        is_hit |= np.diff(np.searchsorted(hits, edges)) > 0
    return [int(column) for column in np.flatnonzero(is_hit)]


def _progress(session: Session) -> str:
    """How far the search under way is."""
    if session.stops.search is None:
        return ""
    scans = [scan for _, scan in _scans(session, session.stops.sought)]
    done, total = sum(scan.done for scan in scans), sum(len(scan.candidates) for scan in scans)
    return f"looking for a hit: {100 * done // max(total, 1)}% · esc stops"


def _nowhere(session: Session, search: Search) -> str:
    where = "" if search.start < 0 else "later " if search.forward else "earlier "
    here = "; this place is one" if _hits_at(session, session.cursor) else ""
    sought = session.stops.sought
    troubles = [scan.trouble for _, scan in _scans(session, sought) if scan.trouble]
    what = "change" if all(isinstance(stop, Watch) for stop in sought) else "hit"
    meant = ""
    if search.only is not None:
        meant = "".join(f"{algebra(session.trace, stop)}: " for stop in sought)
    return f"{meant}no {where}{what}{here}" + (f" ({troubles[0]})" if troubles else "")
