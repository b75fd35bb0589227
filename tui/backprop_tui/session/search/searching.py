"""Search and the way from match to match: Session → Session, as far as matches are known.

Where looking takes a while, the session is left with what is still wanted of the search; whoever
runs `look_on` in a thread hands its findings to `learn`, which goes there when it is decided.
"""

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
from backprop_tui.session.navigation import Matches, Search
from backprop_tui.session.notices import lasting, told_anew
from backprop_tui.session.session import Session, select

if TYPE_CHECKING:
    from backprop_tui.session.session import Session


import re
from functools import lru_cache
from typing import Final

from backprop_engine.basics import notation
from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.source import Source
from backprop_engine.budget import check_length
from backprop_engine.grammar.excerpt import whole
from backprop_engine.grammar.parser import parse_expression
from backprop_engine.reading.explain import expression
from backprop_engine.reading.formula import among, compile_formula

NAMES: Final = ("value", "grad")
"""What a condition on a node speaks of: its value and its gradient, as of the cursor."""

HELP: Final = (
    "A search looks at the name, the expression, the operation and the grad_fn of each node: "
    "relu, W1, x**2, MulBackward0. A capital in it makes capitals count. If no row has the text "
    "as it is typed, its letters in this order will do. With value or grad and a comparison it "
    "is a condition on what stands on the screen now: grad > 1, abs(grad) > 10, isnan(value)."
)
"""For the help of whoever searches."""

_CONDITION = re.compile(r"(?<![\w.])(value|grad)(?![\w.])")
_COMPARISON = re.compile(r"[<>!(]|==")

_SHORT = 2
"""Letters of a text that is looked for in names and expressions alone."""


def is_condition(text: str) -> bool:
    """Whether `text` is meant as a condition, whether or not it is one."""
    return bool(_CONDITION.search(text) and _COMPARISON.search(text))


@lru_cache(maxsize=64)
def compile_query(text: str) -> Formula:
    """The condition that `text` is. Raises ProblemError, with places in `text`."""
    check_length(text)
    root = parse_expression(whole(Source("search", text)), variables=frozenset(NAMES))
    return compile_formula(text, root, among(NAMES), NAMES)


@dataclass(frozen=True, slots=True)
class TextQuery:
    """A text to be found; with a capital in it, capitals count."""

    wanted: str
    letters: re.Pattern[str]

    def fit(self, trace: Trace, node: int) -> int:
        """2 for a node that has the text somewhere, 1 for one with its letters in order, else 0."""
        text = searchable(trace, node, is_whole=len(self.wanted) > _SHORT)
        if self.wanted == self.wanted.lower():
            text = text.lower()
        if self.wanted in text:
            return 2
        return 1 if self.letters.match(text) else 0


def text_query(query: str) -> TextQuery:
    """`query` as a text."""
    wanted = _plain(query.strip())
    letters = [re.escape(letter) for letter in wanted if letter != " "]
    # Each gap takes all but the letter that ends it, so that nothing is ever tried twice.
    in_order = re.compile("".join(f"[^{letter}]*{letter}" for letter in letters), re.DOTALL)
    return TextQuery(wanted, in_order)


def searchable(trace: Trace, node: int, *, is_whole: bool = True) -> str:
    """All that a text may be found in of a node: `%1 = x^2 pow PowBackward0`.

    Unless `is_whole` only its name and its expression: some letters are in every grad_fn.
    """
    label = trace.label(node)
    if trace.is_leaf(node):
        kind = "leaf" if trace.nodes.requires_grad[node] else "constant"
        return _plain(f"{label} {kind}" if is_whole else label)
    text = f"{label} = {expression(trace, node)}"
    if is_whole:
        text = f"{text} {trace.nodes.operation_name(node)} {trace.nodes.grad_fn(node)}"
    return _plain(text)


def _plain(text: str) -> str:
    """One way of writing for all: ASCII signs, `^` for a power."""
    return notation.plain(text).replace("**", "^")


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
