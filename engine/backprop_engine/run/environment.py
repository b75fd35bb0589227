"""What the names of a program stand for while it runs, and what Python knows of them.

A name stands for a node, or for several values; and where a number has to be written out, for a
number: `n` of `n = x.shape[0]`, and `x.shape` itself.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

import numpy as np

from backprop_engine.basics.limits import MAX_NESTING
from backprop_engine.basics.source import OperandError, Problem, ProblemError, ScenarioError, Span
from backprop_engine.basics.suggestions import did_you_mean
from backprop_engine.basics.values import Dtype, Value, settle, shape_of
from backprop_engine.catalogue import FUNCTIONS
from backprop_engine.grammar import syntax
from backprop_engine.grammar.syntax import Expression
from backprop_engine.graph import Graph
from backprop_engine.program.many_values import (
    Bundle,
    Counting,
    Group,
    Outputs,
    Sizes,
    Whole,
    not_one_value,
)
from backprop_engine.program.names import Names
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
from backprop_engine.program.resolving import Call
from backprop_engine.program.scenario import Scenario
from backprop_engine.run.sharing import Sharers, shares_outputs

Result = int | Group
"""What an expression comes to: a node, or several values that go by one name."""

_WHOLE: Final = frozenset({"add", "sub", "mul", "neg", "pow", "remainder", "floor_divide"})
"""Operations that of Python's whole numbers make whole numbers."""


class UnmeasuredError(Exception):
    """A size is asked of a value that has no name, and is not computed yet."""

    def __init__(self, asked: Question, expression: Expression) -> None:
        super().__init__()
        self.asked = asked
        self.expression = expression


