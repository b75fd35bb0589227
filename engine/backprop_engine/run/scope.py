"""What the names of a program stand for while it runs: a node each, or several values."""

from __future__ import annotations

from collections import Counter

from backprop_engine.basics.source import OperandError, Problem, ProblemError, ScenarioError, Span
from backprop_engine.basics.suggestions import did_you_mean
from backprop_engine.catalogue import FUNCTIONS
from backprop_engine.grammar import syntax
from backprop_engine.graph import Graph
from backprop_engine.program.many_values import Group, not_one_value
from backprop_engine.program.names import Names
from backprop_engine.program.nn_modules import Module
from backprop_engine.program.scenario import Scenario
from backprop_engine.run.sharing import Sharers

Result = int | Group
"""What an expression comes to: a node, or several values that go by one name."""


class Scope:
    """The names in force on a new graph, with the scenario's inputs to start with.

    `names` maps every name, with its versions, to its node; `groups` has the names that stand for
    several values, `assigned` what `compute` assigns.
    """

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.graph = Graph(scenario.dtype, scenario.source)
        self.sharers = Sharers(self.graph)
        self.names: dict[str, int] = {}
        self.groups: dict[str, Group] = {}
        self.assigned: dict[str, int] = {}
        self.seen: Counter[str] = Counter()
        """How often each name has been assigned."""
        self.all_names = Names(scenario.inputs, scenario.statements)
        for given in scenario.inputs:
            node = self.graph.add_input(
                given.name, given.value, requires_grad=given.requires_grad, span=given.span
            )
            self.graph.names[node] = self.bind(given.name, node)

    def node(self, name: str, span: Span) -> int:
        """The node of a name; ScenarioError where it stands for several values."""
        group = self.groups.get(name)
        if group is not None:
            problem = not_one_value(group, name, span).problem
            raise ScenarioError(self.scenario.source, problem)
        if name in self.names:
            return self.names[name]
        plain, _, version = name.partition("@")
        count = self.seen[plain]
        problem = Problem(f"`{name}` is never assigned: its loop runs no time", span)
        if count:
            problem = Problem(
                f"`{plain}` has no version `@{version}`", span, f"`{plain}@1` to `{plain}@{count}`"
            )
        raise ScenarioError(self.scenario.source, problem)

    def current(self, name: str, span: Span) -> int:
        """The node of what the tensor of a name holds now."""
        return self.current_node(self.node(name, span), span)

    def version_name(self, name: str, version: int) -> str:
        """`h@2`, or `h` where it is the only one, or the last of those that a loop makes."""
        return self.all_names.version_name(name, version, self.seen[name])

    def bind(self, name: str, result: Result) -> str:
        """Let `name` mean `result` from here on; returns the version's name (`h@2`)."""
        self.seen[name] = seen = self.seen.get(name, 0) + 1
        version = f"{name}@{seen}" if self.all_names.has_versions(name) else name
        if isinstance(result, int):
            if self.groups:
                self.groups.pop(name, None)
            self.names[name] = self.names[version] = result
        else:
            self.names.pop(name, None)
            self.groups[name] = self.groups[version] = result
        return version

    def rebind(self, name: str, result: Result | None) -> None:
        """Let a name mean this from here on, which has no version; None for nothing."""
        if name in self.groups:
            del self.groups[name]
        if isinstance(result, int):
            self.names[name] = result
            return
        self.names.pop(name, None)
        if result is not None:
            self.groups[name] = result

    def meaning(self, name: str) -> Result | None:
        """What a name stands for now, if anything."""
        return self.names.get(name, self.groups.get(name))

    def look_up(self, expression: syntax.Name) -> Result:
        """What a name stands for now; ProblemError where that is nothing."""
        name = expression.name
        if (node := self.names.get(name)) is not None:
            return node
        if (group := self.groups.get(name)) is not None:
            return group
        later = name in self.all_names
        if name in FUNCTIONS and not later:
            return Module(syntax.FunctionName(name, "", expression.span))
        raise ProblemError(
            f"`{name}` is used before it is assigned" if later else f"unknown name `{name}`",
            expression.span,
            fix="" if later else did_you_mean(name, [*self.names, *self.groups]),
        )

    def current_node(self, node: int, span: Span) -> int:
        """The node of what the tensor of `node` holds; see `Sharers`."""
        if not self.sharers.changes:
            return node
        try:
            return self.sharers.current(node)
        except OperandError as error:
            raise ProblemError(str(error), span, fix=error.fix) from None

    def settle(self) -> None:
        """Let every name mean what its tensor holds in the end."""
        for name in [name for name in self.seen if name in self.names]:
            try:
                last = self.current_node(self.names[name], Span(0, 0))
            except ProblemError:  # torch refuses to look at such a view, too
                self.assigned.pop(name, None)
                continue
            is_bound_anew = self.graph.inputs.get(name, last) != last  # by a loop
            if last != self.names[name] or name in self.assigned or is_bound_anew:
                self.names[name] = self.assigned[name] = last

    def text(self, span: Span) -> str:
        """What is written there, in one line."""
        return " ".join(self.scenario.source.text[span.start : span.stop].split())
