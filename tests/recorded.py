"""The trace of a graph that no scenario made."""

from __future__ import annotations

import numpy as np

from backprop_engine.basics.gc_pause import collector_paused
from backprop_engine.basics.source import Source, Span
from backprop_engine.graph import Graph
from backprop_engine.program.scenario import Backward
from backprop_engine.run.passes import Called
from backprop_engine.run.producer import Engine
from backprop_engine.run.record import record_parts
from backprop_engine.run.recorder import Recorder
from backprop_engine.run.sharing import Sharers
from backprop_engine.trace import Heading, Missing, Trace


def recorded(graph: Graph, output: int) -> Trace:
    """The trace of one backward pass from `output`."""
    source = Source("", "")
    recorder = Recorder(source, graph, Sharers(graph))
    with collector_paused(), np.errstate(all="ignore"):
        recorder.run([Called(Backward("y", None, Span(0, 0)), "y", output, len(graph))])
    heading = Heading(title="", about="", name="", files=(source,), hints={}, dtype=graph.dtype)
    reruns = Missing("no scenario made this graph")
    return recorder.trace(heading, {}, Engine(graph, reruns, record_parts))
