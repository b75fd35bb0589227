"""What is to be said of a learner's file: the first thing that is wrong by itself."""

from __future__ import annotations

from enum import StrEnum

from backprop_engine.basics.dataclass import dataclass


class Kind(StrEnum):
    """What is wrong."""

    FORWARD = "forward"
    SEED = "seed"
    ORDER = "order"
    FIRED_TWICE = "fired twice"
    OVERWRITTEN = "overwritten"
    RULE = "rule"
    SHAPE = "shape"
    SENDS_NOTHING = "sends nothing"
    NEVER_SENT = "never sent"
    STALE = "stale"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The first thing that is wrong, though all that goes into it is right."""

    kind: Kind
    message: str
    """One or two plain sentences."""
    line: int | None
    """In the learner's file."""
    step: int | None
    """Of the trace: the first in which it shows."""
    program: str = ""
    """The probe program in which it shows; empty for a scenario of the learner's choice."""
