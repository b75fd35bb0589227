"""Python's own functions, which are not torch's of the same name: `sum`, `max`, `range`, `zip`.

In a program a bare `sum(x)` goes along the first axis and `max(x)` compares item by item, unless
torch's has been imported by that name. In a scenario file and in the shorthand function names are
torch's, and `sum` is Python's for a list alone.
"""

from __future__ import annotations

from typing import Final, cast

from backprop_engine.basics.choice import Choice
from backprop_engine.basics.source import OperandError, ProblemError
from backprop_engine.catalogue import BINARY, FUNCTIONS, OPERATIONS
from backprop_engine.grammar import syntax
from backprop_engine.grammar.syntax import Expression
from backprop_engine.graph import NO_ATTRIBUTES
from backprop_engine.program.many_values import Bundle, Counting, Whole
from backprop_engine.program.python_numbers import NotWrittenError, literal
from backprop_engine.program.resolving import Call, resolve
from backprop_engine.run.applying import Applying
from backprop_engine.run.known_numbers import Numbers
from backprop_engine.run.scope import Result, Scope
from backprop_engine.run.several_values import Values
from backprop_engine.run.tasks import Apply, Do, Task, Work

_ADD: Final = BINARY["+"]
_ITEM: Final = OPERATIONS["item"]
_EXTREMES: Final = ("max", "min")
_ROUNDED: Final = "round"
_LIBRARIES: Final = ("math", "np", "numpy")
_OF_LISTS: Final = frozenset({"range", "zip", "enumerate", "reversed", "list", "tuple"})
_UNSPREAD: Final = (_OF_LISTS | {"sum", "len", "float", "abs", "pow", "round"}) - {"zip"}
"""Functions that no `*` is read for."""


