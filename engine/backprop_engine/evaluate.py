"""The forward pass: statements, one after the other, onto the tape of a graph."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from backprop_engine.budget import LimitError
from backprop_engine.calls import Call, resolve, unknown_property
from backprop_engine.catalogue import FUNCTIONS, INDEX, PROPERTIES
from backprop_engine.environment import Environment, Result, UnmeasuredError
from backprop_engine.expressions import syntax
from backprop_engine.expressions.syntax import Assignment, Expression, Unpacking, postorder
from backprop_engine.groups import (
    Bundle,
    Group,
    Outputs,
    Sizes,
    check_count,
    not_one_value,
    position_of,
)
from backprop_engine.limits import MAX_NESTING, MAX_NODES
from backprop_engine.literals import (
    NotWrittenError,
    Question,
    is_mathematics,
    is_number,
    literal,
)
from backprop_engine.modules import Module, called, module
from backprop_engine.operation import OperandError
from backprop_engine.scenarios.scenario import Scenario
from backprop_engine.source import ProblemError, ScenarioError, Span
from backprop_engine.values import full_like, shape_of


class _Filled(NamedTuple):
    """Pending work: a constant tensor of the shape of the last result (`torch.ones_like(y)`)."""

    fill: float
    model: Expression
    span: Span


class _Apply(NamedTuple):
    """Pending work: apply `call` once its operands stand on the stack of results."""

    call: Call
    span: Span


class _Collect(NamedTuple):
    """Pending work: the last results are the items of a list."""

    items: tuple[Expression, ...]


class _PickNamed(NamedTuple):
    """Pending work: `.values` of the last result."""

    attribute: syntax.Attribute


class _Measure(NamedTuple):
    """Pending work: the last result is what a size is asked of."""

    asked: Question
    expression: Expression


_Task = Expression | _Apply | _Filled | _Collect | _PickNamed | _Measure


_LIKE: Final = {"ones_like": 1.0, "zeros_like": 0.0}


def _is_written(part: Expression) -> bool:
    return isinstance(
        part, syntax.Number | syntax.Literal | syntax.Sequence | syntax.Unary | syntax.Binary
    )


def _check_flat(sequence: syntax.Sequence) -> None:
    """Raise ProblemError for a list of values in a list, which nothing can take."""
    for item in sequence.items:
        if isinstance(item, syntax.Sequence) and not all(map(_is_written, postorder(item))):
            raise ProblemError(
                "a list in a list holds numbers only",
                item.span,
                fix="make one value of it with `torch.stack` or `torch.cat`",
            )


def _model(call: syntax.Call) -> Expression:
    """The value whose shape `ones_like` and its like take."""
    given = call.arguments if call.receiver is None else ()
    if len(given) != 1 or call.keywords:
        raise ProblemError(
            f"`{call.function}` takes one value", call.span, f"`torch.{call.function}(y)`"
        )
    return given[0]


class Evaluation(Environment):
    """A scenario's statements run on a new graph; `assigned` has what `compute` assigns."""

    def __init__(self, scenario: Scenario) -> None:
        super().__init__(scenario)
        self.assigned: dict[str, int] = {}
        try:
            with self.graph.budget.running():
                for statement in scenario.statements:
                    self._run(statement)
        except ProblemError as error:
            raise ScenarioError(scenario.source, error.problem) from None

    def _run(self, statement: Assignment | Unpacking) -> None:
        self.graph.is_recording = statement.is_recorded
        self._check_limits(statement)
        if isinstance(statement, Unpacking):
            self._unpack(statement)
            return
        self._check_in_place(statement)
        result = self._evaluate(statement.expression)
        if statement.has_target:
            self._assign(statement.name, result)
        else:
            self._bind(statement.name, result)

    def _check_limits(self, statement: Assignment | Unpacking) -> None:
        try:
            self.graph.budget.check_time()
        except LimitError as error:
            raise ProblemError(str(error), statement.span, fix=error.fix) from None
        if len(self.graph) > MAX_NODES:
            raise ProblemError(f"a graph has at most {MAX_NODES:,} nodes", statement.span)

    def _assign(self, name: str, result: Result) -> None:
        version = self._bind(name, result)
        if not isinstance(result, int):
            self.assigned.pop(name, None)
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
            group = self._group(self._evaluate(expression), statement)
            check_count(len(group), len(targets), self._text(expression.span), expression.span)
            results = [
                -1 if name.name == "_" else self._pick(group, at, expression.span)
                for at, name in enumerate(targets)
            ]
        for name, result in zip(targets, results, strict=True):
            if name.name != "_":
                self._assign(name.name, result)

    def _group(self, result: Result, statement: Unpacking) -> Group:
        """What can be unpacked: a tensor is, along its first axis."""
        if isinstance(result, Module):
            raise not_one_value(result, self._text(statement.expression.span), statement.span)
        if not isinstance(result, int):
            return result
        text, span = self._text(statement.expression.span), statement.expression.span
        shape = shape_of(self.graph.value[result])
        if not shape:
            raise ProblemError(
                f"a single number cannot be unpacked: `{text}` has no axis to go along",
                span,
                fix="write one name before the `=`",
            )
        unbind = FUNCTIONS.get("unbind")
        if unbind is None:
            check_count(shape[0], len(statement.targets), text, span)
            names = ", ".join(one.name for one in statement.targets)
            rows = ", ".join(f"{text}[{at}]" for at in range(shape[0]))
            raise ProblemError(
                f"`{text}` is one value of shape {shape}", span, fix=f"write `{names} = {rows}`"
            )
        return self._outputs(Call(unbind[0], (), {"dim": 0}), (result,), span)

    def _check_in_place(self, statement: Assignment) -> None:
        """In torch `w -= …` under `no_grad` changes the leaf itself; here nothing changes."""
        if statement.in_place and not statement.is_recorded:
            node = self.names.get(statement.name)
            if node is not None and self.graph.requires_grad[node]:
                raise ProblemError(
                    f"`{statement.name}` requires grad, and changing it in place is not supported",
                    statement.span,
                    fix="give the changed value a name of its own",
                )

    # Expressions

    def _evaluate(self, root: Expression) -> Result:
        """What an expression comes to. A stack machine: expressions may be any depth."""
        pending: list[_Task] = [root]
        results: list[Result] = []
        while pending:
            task = pending.pop()
            match task:
                case _Apply():
                    results.append(self._apply(task, results))
                case _Filled():
                    node = self._one(results.pop(), task.model)
                    value = full_like(self.graph.value[node], task.fill)
                    results.append(self.graph.add_constant(value, task.span, is_tensor=True))
                case _Collect(items=items):
                    results.append(Bundle(self._operands(results, items)))
                case _PickNamed(attribute=attribute):
                    results.append(self._pick_named(results.pop(), attribute))
                case _Measure(asked=asked, expression=expression):
                    self._sizes[expression] = self._measure(asked, results.pop())
                case _:
                    try:
                        self._begin(task, pending, results)
                    except UnmeasuredError as needs:
                        measure = _Measure(needs.asked, needs.expression)
                        pending += [task, measure, needs.asked.receiver]
        return results.pop()

    def _begin(self, task: Expression, pending: list[_Task], results: list[Result]) -> None:
        """The result of what needs no operand, or the work that leads to it."""
        if isinstance(task, syntax.Binary) and task.symbol not in ("//", "%"):
            self._plan(task, pending)
        elif (leaf := self._leaf(task)) is not None:
            results.append(leaf)
        elif isinstance(task, syntax.Unary) and task.symbol == "+":
            pending.append(task.operand)
        elif isinstance(task, syntax.Star):
            pending.append(task.value)
        elif isinstance(task, syntax.Sequence):
            _check_flat(task)
            pending.append(_Collect(task.items))
            pending.extend(reversed(task.items))
        elif isinstance(task, syntax.Call) and task.function in _LIKE:
            model = _model(task)
            pending += [_Filled(_LIKE[task.function], model, task.span), model]
        elif (function := self._of_module(task)) is not None:
            pending.append(function)
        elif isinstance(task, syntax.Attribute) and task.name not in PROPERTIES:
            pending += [_PickNamed(task), task.receiver]
        else:
            self._plan(task, pending)

    def _plan(self, task: Expression, pending: list[_Task]) -> None:
        """Put off an operation until its operands are there."""
        call = resolve(task, self._seen, self._known)
        pending.append(_Apply(call, task.span))
        pending.extend(reversed(call.operands))

    def _of_module(self, expression: Expression) -> Expression | None:
        """`F.relu(x)` for `nn.ReLU()(x)`, and for `act(x)` after `act = nn.ReLU()`."""
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
        return called(group.made, expression) if isinstance(group, Module) else None

    def _leaf(self, expression: Expression) -> Result | None:
        """What a name, a number or a list stands for; None for what an operation computes."""
        match expression:
            case syntax.Number(value=value):
                return self._constant(value, expression.span)
            case syntax.Name():
                return self._look_up(expression)
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
                return self._constant(literal(expression, self._known), expression.span)
            except NotWrittenError:
                return None
        is_part = isinstance(expression, syntax.Subscript) and self._is_shape(expression.receiver)
        if not (is_part or is_number(expression)):
            return None
        value = literal(expression, self._known)
        return Sizes(value) if isinstance(value, tuple) else self._constant(value, expression.span)

    def _is_shape(self, expression: Expression) -> bool:
        """Whether it is a name that stands for a shape."""
        return isinstance(expression, syntax.Name) and isinstance(
            self.groups.get(expression.name), Sizes
        )

    # Operations

    def _apply(self, task: _Apply, results: list[Result]) -> Result:
        operation, operands, attributes = task.call
        first = results[-len(operands)] if operands else 0
        if operation is INDEX and not isinstance(first, int):
            del results[-len(operands) :]
            return self._pick_indexed(first, task)
        nodes = self._operands(results, operands)
        if operation.outputs is not None:
            return self._outputs(task.call, nodes, task.span)
        try:
            node = self.graph.apply(operation, nodes, attributes, task.span)
        except OperandError as error:
            raise ProblemError(str(error), task.span, fix=error.fix) from None
        self._note_whole(node)
        return node

    def _operands(
        self, results: list[Result], expressions: tuple[Expression, ...]
    ) -> tuple[int, ...]:
        """The nodes of the last results, which are taken off; after a `*` several may be one."""
        if not expressions:
            return ()
        last = results[-len(expressions) :]
        del results[-len(expressions) :]
        nodes: list[int] = []
        for result, expression in zip(last, expressions, strict=True):
            if isinstance(expression, syntax.Star) and not isinstance(result, int):
                nodes += [self._pick(result, at, expression.span) for at in range(len(result))]
            else:
                nodes.append(self._one(result, expression))
        return tuple(nodes)

    def _pick_indexed(self, group: Group, task: _Apply) -> Result:
        """`parts[1]`, and `shape[1:]`."""
        receiver = task.call.operands[0]
        items = task.call.attributes["items"]
        index = items[0] if len(items) == 1 else items
        text = self._text(receiver.span)
        return self._pick(group, position_of(group, index, text, task.span), task.span)

    def _pick_named(self, result: Result, attribute: syntax.Attribute) -> int:
        """`q.values` of what `max` gives along an axis."""
        if isinstance(result, Outputs) and attribute.name in result.names:
            return self._pick(result, result.names.index(attribute.name), attribute.span)
        if isinstance(result, int):
            raise unknown_property(attribute)
        raise not_one_value(result, self._text(attribute.receiver.span), attribute.name_span)

    # Leaves

    def _array(self, expression: syntax.Sequence) -> int:
        for part in postorder(expression):
            if isinstance(part, syntax.Literal):
                raise ProblemError(
                    "a list in an expression holds numbers only",
                    part.span,
                    fix="write `torch.tensor([True, False])` for a mask",
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
        node = self._constant(array, expression.span)
        if array.ndim == 1 and len(array) <= MAX_NESTING:
            self._tuples[node] = written
        return node
