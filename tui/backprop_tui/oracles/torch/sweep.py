"""One sweep over a trace and torch's report that finds where they agree (see `agreement`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import field
from functools import partial
from typing import Any

import numpy as np

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.values import Value, kept
from backprop_engine.checking import ties
from backprop_engine.checking.compare import (
    DEGREE_ROUNDOFFS,
    Recomputed,
    compare,
    recompute_contribution,
    roundoff,
)
from backprop_engine.checking.summing import magnitude
from backprop_engine.checking.unsettled import OVERFLOW, ROUNDING, is_adrift, words_on
from backprop_engine.operation import Derivative
from backprop_engine.run.tape import graph_of
from backprop_engine.trace import Pass, PassKind, Trace
from backprop_tui.oracles.report import TorchReport
from backprop_tui.oracles.torch.value_sweep import (
    ValueSweep,
    Verdict,
    both_stand,
    differs,
    is_other_kind,
    verdict_on,
)


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


ZERO_OF_SGN = "torch computes nothing with the 0 that `sgn` sends: it stays 0 beside inf and nan"
UNWRITTEN = (
    "a fault of torch: for the 0 that `sgn` sends it reads memory that nothing was written to; "
    "of 0 comes 0, as the engine has it"
)


class Sweep:
    """A Verdict for every node and step."""

    def __init__(self, trace: Trace, report: TorchReport) -> None:
        self.trace = trace
        self.graph = graph_of(trace)
        self.report = report
        self.values = ValueSweep(trace, report)
        self.departures = self.values.departures
        self.contributions = bytearray(len(trace))
        self.totals = bytearray(len(trace))
        self.grads: dict[tuple[int, int], Verdict] = {}
        self.faulty_steps: list[int] = []
        self.adrift_totals: set[int] = set()
        self.allowed: dict[int, Value] = {}
        """What torch's contribution may differ by, of the faulty ones that could be computed."""

    def run(self) -> None:
        """Fill in all verdicts."""
        with np.errstate(all="ignore"):
            self.values.run()
            for pass_ in self.trace.passes:
                received: dict[int, Received] = {}
                gradients: dict[int, Verdict] = {}
                if pass_.kind is PassKind.BACKWARD:
                    self._judge_pass(pass_, received, gradients)
                self._judge_grads(pass_, received, gradients)

    # One backward pass

    def _judge_pass(
        self, pass_: Pass, received: dict[int, Received], gradients: dict[int, Verdict]
    ) -> None:
        """Judge the pass's steps; fills in, by node, what it received and the verdict on that."""
        for step in range(pass_.start, pass_.stop):
            sender, receiver = int(self.trace.senders[step]), int(self.trace.receivers[step])
            joint = self.report.joints.get(step)
            steps = (step,) if joint is None else joint.steps
            if step != steps[-1]:
                continue  # a joint is judged when all of it is there
            if step == pass_.start:
                verdict = self._judge_seed(step)
            else:
                if sender not in gradients:
                    gradients[sender] = self._judge_gradient(pass_, sender, received[sender])
                verdict = self._judge_contribution(
                    pass_, steps, received[sender], gradients[sender]
                )
            for each in steps:
                self.contributions[each] = verdict
            self._receive(received.setdefault(receiver, Received()), steps, verdict)
        for node, held in received.items():
            if node not in gradients:
                gradients[node] = self._judge_gradient(pass_, node, held)

    def _judge_seed(self, step: int) -> Verdict:
        ours, theirs = kept(self.trace.contributions[step]), self.report.contributions.get(step)
        agrees = ours is not None and theirs is not None and compare(ours, theirs).agrees
        if not agrees:
            self.faulty_steps.append(step)
        return verdict_on(agrees)

    def _judge_contribution(
        self, pass_: Pass, steps: tuple[int, ...], upstream: Received, on_upstream: Verdict
    ) -> Verdict:
        ours, theirs = our_contribution(self.trace, steps), self._torch_contribution(steps)
        if ours is not None and theirs is not None and compare(ours, theirs).agrees:
            if upstream.ours is not None and not np.all(np.isfinite(ours)):
                self._tell_chance(steps, upstream.ours)
            return verdict_on(True, is_open=steps[0] in self.departures)
        if theirs is None and is_zero(ours):
            return verdict_on(bool(on_upstream))  # torch leaves out what is zero by its nature
        node = int(self.trace.senders[steps[0]])
        involved = (node, *self.graph.operands[node])
        verdicts = [on_upstream, *(self.values.verdicts[each] for each in involved)]
        if not all(verdicts):
            return Verdict.OFF
        torch_upstream = self.report.gradients[pass_.index].get(node)
        if ours is None or theirs is None or upstream.ours is None or torch_upstream is None:
            self.faulty_steps.append(steps[0])
            return Verdict.OFF
        if not self._contribution_stands(steps, (upstream.ours, ours), (torch_upstream, theirs)):
            return Verdict.OFF
        if steps[0] not in self.departures:
            if is_other_kind(ours, theirs):
                return self._judge_other_kind(steps[0], involved)
            is_told = upstream.is_adrift or any(self.values.adrift[each] for each in involved)
            if not is_told and is_adrift(ours, theirs, self.graph.dtype):
                self.departures[steps[0]] = ROUNDING
        is_open = steps[0] in self.departures or Verdict.OPEN in verdicts
        return verdict_on(True, is_open=is_open)

    def _judge_other_kind(self, step: int, involved: Sequence[int]) -> Verdict:
        """One contribution is finite, and the other is not: by the values, or what is upstream."""
        if any(differs(self.graph.value[each], self.values.torch_value(each)) for each in involved):
            return self.values.tell_origin(involved, involved[0])
        self.departures[step] = OVERFLOW
        return Verdict.OPEN

    def _tell_chance(self, steps: tuple[int, ...], upstream: Value) -> None:
        """Tell of a contribution that agrees, and would not in another order."""
        if self._recompute(steps, upstream, self.graph.value.__getitem__).is_by_chance:
            self.departures[steps[0]] = OVERFLOW

    def _contribution_stands(
        self, steps: tuple[int, ...], by_us: tuple[Value, Value], by_torch: tuple[Value, Value]
    ) -> bool:
        """Whether our rule explains both contributions, each from the upstream gradient before it;
        where it is not by the rule alone, the departure is told.
        """
        graph, node = self.graph, int(self.trace.senders[steps[0]])
        from_ours = self._recompute(steps, by_us[0], graph.value.__getitem__)
        again = self._recompute(steps, by_torch[0], self.values.torch_value, as_torch=True)
        both = (from_ours, by_us[1]), (again, by_torch[1])
        if both_stand(*both):
            plainly = self._recompute(steps, by_torch[0], self.values.torch_value)
            if not compare(plainly.value, again.value).agrees:
                self.departures[steps[0]] = self._derivative(steps[0]).in_torch_words
            return True
        picked_from = self.values.torch_value(graph.operands[node][0])
        is_tie = ties.sends_alike(graph, node, picked_from, again.value, by_torch[1])
        if is_tie and from_ours.compared_with(by_us[1]).agrees:
            self.departures[steps[0]] = ties.WORDS
            return True
        if both_stand(*both, but_for_the_open=True):
            self.departures[steps[0]] = words_on(by_us[1], by_torch[1])
            return True
        if (
            self._is_zero_of_sgn(by_us[0], by_torch[0])
            and (is_zero(by_us[1]) or is_zero(by_torch[1]))
            and from_ours.compared_with(by_us[1]).agrees
        ):
            self.departures[steps[0]] = ZERO_OF_SGN if is_zero(by_torch[1]) else UNWRITTEN
            return True
        self.faulty_steps.append(steps[0])
        self.allowed[steps[0]] = again.allowed
        return False

    def _is_zero_of_sgn(self, ours: Value, theirs: Value) -> bool:
        """Whether a 0 is upstream on both sides that may be one without numbers in torch."""
        has_sgn = any(operation.name == "sgn" for operation in self.graph.operations)
        return has_sgn and is_zero(ours) and is_zero(theirs)

    def _torch_contribution(self, steps: tuple[int, ...]) -> Value | None:
        joint = self.report.joints.get(steps[0])
        return self.report.contributions.get(steps[0]) if joint is None else joint.contribution

    def _derivative(self, step: int) -> Derivative:
        """What answers for the operand that `step` sends to."""
        operation = self.graph.operation[int(self.trace.senders[step])]
        if operation is None:
            raise ValueError(f"step {step} is sent by a leaf")
        return operation.derivative(int(self.trace.positions[step]))

    def _recompute(
        self,
        steps: tuple[int, ...],
        upstream: Value,
        value_of: Callable[[int], Value],
        *,
        as_torch: bool = False,
    ) -> Recomputed:
        """Our contribution in `steps`, all of one node, from the given upstream and values."""
        graph, node = self.graph, int(self.trace.senders[steps[0]])
        operands = [value_of(operand) for operand in graph.operands[node]]
        given = (upstream, value_of(node), operands)
        again = partial(recompute_contribution, graph, node, as_torch=as_torch)
        sent = [again(int(self.trace.positions[step]), *given) for step in steps]
        if len(sent) == 1:
            return sent[0]
        total = sum((part.value for part in sent[1:]), start=sent[0].value)

        def bound() -> Value:
            terms = sum(magnitude(part.value) for part in sent)
            adding = roundoff(terms, len(steps) * (len(steps) - 1), graph.dtype)
            return sum((part.allowed for part in sent), start=adding)

        def overflows_at() -> Any:
            return np.logical_or.reduce([part.overflows_at() for part in sent])

        is_open = np.logical_or.reduce([part.is_open for part in sent])
        return Recomputed(total, bound, None, overflows_at, is_open)

    def _receive(self, held: Received, steps: tuple[int, ...], verdict: Verdict) -> None:
        expected = held.ours
        for step in steps:
            expected = plus(expected, kept(self.trace.contributions[step]))
        theirs = self._torch_contribution(steps)
        held.ours = kept(self.trace.totals[steps[-1]])
        held.theirs = self.report.totals.get(steps[-1])
        if held.theirs is None and is_zero(held.ours):
            held.theirs = held.ours
        held.degree += len(steps)
        held.steps.append(steps)
        held.magnitude = held.magnitude + (0.0 if theirs is None else magnitude(theirs))
        if held.ours is None or held.theirs is None or expected is None:
            held.agrees = False
            return
        self._judge_total_drift(held, steps, theirs)
        held.agrees = held.agrees and bool(verdict) and compare(held.ours, expected).agrees
        held.is_open = held.is_open or verdict is Verdict.OPEN or steps[-1] in self.adrift_totals
        is_same = compare(held.ours, held.theirs).agrees
        self.totals[steps[-1]] = verdict_on(
            held.agrees or is_same, is_open=held.is_open and not is_same
        )

    def _judge_total_drift(
        self, held: Received, steps: tuple[int, ...], theirs: Value | None
    ) -> None:
        """Tell where terms cancel in the sum that a node holds, and not what follows."""
        dtype, ours = self.graph.dtype, our_contribution(self.trace, steps)
        held.is_adrift = held.is_adrift or steps[0] in self.departures
        if held.ours is None or held.theirs is None or ours is None or theirs is None:
            return
        if not held.is_adrift and is_adrift(held.ours, held.theirs, dtype):
            held.is_adrift = True
            if not is_adrift(ours, theirs, dtype):
                self.departures[steps[-1]] = ROUNDING
                self.adrift_totals.add(steps[-1])

    def _judge_gradient(self, pass_: Pass, node: int, held: Received) -> Verdict:
        """The complete gradient of `node` against the one torch's own hook saw."""
        theirs = self.report.gradients[pass_.index].get(node)
        if theirs is None or held.ours is None or held.theirs is None:
            return verdict_on(theirs is None and is_zero(held.ours))
        if compare(held.ours, theirs).agrees:
            return Verdict.AGREES
        degree = held.degree + DEGREE_ROUNDOFFS
        allowed = roundoff(held.magnitude, degree, self.trace.dtype)
        if not held.agrees or compare(held.theirs, theirs, allowed).agrees:
            return verdict_on(held.agrees, is_open=held.is_open)
        # Parts of a contribution may have been added one by one, before they cancelled.
        parts = (self._allowed_of(pass_, steps) for steps in held.steps)
        agrees = compare(held.theirs, theirs, sum(parts, start=allowed)).agrees
        return verdict_on(agrees, is_open=held.is_open)

    def _allowed_of(self, pass_: Pass, steps: tuple[int, ...]) -> Value:
        """What rounding inside of an operation may come to in what it sends."""
        upstream = self.report.gradients[pass_.index].get(int(self.trace.senders[steps[0]]))
        if steps[0] == pass_.start or upstream is None:
            return 0.0
        return self._recompute(steps, upstream, self.values.torch_value).allowed

    # .grad

    def _judge_grads(
        self, pass_: Pass, received: dict[int, Received], gradients: dict[int, Verdict]
    ) -> None:
        earlier = self.trace.passes[pass_.index - 1].grads if pass_.index else None
        for node, grad in (pass_.grads or {}).items():
            ours = kept(grad)
            theirs = self.report.grads.get(pass_.index, {}).get(node)
            before, on_sent = kept((earlier or {}).get(node)), gradients.get(node, Verdict.AGREES)
            on_before = self.grads.get((pass_.index - 1, node))
            agrees = ours is theirs
            if ours is None or theirs is None:
                left_out = theirs is None and is_zero(ours) and node in received
                agrees = agrees or (left_out and bool(on_sent))
            elif compare(ours, theirs).agrees:
                self.grads[pass_.index, node] = Verdict.AGREES
                continue
            elif node in received:
                expected = plus(before, received[node].ours)
                explained = expected is not None and compare(ours, expected).agrees
                agrees = bool(on_sent) and on_before is not Verdict.OFF and explained
            else:
                untouched = before is not None and compare(ours, before).agrees
                agrees = untouched and bool(on_before)
            is_open = Verdict.OPEN in (on_sent, on_before)
            self.grads[pass_.index, node] = verdict_on(agrees, is_open=is_open)
