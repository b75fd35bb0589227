"""What a session remembers of a search and of playing: plain data."""

from __future__ import annotations

import numpy as np

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.trace import Trace

RATES = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
"""Steps a second that play may go at."""


@dataclass(frozen=True, eq=False)
class Matches:
    """The rows of the tree, ascending, that a query has been found in so far."""

    trace: Trace
    text: str
    """The query."""
    cursor: int | None
    """Where it was looked for, if the answer depends on the cursor."""
    exact: np.ndarray
    """Rows that have the query in them as it is typed, or fulfil it as a condition."""
    fuzzy: np.ndarray
    """Rows that have its letters in this order."""
    done: int = 0
    """Rows looked at; all rows before it have been."""
    total: int = 0
    trouble: str = ""
    """Why the query cannot be looked for."""

    @property
    def is_complete(self) -> bool:
        """Whether every row has been looked at."""
        return self.done >= self.total

    @property
    def rows(self) -> np.ndarray:
        """The matches: exact ones; where there are none, once that is certain, fuzzy ones."""
        return self.exact if len(self.exact) or not self.is_complete else self.fuzzy


@dataclass(frozen=True)
class Search:
    """What was searched for last."""

    text: str
    matches: Matches | None = None
    forward: bool | None = None
    """Where the match lies that is still looked for; None where none is."""
    start: int = 0
    """The row from which on it is looked for."""
    inclusive: bool = False
    """Whether the match may be `start` itself."""


@dataclass(frozen=True, slots=True)
class Play:
    """The steps run by themselves."""

    forward: bool
    cursor: int
    """Where play has come to; it is off as soon as the cursor is elsewhere."""
