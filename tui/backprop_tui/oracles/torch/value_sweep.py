"""Where torch agrees with the values of a trace, and where that is not settled.

Two correct programs drift apart by roundoffs, and a step that is continuous makes no more of them
than its slope does. What it makes of −0 for 0 (a division, an atan2) or of the last digit (a floor,
a comparison, an overflow) no slope explains: there the two results are two answers, and the reason
is told where the small difference begins.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import IntEnum

import numpy as np

from backprop_engine.basics.values import Value, same_elements, shape_of
from backprop_engine.checking import ties
from backprop_engine.checking.compare import ELEMENTWISE_ULP, Recomputed, compare, recompute_output
from backprop_engine.checking.unsettled import OVERFLOW, ROUNDING, is_adrift, words_on
from backprop_engine.graph import Graph
from backprop_engine.operation import Operation, Rounding
from backprop_engine.run.tape import graph_of
from backprop_engine.trace import NO_NODE, Trace
from backprop_tui.oracles.report import TorchReport

_SLACK = 4
"""A slope is taken at both ends, and may be more between them."""


def differs(ours: Value, theirs: Value) -> bool:
    """Whether two values differ in any bit but those of a nan; 0 and −0 do."""
    if shape_of(ours) != shape_of(theirs):
        return True
    a, b = np.asarray(ours), np.asarray(theirs)
    same = same_elements(a, b)
    if a.dtype.kind == "f":
        same = same & ((a != 0) | (np.signbit(a) == np.signbit(b)))
    return not bool(np.all(same))


def differs_in_signs_of_zeros(ours: Value, theirs: Value) -> bool:
    """Whether two values are equal, and yet differ: in a 0 for a −0."""
    return differs(ours, theirs) and bool(np.all(np.equal(ours, theirs) | np.isnan(ours)))


def is_other_kind(ours: Value, theirs: Value) -> bool:
    """Whether one is finite where the other is inf or nan, or they are not the same of these.

    Or have other shapes, as what a mask of theirs picks.
    """
    if shape_of(ours) != shape_of(theirs):
        return True
    a, b = np.asarray(ours, float), np.asarray(theirs, float)
    return not bool(np.all(same_elements(a, b) | (np.isfinite(a) & np.isfinite(b))))


def is_blown_up(graph: Graph, node: int, theirs: Value, value_of: Callable[[int], Value]) -> bool:
    """Whether torch's value of a node is another than ours though no slope makes it so.

    Both are right for their own operands, of which `value_of` gives torch's.
    """
    ours, operands = graph.value[node], graph.operands[node]
    our_operands = [graph.value[operand] for operand in operands]
    their_operands = list(map(value_of, operands))
    if not any(map(differs, our_operands, their_operands)):
        return False  # its own rounding, which is judged by itself
    if is_other_kind(ours, theirs):
        return True
    operation = graph.operation[node]
    if operation is None or not operation.elementwise:
        return False
    explained = _explained(graph, node, (ours, our_operands), (theirs, their_operands))
    off = np.abs(np.subtract(ours, theirs, dtype=float))
    both_finite = np.isfinite(np.asarray(ours, float)) & np.isfinite(np.asarray(theirs, float))
    rounded = recompute_output(graph, node, our_operands).allowed
    ulps = 2 * ELEMENTWISE_ULP * np.spacing(np.maximum(np.abs(ours), np.abs(theirs)))
    return bool(np.any(both_finite & (off > explained + rounded + ulps)))


def _explained(
    graph: Graph, node: int, by_us: tuple[Value, list[Value]], by_torch: tuple[Value, list[Value]]
) -> np.ndarray:
    """How far the outputs of an elementwise operation may be apart for these operands, by slope.

    A step that makes no more of a difference than it was given explains that much at least.
    """
    operation, attributes = graph.operation[node], graph.attributes_of(node)
    shape = shape_of(by_us[0])
    explained = np.zeros(shape)
    for position, (mine, other) in enumerate(zip(by_us[1], by_torch[1], strict=True)):
        moved = np.abs(np.subtract(mine, other, dtype=float))
        slope: np.ndarray = np.ones(())
        if operation is not None and position < len(operation.derivatives):
            for output, operands in (by_us, by_torch):
                sent = operation.send(position, np.ones(shape), output, operands, attributes)
                slope = np.maximum(slope, np.abs(np.asarray(sent, float)))
        explained = explained + np.where(moved == 0, 0.0, _SLACK * slope * moved)
    return explained


def origin(
    start: Sequence[int], inputs_of: Callable[[int], Sequence[int]], off: Callable[[int], bool]
) -> int | None:
    """From the first of `start` that is off, back to where all that goes in is the same."""
    found = next(filter(off, start), None)
    while found is not None:
        before = next(filter(off, inputs_of(found)), None)
        if before is None:
            return found
        found = before
    return None


class Verdict(IntEnum):
    """What comes of a comparison with torch; true where it is no fault of ours."""

    OFF = 0
    AGREES = 1
    OPEN = 2
    """Torch has, or could have, another result, for a reason that is told; or this follows from
    such a one, and is not the same."""


def verdict_on(agrees: bool, *, is_open: bool = False) -> Verdict:
    """The verdict on what agrees or does not, and is open where it does."""
    return (Verdict.OPEN if is_open else Verdict.AGREES) if agrees else Verdict.OFF


class ValueSweep:
    """The verdict on every value, and what there is to tell of steps."""

    def __init__(self, trace: Trace, report: TorchReport) -> None:
        self.trace = trace
        self.graph = graph_of(trace)
        self.report = report
        self.verdicts = bytearray(len(trace.nodes))
        """A Verdict for each node."""
        self.faulty_nodes: list[int] = []
        self.departures: dict[int, str] = {}
        """By step, why torch's result may be another."""
        self.blown_up: dict[int, int] = {}
        self.allowed: dict[int, Value] = {}
        """What torch's value may differ by, of the faulty nodes that could be computed."""
        self.adrift = bytearray(len(trace.nodes))
        """1 where more than half of the digits of a value are rounding."""

    def run(self) -> None:
        """Judge every node."""
        for node in range(len(self.trace.nodes)):
            self._judge(node)

    def _judge(self, node: int) -> None:
        graph, theirs = self.graph, self.report.values.get(node)
        if theirs is None:
            self.faulty_nodes.append(node)
            return
        operands = graph.operands[node]
        if compare(graph.value[node], theirs).agrees:
            self.verdicts[node] = Verdict.AGREES
            if self._is_by_chance(node, theirs):
                self._tell(node, OVERFLOW)
        elif all(self.verdicts[operand] for operand in operands):
            is_explained = graph.operation[node] is not None and self._stands(node, theirs)
            if not is_explained:
                self.faulty_nodes.append(node)
            elif is_blown_up(graph, node, theirs, self.torch_value):
                self.verdicts[node] = self.tell_origin(operands, node)
            else:
                is_open = any(self.verdicts[operand] == Verdict.OPEN for operand in operands)
                is_told = self.verdicts[node] == Verdict.OPEN
                self.verdicts[node] = verdict_on(True, is_open=is_open or is_told)
                self._judge_drift(node, operands, theirs)

    def _is_by_chance(self, node: int, theirs: Value) -> bool:
        """Whether both are not finite, and would be in another order of the steps."""
        graph = self.graph
        if graph.operation[node] is None or np.all(np.isfinite(theirs)):
            return False
        given = [graph.value[operand] for operand in graph.operands[node]]
        return recompute_output(graph, node, given).is_by_chance

    def _judge_drift(self, node: int, operands: Sequence[int], theirs: Value) -> None:
        """Tell where rounding reaches more than half of the digits, and not what follows."""
        if is_adrift(self.graph.value[node], theirs, self.graph.dtype):
            self.adrift[node] = 1
            if not any(self.adrift[operand] for operand in operands):
                self._tell(node, ROUNDING)

    def _tell(self, node: int, words: str) -> None:
        step = int(self.trace.forward_steps[node])
        if step != NO_NODE:
            self.departures.setdefault(step, words)
            self.verdicts[node] = Verdict.OPEN

    def tell_origin(self, start: Sequence[int], blown_up: int) -> Verdict:
        """Name the node where the difference begins that `blown_up` makes much of.

        It is open where it is one of the last digits, as rounding may make: both answers are right.
        A zero of another sign is a fault.
        """
        graph = self.graph
        begins = origin(
            start,
            graph.operands.__getitem__,
            lambda node: differs(graph.value[node], self.torch_value(node)),
        )
        told = blown_up if begins is None else begins
        operation, label = graph.operation[told], self.trace.label(blown_up)
        if not differs_in_signs_of_zeros(graph.value[told], self.torch_value(told)):
            self._tell(told, f"not settled: {label} hangs on the last digit")
            return Verdict.OPEN
        if operation is not None and operation.rounding is not Rounding.ULP:
            self._tell(told, f"not settled: {label} hangs on the sign of a 0 that is rounded")
            return Verdict.OPEN
        if operation is not None and self._has_open_zeros(told, operation):
            self._tell(told, f"not settled: {label} hangs on the sign of a 0 of `{operation.name}`")
            return Verdict.OPEN
        self.verdicts[told] = Verdict.OFF
        if told not in self.blown_up:
            self.blown_up[told] = blown_up
            self.faulty_nodes.append(told)
        return Verdict.OFF

    def _has_open_zeros(self, node: int, operation: Operation) -> bool:
        """Whether its operation leaves open the sign of each zero that differs."""
        graph = self.graph
        if operation.open_zeros is None:
            return False
        operands = [graph.value[operand] for operand in graph.operands[node]]
        is_open = operation.open_zeros(*operands, **graph.attributes_of(node))
        differ = np.signbit(graph.value[node]) != np.signbit(self.torch_value(node))
        return bool(np.all(is_open | ~differ | np.isnan(graph.value[node])))

    def _stands(self, node: int, theirs: Value) -> bool:
        """Whether our operation explains ours from our operands, and torch's from torch's."""
        graph, operands = self.graph, self.graph.operands[node]
        ours = recompute_output(graph, node, [graph.value[operand] for operand in operands])
        again = recompute_output(graph, node, [self.torch_value(operand) for operand in operands])
        if both_stand((ours, graph.value[node]), (again, theirs)):
            return True
        picked_from = self.torch_value(operands[0])
        if ties.picks_alike(graph, node, picked_from, again.value, theirs):
            self._tell(node, ties.WORDS)
            return True
        if both_stand((ours, graph.value[node]), (again, theirs), but_for_the_open=True):
            self.adrift[node] = 1
            self._tell(node, words_on(graph.value[node], theirs))
            return True
        self.allowed[node] = again.allowed
        return False

    def torch_value(self, node: int) -> Value:
        """Torch's value of a node, ours where it has none."""
        return self.report.values.get(node, self.graph.value[node])


def both_stand(
    ours: tuple[Recomputed, Value],
    theirs: tuple[Recomputed, Value],
    *,
    but_for_the_open: bool = False,
) -> bool:
    """Whether each result is what our operation makes of the same operands."""
    if but_for_the_open:
        return all(again.agrees_but_for_the_open(result) for again, result in (ours, theirs))
    return all(again.compared_with(result).agrees for again, result in (ours, theirs))
