"""The rows of the Watches pane as data: values now and before, and a sparkline."""

from __future__ import annotations

from typing import Any

import numpy as np

from backprop_engine.basics import notation
from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.source import OperandError, Problem
from backprop_engine.basics.values import Value, same
from backprop_engine.reading.formula import Formula
from backprop_engine.reading.kept_by_trace import remembered
from backprop_engine.reading.watches import watched
from backprop_engine.trace import Trace
from backprop_tui.session.session import Session
from backprop_tui.session.stops.state import Watch
from backprop_tui.session.stops.watched import candidates_of, formula_of, known_at, trouble_of


@dataclass(frozen=True, eq=False, slots=True)
class WatchRow:
    """One watch at the cursor."""

    watch: Watch
    now: Value | None
    """None where it is not known yet."""
    before: Value | None
    """One step earlier."""
    is_changed: bool
    sparkline: str
    """One sign a column; blank where it is not known, `!` where it is not finite."""
    trouble: str


def watch_rows(session: Session, width: int) -> tuple[WatchRow, ...]:
    """All watches, with sparklines of `width` columns."""
    return tuple(_row(session, watch, width) for watch in session.stops.watches)


def _row(session: Session, watch: Watch, width: int) -> WatchRow:
    trace, cursor = session.trace, session.cursor
    now = known_at(trace, watch.text, cursor)
    before = known_at(trace, watch.text, max(cursor - 1, 0))
    formula = formula_of(trace, watch.text)
    drawn = "" if isinstance(formula, Problem) else sparkline(trace, formula, width)
    return WatchRow(watch, now, before, not same(now, before), drawn, trouble_of(trace, watch.text))


def place_of(trace: Trace, column: int, width: int) -> int:
    """The cursor that a column of the sparkline shows."""
    return round(column * len(trace) / max(width - 1, 1))


def column_of(trace: Trace, cursor: int, width: int) -> int:
    """The column of the sparkline that shows `cursor`."""
    return round(cursor * max(width - 1, 0) / max(len(trace), 1))


@remembered
def sparkline(trace: Trace, formula: Formula, width: int) -> str:
    """The watch over the whole timeline, lowest to highest; of arrays the norm is drawn."""
    changes = candidates_of(trace, formula)
    sizes: dict[int, float | None] = {}
    drawn: list[float | None] = []
    for column in range(width):
        at = int(np.searchsorted(changes, place_of(trace, column, width), "right")) - 1
        if at not in sizes:
            sizes[at] = _size(trace, formula, int(changes[at]) if at >= 0 else 0)
        drawn.append(sizes[at])
    return notation.blocks(drawn)


def _size(trace: Trace, formula: Formula, cursor: int) -> float | None:
    try:
        value: Any = watched(formula, trace, cursor)
    except OperandError:
        return None
    if isinstance(value, np.ndarray):
        with np.errstate(all="ignore"):
            return float(np.linalg.norm(value.astype(float).ravel()))
    return None if value is None else float(value)