class Environment:
    """The names in force on a new graph, with the scenario's inputs to start with.

    `names` maps every name, with its versions, to its node; `groups` has the names that stand for
    several values.
    """

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.graph = Graph(scenario.dtype, scenario.source)
        self.sharers = Sharers(self.graph)
        self.names: dict[str, int] = {}
        self.groups: dict[str, Group] = {}
        self._tensors: set[int] = set()
        """The inputs that the program makes itself, as `torch.tensor(…)`."""
        self._tuples: dict[int, tuple[Any, ...]] = {}
        """Short lists of numbers, by their nodes: `(3, 2)` may be a shape, too."""
        self._lists: set[int] = set()
        """The nodes of lists of numbers in a program, where they are Python's and not tensors."""
        self._sizes: dict[tuple[Expression, int], Any] = {}
        """What was asked of values without a name, in an iteration."""
        self._picked: dict[tuple[Outputs, int], int] = {}
        self._seen: Counter[str] = Counter()
        self._all = Names(scenario.inputs, scenario.statements)
        for input_ in scenario.inputs:
            node = self.graph.add_input(
                input_.name, input_.value, requires_grad=input_.requires_grad, span=input_.span
            )
            self.graph.names[node] = self._bind(input_.name, node)
            if input_.is_tensor:
                self._tensors.add(node)

    def node(self, name: str, span: Span) -> int:
        """The node of a name; ScenarioError where it stands for several values."""
        group = self.groups.get(name)
        if group is not None:
            problem = not_one_value(group, name, span).problem
            raise ScenarioError(self.scenario.source, problem)
        if name in self.names:
            return self.names[name]
        plain, _, version = name.partition("@")
        count = self._seen[plain]
        problem = Problem(f"`{name}` is never assigned: its loop runs no time", span)
        if count:
            problem = Problem(
                f"`{plain}` has no version `@{version}`", span, f"`{plain}@1` to `{plain}@{count}`"
            )
        raise ScenarioError(self.scenario.source, problem)

    def current(self, name: str, span: Span) -> int:
        """The node of what the tensor of a name holds now."""
        return self.current_node(self.node(name, span), span)

    def version(self, name: str) -> int:
        """How often a name has been assigned so far."""
        return self._seen[name]

    def version_name(self, name: str, version: int) -> str:
        """`h@2`, or `h` where it is the only one, or the last of those that a loop makes."""
        return self._all.version_name(name, version, self._seen[name])

    def _bind(self, name: str, result: Result) -> str:
        """Let `name` mean `result` from here on; returns the version's name (`h@2`)."""
        self._seen[name] = seen = self._seen.get(name, 0) + 1
        version = f"{name}@{seen}" if self._all.has_versions(name) else name
        if isinstance(result, int):
            if self.groups:
                self.groups.pop(name, None)
            self.names[name] = self.names[version] = result
        else:
            self.names.pop(name, None)
            self.groups[name] = self.groups[version] = result
        return version

    def look_up(self, expression: syntax.Name) -> Result:
        """What a name stands for now; ProblemError where that is nothing."""
        name = expression.name
        if (node := self.names.get(name)) is not None:
            return node
        if (group := self.groups.get(name)) is not None:
            return group
        later = name in self._all
        if name in FUNCTIONS and not later:
            return Module(syntax.FunctionName(name, "", expression.span))
        raise ProblemError(
            f"`{name}` is used before it is assigned" if later else f"unknown name `{name}`",
            expression.span,
            fix="" if later else did_you_mean(name, [*self.names, *self.groups]),
        )

    def _text(self, span: Span) -> str:
        return " ".join(self.scenario.source.text[span.start : span.stop].split())

    # Numbers

    def constant(self, value: Any, span: Span) -> int:
        """The node of a number or an array that is written out."""
        is_whole = isinstance(value, int)
        is_array = isinstance(value, np.ndarray)
        dtype: Dtype = self.scenario.dtype if is_array else "float64"  # Python's own, as in torch
        settled: Value = settle(float(value) if is_whole else value, dtype)
        node = self.graph.add_constant(settled, span)
        if is_whole:
            self.graph.whole.add(node)
        return node

    def note_whole(self, node: int) -> None:
        """Remember a number that Python computes from whole numbers to a whole number."""
        operation, graph = self.graph.operation[node], self.graph
        if operation is None:
            return
        is_counted = operation.name in _WHOLE and graph.whole.issuperset(graph.operands[node])
        if is_counted and float(graph.value[node]).is_integer():
            graph.whole.add(node)

    def _known(self, expression: Expression) -> Any:
        """The number or the shape that a name or a question stands for, as Python has it."""
        if isinstance(expression, syntax.Name):
            return self._named_number(expression)
        asked = question(expression)
        if asked is None:
            raise NotWrittenError(expression.span)
        measured = (expression, self.graph.iterations.current)
        if measured in self._sizes:
            return self._sizes[measured]
        if isinstance(asked.receiver, syntax.Name):
            return self._measure(asked, self.look_up(asked.receiver))
        if asked.of == "len" and is_number(asked.receiver):
            listed = literal(asked.receiver, self._known)
            if not isinstance(listed, tuple):
                raise ProblemError("a single number has no length", asked.receiver.span)
            return self._measure(asked, Sizes(listed))
        raise UnmeasuredError(asked, expression)

    def _named_number(self, name: syntax.Name) -> Any:
        result = self.look_up(name)
        if isinstance(result, Whole):
            return result.value
        if isinstance(result, Sizes):
            return result.shape
        if isinstance(result, int) and result in self._tuples:
            return self._tuples[result]
        if isinstance(result, int):
            return self._number_of(result, name.span)
        if isinstance(result, Bundle) and 0 < len(result) <= MAX_NESTING:
            numbers = tuple(self._number_of(item, name.span) for item in result.items)
            return Tuple(numbers) if result.is_tuple else numbers
        raise NotWrittenError(name.span)

    def _number_of(self, result: Result, span: Span) -> int | float:
        """The number of Python's that a result is; NotWrittenError for any other."""
        if isinstance(result, Whole):
            return result.value
        if not isinstance(result, int) or not self.graph.is_number[result]:
            raise NotWrittenError(span)
        value = self.graph.value[result]
        if not self._is_known(result):
            raise NotWrittenError(
                span, "this number is read from a tensor, and must be known before"
            )
        return int(value) if result in self.graph.whole else float(value)

    def _is_known(self, node: int) -> bool:
        """Whether a number is made of numbers that are written out, by no tensor's `item()`."""
        pending = [node]
        while pending:
            operand = pending.pop()
            if not self.graph.is_number[operand]:
                return False
            pending += self.graph.operands[operand]
        return True

    def _measure(self, asked: Question, result: Result) -> Any:
        if isinstance(result, int):
            return answer(asked, shape_of(self.graph.value[result]), self._known)
        if asked.of == "len" and not isinstance(result, Module | Whole):
            return len(result)
        if asked.of == "numel" and isinstance(result, Sizes):
            return answer(asked, result.shape, self._known)
        raise not_one_value(result, self._text(asked.receiver.span), asked.receiver.span)

    # Several values

    def one_node(self, result: Result, expression: Expression) -> int:
        """The node where one value is needed."""
        if isinstance(result, int):
            return self.current_node(result, expression.span)
        if isinstance(result, Whole):
            return self.constant(result.value, expression.span)
        raise not_one_value(result, self._text(expression.span), expression.span)

    def current_node(self, node: int, span: Span) -> int:
        """The node of what the tensor of `node` holds; see `Sharers`."""
        if not self.sharers.changes:
            return node
        try:
            return self.sharers.current(node)
        except OperandError as error:
            raise ProblemError(str(error), span, fix=error.fix) from None

    def _change(self, target: int, made: int, since: int, span: Span) -> None:
        """Let the tensor of `target` have the value of node `made`; see `Sharers.change`."""
        graph = self.graph
        if graph.hands_through(made):  # such as a dropout of nothing
            return
        before = graph.names.get(target, "a value").partition("@")[0]
        if graph.requires_grad[target] and not graph.is_recording:
            raise ProblemError(
                f"`{before}` requires grad, and changing it in place is not supported",
                span,
                fix="give the changed value a name of its own",
            )
        try:
            self.sharers.change(target, made, since)
        except OperandError as error:
            raise ProblemError(str(error), span, fix=error.fix) from None
        self._name_base(target, made)

    def _name_base(self, target: int, made: int) -> None:
        """Let the base of a view that has changed be known by another version of its name."""
        graph, base = self.graph, self.sharers.base(target)
        name, _, version = graph.names.get(base, "").partition("@")
        new = len(graph) - 1
        if name and not version and new != made and not self._all.has_versions(name):
            graph.names.setdefault(new, f"{name}@{len(self.sharers.changes[base]) + 1}")

    def _outputs(self, call: Call, nodes: tuple[int, ...], span: Span) -> Outputs:
        operation, attributes = call.operation, call.attributes
        try:
            names = self.graph.outputs(operation, nodes, attributes)
        except OperandError as error:
            raise ProblemError(str(error), span, fix=error.fix) from None
        group = Outputs(operation, nodes, attributes, names, span, self.graph.is_recording)
        if self.scenario.changes_in_place and shares_outputs(group):
            for position in range(len(group)):  # all at once, before their base can change
                self._pick(group, position, span)
        return group

    def _pick(self, group: Group, position: int, span: Span) -> Result:
        """One of several values; the node of an output is made when it is first asked for."""
        if isinstance(group, Bundle):
            return group.items[position]
        if isinstance(group, Counting):
            return Whole(group.numbers[position])
        if isinstance(group, Module | Whole):
            raise not_one_value(group, self._text(span), span)
        if isinstance(group, Sizes):
            return self.constant(group.shape[position], span)
        node = self._picked.get((group, position))
        if node is None:
            is_recording, self.graph.is_recording = self.graph.is_recording, group.is_recorded
            attributes = {**group.attributes, "output": position}
            try:
                node = self.graph.apply(group.operation, group.operands, attributes, span)
            except OperandError as error:
                raise ProblemError(str(error), group.span, fix=error.fix) from None
            self.graph.is_recording = is_recording
            if not group.is_recorded:
                self.sharers.note_no_grad(node)
            self._picked[group, position] = node
        return node
