"""How far the timeline has been looked through for the hits of one stop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from backprop_engine.trace import Trace


@dataclass(frozen=True, eq=False)
class Scan:
    """The hits found so far. All of it is in cursors: a stop at k leaves step k about to run."""

    trace: Trace
    """What was scanned; of another trace nothing is known."""
    candidates: Sequence[int] | np.ndarray
    """Where a hit may be, ascending."""
    done: int
    """So many of the candidates have been looked at."""
    hits: np.ndarray
    """int64, ascending."""
    trouble: str = ""
    """Why the condition or the watch could not be evaluated everywhere; empty where it could."""

    @property
    def is_complete(self) -> bool:
        """Whether all hits are known."""
        return self.done == len(self.candidates)

    @property
    def reach(self) -> int:
        """Every hit at a cursor below this one is known."""
        return len(self.trace) + 1 if self.is_complete else int(self.candidates[self.done])

    def count(self, before: int) -> int:
        """How many hits lie before cursor `before`, as far as they are known."""
        return int(np.searchsorted(self.hits, before))
