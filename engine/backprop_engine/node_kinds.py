"""What many nodes have in common: so a node is a few entries of columns, and no object of its own.

An operation makes numbers of numbers time after time. What comes out is of one of a few kinds, by
the kinds of the operands, and is looked up in a table that the operation keeps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from typing import TYPE_CHECKING, Any, Final

from backprop_engine.basics.dataclass import dataclass

if TYPE_CHECKING:
    from backprop_engine.operation import Operation, Rule

NO_FLOAT: Final = 0
"""Sorts of operands. This one is for all but Python's floats in a tape of float64."""
CONSTANT: Final = 1
VARIABLE: Final = 2
"""A float that requires grad."""
NUMBER: Final = 3
"""A float that is Python's in torch, too."""
_SORTS: Final = range(4)

BY_RULES: Final = 1
"""What a float made of floats sends back: what the rules say …"""
SUM_TO_ONE: Final = 2
PRODUCT_TO_ONE: Final = 3
SUM_TO_BOTH: Final = 4
PRODUCT_TO_BOTH: Final = 5
"""… and the two commonest pairs of rules, which `fast` spells out."""


def of_sum(g: Any, _y: Any, _a: Any, _b: Any) -> Any:
    """The rule of both operands of a sum."""
    return g


def of_left_factor(g: Any, _y: Any, _a: Any, b: Any) -> Any:
    """The rule of the first operand of a product."""
    return g * b


def of_right_factor(g: Any, _y: Any, a: Any, _b: Any) -> Any:
    """The rule of the second operand of a product."""
    return g * a


@dataclass(frozen=True, slots=True, eq=False)
class NodeKind:
    """An operation, and what its output is besides its value."""

    operation: Operation | None
    """None for a leaf: an input or a constant."""
    requires_grad: bool
    is_number: bool
    """Whether torch has a Python number there: literals, and arithmetic on literals alone."""
    sort: int = NO_FLOAT
    rules: tuple[Rule, ...] = ()
    """Of an operation that has made a float of one or two floats: for `fast`."""
    sends: int = 0
    to_first: bool = False
    """Whether the first operand of such an operation requires grad."""
    to_second: bool = False
    is_loose: bool = False
    """Whether it is a view, made inside of `no_grad`, of what requires grad: torch says that it
    requires grad, too, and goes on from it with a graph that ends there."""

    @property
    def requires_grad_in_torch(self) -> bool:
        """What torch says."""
        return self.requires_grad or self.is_loose


Kinds = Sequence[NodeKind | None]
"""By the sort of an operand; None where `fast` has no say."""


class OnNumbers:
    """How an operation makes a float of one or two floats.

    What comes out is known from the first time on that it is applied.
    """

    __slots__ = ("_operation", "_tables", "count", "forward")

    def __init__(self, operation: Operation) -> None:
        is_usual = operation.differentiable and not (operation.variadic or operation.gives_number)
        count = len(operation.derivatives)
        self._operation = operation
        self._tables: dict[bool, Sequence[Kinds]] = {}
        self.forward: Callable[..., Any] = operation.forward
        self.count = count if is_usual and count <= 2 and operation.form_for is None else 0
        """How many floats it may be a function of, whose derivatives all are floats; else 0."""

    def kinds_of_one(self, records: bool) -> Kinds:
        """What comes out by the sort of the operand; inside of `with no_grad:` nothing records."""
        table = self._table(records)
        return [table[sort][sort] for sort in _SORTS] if self.count == 1 else _UNKNOWN

    def kinds_of_two(self, records: bool) -> Sequence[Kinds]:
        """The same of two operands, by the sort of the first one."""
        return self._table(records) if self.count == 2 else _UNKNOWN_PAIRS

    def _table(self, records: bool) -> Sequence[Kinds]:
        table = self._tables.get(records)
        if table is None:
            table = self._tables[records] = self._kinds(records=records)
        return table

    def _kinds(self, *, records: bool) -> Sequence[Kinds]:
        operation = self._operation
        rules = operation.rules
        to_one, to_both = _SPELLED_OUT.get(rules, (BY_RULES, BY_RULES))
        table: list[list[NodeKind | None]] = [[None for _ in _SORTS] for _ in _SORTS]
        known: dict[tuple[bool, bool, bool], NodeKind] = {}
        for a, b in product(_SORTS[1:], _SORTS[1:]):
            to_first = records and a == VARIABLE
            to_second = records and b == VARIABLE and self.count == 2
            is_number = operation.arithmetic and a == b == NUMBER
            key = (to_first, to_second, is_number)
            if key not in known:
                requires_grad = to_first or to_second
                sort = NUMBER if is_number else VARIABLE if requires_grad else CONSTANT
                sends = to_both if to_first and to_second else to_one
                known[key] = NodeKind(
                    operation, requires_grad, is_number, sort, rules, sends, to_first, to_second
                )
            table[a][b] = known[key]
        return table


_UNKNOWN: Final[Kinds] = [None for _ in _SORTS]
_UNKNOWN_PAIRS: Final[Sequence[Kinds]] = [_UNKNOWN for _ in _SORTS]
_SPELLED_OUT: Final[dict[tuple[Any, ...], tuple[int, int]]] = {
    (of_sum, of_sum): (SUM_TO_ONE, SUM_TO_BOTH),
    (of_left_factor, of_right_factor): (PRODUCT_TO_ONE, PRODUCT_TO_BOTH),
}
