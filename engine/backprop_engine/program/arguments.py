"""The arguments of a call, sorted into operands and attributes as torch's signature has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backprop_engine.basics.source import ProblemError, Span
from backprop_engine.basics.suggestions import did_you_mean, listed
from backprop_engine.grammar import syntax
from backprop_engine.grammar.syntax import Expression
from backprop_engine.graph import NO_ATTRIBUTES
from backprop_engine.operation import REQUIRED, Kind, Operation, Parameter
from backprop_engine.program.python_numbers import Known, literal

Bound = tuple[tuple[Expression, ...], Mapping[str, Any]]
"""The expressions of the operands, and the attributes."""


class NoRoomError(ProblemError):
    """The signature has no place for an argument, or an argument is missing."""


def bind(call: syntax.Call, operation: Operation, known: Known) -> Bound:
    """The operands and attributes of `call` as the signature of `operation` names them.

    `known` tells the sizes and numbers that names stand for, where one has to be written out.

    Raises ProblemError where they do not fit it, NoRoomError where their number or names do not.
    """
    parameters = (
        operation.spelling.parameters
        if call.receiver is None
        else operation.spelling.method_parameters
    )
    arguments = _arguments(call, operation, parameters)
    operands: list[Expression] = []
    attributes: dict[str, Any] = {}
    left_out: list[Parameter] = []
    for parameter in operation.spelling.parameters:
        argument = arguments.get(parameter.name, parameter.default)
        is_left_out = parameter.name not in arguments or _is_none(argument)
        if argument is REQUIRED or (is_left_out and owner(call) in parameter.required_by):
            raise NoRoomError(
                f"`{call.function}` is called without `{parameter.name}`",
                call.span,
                expected=signature(operation, call.function, owner(call)),
            )
        if parameter.refusal:
            _check_refused(parameter, argument, call)
        if not parameter.is_taken:
            continue
        if parameter.kind is Kind.OPERANDS:
            operands += _operands(parameter, argument, call)
        elif parameter.kind is not Kind.OPERAND:
            attributes[parameter.name] = (
                _attribute(parameter, literal(argument, known), argument.span, call)
                if parameter.name in arguments
                else parameter.default
            )
        elif _is_none(argument) and parameter.default is None:
            left_out.append(parameter)
        else:
            operands += [_neutral(argument, call, operation) for argument in left_out]
            left_out.clear()
            operands.append(_operand(parameter, argument, call))
    return tuple(operands), attributes or NO_ATTRIBUTES


def owner(call: syntax.Call) -> str:
    """What a function is taken from: `torch`, `F`, `linalg`, or `Tensor` for a method."""
    return call.prefix.rpartition(".")[2] if call.receiver is None else "Tensor"


def _arguments(
    call: syntax.Call, operation: Operation, parameters: tuple[Parameter, ...]
) -> dict[str, Any]:
    """Arguments by parameter name, as Python binds them; a shape or a list takes all the rest."""
    given = call.arguments if call.receiver is None else (call.receiver, *call.arguments)
    bound: dict[str, Any] = {}
    for position, parameter in enumerate(parameters):
        rest = given[position:]
        if not rest:
            break
        if _may_be_rest(parameter, rest):
            whole = Span(rest[0].span.start, rest[-1].span.stop)
            bound[parameter.name] = syntax.Sequence(rest, whole)
            given = given[:position]
            break
        bound[parameter.name] = rest[0]
    if len(given) > len(parameters):
        raise NoRoomError(
            f"`{call.function}` takes at most {len(parameters)} arguments",
            given[len(parameters)].span,
            expected=signature(operation, call.function, owner(call)),
        )
    keywords = {
        name: parameter.name
        for parameter in parameters
        for name in (parameter.name, *parameter.aliases)
    }
    for name, argument in call.keywords:
        parameter_name = keywords.get(name)
        if parameter_name is None:
            raise NoRoomError(
                f"`{call.function}` has no keyword `{name}`",
                call.keyword_spans.get(name, argument.span),
                expected=signature(operation, call.function, owner(call)),
                fix=did_you_mean(name, list(keywords)),
            )
        if parameter_name in bound:
            raise ProblemError(f"`{call.function}` got `{name}` twice", argument.span)
        bound[parameter_name] = argument
    return bound


def _may_be_rest(parameter: Parameter, rest: tuple[Expression, ...]) -> bool:
    """Whether arguments can be the items of one list: `view(2, -1)`, but not `cat(hs, 0)`."""
    if parameter.kind is not Kind.SHAPE and not parameter.is_spread:
        return False
    if len(rest) == 1:
        return isinstance(rest[0], syntax.Star)
    return not isinstance(rest[0], syntax.Sequence)


def _is_none(argument: Any) -> bool:
    return argument is None or (isinstance(argument, syntax.Literal) and argument.value is None)


def _check_refused(parameter: Parameter, argument: Any, call: syntax.Call) -> None:
    if not _is_none(argument) and not _is_written_as(parameter.default, argument):
        raise ProblemError(
            f"`{parameter.name}` of `{call.function}` is not supported",
            argument.span,
            fix=parameter.refusal,
        )


def _is_written_as(default: Any, argument: Any) -> bool:
    """Whether an argument is the default itself: not given, or written out."""
    written = argument
    if isinstance(argument, syntax.Number | syntax.Literal):
        written = argument.value
    return isinstance(written, bool | int | float) and written == default


def _neutral(parameter: Parameter, call: syntax.Call, operation: Operation) -> Expression:
    if parameter.neutral is None:
        raise NoRoomError(
            f"`{call.function}` needs `{parameter.name}` where what follows it is given",
            call.span,
            expected=signature(operation, call.function, owner(call)),
        )
    return syntax.Number(parameter.neutral, call.span)


def _operands(
    parameter: Parameter, argument: Expression, call: syntax.Call
) -> tuple[Expression, ...]:
    """The items of a list that is written out, or what has them when it is computed."""
    if isinstance(argument, syntax.Sequence):
        return argument.items
    if isinstance(argument, syntax.Star):
        if not parameter.is_spread:
            raise ProblemError(
                f"`{call.function}` takes one list, and `*` gives its items one by one",
                argument.span,
                fix="leave out the `*`",
            )
        return (argument,)
    taker = None if parameter.is_spread else call.function
    return (syntax.Star(argument, argument.span, taker),)


def _operand(parameter: Parameter, argument: Any, call: syntax.Call) -> Expression:
    if isinstance(argument, syntax.Literal | syntax.Star):
        raise ProblemError(
            f"`{parameter.name}` of `{call.function}` cannot be this",
            argument.span,
            expected=parameter.kind.value,
        )
    if isinstance(argument, float | int):  # the default of an operand that may be left out
        return syntax.Number(argument, call.span)
    operand: Expression = argument
    return operand


def signature(operation: Operation, function: str, place: str = "") -> str:
    """How a function is called: `sum(input, dim=None, keepdim=False)`; `place` is its owner."""
    parts = [
        parameter.name
        if parameter.default is REQUIRED or place in parameter.required_by
        else f"{parameter.name}={parameter.default!r}"
        for parameter in operation.spelling.parameters
        if parameter.is_taken
    ]
    return f"{function}({', '.join(parts)})"


def _attribute(parameter: Parameter, value: Any, span: Span, call: syntax.Call) -> Any:
    if value is None and parameter.default is None:
        return None
    if not _fits(parameter.kind, value):
        raise ProblemError(
            f"`{parameter.name}` of `{call.function}` cannot be this",
            span,
            expected=parameter.kind.value,
        )
    if parameter.choices and value not in parameter.choices:
        raise ProblemError(
            f"`{parameter.name}` of `{call.function}` cannot be `{value}`",
            span,
            expected=listed(parameter.choices),
            fix=did_you_mean(value, parameter.choices),
        )
    if parameter.kind is Kind.SHAPE and isinstance(value, int):
        return (value,)
    return float(value) if parameter.kind is Kind.NUMBER else value


def _fits(kind: Kind, value: Any) -> bool:
    match kind:
        case Kind.FLAG:
            return isinstance(value, bool)
        case Kind.AXIS | Kind.WHOLE:
            return _is_whole(value)
        case Kind.NUMBER | Kind.SCALAR:
            return isinstance(value, int | float) and not isinstance(value, bool)
        case Kind.TEXT:
            return isinstance(value, str)
        case _:
            return _is_whole(value) or (isinstance(value, tuple) and all(map(_is_whole, value)))


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
