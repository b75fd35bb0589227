"""The tape behind a trace that the engine made."""

from __future__ import annotations

from backprop_engine.graph import Graph
from backprop_engine.trace import Missing, Trace
from backprop_engine.trace.abilities import MissingError


def graph_of(trace: Trace) -> Graph:
    """The graph that `trace` was recorded from; MissingError for a trace of another producer."""
    graph = trace.can(Graph)
    if isinstance(graph, Missing):
        raise MissingError(graph)
    return graph
