"""What a session knows of its what-ifs: plain data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.values import Value
from backprop_engine.trace import Trace

Leaves = Mapping[int, Value]
"""Values that stand in the place of the scenario's own, by leaf."""

IsUnwanted = Callable[[], bool]
"""Asked again and again while a graph is run, whether to give it up."""


@dataclass(frozen=True, eq=False, slots=True)
class Difference:
    """What is not the same in two traces of one graph."""

    values: bytearray
    """One entry a node: 1 where its value differs."""
    totals: bytearray
    """One entry a step: 1 where what the receiver holds after it differs."""


@dataclass(frozen=True, slots=True)
class Nudge:
    """A leaf moved by a little: `amount` at each of its elements, or at one of them."""

    node: int
    amount: float
    index: tuple[int, ...] | None = None
    """The one element; None for all."""


@dataclass(frozen=True, eq=False, slots=True)
class Wanted:
    """A run that has been asked for."""

    values: Leaves
    history: tuple[Leaves, ...]
    nudge: Nudge | None = None
    said: str = ""
    """What there is to say once it is there."""


@dataclass(frozen=True, eq=False)
class WhatIf:
    """The scenario's own run, what has been put in the place of its values, and the way back."""

    original: Trace | None = None
    """The trace with the scenario's own values; None inside of an operation."""
    values: Leaves = field(default_factory=dict)
    difference: Difference | None = None
    """Of the session's trace from the original; None while they are the same one."""
    history: tuple[Leaves, ...] = ()
    """Earlier `values`, the last at the end."""
    element: tuple[int, tuple[int, ...]] | None = None
    """The leaf, and in it the one element, that was edited last: what a nudge moves."""
    wanted: Wanted | None = None
    refusal: str = ""
    """Why the last run that was wanted could not be made; empty where it could."""
