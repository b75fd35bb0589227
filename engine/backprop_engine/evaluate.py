"""The forward pass: statements, one after the other, onto the tape of a graph."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final, NamedTuple

import numpy as np

from backprop_engine.binding import literal
from backprop_engine.calls import Call, resolve
from backprop_engine.expressions import syntax
from backprop_engine.expressions.syntax import Assignment, Expression, postorder
from backprop_engine.graph import Graph
from backprop_engine.operation import OperandError
from backprop_engine.scenarios.scenario import Scenario
from backprop_engine.source import Problem, ProblemError, ScenarioError, Span
from backprop_engine.suggestions import did_you_mean
from backprop_engine.values import Value, full_like, settle


class _Filled(NamedTuple):
    """Pending work: a constant tensor of the shape of the last result (`torch.ones_like(y)`)."""

    fill: float
    span: Span


class _Apply(NamedTuple):
    """Pending work: apply `call` once its operands stand on the stack of results."""

    call: Call
    span: Span


_LIKE: Final = {"ones_like": 1.0, "zeros_like": 0.0}


def _model(call: syntax.Call) -> Expression:
    """The value whose shape `ones_like` and its like take."""
    given = call.arguments if call.receiver is None else ()
    if len(given) != 1 or call.keywords:
        raise ProblemError(
            f"`{call.function}` takes one value", call.span, f"`torch.{call.function}(y)`"
        )
    return given[0]


class Evaluation:
    """A scenario's statements run on a new graph.

    `names` maps every name that is in force, with its versions, to its node; `assigned` only
    those that `compute` assigns.
    """

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.graph = Graph(scenario.dtype)
        self.names: dict[str, int] = {}
        self.assigned: dict[str, int] = {}
        self._seen: Counter[str] = Counter()
        self._total = Counter(
            [one.name for one in scenario.inputs] + [one.name for one in scenario.statements]
        )
        for one in scenario.inputs:
            node = self.graph.add_input(
                one.name, one.value, requires_grad=one.requires_grad, span=one.span
            )
            self.graph.names[node] = self._bind(one.name, node)
        for statement in scenario.statements:
            self._run(statement)

    def _bind(self, name: str, node: int) -> str:
        """Let `name` mean `node` from here on; returns the version's name (`h@2`)."""
        self.names[name] = node
        self._seen[name] += 1
        if self._total[name] == 1:
            return name
        version = f"{name}@{self._seen[name]}"
        self.names[version] = node
        return version

    def _run(self, statement: Assignment) -> None:
        self._check_in_place(statement)
        self.graph.is_recording = statement.is_recorded
        node = self._evaluate(statement.expression)
        version = self._bind(statement.name, node)
        if not statement.has_target:
            return
        self.assigned[statement.name] = node
        self.assigned[version] = node
        # `b = a` makes no node: the first name stays.
        self.graph.names.setdefault(node, version)

    def _check_in_place(self, statement: Assignment) -> None:
        """In torch `w -= …` under `no_grad` changes the leaf itself; here nothing changes."""
        if statement.in_place and not statement.is_recorded:
            node = self.names.get(statement.name)
            if node is not None and self.graph.requires_grad[node]:
                problem = Problem(
                    f"`{statement.name}` requires grad, and changing it in place is not supported",
                    statement.span,
                    fix="give the changed value a name of its own",
                )
                raise ScenarioError(self.scenario.source, problem)

    def _evaluate(self, root: Expression) -> int:
        """The node of an expression. A stack machine: expressions may be any depth."""
        pending: list[Expression | _Apply | _Filled] = [root]
        results: list[int] = []
        try:
            while pending:
                task = pending.pop()
                if isinstance(task, _Apply):
                    results.append(self._apply(task, results))
                elif isinstance(task, _Filled):
                    value = full_like(self.graph.value[results.pop()], task.fill)
                    results.append(self.graph.add_constant(value, task.span, is_tensor=True))
                elif (leaf := self._leaf(task)) is not None:
                    results.append(leaf)
                elif isinstance(task, syntax.Unary) and task.symbol == "+":
                    pending.append(task.operand)
                elif isinstance(task, syntax.Call) and task.function in _LIKE:
                    pending += [_Filled(_LIKE[task.function], task.span), _model(task)]
                else:
                    call = resolve(task, self.names)
                    pending.append(_Apply(call, task.span))
                    pending.extend(reversed(call.operands))
        except ProblemError as error:
            raise ScenarioError(self.scenario.source, error.problem) from None
        return results.pop()

    def _leaf(self, expression: Expression) -> int | None:
        """The node of a name, or of what is written out; None for what an operation computes."""
        match expression:
            case syntax.Number(value=value):
                return self._constant(float(value), expression.span)
            case syntax.Name():
                return self._look_up(expression)
            case syntax.Sequence():
                return self._array(expression)
            case _ if expression in self.scenario.tensors:
                tensor = self.scenario.tensors[expression]
                return self.graph.add_constant(tensor, expression.span, is_tensor=True)
            case _:
                return None

    def _apply(self, task: _Apply, results: list[int]) -> int:
        count = len(task.call.operands)
        operands = tuple(results[-count:])
        del results[-count:]
        try:
            return self.graph.apply(task.call.operation, operands, task.call.attributes, task.span)
        except OperandError as error:
            problem = Problem(str(error), task.span, fix=error.fix)
            raise ScenarioError(self.scenario.source, problem) from None

    def _constant(self, value: Any, span: Span) -> int:
        settled: Value = settle(value, self.scenario.dtype)
        return self.graph.add_constant(settled, span)

    def _array(self, expression: syntax.Sequence) -> int:
        for part in postorder(expression):
            if isinstance(part, syntax.Literal):
                raise ProblemError(
                    "a list in an expression holds numbers only",
                    part.span,
                    fix="write `torch.tensor([True, False])` for a mask",
                )
        try:
            array = np.array(literal(expression), dtype=float)
        except ValueError:
            raise ProblemError(
                "the rows of this list are not equally long",
                expression.span,
                expected="a list of numbers, or of lists of one length",
            ) from None
        except TypeError:
            raise ProblemError(
                "a list in an expression holds numbers only", expression.span
            ) from None
        return self._constant(array, expression.span)

    def _look_up(self, expression: syntax.Name) -> int:
        node = self.names.get(expression.name)
        if node is not None:
            return node
        later = expression.name in self._total
        raise ProblemError(
            f"`{expression.name}` is used before it is assigned"
            if later
            else f"unknown name `{expression.name}`",
            expression.span,
            fix="" if later else did_you_mean(expression.name, list(self.names)),
        )
