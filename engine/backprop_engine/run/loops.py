"""Loops: what they bind, item by item, and what their iterations and items are called.

A loop is not unrolled in the text: its statements are syntax once, and run as often as it says.
"""

from __future__ import annotations

from collections.abc import Iterator

from backprop_engine.basics.limits import MAX_NODES
from backprop_engine.basics.source import Span
from backprop_engine.grammar import syntax
from backprop_engine.grammar.syntax import Expression, Target
from backprop_engine.loop_labels import Naming
from backprop_engine.program.many_values import Bundle, Counting, check_count
from backprop_engine.run.python_functions import PythonFunctions
from backprop_engine.run.scope import Result, Scope
from backprop_engine.run.several_values import Values


class Loops:
    """What is bound from iteration to iteration."""

    def __init__(self, scope: Scope, values: Values, functions: PythonFunctions) -> None:
        self._scope = scope
        self._values = values
        self._functions = functions

    def iterate(
        self, target: Target, iterable: Expression, result: Result, span: Span
    ) -> Iterator[None]:
        """Bind the target to one item after the other; what runs in between is in the loop."""
        items, count = self._values.items(result, iterable)
        self._values.spend(count, span)
        naming, numbers = self.naming(target, iterable, result), range(count)
        if isinstance(result, Counting):
            numbers = result.numbers
        elif naming.is_counted and isinstance(iterable, syntax.Call):
            start = self._functions.first_number(iterable)
            numbers = range(start, start + count)
        iterations = self._scope.graph.iterations
        around, value, names = iterations.current, self._scope.graph.value, flat_names(target)
        lone = target.name if isinstance(target, syntax.Name) and target.name != "_" else ""
        for iteration, item in enumerate(items, iterations.begin(naming, numbers)):
            iterations.go(len(value), iteration)
            if lone:
                self._scope.rebind(lone, item)
            elif type(item) is Bundle and len(names) == len(item.items):
                for name, part in zip(names, item.items, strict=True):
                    self._scope.rebind(name, part)
            else:
                self._bind_target(target, item)
            yield
            if len(value) > MAX_NODES:
                self._values.spend(0, span)
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
                group = self._values.group(result, place)
                text = self._scope.text(place.span)
                check_count(len(group), len(place.items), text, place.span)
                parts = [self._values.pick(group, at, place.span) for at in range(len(group))]
                pending += reversed(list(zip(place.items, parts, strict=True)))
            elif isinstance(place, syntax.Name) and place.name != "_":
                self._scope.rebind(place.name, result)

    def name_items(self, name: str, bundle: Bundle, span: Span) -> None:
        """Nodes in a list are known by it where nothing else names them: `hs[3]`, `w[0][1]`."""
        names = self._scope.graph.names
        pending: list[tuple[str, Bundle]] = [(name, bundle)]
        while pending:
            called, group = pending.pop()
            self._values.spend(len(group), span)
            for at, item in enumerate(group.items):
                if isinstance(item, int):
                    if self._scope.graph.operation[item] is not None:
                        names.setdefault(item, f"{called}[{at}]")
                elif isinstance(item, Bundle):
                    pending.append((f"{called}[{at}]", item))


def flat_names(target: Target) -> tuple[str, ...]:
    """The names of a target that is a list of names and no more; empty for any other."""
    places = target.items if isinstance(target, syntax.Sequence) else ()
    names = tuple(place.name for place in places if isinstance(place, syntax.Name))
    return names if len(names) == len(places) and "_" not in names else ()
