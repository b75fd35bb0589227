"""What a `.grad` is the gradient of: a sum of outputs of backward passes, times their seeds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from backprop_engine.basics.values import Value, in_full
from backprop_engine.trace import Pass, PassKind, Trace


class Term(NamedTuple):
    """⟨seed, output⟩, of one backward pass."""

    pass_index: int
    output: int
    seed: Value


Functional = tuple[Term, ...]
"""A sum of them."""


def functional_of(trace: Trace, node: int, passes: Sequence[Pass] | None = None) -> Functional:
    """What `.grad` of `node` is the gradient of after `passes`, by default all of them."""
    done = trace.passes if passes is None else passes
    return terms_of(trace, done[last_zeroed(trace, node, done) + 1 :])


def last_zeroed(trace: Trace, node: int, passes: Sequence[Pass]) -> int:
    """The place in `passes` of the last that took the `.grad` of `node` away; −1 for none."""
    for at in reversed(range(len(passes))):
        if passes[at].kind is PassKind.ZERO_GRAD:
            after = (trace.passes[passes[at].index].grads or {}).get(node)
            if after is None or not np.any(in_full(after)):
                return at
    return -1


def terms_of(trace: Trace, passes: Sequence[Pass]) -> Functional:
    """The sum that these backward passes differentiate together."""
    terms: list[Term] = []
    for pass_ in passes:
        if pass_.kind is PassKind.BACKWARD and pass_.output is not None:
            seed = trace.contributions[pass_.start]
            if seed is not None:
                terms.append(Term(pass_.index, pass_.output, widened(in_full(seed))))
    return tuple(terms)


def widened(value: Value) -> Value:
    """Float32 as float64, anything else unchanged."""
    if isinstance(value, np.ndarray):
        return value.astype(np.float64) if value.dtype == np.float32 else value
    return float(value) if isinstance(value, np.float32) else value
