"""What Python knows of a program before it runs: `N` of `N = 64`, and the shapes of its inputs.

Tensors are written out with it: `N, D = 64, 10` and `x = torch.randn(N, D)`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from backprop_engine.basics.source import ProblemError
from backprop_engine.basics.values import Shape, shape_of
from backprop_engine.grammar import syntax
from backprop_engine.grammar.syntax import Assignment, Expression, Unpacking
from backprop_engine.program.python_numbers import NotWrittenError, answer, literal, question
from backprop_engine.program.scenario import Input


class KnownNumbers:
    """Numbers by name, while the text is read from top to bottom."""

    def __init__(self) -> None:
        self._numbers: dict[str, Any] = {}
        self._shapes: dict[str, Shape] = {}

    def __call__(self, expression: Expression) -> Any:
        """What a name or the size of an input stands for; NotWrittenError where it is unknown."""
        if isinstance(expression, syntax.Name) and expression.name in self._numbers:
            return self._numbers[expression.name]
        asked = None if isinstance(expression, syntax.Name) else question(expression)
        if asked and isinstance(asked.receiver, syntax.Name):
            shape = self._shapes.get(asked.receiver.name)
            if shape is not None:
                return answer(asked, shape, self)
        raise NotWrittenError(expression.span)

    def add_input(self, input_: Input) -> None:
        """Take in an input, whose shape is known."""
        self._numbers.pop(input_.name, None)
        self._shapes[input_.name] = shape_of(input_.value)

    def forget(self, names: Iterable[str]) -> None:
        """Names that a loop assigns: what they stand for is known when it runs."""
        for name in names:
            self._numbers.pop(name, None)
            self._shapes.pop(name, None)

    def assign(self, statement: Assignment | Unpacking) -> None:
        """Take in what a statement assigns; what is computed is forgotten."""
        value = self._value(statement.expression)
        self.forget(name.name for name in statement.names)
        if value is None:
            return
        if isinstance(statement, Assignment):
            self._numbers[statement.name] = value
        elif isinstance(value, tuple) and len(value) == len(statement.targets):
            targets = (name.name for name in statement.targets)
            self._numbers |= dict(zip(targets, value, strict=True))

    def _value(self, expression: Expression) -> Any:
        try:
            return literal(expression, self)
        except ProblemError:  # it is computed, and no number to Python
            return None
