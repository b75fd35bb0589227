"""Whether torch agrees with our trace, for every value, contribution and gradient.

    agreed = agreement(trace, report)        # once, in the worker that got the report
    agreed.contribution(step)                # → Comparison(agrees, ulp, difference), or None

Two correct programs drift apart: what differs by one ulp early differs by more later on, and
without bound where terms cancel. So each operation is judged by itself: a result agrees if it is
within 4 ulp of torch's, or if its operands agree and our own operation, *given torch's
operands*, answers what torch answered (`backprop_engine.checking.compare` has the tolerances).
A wrong derivative shows exactly where it is wrong, and in all that it spoils.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.values import Known, Value, in_full
from backprop_engine.checking.compare import Comparison, compare
from backprop_engine.trace import PassKind, StepKind, Trace
from backprop_tui.oracles.report import TorchReport
from backprop_tui.oracles.torch.sweep import Sweep, our_contribution
from backprop_tui.oracles.torch.value_sweep import Verdict

MISSING = Comparison(False, math.inf, math.nan)
"""One side has a value and the other has none, which is no zero that torch has left out."""


@dataclass(frozen=True, eq=False)
class Agreement:
    """Every answer is a Comparison of ours with torch's; None where there is nothing to compare."""

    trace: Trace
    report: TorchReport
    faulty_nodes: tuple[int, ...]
    """Nodes whose own operation differs, though torch agrees on its operands."""
    faulty_steps: tuple[int, ...]
    """Contributions that differ, though torch agrees on all that goes into them."""
    blown_up: Mapping[int, int]
    """By faulty node, whose difference is too small to count, the node that makes much of it."""
    departures: Mapping[int, str]
    """Steps of which torch's result is another, and both are right: it is known to send something
    else than the derivative, it picks others of equal elements, or nobody can know the result (it
    is not settled); with the words for it."""
    adrift_totals: frozenset[int]
    """Those of which it is the receiver's running sum that differs, not what is sent."""
    allowed_values: Mapping[int, Value]
    """By faulty node, what torch's value may differ by; those of other causes are not here."""
    allowed_contributions: Mapping[int, Value]
    """The same by faulty step."""
    _values: bytearray
    _contributions: bytearray
    _totals: bytearray
    _grads: Mapping[tuple[int, int], Verdict]

    def value(self, node: int) -> Comparison | None:
        """The value of `node`."""
        ours, theirs = self.trace.nodes.value[node], self.report.values.get(node)
        return _judged(ours, theirs, self._values[node])

    def contribution(self, step: int) -> Comparison | None:
        """What step `step` sends (a seed too); a joint is compared as the sum it is."""
        joint = self.report.joints.get(step)
        if joint is None:
            ours, theirs = self.trace.contributions[step], self.report.contributions.get(step)
        else:
            ours, theirs = our_contribution(self.trace, joint.steps), joint.contribution
        return _judged(ours, theirs, self._contributions[step])

    def total(self, step: int) -> Comparison | None:
        """The receiver's running sum after step `step`; None inside a joint."""
        joint = self.report.joints.get(step)
        if joint is not None and step != joint.steps[-1]:
            return None
        ours, theirs = self.trace.totals[step], self.report.totals.get(step)
        return _judged(ours, theirs, self._totals[step])

    def step(self, step: int) -> Comparison | None:
        """The result of step `step`: a value in the forward pass, else a contribution."""
        at = self.trace.step(step)
        if at.kind is StepKind.FORWARD and at.node is not None:
            return self.value(at.node)
        return self.contribution(step)

    def gradient(self, node: int, cursor: int) -> Comparison | None:
        """The gradient of `node` as of `cursor`, as `trace.gradient(node, cursor)` shows it."""
        step = self._last_receipt(node, cursor)
        return None if step is None else self.total(step)

    def torch_gradient(self, node: int, cursor: int) -> Value | None:
        """Torch's gradient of `node` as of `cursor`."""
        step = self._last_receipt(node, cursor)
        return None if step is None else self.report.totals.get(step)

    def grad(self, node: int, cursor: int) -> Comparison | None:
        """`.grad` of an input as of `cursor`, as `trace.grad(node, cursor)` shows it."""
        done = self._last_accumulation(node, cursor)
        return None if done is None else self.grad_after(done, node)

    def torch_grad(self, node: int, cursor: int) -> Value | None:
        """Torch's `.grad` of an input as of `cursor`."""
        done = self._last_accumulation(node, cursor)
        return None if done is None else self.report.grads.get(done, {}).get(node)

    def grad_after(self, pass_index: int, node: int) -> Comparison | None:
        """`.grad` of an input once pass `pass_index` is done."""
        ours = (self.trace.passes[pass_index].grads or {}).get(node)
        theirs = self.report.grads.get(pass_index, {}).get(node)
        return _judged(ours, theirs, self._grads.get((pass_index, node), Verdict.OFF))

    def _last_receipt(self, node: int, cursor: int) -> int | None:
        shown = self.trace.shown_pass(cursor)
        received = self.trace.progress(node, cursor).received
        if not received:
            return None
        steps = self.trace.receipts(node)
        first = next(at for at, step in enumerate(steps) if step >= shown.start)
        return steps[first + received - 1]

    def _last_accumulation(self, node: int, cursor: int) -> int | None:
        """The pass after which `.grad` stands as it does at `cursor`; None before the first."""
        shown = self.trace.shown_pass(cursor)
        complete = shown.kind is PassKind.BACKWARD and self.trace.progress(node, cursor).is_complete
        done = shown.index if complete or cursor >= shown.stop else shown.index - 1
        return done if done > 0 else None


def agreement(trace: Trace, report: TorchReport) -> Agreement:
    """Compare the whole trace with torch's report, in one sweep."""
    sweep = Sweep(trace, report)
    sweep.run()
    return Agreement(
        trace=trace,
        report=report,
        faulty_nodes=tuple(sweep.values.faulty_nodes),
        faulty_steps=tuple(sweep.faulty_steps),
        blown_up=sweep.values.blown_up,
        departures=sweep.departures,
        adrift_totals=frozenset(sweep.adrift_totals),
        allowed_values=sweep.values.allowed,
        allowed_contributions=sweep.allowed,
        _values=sweep.values.verdicts,
        _contributions=sweep.contributions,
        _totals=sweep.totals,
        _grads=sweep.grads,
    )


def _judged(ours: Known | None, theirs: Value | None, verdict: int) -> Comparison | None:
    if ours is None or theirs is None:
        return None if ours is theirs or verdict else MISSING
    is_open = verdict == Verdict.OPEN
    return compare(in_full(ours), theirs)._replace(agrees=bool(verdict), is_open=is_open)
