"""The numbers that Python knows while a program runs: `n` of `n = x.shape[0]`, and `x.shape`."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from backprop_engine.basics.limits import MAX_NESTING
from backprop_engine.basics.source import ProblemError, Span
from backprop_engine.basics.values import Dtype, Value, settle, shape_of
from backprop_engine.grammar import syntax
from backprop_engine.grammar.syntax import Expression, postorder
from backprop_engine.program.many_values import Bundle, Sizes, Whole, not_one_value
from backprop_engine.program.nn_modules import Module
from backprop_engine.program.python_numbers import (
    NotWrittenError,
    Question,
    Tuple,
    answer,
    is_number,
    literal,
    question,
)
from backprop_engine.run.scope import Result, Scope

_WHOLE: Final = frozenset({"add", "sub", "mul", "neg", "pow", "remainder", "floor_divide"})
"""Operations that of Python's whole numbers make whole numbers."""


class UnmeasuredError(Exception):
    """A size is asked of a value that has no name, and is not computed yet."""

    def __init__(self, asked: Question, expression: Expression) -> None:
        super().__init__()
        self.asked = asked
        self.expression = expression


class Numbers:
    """What Python knows of the names and expressions of a program."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self.tuples: dict[int, tuple[Any, ...]] = {}
        """Short lists of numbers, by their nodes: `(3, 2)` may be a shape, too."""
        self.lists: set[int] = set()
        """The nodes of lists of numbers in a program, where they are Python's and not tensors."""
        self.sizes: dict[tuple[Expression, int], Any] = {}
        """What was asked of values without a name, in an iteration."""
        self._counted: dict[Expression, tuple[str, ...]] = {}
        """Of expressions that have been met: the names, if only names and numbers are in it."""

    def constant(self, value: Any, span: Span) -> int:
        """The node of a number or an array that is written out."""
        is_whole = isinstance(value, int)
        is_array = isinstance(value, np.ndarray)
        # Numbers are Python's own, as in torch.
        dtype: Dtype = self._scope.scenario.dtype if is_array else "float64"
        settled: Value = settle(float(value) if is_whole else value, dtype)
        node = self._scope.graph.add_constant(settled, span)
        if is_whole:
            self._scope.graph.whole.add(node)
        return node

    def note_whole(self, node: int) -> None:
        """Remember a number that Python computes from whole numbers to a whole number."""
        operation, graph = self._scope.graph.operation[node], self._scope.graph
        if operation is None:
            return
        is_counted = operation.name in _WHOLE and graph.whole.issuperset(graph.operands[node])
        if is_counted and float(graph.value[node]).is_integer():
            graph.whole.add(node)

    def known(self, expression: Expression) -> Any:
        """The number or the shape that a name or a question stands for, as Python has it."""
        if isinstance(expression, syntax.Name):
            return self._named_number(expression)
        asked = question(expression)
        if asked is None:
            raise NotWrittenError(expression.span)
        measured = (expression, self._scope.graph.iterations.current)
        if measured in self.sizes:
            return self.sizes[measured]
        if isinstance(asked.receiver, syntax.Name):
            return self.measure(asked, self._scope.look_up(asked.receiver))
        if asked.of == "len" and is_number(asked.receiver):
            listed = literal(asked.receiver, self.known)
            if not isinstance(listed, tuple):
                raise ProblemError("a single number has no length", asked.receiver.span)
            return self.measure(asked, Sizes(listed))
        raise UnmeasuredError(asked, expression)

    def _named_number(self, name: syntax.Name) -> Any:
        result = self._scope.look_up(name)
        if isinstance(result, Whole):
            return result.value
        if isinstance(result, Sizes):
            return result.shape
        if isinstance(result, int) and result in self.tuples:
            return self.tuples[result]
        if isinstance(result, int):
            return self.number_of(result, name.span)
        if isinstance(result, Bundle) and 0 < len(result) <= MAX_NESTING:
            numbers = tuple(self.number_of(item, name.span) for item in result.items)
            return Tuple(numbers) if result.is_tuple else numbers
        raise NotWrittenError(name.span)

    def number_of(self, result: Result, span: Span) -> int | float:
        """The number of Python's that a result is; NotWrittenError for any other."""
        if isinstance(result, Whole):
            return result.value
        if not isinstance(result, int) or not self._scope.graph.is_number[result]:
            raise NotWrittenError(span)
        value = self._scope.graph.value[result]
        if not self._is_known(result):
            raise NotWrittenError(
                span, "this number is read from a tensor, and must be known before"
            )
        return int(value) if result in self._scope.graph.whole else float(value)

    def _is_known(self, node: int) -> bool:
        """Whether a number is made of numbers that are written out, by no tensor's `item()`."""
        pending = [node]
        while pending:
            operand = pending.pop()
            if not self._scope.graph.is_number[operand]:
                return False
            pending += self._scope.graph.operands[operand]
        return True

    def measure(self, asked: Question, result: Result) -> Any:
        """The size that is asked of a result."""
        if isinstance(result, int):
            return answer(asked, shape_of(self._scope.graph.value[result]), self.known)
        if asked.of == "len" and not isinstance(result, Module | Whole):
            return len(result)
        if asked.of == "numel" and isinstance(result, Sizes):
            return answer(asked, result.shape, self.known)
        raise not_one_value(result, self._scope.text(asked.receiver.span), asked.receiver.span)

    def whole_number(self, expression: Expression) -> Whole | None:
        """What Python itself computes from a loop's numbers: `2*i + 1`, as a list's index may be.

        None for all else, and for numbers that are written out: those are constants.
        """
        if not isinstance(expression, syntax.Binary | syntax.Unary):
            return None
        names = self._counted.get(expression)
        if names is None:
            names = self._counted[expression] = names_counted(expression)
        if not names:
            return None
        for name in names:
            if not isinstance(self._scope.groups.get(name), Whole):
                return None
        value: Any = literal(expression, self.known)
        return Whole(value) if isinstance(value, int) else None


def names_counted(expression: Expression) -> tuple[str, ...]:
    """The names in an expression of names and numbers alone; empty for any other."""
    names: list[str] = []
    for count, part in enumerate(postorder(expression)):
        if isinstance(part, syntax.Name):
            names.append(part.name)
        elif not isinstance(part, syntax.Number | syntax.Binary | syntax.Unary):
            return ()
        if count > MAX_NESTING:
            return ()
    return tuple(names)
