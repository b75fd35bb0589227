"""A learner's run beside ours, step by step, in the form in which torch's stands there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from functools import reduce
from operator import add
from typing import Any

import numpy as np

from backprop_engine.basics.values import Value, in_full, shape_of
from backprop_engine.trace import Pass, PassKind, Trace
from backprop_tui.oracles.report import Joint, TorchReport
from backprop_tui.oracles.torch.agreement import Agreement
from backprop_tui.oracles.torch.protocol import running_sums
from backprop_tui.oracles.torch.value_sweep import Verdict as Mark
from backprop_tui.oracles.yours.comparing import agrees
from backprop_tui.oracles.yours.parts import Parts
from backprop_tui.oracles.yours.protocol import LearnersPass, LearnersRun
from backprop_tui.oracles.yours.verdict import Verdict


def beside(trace: Trace, run: LearnersRun, verdict: Verdict | None) -> Agreement | None:
    """Where the learner's numbers agree with ours; None where there are none."""
    if not run.made:
        return None
    report = _Report(trace, run).told()
    single = run.is_single

    def mark(ours: Any, theirs: Any) -> Mark:
        is_same = ours is None or theirs is None or agrees(theirs, in_full(ours), is_single=single)
        return Mark.AGREES if is_same else Mark.OFF

    steps = range(len(trace))
    sent = {step: joint.contribution for step, joint in report.joints.items()}
    ours = {
        step: reduce(add, [trace.contribution(each) for each in joint.steps])
        for step, joint in report.joints.items()
    }
    return Agreement(
        trace=trace,
        report=report,
        faulty_nodes=(),
        faulty_steps=() if verdict is None or verdict.step is None else (verdict.step,),
        blown_up={},
        departures={},
        adrift_totals=frozenset(),
        allowed_values={},
        allowed_contributions={},
        _values=bytearray(
            mark(trace.nodes.value[node], report.values.get(node))
            for node in range(len(trace.nodes))
        ),
        _contributions=bytearray(
            mark(
                ours.get(step, trace.contributions[step]),
                sent.get(step, report.contributions.get(step)),
            )
            for step in steps
        ),
        _totals=bytearray(mark(trace.totals[step], report.totals.get(step)) for step in steps),
        _grads={
            (index, node): mark((trace.passes[index].grads or {}).get(node), grad)
            for index, grads in report.grads.items()
            for node, grad in grads.items()
        },
    )


class _Report:
    def __init__(self, trace: Trace, run: LearnersRun) -> None:
        self._trace, self._parts, self._run = trace, Parts(trace, run), run
        self._contributions: dict[int, Value] = {}
        self._joints: dict[int, Joint] = {}
        self._grads: dict[int, Mapping[int, Value | None]] = {}

    def told(self) -> TorchReport:
        """All that the learner's engine has done, by our nodes and steps."""
        trace, parts = self._trace, self._parts
        for told in self._run.passes:
            pass_ = trace.passes[told.index]
            if pass_.kind is PassKind.BACKWARD:
                self._sort(pass_, told)
            self._grads[told.index] = {
                node: self._fitted(node, told.end[parts.by_node[node]])
                for node in trace.nodes.keeping_grad
                if node in parts.by_node
            }
        values = {
            node: parts.made[parts.by_node[node]].value
            if node in parts.by_node
            else in_full(trace.nodes.value[node])
            for node in range(len(trace.nodes))
        }
        return TorchReport(
            version="",
            values={node: _like(value, trace.nodes.value[node]) for node, value in values.items()},
            grad_fns={},
            contributions=self._contributions,
            joints=self._joints,
            totals=running_sums(trace, self._contributions, self._joints),
            gradients={},
            grads=self._grads,
        )

    def _fitted(self, node: int, value: Value | None) -> Value | None:
        return None if value is None else _like(value, self._trace.nodes.value[node])

    def _sort(self, pass_: Pass, told: LearnersPass) -> None:
        """What is sent in a pass, by our steps."""
        trace, parts = self._trace, self._parts
        nodes = {at: made.node for at, made in enumerate(parts.made) if made.node is not None}
        sent: dict[tuple[int, int], list[Any]] = defaultdict(list)
        seed: Value | None = None
        for event in told.events:
            if event.to is None or event.after is None or event.to not in nodes:
                continue
            receiver = nodes[event.to]
            sender = None if event.sender is None else parts.owner.get(event.sender)
            if sender is None and receiver == pass_.output and seed is None:
                seed = event.after
            elif sender is not None and sender != receiver:
                sent[sender, receiver].append(event.gained)
        if seed is not None:
            self._contributions[pass_.start] = _like(seed, trace.contribution(pass_.start))
        edges: dict[tuple[int, int], list[int]] = defaultdict(list)
        for step in range(pass_.start + 1, pass_.stop):
            edges[int(trace.senders[step]), int(trace.receivers[step])].append(step)
        for edge, values in sent.items():
            self._enter(
                edges.get(edge, []), [_like(each, trace.nodes.value[edge[1]]) for each in values]
            )

    def _enter(self, steps: list[int], values: list[Value]) -> None:
        if len({shape_of(value) for value in values}) > 1 or not steps:
            return
        if len(steps) == len(values):
            self._contributions.update(zip(steps, values, strict=True))
        elif len(steps) == 1:
            self._contributions[steps[0]] = reduce(add, values)
        else:
            joint = Joint(tuple(steps), reduce(add, values))
            self._joints.update(dict.fromkeys(steps, joint))


def _like(value: Any, ours: Any) -> Value:
    """A number, where ours is one and theirs an array of one element."""
    if shape_of(ours) == () and np.size(value) == 1:
        return float(np.asarray(value).reshape(()))
    told: Value = value
    return told
