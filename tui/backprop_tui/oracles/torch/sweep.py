"""One sweep over a trace and torch's report that finds where they agree (see `agreement`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from backprop_engine.basics.values import Value, kept
from backprop_engine.checking import ties
from backprop_engine.checking.compare import (
    DEGREE_ROUNDOFFS,
    Recomputed,
    compare,
    recompute_contribution,
    recompute_output,
    roundoff,
)
from backprop_engine.checking.summing import magnitude
from backprop_engine.checking.unsettled import OVERFLOW, ROUNDING, is_adrift
from backprop_engine.operation import Derivative, Rounding
from backprop_engine.run.tape import graph_of
from backprop_engine.trace import NO_NODE, Pass, PassKind, Trace
from backprop_tui.oracles.report import TorchReport
from backprop_tui.oracles.torch.blow_ups import (
    differs,
    differs_in_signs_of_zeros,
    is_blown_up,
    is_other_kind,
    origin,
)
from backprop_tui.oracles.torch.received import Received, is_zero, our_contribution, plus

ZERO_OF_SGN = "torch computes nothing with the 0 that `sgn` sends: it stays 0 beside inf and nan"


class Sweep:
    """Flags for every node and step: 1 where torch agrees."""

    def __init__(self, trace: Trace, report: TorchReport) -> None:
        self.trace = trace
        self.graph = graph_of(trace)
        self.report = report
        self.values = bytearray(len(trace.nodes))
        self.contributions = bytearray(len(trace))
        self.totals = bytearray(len(trace))
        self.grads: dict[tuple[int, int], bool] = {}
        self.faulty_nodes: list[int] = []
        self.faulty_steps: list[int] = []
        self.departures: dict[int, str] = {}
        self.adrift_totals: set[int] = set()
        self.blown_up: dict[int, int] = {}
        self.allowed_values: dict[int, Value] = {}
        self.allowed_contributions: dict[int, Value] = {}
        """What torch's result may differ by, of the faulty ones that could be computed."""
        self._adrift = bytearray(len(trace.nodes))
        """1 where more than half of the digits of a value are rounding."""

    def run(self) -> None:
        """Fill in all flags."""
        with np.errstate(all="ignore"):
            for node in range(len(self.trace.nodes)):
                self._judge_value(node)
            for pass_ in self.trace.passes:
                received: dict[int, Received] = {}
                gradients: dict[int, bool] = {}
                if pass_.kind is PassKind.BACKWARD:
                    self._judge_pass(pass_, received, gradients)
                self._judge_grads(pass_, received, gradients)

    # Values

    def _judge_value(self, node: int) -> None:
        graph, theirs = self.graph, self.report.values.get(node)
        if theirs is None:
            self.faulty_nodes.append(node)
            return
        agrees = compare(graph.value[node], theirs).agrees
        operands = graph.operands[node]
        if agrees and graph.operation[node] is not None and not np.all(np.isfinite(theirs)):
            given = [graph.value[operand] for operand in operands]
            if recompute_output(graph, node, given).is_by_chance:
                self._tell_node(node, OVERFLOW)
        if not agrees:
            operands_agree = all(self.values[operand] for operand in operands)
            agrees = False
            if operands_agree and graph.operation[node] is not None:
                agrees = self._value_stands(node, theirs)
            if operands_agree and not agrees:
                self.faulty_nodes.append(node)
            if agrees and is_blown_up(graph, node, theirs, self._torch_value):
                agrees = self._tell_origin(operands, node)
            elif agrees:
                self._judge_drift(node, operands, theirs)
        self.values[node] = agrees

    def _judge_drift(self, node: int, operands: Sequence[int], theirs: Value) -> None:
        """Tell where rounding reaches more than half of the digits, and not what follows."""
        if is_adrift(self.graph.value[node], theirs, self.graph.dtype):
            self._adrift[node] = 1
            if not any(self._adrift[operand] for operand in operands):
                self._tell_node(node, ROUNDING)

    def _tell_node(self, node: int, words: str) -> None:
        step = int(self.trace.forward_steps[node])
        if step != NO_NODE:
            self.departures.setdefault(step, words)

    def _tell_origin(self, start: Sequence[int], blown_up: int) -> bool:
        """Name the node where the difference begins that `blown_up` makes much of.

        True where it is one of the last digits, as rounding may make: both answers are right. A
        zero of another sign is a fault.
        """
        graph = self.graph
        begins = origin(
            start,
            graph.operands.__getitem__,
            lambda node: differs(graph.value[node], self._torch_value(node)),
        )
        told = blown_up if begins is None else begins
        operation, label = graph.operation[told], self.trace.label(blown_up)
        if not differs_in_signs_of_zeros(graph.value[told], self._torch_value(told)):
            self._tell_node(told, f"not settled: {label} hangs on the last digit")
            return True
        if operation is not None and operation.rounding is not Rounding.ULP:
            self._tell_node(told, f"not settled: {label} hangs on the sign of a 0 that is rounded")
            return True
        self.values[told] = False
        if told not in self.blown_up:
            self.blown_up[told] = blown_up
            self.faulty_nodes.append(told)
        return False

    def _value_stands(self, node: int, theirs: Value) -> bool:
        """Whether our operation explains ours from our operands, and torch's from torch's."""
        graph, operands = self.graph, self.graph.operands[node]
        ours = recompute_output(graph, node, [graph.value[operand] for operand in operands])
        again = recompute_output(graph, node, [self._torch_value(operand) for operand in operands])
        if _both_stand((ours, graph.value[node]), (again, theirs)):
            return True
        picked_from = self._torch_value(operands[0])
        if ties.picks_alike(graph, node, picked_from, again.value, theirs):
            self._tell_node(node, ties.WORDS)
            return True
        if _both_stand((ours, graph.value[node]), (again, theirs), but_for_the_open=True):
            self._adrift[node] = 1
            self._tell_node(node, OVERFLOW)
            return True
        self.allowed_values[node] = again.allowed
        return False

    def _torch_value(self, node: int) -> Value:
        return self.report.values.get(node, self.graph.value[node])

    # One backward pass

    def _judge_pass(
        self, pass_: Pass, received: dict[int, Received], gradients: dict[int, bool]
    ) -> None:
        """Flag the pass's steps; fills in, by node, what it received and whether that agrees."""
        for step in range(pass_.start, pass_.stop):
            sender, receiver = int(self.trace.senders[step]), int(self.trace.receivers[step])
            joint = self.report.joints.get(step)
            steps = (step,) if joint is None else joint.steps
            if step != steps[-1]:
                continue  # a joint is judged when all of it is there
            if step == pass_.start:
                agrees = self._seed_agrees(step)
            else:
                if sender not in gradients:
                    gradients[sender] = self._gradient_agrees(pass_, sender, received[sender])
                agrees = self._contribution_agrees(
                    pass_, steps, received[sender], gradients[sender]
                )
            for each in steps:
                self.contributions[each] = agrees
            self._receive(received.setdefault(receiver, Received()), steps, agrees)
        for node, held in received.items():
            if node not in gradients:
                gradients[node] = self._gradient_agrees(pass_, node, held)

    def _seed_agrees(self, step: int) -> bool:
        ours, theirs = kept(self.trace.contributions[step]), self.report.contributions.get(step)
        agrees = ours is not None and theirs is not None and compare(ours, theirs).agrees
        if not agrees:
            self.faulty_steps.append(step)
        return agrees

    def _contribution_agrees(
        self, pass_: Pass, steps: tuple[int, ...], upstream: Received, upstream_agrees: bool
    ) -> bool:
        ours, theirs = our_contribution(self.trace, steps), self._torch_contribution(steps)
        if ours is not None and theirs is not None and compare(ours, theirs).agrees:
            if upstream.ours is not None and not np.all(np.isfinite(ours)):
                self._tell_chance(steps, upstream.ours)
            return True
        if theirs is None and is_zero(ours):
            return upstream_agrees  # torch leaves out what is zero by its nature
        node = int(self.trace.senders[steps[0]])
        involved = (node, *self.graph.operands[node])
        if not (upstream_agrees and all(self.values[each] for each in involved)):
            return False
        torch_upstream = self.report.gradients[pass_.index].get(node)
        if ours is None or theirs is None or upstream.ours is None or torch_upstream is None:
            self.faulty_steps.append(steps[0])
            return False
        if not self._contribution_stands(steps, (upstream.ours, ours), (torch_upstream, theirs)):
            return False
        if steps[0] in self.departures:
            return True
        if is_other_kind(ours, theirs):
            return self._tell_other_kind(steps[0], involved)
        is_told = upstream.is_adrift or any(self._adrift[each] for each in involved)
        if not is_told and is_adrift(ours, theirs, self.graph.dtype):
            self.departures[steps[0]] = ROUNDING
        return True

    def _tell_other_kind(self, step: int, involved: Sequence[int]) -> bool:
        """One contribution is finite, and the other is not: by the values, or what is upstream."""
        if any(differs(self.graph.value[each], self._torch_value(each)) for each in involved):
            return self._tell_origin(involved, involved[0])
        self.departures[step] = OVERFLOW
        return True

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
        again = self._recompute(steps, by_torch[0], self._torch_value, as_torch=True)
        both = (from_ours, by_us[1]), (again, by_torch[1])
        if _both_stand(*both):
            plainly = self._recompute(steps, by_torch[0], self._torch_value)
            if not compare(plainly.value, again.value).agrees:
                self.departures[steps[0]] = self._derivative(steps[0]).in_torch_words
            return True
        picked_from = self._torch_value(graph.operands[node][0])
        is_tie = ties.sends_alike(graph, node, picked_from, again.value, by_torch[1])
        if is_tie and from_ours.compared_with(by_us[1]).agrees:
            self.departures[steps[0]] = ties.WORDS
            return True
        if _both_stand(*both, but_for_the_open=True):
            self.departures[steps[0]] = OVERFLOW
            return True
        if (
            self._multiplies_zero_alone(by_us[0], *by_torch)
            and from_ours.compared_with(by_us[1]).agrees
        ):
            self.departures[steps[0]] = ZERO_OF_SGN
            return True
        self.faulty_steps.append(steps[0])
        self.allowed_contributions[steps[0]] = again.allowed
        return False

    def _multiplies_zero_alone(self, ours: Value, theirs: Value, sent: Value) -> bool:
        """Whether a 0 is upstream on both sides, that only we multiply by what is not finite."""
        has_sgn = any(operation.name == "sgn" for operation in self.graph.operations)
        return has_sgn and is_zero(ours) and is_zero(theirs) and is_zero(sent)

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
        sent = [
            recompute_contribution(
                graph,
                node,
                int(self.trace.positions[step]),
                upstream,
                value_of(node),
                operands,
                as_torch=as_torch,
            )
            for step in steps
        ]
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

    def _receive(self, held: Received, steps: tuple[int, ...], agrees: bool) -> None:
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
        held.agrees = held.agrees and agrees and compare(held.ours, expected).agrees
        self.totals[steps[-1]] = held.agrees or compare(held.ours, held.theirs).agrees

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

    def _gradient_agrees(self, pass_: Pass, node: int, held: Received) -> bool:
        """The complete gradient of `node` against the one torch's own hook saw."""
        theirs = self.report.gradients[pass_.index].get(node)
        if theirs is None or held.ours is None or held.theirs is None:
            return theirs is None and is_zero(held.ours)
        if compare(held.ours, theirs).agrees:
            return True
        degree = held.degree + DEGREE_ROUNDOFFS
        allowed = roundoff(held.magnitude, degree, self.trace.dtype)
        if not held.agrees or compare(held.theirs, theirs, allowed).agrees:
            return held.agrees
        # Parts of a contribution may have been added one by one, before they cancelled.
        parts = (self._allowed_of(pass_, steps) for steps in held.steps)
        return compare(held.theirs, theirs, sum(parts, start=allowed)).agrees

    def _allowed_of(self, pass_: Pass, steps: tuple[int, ...]) -> Value:
        """What rounding inside of an operation may come to in what it sends."""
        upstream = self.report.gradients[pass_.index].get(int(self.trace.senders[steps[0]]))
        if steps[0] == pass_.start or upstream is None:
            return 0.0
        return self._recompute(steps, upstream, self._torch_value).allowed

    # .grad

    def _judge_grads(
        self, pass_: Pass, received: dict[int, Received], gradients: dict[int, bool]
    ) -> None:
        earlier = self.trace.passes[pass_.index - 1].grads if pass_.index else None
        for node, grad in (pass_.grads or {}).items():
            ours = kept(grad)
            theirs = self.report.grads.get(pass_.index, {}).get(node)
            if ours is None or theirs is None:
                left_out = theirs is None and is_zero(ours) and node in received
                self.grads[pass_.index, node] = ours is theirs or (left_out and gradients[node])
                continue
            agrees = compare(ours, theirs).agrees
            if not agrees and node in received:
                expected = plus(kept((earlier or {}).get(node)), received[node].ours)
                agrees = (
                    gradients[node]
                    and self.grads.get((pass_.index - 1, node), True)
                    and expected is not None
                    and compare(ours, expected).agrees
                )
            elif not agrees:
                before = kept((earlier or {}).get(node))
                untouched = before is not None and compare(ours, before).agrees
                agrees = untouched and self.grads.get((pass_.index - 1, node), False)
            self.grads[pass_.index, node] = agrees


def _both_stand(
    ours: tuple[Recomputed, Value],
    theirs: tuple[Recomputed, Value],
    *,
    but_for_the_open: bool = False,
) -> bool:
    """Whether each result is what our operation makes of the same operands."""
    if but_for_the_open:
        return all(again.agrees_but_for_the_open(result) for again, result in (ours, theirs))
    return all(again.compared_with(result).agrees for again, result in (ours, theirs))
