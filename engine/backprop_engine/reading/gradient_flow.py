"""How large a gradient is on its way back, layer by layer: where it vanishes, explodes or dies."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from enum import Enum
from itertools import islice
from typing import Final

import numpy as np

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.summary import Summary
from backprop_engine.basics.values import Known, norm_of
from backprop_engine.reading.groups import NO_GROUP, GroupTree
from backprop_engine.trace import Pass, PassKind, Trace


@dataclass(frozen=True, slots=True)
class Figures:
    """Of all elements together."""

    size: int = 0
    norm: float = 0.0
    """The Euclidean norm."""
    largest: float = 0.0
    """The greatest absolute value; nan where it is not known."""
    zeros: int = 0
    nonfinite: int = 0

    @property
    def zero_share(self) -> float:
        """The share of elements that are 0."""
        return self.zeros / self.size if self.size else 0.0

    @property
    def nonfinite_share(self) -> float:
        """The share of elements that are nan or inf."""
        return self.nonfinite / self.size if self.size else 0.0

    @property
    def rms(self) -> float:
        """The root of the mean square: the size of an element, whatever their number."""
        return self.norm / math.sqrt(self.size) if self.size else 0.0


def figures_of(value: Known) -> Figures:
    """Those of one value."""
    if isinstance(value, Summary):
        largest = max(abs(value.minimum), abs(value.maximum))
        broken = value.nans + value.infinities
        return Figures(value.size, value.norm, largest, value.zeros, broken)
    array = np.abs(np.asarray(value, np.float64).reshape(-1))
    with np.errstate(all="ignore"):
        largest, zeros = float(array.max(initial=0.0)), int((array == 0).sum())
    return Figures(array.size, norm_of(value), largest, zeros, int((~np.isfinite(array)).sum()))


def figures_of_all(values: Iterable[Known]) -> Figures:
    """Those of all of them."""
    found = [figures_of(value) for value in values]
    return Figures(
        sum(each.size for each in found),
        math.hypot(*(each.norm for each in found)),
        max((each.largest for each in found), default=0.0),
        sum(each.zeros for each in found),
        sum(each.nonfinite for each in found),
    )


VANISHING: Final = 1e-3
"""Of the root mean square of the first row below the output: less than that has vanished."""
EXPLODING: Final = 1e3
"""More than that explodes."""
MOST_ROWS: Final = 2_000
_MOST_SHARES: Final = 50
"""Contributions to one weight that are told each."""


class Kind(Enum):
    """What a row is about."""

    LAYER = "layer"
    """A group, or a computed node outside of all: the gradient that comes in."""
    WEIGHT = "weight"
    """A leaf."""
    SHARE = "share"
    """One of several contributions to the leaf above."""


@dataclass(frozen=True, slots=True)
class FlowRow:
    """One layer, weight, or contribution."""

    kind: Kind
    name: str
    depth: int
    node: int
    """What to select there; of a group its output."""
    step: int
    """The step in which the last of it comes."""
    figures: Figures
    ratio: float | None = None
    """‖update‖/‖weight‖ of the optimiser's step that follows."""
    mark: str = ""
    """`vanishing`, `exploding`, `dead`, `nan`; empty for none of them."""


@dataclass(frozen=True, slots=True)
class GradientFlow:
    """One backward pass in the order in which it runs."""

    trace: Trace
    pass_: Pass
    rows: tuple[FlowRow, ...]
    is_whole: bool
    """Whether there is a row for everything."""


def flow_pass(trace: Trace, cursor: int) -> Pass | None:
    """The backward pass at the cursor; else the next one, else the last; None without any."""
    backward = [pass_ for pass_ in trace.passes if pass_.kind is PassKind.BACKWARD]
    shown = trace.shown_pass(cursor)
    if shown in backward:
        return shown
    coming = [pass_ for pass_ in backward if pass_.start >= cursor]
    return next(iter([*coming, *reversed(backward)]), None)


def gradient_flow(trace: Trace, pass_: Pass, tree: GroupTree | None) -> GradientFlow:
    """The rows of all of `pass_`, whatever the cursor is at."""
    reader = _Reader(trace, pass_, tree)
    found = list(islice(reader.rows(), MOST_ROWS + 1))
    rows = _marked(found[:MOST_ROWS], pass_.output)
    return GradientFlow(trace, pass_, tuple(rows), len(found) <= MOST_ROWS)


