"""One element of a contribution as a sum of scalar terms.

A contribution is a vector-Jacobian product, so that element i of it is
Σₖ ∂node[k]/∂operand[i] · upstream[k]: one entry of the Jacobian for each element k of the node
that depends on i. The operation's own rule gives row k when it is sent an upstream gradient that
is 1 at k and 0 elsewhere; nothing is differentiated a second time.
"""

from __future__ import annotations

from itertools import product
from math import prod

import numpy as np

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.summary import Summary
from backprop_engine.basics.values import UNIT_ROUNDOFF, Shape, Value, full_like, shape_of
from backprop_engine.trace import Missing, Trace
from backprop_engine.trace.abilities import Recomputes

Index = tuple[int, ...]
"""An element of a value; `()` for a scalar."""

MOST_ROWS = 4_096
"""Rows of a Jacobian that are computed for one element."""
_FEW_ROWS = 256
"""Rows that are all asked for, without looking first where the element is met at all."""
_SLACK = 64
"""Roundings of the sum of all magnitudes by which each term may be off: a rule makes several."""


@dataclass(frozen=True, slots=True)
class Term:
    """What one element of the node adds to one element of the contribution."""

    at: Index
    """The element of the node."""
    local: float
    """∂node[at]/∂operand[element]."""
    upstream: float
    """The gradient of node[at]."""

    @property
    def sent(self) -> float:
        """local · upstream."""
        return self.local * self.upstream


@dataclass(frozen=True, slots=True)
class ElementTerms:
    """An element of a contribution, and the terms that it is the sum of."""

    element: Index
    """Of the operand."""
    terms: tuple[Term, ...]
    """Those whose derivative is not zero, in the order of the node's elements; the only one too."""
    total: float
    """What was recorded."""


def element_terms(trace: Trace, step: int, element: Index) -> ElementTerms | Missing:
    """The terms of `element` of what is sent in contribution step `step`.

    `Missing` where a value was not kept whole, the rule cannot be asked again, too many elements
    of the node may depend on the element, or the terms do not add up to what was recorded.
    """
    node, operand, position = trace.edge(step)
    recomputes = trace.can(Recomputes, node)
    if isinstance(recomputes, Missing):
        return recomputes
    value, upstream = trace.nodes.value[node], trace.gradient(node, step)
    sent, shape = trace.contribution(step), shape_of(trace.nodes.value[operand])
    if isinstance(value, Summary) or isinstance(sent, Summary):
        return Missing(f"only a summary of {trace.label(node)} is kept")
    if upstream is None or isinstance(upstream, Summary):
        return Missing(f"only a summary of the gradient of {trace.label(node)} is kept")
    rule = _Rule(recomputes, node, position, element, value)
    try:
        with np.errstate(all="ignore"):
            slopes = rule.by_element(shape) if recomputes.is_by_element(node) else rule.by_row()
    except (ArithmeticError, ValueError) as error:
        return Missing(f"{trace.nodes.operation_name(node)} cannot send that alone: {error}")
    if slopes is None:
        return Missing(f"more than {MOST_ROWS:,} elements of {trace.label(node)} may depend on it")
    gradient = np.asarray(upstream)
    told = slopes if len(slopes) == 1 else [(at, local) for at, local in slopes if local != 0]
    terms = tuple(Term(at, local, float(gradient[at])) for at, local in told)
    total = float(np.asarray(sent)[element])
    if not _add_up(terms, total, UNIT_ROUNDOFF[trace.dtype]):
        return Missing("its terms, one by one, do not add up to what was sent as a whole")
    return ElementTerms(element, terms, total)


@dataclass(frozen=True, slots=True)
class _Rule:
    """The rule of a node, asked about one element of an operand."""

    recomputes: Recomputes
    node: int
    position: int
    element: Index
    value: Value
    """Of the node."""

    def by_element(self, operand_shape: Shape) -> list[tuple[Index, float]] | None:
        """Where elements do not mix: each place that the element was broadcast to."""
        slopes = self.recomputes.terms(self.node, self.position, full_like(self.value, 1.0))
        if shape_of(slopes) != shape_of(self.value):  # the rule has summed them up already
            return self.by_row()
        size = prod(operand_shape)
        is_it = np.zeros(size, bool)
        is_it[np.ravel_multi_index(self.element, operand_shape) if operand_shape else 0] = True
        places = np.argwhere(np.broadcast_to(is_it.reshape(operand_shape), shape_of(self.value)))
        if len(places) > MOST_ROWS:
            return None
        local = np.asarray(slopes)
        return [(at, float(local[at])) for at in map(tuple, places.tolist())]

    def by_row(self) -> list[tuple[Index, float]] | None:
        """Where elements mix: a row of the Jacobian for each element of the node in question."""
        shape = shape_of(self.value)
        indices: list[list[int]] = [list(range(length)) for length in shape]
        if prod(shape) > _FEW_ROWS:
            indices = [self._meeting(axis) for axis in range(len(shape))]
        if prod(map(len, indices)) > MOST_ROWS:
            return None
        return [(at, self._sent(at)) for at in product(*indices)]

    def _meeting(self, axis: int) -> list[int]:
        """The indices along `axis` at which elements of the node depend on the element.

        Each slice is weighted at random, so that no two entries cancel.
        """
        weights = np.random.default_rng(0).uniform(1, 2, shape_of(self.value))
        return [
            index
            for index in range(weights.shape[axis])
            if self._sent((*(slice(None),) * axis, index), weights) != 0
        ]

    def _sent(self, at: tuple[int | slice, ...], weights: Value = 1.0) -> float:
        """What the element receives for an upstream gradient that is zero outside of `at`."""
        chosen = np.zeros(shape_of(self.value), np.asarray(self.value).dtype)
        chosen[at] = np.asarray(weights)[at] if isinstance(weights, np.ndarray) else weights
        upstream = chosen if chosen.ndim else full_like(self.value, float(chosen))
        sent = np.asarray(self.recomputes.send(self.node, self.position, upstream))
        return float(sent[self.element])


def _add_up(terms: tuple[Term, ...], total: float, unit: float) -> bool:
    with np.errstate(all="ignore"):
        sent = np.array([term.sent for term in terms], float)
        found, magnitude = float(sent.sum()), float(np.abs(sent).sum())
    if not np.isfinite(found) or not np.isfinite(total):
        return found == total or bool(np.isnan(found) and np.isnan(total))
    return abs(found - total) <= _SLACK * (len(terms) + 1) * unit * max(magnitude, abs(total))
