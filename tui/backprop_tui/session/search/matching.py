"""Looking for a query in the rows of the tree, a bounded number of rows at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from backprop_engine.basics.source import OperandError, ProblemError
from backprop_engine.basics.values import Value, kept
from backprop_engine.reading.conditions import is_true
from backprop_engine.reading.formula import Formula
from backprop_engine.reading.formula_columns import columns_at
from backprop_engine.trace import Trace
from backprop_tui.session.navigation import Matches
from backprop_tui.session.search.query import compile_query, is_condition, text_query

if TYPE_CHECKING:
    from backprop_tui.session.session import Session

_FIRST, _MOST = 2_000, 40_000
_STRIDE = 100
"""Rows that are looked at well within 5 milliseconds."""


def begin(session: Session, text: str) -> Matches:
    """Nothing looked at yet; complete at once where the query cannot be looked for."""
    cursor = session.cursor if is_condition(text) else None
    none = np.empty(0, np.int64)
    total = len(session.outline) if text.strip() else 0
    matches = Matches(session.trace, text, cursor, none, none, 0, total)
    if cursor is None:
        return matches
    if session.predicting is not None:
        return replace(matches, total=0, trouble="conditions wait until the questions end (x)")
    try:
        compile_query(text)
    except ProblemError as error:
        return replace(matches, total=0, trouble=error.problem.sentence)
    return matches


def look(
    session: Session, matches: Matches, rest: Callable[[], None] = lambda: None
) -> Iterator[Matches]:
    """What `matches` becomes as more and more rows are looked at, until it is complete.

    `rest` is called every few milliseconds, and may wait, or raise where nobody asks any longer.
    """
    if matches.is_complete:
        return
    try:
        yield from _look(session, matches, rest)
    except (OperandError, TypeError, ValueError) as error:
        yield replace(matches, done=matches.total, trouble=str(error))


def _look(session: Session, matches: Matches, rest: Callable[[], None]) -> Iterator[Matches]:
    outline, trace = session.outline, session.trace
    if matches.cursor is not None:
        formula = compile_query(matches.text)
        columns = columns_at(trace, matches.cursor)
        if columns is not None and columns.can_evaluate(formula):  # all at once
            held = columns.holding(formula, 0, len(trace.nodes))
            rows = outline.full_rows[np.flatnonzero(held)]
            yield replace(matches, exact=np.sort(rows[rows >= 0]), done=matches.total)
            return
        fit = partial(_fit, trace, matches.cursor, formula)
    else:
        trace.named(matches.text)  # in this thread, as the first time takes a while
        fit = partial(text_query(matches.text).fit, trace)
    count = _FIRST
    while not matches.is_complete:
        stop = min(matches.done + count, matches.total)
        found: tuple[list[int], list[int], list[int]] = ([], [], [])
        for row in range(matches.done, stop):
            if not row % _STRIDE:
                rest()
            if not outline.is_reference[row]:
                found[fit(int(outline.nodes[row]))].append(row)
        matches = replace(
            matches,
            exact=np.append(matches.exact, np.array(found[2], np.int64)),
            fuzzy=np.append(matches.fuzzy, np.array(found[1], np.int64)),
            done=stop,
        )
        count = min(2 * count, _MOST)
        yield matches


def _fit(trace: Trace, cursor: int, formula: Formula, node: int) -> int:
    """2 for a node that fulfils the condition, else 0; see `TextQuery.fit`."""

    def known(name: str) -> Value | None:
        if name == "grad":
            return kept(trace.gradient(node, cursor))
        return kept(trace.nodes.value[node]) if trace.is_computed(node, cursor) else None

    return 2 if is_true(formula.value(known)) else 0
