"""Expressions evaluated: a stack machine, as they may be of any depth."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from backprop_engine.basics.memory_order import as_first
from backprop_engine.basics.source import ProblemError
from backprop_engine.basics.values import full_like
from backprop_engine.catalogue import PROPERTIES
from backprop_engine.grammar import syntax
from backprop_engine.grammar.syntax import Expression
from backprop_engine.loop_labels import NOWHERE
from backprop_engine.program.many_values import Bundle, Outputs, not_one_value
from backprop_engine.program.resolving import resolve, unknown_property
from backprop_engine.program.torch_idioms import leaf_subject
from backprop_engine.run.applying import FLOAT, Applying
from backprop_engine.run.known_numbers import Numbers, UnmeasuredError
from backprop_engine.run.lines import Lines
from backprop_engine.run.loops import Loops, flat_names
from backprop_engine.run.made_leaves import MadeLeaves
from backprop_engine.run.python_functions import PythonFunctions
from backprop_engine.run.scope import Result, Scope
from backprop_engine.run.several_values import Values
from backprop_engine.run.tasks import Apply, Do, Task
from backprop_engine.run.written_values import WrittenValues

_LIKE: Final = {"ones_like": 1.0, "zeros_like": 0.0}


class _Turns(NamedTuple):
    """A comprehension on its way from item to item."""

    made: syntax.Comprehension
    turns: Iterator[None]
    """Each binds its names to the next item."""
    before: dict[str, Result | None]
    """What its names meant outside of it."""
    items: list[Result]


class Expressions:
    """What expressions come to in a scope, and all that is asked for it."""

    def __init__(self, scope: Scope) -> None:
        self.numbers = Numbers(scope)
        self.values = Values(scope, self.numbers)
        self.applying = Applying(scope, self.numbers, self.values)
        self.functions = PythonFunctions(scope, self.numbers, self.values, self.applying)
        self.loops = Loops(scope, self.values, self.functions)
        self.leaves = MadeLeaves(scope, self.values)
        self._scope = scope
        self._written = WrittenValues(scope, self.numbers)
        self._plans: dict[Task, list[Task]] = {}
        """How operations are applied that are the same however often they are met."""
        self._lines = Lines(scope, self)

    def node(self, expression: Expression) -> int:
        """The node that an expression comes to; ProblemError where that is several values."""
        return self.values.one_node(self.evaluate(expression), expression)

    def evaluate(self, root: Expression, *, is_gone_through: bool = False) -> Result:
        """What an expression comes to. A list of numbers is one array, unless a loop goes through
        it.
        """
        if type(root) is syntax.Name:
            return self._scope.look_up(root)
        if not is_gone_through and (line := self._lines.get(root)) is not None:
            return self._lines.run(root, line)
        if (whole := self.numbers.whole_number(root)) is not None:
            return whole
        pending: list[Task] = self.functions.opened(root) if is_gone_through else [root]
        results: list[Result] = []
        while pending:
            task = pending.pop()
            if type(task) is syntax.Name:
                results.append(self._scope.look_up(task))
            elif isinstance(task, Apply):
                results.append(self.applying.apply(task, _taken(results, len(task.call.operands))))
            elif not isinstance(task, Do) and (plan := self._plans.get(task)) is not None:
                pending += plan
            else:
                self._go_on(task, pending, results)
        if self._scope.graph.iterations.current != NOWHERE:
            self._lines.learn(root)
        return results.pop()

    def _go_on(self, task: Do | Expression, pending: list[Task], results: list[Result]) -> None:
        """Do what is to be done with the last results, or begin an expression."""
        given = _taken(results, task.operands) if isinstance(task, Do) else []
        try:
            made = task.work(task.about, given) if isinstance(task, Do) else self._begun(task)
        except UnmeasuredError as needs:
            results += given
            pending += [task, Do(self._measured, needs), needs.asked.receiver]
            return
        if isinstance(made, list):
            pending += made
        elif made is not None:
            results.append(made)

    def _measured(self, needs: UnmeasuredError, given: list[Result]) -> None:
        measured = (needs.expression, self._scope.graph.iterations.current)
        self.numbers.sizes[measured] = self.numbers.measure(needs.asked, given[0])

    def _begun(self, expression: Expression) -> Result | list[Task]:
        """The result of what needs no operand, or what is to be done for it."""
        if isinstance(expression, syntax.Binary) and expression.symbol not in ("//", "%"):
            return self._planned(expression)
        if isinstance(expression, syntax.Comprehension):
            opened = self.functions.opened(expression.iterable)
            return [Do(self._comprehended, expression), *opened]
        call = expression if isinstance(expression, syntax.Call) else None
        if call is not None and (begun := self.functions.begun(call)) is not None:
            return begun
        if (leaf := self._written.leaf(expression)) is not None:
            return leaf
        if isinstance(expression, syntax.Unary) and expression.symbol == "+":
            return [expression.operand]
        if isinstance(expression, syntax.Star):
            return [expression.value]
        if isinstance(expression, syntax.Sequence):
            return self.functions.opened(expression)
        if call is not None and (idiom := self._begun_idiom(call)) is not None:
            return idiom
        if isinstance(expression, syntax.Attribute) and expression.name not in PROPERTIES:
            return [Do(self._pick_named, expression), expression.receiver]
        return self._planned(expression)

    def _begun_idiom(self, call: syntax.Call) -> list[Task] | None:
        """For a call that stands for something else than an operation; None for all others."""
        if call.function in _LIKE:
            return [Do(self._filled, call), _model(call)]
        if (subject := leaf_subject(call)) is not None:
            return [Do(self.leaves.make, call), subject]
        function = self._written.of_module(call)
        return None if function is None else [function]

    def _filled(self, call: syntax.Call, given: list[Result]) -> int:
        """A constant tensor of the shape of another (`torch.ones_like(y)`)."""
        graph, node = self._scope.graph, self.values.one_node(given[0], _model(call))
        like = graph.value[node]
        value = as_first(full_like(like, _LIKE[call.function]), (like,))
        return graph.add_constant(value, call.span, is_tensor=True)

    def _planned(self, task: Expression) -> list[Task]:
        """An operation, put off until its operands are there."""
        is_fixed = True

        def known(expression: Expression) -> Any:
            nonlocal is_fixed
            is_fixed = False
            return self.numbers.known(expression)

        call = resolve(task, self._scope.seen, known)
        is_plain = len(call.operands) <= 2 and not call.in_place and call.operation.outputs is None
        is_plain &= syntax.Star not in map(type, call.operands) and len(call.operands) > 0
        is_plain &= call.operation is not FLOAT
        plan: list[Task] = [Apply(call, task.span, is_plain), *reversed(call.operands)]
        is_named = isinstance(task, syntax.Call) and task.function in self._scope.groups
        if is_fixed and not is_named:
            self._plans[task] = plan
        return plan

    def plan_of(self, task: Expression) -> list[Task] | None:
        """How an operation is applied, if that is the same however often it is met."""
        return self._plans.get(task)

    # Comprehensions

    def _comprehended(self, made: syntax.Comprehension, given: list[Result]) -> Any:
        names = flat_names(made.target) or syntax.target_names(made.target)
        turns = self.loops.iterate(made.target, made.iterable, given[0], made.span)
        before = {name: self._scope.meaning(name) for name in names}
        return self._turned(_Turns(made, turns, before, []), [])

    def _turned(self, task: _Turns, given: list[Result]) -> Result | list[Task]:
        """Take the item that has been computed, and go on to the next one."""
        made, items = task.made, task.items
        for item in given:
            self._lines.learn(made.item)
            _take(items, item, made)
        for _ in task.turns:
            at_once = self._at_once(made.item)
            if at_once is None:
                return [Do(self._turned, task), made.item]
            _take(items, at_once, made)
        for name, result in task.before.items():
            self._scope.rebind(name, result)
        return Bundle(items)

    def _at_once(self, expression: Expression) -> Result | None:
        """What an expression comes to that needs no stack; None for all others."""
        if (line := self._lines.get(expression)) is not None:
            return self._lines.run(expression, line)
        return self.numbers.whole_number(expression)

    def _pick_named(self, attribute: syntax.Attribute, given: list[Result]) -> Result:
        """`q.values` of what `max` gives along an axis."""
        result = given[0]
        if isinstance(result, Outputs) and attribute.name in result.names:
            return self.values.pick(result, result.names.index(attribute.name), attribute.span)
        if isinstance(result, int):
            raise unknown_property(attribute)
        raise not_one_value(result, self._scope.text(attribute.receiver.span), attribute.name_span)


def _taken(results: list[Result], count: int) -> list[Result]:
    """The last results, which are taken off."""
    start = len(results) - count
    last = results[start:]
    del results[start:]
    return last


def _take(items: list[Result], item: Result, made: syntax.Comprehension) -> None:
    """One more item; of a list its items, one by one, where a second `for` makes it."""
    if made.flattens and isinstance(item, Bundle):
        items += item.items
    else:
        items.append(item)


def _model(call: syntax.Call) -> Expression:
    """The value whose shape `ones_like` and its like take."""
    given = call.arguments if call.receiver is None else ()
    if len(given) != 1 or call.keywords:
        raise ProblemError(
            f"`{call.function}` takes one value", call.span, f"`torch.{call.function}(y)`"
        )
    return given[0]
