"""The passes of a program as they are called, and the values whose `.grad` it keeps.

They are noted where they stand, with the nodes that are meant there, and run when all values are
known, as none of those depends on a gradient.
"""

from __future__ import annotations

from typing import NamedTuple

from backprop_engine.basics.source import ProblemError
from backprop_engine.grammar import syntax
from backprop_engine.grammar.syntax import Expression
from backprop_engine.program.scenario import Backward, Retain, ZeroGrad
from backprop_engine.run.expressions import Expressions
from backprop_engine.run.scope import Scope

EVERY_INPUT = -1


class Called(NamedTuple):
    """A pass, or `retain_grad`, as it is called somewhere in the program or after it."""

    said: Backward | ZeroGrad | Retain
    name: str
    """Of the node, in the end with its version where it has one."""
    node: int
    """The output, or whose `.grad` is meant: `EVERY_INPUT`, or one."""
    stop: int
    """How many nodes there were."""
    version: int = 0
    """Which value of its name it is; 0 where the name itself tells."""
    vector: int | None = None
    """The node of the `gradient` argument, if that is a value of the program."""


class Passes:
    """All that is called, in its order."""

    def __init__(self, scope: Scope, expressions: Expressions) -> None:
        self.called: list[Called] = []
        self.retained: list[Called] = []
        self._scope = scope
        self._expressions = expressions

    def note(self, said: Backward | ZeroGrad | Retain) -> None:
        """Take in what is called now. Raises ProblemError where a name means no one value."""
        scope, stop = self._scope, len(self._scope.graph)
        match said:
            case Retain(name=name, span=span):
                node, version = scope.node(name, span), scope.seen[name]
                self.retained.append(Called(said, name, node, stop, version))
            case ZeroGrad():
                self.called.append(self._cleared(said, stop))
            case Backward(output=name, expression=None):
                self.called.append(Called(said, name, scope.node(name, said.span), stop))
            case Backward(output=name, expression=expression, vector=given) if expression:
                output, version = self._given(expression), scope.seen[name]
                vector = None if given is None else self._given(given)
                stop = len(scope.graph)
                self.called.append(Called(said, name, output, stop, version, vector))

    def settle(self) -> None:
        """Tell versions apart, now that it is known how many there are, and who keeps a `.grad`."""
        self.retained = [self._settled(self._titled(called)) for called in self.retained]
        self.called = [self._titled(called) for called in self.called]

    def _given(self, expression: Expression) -> int:
        if isinstance(expression, syntax.Name):
            return self._scope.current(expression.name, expression.span)
        return self._expressions.node(expression)

    def _cleared(self, said: ZeroGrad, stop: int) -> Called:
        """Of an input before a computed value of its name, but for one that was made a leaf."""
        scope, name = self._scope, said.name
        if name is None:
            return Called(said, "", EVERY_INPUT, stop)
        graph, node = scope.graph, scope.graph.inputs.get(name)
        made = scope.names.get(name, node)
        made = None if made is None else graph.same.get(made, made)
        if made is not None and made != node and graph.requires_grad[made] and graph.is_leaf(made):
            return Called(said, name, made, stop, scope.seen[name])
        node = scope.current(name, said.span) if node is None else node
        return Called(said, name, graph.same.get(node, node), stop)

    def _titled(self, called: Called) -> Called:
        name, version = called.name, called.version
        return called._replace(name=self._scope.version_name(name, version))

    def _settled(self, retained: Called) -> Called:
        """With the node whose `.grad` is kept: torch keeps that of a tensor's last value."""
        scope, span = self._scope, retained.said.span
        last = len(scope.graph)
        stops = (pass_.stop for pass_ in self.called if isinstance(pass_.said, Backward))
        changed = scope.sharers.changed_between(retained.node, min(stops, default=last), last)
        if changed is not None:
            raise ProblemError(
                f"`{retained.name}` is changed in place after a backward pass, and what its "
                "`.grad` is then cannot be told here",
                scope.graph.span[changed] or span,
                fix="give the changed value a name of its own",
            )
        node = scope.current_node(retained.node, span)
        return retained._replace(node=scope.graph.same.get(node, node))
