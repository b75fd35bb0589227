"""Expressions that loops come to again and again: what is to be done in a row, with no tree left.

A line is made of an expression that has been evaluated once, in the order in which its parts ran.
Operands are told by name, or by which of the steps before has made them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.limits import MAX_NODES
from backprop_engine.basics.source import Span
from backprop_engine.grammar import syntax
from backprop_engine.grammar.syntax import Expression
from backprop_engine.graph import NO_ATTRIBUTES
from backprop_engine.loop_labels import Naming
from backprop_engine.program.many_values import Bundle, Counting
from backprop_engine.run.known_numbers import names_counted
from backprop_engine.run.loops import flat_names
from backprop_engine.run.scope import Result, Scope
from backprop_engine.run.tasks import Apply, Do

if TYPE_CHECKING:
    from backprop_engine.run.expressions import Expressions

MAX_DEPTH: Final = 20
"""Comprehensions inside of each other that run in a line: each is a call of Python's."""


class Step(NamedTuple):
    """One node of one or two operands; or a constant, where there is no `first`."""

    task: Any
    operation: Any
    attributes: Mapping[str, Any]
    span: Span
    first: str | int | None = None
    """A name, or the step that has made it."""
    second: str | int | None = None
    operands: tuple[int | syntax.Name, ...] = ()
    """All of them, the names as they are written."""
    work: Callable[[Any, list[Result]], Any] | None = None
    """For what makes more than a node."""


class Line(NamedTuple):
    """The steps; the last one gives the result."""

    steps: tuple[Step, ...]
    depth: int
    """How many comprehensions are inside of each other."""
    counted: str
    """A name in it, if only names and numbers are: Python itself may compute it (`2*i + 1`)."""


@dataclass(frozen=True, eq=False)
class _Turns:
    """A comprehension whose items are lines."""

    made: syntax.Comprehension
    names: tuple[str, ...]
    line: Line
    naming: Naming | None
    """How its iterations are told, where that is the same every time."""
    span: Span

    @cached_property
    def pair(self) -> tuple[int, int] | None:
        """Where the operands of `w*v for w, v in …` stand among the names; None for all others."""
        step, names = self.line.steps[0], self.names
        is_lone = len(self.line.steps) == 1 and step.attributes is NO_ATTRIBUTES
        if not is_lone or step.first not in names or step.second not in names:
            return None
        return names.index(str(step.first)), names.index(str(step.second))


