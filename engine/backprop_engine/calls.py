"""From a piece of syntax to the operation it stands for.

Operands and attributes are told apart here: `sum(x, dim=0)`, `x.sum(0)` and
`torch.sum(x, axis=0)` are one and the same application, and `0` is no node of the graph.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any, NamedTuple

from backprop_engine.catalogue import BINARY, FUNCTIONS, INDEX, NEG, PROPERTIES
from backprop_engine.catalogue.shapes import FROM_OPERAND
from backprop_engine.expressions import syntax
from backprop_engine.expressions.syntax import Expression
from backprop_engine.graph import NO_ATTRIBUTES
from backprop_engine.operation import REQUIRED, Kind, Operation, Parameter
from backprop_engine.scenarios import refused
from backprop_engine.source import ProblemError, Span
from backprop_engine.suggestions import did_you_mean

MAX_NESTING = 64
"""How deep a literal list may be nested: numpy's own limit on the axes of an array."""


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
    operation = FUNCTIONS.get(call.function)
    if operation is None:
        raise _unknown_function(call, variables)
    given = call.arguments if call.receiver is None else (call.receiver, *call.arguments)
    bound = _bind(call, operation, given)
    operands: list[Expression] = []
    attributes: dict[str, Any] = {}
    for parameter in operation.parameters:
        argument = bound.get(parameter.name, parameter.default)
        if argument is REQUIRED:
            raise ProblemError(
                f"`{call.function}` is called without `{parameter.name}`",
                call.span,
                expected=signature(operation, call.function),
            )
        if parameter.kind is Kind.OPERAND:
            operands.append(argument)
        elif parameter.name in bound:
            attributes[parameter.name] = _attribute(parameter, argument, call)
        else:
            attributes[parameter.name] = parameter.default
    return Call(operation, tuple(operands), attributes or NO_ATTRIBUTES)


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
    return ProblemError(f"unknown {kind} `{name}`", call.function_span, fix=fix)


def _bind(call: syntax.Call, operation: Operation, given: tuple[Expression, ...]) -> dict[str, Any]:
    """Arguments by parameter name, as Python binds them; a shape takes all that are left."""
    bound: dict[str, Any] = {}
    for position, parameter in enumerate(operation.parameters):
        if position >= len(given):
            break
        if parameter.kind is Kind.SHAPE and len(given) > position + 1:
            rest = given[position:]
            bound[parameter.name] = syntax.Sequence(
                rest, Span(rest[0].span.start, rest[-1].span.stop)
            )
            given = given[:position]
            break
        bound[parameter.name] = given[position]
    if len(given) > len(operation.parameters):
        extra = given[len(operation.parameters)]
        raise ProblemError(
            f"`{call.function}` takes at most {len(operation.parameters)} arguments",
            extra.span,
            expected=signature(operation, call.function),
        )
    keywords = {name: one.name for one in operation.parameters for name in (one.name, *one.aliases)}
    for name, argument in call.keywords:
        parameter_name = keywords.get(name)
        if parameter_name is None:
            raise ProblemError(
                f"`{call.function}` has no keyword `{name}`",
                argument.span,
                expected=signature(operation, call.function),
                fix=did_you_mean(name, list(keywords)),
            )
        if parameter_name in bound:
            raise ProblemError(f"`{call.function}` got `{name}` twice", argument.span)
        bound[parameter_name] = argument
    return bound


def signature(operation: Operation, function: str) -> str:
    """How a function is called: `sum(input, dim=None, keepdim=False)`."""
    parts = [
        one.name if one.default is REQUIRED else f"{one.name}={one.default}"
        for one in operation.parameters
    ]
    return f"{function}({', '.join(parts)})"


def _attribute(parameter: Parameter, expression: Expression, call: syntax.Call) -> Any:
    value = literal(expression)
    if not _fits(parameter.kind, value) and not (value is None and parameter.default is None):
        raise ProblemError(
            f"`{parameter.name}` of `{call.function}` cannot be this",
            expression.span,
            expected=parameter.kind.value,
        )
    if parameter.kind is Kind.SHAPE and isinstance(value, int):
        return (value,)
    return value


def _fits(kind: Kind, value: Any) -> bool:
    def whole(x: Any) -> bool:
        return isinstance(x, int) and not isinstance(x, bool)

    if kind is Kind.FLAG:
        return isinstance(value, bool)
    if kind is Kind.AXIS:
        return whole(value)
    return whole(value) or (isinstance(value, tuple) and all(map(whole, value)))


def literal(expression: Expression, depth: int = 0) -> Any:
    """A literal's Python value: numbers, True, False, None, and tuples of them.

    Raises ProblemError for anything that is not written out.
    """
    match expression:
        case syntax.Number(value=value):
            return value
        case syntax.Literal(value=constant):
            return constant
        case syntax.Unary(symbol=symbol, operand=syntax.Number(value=value)):
            return -value if symbol == "-" else value
        case syntax.Sequence(items=items) if depth < MAX_NESTING:
            return tuple(literal(item, depth + 1) for item in items)
        case syntax.Sequence():
            raise ProblemError(f"nested deeper than {MAX_NESTING} levels", expression.span)
        case _:
            raise ProblemError(
                "this must be written out, not computed",
                expression.span,
                expected="a number, or a list of numbers",
            )
