"""The paths that carry most, one after the other, and all others in one sum.

The best path of all is known from the sweep of `amplification`. The others are found from it:
every other path leaves it somewhere, by another step than it takes. So the paths that are not
listed yet are always a few bundles, each with a beginning in common and a bound on what it
carries; the next path is the best one of the best bundle, and takes it apart into bundles that
begin later. A bundle that can no longer be among the listed is not taken apart: what its
beginning carries is noted at the node where it ends, and one backward pass from all those nodes
gives the sum over all paths of all bundles, be they 2¹⁰⁰.
"""

from __future__ import annotations

import math
from bisect import insort
from dataclasses import field
from typing import NamedTuple

import numpy as np

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.values import Value, norm_of
from backprop_engine.reading.paths.amplification import NOTHING, Amplification
from backprop_engine.reading.paths.edges import Edges, Watch, add_to

_CANDIDATES = 2
"""Where keys are estimates, so many times as many paths are found as are listed."""
_ELEMENTS = 50
"""Elements of an array that take as long as one edge between scalars: few, for the sake of
matrix products."""


class Found(NamedTuple):
    """One path."""

    steps: list[int]
    """The contribution steps, from the output on; none where the output is the target."""
    sizes: list[float]
    """How much is carried: the seed, and after each step."""
    carried: Value


class _Bundle(NamedTuple):
    """All paths that begin with `steps[:length]` and then `step`."""

    rank: tuple[float, int]
    """The best of them first, then in order of their finding."""
    steps: list[int]
    sizes: list[float]
    length: int
    step: int | None
    """None for the bundle of all paths."""
    carried: Value


@dataclass
class Search:
    """The `limit` largest paths of `edges`, as far as `budget` edges lead; see the module."""

    edges: Edges
    ahead: Amplification
    limit: int
    budget: int
    watch: Watch
    listed: list[Found] = field(default_factory=list)
    """The largest first."""
    rest: dict[int, Value] = field(default_factory=dict)
    """Node → what all bundles that end there carry, for the paths that are not listed."""
    is_complete: bool = True
    """Whether every path that carries anything has been found."""

    def run(self) -> None:
        """Fill `listed` and `rest`."""
        edges, wanted = self.edges, self.limit * (1 if self.ahead.is_exact else _CANDIDATES)
        self._bundles: list[_Bundle] = []
        self._offered, self._spent, self._done, found = 0, 0.0, 0.0, list[Found]()
        self._offer([], [], None, edges.seed, edges.output, room=wanted)
        while self._bundles and len(found) < wanted and (self._spent < self.budget or not found):
            found.append(self._take_best(room=wanted - len(found) - 1))
            self._done = max(len(found) / wanted, min(self._spent / self.budget, 1.0))
            self.watch(self._done)
        for bundle in self._bundles:
            self._note(bundle)
        found.sort(key=_by_size)
        self.listed = [path for path in found[: self.limit] if path.sizes[-1]]
        for path in found[len(self.listed) :]:
            add_to(self.rest, edges.target, path.carried)
        self.is_complete = self.is_complete and len(found) <= self.limit

    def _send(self, step: int, carried: Value) -> Value:
        self._spent += 1 + np.size(carried) / _ELEMENTS
        # Where it is the same but for rounding, what is shown is the product that is told.
        if self.ahead.is_exact:
            return carried * self.ahead.locals[step]
        if isinstance(carried, np.ndarray):
            self.watch(self._done)  # one product of large matrices may take long
        return self.edges.send(step, carried)

    def _offer(
        self,
        steps: list[int],
        sizes: list[float],
        step: int | None,
        carried: Value,
        node: int,
        room: int,
    ) -> None:
        """Keep a bundle if it is among the best `room` of them, else note its sum."""
        self._offered += 1
        key = self.ahead.key(node, norm_of(carried))
        bundle = _Bundle((-key, self._offered), steps, sizes, len(steps), step, carried)
        if key == NOTHING:
            add_to(self.rest, node, carried)
            return
        insort(self._bundles, bundle, key=lambda bundle: bundle.rank)
        if len(self._bundles) > room:
            self._note(self._bundles.pop())

    def _note(self, bundle: _Bundle) -> None:
        self.is_complete = False
        end = self.edges.output if bundle.step is None else self.edges.receiver(bundle.step)
        add_to(self.rest, end, bundle.carried)

    def _take_best(self, room: int) -> Found:
        """The best path of the best bundle; the others of it become bundles of their own."""
        edges, bundle = self.edges, self._bundles.pop(0)
        steps, sizes = bundle.steps[: bundle.length], bundle.sizes[: bundle.length + 1]
        carried, node = bundle.carried, edges.output
        sizes.append(norm_of(carried))
        if bundle.step is not None:
            steps.append(bundle.step)
            node = edges.receiver(bundle.step)
        while node != edges.target:
            best = self.ahead.next_step(node, sizes[-1])
            for step in edges.by_sender[node]:
                if step != best:
                    sent = self._send(step, carried)
                    self._offer(steps, sizes, step, sent, edges.receiver(step), room)
            carried, node = self._send(best, carried), edges.receiver(best)
            steps.append(best)
            sizes.append(norm_of(carried))
        return Found(steps, sizes, carried)


def _by_size(path: Found) -> tuple[int, float]:
    carried = path.sizes[-1]
    if math.isnan(carried):
        return 0, 0.0
    return 1, -carried
