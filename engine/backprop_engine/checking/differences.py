"""Finite differences: gradients from the forward pass alone, without any derivative rule.

The tape is run again with an input moved a little, always in float64. What is differentiated is
what `.grad` accumulates: the sum over the backward passes since the input was last zeroed of
⟨seed, output⟩. Nodes that do not require grad (constants, what was detached) are held at their
recorded values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from backprop_engine.checking.richardson import Slope, slope
from backprop_engine.graph import Graph
from backprop_engine.operation import Operation
from backprop_engine.trace import Pass, PassKind, Trace
from backprop_engine.values import UNIT_ROUNDOFF, Value, evaluate, settle, shape_of

ELEMENT_LIMIT = 1000
"""So many input elements are moved one by one; inputs beyond are tested along directions."""
WORK_LIMIT = 100_000
"""The same for elements × nodes to run again."""
DIRECTIONS = 3
LONG_TAPE = 20_000
"""Nodes to run again from which on one direction has to do: each takes some fifty runs."""
ERROR_FACTOR = 10.0
"""An estimated error is an estimate too."""
ROUNDOFFS = 16.0
RELATIVE_TOLERANCE: Mapping[str, float] = {"float64": 1e-9, "float32": 1e-3}
"""Of the sum of the magnitudes of the contributions: what the engine's rounding may come to."""


@dataclass(frozen=True, slots=True)
class Direction:
    """The slope along one random direction through `nodes`, engine's and estimated."""

    nodes: tuple[int, ...]
    engine: float
    finite_difference: float
    tolerance: float

    @property
    def agrees(self) -> bool:
        """Whether both are the same within the tolerance."""
        return abs(self.engine - self.finite_difference) <= self.tolerance


@dataclass(frozen=True, eq=False)
class FiniteDifference:
    """What finite differences say about one input's final `.grad`."""

    node: int
    gradient: Value | None
    """Float64, in the shape of the input, nan where skipped; None if nothing reaches the input,
    if all of it was skipped, or if `directions` were tested instead."""
    tolerance: Value
    """Absolute, one for each element."""
    directions: tuple[Direction, ...]
    skipped: int
    """How many elements (or directions) could not be judged."""
    reason: str
    """Why the first of those could not."""
    agrees: bool
    """With the engine, wherever it could be judged."""


def finite_differences(trace: Trace) -> Mapping[int, FiniteDifference]:
    """By node, for every input that requires grad."""
    with np.errstate(all="ignore"):
        tapes = {
            node: _Tape(trace, (node,), functional_of(trace, node))
            for node in trace.graph.inputs.values()
            if trace.graph.requires_grad[node]
        }
        singly, together = _plan(tapes)
        found = {node: _element_by_element(trace, tapes[node]) for node in singly}
        for nodes, functional in together:
            found |= _along_directions(trace, _Tape(trace, nodes, functional))
        return {node: found[node] for node in tapes}


class Term(NamedTuple):
    """⟨seed, output⟩, of one backward pass."""

    pass_index: int
    output: int
    seed: Value


Functional = tuple[Term, ...]
"""A sum of them."""


def functional_of(trace: Trace, node: int, passes: Sequence[Pass] | None = None) -> Functional:
    """What `.grad` of `node` is the gradient of after `passes`, by default all of them."""
    terms: list[Term] = []
    for one in trace.passes if passes is None else passes:
        if one.kind is PassKind.BACKWARD and one.output is not None:
            seed = trace.contributions[one.start]
            if seed is not None:
                terms.append(Term(one.index, one.output, _widened(seed)))
        elif one.kind is PassKind.ZERO_GRAD and _is_zeroed(trace, one.index, node):
            terms.clear()
    return tuple(terms)


def _is_zeroed(trace: Trace, pass_index: int, node: int) -> bool:
    after = (trace.passes[pass_index].grads or {}).get(node)
    return after is None or not np.any(after)


def _plan(
    tapes: Mapping[int, _Tape],
) -> tuple[Sequence[int], Sequence[tuple[tuple[int, ...], Functional]]]:
    """Which inputs to test element by element, and which together, along directions."""
    singly: list[int] = []
    rest: dict[tuple[int, ...], list[int]] = {}
    elements = work = 0
    for node, tape in sorted(tapes.items(), key=lambda item: item[1].size):
        elements += tape.size
        work += tape.size * len(tape.affected)
        if elements <= ELEMENT_LIMIT and (work <= WORK_LIMIT or (tape.size == 1 and not singly)):
            singly.append(node)
        else:
            # Only inputs zeroed at the same time are differentiated by one functional.
            passes = tuple(term.pass_index for term in tape.functional)
            rest.setdefault(passes, []).append(node)
    together = [(tuple(nodes), tapes[nodes[0]].functional) for nodes in rest.values()]
    return singly, together


