"""Python's own functions, which are not torch's of the same name: `sum`, `max`, `min`, `round`.

In a program a bare `sum(x)` goes along the first axis and `max(x)` compares item by item, unless
torch's has been imported by that name. In a scenario file and in the shorthand function names are
torch's, and `sum` is Python's for a list alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from backprop_engine.basics.choice import Choice
from backprop_engine.basics.source import OperandError, ProblemError, Span
from backprop_engine.basics.values import is_float
from backprop_engine.catalogue import BINARY, FUNCTIONS, OPERATIONS
from backprop_engine.grammar import syntax
from backprop_engine.grammar.syntax import Expression
from backprop_engine.graph import NO_ATTRIBUTES
from backprop_engine.operation import Operation, Sharing
from backprop_engine.program.python_numbers import NotWrittenError, literal
from backprop_engine.program.resolving import Call, resolve
from backprop_engine.program.scenario import Scenario
from backprop_engine.run.environment import Result
from backprop_engine.run.open_picks import open_pick
from backprop_engine.run.stack import AddUp, Apply, Collect, Extreme, Task, Total
from backprop_engine.run.written_values import Leaves

_ADD: Final = BINARY["+"]
FLOAT: Final = OPERATIONS["float"]
_ITEM: Final = OPERATIONS["item"]
_EXTREMES: Final = ("max", "min")
_ROUNDED: Final = "round"
_LIBRARIES: Final = ("math", "np", "numpy")


def open_list(expression: Expression, pending: list[Task]) -> None:
    """Evaluate a list that is written out item by item, even if numbers are all that is in it."""

    if isinstance(expression, syntax.Sequence):
        pending.append(Collect(expression.items, expression.is_tuple))
        pending.extend(reversed(expression.items))
    else:
        pending.append(expression)


class PythonFunctions(Leaves):
    """An environment in which operations are applied, and Python's own functions called."""

    def __init__(self, scenario: Scenario) -> None:
        super().__init__(scenario)
        self._may_promote = scenario.default_dtype not in (None, scenario.dtype)
        """Whether torch makes floats of whole numbers in another dtype than the others have."""

    def is_pythons(self, call: syntax.Call) -> bool:
        """Whether a bare name is called that the program never assigns: `zip(a, b)`."""
        is_bare = call.receiver is None and not call.prefix
        return is_bare and call.function not in self._all

    def _begin_builtin(self, task: Expression, pending: list[Task], results: list[Result]) -> bool:
        """Begin the call of a function of Python's own; False for all else."""
        if not isinstance(task, syntax.Call) or task.receiver is not None:
            return False
        name = task.function
        if task.prefix:
            return self.scenario.is_program and self._begin_library(task, results)
        if name == "sum" and 1 <= len(task.arguments) <= 2 and not task.keywords:
            pending += [Total(task), task.arguments[0]]
        elif not self.scenario.is_program or name in self.names or name in self.groups:
            return False
        elif name == _ROUNDED and (number := self._counted_number(task)) is not None:
            results.append(number)
        elif name == "float" and self._counted_number(task) is None:
            argument = task.arguments[0]
            pending += [Apply(Call(_ITEM, (argument,), NO_ATTRIBUTES), task.span), argument]
        elif name in _EXTREMES:
            _check_extreme(task)
            pending.append(Extreme(task))
            for argument_ in reversed(task.arguments):
                open_list(argument_, pending)
        elif name in ("sum", "all", "any", _ROUNDED):
            raise _not_pythons(task)
        else:
            return False
        return True

    def _begin_library(self, call: syntax.Call, results: list[Result]) -> bool:
        """The number of `math.exp(2)`; False for torch's functions, which operations are."""
        if call.prefix not in _LIBRARIES or call.function not in FUNCTIONS:
            return False
        number = self._counted_number(call)
        if number is None:
            raise ProblemError(
                f"`{call.prefix}.{call.function}` makes plain numbers, and no gradient goes back "
                "through them",
                call.span,
                fix=f"write `torch.{call.function}(…)`",
            )
        results.append(number)
        return True

    def _counted_number(self, call: syntax.Call) -> int | None:
        """What Python computes from numbers alone; None where a tensor is among them."""
        try:
            return self.constant(literal(call, self._known), call.span)
        except NotWrittenError:
            return None

    def _total_of(self, call: syntax.Call, pending: list[Task], results: list[Result]) -> None:
        """`sum` from 0 on; outside of a program that of one tensor is torch's."""
        if isinstance(results[-1], int) and not self.scenario.is_program:
            pending.append(Apply(resolve(call, self._seen, self._known), call.span))
            return
        start = call.arguments[1] if len(call.arguments) > 1 else syntax.Number(0, call.span)
        pending += [AddUp(call), start]

    def add_up(self, call: syntax.Call, results: list[Result]) -> int:
        """The items of a list added to a start, one after the other."""
        total = self.one_node(results.pop(), call.arguments[-1])
        items, count = self.items(results.pop(), call.arguments[0])
        self.spend(count, call.span)
        is_quick, place, span = self.is_quick, call.arguments[0], call.span
        for item in items:
            if is_quick and type(item) is int:
                total = self.quickly(_ADD, (total, item), NO_ATTRIBUTES, span)
            else:
                term = self.one_node(item, place)
                total = self.applied(_ADD, (total, term), NO_ATTRIBUTES, span)
        return total

    def _extreme(self, call: syntax.Call, results: list[Result]) -> Result:
        """Of what `max` or `min` is given, or of its items: the first that no other one beats."""
        places = call.arguments
        given = self._parts(results, places)
        if len(given) == 1:
            items, count = self.items(given[0], places[0])
            self.spend(count, call.span)
            given, places = list(items), places * count
        if not given:
            raise ProblemError(f"{call.function}() arg is an empty sequence", call.span)
        nodes = tuple(
            self.one_node(value, place) for value, place in zip(given, places, strict=True)
        )
        choice = Choice(call.function, nodes)
        try:
            chosen = choice.picked(self.graph.value)
        except OperandError as error:
            raise ProblemError(str(error), call.span, fix=error.fix) from None
        self.graph.choices[choice] = chosen
        return given[nodes.index(chosen)]

    # Operations

    def refused(self, error: OperandError, nodes: tuple[int, ...], span: Span) -> ProblemError:
        """The error of an operation; where torch may have picked others, it is not torch's."""
        pick = open_pick(self.graph, nodes)
        if pick is None:
            return ProblemError(str(error), span, fix=error.fix)
        text = self._text(self.graph.span[pick] or span)
        return ProblemError(
            f"whether this can be computed hangs on which of equal elements `{text}` picks, and "
            "torch may pick others",
            span,
            fix="make the elements different before they are put in order",
        )

    @property
    def is_quick(self) -> bool:
        """Whether an operation that makes one node of nodes makes it, and nothing else is to do."""
        is_usual = self.graph.is_recording and not self._may_promote
        return is_usual and not self.sharers.changes and not self._lists

    def quickly(
        self,
        operation: Operation,
        nodes: tuple[int, ...],
        attributes: Mapping[str, Any],
        span: Span,
    ) -> int:
        """The same as `applied` while it `is_quick`."""
        try:
            node = self.graph.apply(operation, nodes, attributes, span)
        except OperandError as error:
            raise self.refused(error, nodes, span) from None
        if self.graph.kind[node].is_number:
            self.note_whole(node)
        return node

    def applied(
        self,
        operation: Operation,
        nodes: tuple[int, ...],
        attributes: Mapping[str, Any],
        span: Span,
    ) -> int:
        """The node of an operation on `nodes`; ProblemError where it cannot take them."""
        if operation is FLOAT and is_float(self.graph.value[nodes[0]]):
            return nodes[0]  # as in torch: what has the dtype already is the same tensor
        graph = self.graph
        try:
            node = graph.apply(operation, nodes, attributes, span)
        except OperandError as error:
            raise self.refused(error, nodes, span) from None
        if not graph.is_recording and operation.sharing is not Sharing.NEVER:
            if graph.hands_through(node):
                return nodes[0]
            if operation.differentiable:
                self.sharers.note_no_grad(node)
        if graph.kind[node].is_number:
            self.note_whole(node)
        elif self._may_promote:
            self._check_promotion(node, span)
        return node

    def _check_promotion(self, node: int, span: Span) -> None:
        """Refuse floats that torch makes of whole numbers in another dtype than the others have."""
        graph, dtype = self.graph, self.scenario.default_dtype
        if graph.operation[node] is FLOAT:
            return
        operands = graph.operands[node]
        if is_float(graph.value[node]) and not any(
            is_float(graph.value[operand]) and not graph.is_number[operand] for operand in operands
        ):
            raise ProblemError(
                f"torch computes this in {dtype}, its default, and all other floats here have "
                f"{graph.dtype}",
                span,
                f"floats in {graph.dtype}",
                f"begin with `torch.set_default_dtype(torch.{graph.dtype})`",
            )


def _check_extreme(call: syntax.Call) -> None:
    """Raise ProblemError for what Python's `max` does not take, though torch's may."""
    if call.keywords:
        raise _not_pythons(call)
    if not call.arguments:
        raise ProblemError(f"{call.function} expected at least 1 argument, got 0", call.span)


def _not_pythons(call: syntax.Call) -> ProblemError:
    """A call that fits torch's function, and not Python's own of that name."""
    name = call.function
    message = f"`{name}` is Python's own here, and does not take this"
    if name == _ROUNDED:
        message = (
            "numbers that are written out are rounded: type Tensor doesn't define __round__ method"
        )
    return ProblemError(message, call.span, fix=f"write `torch.{name}(…)`")
