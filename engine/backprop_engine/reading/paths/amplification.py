"""How large what a path carries may become on the rest of its way, for every node at once.

Sizes multiply along a path, so their logarithms add up, and the largest rest of the way from each
node is found in one sweep from the target upwards. Zero, inf and nan have no logarithm of use:
0 · inf is nan, so whether an inf ahead makes a nan depends on whether there was a zero before.
Hence the sweep is made for each state that a path can be in: finite, zero, infinite, nan.

For scalars the logarithms are those of the local derivatives, and the answer is exact. An edge
between arrays has no one size: there it is how much the edge has grown or shrunk the gradient
that the pass has sent along it, and the answer is an estimate.
"""

from __future__ import annotations

import math
from enum import IntEnum
from typing import Final

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.values import Value, norm_of
from backprop_engine.reading.paths.edges import WATCHED_EVERY, Edges, Watch


class State(IntEnum):
    """What a product is so far."""

    FINITE = 0
    ZERO = 1
    INFINITE = 2
    NAN = 3


NOTHING: Final = -math.inf
"""The key of a path that carries zero."""

_INFINITE_KEY: Final = 1e15
_NAN_KEY: Final = 2e15
"""Above every logarithm: what is not finite is what people look for."""

_AT_TARGET: Final = {
    State.FINITE: 0.0,
    State.ZERO: NOTHING,
    State.INFINITE: _INFINITE_KEY,
    State.NAN: _NAN_KEY,
}
_PERHAPS_NOTHING: Final = -1e6
"""For an edge that sent only zeros, which may be the fault of what it was given to send."""


def state_of(magnitude: float) -> State:
    """The state of a product of that magnitude."""
    if math.isnan(magnitude):
        return State.NAN
    if math.isinf(magnitude):
        return State.INFINITE
    return State.FINITE if magnitude else State.ZERO


def _times(state: State, factor: State) -> State:
    """The state of a product of both."""
    if state is State.FINITE or state is factor:
        return factor
    return state if factor is State.FINITE else State.NAN


@dataclass(frozen=True, eq=False)
class Amplification:
    """For each state that a path may be in at a node: the best there is ahead of it."""

    best: dict[State, dict[int, float]]
    """The key of the best rest of the way. Without inf and nan on the edges, for FINITE alone."""
    choice: dict[State, dict[int, int]]
    """The step it begins with."""
    is_exact: bool
    """Whether keys are exact, to rounding."""
    locals: dict[int, Value]
    """The local derivative of each step; empty where there are arrays."""

    def key(self, node: int, magnitude: float) -> float:
        """What paths with `magnitude` at `node` carry at best: a logarithm, or what is above all.

        NOTHING where all that is ahead of them is zero.
        """
        state = state_of(magnitude)
        if state is State.FINITE:
            return self.best[state][node] + math.log(magnitude)
        if state in self.best:
            return self.best[state][node]
        return _AT_TARGET[state]

    def next_step(self, node: int, magnitude: float) -> int:
        """The step that the best path goes on with."""
        state = state_of(magnitude)
        return self.choice[state if state in self.choice else State.FINITE][node]


def amplification(edges: Edges, watch: Watch) -> Amplification:
    """Sweep over `edges` from the target upwards."""
    local: dict[int, Value] = {}
    factors: dict[int, tuple[State, float]] = {}
    total = max(len(edges), 1)
    for at, step in enumerate(step for steps in edges.by_sender.values() for step in steps):
        if edges.is_scalar:
            local[step] = edges.local(step)
            factors[step] = _scalar_factor(norm_of(local[step]))
        else:
            factors[step] = _array_factor(edges, step)
        if at % WATCHED_EVERY == 0 or not edges.is_scalar:
            watch(0.5 * at / total)
    is_finite = all(state <= State.ZERO for state, _ in factors.values())
    best: dict[State, dict[int, float]] = {}
    choice: dict[State, dict[int, int]] = {}
    # From nan down to finite: a finite path may pass into every other state.
    for state in (State.FINITE,) if is_finite else reversed(State):
        best[state] = {edges.target: _AT_TARGET[state]}
        choice[state] = {}
    senders = list(edges.by_sender.items())
    for at, (sender, steps) in enumerate(reversed(senders)):
        for state in best:
            keys = [
                _key_through(best, state, factors[step], edges.receiver(step)) for step in steps
            ]
            largest = max(keys)
            best[state][sender] = largest
            choice[state][sender] = steps[keys.index(largest)]
        if at % WATCHED_EVERY == 0:
            watch(0.5 + 0.5 * at / len(senders))
    return Amplification(best, choice, edges.is_scalar and is_finite, local)


def _key_through(
    best: dict[State, dict[int, float]], state: State, factor: tuple[State, float], receiver: int
) -> float:
    after = _times(state, factor[0])
    if after not in best:  # zero, with no inf or nan on any edge that could still make it a nan
        return NOTHING
    ahead = best[after][receiver]
    return ahead + factor[1] if state is State.FINITE else ahead


def _scalar_factor(magnitude: float) -> tuple[State, float]:
    state = state_of(magnitude)
    return state, math.log(magnitude) if state is State.FINITE else 0.0


def _array_factor(edges: Edges, step: int) -> tuple[State, float]:
    """How the edge changed the size of what it was given; tried with ones where that is no help."""
    trace = edges.trace
    sender = int(trace.senders[step])
    upstream = trace.gradient(sender, step)
    before = 0.0 if upstream is None else norm_of(upstream)
    after = norm_of(trace.contribution(step))
    if state_of(before) is State.FINITE and state_of(after) is State.FINITE:
        return State.FINITE, math.log(after) - math.log(before)
    ones = norm_of(edges.local(step))
    if state_of(ones) is State.ZERO:
        return State.FINITE, _PERHAPS_NOTHING
    return _scalar_factor(ones)
