"""Looking for hits, a bounded number of steps at a time."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from backprop_engine.basics.source import OperandError, Problem, ProblemError
from backprop_engine.basics.values import same
from backprop_engine.reading.conditions import compile_condition, holds
from backprop_engine.reading.formula import Formula
from backprop_engine.reading.formula_columns import Columns, columns_of
from backprop_engine.reading.watches import watched
from backprop_engine.trace import NO_NODE, Trace
from backprop_tui.session.stops.state import Breakpoint, Place, PlaceKind, Scan, Stop, Watch
from backprop_tui.session.stops.watched import candidates_of, formula_of

BUDGET = 4_000
"""Steps that are evaluated one by one well within a tenth of a second."""
_COLUMN_SPEED = 50
"""So many steps of columns cost no more than one step by itself."""
_FREE_ELEMENTS = 4_000
"""Elements that one step may look at for the price of one."""


def begin(trace: Trace, stop: Stop) -> Scan:
    """A scan that has found nothing yet; complete at once where there is no condition."""
    if isinstance(stop, Watch):
        formula = formula_of(trace, stop.text)
        if isinstance(formula, Problem):
            return nowhere(trace, formula.message)
        return Scan(trace, candidates_of(trace, formula), 0, np.empty(0, np.int64))
    candidates = _candidates(trace, stop)
    if not stop.condition:
        places = np.asarray(candidates, np.int64)
        return Scan(trace, candidates, len(candidates), places)
    try:
        compile_condition(stop.condition)
    except ProblemError as error:
        return nowhere(trace, error.problem.message)
    return Scan(trace, candidates, 0, np.empty(0, np.int64))


def nowhere(trace: Trace, trouble: str) -> Scan:
    """A scan that is complete, and has found nothing because of `trouble`."""
    return Scan(trace, (), 0, np.empty(0, np.int64), trouble)


def _candidates(trace: Trace, stop: Breakpoint) -> Sequence[int] | np.ndarray:
    """The steps at which a breakpoint looks."""
    match stop.place:
        case Place(PlaceKind.NODE, name):
            node = trace.named(name)
            if node is None or stop.condition:
                return () if node is None else trace.visits(node)
            return sorted({*trace.visits(node), *trace.computed_in(node)})
        case Place(PlaceKind.OPERATION, name):
            return _steps_of(trace, name)
        case Place(PlaceKind.PASSES, name):
            passes = [
                pass_ for pass_ in trace.passes if pass_.name == name and pass_.start < pass_.stop
            ]
            if not stop.condition:
                return [pass_.start for pass_ in passes]
            return [step for pass_ in passes for step in range(pass_.start, pass_.stop)]
        case _:
            return range(len(trace))


def _steps_of(trace: Trace, name: str) -> np.ndarray:
    """The steps in which an operation of this name computes or sends."""
    name_of = trace.nodes.operation_name
    is_meant = np.array([name_of(node) == name for node in range(len(trace.nodes))], bool)
    is_seed = (trace.positions == NO_NODE) & (trace.receivers != NO_NODE)
    at_work = (trace.senders != NO_NODE) & ~is_seed
    return np.flatnonzero(at_work & is_meant[trace.senders])


def advance(scan: Scan, stop: Stop, budget: int) -> tuple[Scan, int]:
    """Look on for hits of `stop` at the cost of about `budget` steps; what is left of it."""
    if scan.is_complete or budget <= 0:
        return scan, budget
    if isinstance(stop, Watch):
        return _by_steps(scan, _changes(scan.trace, stop), budget)
    condition, trace = compile_condition(stop.condition), scan.trace
    is_on_node = stop.place.kind is PlaceKind.NODE
    columns = None if is_on_node else columns_of(trace)
    if columns is not None and columns.can_evaluate(condition):
        with contextlib.suppress(TypeError, ValueError):  # step by step it is told where that is
            return _by_columns(scan, columns, condition, budget)
    node = trace.named(stop.place.name) if is_on_node else None
    return _by_steps(scan, lambda step: holds(condition, trace, step, node), budget)


def _changes(trace: Trace, watch: Watch) -> Callable[[int], bool]:
    formula = formula_of(trace, watch.text)
    if isinstance(formula, Problem):
        raise TypeError(f"{watch.text} was scanned and cannot be compiled")
    return lambda cursor: (
        not same(watched(formula, trace, cursor), watched(formula, trace, cursor - 1))
    )


def _by_columns(scan: Scan, columns: Columns, condition: Formula, budget: int) -> tuple[Scan, int]:
    end = min(scan.done + budget * _COLUMN_SPEED, len(scan.candidates))
    steps = np.asarray(scan.candidates[scan.done : end], np.int64)
    first, last = int(steps[0]), int(steps[-1])
    hits = steps[columns.holding(condition, first, last + 1)[steps - first]]
    cost = (end - scan.done) // _COLUMN_SPEED + 1
    return replace(scan, done=end, hits=np.concatenate([scan.hits, hits])), budget - cost


def _by_steps(scan: Scan, is_hit: Callable[[int], bool], budget: int) -> tuple[Scan, int]:
    hits: list[int] = []
    done, trouble = scan.done, scan.trouble
    while done < len(scan.candidates) and budget > 0:
        cursor = int(scan.candidates[done])
        try:
            if is_hit(cursor):
                hits.append(cursor)
        except OperandError as error:
            trouble = trouble or f"step {cursor}: {error}"
        done += 1
        budget -= 1 + _size(scan.trace, cursor) // _FREE_ELEMENTS
    found = np.concatenate([scan.hits, np.array(hits, np.int64)])
    return replace(scan, done=done, hits=found, trouble=trouble), budget


def _size(trace: Trace, cursor: int) -> int:
    """How many elements the step at `cursor` is about."""
    step = min(cursor, len(trace) - 1)
    sent = trace.contributions[step]
    node = int(trace.senders[step])
    value = trace.nodes.value[node] if sent is None and node != NO_NODE else sent
    return int(np.size(value)) if isinstance(value, np.ndarray) else 1