class _Tape:
    """The part of the tape between some inputs and the outputs, ready to be run again."""

    def __init__(self, trace: Trace, nodes: tuple[int, ...], functional: Functional) -> None:
        graph = trace.graph
        self.nodes = nodes
        self.functional = functional
        self.affected = _between(graph, nodes, [term.output for term in functional])
        reached = {*self.affected, *nodes}
        self.terms = [term for term in functional if term.output in reached]
        self._graph = graph
        self._values: list[Value] = graph.value

    @property
    def size(self) -> int:
        """How many elements the inputs have."""
        return sum(int(np.size(self._graph.value[node])) for node in self.nodes)

    def prepare(self) -> None:
        """Take a copy of the values to work on, in float64."""
        if self._values is self._graph.value:
            graph = self._graph
            self._values = (
                list(graph.value)
                if graph.dtype == "float64"
                else [settle(_widened(value), "float64") for value in graph.value]
            )

    def run(self, inputs: Mapping[int, Value]) -> float:
        """Σ ⟨seed, output⟩ with other values of the inputs."""
        return float(sum(np.sum(term) for term in self._run(inputs)))

    def magnitude(self, inputs: Mapping[int, Value]) -> float:
        """The same with the magnitudes of all terms."""
        return float(sum(np.sum(np.abs(term)) for term in self._run(inputs)))

    def _run(self, inputs: Mapping[int, Value]) -> list[Value]:
        graph, values = self._graph, self._values
        for node, value in inputs.items():
            values[node] = value
        for node in self.affected:
            operation: Operation | None = graph.operation[node]
            if operation is None:
                continue
            operands = [values[operand] for operand in graph.operands[node]]
            # Numbers are most of a large graph, and need no care as long as Python computes them.
            if graph.scalar_rules[node] is not None:
                with suppress(ArithmeticError):
                    values[node] = operation.forward(*operands)
                    continue
            output = evaluate(operation.forward, operands, graph.attributes_of(node))
            values[node] = settle(output, "float64")
        return [term.seed * values[term.output] for term in self.terms]


def _widened(value: Value) -> Value:
    """Float32 as float64, anything else unchanged."""
    if isinstance(value, np.ndarray):
        return value.astype(np.float64) if value.dtype == np.float32 else value
    return float(value) if isinstance(value, np.float32) else value


def _between(graph: Graph, nodes: tuple[int, ...], outputs: Sequence[int]) -> list[int]:
    """The nodes that require grad, depend on `nodes`, and lead to `outputs`; ascending."""
    last = max(outputs, default=-1)
    depends = bytearray(len(graph))
    for node in nodes:
        depends[node] = 1
    for node in range(min(nodes) + 1, last + 1):
        if graph.requires_grad[node] and not depends[node]:
            depends[node] = any(depends[operand] for operand in graph.differentiated(node))
    wanted = bytearray(len(graph))
    for output in outputs:
        wanted[output] = 1
    for node in range(last, -1, -1):
        if wanted[node] and depends[node]:
            for operand in graph.differentiated(node):
                wanted[operand] = 1
    return [
        node
        for node in range(last + 1)
        if wanted[node] and depends[node] and not graph.is_leaf(node)
    ]


def _final_grad(trace: Trace, node: int) -> Value | None:
    grads = trace.passes[-1].grads
    return None if grads is None else grads.get(node)


def engine_error(trace: Trace, gross: float, size: float) -> float:
    """What rounding in the engine may come to.

    Relative to the contributions, and to the terms of the outputs too: at y = sigmoid(15) the
    derivative y·(1 - y) is tiny, but its error is that of the 1.
    """
    dtype = trace.graph.dtype
    relative = RELATIVE_TOLERANCE[dtype] + slope_error(trace.graph)
    return relative * gross + ROUNDOFFS * UNIT_ROUNDOFF[dtype] * size


def slope_error(graph: Graph) -> float:
    """The largest relative error that the slopes of the operations have by themselves."""
    operations = {id(one): one for one in graph.operation if one is not None}
    return max((one.slope_error for one in operations.values()), default=0.0)


def gross_contributions(trace: Trace, node: int) -> np.ndarray:
    """The sum of the magnitudes of all contributions to `node`, in its shape."""
    total = np.zeros(shape_of(trace.graph.value[node]))
    for step in trace.receipts(node):
        sent = trace.contributions[step]
        if sent is not None:
            total = total + np.abs(np.asarray(sent, dtype=float))
    return total


