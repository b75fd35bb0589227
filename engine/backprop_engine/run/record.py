"""From a scenario to its trace: run forward once, run every backward pass, keep everything."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import perf_counter

import numpy as np

from backprop_engine.basics.gc_pause import collector_paused
from backprop_engine.basics.source import Problem, ScenarioError, Span
from backprop_engine.basics.values import Value
from backprop_engine.graph import Graph
from backprop_engine.other_values import RecomputingError, with_leaves
from backprop_engine.program.scenario import Scenario
from backprop_engine.run.evaluate import Evaluation
from backprop_engine.run.producer import Engine
from backprop_engine.run.recorder import Recorder
from backprop_engine.trace import Heading, Missing, Trace


def record_parts(scenario: Scenario) -> Trace:
    """The trace of what an operation is made of: its values are those of the operation outside."""
    missing = Missing("inside of an operation nothing can be edited: I steps out")
    return Runner(scenario, reruns=missing).run()


def record(scenario: Scenario, seconds: float | None = None) -> Trace:
    """The complete trace of `scenario`; ScenarioError where it cannot be run.

    `seconds` is how long it may take, if not as long as everywhere.
    """
    return Runner(scenario, seconds).run()


class Runner:
    """A scenario on its graph: run as it stands, and again with other values of its leaves.

    Raises ScenarioError where the scenario cannot be run.
    """

    def __init__(
        self, scenario: Scenario, seconds: float | None = None, reruns: Missing | None = None
    ) -> None:
        """`seconds` is how long the first run may take, if not as long as everywhere; `reruns`
        says why nobody may run it again, if so.
        """
        self._reruns = reruns or self
        self._scenario = scenario
        self.seconds = 0.0
        with collector_paused(), np.errstate(all="ignore"):
            self._evaluation = Evaluation(scenario, seconds)

    def run(
        self,
        changed: Mapping[int, Value] | None = None,
        is_unwanted: Callable[[], bool] | None = None,
    ) -> Trace:
        """The trace, with the values in `changed`, by node, in place of those of leaves.

        Each must have the shape and dtype of what it replaces. Raises ScenarioError where an
        operation cannot take what reaches it, and StoppedError soon after it `is_unwanted`.
        """
        evaluation, graph = self._evaluation, self._evaluation.graph
        start = perf_counter()
        with collector_paused(), np.errstate(all="ignore"):
            if changed:
                graph = self._with_leaves(changed, is_unwanted)
            self._check_expectations()
            recorder = Recorder(self._scenario.source, graph, evaluation.scope.sharers)
            recorder.run(evaluation.passes.called, evaluation.passes.retained)
        # Other values of leaves are computed anew first, which takes about as long.
        self.seconds = self.seconds or 2 * (perf_counter() - start)
        producer = Engine(graph, self._reruns, record_parts)
        return recorder.trace(self._heading(), evaluation.scope.assigned, producer)

    def _check_expectations(self) -> None:
        """Raise ScenarioError for an expectation of a name that stands for several values."""
        for expectation in self._scenario.expectations:
            if not expectation.is_grad:
                self._evaluation.scope.node(expectation.name, expectation.span)

    def _heading(self) -> Heading:
        scenario, node = self._scenario, self._evaluation.scope.node
        return Heading(
            title=scenario.title,
            about=scenario.about,
            name=scenario.source.known_as,
            files=(scenario.source,),
            hints={node(name, hint.span): hint.text for name, hint in scenario.hints.items()},
            note=scenario.note,
            dtype=scenario.dtype,
        )

    def _with_leaves(
        self, changed: Mapping[int, Value], is_unwanted: Callable[[], bool] | None
    ) -> Graph:
        graph = self._evaluation.graph
        try:
            return with_leaves(graph, changed, is_unwanted)
        except RecomputingError as refused:
            span = graph.span[refused.node] or Span(0, 0)
            problem = Problem(str(refused.error), span, fix=refused.error.fix)
            raise ScenarioError(self._scenario.source, problem) from None
