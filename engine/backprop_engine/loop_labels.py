"""Which iteration of which loop made a node: columns, since there may be a million of them."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from typing import Final, NamedTuple

NOWHERE: Final = -1


class Naming(NamedTuple):
    """How an iteration is told: the texts before and after its number, `i=` and nothing."""

    before: str
    after: str = ""
    is_counted: bool = False
    """Whether the number is the loop's own variable, and not the place of an item."""


class _Run(NamedTuple):
    """A loop from its start to its end; its iterations are numbered one after the other."""

    naming: Naming
    numbers: range
    outer: int
    """The iteration around it."""


class Iterations:
    """Stretches of nodes by number, each with the iteration that it belongs to."""

    def __init__(self) -> None:
        self.current = NOWHERE
        """The iteration that is on; -1 outside of loops."""
        self._starts = array("q")
        """The first node of each stretch, ascending."""
        self._stretches = array("q")
        """The iteration of each; -1 outside of loops."""
        self._advances = bytearray()
        """Of each 1 where every node of it belongs to an iteration of its own, else 0."""
        self._runs: list[_Run] = []
        self._firsts = array("q")
        """The first iteration of each run."""
        self._count = 0

    def begin(self, naming: Naming, numbers: range) -> int:
        """Enter a loop with an iteration for each of `numbers`; returns the first iteration."""
        first = self._count
        self._runs.append(_Run(naming, numbers, self.current))
        self._firsts.append(first)
        self._count += len(numbers)
        return first

    def go(self, node: int, iteration: int) -> None:
        """Nodes from `node` on belong to `iteration`."""
        self.current = iteration
        starts = self._starts
        if starts and starts[-1] == node:
            self._stretches[-1] = iteration
            self._advances[-1] = 0
        else:
            starts.append(node)
            self._stretches.append(iteration)
            self._advances.append(0)

    def go_on(self, node: int, iteration: int) -> None:
        """Of the next nodes each belongs to one iteration, from these two on."""
        self.go(node, iteration)
        self._advances[-1] = 1

    def of(self, node: int) -> tuple[str, ...]:
        """The iterations that `node` was made in, the outermost first: `i=3`, `j=0`."""
        at = bisect_right(self._starts, node) - 1
        iteration = NOWHERE
        if at >= 0:
            iteration = self._stretches[at] + self._advances[at] * (node - self._starts[at])
        texts: list[str] = []
        while iteration != NOWHERE:
            run = bisect_right(self._firsts, iteration) - 1
            (before, after, _), numbers, outer = self._runs[run]
            texts.append(f"{before}{numbers[iteration - self._firsts[run]]}{after}")
            iteration = outer
        return tuple(reversed(texts))
