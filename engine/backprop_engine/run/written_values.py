"""What needs no operation: names, numbers and lists that are written out, sizes, modules."""

from __future__ import annotations

import numpy as np

from backprop_engine.basics.limits import MAX_NESTING
from backprop_engine.basics.source import Advice, ProblemError
from backprop_engine.grammar import syntax
from backprop_engine.grammar.syntax import Expression, postorder
from backprop_engine.program.many_values import Bundle, Sizes
from backprop_engine.program.nn_modules import Module, called, module
from backprop_engine.program.python_numbers import (
    NotWrittenError,
    is_mathematics,
    is_number,
    literal,
)
from backprop_engine.program.resolving import function_value
from backprop_engine.run.known_numbers import Numbers
from backprop_engine.run.scope import Result, Scope


def _is_written(part: Expression) -> bool:
    return isinstance(
        part, syntax.Number | syntax.Literal | syntax.Sequence | syntax.Unary | syntax.Binary
    )


class WrittenValues:
    """What a leaf of an expression stands for."""

    def __init__(self, scope: Scope, numbers: Numbers) -> None:
        self._scope = scope
        self._numbers = numbers
        self._calls: dict[tuple[Expression, Expression], Expression] = {}
        """For the call of a module, with what made the module: that of its function."""

    def leaf(self, expression: Expression) -> Result | None:
        """What a name, a number or a list stands for; None for what an operation computes."""
        match expression:
            case syntax.Number(value=value):
                return self._numbers.constant(value, expression.span)
            case syntax.Name():
                return self._scope.look_up(expression)
            case syntax.FunctionName():
                return function_value(expression)
            case syntax.Sequence(items=()):
                return Bundle([])
            case syntax.Sequence() if all(map(_is_written, postorder(expression))):
                return self._array(expression)
            case _ if expression in self._scope.scenario.tensors:
                tensor = self._scope.scenario.tensors[expression]
                return self._scope.graph.add_constant(tensor, expression.span, is_tensor=True)
            case _ if (made := module(expression)) is not None:
                return made
            case (
                syntax.Attribute()
                | syntax.Call()
                | syntax.Subscript()
                | syntax.Binary(symbol="//" | "%")
            ):
                return self._number(expression)
            case _:
                return None

    def _number(self, expression: Expression) -> Result | None:
        """A size, or what is computed from sizes by Python itself; None if it is none."""
        constant, span = self._numbers.constant, expression.span
        if is_mathematics(expression) or isinstance(expression, syntax.Binary):
            try:
                return constant(literal(expression, self._numbers.known), span)
            except NotWrittenError:
                return None
        is_part = isinstance(expression, syntax.Subscript) and self._is_shape(expression.receiver)
        if not (is_part or is_number(expression)):
            return None
        value = literal(expression, self._numbers.known)
        return Sizes(value) if isinstance(value, tuple) else constant(value, span)

    def _is_shape(self, expression: Expression) -> bool:
        """Whether it is a name that stands for a shape."""
        return isinstance(expression, syntax.Name) and isinstance(
            self._scope.groups.get(expression.name), Sizes
        )

    def _array(self, expression: syntax.Sequence) -> int:
        for part in postorder(expression):
            if isinstance(part, syntax.Literal):
                raise ProblemError(
                    "a list in an expression holds numbers only",
                    part.span,
                    fix=Advice(
                        "for a mask make it an input with `dtype: bool`",
                        "write `torch.tensor([True, False])` for a mask",
                    ),
                )
        try:
            written = literal(expression)
            array = np.array(written, dtype=float)
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
        node = self._numbers.constant(array, expression.span)
        if self._scope.scenario.is_program:
            self._numbers.lists.add(node)
        if array.ndim == 1 and len(array) <= MAX_NESTING:
            self._numbers.tuples[node] = written
        return node

    def of_module(self, expression: Expression) -> Expression | None:
        """`F.relu(x)` for `nn.ReLU()(x)`, and for `f(x)` where `f` is `nn.ReLU()` or `F.relu`."""
        if not isinstance(expression, syntax.Call) or expression.prefix:
            return None
        receiver = expression.receiver
        group: Result | None = None
        if receiver is None:
            group = self._scope.groups.get(expression.function)
        elif expression.function == "forward":
            group = module(receiver)
            if isinstance(receiver, syntax.Name):
                group = self._scope.groups.get(receiver.name)
        if not isinstance(group, Module):
            return None
        if (expression, group.made) not in self._calls:
            self._calls[expression, group.made] = called(group.made, expression)
        return self._calls[expression, group.made]
