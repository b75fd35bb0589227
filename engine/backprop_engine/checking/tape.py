"""The part of the tape between some inputs and the outputs, run again with other values."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy

import numpy as np

from backprop_engine.backward import backward
from backprop_engine.basics.source import OperandError
from backprop_engine.basics.values import Value, evaluate, is_float, seen_in, settle
from backprop_engine.budget import LimitError
from backprop_engine.checking.functional import Functional, widened
from backprop_engine.fast import beyond_numbers
from backprop_engine.graph import Graph
from backprop_engine.operation import Operation
from backprop_engine.run.tape import graph_of
from backprop_engine.trace import Trace

_REFUSALS = (OperandError, np.linalg.LinAlgError)
"""What an operation raises for values that it does not take."""


class OutOfTimeError(Exception):
    """The time for finite differences is over."""


class OutsideDomainError(Exception):
    """The operation called `name`, which took the recorded values, does not take those beside."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class Clock:
    """The time that all runs of all tapes have together."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._end = time.monotonic() + seconds

    def check(self) -> None:
        """Raise OutOfTimeError where the time is over."""
        if time.monotonic() > self._end:
            raise OutOfTimeError(f"not within {self._seconds:g} s")


class Tape:
    """Runs again what depends on `nodes` and leads to the outputs of `functional`.

    `leading` has 1 for each node that leads to them, see `leading_to`. The clock is looked at
    before each run and before each operation on arrays.
    """

    def __init__(
        self,
        trace: Trace,
        nodes: tuple[int, ...],
        functional: Functional,
        leading: bytearray,
        clock: Clock,
    ) -> None:
        self._graph = graph_of(trace)
        self.nodes = nodes
        self.affected = _between(trace, nodes, leading)
        reached = {*self.affected, *nodes}
        self.terms = [term for term in functional if term.output in reached]
        self._is_finite = all(
            bool(np.all(np.isfinite(self._graph.value[term.output]))) for term in self.terms
        )
        """Whether the recorded outputs are: float32 overflows where these runs do not."""
        self._clock = clock
        self._values: list[Value] = []
        self._ties = [*_ties(self._graph, self.affected)]

    @contextmanager
    def on(self, values: list[Value]) -> Iterator[None]:
        """Work on these values, see `values_of`, and leave them behind as they are now."""
        changed = (*self.nodes, *self.affected)
        before = [values[node] for node in changed]
        self._values = values
        try:
            yield
        finally:
            for node, value in zip(changed, before, strict=True):
                values[node] = value

    def run(self, inputs: Mapping[int, Value]) -> float:
        """Σ ⟨seed, output⟩ with other values of the inputs; nan if the recorded one is not finite.

        Raises OutOfTimeError, and OutsideDomainError where an operation does not take the values.
        """
        if not self._is_finite:
            return math.nan
        return float(sum(np.sum(term) for term in self._run(inputs)))

    def values_at(self, inputs: Mapping[int, Value]) -> Sequence[Value]:
        """The values of all nodes with other values of the inputs; raises as `run` does."""
        self._run(inputs)
        return self._values

    def has_broken_a_tie(self) -> bool:
        """Whether elements that an operation may pick, and that are equal, differ since the last
        run."""
        for operand, tied in self._ties:
            moved = np.subtract(self._values[operand], widened(self._graph.value[operand]))[tied]
            if np.ptp(moved) > 0:
                return True
        return False

    def has_passed_steps(self, names: frozenset[str]) -> bool:
        """Whether what an operation of these names rounds has moved by 1 or more since the last
        run.
        """
        for node in self.affected:
            if self._graph.operation_name(node) in names:
                operand = self._graph.operands[node][0]
                before = widened(self._graph.value[operand])
                if np.any(np.abs(np.subtract(self._values[operand], before)) >= 1):
                    return True
        return False

    def magnitude(self, inputs: Mapping[int, Value]) -> float:
        """The same with the magnitudes of all terms; raises the same."""
        return float(sum(np.sum(np.abs(term)) for term in self._run(inputs)))

    def gradients(self, inputs: Mapping[int, Value], *, off: float = 0.0) -> Mapping[int, Value]:
        """What the engine's own rules give for the nodes of the tape, in float64 throughout.

        Each result on the way is moved relatively, at random by at most `off`.
        Raises as `run` does, and DerivativeError.
        """
        self._run(inputs)
        if off:
            values = self._values
            by = off * np.random.Generator(np.random.PCG64(0)).uniform(-1.0, 1.0, len(values))
            for node in self.affected:
                if is_float(values[node]):
                    values[node] = values[node] * (1.0 + float(by[node]))
        wide = copy(self._graph)
        wide.dtype, wide.value = "float64", self._values
        total: dict[int, Value] = {}
        for term in self.terms:
            gradient = backward(wide, term.output, term.seed).gradient
            for node in self.nodes:
                sent = gradient[node] if node <= term.output else None
                if sent is not None:
                    total[node] = total[node] + sent if node in total else sent
        return total

    def late(self) -> str:
        """Why nothing more can be run; empty while there is time."""
        try:
            self._clock.check()
        except OutOfTimeError as late:
            return str(late)
        return ""

    def _run(self, inputs: Mapping[int, Value]) -> list[Value]:
        graph, values = self._graph, self._values
        self._clock.check()
        for node, value in inputs.items():
            values[node] = value
        for node in beyond_numbers(graph, values, self.affected):
            operation = graph.operation[node]
            if operation is not None:
                self._clock.check()
                operands = [values[operand] for operand in graph.operands[node]]
                values[node] = self._evaluated(node, operation, operands)
        return [term.seed * values[term.output] for term in self.terms]

    def _evaluated(self, node: int, operation: Operation, operands: list[Value]) -> Value:
        attributes = self._graph.attributes_of(node)
        if operation.differentiated_at is not None:
            recorded = [self._graph.value[operand] for operand in self._graph.operands[node]]
            operands, attributes = operation.differentiated_at(operands, recorded, attributes)
        try:
            output = evaluate(operation.forward, operands, attributes)
        except LimitError:
            raise
        except _REFUSALS as error:
            raise OutsideDomainError(operation.name) from error
        return settle(output, "float64")


def _ties(graph: Graph, nodes: Iterable[int]) -> Iterator[tuple[int, np.ndarray]]:
    """Operands that some node picks from, and which of their elements could be picked as well."""
    for node in nodes:
        operation = graph.operation[node]
        if operation is None or operation.tied is None:
            continue
        operand = graph.operands[node][0]
        array = graph.value[operand]
        if isinstance(array, np.ndarray) and array.size:
            tied = operation.tied(array, **graph.attributes_of(node))
            if np.any(tied):
                yield operand, tied


def values_of(graph: Graph) -> list[Value]:
    """A copy of all values, in float64; those of float32 as its operations see them."""
    if graph.dtype == "float64":
        return list(graph.value)
    return [settle(widened(value), "float64") for value in seen_in(graph.dtype, graph.value)]


def leading_to(graph: Graph, outputs: Iterable[int]) -> bytearray:
    """1 for each node from which a gradient of one of `outputs` can be asked for."""
    leading = bytearray(len(graph))
    for output in outputs:
        leading[output] = 1
    for node in range(leading.rfind(1), -1, -1):
        if leading[node]:
            for operand in graph.differentiated(node):
                leading[operand] = graph.requires_grad[operand]
    return leading


def _between(trace: Trace, nodes: tuple[int, ...], leading: bytearray) -> list[int]:
    """The nodes that require grad, depend on `nodes`, and are `leading`; ascending.

    Takes as long as there are such nodes, and no longer: there may be many inputs to ask for.
    """
    graph = graph_of(trace)
    found: set[int] = set()
    waiting = list(nodes)
    while waiting:
        for consumer in trace.consumers(waiting.pop()):
            is_on_the_way = leading[consumer] and graph.requires_grad[consumer]
            if is_on_the_way and consumer not in found and not graph.is_leaf(consumer):
                found.add(consumer)
                waiting.append(consumer)
    return sorted(found)
