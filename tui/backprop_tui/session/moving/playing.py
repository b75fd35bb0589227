"""Play: steps that run by themselves, forwards or back, at a rate. A timer calls `tick`."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from backprop_tui.session.navigation import RATES, Play
from backprop_tui.session.session import Session, step_back, step_forward
from backprop_tui.session.stops.continuing import hit_sentence


def is_playing(session: Session) -> bool:
    """Whether steps run by themselves; whatever else moves the cursor ends that."""
    return session.play is not None and session.play.cursor == session.cursor


def _toggle(session: Session, *, forward: bool) -> Session:
    if is_playing(session) and session.play is not None and session.play.forward == forward:
        return pause(session)
    if session.cursor == (len(session.trace) if forward else 0):
        where = "the end: P plays backwards" if forward else "the start: p plays forwards"
        return replace(session, play=None, notice=f"this is {where}")
    return replace(session, play=Play(forward, session.cursor), notice="")


play_forward = partial(_toggle, forward=True)
"""Play forwards; pause, if it does already."""
play_back = partial(_toggle, forward=False)
"""Play backwards; pause, if it does already."""


def pause(session: Session) -> Session:
    """Let no steps run by themselves."""
    return replace(session, play=None, notice="paused")


def _at_rate(session: Session, by: int) -> Session:
    at = RATES.index(session.rate) + by
    rate = RATES[max(0, min(at, len(RATES) - 1))]
    if rate == session.rate:
        most = "fastest" if by > 0 else "slowest"
        return replace(session, notice=f"{rate:g} steps a second is the {most}")
    notice = "" if is_playing(session) else f"p will play at {rate:g} steps a second"
    return replace(session, rate=rate, notice=notice)


faster = partial(_at_rate, by=1)
"""Play at the next higher rate."""
slower = partial(_at_rate, by=-1)
"""Play at the next lower rate."""


def tick(session: Session) -> Session:
    """One step on in the direction of play; it ends at an end of the timeline and at a hit."""
    if session.play is None:
        return session
    if not is_playing(session):
        return replace(session, play=None)
    forward = session.play.forward
    moved = step_forward(session) if forward else step_back(session)
    reason = hit_sentence(moved)
    if reason or moved.cursor == (len(moved.trace) if forward else 0):
        return replace(moved, play=None, notice=reason)
    return replace(moved, play=Play(forward, moved.cursor))
