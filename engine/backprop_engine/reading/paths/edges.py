"""The edges of one backward pass on the paths from its output to one node.

A path is a run of contribution steps, each sent by the node that received the one before. What a
path *carries* is the seed sent along it: seed × local × local …, and for arrays the
vector-Jacobian product along its edges. All that reaches the node together is its gradient.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Final

import numpy as np

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.values import Value, full_like, in_full
from backprop_engine.trace import Missing, Pass, Trace
from backprop_engine.trace.abilities import MissingError, Recomputes

Watch = Callable[[float], None]
"""Told now and then which part of the work is done, 0 to 1; it may raise to stop the work."""

WATCHED_EVERY: Final = 4096
"""Edges between two looks at the clock's owner."""


@dataclass(frozen=True, eq=False)
class Edges:
    """The contribution steps of `pass_` that lie on a path to `target`."""

    trace: Trace
    recomputes: Recomputes
    pass_: Pass
    """A backward pass in which `target` receives a contribution, or whose output it is."""
    output: int
    target: int
    by_sender: dict[int, list[int]]
    """The steps of each node that sends, the nodes in the order in which they do."""

    @cached_property
    def count(self) -> int:
        """How many paths there are, a number of any size."""
        paths = {self.output: 1}
        for sender, steps in self.by_sender.items():
            coming = paths.pop(sender)  # forgotten: on long chains these numbers fill a memory
            for step in steps:
                receiver = int(self.trace.receivers[step])
                paths[receiver] = paths.get(receiver, 0) + coming
        return paths[self.target]

    @cached_property
    def is_scalar(self) -> bool:
        """Whether no value on any path is an array."""
        value = self.trace.nodes.value
        nodes = (*self.by_sender, self.target)
        return not any(isinstance(value[node], np.ndarray) for node in nodes)

    @property
    def seed(self) -> Value:
        """The gradient that the pass starts with."""
        return in_full(self.trace.contribution(self.pass_.start))

    def __len__(self) -> int:
        return sum(map(len, self.by_sender.values()))

    def send(self, step: int, upstream: Value) -> Value:
        """What `step` would send for another `upstream` gradient of its sender."""
        sender, _, position = self.trace.edge(step)
        return self.recomputes.send(sender, position, upstream)

    def local(self, step: int) -> Value:
        """∂sender/∂receiver; for arrays, what a gradient of ones would become."""
        return self.send(
            step, full_like(in_full(self.trace.nodes.value[int(self.trace.senders[step])]), 1)
        )

    def receiver(self, step: int) -> int:
        """The node that receives what `step` sends."""
        return int(self.trace.receivers[step])


def edges_to(trace: Trace, pass_: Pass, target: int) -> Edges:
    """The edges of `pass_` on the paths to `target`; ValueError if it receives nothing there."""
    if pass_.output is None:
        raise ValueError(f"{pass_.name} is no backward pass")
    recomputes = trace.can(Recomputes)
    if isinstance(recomputes, Missing):
        raise MissingError(recomputes)
    first = pass_.start + 1  # after the seed
    senders = trace.senders[first : pass_.stop].tolist()
    receivers = trace.receivers[first : pass_.stop].tolist()
    leads = bytearray(pass_.output + 1)
    if target > pass_.output:
        raise ValueError(f"node {target} receives nothing in {pass_.name}")
    leads[target] = 1
    found: list[int] = []
    # Backwards, so that what an operand leads to is known before its consumers are asked.
    for at in range(len(senders) - 1, -1, -1):
        if leads[receivers[at]]:
            leads[senders[at]] = 1
            found.append(at)
    if not leads[pass_.output]:
        raise ValueError(f"node {target} receives nothing in {pass_.name}")
    by_sender: dict[int, list[int]] = {}
    for at in reversed(found):
        by_sender.setdefault(senders[at], []).append(first + at)
    return Edges(trace, recomputes, pass_, pass_.output, target, by_sender)


def carry_all(edges: Edges, start: dict[int, Value], watch: Watch) -> Value | None:
    """What comes to the target if each node of `start` has that gradient to send on.

    It is the sum over all paths from all of them, found as a backward pass finds it. None if
    `start` is empty.
    """
    held = dict(start)
    done, total = 0, max(len(edges), 1)
    for sender, steps in edges.by_sender.items():
        upstream = held.pop(sender, None)
        for step in steps:
            if upstream is not None:
                add_to(held, edges.receiver(step), edges.send(step, upstream))
            done += 1
            if done % WATCHED_EVERY == 0 or isinstance(upstream, np.ndarray):
                watch(done / total)
    return held.get(edges.target)


def add_to(held: dict[int, Value], node: int, more: Value) -> None:
    """Add to what `node` holds."""
    held[node] = held[node] + more if node in held else more
