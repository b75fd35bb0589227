"""What nodes receive in a pass, by us and by torch, and sums of it."""

from __future__ import annotations

from dataclasses import field

import numpy as np

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.values import Value, kept
from backprop_engine.trace import Trace


@dataclass
class Received:
    """What a node has received so far in a pass."""

    agrees: bool = True
    """Every contribution agrees, and our running sums are the sums of ours."""
    degree: int = 0
    steps: list[tuple[int, ...]] = field(default_factory=list)
    """What has been sent by others, each joint as one."""
    ours: Value | None = None
    theirs: Value | None = None
    magnitude: Value = 0.0
    """The sum of the magnitudes of torch's contributions."""
    is_open: bool = False
    """Something of it is open: torch has another result, and the reason is told."""
    is_adrift: bool = False
    """Something of it is off by more than half of its digits, and that is told."""


def our_contribution(trace: Trace, steps: tuple[int, ...]) -> Value | None:
    """The sum of what we send in `steps`."""
    total: Value | None = None
    for step in steps:
        total = plus(total, kept(trace.contributions[step]))
    return total


def is_zero(value: Value | None) -> bool:
    """Whether there is a value, and all of it is 0."""
    return value is not None and not np.any(value)


def plus(total: Value | None, more: Value | None) -> Value | None:
    """The sum of what is there of both."""
    if total is None or more is None:
        return more if total is None else total
    return total + more
