"""Whether our gradients are what mathematics says.

Sympy differentiates one output at a time; what `.grad` holds is the sum over the backward passes
since it was last zeroed, each weighted with its seed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.values import Value
from backprop_engine.checking.differences import engine_error, gross_contributions
from backprop_engine.checking.functional import Term, functional_of
from backprop_engine.run.tape import graph_of
from backprop_engine.trace import Missing, Trace
from backprop_tui.oracles.report import Ready
from backprop_tui.oracles.sympy.report import Function, SymbolicAnswer, SymbolicReport

_NEARBY_FACTOR = 4.0
"""A program rounds more than once: so many times what roundoffs in its inputs would do."""

TOO_SLOW = "too much mathematics for the time there is"


@dataclass(frozen=True, slots=True)
class SymbolicGradient:
    """A gradient as mathematics has it; None where it has none, or where `reason` says why."""

    gradient: float | None = None
    tolerance: float = 0.0
    reason: str = ""
    summary: str = ""
    """The reason in few words, the same for all of a kind."""

    def agrees(self, ours: Value | None) -> bool:
        """Whether `ours` is the same, as far as that can be judged."""
        if self.reason:
            return True
        if ours is None or self.gradient is None:
            return ours is self.gradient
        return bool(np.isfinite(ours)) and abs(float(ours) - self.gradient) <= self.tolerance


def symbolic_gradients(trace: Trace, answer: SymbolicAnswer) -> Mapping[int, SymbolicGradient]:
    """By node, the final `.grad` of every input that requires grad; nothing if the child failed."""
    graph = graph_of(trace)
    leaves = [node for node in graph.inputs.values() if graph.requires_grad[node]]
    if isinstance(answer, Ready):
        terms = {node: functional_of(trace, node) for node in leaves}
        return {node: gradient_of(trace, answer.report, node, terms[node]) for node in leaves}
    if isinstance(answer, Missing):
        return dict.fromkeys(leaves, SymbolicGradient(reason=answer.reason, summary=answer.summary))
    if answer.is_late:
        return dict.fromkeys(leaves, SymbolicGradient(reason=answer.reason, summary=TOO_SLOW))
    return {}


def gradient_of(
    trace: Trace, report: SymbolicReport, node: int, terms: Sequence[Term]
) -> SymbolicGradient:
    """The derivative by input `node` of the sum of `terms`, each a seed times an output."""
    slopes: list[float] = []
    unsure: list[float] = []
    size = 0.0
    is_reached = False
    for term in terms:
        function = report.functions[term.output]
        partial = function.partials.get(node)
        reason = function.reason if partial is None else partial.reason
        if reason:
            return SymbolicGradient(reason=reason, summary=reason)
        if partial is None or partial.value is None:
            continue
        is_reached = True
        seed = float(term.seed)
        nearby = partial.value if partial.nearby is None else partial.nearby
        slopes.append(seed * partial.value)
        unsure.append(abs(seed * (nearby - partial.value)))
        size += abs(seed * _value(function))
    if not is_reached and (trace.passes[-1].grads or {}).get(node) is None:
        return SymbolicGradient()
    gross = float(gross_contributions(trace, node))
    tolerance = engine_error(trace, gross, size) + _NEARBY_FACTOR * math.fsum(unsure)
    return SymbolicGradient(math.fsum(slopes), tolerance)


def _value(function: Function) -> float:
    return 0.0 if function.value is None else function.value
