"""What is left to do while an expression is evaluated: the entries of the evaluation's stack."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from backprop_engine.basics.source import Span
from backprop_engine.grammar import syntax
from backprop_engine.grammar.syntax import Expression
from backprop_engine.program.many_values import Bundle
from backprop_engine.program.python_numbers import Question
from backprop_engine.program.resolving import Call
from backprop_engine.run.environment import Result


class Filled(NamedTuple):
    """A constant tensor of the shape of the last result (`torch.ones_like(y)`)."""

    fill: float
    model: Expression
    span: Span


class Apply(NamedTuple):
    """Apply `call` once its operands stand on the stack of results."""

    call: Call
    span: Span
    is_plain: bool = False
    """Whether it makes one node of one or two operands, if these are nodes."""


class MakeLeaf(NamedTuple):
    """The last result is what `requires_grad_()` is called of, or `nn.Parameter` made from."""

    call: syntax.Call


class Collect(NamedTuple):
    """The last results are the items of a list, or of a tuple."""

    items: tuple[Expression, ...]
    is_tuple: bool


class PickNamed(NamedTuple):
    """`.values` of the last result."""

    attribute: syntax.Attribute


class Measure(NamedTuple):
    """The last result is what a size is asked of."""

    asked: Question
    expression: Expression


class Gather(NamedTuple):
    """The last results are the arguments of `zip` or another function for lists."""

    call: syntax.Call
    arguments: tuple[Expression, ...]


class Total(NamedTuple):
    """The last result is what `sum` takes, a list or a tensor."""

    call: syntax.Call


class AddUp(NamedTuple):
    """The last results are the list that `sum` takes, and where it starts."""

    call: syntax.Call


class Extreme(NamedTuple):
    """The last results are what Python's `max` or `min` chooses from."""

    call: syntax.Call


class Begin(NamedTuple):
    """The last result is what a comprehension goes through."""

    made: syntax.Comprehension


@dataclass(slots=True, eq=False)
class Comprehend:
    """A comprehension on its way from item to item."""

    made: syntax.Comprehension
    turns: Iterator[None]
    """Each binds its names to the next item."""
    before: dict[str, Result | None]
    """What its names meant outside of it."""
    items: list[Result] = field(default_factory=list)
    is_waiting: bool = False
    """Whether the last result is an item."""

    def take(self, item: Result) -> None:
        """One more item; of a list its items, one by one, where a second `for` makes it."""
        if self.made.flattens and isinstance(item, Bundle):
            self.items += item.items
        else:
            self.items.append(item)


Task = (
    Expression
    | Apply
    | Filled
    | MakeLeaf
    | Collect
    | PickNamed
    | Measure
    | Gather
    | Total
    | AddUp
    | Extreme
    | Begin
    | Comprehend
)
