"""Where a difference too small to count grows into one that matters, in a single step.

Two correct programs drift apart by roundoffs, and a step that is continuous makes no more of them
than its slope does. What it makes of −0 for 0 (a division, an atan2) or of the last digit (a floor,
a comparison, an overflow) no slope explains: there the two results are two answers, and the reason
is told where the small difference begins.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from backprop_engine.basics.values import Value, same_elements, shape_of
from backprop_engine.checking.compare import ELEMENTWISE_ULP, recompute_output
from backprop_engine.graph import Graph

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
