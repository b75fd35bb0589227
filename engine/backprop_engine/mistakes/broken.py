"""Engines of our own with one mistake each, for the question "what if we forgot …".

They are as learners write them: every node holds a gradient, `backward` starts it at the output
and visits the nodes, and each of them adds to what its operands hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import field, replace
from typing import Any, Final

import numpy as np

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.sanitised import printable
from backprop_engine.basics.suggestions import did_you_mean
from backprop_engine.basics.values import Value, in_full
from backprop_engine.mistakes.edge import Edge, edge_of
from backprop_engine.mistakes.table import (
    FIRED_TWICE,
    MISTAKES,
    NOT_SUMMED,
    ORDER,
    OVERWRITTEN,
    SEED,
    STALE,
    Mistake,
)
from backprop_engine.mistakes.telling import close, made
from backprop_engine.run.tape import graph_of
from backprop_engine.trace import Pass, PassKind, Trace

Rule = Callable[[Edge], Any]
Order = Callable[[Trace, Pass], Iterator[int]]
"""The nodes in the order in which they send."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What a node sends to one operand, and what the operand holds before and after."""

    sender: int
    position: int
    receiver: int
    upstream: Value
    before: Value | None
    after: Value


@dataclass(frozen=True, eq=False, slots=True)
class BrokenPass:
    """One `backward` of a broken engine; gradients by node."""

    index: int
    start: Mapping[int, Value]
    sent: tuple[Sent, ...]
    end: Mapping[int, Value]
    raised: str = ""
    """Why it came no further: what was sent before does not fit."""


def _sent(edge: Edge) -> Any:
    return edge.sent()


def _in_reverse(trace: Trace, pass_: Pass) -> Iterator[int]:
    """Consumers first; of the nodes that the output was computed from."""
    yield from sorted(_depth_first(trace, pass_), reverse=True)


def _depth_first(trace: Trace, pass_: Pass) -> Iterator[int]:
    """Each node as soon as it is met, before others that use it have sent."""
    waiting, seen = [pass_.output or 0], set()
    while waiting:
        node = waiting.pop()
        if node not in seen:
            seen.add(node)
            yield node
            waiting += reversed(trace.nodes.operands[node])


@dataclass(frozen=True, eq=False, slots=True)
class BrokenEngine:
    """A backward pass in which one thing is done otherwise."""

    slug: str
    """What it is called on the command line."""
    mistake: Mistake
    rule: Rule = _sent
    order: Order = _in_reverse
    adds: bool = True
    keeps: bool = False
    """Gradients of the pass before are still there at the next one."""
    start: float | None = None
    """The gradient of the output, in place of the one that is given."""

    def run(self, trace: Trace) -> tuple[BrokenPass, ...]:
        """Its backward passes over a run. Raises MissingError for a trace without a tape."""
        held: dict[int, Any] = {}
        passes: list[BrokenPass] = []
        for pass_ in trace.passes:
            if pass_.kind is PassKind.ZERO_GRAD:
                cleared = trace.keeping_grad if pass_.cleared is None else (pass_.cleared,)
                for node in cleared:
                    held.pop(node, None)
            elif pass_.kind is PassKind.BACKWARD and pass_.output is not None:
                if not self.keeps:
                    held = {node: held[node] for node in held if trace.ends_gradients(node)}
                passes.append(_Run(self, trace, pass_, held).done())
        return tuple(passes)


@dataclass(eq=False, slots=True)
class _Run:
    """One pass as it goes on."""

    engine: BrokenEngine
    trace: Trace
    pass_: Pass
    held: dict[int, Any]
    sent: list[Sent] = field(default_factory=list)

    def done(self) -> BrokenPass:
        start, output = dict(self.held), self.pass_.output or 0
        given: Any = in_full(self.trace.contribution(self.pass_.start))
        own = self.engine.start
        self.held[output] = given if own is None else np.multiply(given, own)
        raised = ""
        try:
            with np.errstate(all="ignore"):
                for node in self.engine.order(self.trace, self.pass_):
                    self._send(node)
        except (ValueError, IndexError, TypeError, ArithmeticError) as error:
            raised = f"{type(error).__name__}: {error}"
        return BrokenPass(self.pass_.index, start, tuple(self.sent), dict(self.held), raised)

    def _send(self, node: int) -> None:
        graph, upstream = graph_of(self.trace), self.held.get(node)
        if upstream is None or self.trace.ends_gradients(node):
            return
        for position, operand in enumerate(graph.differentiated(node)):
            if graph.requires_grad[operand]:
                before = self.held.get(operand)
                sent = self.engine.rule(edge_of(self.trace, node, position, upstream))
                after = sent if before is None or not self.engine.adds else before + sent
                self.held[operand] = after
                self.sent.append(Sent(node, position, operand, upstream, before, after))


def _twice(trace: Trace, pass_: Pass) -> Iterator[int]:
    """A node that was met on two ways is visited twice."""
    for node in _in_reverse(trace, pass_):
        yield node
        received = [step for step in trace.receipts(node) if pass_.start <= step < pass_.stop]
        if len(received) > 1:
            yield node


def _by_mistake(mistake: Mistake) -> Rule:
    """The first wrong answer that the mistake has at an edge; the right one where it has none."""

    def rule(edge: Edge) -> Any:
        right = edge.sent()
        wrong = (answer for answer in made(mistake, edge) if not close(answer, right))
        return next(wrong, right)

    return rule


_RULES: Final = (
    BrokenEngine(mistake.slug, mistake, rule=_by_mistake(mistake))
    for mistake in MISTAKES
    if mistake.slug != "not-summed-over-copies"  # it is no-unbroadcast
)
_LOOPS: Final = (
    BrokenEngine("overwrite", OVERWRITTEN, adds=False),
    BrokenEngine("dfs", ORDER, order=_depth_first),
    BrokenEngine("visited-twice", FIRED_TWICE, order=_twice),
    BrokenEngine("no-unbroadcast", NOT_SUMMED, rule=lambda edge: edge.terms()),
    BrokenEngine("stale", STALE, keeps=True),
    BrokenEngine("seed", SEED, start=0.0),
)
BROKEN: Final[Mapping[str, BrokenEngine]] = {
    engine.slug.replace("/", "-by-"): replace(engine, slug=engine.slug.replace("/", "-by-"))
    for engine in (*_LOOPS, *_RULES)
}
"""By what they are called on the command line."""


def no_such(kind: str) -> str:
    """The sentence for a kind that there is none of."""
    guess = did_you_mean(kind, BROKEN) or "`backprop-tui check --broken list` lists them"
    return f"there is no mistake `{printable(kind)}`; {guess}"


def shows(engine: BrokenEngine, trace: Trace) -> bool:
    """Whether a finite gradient of a leaf comes out wrong."""
    for told in engine.run(trace):
        grads = trace.passes[told.index].grads or {}
        for node, grad in grads.items():
            right = None if grad is None else in_full(grad)
            theirs = told.end.get(node)
            if right is None or not trace.ends_gradients(node) or not np.all(np.isfinite(right)):
                continue
            if theirs is None or not close(theirs, right):
                return True
        if told.raised:
            return True
    return False
