"""Where inf and nan come into being: from numbers that were finite, or nan from an inf.

A *birth* is a value, a contribution or a running sum with a nan where nothing it was made of is
nan, or with an inf where all it was made of is finite. Elementwise operations are looked at
element by element; where elements mix, all elements of an operand count for each of the output.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from enum import Enum
from functools import reduce
from typing import Protocol, runtime_checkable

import numpy as np

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.summary import Summary
from backprop_engine.basics.values import Known, Value, broadcasts_to, shape_of
from backprop_engine.trace import NO_NODE, Missing, PassKind, Trace
from backprop_engine.trace.abilities import Recomputes

FINITE, INF, NAN = 0, 1, 2
"""Codes, the worse the greater."""

Element = tuple[int, ...]


class Place(Enum):
    """In what a birth is."""

    GIVEN = "given"
    """A leaf that was so from the start."""
    FORWARD = "forward"
    """A value that an operation computed."""
    CONTRIBUTION = "backward"
    """What a node sent to an operand, or the seed."""
    TERMS = "terms"
    """A contribution again, in its sum over the axes that an operand was broadcast along."""
    SUM = "sum"
    """The sum of contributions that had been all right each."""


@dataclass(frozen=True, slots=True)
class Birth:
    """The first inf or nan of its line."""

    place: Place
    node: int
    """The node at work; for a sum, the node that receives."""
    element: Element
    """The first of the elements, in the shape of the value; of an elementwise contribution in the
    shape of the output. `()` for scalars."""
    count: int
    """How many elements are born in this place."""
    value: float
    """nan, inf or -inf."""
    step: int | None = None
    """None for a leaf."""
    position: int | None = None
    """Which operand a contribution is for."""

    @property
    def is_nan(self) -> bool:
        """Whether it is a nan, not an inf."""
        return math.isnan(self.value)


Codes = int | np.ndarray
"""Of a scalar a number, of an array an array of int8 in its shape."""


def codes(value: Known | None) -> Codes:
    """FINITE, INF or NAN for each element; of a value that is not kept, the worst of all."""
    if isinstance(value, Summary):
        return NAN if value.nans else INF if value.infinities else FINITE
    if isinstance(value, np.ndarray):
        if value.dtype.kind != "f":
            return FINITE
        return np.isinf(value).astype(np.int8) + NAN * np.isnan(value).astype(np.int8)
    if value is None or math.isfinite(value):
        return FINITE
    return NAN if math.isnan(value) else INF


def worst(of: Codes) -> int:
    """The worst code of all elements."""
    return int(of.max(initial=FINITE)) if isinstance(of, np.ndarray) else of


def is_spoilt(value: Known | None) -> bool:
    """Whether any element is inf or nan."""
    if isinstance(value, Summary):
        return bool(value.nans or value.infinities)
    if isinstance(value, np.ndarray):
        return value.dtype.kind == "f" and not np.isfinite(value).all()
    return value is not None and not math.isfinite(value)


@runtime_checkable
class Screened(Protocol):
    """A column of values that can tell at once of which it may be that they are not finite."""

    @property
    def suspects(self) -> np.ndarray:
        """bool, one entry a row; False only where all elements are known to be finite."""


def suspects(column: Sequence[Known | None]) -> np.ndarray:
    """bool, one entry a row: which are to be looked at; all of a column that cannot tell."""
    return column.suspects if isinstance(column, Screened) else np.ones(len(column), bool)


def births(trace: Trace) -> Iterator[Birth]:
    """All births, in the order of the timeline; leaves come before what is first made of them."""
    nodes = trace.nodes
    may_be = suspects(nodes.value)
    with np.errstate(all="ignore"):
        given = {
            node
            for node in np.flatnonzero(may_be).tolist()
            if trace.is_leaf(node) and is_spoilt(nodes.value[node])
        }
        may_be = may_be | _fed_by(trace, given)
        may_send = suspects(trace.contributions) | suspects(trace.totals)
        for pass_ in trace.passes:
            steps = np.arange(pass_.start, pass_.stop)
            if pass_.kind is PassKind.FORWARD:
                yield from _in_values(trace, steps[may_be[trace.senders[steps]]], given)
            elif pass_.kind is PassKind.BACKWARD:
                yield from _in_gradients(trace, steps[may_send[steps]], pass_.start)
        for node in sorted(given):
            yield from _born(Place.GIVEN, node, nodes.value[node], FINITE)


def _fed_by(trace: Trace, leaves: set[int]) -> np.ndarray:
    """By node whether it is computed from one of `leaves`."""
    counts, operands = trace.nodes.operand_columns
    is_fed = np.zeros(len(counts), bool)
    is_fed[np.repeat(np.arange(len(counts)), counts)[np.isin(operands, list(leaves))]] = True
    return is_fed


def _in_values(trace: Trace, steps: np.ndarray, given: set[int]) -> Iterator[Birth]:
    """Births in these steps, leaves among them, which are then taken away."""
    nodes = trace.nodes
    for step in steps.tolist():
        node = int(trace.senders[step])
        value = nodes.value[node]
        for leaf in given.intersection(nodes.operands[node]) if given else ():
            given.discard(leaf)
            yield from _born(Place.GIVEN, leaf, nodes.value[leaf], FINITE)
        if is_spoilt(value):
            sources = [nodes.value[operand] for operand in nodes.operands[node]]
            if _is_one_nan(sources, value):
                continue
            combined = _combined(is_by_element(trace, node), sources)
            yield from _born(Place.FORWARD, node, value, combined, step)


def _in_gradients(trace: Trace, steps: np.ndarray, start: int) -> Iterator[Birth]:
    """Births in these steps of the pass that begins with step `start`."""
    for step in steps.tolist():
        sender, receiver = int(trace.senders[step]), int(trace.receivers[step])
        sent, total = trace.contributions[step], trace.totals[step]
        if not is_spoilt(total) and not is_spoilt(sent):
            continue
        position = int(trace.positions[step])
        if position == NO_NODE:
            yield from _born(Place.CONTRIBUTION, sender, sent, FINITE, step)
            continue
        if is_spoilt(sent):
            yield from _in_contribution(trace, step, sender, position)
        receipts = trace.receipts(receiver)
        at = bisect_left(receipts, step) - 1
        before = trace.totals[receipts[at]] if at >= 0 and receipts[at] >= start else None
        if is_spoilt(total) and before is not None and not _is_one_nan((before, sent), total):
            sources = _worst_of([codes(before), codes(sent)])
            yield from _born(Place.SUM, receiver, total, sources, step, position)


def _in_contribution(trace: Trace, step: int, node: int, position: int) -> Iterator[Birth]:
    nodes = trace.nodes
    upstream = trace.gradient(node, step)
    sources = [
        upstream,
        nodes.value[node],
        *(nodes.value[operand] for operand in nodes.operands[node]),
    ]
    sent = trace.contribution(step)
    if _is_one_nan(sources, sent):
        return
    combined = _combined(is_by_element(trace, node), sources)
    terms = raw_contribution(trace, step)
    if terms is not None and shape_of(terms) != shape_of(sent):
        # Summed back over the axes it was broadcast along; the birth is in one of the terms.
        found = list(_born(Place.CONTRIBUTION, node, terms, combined, step, position))
        if found or is_spoilt(terms):
            yield from found
            return
        yield from _born(Place.TERMS, node, sent, FINITE, step, position)
        return
    yield from _born(Place.CONTRIBUTION, node, sent, combined, step, position)


def _is_one_nan(sources: Sequence[Known | None], made: Known | None) -> bool:
    """Whether all are numbers and one of the sources is nan already: nothing is born then.

    It is what most steps are after the first nan of a large graph of numbers, and far quicker than
    the comparison by elements.
    """
    numbers = [
        number for number in (made, *sources) if not isinstance(number, np.ndarray | Summary)
    ]
    return len(numbers) == len(sources) + 1 and any(
        number is not None and math.isnan(number) for number in numbers[1:]
    )


def raw_contribution(trace: Trace, step: int, upstream: Value | None = None) -> Value | None:
    """What is sent in `step` before it is summed back to the operand's shape, for the recorded
    gradient of its sender or another one; None where that cannot be told.
    """
    node, _, position = trace.edge(step)
    recomputes = trace.can(Recomputes, node)
    given = trace.gradient(node, step) if upstream is None else upstream
    if isinstance(recomputes, Missing) or given is None or isinstance(given, Summary):
        return None
    return recomputes.terms(node, position, given)


def is_by_element(trace: Trace, node: int) -> bool:
    """Whether each element of `node` is known to be made of one element of each operand."""
    recomputes = trace.can(Recomputes, node)
    return not isinstance(recomputes, Missing) and recomputes.is_by_element(node)


def _combined(by_element: bool, sources: Sequence[Known | None]) -> Codes:
    """What each element of a result may have from its sources."""
    found = [codes(source) for source in sources]
    return _worst_of(found) if by_element else max(map(worst, found))


def _fitting(sources: Codes, shape: Element) -> Codes:
    """Codes that can be broadcast to `shape`; the worst of all, where elements do not match."""
    if isinstance(sources, np.ndarray) and not broadcasts_to(sources.shape, shape):
        return worst(sources)
    return sources


def _worst_of(found: list[Codes]) -> Codes:
    worst_codes: Codes = reduce(np.maximum, found)
    return worst_codes


def _born(
    place: Place,
    node: int,
    value: Known | None,
    sources: Codes,
    step: int | None = None,
    position: int | None = None,
) -> Iterator[Birth]:
    """At most one birth: at the first element, nan before inf."""
    if value is None:
        return
    own = np.asarray(codes(value))
    from_sources = np.broadcast_to(_fitting(sources, own.shape), own.shape)
    is_nan = (own == NAN) & (from_sources < NAN)
    is_new = is_nan if is_nan.any() else (own == INF) & (from_sources == FINITE)
    if not is_new.any():
        return
    if isinstance(value, Summary):
        count = value.nans if is_nan.any() else value.infinities
        number = math.nan if is_nan.any() else math.inf
        yield Birth(place, node, (), count, number, step, position)
        return
    first = tuple(int(at) for at in np.argwhere(is_new)[0]) if own.ndim else ()
    number = float(np.asarray(value)[first])
    yield Birth(place, node, first, int(is_new.sum()), number, step, position)
