"""Looking for a query in the rows of the tree, a bounded number of rows at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from backprop_engine.basics.source import OperandError, ProblemError
from backprop_engine.basics.summary import Summary
from backprop_engine.basics.values import Value, kept, size_of
from backprop_engine.reading.conditions import is_true
from backprop_engine.reading.formula import Formula
from backprop_engine.reading.formula_columns import Column, Columns, columns_of
from backprop_engine.reading.kept_by_trace import remembered
from backprop_engine.trace import PassKind, Trace
from backprop_tui.session.navigation import Matches
from backprop_tui.session.search.query import compile_query, is_condition, text_query

if TYPE_CHECKING:
    from backprop_tui.session.session import Session

SHORT = 3_000
"""Rows that are looked at well within a tenth of a second."""
_FIRST, _MOST = 2_000, 40_000
_HEAVY = 2_000_000
"""Elements that a condition looks at well within a tenth of a second."""

Hits = tuple[list[int], list[int]]
"""Rows that fit exactly, and rows that have the letters."""


def begin(session: Session, text: str) -> Matches:
    """Nothing looked at yet; complete at once where the query cannot be looked for."""
    cursor = session.cursor if is_condition(text) else None
    none = np.empty(0, np.int64)
    total = len(session.outline) if text.strip() else 0
    matches = Matches(session.trace, text, cursor, none, none, 0, total)
    if cursor is None:
        return matches
    try:
        compile_query(text)
    except ProblemError as error:
        return replace(matches, total=0, trouble=error.problem.sentence)
    return matches


def look(session: Session, matches: Matches) -> Iterator[Matches]:
    """What `matches` becomes as more and more rows are looked at, until it is complete."""
    if matches.is_complete:
        return
    try:
        yield from _look(session, matches)
    except (OperandError, TypeError, ValueError) as error:
        yield replace(matches, done=matches.total, trouble=str(error))


def _look(session: Session, matches: Matches) -> Iterator[Matches]:
    nodes = session.outline.nodes
    if matches.cursor is not None:
        formula = compile_query(matches.text)
        held = _holding(session.trace, matches.cursor, formula)
        if held is not None:
            rows = session.outline.full_rows[np.flatnonzero(held)]
            yield replace(matches, exact=np.sort(rows[rows >= 0]), done=matches.total)
            return
        hits_in = _conditional(session.trace, matches.cursor, formula)
    else:
        session.trace.named(matches.text)  # in this thread, as the first time takes a while
        hits_in = _textual(session.trace, matches.text)
    count = _FIRST
    while not matches.is_complete:
        stop = min(matches.done + count, matches.total)
        rows = np.arange(matches.done, stop)
        rows = rows[~session.outline.is_reference[matches.done : stop]]
        exact, fuzzy = hits_in(rows, nodes[rows])
        matches = replace(
            matches,
            exact=np.append(matches.exact, np.array(exact, np.int64)),
            fuzzy=np.append(matches.fuzzy, np.array(fuzzy, np.int64)),
            done=stop,
        )
        count = min(2 * count, _MOST)
        yield matches


def _textual(trace: Trace, text: str) -> Callable[[np.ndarray, np.ndarray], Hits]:
    query = text_query(text)

    def hits(rows: np.ndarray, nodes: np.ndarray) -> Hits:
        found: tuple[list[int], list[int], list[int]] = ([], [], [])
        for row, node in zip(rows.tolist(), nodes.tolist(), strict=True):
            found[query.fit(trace, node)].append(row)
        return found[2], found[1]

    return hits


def _conditional(
    trace: Trace, cursor: int, formula: Formula
) -> Callable[[np.ndarray, np.ndarray], Hits]:
    def hits(rows: np.ndarray, nodes: np.ndarray) -> Hits:
        pairs = zip(rows.tolist(), nodes.tolist(), strict=True)
        return [row for row, node in pairs if _holds(trace, cursor, formula, node)], []

    return hits


def _holds(trace: Trace, cursor: int, formula: Formula, node: int) -> bool:
    def known(name: str) -> Value | None:
        if name == "grad":
            return kept(trace.gradient(node, cursor))
        return kept(trace.nodes.value[node]) if trace.is_computed(node, cursor) else None

    return is_true(formula.value(known))


def is_heavy(session: Session, text: str) -> bool:
    """Whether looking for `text` everywhere would be felt, and belongs in a thread."""
    if len(session.outline) > SHORT:
        return True
    return is_condition(text) and _elements(session.trace) > _HEAVY


@remembered
def _elements(trace: Trace) -> int:
    return sum(size_of(value) for value in trace.nodes.value)


# All nodes at once, where every value is a number


def _holding(trace: Trace, cursor: int, formula: Formula) -> np.ndarray | None:
    """For each node whether the condition holds; None where it has to be asked one by one."""
    values, steps = _values(trace), columns_of(trace)
    if values is None or steps is None:
        return None
    count = len(trace.nodes)
    gradient, has_gradient = np.zeros_like(values), np.zeros(count, bool)
    shown = trace.shown_pass(cursor)
    if shown.kind is PassKind.BACKWARD:
        done = slice(shown.start, max(cursor, shown.start))
        receivers = trace.receivers[done]
        # Of several sums for one node the last is assigned, and that is the one so far.
        gradient[receivers] = steps.by_name["grad"].numbers[done]
        has_gradient[receivers] = True
    columns = Columns(
        {
            "value": Column(values, trace.forward_steps < cursor),
            "grad": Column(gradient, has_gradient),
        }
    )
    return columns.holding(formula, 0, count) if columns.can_evaluate(formula) else None


@remembered
def _values(trace: Trace) -> np.ndarray | None:
    """The values of all nodes; None where any is an array."""
    if any(issubclass(kind, np.ndarray | Summary) for kind in set(map(type, trace.nodes.value))):
        return None
    return np.array(trace.nodes.value, dtype=trace.dtype)
