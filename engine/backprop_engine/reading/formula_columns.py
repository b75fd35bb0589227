"""Conditions on a million steps at once: where every value is a number, a step is a row of arrays.

Only operations whose arithmetic is the same for one number and for an array of them, to the last
bit, are computed so; any other condition is evaluated step by step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.summary import Summary
from backprop_engine.operation import Operation
from backprop_engine.reading.formula import Apply, Constant, Formula, Instruction, Load
from backprop_engine.reading.kept_by_trace import remembered
from backprop_engine.trace import NO_NODE, PassKind, Trace

_EXACT: Final = frozenset(
    {
        "add", "sub", "mul", "div", "neg", "abs", "sqrt", "sign", "maximum", "minimum",
        "gt", "lt", "ge", "le", "eq", "ne", "bitwise_and", "bitwise_or", "bitwise_not",
        "logical_not", "isnan", "isinf", "isfinite",
    }
)  # fmt: skip
"""By name: operations that IEEE 754 defines to the last bit."""

OF_ONE_NUMBER: Final[Mapping[str, Callable[[Any], Any]]] = {
    **dict.fromkeys(("sum", "mean", "prod", "max", "min", "amax", "amin"), lambda a: a),
    "norm": np.abs,
    "any": lambda a: a != 0,
    "all": lambda a: a != 0,
}
"""What a reduction is of a single number."""


class Column(NamedTuple):
    """One number a step, and whether there is one; None: there always is."""

    numbers: Any
    known: np.ndarray | None

    def cut(self, start: int, stop: int) -> Column:
        """The steps `start` up to `stop`."""
        known = None if self.known is None else self.known[start:stop]
        return Column(self.numbers[start:stop], known)


@dataclass(frozen=True, eq=False)
class Columns:
    """What conditions speak of, by its name; `local` is not among them."""

    by_name: Mapping[Any, Column]

    def can_evaluate(self, condition: Formula) -> bool:
        """Whether `condition` can be evaluated over columns."""
        return all(key in self.by_name for key in condition.keys) and all(
            _is_exact(instruction) for instruction in condition.program
        )

    def holding(self, condition: Formula, start: int, stop: int) -> np.ndarray:
        """For the steps `start` up to `stop` whether `condition` holds, bool.

        Raises TypeError or ValueError where a mask is wanted and a number stands.
        """
        stack: list[Column] = []
        with np.errstate(all="ignore"):
            for instruction in condition.program:
                if isinstance(instruction, Load):
                    stack.append(self.by_name[instruction.key].cut(start, stop))
                elif isinstance(instruction, Constant):
                    stack.append(Column(instruction.value, None))
                else:
                    operands = stack[-instruction.count :]
                    del stack[-instruction.count :]
                    stack.append(_apply(instruction, operands))
        numbers, known = stack.pop()
        held = np.broadcast_to(np.asarray(numbers) != 0, stop - start)
        return held if known is None else held & known


def _is_exact(instruction: Instruction) -> bool:
    if isinstance(instruction, Apply):
        return instruction.operation.name in _EXACT or _is_of_one_number(instruction)
    return not (isinstance(instruction, Constant) and isinstance(instruction.value, np.ndarray))


def _is_of_one_number(instruction: Apply) -> bool:
    if instruction.count != 1 or instruction.operation.name not in OF_ONE_NUMBER:
        return False
    defaults = {
        parameter.name: parameter.default for parameter in instruction.operation.spelling.parameters
    }
    return all(defaults.get(name, ...) == value for name, value in instruction.attributes.items())


def _apply(instruction: Apply, operands: Sequence[Column]) -> Column:
    numbers = [operand.numbers for operand in operands]
    if instruction.operation.name in OF_ONE_NUMBER:
        return Column(OF_ONE_NUMBER[instruction.operation.name](numbers[0]), operands[0].known)
    if instruction.operation.spelling.symbol == "|":
        return _either(instruction.operation, operands)
    known = None
    for operand in operands:
        if operand.known is not None:
            known = operand.known if known is None else known & operand.known
    return Column(instruction.operation.forward(*numbers, **instruction.attributes), known)


def _either(operation: Operation, operands: Sequence[Column]) -> Column:
    """`a | b`, which takes the side that is known."""
    (a, has_a), (b, has_b) = operands
    both = operation.forward(a, b)
    if has_a is None or has_b is None:
        # One side is always known: it alone counts where the other is not.
        alone, known = (a, has_b) if has_a is None else (b, has_a)
        return Column(both if known is None else np.where(known, both, alone), None)
    taken = np.where(has_a & has_b, both, np.where(has_a, a, b))
    return Column(taken, has_a | has_b)


@remembered
def columns_of(trace: Trace) -> Columns | None:
    """The columns of a trace of numbers; None where any value is an array."""
    values = _values(trace)
    sent = _numbers(trace.contributions, trace.dtype)
    totals = _numbers(trace.totals, trace.dtype)
    if values is None or sent is None or totals is None:
        return None
    changed = np.where(trace.receivers == NO_NODE, trace.senders, trace.receivers)
    is_sent = trace.receivers != NO_NODE
    is_contribution = trace.positions != NO_NODE
    return Columns(
        {
            "step": Column(np.arange(len(trace), dtype=trace.dtype), None),
            "value": Column(values[changed] if len(values) else values[:0], changed != NO_NODE),
            "grad": Column(totals, is_sent),
            "contribution": Column(sent, is_sent),
            "upstream": Column(_upstream(trace, totals), is_contribution),
        }
    )


def columns_at(trace: Trace, cursor: int) -> Columns | None:
    """The value and the gradient of every node at a cursor, a node for a step; None as above."""
    values, steps = _values(trace), columns_of(trace)
    if values is None or steps is None:
        return None
    gradient, has_gradient = np.zeros_like(values), np.zeros(len(values), bool)
    shown = trace.shown_pass(cursor)
    if shown.kind is PassKind.BACKWARD:
        done = slice(shown.start, max(cursor, shown.start))
        receivers = trace.receivers[done]
        # Of several sums for one node the last is assigned, and that is the one so far.
        gradient[receivers] = steps.by_name["grad"].numbers[done]
        has_gradient[receivers] = True
    value = Column(values, trace.forward_steps < cursor)
    return Columns({"value": value, "grad": Column(gradient, has_gradient)})


@remembered
def _values(trace: Trace) -> np.ndarray | None:
    return _numbers(trace.nodes.value, trace.dtype)


def _numbers(column: Sequence[Any], dtype: str) -> np.ndarray | None:
    """A column of numbers as an array, nan for None; None where there are arrays in it."""
    if any(issubclass(kind, np.ndarray | Summary) for kind in set(map(type, column))):
        return None
    return np.array(column, dtype=dtype)


def _upstream(trace: Trace, totals: np.ndarray) -> np.ndarray:
    """For each contribution the gradient of its sender, complete by then."""
    upstream = np.zeros_like(totals)
    gradient = np.zeros(len(trace.nodes), totals.dtype)
    for pass_ in trace.passes:
        if pass_.kind is PassKind.BACKWARD:
            steps = slice(pass_.start, pass_.stop)
            # Of several sums for one node the last is assigned, and that is the complete one.
            gradient[trace.receivers[steps]] = totals[steps]
            upstream[steps] = gradient[trace.senders[steps]]
    return upstream
