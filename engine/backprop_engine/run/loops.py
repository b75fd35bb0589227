"""What loops go through, and what they are told to bind: `range`, lists, tensors row by row.

A loop is not unrolled in the text: its statements are syntax once, and run as often as it says.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any, Final

from backprop_engine.basics.limits import MAX_ITERATIONS, MAX_NESTING, MAX_NODES
from backprop_engine.basics.source import ProblemError, Span
from backprop_engine.basics.values import shape_of
from backprop_engine.catalogue import FUNCTIONS
from backprop_engine.grammar import syntax
from backprop_engine.grammar.syntax import Expression, Target, postorder
from backprop_engine.loop_labels import Naming
from backprop_engine.program.many_values import (
    Bundle,
    Counting,
    Group,
    Sizes,
    Whole,
    check_count,
    not_one_value,
)
from backprop_engine.program.nn_modules import Module
from backprop_engine.program.python_numbers import literal
from backprop_engine.program.resolving import Call
from backprop_engine.program.scenario import Scenario
from backprop_engine.run.environment import Environment, Result

LIST_FUNCTIONS: Final = frozenset({"range", "zip", "enumerate", "reversed", "list", "tuple"})
"""Python's functions for lists, by name."""


class Looping(Environment):
    """An environment with loops: what they go through, and how far they may go."""

    def __init__(self, scenario: Scenario) -> None:
        super().__init__(scenario)
        self._left = MAX_ITERATIONS
        self._counted: dict[Expression, tuple[str, ...]] = {}
        """Of expressions that have been met: the names, if only names and numbers are in it."""

    # Iterations

    def spend(self, count: int, span: Span) -> None:
        """Raise ProblemError where so many more iterations, or the nodes, are too many."""
        self._left -= count
        if self._left < 0:
            raise ProblemError(
                f"this makes more than {MAX_ITERATIONS:,} iterations, all loops together",
                span,
                fix="make its range smaller",
            )
        if len(self.graph) > MAX_NODES:
            raise ProblemError(f"this makes more than {MAX_NODES:,} nodes", span)

    def _iterate(
        self, target: Target, iterable: Expression, result: Result, span: Span
    ) -> Iterator[None]:
        """Bind the target to one item after the other; what runs in between is in the loop."""
        items, count = self.items(result, iterable)
        self.spend(count, span)
        naming, numbers = self.naming(target, iterable, result), range(count)
        if isinstance(result, Counting):
            numbers = result.numbers
        elif naming.is_counted and isinstance(iterable, syntax.Call):
            start = self._first_number(iterable)
            numbers = range(start, start + count)
        iterations = self.graph.iterations
        around, value, names = iterations.current, self.graph.value, flat_names(target)
        lone = target.name if isinstance(target, syntax.Name) and target.name != "_" else ""
        for iteration, item in enumerate(items, iterations.begin(naming, numbers)):
            iterations.go(len(value), iteration)
            if lone:
                self.rebind(lone, item)
            elif type(item) is Bundle and len(names) == len(item.items):
                for name, part in zip(names, item.items, strict=True):
                    self.rebind(name, part)
            else:
                self._bind_target(target, item)
            yield
            if len(value) > MAX_NODES:
                self.spend(0, span)
        iterations.go(len(value), around)

    def naming(self, target: Target, iterable: Expression, result: Result | None) -> Naming:
        """How its iterations are told: `i=3`, `x=xs[3]`, or `x: item 3`."""
        first: Expression = target
        while isinstance(first, syntax.Sequence):
            first = first.items[0]
        name = first.name if isinstance(first, syntax.Name) else ""
        function = iterable.function if isinstance(iterable, syntax.Call) else ""
        if isinstance(result, Counting) or (function == "enumerate" and first is not target):
            return Naming(f"{name}=", is_counted=True)
        if isinstance(iterable, syntax.Call) and function == "zip" and iterable.arguments:
            iterable = iterable.arguments[0]
        if isinstance(iterable, syntax.Name):
            return Naming(f"{name}={iterable.name}[", "]")
        return Naming(f"{name}: item ")

    def _bind_target(self, target: Target, item: Result) -> None:
        """Let the names of a loop mean an item, or the parts of it; they have no versions."""
        pending: list[tuple[Expression, Result]] = [(target, item)]
        while pending:
            place, result = pending.pop()
            if isinstance(place, syntax.Sequence):
                group = self._group(result, place)
                text = self._text(place.span)
                check_count(len(group), len(place.items), text, place.span)
                parts = [self._pick(group, at, place.span) for at in range(len(group))]
                pending += reversed(list(zip(place.items, parts, strict=True)))
            elif isinstance(place, syntax.Name) and place.name != "_":
                self.rebind(place.name, result)

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

    # What is gone through

    def items(self, result: Result, place: Expression) -> tuple[Iterable[Result], int]:
        """The items of what a loop goes through, and how many they are."""
        if isinstance(result, Counting):
            return map(Whole, result.numbers), self._length(result.numbers, place.span)
        if isinstance(result, Sizes):
            return map(Whole, result.shape), len(result)
        if isinstance(result, Bundle):
            return list(result.items), len(result)
        if isinstance(result, int) and result in self._tuples:
            numbers = self._tuples[result]
            return [self.constant(number, place.span) for number in numbers], len(numbers)
        if isinstance(result, Whole):
            raise ProblemError(
                f"`{self._text(place.span)}` is a number, and a loop goes through a list",
                place.span,
                fix=f"write `range({self._text(place.span)})`",
            )
        group = self._group(result, place)
        # All at once, as `unbind` has them: they come before what the loop makes of them.
        return [self._pick(group, at, place.span) for at in range(len(group))], len(group)

    def _group(self, result: Result, place: Expression) -> Group:
        """What has several values: a tensor has, along its first axis."""
        if isinstance(result, Module | Whole):
            raise not_one_value(result, self._text(place.span), place.span)
        if not isinstance(result, int):
            return result
        text, span = self._text(place.span), place.span
        if not shape_of(self.graph.value[result]):
            raise ProblemError(
                f"a single number cannot be unpacked: `{text}` has no axis to go along",
                span,
                fix="write one name before the `=`, or go through a list or `range(…)`",
            )
        node = self.current_node(result, span)
        return self._outputs(Call(FUNCTIONS["unbind"][0], (), {"dim": 0}), (node,), span)

    def _length(self, numbers: range, span: Span) -> int:
        """How many numbers a range has; ProblemError where they are more than may be."""
        with suppress(OverflowError):
            return len(numbers)
        self.spend(MAX_ITERATIONS + 1, span)
        return 0

    # Python's functions for lists

    def _of_lists(self, expression: Expression) -> syntax.Call | None:
        """The call of one of Python's functions for lists, if the expression is one."""
        if (
            isinstance(expression, syntax.Call)
            and expression.function in LIST_FUNCTIONS
            and expression.receiver is None
            and not expression.prefix
            and expression.function not in self.names
        ):
            return expression
        return None

    def counting(self, call: syntax.Call) -> Counting:
        """`range(start, stop, step)`."""
        if call.keywords or not 1 <= len(call.arguments) <= 3:
            raise ProblemError("`range` takes one to three whole numbers", call.span, "`range(3)`")
        numbers = [literal(argument, self._known) for argument in call.arguments]
        for place, number in zip(call.arguments, numbers, strict=True):
            if isinstance(number, bool) or not isinstance(number, int):
                raise ProblemError("`range` takes whole numbers", place.span)
        if len(numbers) == 3 and not numbers[2]:
            raise ProblemError("the step of a range is not 0", call.arguments[2].span)
        counting = range(*numbers)
        self._length(counting, call.span)
        return Counting(counting)

    def _list(self, call: syntax.Call, results: list[Result]) -> Bundle:
        """`zip`, `enumerate`, `reversed` or `list` of what their arguments have come to."""
        start = self._first_number(call)
        listed = [
            self.items(result, place)
            for result, place in zip(results, call.arguments, strict=False)
        ]
        if not listed:
            return Bundle([])
        count = min(length for _, length in listed)
        self.spend(count, call.span)
        columns = [items for items, _ in listed]
        match call.function:
            case "zip":
                rows = zip(*columns, strict=False)
                return Bundle([Bundle(list(row), is_tuple=True) for row in rows])
            case "enumerate":
                numbers = enumerate(columns[0], start)
                return Bundle([Bundle([Whole(at), item], is_tuple=True) for at, item in numbers])
            case "reversed":
                return Bundle(list(columns[0])[::-1])
            case _:
                return Bundle(list(columns[0]), call.function == "tuple")

    def _first_number(self, call: syntax.Call) -> int:
        """Where `enumerate` starts to count; ProblemError for arguments that do not fit."""
        given = [*call.arguments[1:], *(value for name, value in call.keywords if name == "start")]
        most = 1 if call.function == "enumerate" else 0
        if call.function == "zip":
            given = []
        if len(given) > most or len(call.keywords) > most or not call.arguments:
            raise ProblemError(f"`{call.function}` takes one list", call.span)
        start = literal(given[0], self._known) if given else 0
        if isinstance(start, bool) or not isinstance(start, int):
            raise ProblemError("`enumerate` counts from a whole number", given[0].span)
        return start

    # Whole numbers

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
            if not isinstance(self.groups.get(name), Whole):
                return None
        value: Any = literal(expression, self._known)
        return Whole(value) if isinstance(value, int) else None

    # Names of items

    def _name_items(self, name: str, bundle: Bundle, span: Span) -> None:
        """Nodes in a list are known by it where nothing else names them: `hs[3]`, `w[0][1]`."""
        names = self.graph.names
        pending: list[tuple[str, Bundle]] = [(name, bundle)]
        while pending:
            called, group = pending.pop()
            self.spend(len(group), span)
            for at, item in enumerate(group.items):
                if isinstance(item, int):
                    if self.graph.operation[item] is not None:
                        names.setdefault(item, f"{called}[{at}]")
                elif isinstance(item, Bundle):
                    pending.append((f"{called}[{at}]", item))


def flat_names(target: Target) -> tuple[str, ...]:
    """The names of a target that is a list of names and no more; empty for any other."""
    places = target.items if isinstance(target, syntax.Sequence) else ()
    names = tuple(place.name for place in places if isinstance(place, syntax.Name))
    return names if len(names) == len(places) and "_" not in names else ()


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
