"""The forward pass: statements, one after the other, onto the tape of a graph."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import numpy as np

from backprop_engine.basics.limits import MAX_NODES
from backprop_engine.basics.source import ProblemError, ScenarioError, Span
from backprop_engine.basics.values import full_like
from backprop_engine.budget import Budget, LimitError
from backprop_engine.catalogue import BINARY, INDEX, PROPERTIES
from backprop_engine.catalogue.subscripts import FROM_OPERAND
from backprop_engine.grammar import syntax
from backprop_engine.grammar.syntax import (
    Action,
    Append,
    Assignment,
    Expression,
    Loop,
    Setting,
    Statement,
    Unpacking,
)
from backprop_engine.loop_labels import NOWHERE
from backprop_engine.program.many_values import (
    Bundle,
    Counting,
    Group,
    Outputs,
    check_count,
    not_one_value,
    position_of,
)
from backprop_engine.program.python_functions import FLOAT, open_list
from backprop_engine.program.resolving import resolve, unknown_property
from backprop_engine.program.scenario import Backward, Retain, Running, Scenario, ZeroGrad
from backprop_engine.program.torch_idioms import leaf_subject
from backprop_engine.run.changing import Changing
from backprop_engine.run.environment import Result, UnmeasuredError
from backprop_engine.run.lines import Lines
from backprop_engine.run.loops import flat_names
from backprop_engine.run.passes import Passes
from backprop_engine.run.stack import (
    AddUp,
    Apply,
    Begin,
    Collect,
    Comprehend,
    Extreme,
    Filled,
    Gather,
    MakeLeaf,
    Measure,
    PickNamed,
    Task,
    Total,
)

_ADD: Final = BINARY["+"]
_OF_TENSORS: Final = frozenset(operation.name for operation in BINARY.values())
_NO_MORE: Final = object()
_PORTION: Final = 16
"""Statements between two looks at the time; an operation on arrays looks by itself."""
_LIKE: Final = {"ones_like": 1.0, "zeros_like": 0.0}


def _model(call: syntax.Call) -> Expression:
    """The value whose shape `ones_like` and its like take."""
    given = call.arguments if call.receiver is None else ()
    if len(given) != 1 or call.keywords:
        raise ProblemError(
            f"`{call.function}` takes one value", call.span, f"`torch.{call.function}(y)`"
        )
    return given[0]


_Plain = Unpacking | Append | Backward | Retain | ZeroGrad
"""A statement that runs once when it is reached."""


class Evaluation(Changing):
    """A scenario's statements run on a new graph; `assigned` has what `compute` assigns."""

    def __init__(self, scenario: Scenario, seconds: float | None = None) -> None:
        """`seconds` is how long it may run, if not as long as everywhere."""
        super().__init__(scenario)
        budget = Budget(seconds)
        budget.take(self.graph.budget.used)  # the inputs are there already
        self.graph.budget = budget
        self.passes = Passes(self, self._node_of)
        self._plans: dict[Task, tuple[Task, ...]] = {}
        """How operations are applied that are the same however often they are met."""
        self._lines = Lines(self)
        self._count = 0
        """Of statements that have been run."""
        try:
            with self.graph.budget.running():
                self._run_all(scenario.statements)
                self.passes.settle()
                self._settle_names()
                if not self.passes.called:
                    for pass_ in scenario.passes:
                        self.passes.note(pass_)
            self._name_leaves()
        except ProblemError as error:
            raise ScenarioError(scenario.source, error.problem) from None

    def known(self, expression: Expression) -> Any:
        """The number or the shape that a name or a size stands for, now that all has run.

        NotWrittenError where Python does not know it before a tensor is computed with.
        """
        try:
            return self._known(expression)
        except UnmeasuredError as needs:
            with np.errstate(all="ignore"):  # inf and nan are values here, as in the run itself
                return self._measure(needs.asked, self._evaluate(needs.asked.receiver))

    def _run_all(self, statements: Iterable[Running]) -> None:
        """Statement after statement; loops are on a stack, each with where it is."""
        running: list[Iterator[Running | Statement]] = [iter(statements)]
        while running:
            statement = next(running[-1], None)
            if isinstance(statement, Assignment):  # as nearly always
                self._run_assignment(statement)
            elif statement is None:
                running.pop()
            elif isinstance(statement, Loop):
                running.append(self._turns(statement))
            elif not isinstance(statement, Action | Setting):
                self._run(statement)

    def _turns(self, loop: Loop) -> Iterator[Statement]:
        """The statements of a loop, again and again, each time with its names bound anew."""
        self.graph.is_recording = loop.is_recorded
        result = self._evaluate(loop.iterable, is_gone_through=True)
        for _ in self._iterate(loop.target, loop.iterable, result, loop.span):
            yield from loop.body

    def _run_assignment(self, statement: Assignment) -> None:
        self._check_limits(statement)
        self.graph.is_recording = statement.is_recorded
        result = self._evaluate(statement.expression)
        if statement.name:
            self._assign(statement.name, result, statement.span)

    def _run(self, statement: _Plain) -> None:
        self.graph.is_recording = True
        self._check_limits(statement)
        if isinstance(statement, Backward | Retain | ZeroGrad):
            self.passes.note(statement)
            return
        self.graph.is_recording = statement.is_recorded
        if isinstance(statement, Append):
            self._append(statement)
        else:
            self._unpack(statement)

    def _check_limits(self, statement: _Plain | Assignment) -> None:
        if self._count % _PORTION == 0:
            try:
                self.graph.budget.check_time()
            except LimitError as error:
                raise ProblemError(str(error), statement.span, fix=error.fix) from None
        self._count += 1
        if len(self.graph.value) > MAX_NODES:
            raise ProblemError(f"a graph has at most {MAX_NODES:,} nodes", statement.span)

    def _append(self, statement: Append) -> None:
        name = statement.target.name
        bundle = self.groups.get(name)
        if not isinstance(bundle, Bundle):
            self.look_up(statement.target)
            raise ProblemError(f"`{name}` is not a list", statement.target.span, "`hs = []`")
        item = self._evaluate(statement.value)
        if isinstance(item, int) and self.graph.operation[item] is not None:
            self.graph.names.setdefault(item, f"{name}[{len(bundle)}]")
        bundle.items.append(item)

    def _assign(self, name: str, result: Result, span: Span) -> None:
        version = self._bind(name, result)
        if not isinstance(result, int):
            self.assigned.pop(name, None)
            if isinstance(result, Bundle):
                self._name_items(version, result, span)
            return
        self.assigned[name] = result
        self.assigned[version] = result
        # `b = a` makes no node: the first name stays.
        self.graph.names.setdefault(result, version)

    def _unpack(self, statement: Unpacking) -> None:
        """Names for several values at once; they are picked from left to right."""
        expression, targets = statement.expression, statement.targets
        if isinstance(expression, syntax.Sequence):
            results = [self._evaluate(item) for item in expression.items]
            check_count(len(results), len(targets), self._text(expression.span), expression.span)
        else:
            group = self._group(self._evaluate(expression), expression)
            check_count(len(group), len(targets), self._text(expression.span), expression.span)
            results = [
                -1 if name.name == "_" else self._pick(group, at, expression.span)
                for at, name in enumerate(targets)
            ]
        for name, result in zip(targets, results, strict=True):
            if name.name != "_":
                self._assign(name.name, result, statement.span)

    # Expressions

    def _evaluate(  # noqa: C901 - a case for each kind of task
        self, root: Expression, *, is_gone_through: bool = False
    ) -> Result:
        """What an expression comes to. A stack machine: expressions may be any depth.

        A list of numbers is one array, unless a loop goes through it.
        """
        if type(root) is syntax.Name:
            return self.look_up(root)
        if not is_gone_through and (line := self._lines.get(root)) is not None:
            return self._lines.run(root, line)
        if (whole := self.whole_number(root)) is not None:
            return whole
        pending: list[Task] = []
        results: list[Result] = []
        if is_gone_through:
            open_list(root, pending)
        else:
            pending.append(root)
        while pending:
            task = pending.pop()
            if type(task) is syntax.Name:
                results.append(self.look_up(task))
                continue
            if isinstance(task, Apply):
                results.append(self.apply(task, results))
                continue
            if (plan := self._plans.get(task)) is not None:
                pending += plan
                continue
            match task:
                case Filled():
                    node = self.one_node(results.pop(), task.model)
                    value = full_like(self.graph.value[node], task.fill)
                    results.append(self.graph.add_constant(value, task.span, is_tensor=True))
                case MakeLeaf(call=call):
                    results.append(self._make_leaf(call, results.pop()))
                case Collect(items=items, is_tuple=is_tuple):
                    results.append(Bundle(self._parts(results, items), is_tuple))
                case PickNamed(attribute=attribute):
                    results.append(self._pick_named(results.pop(), attribute))
                case Measure(asked=asked, expression=expression):
                    measured = (expression, self.graph.iterations.current)
                    self._sizes[measured] = self._measure(asked, results.pop())
                case Gather(call=call, arguments=arguments):
                    given = self._parts(results, arguments)
                    results.append(self._list(call, given))
                case AddUp(call=call):
                    results.append(self.add_up(call, results))
                case Extreme(call=call):
                    results.append(self._extreme(call, results))
                case Begin(made=made):
                    pending.append(self._begin_comprehension(made, results.pop()))
                case Comprehend():
                    self._comprehend(task, pending, results)
                case _:
                    try:
                        if isinstance(task, Total):
                            self._total_of(task.call, pending, results)
                        else:
                            self._begin(task, pending, results)
                    except UnmeasuredError as needs:
                        measure = Measure(needs.asked, needs.expression)
                        pending += [task, measure, needs.asked.receiver]
        if self.graph.iterations.current != NOWHERE:
            self._lines.learn(root)
        return results.pop()

    def _node_of(self, expression: Expression) -> int:
        return self.one_node(self._evaluate(expression), expression)

    def _begin(self, task: Expression, pending: list[Task], results: list[Result]) -> None:
        """The result of what needs no operand, or the work that leads to it."""
        if isinstance(task, syntax.Binary) and task.symbol not in ("//", "%"):
            self._plan(task, pending)
        elif self._begin_list(task, pending, results):
            return
        elif (leaf := self._leaf(task)) is not None:
            results.append(leaf)
        elif isinstance(task, syntax.Unary) and task.symbol == "+":
            pending.append(task.operand)
        elif isinstance(task, syntax.Star):
            pending.append(task.value)
        elif isinstance(task, syntax.Sequence):
            open_list(task, pending)
        elif isinstance(task, syntax.Call) and self._begin_call(task, pending):
            return
        elif isinstance(task, syntax.Attribute) and task.name not in PROPERTIES:
            pending += [PickNamed(task), task.receiver]
        else:
            self._plan(task, pending)

    def _begin_call(self, call: syntax.Call, pending: list[Task]) -> bool:
        """Begin a call that stands for something else than an operation; False for all others."""
        if call.function in _LIKE:
            model = _model(call)
            pending += [Filled(_LIKE[call.function], model, call.span), model]
        elif (subject := leaf_subject(call)) is not None:
            pending += [MakeLeaf(call), subject]
        elif (function := self._of_module(call)) is not None:
            pending.append(function)
        else:
            return False
        return True

    def _begin_list(self, task: Expression, pending: list[Task], results: list[Result]) -> bool:
        """Begin a comprehension or a call of a function for lists; False for all else."""
        if isinstance(task, syntax.Comprehension):
            pending.append(Begin(task))
            open_list(task.iterable, pending)
        elif self._begin_builtin(task, pending, results):
            return True
        elif (call := self._of_lists(task)) is None:
            return False
        elif call.function == "range":
            results.append(self.counting(call))
        else:
            self._first_number(call)
            lists = call.arguments if call.function == "zip" else call.arguments[:1]
            pending.append(Gather(call, lists))
            for list_ in reversed(lists):
                open_list(list_, pending)
        return True

    def _plan(self, task: Expression, pending: list[Task]) -> None:
        """Put off an operation until its operands are there."""
        is_fixed = True

        def known(expression: Expression) -> Any:
            nonlocal is_fixed
            is_fixed = False
            return self._known(expression)

        call = resolve(task, self._seen, known)
        is_plain = len(call.operands) <= 2 and not call.in_place and call.operation.outputs is None
        is_plain &= syntax.Star not in map(type, call.operands) and len(call.operands) > 0
        is_plain &= call.operation is not FLOAT
        plan = (Apply(call, task.span, is_plain), *reversed(call.operands))
        if is_fixed and not (isinstance(task, syntax.Call) and task.function in self.groups):
            self._plans[task] = plan
        pending += plan

    # Lists

    def _begin_comprehension(self, made: syntax.Comprehension, result: Result) -> Comprehend:
        names = flat_names(made.target) or syntax.target_names(made.target)
        turns = self._iterate(made.target, made.iterable, result, made.span)
        return Comprehend(made, turns, {name: self.meaning(name) for name in names})

    def _comprehend(self, task: Comprehend, pending: list[Task], results: list[Result]) -> None:
        """Take the item that has been computed, and go on to the next one."""
        made = task.made
        if task.is_waiting:
            task.take(results.pop())
            self._lines.learn(made.item)
        task.is_waiting = True
        if (line := self._lines.get(made.item)) is not None:
            for _ in task.turns:
                task.take(self._lines.run(made.item, line))
        elif next(task.turns, _NO_MORE) is not _NO_MORE:
            whole = self.whole_number(made.item)
            pending.append(task)
            if whole is None:
                pending.append(made.item)
            else:
                results.append(whole)
            return
        for name, result in task.before.items():
            self.rebind(name, result)
        results.append(Bundle(task.items))

    # Operations

    def plan_of(self, task: Expression) -> tuple[Task, ...] | None:
        """How an operation is applied, if that is the same however often it is met."""
        return self._plans.get(task)

    def apply(self, task: Apply, results: list[Result]) -> Result:
        """What an operation makes of the last results, which are taken off."""
        operation, operands, attributes, in_place, _ = task.call
        first = results[-len(operands)] if operands else 0
        if in_place:
            return self._apply_in_place(task, results)
        if operation is INDEX and not isinstance(first, int):
            del results[-len(operands) :]
            return self._pick_indexed(first, task)
        if operation is INDEX:
            operands, attributes = self._listed_indices(task, results)
        last = results[-1] if operands else 0
        if operation is _ADD and isinstance(first, Bundle) and isinstance(last, Bundle):
            del results[-2:]
            return Bundle([*first.items, *last.items], first.is_tuple)
        nodes = self._operands(results, operands)
        if self._lists and operation.name in _OF_TENSORS:
            self._check_no_list(task, nodes)
        if operation.outputs is not None:
            return self._outputs(task.call, nodes, task.span)
        return self.applied(operation, nodes, attributes, task.span)

    def _check_no_list(self, task: Apply, nodes: tuple[int, ...]) -> None:
        """ProblemError for `x * [1, 2]`: Python joins and repeats lists, and torch takes none."""
        for node, operand in zip(nodes, task.call.operands, strict=True):
            if node in self._lists:
                raise ProblemError(
                    f"`{self._text(operand.span)}` is a list of Python's, which has no arithmetic",
                    operand.span,
                    expected="a tensor or a number",
                    fix="write `torch.tensor([…])`",
                )

    def _listed_indices(
        self, task: Apply, results: list[Result]
    ) -> tuple[tuple[Expression, ...], Mapping[str, Any]]:
        """The operands and attributes of `p[range(n), y]`, the lists among the indices written out.

        Their results are taken off.
        """
        operands, attributes = task.call.operands, task.call.attributes
        given = results[len(results) - len(operands) + 1 :]
        if not any(isinstance(value, Counting | Bundle) for value in given):
            return operands, attributes
        del results[len(results) - len(given) :]
        kept, items = [operands[0]], []
        indices = zip(operands[1:], given, strict=True)
        for item in attributes["items"]:
            if item == FROM_OPERAND:
                operand, index = next(indices)
                if isinstance(index, Counting | Bundle):
                    item = self._index_list(index, operand)
                else:
                    kept.append(operand)
                    results.append(index)
            items.append(item)
        if len(given) == len(items) == 1 and isinstance(given[0], Bundle) and given[0].is_tuple:
            items = list(items[0])
        return tuple(kept), {"items": tuple(items)}

    def _index_list(self, group: Counting | Bundle, place: Expression) -> tuple[int, ...]:
        """The whole numbers of a list that is an index."""
        items, count = self.items(group, place)
        self.spend(count, place.span)
        numbers = [self._number_of(item, place.span) for item in items]
        if not all(isinstance(number, int) for number in numbers):
            raise ProblemError("an index must be a whole number", place.span)
        return tuple(int(number) for number in numbers)

    def _pick_indexed(self, group: Group, task: Apply) -> Result:
        """`parts[1]`, and `shape[1:]`."""
        receiver = task.call.operands[0]
        items = task.call.attributes["items"]
        index = items[0] if len(items) == 1 else items
        if isinstance(index, slice) and isinstance(group, Bundle):
            return Bundle(group.items[index], group.is_tuple)
        text = self._text(receiver.span)
        return self._pick(group, position_of(group, index, text, task.span), task.span)

    def _pick_named(self, result: Result, attribute: syntax.Attribute) -> Result:
        """`q.values` of what `max` gives along an axis."""
        if isinstance(result, Outputs) and attribute.name in result.names:
            return self._pick(result, result.names.index(attribute.name), attribute.span)
        if isinstance(result, int):
            raise unknown_property(attribute)
        raise not_one_value(result, self._text(attribute.receiver.span), attribute.name_span)
