"""Which iteration of which loop made a node: columns, since there may be a million of them."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from typing import Final, NamedTuple

_NOWHERE: Final = -1


class Naming(NamedTuple):
    """How an iteration is told: the texts before and after its number, `i=` and nothing."""

    before: str
    after: str = ""
    is_counted: bool = False
    """Whether the number is the loop's own variable, and not the place of an item."""


class Iterations:
    """Stretches of nodes by number, each with the iteration that it belongs to.

    An iteration is a number, and refers to the iteration of the loop around its own.
    """

    def __init__(self) -> None:
        self._starts = array("q")
        """The first node of each stretch, ascending."""
        self._stretches = array("q")
        """The iteration of each; -1 outside of loops."""
        self._namings: list[Naming] = []
        self._numbers = array("q")
        self._outer = array("q")
        self._current = _NOWHERE

    @property
    def current(self) -> int:
        """The iteration that is on; -1 outside of loops."""
        return self._current

    def begin(self, node: int, naming: Naming, number: int) -> None:
        """Enter an iteration: nodes from `node` on belong to it."""
        self._namings.append(naming)
        self._numbers.append(number)
        self._outer.append(self._current)
        self._go(node, len(self._namings) - 1)

    def end(self, node: int) -> None:
        """Leave the current iteration: nodes from `node` on belong to the one around it."""
        self._go(node, self._outer[self._current])

    def _go(self, node: int, iteration: int) -> None:
        self._current = iteration
        if self._starts and self._starts[-1] == node:
            self._stretches[-1] = iteration
        else:
            self._starts.append(node)
            self._stretches.append(iteration)

    def of(self, node: int) -> tuple[str, ...]:
        """The iterations that `node` was made in, the outermost first: `i=3`, `j=0`."""
        at = bisect_right(self._starts, node) - 1
        iteration = self._stretches[at] if at >= 0 else _NOWHERE
        texts: list[str] = []
        while iteration != _NOWHERE:
            before, after, _ = self._namings[iteration]
            texts.append(f"{before}{self._numbers[iteration]}{after}")
            iteration = self._outer[iteration]
        return tuple(reversed(texts))
