"""The forward pass: statements, one after the other, onto the tape of a graph."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

import numpy as np

from backprop_engine.basics.limits import MAX_NODES
from backprop_engine.basics.source import ProblemError, ScenarioError, Span
from backprop_engine.budget import Budget, LimitError
from backprop_engine.grammar import syntax
from backprop_engine.program.many_values import Bundle, check_count
from backprop_engine.program.scenario import Backward, Retain, Running, Scenario, ZeroGrad
from backprop_engine.run.expressions import Expressions
from backprop_engine.run.known_numbers import UnmeasuredError
from backprop_engine.run.passes import Passes
from backprop_engine.run.scope import Result, Scope

_PORTION: Final = 16
"""Statements between two looks at the time; an operation on arrays looks by itself."""

_Plain = syntax.Unpacking | syntax.Append | Backward | Retain | ZeroGrad
"""A statement that runs once when it is reached."""


class Evaluation:
    """A scenario's statements run on a new graph: `scope` has what came of them."""

    def __init__(self, scenario: Scenario, seconds: float | None = None) -> None:
        """`seconds` is how long it may run, if not as long as everywhere."""
        self.scope = Scope(scenario)
        self.graph = self.scope.graph
        self._expressions = Expressions(self.scope)
        self.passes = Passes(self.scope, self._expressions)
        budget = Budget(seconds)
        budget.take(self.graph.budget.used)  # the inputs are there already
        self.graph.budget = budget
        self._count = 0
        """Of statements that have been run."""
        try:
            with self.graph.budget.running():
                self._run_all(scenario.statements)
                self.passes.settle()
                self.scope.settle()
                if not self.passes.called:
                    for pass_ in scenario.passes:
                        self.passes.note(pass_)
            self._expressions.leaves.name_all()
        except ProblemError as error:
            raise ScenarioError(scenario.source, error.problem) from None

    def known(self, expression: syntax.Expression) -> Any:
        """The number or the shape that a name or a size stands for, now that all has run.

        NotWrittenError where Python does not know it before a tensor is computed with.
        """
        numbers = self._expressions.numbers
        try:
            return numbers.known(expression)
        except UnmeasuredError as needs:
            with np.errstate(all="ignore"):  # inf and nan are values here, as in the run itself
                receiver = self._expressions.evaluate(needs.asked.receiver)
                return numbers.measure(needs.asked, receiver)

    def _run_all(self, statements: Iterable[Running]) -> None:
        """Statement after statement; loops are on a stack, each with where it is."""
        running: list[Iterator[Running | syntax.Statement]] = [iter(statements)]
        while running:
            statement = next(running[-1], None)
            if isinstance(statement, syntax.Assignment):  # as nearly always
                self._run_assignment(statement)
            elif statement is None:
                running.pop()
            elif isinstance(statement, syntax.Loop):
                running.append(self._turns(statement))
            elif not isinstance(statement, syntax.Action | syntax.Setting):
                self._run(statement)

    def _turns(self, loop: syntax.Loop) -> Iterator[syntax.Statement]:
        """The statements of a loop, again and again, each time with its names bound anew."""
        self.graph.is_recording = loop.is_recorded
        result = self._expressions.evaluate(loop.iterable, is_gone_through=True)
        for _ in self._expressions.loops.iterate(loop.target, loop.iterable, result, loop.span):
            yield from loop.body

    def _run_assignment(self, statement: syntax.Assignment) -> None:
        self._check_limits(statement)
        self.graph.is_recording = statement.is_recorded
        result = self._expressions.evaluate(statement.expression)
        if statement.name:
            self._assign(statement.name, result, statement.span)

    def _run(self, statement: _Plain) -> None:
        self.graph.is_recording = True
        self._check_limits(statement)
        if isinstance(statement, Backward | Retain | ZeroGrad):
            self.passes.note(statement)
            return
        self.graph.is_recording = statement.is_recorded
        if isinstance(statement, syntax.Append):
            self._append(statement)
        else:
            self._unpack(statement)

    def _check_limits(self, statement: _Plain | syntax.Assignment) -> None:
        if self._count % _PORTION == 0:
            try:
                self.graph.budget.check_time()
            except LimitError as error:
                raise ProblemError(str(error), statement.span, fix=error.fix) from None
        self._count += 1
        if len(self.graph.value) > MAX_NODES:
            raise ProblemError(f"a graph has at most {MAX_NODES:,} nodes", statement.span)

    def _append(self, statement: syntax.Append) -> None:
        name = statement.target.name
        bundle = self.scope.groups.get(name)
        if not isinstance(bundle, Bundle):
            self.scope.look_up(statement.target)
            raise ProblemError(f"`{name}` is not a list", statement.target.span, "`hs = []`")
        item = self._expressions.evaluate(statement.value)
        if isinstance(item, int) and self.graph.operation[item] is not None:
            self.graph.names.setdefault(item, f"{name}[{len(bundle)}]")
        bundle.items.append(item)

    def _assign(self, name: str, result: Result, span: Span) -> None:
        version = self.scope.bind(name, result)
        if not isinstance(result, int):
            self.scope.assigned.pop(name, None)
            if isinstance(result, Bundle):
                self._expressions.loops.name_items(version, result, span)
            return
        self.scope.assigned[name] = result
        self.scope.assigned[version] = result
        # `b = a` makes no node: the first name stays.
        self.graph.names.setdefault(result, version)

    def _unpack(self, statement: syntax.Unpacking) -> None:
        """Names for several values at once; they are picked from left to right."""
        expression, targets = statement.expression, statement.targets
        values, evaluate = self._expressions.values, self._expressions.evaluate
        span, text = expression.span, self.scope.text(expression.span)
        if isinstance(expression, syntax.Sequence):
            results = [evaluate(item) for item in expression.items]
            check_count(len(results), len(targets), text, span)
        else:
            group = values.group(evaluate(expression), expression)
            check_count(len(group), len(targets), text, span)
            results = [
                -1 if name.name == "_" else values.pick(group, at, span)
                for at, name in enumerate(targets)
            ]
        for name, result in zip(targets, results, strict=True):
            if name.name != "_":
                self._assign(name.name, result, statement.span)
