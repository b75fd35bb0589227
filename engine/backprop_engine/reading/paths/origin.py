"""Why a gradient is what it is: the paths it came along, the largest told one by one."""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence

import numpy as np

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.values import Value, full_like, kept, norm_of, settle
from backprop_engine.reading.paths.amplification import amplification
from backprop_engine.reading.paths.edges import Edges, Watch, carry_all, edges_to
from backprop_engine.reading.paths.search import Found, Search
from backprop_engine.trace import Pass, Trace

LISTED = 50
BUDGET = 3_000_000
"""Edges that the search goes along at most; a few seconds' worth."""
_MOST_SHUT = 5


@dataclass(frozen=True, eq=False, slots=True)
class Path:
    """One way from the output to the node, and what comes along it."""

    steps: tuple[int, ...]
    """The contribution steps of the trace, from the output on."""
    factors: Sequence[float]
    """One for each step. Scalars: the local derivative. Arrays: how many times as large, by
    Euclidean norm, the step made what came along."""
    start: float
    """The seed, where it is a scalar; else its norm."""
    carried: Value
    """In the shape of the node."""
    size: float
    """The magnitude of a scalar, the norm of an array."""
    share: float | None
    """Its part of the gradient, of either sign; the shares of all paths add up to 1. For arrays
    that of its projection onto the gradient. None where the gradient is zero or not finite."""


@dataclass(frozen=True, eq=False)
class Origin:
    """All paths to `node` in the backward pass `pass_`."""

    trace: Trace
    pass_: Pass
    node: int
    gradient: Value
    """What the trace has recorded as the node's gradient in this pass."""
    count: int
    """How many paths there are."""
    paths: tuple[Path, ...]
    """The largest first; none that carries zero."""
    rest: Value
    """The sum of what all other paths carry, found by a backward pass over them."""
    sum: Value
    """`paths` and `rest` added up: the gradient, to rounding."""
    is_scalar: bool
    is_ranked: bool
    """Whether no path of the rest can be larger than the last that is listed. With arrays, and
    where there is too much to look at, the largest *found* are listed."""
    shut: tuple[int, ...]
    """Some steps on the way whose local derivative is zero, where no path carries anything."""

    @property
    def rest_count(self) -> int:
        """How many paths are summed under `rest`."""
        return self.count - len(self.paths)

    @property
    def output(self) -> int:
        """The node that the pass, and every path, starts from."""
        return self.trace.edge(self.pass_.start)[0]


def find_origin(
    trace: Trace,
    pass_: Pass,
    node: int,
    *,
    limit: int = LISTED,
    budget: int = BUDGET,
    watch: Watch = lambda _: None,
) -> Origin:
    """The origin of `node`'s gradient in the backward pass `pass_`.

    At most `limit` paths are listed. `watch` is told how far it has come, and may raise to stop
    it. ValueError if the node receives nothing in that pass.
    """
    edges = edges_to(trace, pass_, node)
    gradient = kept(trace.gradient(node, pass_.stop))
    if gradient is None:
        raise ValueError(f"node {node} receives nothing in {pass_.name}")
    with np.errstate(all="ignore"):
        ahead = amplification(edges, _part(watch, 0.0, 0.4))
        search = Search(edges, ahead, limit, budget, _part(watch, 0.4, 0.8))
        search.run()
        rest = carry_all(edges, search.rest, _part(watch, 0.8, 1.0))
        rest = full_like(gradient, 0.0) if rest is None else settle(rest, trace.dtype)
        return Origin(
            trace=trace,
            pass_=pass_,
            node=node,
            gradient=gradient,
            count=edges.count,
            paths=tuple(_path(edges, found, ahead.locals, gradient) for found in search.listed),
            rest=rest,
            sum=_sum([*(found.carried for found in search.listed), rest], trace),
            is_scalar=edges.is_scalar,
            is_ranked=search.is_complete or (ahead.is_exact and len(search.listed) == limit),
            shut=() if search.listed else _shut(edges),
        )


def _part(watch: Watch, start: float, stop: float) -> Watch:
    return lambda done: watch(start + (stop - start) * done)


def _path(edges: Edges, found: Found, local: dict[int, Value], gradient: Value) -> Path:
    factors = (
        array("d", (float(local[step]) for step in found.steps))
        if edges.is_scalar
        else array("d", map(_ratio, found.sizes, found.sizes[1:]))
    )
    return Path(
        steps=tuple(found.steps),
        factors=factors,
        start=found.sizes[0] if isinstance(edges.seed, np.ndarray) else float(edges.seed),
        carried=found.carried,
        size=found.sizes[-1],
        share=share_of(found.carried, gradient),
    )


def _ratio(before: float, after: float) -> float:
    if math.isfinite(before) and before:
        return after / before
    return math.nan


def share_of(carried: Value, gradient: Value) -> float | None:
    """⟨carried, gradient⟩ / ⟨gradient, gradient⟩; None where that is no number."""
    scale = norm_of(gradient)
    if not scale or not math.isfinite(scale):
        return None
    direction = np.asarray(gradient, float) / scale
    share = float(np.sum(np.asarray(carried, float) / scale * direction))
    return share if math.isfinite(share) else None


def _sum(parts: list[Value], trace: Trace) -> Value:
    """Scalars are added without rounding in between, which orders cannot change."""
    if any(isinstance(part, np.ndarray) for part in parts):
        total = np.sum([np.asarray(part, float) for part in parts], axis=0)
        return settle(total, trace.dtype)
    numbers = [float(part) for part in parts]
    if all(map(math.isfinite, numbers)):
        try:
            return settle(math.fsum(numbers), trace.dtype)
        except OverflowError:
            return settle(sum(numbers), trace.dtype)
    return settle(sum(numbers), trace.dtype)


def _shut(edges: Edges) -> tuple[int, ...]:
    """The first steps on the way, from the output on, that let nothing through."""
    found: list[int] = []
    for steps in edges.by_sender.values():
        found += [step for step in steps if norm_of(edges.local(step)) == 0]
        if len(found) >= _MOST_SHUT:
            break
    return tuple(found[:_MOST_SHUT])
