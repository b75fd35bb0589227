"""What needs no operation: names, numbers and lists that are written out, sizes, modules."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final, cast

import numpy as np

from backprop_engine.basics.limits import MAX_NESTING
from backprop_engine.basics.notation import as_name
from backprop_engine.basics.source import Advice, ProblemError
from backprop_engine.basics.values import is_float
from backprop_engine.catalogue import OPERATIONS
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
from backprop_engine.program.scenario import Scenario
from backprop_engine.program.torch_idioms import leaf_subject, only_flag
from backprop_engine.run.environment import Result
from backprop_engine.run.loops import Looping

_LONG_NAME: Final = 40
"""Of a leaf without a name, so much of its text may stand for one."""


def _is_written(part: Expression) -> bool:
    return isinstance(
        part, syntax.Number | syntax.Literal | syntax.Sequence | syntax.Unary | syntax.Binary
    )


def _no_list(star: syntax.Star) -> ProblemError:
    """A tensor stands where `torch.stack` or its like takes a list."""
    return ProblemError(
        f"{star.taker}(): argument 'tensors' must be tuple of Tensors, not Tensor",
        star.span,
        f"a list of values, such as `{star.taker}([a, b])`",
    )


class Leaves(Looping):
    """An environment that knows what a leaf of an expression stands for."""

    def __init__(self, scenario: Scenario) -> None:
        super().__init__(scenario)
        self._calls: dict[tuple[Expression, Expression], Expression] = {}
        """For the call of a module, with what made the module: that of its function."""
        self._made_leaves: list[int] = []

    def _leaf(self, expression: Expression) -> Result | None:
        """What a name, a number or a list stands for; None for what an operation computes."""
        match expression:
            case syntax.Number(value=value):
                return self.constant(value, expression.span)
            case syntax.Name():
                return self.look_up(expression)
            case syntax.FunctionName():
                return function_value(expression)
            case syntax.Sequence(items=()):
                return Bundle([])
            case syntax.Sequence() if all(map(_is_written, postorder(expression))):
                return self._array(expression)
            case _ if expression in self.scenario.tensors:
                tensor = self.scenario.tensors[expression]
                return self.graph.add_constant(tensor, expression.span, is_tensor=True)
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
        if is_mathematics(expression) or isinstance(expression, syntax.Binary):
            try:
                return self.constant(literal(expression, self._known), expression.span)
            except NotWrittenError:
                return None
        is_part = isinstance(expression, syntax.Subscript) and self._is_shape(expression.receiver)
        if not (is_part or is_number(expression)):
            return None
        value = literal(expression, self._known)
        return Sizes(value) if isinstance(value, tuple) else self.constant(value, expression.span)

    def _is_shape(self, expression: Expression) -> bool:
        """Whether it is a name that stands for a shape."""
        return isinstance(expression, syntax.Name) and isinstance(
            self.groups.get(expression.name), Sizes
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
        node = self.constant(array, expression.span)
        if self.scenario.is_program:
            self._lists.add(node)
        if array.ndim == 1 and len(array) <= MAX_NESTING:
            self._tuples[node] = written
        return node

    def _of_module(self, expression: Expression) -> Expression | None:
        """`F.relu(x)` for `nn.ReLU()(x)`, and for `f(x)` where `f` is `nn.ReLU()` or `F.relu`."""
        if not isinstance(expression, syntax.Call) or expression.prefix:
            return None
        receiver = expression.receiver
        group: Result | None = None
        if receiver is None:
            group = self.groups.get(expression.function)
        elif expression.function == "forward":
            group = module(receiver)
            if isinstance(receiver, syntax.Name):
                group = self.groups.get(receiver.name)
        if not isinstance(group, Module):
            return None
        if (expression, group.made) not in self._calls:
            self._calls[expression, group.made] = called(group.made, expression)
        return self._calls[expression, group.made]

    def _make_leaf(self, call: syntax.Call, result: Result) -> int:
        """The node of `x.requires_grad_()`, or of `nn.Parameter(x)`, which is detached first."""
        graph, subject = self.graph, leaf_subject(call) or call
        node = self.one_node(result, subject)
        if call.function == "Parameter":
            node = graph.apply(OPERATIONS["detach"], (node,), span=call.span)
        elif not only_flag(call):
            if graph.requires_grad[node]:
                raise ProblemError(
                    "you can only change requires_grad flags of leaf variables",
                    call.span,
                    fix="for the value without its history write `.detach()`",
                )
            return node
        if graph.requires_grad[node]:
            return node
        if graph.is_number[node] or not is_float(graph.value[node]):
            raise ProblemError(
                "only Tensors of floating point dtype can require gradients",
                subject.span,
                fix="write its numbers with a point, such as `2.`, or call `.float()` before",
            )
        if graph.is_used(node):
            raise ProblemError(
                f"`{self._text(subject.span)}` has been used above",
                call.span,
                fix="let it require grad where it is made: `x = (…).requires_grad_()`",
            )
        graph.make_leaf(node)
        self._made_leaves.append(node)
        return node

    def _name_leaves(self) -> None:
        """Let every leaf that was made stand among the inputs, by its name or by its text."""
        graph = self.graph
        of_a_name = Counter(graph.inputs)
        for node in self._made_leaves:
            name = graph.names.get(node, "")
            if not name:
                span = graph.span[node]
                text = self._text(span) if span else ""
                name = text if 0 < len(text) <= _LONG_NAME else "leaf"
                of_a_name[name] += 1
                count = of_a_name[name]
                name = f"{name} #{count}" if count > 1 else name
                # In a formula it stands where a name does: `3/(x + 1)`.
                graph.names[node] = as_name(name)
            graph.inputs.setdefault(name, node)

    def _operands(
        self, results: list[Result], expressions: tuple[Expression, ...]
    ) -> tuple[int, ...]:
        """The nodes of the last results, which are taken off; after a `*` several may be one."""
        last = results[-len(expressions) :] if expressions else ()
        is_plain = {*map(type, last)} == {int} and syntax.Star not in map(type, expressions)
        if is_plain and not self.sharers.changes:  # as nearly always
            del results[-len(expressions) :]
            return tuple(cast("list[int]", last))
        return tuple(
            self.one_node(value, expression)
            for value, expression in self._spread(results, expressions)
        )

    def _parts(self, results: list[Result], expressions: tuple[Expression, ...]) -> list[Result]:
        """The last results as the items of a list."""
        return [node for node, _ in self._spread(results, expressions)]

    def _spread(
        self, results: list[Result], expressions: tuple[Expression, ...]
    ) -> Iterable[tuple[Result, Expression]]:
        if not expressions:
            return ()
        last = results[-len(expressions) :]
        del results[-len(expressions) :]
        if not any(type(expression) is syntax.Star for expression in expressions):
            return zip(last, expressions, strict=True)
        spread: list[tuple[Result, Expression]] = []
        for result, expression in zip(last, expressions, strict=True):
            is_one = isinstance(result, int)
            if isinstance(expression, syntax.Star) and not (is_one and expression.taker is None):
                if expression.taker and is_one:
                    raise _no_list(expression)
                items = self.items(result, expression)[0]
                spread += [(item, expression) for item in items]
            else:
                spread.append((result, expression))
        return spread
