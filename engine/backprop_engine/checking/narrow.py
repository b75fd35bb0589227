"""Whether a run in float64 would stay finite in float32: the same graph with narrower leaves."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np

from backprop_engine.backward import DerivativeError, backward
from backprop_engine.basics.gc_pause import collector_paused
from backprop_engine.basics.values import Value, as_floats, in_full, is_float, kept
from backprop_engine.budget import Budget, LimitError
from backprop_engine.graph import Graph
from backprop_engine.other_values import RecomputingError, in_float32
from backprop_engine.run.tape import graph_of
from backprop_engine.trace import Pass, PassKind, Trace

SECONDS: Final = 10.0
"""What takes longer is not told about."""


def not_finite_in_float32(trace: Trace) -> str | None:
    """The first name, `y` or `x.grad`, that is finite in float64 and would not be in float32.

    None where there is none, where the run is in float32 already, and where it cannot be redone:
    an operation may not take the other values, and it may take too long.
    """
    if trace.dtype == "float32":
        return None
    budget = Budget(SECONDS)
    try:
        with collector_paused(), np.errstate(all="ignore"), budget.running():
            return next(_names(trace, _narrowed(graph_of(trace), budget)), None)
    except (RecomputingError, DerivativeError, LimitError, MemoryError):
        return None


def _narrowed(graph: Graph, budget: Budget) -> Graph:
    leaves = {
        node: as_floats(value, "float32")
        for node, value in enumerate(graph.value)
        if graph.operation[node] is None and is_float(value) and not graph.is_number[node]
    }
    return in_float32(graph, leaves, budget)


def _names(trace: Trace, narrow: Graph) -> Iterator[str]:
    """All such names, in the order in which their values come about."""
    named = {*trace.nodes.inputs.values(), *trace.assigned.values()}
    for node in sorted(named):
        if _is_spoilt(in_full(trace.nodes.value[node]), narrow.value[node]):
            yield trace.label(node)
    grads: dict[int, Value | None] = {}
    before: Mapping[int, Value | None] = {}
    for pass_ in trace.passes:
        after = {node: kept(grad) for node, grad in (pass_.grads or {}).items()}
        if pass_.kind is PassKind.ZERO_GRAD:
            grads |= {node: grad for node, grad in after.items() if grad is not before.get(node)}
        elif pass_.kind is PassKind.BACKWARD:
            _accumulate(trace, pass_, narrow, grads)
        for node, grad in after.items():
            if grad is not None and _is_spoilt(grad, grads.get(node)):
                yield f"{trace.label(node)}.grad"
        before = after


def _accumulate(trace: Trace, pass_: Pass, narrow: Graph, grads: dict[int, Value | None]) -> None:
    """One backward pass on the narrow graph; its sums are added to the `.grad`s."""
    seed, output = kept(trace.contributions[pass_.start]), pass_.output
    if seed is None or output is None:
        return
    gradient = backward(narrow, output, as_floats(seed, "float32")).gradient
    for node in pass_.grads or {}:
        sent = gradient[node] if node <= output else None
        held = grads.get(node)
        if sent is not None:
            grads[node] = sent if held is None else held + sent


def _is_spoilt(wide: Value, narrow: Value | None) -> bool:
    return narrow is not None and _is_finite(wide) and not _is_finite(narrow)


def _is_finite(value: Value) -> bool:
    if isinstance(value, np.ndarray):
        return bool(np.isfinite(value).all())
    return math.isfinite(value)
