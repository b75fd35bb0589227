"""Several values that go by one name: what a loop goes through, and what stands in a list."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import cast

from backprop_engine.basics.limits import MAX_ITERATIONS, MAX_NODES
from backprop_engine.basics.source import OperandError, ProblemError, Span
from backprop_engine.basics.values import shape_of
from backprop_engine.catalogue import FUNCTIONS
from backprop_engine.grammar import syntax
from backprop_engine.grammar.syntax import Expression
from backprop_engine.program.many_values import (
    Bundle,
    Counting,
    Group,
    Outputs,
    Sizes,
    Whole,
    not_one_value,
)
from backprop_engine.program.nn_modules import Module
from backprop_engine.program.resolving import Call
from backprop_engine.run.known_numbers import Numbers
from backprop_engine.run.scope import Result, Scope
from backprop_engine.run.sharing import shares_outputs


class Values:
    """From results to nodes and items, and how many items there may be."""

    def __init__(self, scope: Scope, numbers: Numbers) -> None:
        self._scope = scope
        self._numbers = numbers
        self._picked: dict[tuple[Outputs, int], int] = {}
        self._left = MAX_ITERATIONS

    def one_node(self, result: Result, expression: Expression) -> int:
        """The node where one value is needed."""
        if isinstance(result, int):
            return self._scope.current_node(result, expression.span)
        if isinstance(result, Whole):
            return self._numbers.constant(result.value, expression.span)
        raise not_one_value(result, self._scope.text(expression.span), expression.span)

    def outputs(self, call: Call, nodes: tuple[int, ...], span: Span) -> Outputs:
        """What an operation with several outputs gives."""
        operation, attributes = call.operation, call.attributes
        try:
            names = self._scope.graph.outputs(operation, nodes, attributes)
        except OperandError as error:
            raise ProblemError(str(error), span, fix=error.fix) from None
        group = Outputs(operation, nodes, attributes, names, span, self._scope.graph.is_recording)
        if self._scope.scenario.changes_in_place and shares_outputs(group):
            for position in range(len(group)):  # all at once, before their base can change
                self.pick(group, position, span)
        return group

    def pick(self, group: Group, position: int, span: Span) -> Result:
        """One of several values; the node of an output is made when it is first asked for."""
        if isinstance(group, Bundle):
            return group.items[position]
        if isinstance(group, Counting):
            return Whole(group.numbers[position])
        if isinstance(group, Module | Whole):
            raise not_one_value(group, self._scope.text(span), span)
        if isinstance(group, Sizes):
            return self._numbers.constant(group.shape[position], span)
        node = self._picked.get((group, position))
        if node is None:
            graph = self._scope.graph
            is_recording, graph.is_recording = graph.is_recording, group.is_recorded
            attributes = {**group.attributes, "output": position}
            try:
                node = graph.apply(group.operation, group.operands, attributes, span)
            except OperandError as error:
                raise ProblemError(str(error), group.span, fix=error.fix) from None
            graph.is_recording = is_recording
            if not group.is_recorded:
                self._scope.sharers.note_no_grad(node)
            self._picked[group, position] = node
        return node

    def items(self, result: Result, place: Expression) -> tuple[Iterable[Result], int]:
        """The items of what a loop goes through, and how many they are."""
        if type(result) is Bundle:
            return list(result.items), len(result.items)
        if isinstance(result, Counting):
            return map(Whole, result.numbers), self.length(result.numbers, place.span)
        if isinstance(result, Sizes):
            return map(Whole, result.shape), len(result)
        if isinstance(result, int) and result in self._numbers.tuples:
            numbers = self._numbers.tuples[result]
            return [self._numbers.constant(number, place.span) for number in numbers], len(numbers)
        if isinstance(result, Whole):
            raise ProblemError(
                f"`{self._scope.text(place.span)}` is a number, and a loop goes through a list",
                place.span,
                fix=f"write `range({self._scope.text(place.span)})`",
            )
        group = self.group(result, place)
        # All at once, as `unbind` has them: they come before what the loop makes of them.
        return [self.pick(group, at, place.span) for at in range(len(group))], len(group)

    def group(self, result: Result, place: Expression) -> Group:
        """What has several values: a tensor has, along its first axis."""
        if isinstance(result, Module | Whole):
            raise not_one_value(result, self._scope.text(place.span), place.span)
        if not isinstance(result, int):
            return result
        text, span = self._scope.text(place.span), place.span
        if not shape_of(self._scope.graph.value[result]):
            raise ProblemError(
                f"a single number cannot be unpacked: `{text}` has no axis to go along",
                span,
                fix="write one name before the `=`, or go through a list or `range(…)`",
            )
        node = self._scope.current_node(result, span)
        return self.outputs(Call(FUNCTIONS["unbind"][0], (), {"dim": 0}), (node,), span)

    def length(self, numbers: range, span: Span) -> int:
        """How many numbers a range has; ProblemError where they are more than may be."""
        with suppress(OverflowError):
            return len(numbers)
        self.spend(MAX_ITERATIONS + 1, span)
        return 0

    def spend(self, count: int, span: Span) -> None:
        """Raise ProblemError where so many more iterations, or the nodes, are too many."""
        self._left -= count
        if self._left < 0:
            raise ProblemError(
                f"this makes more than {MAX_ITERATIONS:,} iterations, all loops together",
                span,
                fix="make its range smaller",
            )
        if len(self._scope.graph.value) > MAX_NODES:
            raise ProblemError(f"this makes more than {MAX_NODES:,} nodes", span)

    def operands(self, given: list[Result], expressions: tuple[Expression, ...]) -> tuple[int, ...]:
        """The nodes of results; after a `*` several may be one."""
        is_plain = {*map(type, given)} == {int} and syntax.Star not in map(type, expressions)
        if is_plain and not self._scope.sharers.changes:  # as nearly always
            return tuple(cast("list[int]", given))
        spread = self.spread(given, expressions)
        return tuple(self.one_node(value, expression) for value, expression in spread)

    def parts(self, given: list[Result], expressions: tuple[Expression, ...]) -> list[Result]:
        """Results as the items of a list."""
        return [value for value, _ in self.spread(given, expressions)]

    def spread(
        self, given: list[Result], expressions: tuple[Expression, ...]
    ) -> list[tuple[Result, Expression]]:
        """The same, each with what it comes from."""
        spread: list[tuple[Result, Expression]] = []
        for result, expression in zip(given, expressions, strict=True):
            is_one = isinstance(result, int)
            if isinstance(expression, syntax.Star) and not (is_one and expression.taker is None):
                if expression.taker and is_one:
                    raise _no_list(expression)
                spread += [(item, expression) for item in self.items(result, expression)[0]]
            else:
                spread.append((result, expression))
        return spread


def _no_list(star: syntax.Star) -> ProblemError:
    """A tensor stands where `torch.stack` or its like takes a list."""
    return ProblemError(
        f"{star.taker}(): argument 'tensors' must be tuple of Tensors, not Tensor",
        star.span,
        f"a list of values, such as `{star.taker}([a, b])`",
    )
