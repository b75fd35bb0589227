"""Adding, changing and deleting watches, and going to where one changes: Session → Session."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from backprop_tui.session.session import Session
from backprop_tui.session.stops.continuing import seek, with_stops
from backprop_tui.session.stops.state import Watch

_NONE = "no watch yet: w adds one"


def suggestion(session: Session) -> str:
    """The expression that a new watch of the selected node starts with."""
    trace, node = session.trace, session.node
    label = trace.label(node)
    if trace.named(label) != node:
        return ""
    bare = label.partition("@")[0]
    last = trace.named(bare)
    if last is not None and last in trace.outlived and node in trace.versions(last):
        label = bare  # in a recording it means the one of the moment
    return f"{label}.grad" if trace.nodes.requires_grad[node] else label


def set_watch(session: Session, old: str | None, text: str) -> Session:
    """Put the watch `text` in the place of `old`, or at the end; it becomes the chosen one."""
    watches = list(session.stops.watches)
    texts = [watch.text for watch in watches]
    if text in texts:
        at = texts.index(text)
    elif old in texts:
        at = texts.index(old)
        watches[at] = replace(watches[at], text=text)
    else:
        at = len(watches)
        watches.append(Watch(text))
    return _with(session, watches, at)


def _with(session: Session, watches: list[Watch], chosen: int) -> Session:
    held = max(min(chosen, len(watches) - 1), 0)
    stops = replace(session.stops, watches=tuple(watches), chosen=held)
    return replace(with_stops(session, stops), notice="")


def chosen_watch(session: Session) -> Watch | None:
    """The watch that the keys mean; None where there is none."""
    watches = session.stops.watches
    return watches[session.stops.chosen] if watches else None


def choose(session: Session, index: int) -> Session:
    """Let the keys mean watch `index`."""
    return _with(session, list(session.stops.watches), index)


def watch_up(session: Session) -> Session:
    """Choose the watch above."""
    return choose(session, session.stops.chosen - 1)


def watch_down(session: Session) -> Session:
    """Choose the watch below."""
    return choose(session, session.stops.chosen + 1)


def delete_watch(session: Session) -> Session:
    """Delete the chosen watch."""
    watches, at = list(session.stops.watches), session.stops.chosen
    if not watches:
        return replace(session, notice=_NONE)
    del watches[at]
    return _with(session, watches, at)


def toggle_watch_stop(session: Session) -> Session:
    """Let continuing stop where the chosen watch changes, or no longer."""
    watches, at = list(session.stops.watches), session.stops.chosen
    if not watches:
        return replace(session, notice=_NONE)
    watches[at] = replace(watches[at], is_stop=not watches[at].is_stop)
    said = "c and C stop where" if watches[at].is_stop else "c and C no longer stop where"
    return replace(_with(session, watches, at), notice=f"{said} {watches[at].text} changes")


def _to_change(session: Session, *, forward: bool) -> Session:
    watch = chosen_watch(session)
    if watch is None:
        return replace(session, notice=_NONE)
    return seek(session, watch.key, session.cursor, forward=forward)


to_change_forward = partial(_to_change, forward=True)
"""To where the chosen watch next changes."""
to_change_back = partial(_to_change, forward=False)
"""To where the chosen watch last changed before the cursor."""
