"""Whether two numbers, or two arrays, are the same up to rounding.

Rounding errors are counted in units in the last place (ulp): the number of floating-point
numbers from one value to the other. What two correct programs may differ by beyond 4 ulp, given
the same operands, is told by the operation's `rounding`, u being the unit roundoff:

- ULP, one elementary function of each element: nothing.
- TERMS, sums, products and moves: γ·Σ|terms| on each side, for cancellation can make a sum tiny
  beside its terms. Σ|terms| is the operation on the operands' magnitudes, which for these is just
  that; γ is that of `checking.summing`, for as many terms as the operation has.
- CONDITION, several steps: what perturbed runs of it show (`checking.perturbed`).

A contribution is judged by the same rule, with the upstream gradient and the output among the
operands. An elementwise operation sums it where the operand was broadcast: there the bound of a
sum is allowed as well.

In float32 the other result is held against our operation in float64, whose own error is nothing
beside it, so that only one side of the bound is needed.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from backprop_engine.basics import notation
from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.values import (
    UNIT_ROUNDOFF,
    Dtype,
    Value,
    dtype_of,
    evaluate,
    is_float,
    same_elements,
    seen_in,
    settle,
    shape_of,
    unbroadcast,
)
from backprop_engine.checking.functional import widened
from backprop_engine.checking.perturbed import sensitivity
from backprop_engine.checking.summing import gamma, scaled, sides, sum_bound
from backprop_engine.checking.unsettled import unsettled
from backprop_engine.graph import Graph
from backprop_engine.operation import Operation, Rounding, Rule

_FLOAT64, _INT64 = struct.Struct("<d"), struct.Struct("<q")

_MOST_COUNTED = 1e6
ELEMENTWISE_ULP = 4
"""Two good libraries differ by no more in one elementary operation on the same operands."""
DEGREE_ROUNDOFFS = 3
"""A gradient of n contributions may be off by (n + this)·u·Σ|contributions|."""


class Comparison(NamedTuple):
    """How far apart two values are."""

    agrees: bool
    """Within the tolerance that applies to them."""
    ulp: float
    """Units in the last place between them, the worst element; inf where they cannot be counted."""
    difference: float
    """Largest absolute difference; 0 for equal values, nan and infinities included."""
    is_open: bool = False
    """It agrees as far as anybody can know: there are, or may be, two results, and both stand."""

    def apart(self, digits: int) -> str:
        """`3 ulp`, or the difference in so many digits, where they are too many to be counted."""
        if self.ulp < _MOST_COUNTED:
            return f"{self.ulp:.0f} ulp"
        return notation.number(self.difference, digits)


def compare(ours: Value, theirs: Value, allowed: Value = 0.0) -> Comparison:
    """Compare element by element: at most 4 ulp, or at most `allowed` apart (broadcasting).

    nan equals nan and inf equals inf. Values of different shapes do not agree and are inf ulp
    and nan apart; whole numbers and truth values agree only if they are equal.
    """
    if type(ours) is float and type(theirs) is float and type(allowed) is float:
        return _compare_floats(ours, theirs, allowed)
    if shape_of(ours) != shape_of(theirs):
        return Comparison(False, math.inf, math.nan)
    a, b = np.asarray(ours), np.asarray(theirs)
    with np.errstate(all="ignore"):
        equal = same_elements(a, b)
        difference = np.where(equal, 0.0, np.abs(a.astype(float) - b.astype(float)))
        ulp = np.where(equal, 0.0, ulp_distance(a, b))
        close = (ulp <= ELEMENTWISE_ULP) | (difference <= np.asarray(allowed))
    worst = float(np.max(difference, initial=0.0))
    return Comparison(bool(close.all()), float(np.max(ulp, initial=0.0)), worst)


def worst_element(ours: Value, theirs: Value, allowed: Value) -> tuple[int, ...]:
    """Where two values of one shape differ by most of what they may: 4 ulp, or `allowed`.

    An allowance of inf ranks by the difference alone. nan beside a number is the worst there is;
    a scalar has the place `()`.
    """
    a, b = np.asarray(ours), np.asarray(theirs)
    if not a.size:
        return (0,) * a.ndim
    with np.errstate(all="ignore"):
        difference = np.abs(a.astype(float) - b.astype(float))
        size = np.maximum(np.abs(a), np.abs(b))
        ulps = ELEMENTWISE_ULP * np.spacing(size if size.dtype.kind == "f" else size.astype(float))
        limit = np.maximum(np.asarray(allowed, dtype=float), ulps)
        off = difference if np.isinf(limit).all() else difference / limit
    is_same = same_elements(a, b)
    off = np.where(is_same, -1.0, np.where(np.isnan(off), np.inf, off))
    if is_same.all():  # but for the signs of zeros
        off = np.not_equal(np.signbit(a), np.signbit(b))
    return tuple(int(i) for i in np.unravel_index(np.argmax(off), off.shape))


def _compare_floats(ours: float, theirs: float, allowed: float) -> Comparison:
    """`compare` for the commonest case, thirty times as fast."""
    if ours == theirs or (math.isnan(ours) and math.isnan(theirs)):
        return Comparison(True, 0.0, 0.0)
    difference = abs(ours - theirs)
    if not (math.isfinite(ours) and math.isfinite(theirs)):
        return Comparison(False, math.inf, difference)
    ulp = float(abs(_float_rank(ours) - _float_rank(theirs)))
    return Comparison(ulp <= ELEMENTWISE_ULP or difference <= allowed, ulp, difference)


def _float_rank(number: float) -> int:
    """`_rank` of one float64."""
    (bits,) = _INT64.unpack(_FLOAT64.pack(number))
    return int(bits) if bits >= 0 else -(2**63) - int(bits)


def ulp_distance(a: Any, b: Any) -> np.ndarray:
    """How many floating-point numbers lie between `a` and `b`, element by element.

    `inf` if either is not finite or they are no floats; both must have one dtype and shape.
    """
    a, b = np.asarray(a), np.asarray(b)
    if a.dtype != b.dtype or a.dtype.kind != "f":
        return np.full(np.broadcast_shapes(a.shape, b.shape), math.inf)
    ranks = [_rank(array) for array in (a, b)]
    low, high = np.minimum(*ranks), np.maximum(*ranks)
    # Unsigned, because the distance from -max to +max does not fit a signed number.
    with np.errstate(over="ignore"):
        distance = high.astype(np.uint64) - low.astype(np.uint64)
    finite = np.isfinite(a) & np.isfinite(b)
    return np.where(finite, distance.astype(float), math.inf)


def _rank(array: np.ndarray) -> np.ndarray:
    """Floats as int64 in the same order, neighbours one apart, both zeros 0."""
    kind = np.int32 if array.dtype == np.float32 else np.int64
    bits: np.ndarray = np.ascontiguousarray(array).view(kind).reshape(array.shape)
    # The sign bit alone is the most negative integer; the bits below it count away from zero.
    return np.where(bits < 0, np.iinfo(kind).min - bits, bits).astype(np.int64)


@dataclass(frozen=True, eq=False, slots=True)
class Recomputed:
    """Our own result on given operands, and what another correct one may differ by beyond 4 ulp.

    The bound is worked out only where it is asked for: most results are equal without it.
    """

    value: Value
    bound: Callable[[], Value]
    precisely: Callable[[], Any] | None = None
    """The result in float64, where `bound` is one side's error only; None where it is both's."""
    overflows_at: Callable[[], Any] = lambda: False
    """Where it hangs on the order of its steps whether something overflows, element by element."""
    is_open: Any = False
    """Where nobody can know the result for other reasons."""

    @property
    def allowed(self) -> Value:
        """The bound, element by element."""
        return self.bound()

    def compared_with(self, other: Value) -> Comparison:
        """The comparison with another result on the same operands."""
        compared = compare(self.value, other)
        if compared.agrees or shape_of(self.value) != shape_of(other):
            return compared
        if self.precisely is None:
            return compare(self.value, other, self.allowed)
        with np.errstate(all="ignore"):
            ours = np.asarray(self.precisely(), float)
            theirs = np.asarray(other, float)
            is_close = np.abs(ours - theirs) <= self.allowed
        # What is equal, or overflows in float32, is judged by that itself.
        ours, theirs = np.asarray(self.value), np.asarray(other)
        both = compare(np.where(is_close, theirs, ours), theirs)
        return compared._replace(agrees=both.agrees)

    @property
    def is_by_chance(self) -> bool:
        """Whether it is not finite where another order of the steps would make it so."""
        is_lost = ~np.isfinite(self.value) if is_float(self.value) else False
        return bool(np.any(is_lost) and np.any(is_lost & self.overflows_at()))

    def agrees_but_for_the_open(self, other: Value) -> bool:
        """Whether another result differs, at most, where nobody can know it."""
        if self.compared_with(other).agrees:
            return True
        is_open = np.asarray(self.is_open | self.overflows_at())
        if shape_of(self.value) != shape_of(other) or not np.any(is_open):
            return False

        def closed(ours: Any) -> Any:
            return np.where(is_open, other, ours)

        precisely = self.precisely
        known = replace(
            self,
            value=closed(self.value),
            precisely=None if precisely is None else lambda: closed(precisely()),
        )
        return known.compared_with(np.asarray(other)).agrees


def recompute_output(graph: Graph, node: int, operands: Sequence[Value]) -> Recomputed:
    """The operation of `node` on other operands than the recorded ones."""
    operation, attributes = graph.applied(node), graph.attributes_of(node)
    forward, dtype = operation.forward, graph.float_dtype(node)
    operands = seen_in(dtype, list(operands))
    value = settle(evaluate(forward, operands, attributes), dtype)

    def bound() -> Value:
        if operation.rounding is Rounding.ULP or not is_float(value):
            return 0.0
        if operation.rounding is Rounding.CONDITION:
            return sensitivity(forward, operands, attributes, value, dtype)
        most = operation.most_terms(operands, attributes)
        return sum_bound(lambda *given: evaluate(forward, given, attributes), operands, most, dtype)

    def precisely() -> Any:
        return evaluate(forward, [widened(operand) for operand in operands], attributes)

    def overflows_at() -> Any:
        return not _is_of_one_order(operation) and unsettled(
            lambda *given: evaluate(forward, given, attributes), operands
        )

    is_sum = operation.rounding is Rounding.TERMS and is_float(value) and dtype == "float32"
    recorded = [graph.value[operand] for operand in graph.operands[node]]  # as they lie in memory
    is_open = operation.is_open(operands, attributes) | operation.is_open(recorded, attributes)
    return Recomputed(value, bound, precisely if is_sum else None, overflows_at, is_open)


def recompute_contribution(
    graph: Graph,
    node: int,
    position: int,
    upstream: Value,
    output: Value,
    operands: Sequence[Value],
    *,
    as_torch: bool = False,
) -> Recomputed:
    """What `node` sends to the operand at `position`, for other values than the recorded ones.

    With `as_torch`, what torch is known to send where that is not the derivative.
    """
    operation, attributes = graph.applied(node), graph.attributes_of(node)
    shape, dtype = shape_of(operands[position]), graph.dtype
    operands = seen_in(dtype, list(operands))

    def sent(upstream: Any, output: Any, *operands: Any) -> Any:
        return operation.send(position, upstream, output, operands, attributes, as_torch=as_torch)

    def summed(sent: Any) -> Any:
        return unbroadcast(sent, shape) if operation.elementwise else sent

    given = (upstream, output, *operands)
    every = sent(*given)
    value = settle(summed(every), dtype)

    kernel = operation.derivative(position).kernel

    def bound() -> Value:
        allowed: Value = 0.0
        if operation.rounding is Rounding.CONDITION:
            allowed = sensitivity(lambda *given: summed(sent(*given)), given, {}, value, dtype)
        elif operation.rounding is Rounding.TERMS:
            most = operation.most_terms(operands, attributes)
            allowed = sum_bound(lambda *given: summed(sent(*given)), given, most, dtype)
        if operation.elementwise and shape_of(every) != shape:
            terms = unbroadcast(np.abs(every), shape)
            count = np.size(every) / max(math.prod(shape), 1)
            # Each term is good to 4 ulp, which are 8 roundoffs.
            factor = 2 * ELEMENTWISE_ULP * UNIT_ROUNDOFF[dtype] + sides(dtype) * gamma(count, dtype)
            allowed = allowed + scaled(factor, terms)
        return (
            allowed if kernel is None else _or_in_kernel(kernel, summed, given, attributes, allowed)
        )

    def precisely() -> Any:
        if operation.elementwise:
            return summed(widened(every))
        return summed(sent(*map(widened, given)))

    has_one_order = _is_of_one_order(operation) and shape_of(every) == shape

    def overflows_at() -> Any:
        return not has_one_order and unsettled(lambda *given: summed(sent(*given)), given)

    is_sum = operation.rounding is Rounding.TERMS or shape_of(every) != shape
    precise = precisely if is_sum and dtype == "float32" else None
    is_open = operation.is_open(operands, attributes, upstream)
    return Recomputed(value, bound, precise, overflows_at, is_open)


def _or_in_kernel(
    kernel: Rule,
    summed: Callable[[Any], Any],
    given: Sequence[Value],
    attributes: Mapping[str, Any],
    allowed: Value,
) -> Value:
    """What is allowed, and no less than how far rounding may throw the form of torch's kernels."""

    def sent(*given: Any, **how: Any) -> Any:
        return summed(kernel(*given, **how))

    dtype: Dtype = "float64" if dtype_of(given[0]) == "float64" else "float32"
    value = settle(evaluate(sent, given, attributes), dtype)
    return np.maximum(allowed, sensitivity(sent, given, attributes, value, dtype))


def _is_of_one_order(operation: Operation) -> bool:
    """Whether each element is computed by itself, so that nothing can be added in another order."""
    return operation.elementwise and operation.rounding is Rounding.ULP


def roundoff(terms: Any, count: int, dtype: Dtype) -> Value:
    """`count`·u·|terms|, element by element; 0 where that is not finite."""
    return scaled(count * UNIT_ROUNDOFF[dtype], terms)
