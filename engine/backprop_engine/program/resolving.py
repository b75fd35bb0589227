"""From a piece of syntax to the operation it stands for.

Operands and attributes are told apart here: `sum(x, dim=0)`, `x.sum(0)` and
`torch.sum(x, axis=0)` are one and the same application, and `0` is no node of the graph.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any, NamedTuple

from backprop_engine.basics.source import Advice, ProblemError
from backprop_engine.basics.suggestions import did_you_mean, listed
from backprop_engine.catalogue import BINARY, FUNCTIONS, INDEX, INDEX_PUT, NEG, PROPERTIES
from backprop_engine.catalogue.subscripts import FROM_OPERAND
from backprop_engine.grammar import syntax
from backprop_engine.grammar.mistakes import unknown_constant
from backprop_engine.grammar.parser import CONSTANTS
from backprop_engine.grammar.syntax import Expression
from backprop_engine.graph import NO_ATTRIBUTES
from backprop_engine.operation import Operation, Sharing
from backprop_engine.program import unsupported
from backprop_engine.program.arguments import NoRoomError, bind, owner
from backprop_engine.program.dtypes import without_dtype
from backprop_engine.program.many_values import not_one_value
from backprop_engine.program.nn_modules import Module
from backprop_engine.program.python_numbers import Known, NotWrittenError, Tuple, literal
from backprop_engine.program.tensors import MAKERS
from backprop_engine.program.torch_names import in_torch


class Call(NamedTuple):
    """An operation with the expressions of its operands, in order, and its attributes."""

    operation: Operation
    operands: tuple[Expression, ...]
    attributes: Mapping[str, Any]
    in_place: bool = False
    """Whether the first operand itself is changed: `y += 1`, `y.add_(1)`, `y[0] = 1`."""
    writes_back: bool = False
    """See `Put`."""


def resolve(expression: Expression, variables: Container[str], known: Known) -> Call:
    """The operation that a composite expression applies; ProblemError where there is none.

    `known` tells the sizes and numbers that names stand for, where one has to be written out.
    """
    match expression:
        case syntax.Binary(symbol=symbol, left=left, right=right, in_place=in_place):
            return Call(_operator(symbol, expression), (left, right), NO_ATTRIBUTES, in_place)
        case syntax.Unary(symbol=symbol, operand=operand):
            operation = NEG if symbol == "-" else _operator(symbol, expression)
            return Call(operation, (operand,), NO_ATTRIBUTES)
        case syntax.Attribute():
            return _property(expression)
        case syntax.Subscript():
            return _subscript(expression, known)
        case syntax.Put(place=place, value=value):
            _, (receiver, *indices), attributes, *_ = _subscript(place, known)
            operands = (receiver, value, *indices)
            return Call(INDEX_PUT, operands, attributes, True, expression.writes_back)
        case syntax.Call():
            return _call(without_dtype(expression), variables, known)
        case syntax.FunctionName():
            raise not_one_value(function_value(expression), written(expression), expression.span)
        case _:
            raise ProblemError("this is no value", expression.span, expected="a value")


def _operator(symbol: str, expression: Expression) -> Operation:
    operation = BINARY.get(symbol)
    if operation is None:
        raise ProblemError(f"`{symbol}` is not supported", expression.span, listed(BINARY))
    return operation


def _property(expression: syntax.Attribute) -> Call:
    found = PROPERTIES.get(expression.name)
    if found is not None:
        operation, attributes = found
        return Call(operation, (expression.receiver,), attributes)
    raise unknown_property(expression)


def unknown_property(expression: syntax.Attribute) -> ProblemError:
    """An attribute that no operation stands behind."""
    if expression.name == "grad":
        return ProblemError(
            "`.grad` is known only after `backward`, not while computing",
            expression.name_span,
            fix=Advice(
                "put it under `expect:` to check it", "put it into `print`, below that line"
            ),
        )
    if (refusal := unsupported.attribute(expression)) is not None:
        return refusal
    fix = did_you_mean(expression.name, [*PROPERTIES, *FUNCTIONS])
    if expression.name in FUNCTIONS:
        fix = f"write `.{expression.name}()`"
    return ProblemError(
        f"unknown property `.{expression.name}`",
        expression.name_span,
        expected=", ".join(f"`.{name}`" for name in PROPERTIES),
        fix=fix,
    )


def _subscript(expression: syntax.Subscript, known: Known) -> Call:
    items: list[Any] = []
    operands: list[Expression] = [expression.receiver]
    for item in _index_items(expression):
        if isinstance(item, syntax.Dots):
            items.append(...)
        elif isinstance(item, syntax.Slice):
            items.append(_slice(item, known))
        else:
            written = _index_literal(item, known)
            items.append(written)
            if written == FROM_OPERAND:
                operands.append(item)
    if len(items) == 1 and isinstance(items[0], Tuple):
        items = list(items[0])
    return Call(INDEX, tuple(operands), {"items": tuple(items)})


def _index_items(expression: syntax.Subscript) -> tuple[Expression, ...]:
    """The items of an index: `x[(0, 1)]` has those of `x[0, 1]`."""
    match expression.items:
        case (syntax.Sequence(items=items, is_tuple=True),):
            return items
        case items:
            return items


def _slice(item: syntax.Slice, known: Known) -> slice:
    bounds = (item.start, item.stop, item.step)
    parts = [None if bound is None else _whole(bound, literal(bound, known)) for bound in bounds]
    if parts[2] is not None and parts[2] <= 0:
        raise ProblemError(
            "a slice's step must be greater than zero, as in torch", item.span, fix="drop the step"
        )
    return slice(*parts)


def _index_literal(item: Expression, known: Known) -> int | tuple[int, ...] | str | None:
    """An index that is written out or known; FROM_OPERAND for one that is a value."""
    try:
        value = literal(item, known)
    except NotWrittenError:
        if isinstance(item, syntax.Sequence):
            raise
        return FROM_OPERAND
    if value is None:
        return None
    if isinstance(value, tuple):
        return type(value)(_whole(item, part) for part in value)
    return _whole(item, value)


def _whole(place: Expression, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        fix = ""
        if isinstance(place, syntax.Sequence):
            fix = "write `torch.tensor(…)` for a list of lists or of truth values"
        elif isinstance(value, bool):
            fix = "write `None` for `True`, which adds an axis"
        raise ProblemError("an index must be a whole number", place.span, fix=fix)
    return value


def _forms(function: str, place: str) -> tuple[Operation, ...]:
    """The operations by a name; `torch.linalg.norm` is another function than `torch.norm`."""
    return FUNCTIONS.get(f"{place}.{function}") or FUNCTIONS.get(function, ())


def written(function: syntax.FunctionName) -> str:
    """`torch.sin`, as it stands in the program."""
    return f"{function.prefix}.{function.function}"


def function_value(function: syntax.FunctionName) -> Module:
    """What `torch.sin` stands for where it is not called; ProblemError where it is no operation."""
    if not _forms(function.function, function.prefix.rpartition(".")[2]):
        raise unknown_constant(function.prefix, function.function, function.span, CONSTANTS)
    return Module(function)


def changes_in_place(call: syntax.Call) -> bool:
    """Whether a call changes its first operand: `y.add_(1)`, `F.relu(y, inplace=True)`."""
    name = call.function
    if unsupported.is_in_place(name):
        forms = FUNCTIONS.get(name) or FUNCTIONS.get(name[:-1], ())
        is_known = in_torch(call.prefix, name, is_method=call.receiver is not None) is not None
        return is_known and any(form.sharing is Sharing.NEVER for form in forms)
    return any(_is_told_in_place(call, function) for function in FUNCTIONS.get(name, ()))


def _is_told_in_place(call: syntax.Call, operation: Operation) -> bool:
    """Whether the argument `inplace` of a function is True."""
    names = [parameter.name for parameter in operation.spelling.parameters]
    if call.receiver is not None or "inplace" not in names:
        return False
    at, given = names.index("inplace"), dict(call.keywords).get("inplace")
    if len(call.arguments) > at:
        given = call.arguments[at]
    return isinstance(given, syntax.Literal) and given.value is True


def _call(call: syntax.Call, variables: Container[str], known: Known) -> Call:
    # `x.unfold` is another function than `F.unfold`.
    in_place = changes_in_place(call)
    plain = call.function.removesuffix("_") if in_place else call.function
    forms = _forms(call.function, owner(call)) or _forms(plain, owner(call))
    if not forms:
        raise _unknown_function(call, variables)
    problems: list[ProblemError] = []
    for operation in forms:
        try:
            operands, attributes = bind(call, operation, known)
        except ProblemError as problem:
            problems.append(problem)
        else:
            return Call(operation, operands, attributes, in_place)
    # A form that takes the arguments but for their kind is nearer than one that has no room.
    raise next(
        (problem for problem in problems if not isinstance(problem, NoRoomError)), problems[0]
    )


def _unknown_function(call: syntax.Call, variables: Container[str]) -> ProblemError:
    name = call.function
    if call.receiver is None and not call.prefix and name in variables:
        return ProblemError(
            f"`{name}` is a variable, not a function", call.function_span, fix=f"write `{name}*(…)`"
        )
    if (refusal := unsupported.function(call)) is not None:
        return refusal
    if name == "forward" and isinstance(call.receiver, syntax.Call):
        return _unknown_function(call.receiver, variables)
    if name in PROPERTIES:
        fix = f"write `.{name}` without brackets"
        return ProblemError(f"`{name}` is a property", call.function_span, fix=fix)
    if name in MAKERS:
        fix = f"write `torch.{name}(…)`"
        return ProblemError(f"`{name}` is a function of torch's", call.function_span, fix=fix)
    for missing in (unsupported.of_torch(call, FUNCTIONS), unsupported.of_python(call)):
        if missing is not None:
            return missing
    kind = "function" if call.receiver is None else "method"
    fix = did_you_mean(name, list(FUNCTIONS)) or "`backprop-tui ops` lists what there is"
    return ProblemError(f"unknown {kind} `{name}`", call.function_span, fix=fix)
