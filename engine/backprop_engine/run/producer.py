"""What the engine can do for the traces that it makes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.graph import Graph
from backprop_engine.program.scenario import Scenario
from backprop_engine.run.explaining import CatalogueExplains, CatalogueSpells
from backprop_engine.run.opening import ComposedOpens, missing_parts
from backprop_engine.run.recomputing import GraphRecomputes
from backprop_engine.trace import Missing, Trace
from backprop_engine.trace.abilities import Explains, Opens, Recomputes, Reruns, Spells


@dataclass(frozen=True, eq=False)
class Engine:
    """The producer of a trace: its tape, and how it can be run again."""

    graph: Graph
    reruns: Reruns | Missing
    record: Callable[[Scenario], Trace]
    """Makes the trace of a scenario: what an operation opens into is one."""

    def ability(self, trace: Trace, ability: type[Any], node: int | None) -> Any:
        """An `ability`, for `node` where that is given; or `Missing`, why there is none."""
        if ability is Graph:
            return self.graph
        if ability is Reruns:
            return self.reruns
        if ability is Spells:
            return CatalogueSpells()
        if ability is Opens:
            missing = None if node is None else missing_parts(trace, node)
            return missing or ComposedOpens(trace, self.record)
        if node is not None and self.graph.operation[node] is None:
            return Missing(f"{trace.label(node)} is a leaf: nothing was computed there")
        if ability is Explains:
            return CatalogueExplains(self.graph)
        if ability is Recomputes:
            return GraphRecomputes(self.graph)
        return Missing(f"the engine does not know of {ability.__name__}")
