"""A session carried over to another run of its scenario: the same place, by names."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import lru_cache

from backprop_engine.trace import NO_NODE, Pass, Trace
from backprop_tui.session.modules import by_graph
from backprop_tui.session.outline import Outline
from backprop_tui.session.predicting.answering import asked_from
from backprop_tui.session.session import Session
from backprop_tui.session.stepping_in import stack
from backprop_tui.session.stops.persisting import carried_over

Key = tuple[str, int]
"""A name, or the text in the source that made a node; and which of those of that text it is."""


@lru_cache(maxsize=2)
def node_keys(trace: Trace) -> tuple[Key, ...]:
    """The key of every node.

    Invented names such as `%3` count the nodes, and are others as soon as a line is added above.
    """
    nodes = trace.nodes
    seen: Counter[str] = Counter()
    keys = []
    for node in range(len(nodes)):
        name = nodes.names.get(node)
        place = nodes.place(node)
        if name is None and place is not None:
            name = f" {place.text}"  # no name starts with a blank
        name = name or f" {trace.label(node)}"
        keys.append((name, seen[name]))
        seen[name] += 1
    return tuple(keys)


@lru_cache(maxsize=2)
def nodes_by_key(trace: Trace) -> dict[Key, int]:
    """The node of every key."""
    return {key: node for node, key in enumerate(node_keys(trace))}


def same_node(old: Trace, node: int, new: Trace) -> int | None:
    """The node of `new` that is called as `node` is in `old`; None where there is none."""
    return nodes_by_key(new).get(node_keys(old)[node])


_LOOKED_AT = 2_000
"""Steps before a place that are tried where the place itself is no more."""


def carry(session: Session, fresh: Session) -> Session:
    """`fresh`, a session of the new run, at the place and with the settings of `session`.

    A session inside of a composite operation comes back out; values that were edited are those of
    the file again.
    """
    old, fresh = by_graph(stack(session)[-1]), by_graph(fresh)
    was, now = old.trace, fresh.trace
    stops, lost = carried_over(old.stops, now)
    kept = replace(
        fresh,
        cursor=same_cursor(was, old.cursor, now),
        selected=_same_row(old, old.selected, fresh),
        folds=_same_rows(old, old.folds, fresh),
        unfolds=_same_rows(old, old.unfolds, fresh),
        origins=tuple(same_cursor(was, origin, now) for origin in old.origins),
        marks={letter: same_cursor(was, mark, now) for letter, mark in old.marks.items()},
        page=old.page,
        rate=old.rate,
        stops=replace(stops, chosen=min(old.stops.chosen, max(len(stops.watches) - 1, 0))),
    )
    if old.predicting is not None:
        reached = max(same_cursor(was, old.predicting.reached, now), kept.cursor)
        kept = asked_from(kept, reached, old.predicting.settled)
    said = ["read again"]
    if session.outer is not None:
        said.append("back outside")
    if old.whatif.values:
        said.append("edited values are the file's again")
    said += lost
    return replace(kept, notice=" · ".join(said))


def same_cursor(old: Trace, cursor: int, new: Trace) -> int:
    """The cursor of `new` before the same step; else after the nearest step before that is there.

    The start stays the start, and the end the end.
    """
    if cursor == 0:
        return 0
    if cursor >= len(old):
        return len(new)
    found = _same_step(old, cursor, new)
    if found is not None:
        return found
    start = old.passes[old.pass_index(cursor)].start
    for step in range(cursor - 1, max(start, cursor - _LOOKED_AT) - 1, -1):
        found = _same_step(old, step, new)
        if found is not None:
            return found + 1
    pass_ = _same_pass(old, old.passes[old.pass_index(cursor)], new)
    if pass_ is None:
        return min(cursor, len(new))
    return min(pass_.start + cursor - start, pass_.stop)


def _same_step(old: Trace, step: int, new: Trace) -> int | None:
    """The step of `new` in which the same node does the same to the same operand."""
    pass_ = _same_pass(old, old.passes[old.pass_index(step)], new)
    if pass_ is None:
        return None
    sender, receiver = int(old.senders[step]), int(old.receivers[step])
    if sender == NO_NODE:
        return pass_.start if pass_.start < pass_.stop else None
    node = same_node(old, sender, new)
    if node is None:
        return None
    to = None if receiver == NO_NODE else same_node(old, receiver, new)
    position = int(old.positions[step])
    for candidate in new.visits(node):
        if not pass_.start <= candidate < pass_.stop or int(new.senders[candidate]) != node:
            continue
        same_place = int(new.positions[candidate]) == position
        if same_place and (receiver == NO_NODE or int(new.receivers[candidate]) == to):
            return int(candidate)
    return None


def _same_pass(old: Trace, pass_: Pass, new: Trace) -> Pass | None:
    """The pass of the same name, counted among those of that name."""
    before = sum(1 for each in old.passes[: pass_.index] if each.name == pass_.name)
    named = [each for each in new.passes if each.name == pass_.name]
    return named[min(before, len(named) - 1)] if named else None


def _same_row(old: Session, row: int | None, fresh: Session) -> int | None:
    """The row that shows the same node, under the same consumer where it shows it twice."""
    if row is None:
        return None
    node = same_node(old.trace, int(old.outline.nodes[row]), fresh.trace)
    if node is None:
        return None
    outline = fresh.outline
    full = int(outline.full_rows[node])
    parent = int(old.outline.parents[row])
    if not old.outline.is_reference[row] or parent < 0:
        return full
    consumer = same_node(old.trace, int(old.outline.nodes[parent]), fresh.trace)
    return full if consumer is None else _row_under(outline, consumer, node, full)


def _row_under(outline: Outline, consumer: int, node: int, full: int) -> int:
    top = int(outline.full_rows[consumer])
    at, stop = top + 1, top + int(outline.sizes[top])
    while at < stop:
        if int(outline.nodes[at]) == node:
            return at
        at += int(outline.sizes[at])
    return full


def _same_rows(old: Session, rows: frozenset[int], fresh: Session) -> frozenset[int]:
    found = (_same_row(old, row, fresh) for row in rows)
    return frozenset(row for row in found if row is not None and fresh.outline.has_children(row))
