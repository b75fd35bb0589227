"""Setting, changing and deleting breakpoints: Session → Session."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Final

from backprop_engine.trace import Trace
from backprop_tui.session.notices import lasting
from backprop_tui.session.session import Session
from backprop_tui.session.stops.continuing import scan_of, seek, with_stops
from backprop_tui.session.stops.reasons import algebra, place_text
from backprop_tui.session.stops.state import ANYWHERE, Breakpoint, Place, PlaceKind

READY_MADE: Final = {
    "NaN": "isnan(value) | isnan(grad)",
    "Inf": "isinf(value) | isinf(grad)",
    "vanishing gradient": "(sum(abs(grad)) < 1e-6) & (grad != 0)",
    "exploding gradient": "abs(grad) > 1e3",
    "zero gradient": "all(grad == 0)",
}
"""Titles and conditions of the breakpoints that the palette offers."""


def node_of(trace: Trace, stop: Breakpoint) -> int | None:
    """The node that a breakpoint is on; None where it is on something else."""
    return trace.named(stop.place.name) if stop.place.kind is PlaceKind.NODE else None


def on_node(session: Session, node: int) -> tuple[Breakpoint, ...]:
    """The breakpoints on `node`."""
    stops = session.stops.breakpoints
    return tuple(stop for stop in stops if node_of(session.trace, stop) == node)


def toggle(session: Session) -> Session:
    """Set a breakpoint on the selected node; where there are any, delete them."""
    trace, node = session.trace, session.node
    there = on_node(session, node)
    if there:
        gone = ", ".join(stop.text for stop in there)
        return _with(session, _without(session, there), f"breakpoint deleted: {gone}")
    label = trace.label(node)
    if trace.named(label) != node or not trace.visits(node):
        return replace(session, notice=f"{label} takes part in no step: nothing to stop at")
    return set_breakpoint(session, None, Breakpoint(Place(PlaceKind.NODE, label)))


def set_breakpoint(session: Session, old: Breakpoint | None, new: Breakpoint) -> Session:
    """Put `new` in the place of `old`, or of one that has the same hits, or at the end."""
    if old is not None:
        new = replace(new, ignored=old.ignored, is_enabled=old.is_enabled)
    stops = session.stops.breakpoints
    changed = [new if stop is old or stop.key == new.key else stop for stop in stops]
    if new not in changed:
        changed.append(new)
    changed = list(dict.fromkeys(changed))
    return lasting(_with(session, tuple(changed), ""), partial(_told, new=new))


def _looked_for(session: Session, new: Breakpoint) -> str:
    """`on x`, `on x if |grad| > 10`, `if |grad| > 10`."""
    what = algebra(session.trace, new)
    if new.title or not new.condition:
        return f"on {what}"
    is_anywhere = new.place.kind is PlaceKind.ANYWHERE
    return f"if {what}" if is_anywhere else f"on {place_text(new.place)} if {what}"


def _told(session: Session, new: Breakpoint) -> str:
    scan = scan_of(session, new)
    found = f"breakpoint {_looked_for(session, new)}"
    if scan is None or not scan.is_complete:
        return found
    trouble = f" ({scan.trouble})" if scan.trouble else ""
    count = len(scan.hits)
    if not count:
        return f"{found}: no hit in this run{trouble}"
    return f"{found}: {count} {'hit' if count == 1 else 'hits'} · c and C go there{trouble}"


def _without(session: Session, gone: tuple[Breakpoint, ...]) -> tuple[Breakpoint, ...]:
    return tuple(stop for stop in session.stops.breakpoints if stop not in gone)


def _with(session: Session, breakpoints: tuple[Breakpoint, ...], notice: str) -> Session:
    changed = with_stops(session, replace(session.stops, breakpoints=breakpoints))
    return replace(changed, notice=notice)


def _changed(session: Session, index: int, new: Breakpoint) -> Session:
    stops = list(session.stops.breakpoints)
    stops[index] = new
    return _with(session, tuple(stops), "")


def delete(session: Session, index: int) -> Session:
    """Delete breakpoint `index`."""
    return _with(session, _without(session, (session.stops.breakpoints[index],)), "")


def enable(session: Session, index: int) -> Session:
    """Switch breakpoint `index` off, or on again."""
    breakpoint_ = session.stops.breakpoints[index]
    return _changed(session, index, replace(breakpoint_, is_enabled=not breakpoint_.is_enabled))


def ignore(session: Session, index: int, by: int) -> Session:
    """Pass by `by` more of the hits of breakpoint `index`, fewer where negative."""
    breakpoint_ = session.stops.breakpoints[index]
    return _changed(session, index, replace(breakpoint_, ignored=max(breakpoint_.ignored + by, 0)))


def to_next_hit(session: Session, index: int) -> Session:
    """To the next hit of breakpoint `index` alone, even if it is off or ignores hits."""
    return seek(session, session.stops.breakpoints[index].key, start=session.cursor)


def first_hit(session: Session, title: str) -> Session:
    """Set the ready-made breakpoint of this title and go to its first hit."""
    wanted = Breakpoint(ANYWHERE, READY_MADE[title], title=title)
    return seek(set_breakpoint(session, None, wanted), wanted.key, start=-1)