class PythonFunctions:
    """Calls of names that mean Python's own functions."""

    def __init__(self, scope: Scope, numbers: Numbers, values: Values, applying: Applying) -> None:
        self._scope = scope
        self._numbers = numbers
        self._values = values
        self._applying = applying

    def is_pythons(self, call: syntax.Call) -> bool:
        """Whether a bare name is called that the program never assigns: `zip(a, b)`."""
        is_bare = call.receiver is None and not call.prefix
        return is_bare and call.function not in self._scope.all_names

    def begun(self, call: syntax.Call) -> Result | list[Task] | None:
        """What a call of Python's own comes to, or what is to be done for it; else None."""
        name, is_program = call.function, self._scope.scenario.is_program
        if call.receiver is not None:
            return None
        if call.prefix:
            return self._of_library(call) if is_program else None
        if name in _UNSPREAD and syntax.Star in map(type, call.arguments):
            raise ProblemError(
                f"`*` before an argument of `{name}` is not supported",
                call.span,
                fix="write its arguments one by one",
            )
        if name == "sum" and 1 <= len(call.arguments) <= 2 and not call.keywords:
            return [Do(self._total, call), call.arguments[0]]
        if is_program and self._scope.meaning(name) is None:
            begun = self._of_numbers(call)
            if begun is not None:
                return begun
        if name not in _OF_LISTS or name in self._scope.names:
            return None
        if name == "range":
            return self.counting(call)
        self.first_number(call)
        lists = call.arguments if name == "zip" else call.arguments[:1]
        return self._on_lists(self._listed, call, lists)

    def _of_numbers(self, call: syntax.Call) -> Result | list[Task] | None:
        """The same for functions that in a scenario file are torch's."""
        name = call.function
        if name == _ROUNDED and (number := self._counted_number(call)) is not None:
            return number
        if name == "float" and self._counted_number(call) is None:
            argument = call.arguments[0]
            return [Apply(Call(_ITEM, (argument,), NO_ATTRIBUTES), call.span), argument]
        if name in _EXTREMES:
            _check_extreme(call)
            return self._on_lists(self._extreme, call, call.arguments)
        if name in ("sum", "all", "any", _ROUNDED):
            raise _not_pythons(call)
        return None

    def _on_lists(self, work: Work, call: syntax.Call, lists: tuple[Expression, ...]) -> list[Task]:
        opened = [task for list_ in reversed(lists) for task in self.opened(list_)]
        return [Do(work, call, len(lists)), *opened]

    def _of_library(self, call: syntax.Call) -> int | None:
        """The number of `math.exp(2)`; None for torch's functions, which operations are."""
        if call.prefix not in _LIBRARIES or call.function not in FUNCTIONS:
            return None
        number = self._counted_number(call)
        if number is None:
            raise ProblemError(
                f"`{call.prefix}.{call.function}` makes plain numbers, and no gradient goes back "
                "through them",
                call.span,
                fix=f"write `torch.{call.function}(…)`",
            )
        return number

    def _counted_number(self, call: syntax.Call) -> int | None:
        """What Python computes from numbers alone; None where a tensor is among them."""
        try:
            return self._numbers.constant(literal(call, self._numbers.known), call.span)
        except NotWrittenError:
            return None

    def _total(self, call: syntax.Call, given: list[Result]) -> Result | list[Task]:
        """`sum` from 0 on; outside of a program that of one tensor is torch's."""
        if isinstance(given[0], int) and not self._scope.scenario.is_program:
            resolved = resolve(call, self._scope.seen, self._numbers.known)
            return self._applying.apply(Apply(resolved, call.span), given)
        start = call.arguments[1] if len(call.arguments) > 1 else syntax.Number(0, call.span)
        return [Do(lambda call, more: self.add_up(call, given + more), call), start]

    def add_up(self, call: syntax.Call, given: list[Result]) -> int:
        """The items of a list added to a start, one after the other."""
        total = self._values.one_node(given[1], call.arguments[-1])
        items, count = self._values.items(given[0], call.arguments[0])
        self._values.spend(count, call.span)
        place, span = call.arguments[0], call.span
        listed = list(items)
        if self._applying.is_quick and {int}.issuperset(map(type, listed)):
            return self._applying.add_up_quickly(total, cast("list[int]", listed), span)
        for item in listed:
            term = self._values.one_node(item, place)
            total = self._applying.applied(_ADD, (total, term), NO_ATTRIBUTES, span)
        return total

    def _extreme(self, call: syntax.Call, given: list[Result]) -> Result:
        """Of what `max` or `min` is given, or of its items: the first that no other one beats."""
        spread = self._values.spread(given, call.arguments)
        if len(spread) == 1:
            ((listed, place),) = spread
            items, count = self._values.items(listed, place)
            self._values.spend(count, call.span)
            spread = [(item, place) for item in items]
        if not spread:
            raise ProblemError(f"{call.function}() arg is an empty sequence", call.span)
        nodes = tuple(self._values.one_node(value, place) for value, place in spread)
        choice = Choice(call.function, nodes)
        try:
            chosen = choice.picked(self._scope.graph.value)
        except OperandError as error:
            raise ProblemError(str(error), call.span, fix=error.fix) from None
        self._scope.graph.choices[choice] = chosen
        return spread[nodes.index(chosen)][0]

    # Lists

    def opened(self, expression: Expression) -> list[Task]:
        """A list item by item, even if it is written out and numbers are all that is in it."""
        if not isinstance(expression, syntax.Sequence):
            return [expression]
        items = expression.items
        return [Do(self._collected, expression, len(items)), *reversed(items)]

    def _collected(self, made: syntax.Sequence, given: list[Result]) -> Result:
        return Bundle(self._values.parts(given, made.items), made.is_tuple)

    def counting(self, call: syntax.Call) -> Counting:
        """`range(start, stop, step)`."""
        if call.keywords or not 1 <= len(call.arguments) <= 3:
            raise ProblemError("`range` takes one to three whole numbers", call.span, "`range(3)`")
        numbers = [literal(argument, self._numbers.known) for argument in call.arguments]
        for place, number in zip(call.arguments, numbers, strict=True):
            if isinstance(number, bool) or not isinstance(number, int):
                raise ProblemError("`range` takes whole numbers", place.span)
        if len(numbers) == 3 and not numbers[2]:
            raise ProblemError("the step of a range is not 0", call.arguments[2].span)
        counting = range(*numbers)
        self._values.length(counting, call.span)
        return Counting(counting)

    def _listed(self, call: syntax.Call, given: list[Result]) -> Bundle:
        """`zip`, `enumerate`, `reversed` or `list` of what their arguments have come to."""
        start = self.first_number(call)
        spread = self._values.spread(given, call.arguments[: len(given)])
        listed = [self._values.items(result, place) for result, place in spread]
        if not listed:
            return Bundle([])
        count = min(length for _, length in listed)
        self._values.spend(count, call.span)
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

    def first_number(self, call: syntax.Call) -> int:
        """Where `enumerate` starts to count; ProblemError for arguments that do not fit."""
        given = [*call.arguments[1:], *(value for name, value in call.keywords if name == "start")]
        most = 1 if call.function == "enumerate" else 0
        if call.function == "zip":
            given = []
        if len(given) > most or len(call.keywords) > most or not call.arguments:
            raise ProblemError(f"`{call.function}` takes one list", call.span)
        start = literal(given[0], self._numbers.known) if given else 0
        if isinstance(start, bool) or not isinstance(start, int):
            raise ProblemError("`enumerate` counts from a whole number", given[0].span)
        return start


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
        message = "numbers that are written out are rounded"
        if not any(_is_taken_out(part) for part in syntax.postorder(call)):
            message += ": type Tensor doesn't define __round__ method"
    return ProblemError(message, call.span, fix=f"write `torch.{name}(…)`")


def _is_taken_out(part: syntax.Expression) -> bool:
    """Whether it is `x.item()` or `float(x)`: a number that a tensor held."""
    return isinstance(part, syntax.Call) and part.function in ("item", "float", "int")
