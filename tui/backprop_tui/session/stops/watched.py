"""What a watch comes to in a trace."""

from __future__ import annotations

import numpy as np

from backprop_engine.basics.source import OperandError, Problem, ProblemError
from backprop_engine.basics.values import Value
from backprop_engine.reading.formula import Formula
from backprop_engine.reading.kept_by_trace import remembered
from backprop_engine.reading.watches import change_candidates, compile_watch, watched
from backprop_engine.trace import Trace


@remembered
def formula_of(trace: Trace, text: str) -> Formula | Problem:
    """The compiled watch, or what is wrong with it in this graph."""
    try:
        return compile_watch(text, trace)
    except ProblemError as error:
        return error.problem


@remembered
def candidates_of(trace: Trace, formula: Formula) -> np.ndarray:
    """The cursors at which it can differ from the cursor before, ascending."""
    return change_candidates(formula, trace)


def known_at(trace: Trace, text: str, cursor: int) -> Value | None:
    """The value at `cursor`; None also where the expression has none in this graph."""
    formula = formula_of(trace, text)
    if isinstance(formula, Problem):
        return None
    try:
        return watched(formula, trace, cursor)
    except OperandError:
        return None  # `trouble_of` says it


def trouble_of(trace: Trace, text: str) -> str:
    """Why the expression has no value in this graph; empty where it has one."""
    formula = formula_of(trace, text)
    if isinstance(formula, Problem):
        return formula.sentence
    try:
        watched(formula, trace, len(trace))
    except OperandError as error:
        return str(error)
    return ""