class _Reader:
    def __init__(self, trace: Trace, pass_: Pass, tree: GroupTree | None) -> None:
        self._trace, self._pass, self._tree = trace, pass_, tree
        self._ratios = _ratios_after(trace, pass_)

    def rows(self) -> Iterator[FlowRow]:
        """Groups with what is in them, and named nodes and leaves outside of all."""
        tree = self._tree
        if tree is None:
            pending = [(node, 0) for node in range(len(self._trace.nodes))]
        else:
            pending = [(entry, 0) for entry in reversed(tree.members[-1])]
        while pending:
            entry, depth = pending.pop()
            if entry >= 0:
                yield from self._node(entry, depth)
            elif tree is not None:
                row = self._group(tree, ~entry, depth)
                inside = depth
                if row is not None:
                    yield row
                    inside += 1
                pending += [(each, inside) for each in reversed(tree.members[~entry])]

    def _group(self, tree: GroupTree, group: int, depth: int) -> FlowRow | None:
        outputs = [node for node in tree.outputs[group] if self._receipts(node)]
        if not outputs or outputs == [self._pass.output]:
            return None  # all of the run is in it
        values = (self._trace.gradient(node, self._pass.stop) for node in outputs)
        figures = figures_of_all(value for value in values if value is not None)
        step = max(self._receipts(node)[-1] for node in outputs)
        return FlowRow(Kind.LAYER, tree.names[group], depth, outputs[-1], step, figures)

    def _node(self, node: int, depth: int) -> Iterator[FlowRow]:
        trace = self._trace
        is_leaf = trace.ends_gradients(node)
        is_inside = self._tree is not None and self._tree.of_node[node] != NO_GROUP
        receipts = self._receipts(node)
        if not receipts or (not is_leaf and (is_inside or node not in trace.nodes.names)):
            return
        value, label = trace.gradient(node, self._pass.stop), trace.label(node)
        if value is None:
            return
        ratio = self._ratios.get(label.partition("@")[0]) if is_leaf else None
        kind = Kind.WEIGHT if is_leaf else Kind.LAYER
        name = self._within(node, label)
        yield FlowRow(kind, name, depth, node, receipts[-1], figures_of(value), ratio)
        if is_leaf and 1 < len(receipts) <= _MOST_SHARES:
            yield from self._shares(node, receipts, depth + 1)

    def _within(self, node: int, label: str) -> str:
        """A weight under its layer without the layer's name before it."""
        if self._tree is None or self._tree.of_node[node] == NO_GROUP:
            return label
        group = self._tree.names[self._tree.of_node[node]]
        for name in (group, group.partition(".")[2]):  # a model's class is no part of its weights
            before, found, rest = label.rpartition(f"{name}.")
            if name and found and (not before or before.endswith(".")):
                return rest
        return label

    def _shares(self, node: int, receipts: Sequence[int], depth: int) -> Iterator[FlowRow]:
        """One contribution a row: told by its iteration or module, where these differ."""
        trace, tree = self._trace, self._tree
        senders = [int(trace.senders[step]) for step in receipts]
        groups = [NO_GROUP if tree is None else int(tree.of_node[sender]) for sender in senders]
        for step, sender, group in zip(receipts, senders, groups, strict=True):
            name = f"from {trace.label(sender)}"
            if tree is not None and group != NO_GROUP and len(set(groups)) > 1:
                name = f"{tree.names[group]}, {name}"
            figures = figures_of(trace.contribution(step))
            yield FlowRow(Kind.SHARE, name, depth, node, step, figures)

    def _receipts(self, node: int) -> list[int]:
        found = self._trace.receipts(node)
        return [step for step in found if self._pass.start <= step < self._pass.stop]


def _ratios_after(trace: Trace, pass_: Pass) -> Mapping[str, float]:
    """Those of the optimiser's step before the next backward pass."""
    for later in trace.passes[pass_.index + 1 :]:
        if later.kind is PassKind.BACKWARD:
            break
        if later.ratios:
            return later.ratios
    return {}


def _marked(rows: list[FlowRow], output: int | None) -> Iterator[FlowRow]:
    """Each compared with the first that is neither 0 nor nan; the output's is always 1."""
    sizes = (row.figures.rms for row in rows if row.node != output or row.kind is not Kind.LAYER)
    first = next((size for size in sizes if 0 < size < math.inf), 0.0)
    for row in rows:
        yield replace(row, mark="" if row.node == output else _mark(row.figures, first))


def _mark(figures: Figures, first: float) -> str:
    if figures.nonfinite or math.isnan(figures.norm):
        return "nan"
    if not figures.norm:
        return "dead"
    if figures.rms < VANISHING * first:
        return "vanishing"
    return "exploding" if figures.rms > EXPLODING * first > 0 else ""
