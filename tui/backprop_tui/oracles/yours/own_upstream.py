"""Gradients that a learner gives by hand, each held against what the learner's own make of it.

Where a gradient is given, it is what is sent on from there, right or wrong. So each is judged by
itself: the first mistake is not told again of all that follows from it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np

from backprop_engine.basics.values import Value, in_full, shape_of
from backprop_engine.mistakes.edge import edge_at
from backprop_engine.mistakes.table import MISTAKES, ONE_PATH
from backprop_engine.mistakes.telling import wrong_answers
from backprop_engine.mistakes.wording import told
from backprop_engine.trace import Pass, PassKind, Trace
from backprop_tui.oracles.yours.comparing import agrees, apart
from backprop_tui.oracles.yours.verdict import Kind, Verdict

_MOST_EDGES = 60
"""Between two gradients that are given; beyond, a wrong one is not explained."""


class OwnUpstream:
    """The gradients of the last backward pass of a trace, as a learner gives some of them."""

    def __init__(self, trace: Trace, given: Mapping[int, Value]) -> None:
        self.trace, self.given = trace, given
        self.pass_ = last_pass(trace)
        self._receipts: dict[int, list[int]] = defaultdict(list)
        for step in range(self.pass_.start + 1, self.pass_.stop):
            self._receipts[int(trace.receivers[step])].append(step)
        self._own: dict[int, Any] = {self.pass_.output or 0: self._seed}
        for node in sorted(self._receipts, reverse=True):
            self._own[node] = given[node] if node in given else self._sum(node, self._own, {})

    @property
    def _seed(self) -> Value:
        return in_full(self.trace.contribution(self.pass_.start))

    def judged(self) -> dict[int, bool]:
        """By node that is given, consumers first, whether it is right by itself."""
        return {node: self._is_right(node) for node in sorted(self.given, reverse=True)}

    def _is_right(self, node: int) -> bool:
        right = self._right(node)
        return right is None or agrees(self.given[node], right)

    def _right(self, node: int) -> Any:
        """What follows from the learner's own upstream; None where nothing can."""
        if node == self.pass_.output:
            return self._seed
        return self._sum(node, self._own, {})

    def _sum(self, node: int, own: Mapping[int, Any], instead: Mapping[int, Any]) -> Any:
        """The sum of what is sent to a node; None where an upstream has no shape for that."""
        total: Any = None
        for step in self._receipts[node]:
            sent = instead.get(step)
            if sent is None:
                sent = self._sent(step, own)
            if sent is None:
                return None
            try:
                total = sent if total is None else np.add(total, sent)
            except ValueError:
                return None
        return total

    def _sent(self, step: int, own: Mapping[int, Any]) -> Any:
        upstream = own.get(self.trace.edge(step)[0])
        if upstream is None:
            return None
        try:
            return edge_at(self.trace, step, upstream).sent()
        except (ValueError, IndexError, TypeError, ArithmeticError):
            return None

    def verdict(self, node: int, name: str, line: int | None) -> Verdict:
        """What is to be said of a gradient that is wrong."""
        theirs, right = self.given[node], self._right(node)
        shape = shape_of(self._value(node))
        reasons = dict.fromkeys(self._reasons(node))
        steps = self._receipts[node] or [self.pass_.start]
        kind = Kind.RULE
        if np.shape(theirs) != shape and np.size(theirs) * np.size(right) != 1:
            kind = Kind.SHAPE
            message = f"{name} has the shape {np.shape(theirs)}, and {name[1:]} has {shape}"
        else:
            message = f"{name} is {apart(theirs, right)}"
        if self._own_is_wrong(node):
            message += ", given what is above it"
        why = f": {', or '.join(reasons)}" if reasons else ""
        return Verdict(kind, f"{message}{why}.", line, steps[-1])

    def _own_is_wrong(self, node: int) -> bool:
        gradient = self.trace.gradient(node, self.pass_.stop)
        return gradient is not None and not agrees(self._right(node), in_full(gradient))

    def _reasons(self, node: int) -> list[str]:
        """The mistakes that give just this, at any edge since the gradients given above it."""
        theirs, receipts = self.given[node], self._receipts[node]
        if len(receipts) > 1:
            for step in receipts:
                sent = self._sent(step, self._own)
                if sent is not None and agrees(theirs, sent):
                    return [f"{ONE_PATH.name} ({told(ONE_PATH, self.trace, step)})"]
        edges = self._between(node)
        found: list[str] = []
        for step in edges[:_MOST_EDGES]:
            upstream = self._own.get(self.trace.edge(step)[0])
            if upstream is None:
                continue
            for mistake, value in wrong_answers(edge_at(self.trace, step, upstream)):
                if agrees(theirs, self._with(node, edges, step, value)):
                    found.append(f"{mistake.name} ({told(mistake, self.trace, step)})")
        return found or self._counted(node, edges)

    def _counted(self, node: int, edges: list[int]) -> list[str]:
        """That it is off by the length of an axis, which a mean divides by."""
        theirs, right = np.asarray(self.given[node]), self._right(node)
        share = next(mistake for mistake in MISTAKES if mistake.name.startswith("1/n"))
        for step in edges:
            sizes = {n for at in self.trace.edge(step)[:2] for n in np.shape(self._value(at))}
            if any(
                n > 1 and (agrees(theirs, right * n) or agrees(theirs * n, right)) for n in sizes
            ):
                return [f"{share.name} ({told(share, self.trace, step)})"]
        return []

    def _value(self, node: int) -> Value:
        return in_full(self.trace.nodes.value[node])

    def _between(self, node: int) -> list[int]:
        """The steps that lead to a node from the gradients given above, the nearest first."""
        edges, pending = [], [node]
        seen = {node}
        while pending:
            for step in self._receipts[pending.pop(0)]:
                edges.append(step)
                sender = self.trace.edge(step)[0]
                if sender not in self.given and sender not in seen:
                    seen.add(sender)
                    pending.append(sender)
        return edges

    def _with(self, node: int, edges: list[int], step: int, value: Any) -> Any:
        """The gradient of a node if something else were sent in `step`."""
        own = dict(self._own)
        instead = {step: value}
        for at in sorted({self.trace.edge(each)[0] for each in edges}, reverse=True):
            if at not in self.given and at != self.pass_.output:
                own[at] = self._sum(at, own, instead)
        result = self._sum(node, own, instead)
        return np.nan if result is None else result


def last_pass(trace: Trace) -> Pass:
    """The last backward pass. ValueError where there is none."""
    for pass_ in reversed(trace.passes):
        if pass_.kind is PassKind.BACKWARD:
            return pass_
    raise ValueError("there is no backward pass")