def _nothing(node: int, agrees: bool) -> FiniteDifference:
    return FiniteDifference(node, None, 0.0, (), 0, "", agrees)


def _element_by_element(trace: Trace, tape: _Tape) -> FiniteDifference:
    (node,) = tape.nodes
    grad = _final_grad(trace, node)
    if not tape.terms and grad is None:
        return _nothing(node, agrees=True)
    tape.prepare()
    point = np.array(_widened(trace.graph.value[node]), dtype=float)
    size = tape.magnitude({node: settle(point.copy(), "float64")})
    estimates = [_element(tape, node, point, at, size) for at in np.ndindex(point.shape)]
    engine = np.full(point.shape, np.nan) if grad is None else np.asarray(grad, dtype=float)
    return _verdict(trace, node, engine, estimates, size)


def _element(tape: _Tape, node: int, point: np.ndarray, at: tuple[int, ...], size: float) -> Slope:
    def moved(by: float) -> float:
        there = point.copy()
        there[at] += by
        return tape.run({node: settle(there, "float64")})

    return slope(moved, size, reach=abs(float(point[at])))


def _verdict(
    trace: Trace, node: int, engine: np.ndarray, estimates: Sequence[Slope], size: float
) -> FiniteDifference:
    shape = engine.shape
    value = np.array([one.value for one in estimates]).reshape(shape)
    error = np.array([one.error for one in estimates]).reshape(shape)
    judged = np.array([not one.reason for one in estimates], bool).reshape(shape)
    sent = gross_contributions(trace, node)
    # An element that is nan must not take the others' tolerance away.
    gross = float(np.max(sent, initial=0.0, where=np.isfinite(sent)))
    tolerance = ERROR_FACTOR * error + engine_error(trace, gross, size)
    agrees = np.abs(engine - value) <= tolerance
    return FiniteDifference(
        node=node,
        gradient=(
            settle(np.where(judged, value, np.nan), "float64")
            if judged.any() or not judged.size
            else None
        ),
        tolerance=settle(tolerance, "float64"),
        directions=(),
        skipped=int(judged.size - np.count_nonzero(judged)),
        reason=next((one.reason for one in estimates if one.reason), ""),
        agrees=bool(np.all(agrees | ~judged)),
    )


def _along_directions(trace: Trace, tape: _Tape) -> Mapping[int, FiniteDifference]:
    """Some random directions through all inputs of the tape at once."""
    grads = {node: _final_grad(trace, node) for node in tape.nodes}
    if not tape.terms and all(grad is None for grad in grads.values()):
        return {node: _nothing(node, agrees=True) for node in tape.nodes}
    tape.prepare()
    points = {
        node: np.asarray(_widened(trace.graph.value[node]), dtype=float) for node in tape.nodes
    }
    size = tape.magnitude({node: settle(point.copy(), "float64") for node, point in points.items()})
    random = np.random.Generator(np.random.PCG64(0))
    tested: list[Direction] = []
    reasons: list[str] = []
    for _ in range(DIRECTIONS if len(tape.affected) <= LONG_TAPE else 1):
        towards = {
            node: random.standard_normal(shape_of(trace.graph.value[node])) for node in tape.nodes
        }
        estimate = _directional(tape, points, towards, size)
        if estimate.reason:
            reasons.append(estimate.reason)
        else:
            tested.append(_judged_direction(trace, grads, towards, estimate, size))
    shared = FiniteDifference(
        node=tape.nodes[0],
        gradient=None,
        tolerance=0.0,
        directions=tuple(tested),
        skipped=len(reasons),
        reason=reasons[0] if reasons else "",
        agrees=all(one.agrees for one in tested),
    )
    return {node: replace(shared, node=node) for node in tape.nodes}


def _directional(
    tape: _Tape, points: Mapping[int, np.ndarray], towards: Mapping[int, np.ndarray], size: float
) -> Slope:
    def moved(by: float) -> float:
        return tape.run(
            {node: settle(points[node] + by * towards[node], "float64") for node in towards}
        )

    return slope(moved, size)


def _judged_direction(
    trace: Trace,
    grads: Mapping[int, Value | None],
    towards: Mapping[int, np.ndarray],
    estimate: Slope,
    size: float,
) -> Direction:
    engine = float(
        sum(np.sum(np.asarray(np.nan if g is None else g) * towards[n]) for n, g in grads.items())
    )
    gross = float(sum(np.sum(gross_contributions(trace, n) * np.abs(towards[n])) for n in grads))
    tolerance = ERROR_FACTOR * estimate.error + engine_error(trace, gross, size)
    return Direction(tuple(towards), engine, estimate.value, tolerance)
