"""Breakpoints and watches as plain data, and what is known of their hits.

They speak of nodes by label, never by number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from enum import StrEnum

import numpy as np

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.trace import Trace


class PlaceKind(StrEnum):
    """What a breakpoint is on."""

    NODE = "node"
    OPERATION = "operation"
    PASSES = "pass"
    ANYWHERE = "anywhere"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a breakpoint looks.

    On a node: every step in which it takes part. On an operation: every step that computes one,
    or sends from one. On a pass: its first step; with a condition, all of its steps.
    """

    kind: PlaceKind
    name: str = ""
    """A node's label, an operation's name, or a pass's name; empty for anywhere."""


ANYWHERE = Place(PlaceKind.ANYWHERE)


@dataclass(frozen=True, slots=True)
class Breakpoint:
    """Where to stop."""

    place: Place
    condition: str = ""
    title: str = ""
    """What a ready-made one looks for: `NaN`."""
    ignored: int = 0
    """So many of its hits, from the start of the timeline, are passed by."""
    is_enabled: bool = True

    @property
    def key(self) -> tuple[Place, str]:
        """Two breakpoints with the same key have the same hits."""
        return self.place, self.condition

    @property
    def is_active(self) -> bool:
        """Whether continuing stops at it."""
        return self.is_enabled

    @property
    def text(self) -> str:
        """As one types it: `x if abs(grad) > 10`."""
        place = self.place.name
        if self.place.kind in (PlaceKind.OPERATION, PlaceKind.PASSES):
            place = f"{self.place.kind} {place}"
        return " ".join(part for part in (place, self.condition and f"if {self.condition}") if part)


@dataclass(frozen=True, slots=True)
class Watch:
    """An expression to keep an eye on."""

    text: str
    is_stop: bool = False
    """Whether continuing stops where it changes."""

    @property
    def key(self) -> str:
        """Two watches with the same key change at the same places."""
        return self.text

    @property
    def is_active(self) -> bool:
        """Whether continuing stops at it."""
        return self.is_stop

    @property
    def ignored(self) -> int:
        """No change is passed by."""
        return 0


Stop = Breakpoint | Watch
Key = tuple[Place, str] | str


@dataclass(frozen=True, eq=False)
class Scan:
    """The hits of one stop found so far, in cursors: a stop at k leaves step k about to run."""

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


@dataclass(frozen=True, slots=True)
class Search:
    """A continue that waits for scans to come far enough."""

    forward: bool
    origin: int
    """The cursor it started from; it is off as soon as the cursor is elsewhere."""
    start: int
    """The hit lies beyond this cursor."""
    only: Key | None = None
    """The one stop that is meant, active or not; None for all that are active."""


@dataclass(frozen=True)
class Stops:
    """All breakpoints and watches of a session, and what is known of their hits."""

    breakpoints: tuple[Breakpoint, ...] = ()
    watches: tuple[Watch, ...] = ()
    chosen: int = 0
    """Which watch the keys of the Watches pane mean."""
    found: tuple[Breakpoint, ...] = ()
    """Where an oracle has found a mistake: neither listed nor kept."""
    aside: tuple[Stop, ...] = ()
    """Kept from an earlier run, but the graph has no such name now."""
    scans: Mapping[Key, Scan] = field(default_factory=dict)
    search: Search | None = None

    @property
    def all(self) -> tuple[Stop, ...]:
        """Breakpoints, then watches, then what an oracle has found."""
        return (*self.breakpoints, *self.watches, *self.found)

    @property
    def active(self) -> tuple[Stop, ...]:
        """What continuing stops at."""
        return tuple(stop for stop in self.all if stop.is_active)

    @property
    def sought(self) -> tuple[Stop, ...]:
        """What the search under way may stop at; without one, what continuing does."""
        only = None if self.search is None else self.search.only
        return self.active if only is None else tuple(stop for stop in self.all if stop.key == only)
