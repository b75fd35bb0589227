"""From a piece of syntax to the operation it stands for.

Operands and attributes are told apart here: `sum(x, dim=0)`, `x.sum(0)` and
`torch.sum(x, axis=0)` are one and the same application, and `0` is no node of the graph.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any, NamedTuple

from backprop_engine.binding import NoRoomError, bind, literal
from backprop_engine.catalogue import BINARY, FUNCTIONS, INDEX, NEG, PROPERTIES
from backprop_engine.catalogue.shapes import FROM_OPERAND
from backprop_engine.expressions import syntax
from backprop_engine.expressions.syntax import Expression
from backprop_engine.graph import NO_ATTRIBUTES
from backprop_engine.operation import Operation
from backprop_engine.scenarios import refused
from backprop_engine.source import ProblemError
from backprop_engine.suggestions import did_you_mean


class Call(NamedTuple):
    """An operation with the expressions of its operands, in order, and its attributes."""

    operation: Operation
    operands: tuple[Expression, ...]
    attributes: Mapping[str, Any]


def resolve(expression: Expression, variables: Container[str]) -> Call:
    """The operation that a composite expression applies; ProblemError where there is none."""
    match expression:
        case syntax.Binary(symbol=symbol, left=left, right=right):
            return Call(BINARY[symbol], (left, right), NO_ATTRIBUTES)
        case syntax.Unary(operand=operand):
            return Call(NEG, (operand,), NO_ATTRIBUTES)
        case syntax.Attribute():
            return _property(expression)
        case syntax.Subscript():
            return _subscript(expression)
        case syntax.Call():
            return _call(expression, variables)
        case _:
            raise ProblemError("this is no value", expression.span, expected="a value")


def _property(expression: syntax.Attribute) -> Call:
    found = PROPERTIES.get(expression.name)
    if found is not None:
        operation, attributes = found
        return Call(operation, (expression.receiver,), attributes)
    if expression.name == "grad":
        raise ProblemError(
            "`.grad` is known only after `backward`, not while computing",
            expression.name_span,
            fix="put it under `expect:` to check it",
        )
    if (unsupported := refused.attribute(expression)) is not None:
        raise unsupported
    fix = did_you_mean(expression.name, [*PROPERTIES, *FUNCTIONS])
    if expression.name in FUNCTIONS:
        fix = f"write `.{expression.name}()`"
    raise ProblemError(
        f"unknown property `.{expression.name}`",
        expression.name_span,
        expected=", ".join(f"`.{name}`" for name in PROPERTIES),
        fix=fix,
    )


def _subscript(expression: syntax.Subscript) -> Call:
    items: list[Any] = []
    operands: list[Expression] = [expression.receiver]
    for item in expression.items:
        match item:
            case syntax.Dots():
                items.append(...)
            case syntax.Slice():
                items.append(_slice(item))
            case syntax.Number() | syntax.Unary() | syntax.Literal() | syntax.Sequence():
                items.append(_index_literal(item))
            case _:
                items.append(FROM_OPERAND)
                operands.append(item)
    return Call(INDEX, tuple(operands), {"items": tuple(items)})


def _slice(item: syntax.Slice) -> slice:
    parts = [None if part is None else _whole(part) for part in (item.start, item.stop, item.step)]
    if parts[2] is not None and parts[2] <= 0:
        raise ProblemError(
            "a slice's step must be greater than zero, as in torch", item.span, fix="drop the step"
        )
    return slice(*parts)


def _index_literal(item: Expression) -> int | tuple[int, ...] | None:
    if isinstance(item, syntax.Literal) and item.value is None:
        return None
    if isinstance(item, syntax.Sequence):
        return tuple(_whole(part) for part in item.items)
    return _whole(item)


def _whole(expression: Expression) -> int:
    value = literal(expression)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ProblemError("an index must be a whole number", expression.span)
    return value


def _call(call: syntax.Call, variables: Container[str]) -> Call:
    forms = FUNCTIONS.get(call.function, ())
    if not forms:
        raise _unknown_function(call, variables)
    problems: list[ProblemError] = []
    for operation in forms:
        try:
            operands, attributes = bind(call, operation)
        except ProblemError as problem:
            problems.append(problem)
        else:
            return Call(operation, operands, attributes)
    # A form that takes the arguments but for their kind is nearer than one that has no room.
    raise next((one for one in problems if not isinstance(one, NoRoomError)), problems[0])


def _unknown_function(call: syntax.Call, variables: Container[str]) -> ProblemError:
    name = call.function
    if call.receiver is None and not call.prefix and name in variables:
        return ProblemError(
            f"`{name}` is a variable, not a function", call.function_span, fix=f"write `{name}*(…)`"
        )
    if (unsupported := refused.function(call)) is not None:
        return unsupported
    kind = "function" if call.receiver is None else "method"
    fix = did_you_mean(name, list(FUNCTIONS))
    if name in PROPERTIES:
        fix = f"write `.{name}` without brackets"
    return ProblemError(
        f"unknown {kind} `{name}`",
        call.function_span,
        fix=fix or "`backprop-tui ops` lists what there is",
    )