class Lines:
    """The lines of expressions; None for an expression that has none."""

    def __init__(self, scope: Scope, expressions: Expressions) -> None:
        self._scope = scope
        self._expressions = expressions
        self._lines: dict[Expression, Line | None] = {}

    def get(self, root: Expression) -> Line | None:
        """The line of an expression that has one."""
        return self._lines.get(root)

    def learn(self, root: Expression) -> None:
        """Take in an expression that has been evaluated."""
        if root not in self._lines:
            self._lines[root] = self._written(root)

    # How they are written

    def _written(self, root: Expression) -> Line | None:
        steps: list[Step] = []
        results: list[int | syntax.Name] = []
        pending: list[Any] = [root]
        depth = 0
        while pending:
            task = pending.pop()
            if isinstance(task, syntax.Name):
                results.append(task)
                continue
            if isinstance(task, syntax.Number):
                step = Step(task, None, {}, task.span)
            elif isinstance(task, Apply | Do):
                count = len(task.call.operands) if isinstance(task, Apply) else task.operands
                operands = tuple(results[len(results) - count :])
                del results[len(results) - count :]
                step = self._step(task, operands)
                depth = max(depth, task.depth if isinstance(task, Do) else 0)
            elif (more := self._expressions.plan_of(task) or self._begun(task)) is not None:
                pending += more
                continue
            else:
                return None
            results.append(len(steps))
            steps.append(step)
        names = names_counted(root)
        line = Line(tuple(steps), depth, names[0] if names else "")
        return line if steps and depth <= MAX_DEPTH else None

    def _step(self, task: Apply | Do, operands: tuple[int | syntax.Name, ...]) -> Step:
        if isinstance(task, Do):
            about = task.about
            return Step(about, None, {}, about.span, operands=operands, work=task.work)
        call, span = task.call, task.span
        if not task.is_plain:
            work = self._expressions.applying.apply
            return Step(task, call.operation, call.attributes, span, operands=operands, work=work)
        first, *second = (
            operand.name if isinstance(operand, syntax.Name) else operand for operand in operands
        )
        both = (first, second[0] if second else None)
        return Step(task, call.operation, call.attributes, span, *both, operands)

    def _begun(self, task: Expression) -> list[Any] | None:
        """The parts of a comprehension, of the sum of one, and of a range."""
        if isinstance(task, syntax.Comprehension):
            return self._turns(task)
        functions = self._expressions.functions
        if not isinstance(task, syntax.Call) or not functions.is_pythons(task):
            return None
        if task.function == "range":
            return [Do(lambda call, _: functions.counting(call), task, 0)]
        arguments = task.arguments
        is_sum = task.function == "sum" and 1 <= len(arguments) <= 2 and not task.keywords
        if not is_sum or not isinstance(arguments[0], syntax.Comprehension):
            return None
        start = arguments[1] if len(arguments) > 1 else syntax.Number(0, task.span)
        return [Do(functions.add_up, task, 2), start, arguments[0]]

    def _turns(self, made: syntax.Comprehension) -> list[Any] | None:
        line, iterable, target = self._lines.get(made.item), made.iterable, made.target
        if line is None or made.flattens:
            return None
        depth = line.depth + 1
        if isinstance(iterable, syntax.Call) and iterable.function == "zip":
            names, lists = flat_names(target), iterable.arguments
            if len(names) != len(lists) or not self._expressions.functions.is_pythons(iterable):
                return None
            if iterable.keywords or syntax.Star in map(type, lists):
                return None
            naming = self._expressions.loops.naming(target, iterable, None)
            turns = _Turns(made, names, line, naming, made.span)
            return [Do(self._zipped, turns, len(lists), depth), *reversed(lists)]
        if not isinstance(target, syntax.Name) or target.name == "_":
            return None
        if isinstance(iterable, syntax.Sequence | syntax.Star):
            return None
        turns = _Turns(made, (target.name,), line, None, made.span)
        return [Do(self._gone_through, turns, 1, depth), iterable]

    # How they run

    def run(self, root: Expression, line: Line) -> Result:
        """What an expression comes to that has a line."""
        numbers, applying = self._expressions.numbers, self._expressions.applying
        names: dict[Any, int] = self._scope.names
        if line.counted and line.counted not in names:
            whole = numbers.whole_number(root)
            if whole is not None:
                return whole
        is_quick: bool | None = None  # whether it is not known
        made: list[Any] = []
        for task, operation, attributes, span, first, second, operands, work in line.steps:
            if first is None:
                if work is None:
                    made.append(numbers.constant(task.value, span))
                else:
                    made.append(work(task, self._given(operands, made)))
                    is_quick = None
                continue
            if is_quick is None:
                is_quick = applying.is_quick
            a = made[first] if type(first) is int else names.get(first)
            b = made[second] if type(second) is int else names.get(second)
            if is_quick and type(a) is int and (second is None or type(b) is int):
                made.append(applying.quickly(operation, a, b, attributes, span))
            else:
                made.append(applying.apply(task, self._given(operands, made)))
        result: Result = made[-1]
        return result

    def _given(self, operands: tuple[int | syntax.Name, ...], made: list[Result]) -> list[Result]:
        look_up = self._scope.look_up
        return [
            made[operand] if isinstance(operand, int) else look_up(operand) for operand in operands
        ]

    def _zipped(self, turns: _Turns, given: list[Result]) -> Result:
        """A comprehension along several lists at once."""
        values, call = self._expressions.values, turns.made.iterable
        places = call.arguments if isinstance(call, syntax.Call) else ()
        listed = [values.items(value, place) for value, place in zip(given, places, strict=True)]
        count = min([length for _, length in listed])
        values.spend(count, call.span)
        rows = list(zip(*[items for items, _ in listed], strict=False))
        return self._turned(turns, rows, turns.naming or Naming(""), range(count))

    def _gone_through(self, turns: _Turns, given: list[Result]) -> Result:
        """A comprehension along one list, a range or a tensor."""
        (result,), made = given, turns.made
        items, count = self._expressions.values.items(result, made.iterable)
        naming = self._expressions.loops.naming(made.target, made.iterable, result)
        numbers = result.numbers if isinstance(result, Counting) else range(count)
        return self._turned(turns, list(zip(items, strict=True)), naming, numbers)

    def _at_once(
        self, turns: _Turns, rows: Sequence[tuple[Result, ...]]
    ) -> tuple[Step, Sequence[tuple[int, int]]] | None:
        """The one step of `w*v for w, v in …` and its operands in each row; None for all others."""
        if turns.pair is None or not self._expressions.applying.is_quick:
            return None
        at, beside = turns.pair
        pairs: Any = rows
        if turns.pair != (0, 1) or len(turns.names) > 2:
            pairs = [(row[at], row[beside]) for row in rows]
        are_nodes = {int}.issuperset(map(type, chain.from_iterable(pairs)))
        return (turns.line.steps[0], pairs) if are_nodes else None

    def _turned(
        self, turns: _Turns, rows: Sequence[tuple[Result, ...]], naming: Naming, numbers: range
    ) -> Bundle:
        scope, names, item, line = self._scope, turns.names, turns.made.item, turns.line
        spend = self._expressions.values.spend
        spend(len(numbers), turns.span)
        value, iterations = scope.graph.value, scope.graph.iterations
        around, first = iterations.current, iterations.begin(naming, numbers)
        if (at_once := self._at_once(turns, rows)) is not None:
            step, pairs = at_once
            iterations.go_on(len(value), first)
            made = self._expressions.applying.each_quickly(step.operation, pairs, step.span)
            iterations.go(len(value), around)
            return Bundle(list(made))
        before = {name: scope.meaning(name) for name in names}
        nodes, groups = scope.names, scope.groups
        results: list[Result] = []
        for iteration, row in enumerate(rows, first):
            iterations.go(len(value), iteration)
            for name, result in zip(names, row, strict=False):
                if type(result) is int and name not in groups:
                    nodes[name] = result
                else:
                    scope.rebind(name, result)
            results.append(self.run(item, line))
            if len(value) > MAX_NODES:
                spend(0, turns.span)
        iterations.go(len(value), around)
        for name, meant in before.items():
            scope.rebind(name, meant)
        return Bundle(results)
