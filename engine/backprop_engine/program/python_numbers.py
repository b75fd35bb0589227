"""Numbers that a program writes out, or that Python knows before any tensor is computed with.

`2`, `(2, -1)` and `1/8`; and sizes, which are Python's numbers too: `x.shape[0]`, `x.size(-1)`,
`len(x)`, `math.sqrt(x.size(-1))`. Whoever asks tells by `known` what a name or a size stands for.
"""

from __future__ import annotations

import contextlib
import math
import operator
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from backprop_engine.basics.limits import MAX_EXPONENT, MAX_NESTING
from backprop_engine.basics.source import ProblemError, Span
from backprop_engine.basics.values import Shape
from backprop_engine.grammar import syntax
from backprop_engine.grammar.syntax import Call, Expression

Known = Callable[[Expression], Any]
"""What a name or a question for a size stands for; raises ProblemError where it is no number."""

_ARITHMETIC: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
    "**": operator.pow,
}
_SIZES: Final = ("size", "numel", "nelement", "dim", "ndimension")
_MATHS: Final[Mapping[str, Callable[..., Any]]] = {
    name: getattr(math, name)
    for name in (
        "acos", "asin", "atan", "atan2", "ceil", "cos", "cosh", "exp", "floor", "log", "log10",
        "log1p", "log2", "pow", "prod", "sin", "sinh", "sqrt", "tan", "tanh",
    )
}  # fmt: skip
_BUILTINS: Final[Mapping[str, Callable[..., Any]]] = {"int": int, "float": float}
"""Functions of Python's that make a number of whatever they are given."""


def _rounded(number: float, digits: int | None = None) -> float:
    """Python's `round`; ArithmeticError for more digits than any number here has."""
    if digits is not None and abs(digits) > MAX_EXPONENT:
        raise ArithmeticError
    return round(number, digits)


_OF_NUMBERS: Final[Mapping[str, Callable[..., Any]]] = {
    "abs": abs, "max": max, "min": min, "round": _rounded, "sum": sum,
}  # fmt: skip
"""Functions of Python's that make a number of numbers."""
_TAKING_TUPLES: Final = ("prod", "max", "min", "sum")


class NotWrittenError(ProblemError):
    """Something that is computed stands where a number has to be written out."""

    def __init__(self, span: Span, what: str = "this must be written out, not computed") -> None:
        super().__init__(what, span, "a number, or a list of numbers")


class Tuple(tuple[Any, ...]):
    """What is a tuple in Python, too, and no list: as an index the two differ."""

    __slots__ = ()


class Question(NamedTuple):
    """What a size is asked of, and the axis where one is named."""

    receiver: Expression
    of: str
    """`shape`, `ndim`, `numel` or `len`."""
    axis: Expression | None = None


def question(expression: Expression) -> Question | None:
    """`x.shape`, `x.size(0)`, `x.numel()`, `x.dim()`, `len(x)` and their like; else None."""
    match expression:
        case syntax.Attribute(receiver=receiver, name=("shape" | "ndim") as name):
            return Question(receiver, name)
        case Call(function="len", receiver=None, prefix="", arguments=(counted,), keywords=()):
            return Question(counted, "len")
        case Call(
            function="numel", receiver=None, prefix="torch", arguments=(counted,), keywords=()
        ):
            return Question(counted, "numel")
        case Call(function=name, receiver=receiver) if receiver is not None and name in _SIZES:
            given = (*expression.arguments, *(v for k, v in expression.keywords if k == "dim"))
            if len(given) > (name == "size") or len(expression.keywords) > len(given):
                raise ProblemError(f"`{name}` takes fewer arguments", expression.span)
            if name == "size":
                return Question(receiver, "shape", given[0] if given else None)
            return Question(receiver, "numel" if name in ("numel", "nelement") else "ndim")
        case _:
            return None


def answer(asked: Question, shape: Shape, known: Known) -> Any:
    """The size that is asked for, of a value of `shape`."""
    if asked.of == "ndim":
        return len(shape)
    if asked.of == "numel":
        return math.prod(shape)
    if asked.of == "len":
        if not shape:
            raise ProblemError("a single number has no length", asked.receiver.span)
        return shape[0]
    return (
        Tuple(shape)
        if asked.axis is None
        else _picked(shape, literal(asked.axis, known), asked.axis)
    )


def is_number(expression: Expression) -> bool:
    """Whether only a Python number, or a tuple of them, can be meant, whatever names stand for."""
    match expression:
        case syntax.Subscript(receiver=receiver):
            asked = question(receiver)
            return asked is not None and asked.of == "shape"
        case Call(function=name, receiver=None, prefix="") if name in _BUILTINS:
            return True
        case _:
            return question(expression) is not None


def is_mathematics(expression: Expression) -> bool:
    """Whether it is `math.sqrt(…)` or its like: a number, if its arguments are."""
    return (
        isinstance(expression, Call)
        and expression.receiver is None
        and expression.prefix == "math"
        and expression.function in _MATHS
    )


def nothing_known(expression: Expression) -> Any:
    """Where nothing is known: everything has to be written out."""
    raise NotWrittenError(expression.span)


def literal(expression: Expression, known: Known = nothing_known, depth: int = 0) -> Any:
    """A Python value: a number, True, False, None, a text, or a tuple of such.

    Raises ProblemError for anything that is not written out and not `known`.
    """
    if depth > MAX_NESTING:
        raise NotWrittenError(expression.span, f"nested deeper than {MAX_NESTING} levels")
    inner = depth + 1
    match expression:
        case syntax.Number(value=value):
            return value
        case syntax.Literal(value=constant):
            return constant
        case syntax.Unary(symbol="-" | "+" as symbol, operand=operand):
            value = _number(operand, literal(operand, known, inner))
            return -value if symbol == "-" else value
        case syntax.Binary(symbol=symbol, left=left, right=right) if symbol in _ARITHMETIC:
            return _computed(expression, literal(left, known, inner), literal(right, known, inner))
        case syntax.Sequence(items=items):
            written = tuple(nested for item in items for nested in _items(item, known, inner))
            return Tuple(written) if expression.is_tuple else written
        case syntax.Subscript(receiver=receiver, items=(item,)):
            return _picked(literal(receiver, known, inner), _index(item, known, inner), item)
        case Call() if is_mathematics(expression) or _is_builtin(expression):
            return _called(
                expression, [literal(argument, known, inner) for argument in expression.arguments]
            )
        case syntax.Name() | syntax.Attribute() | Call():
            return known(expression)
        case _:
            raise NotWrittenError(expression.span)


def _items(item: Expression, known: Known, depth: int) -> tuple[Any, ...]:
    if not isinstance(item, syntax.Star):
        return (literal(item, known, depth),)
    value = literal(item.value, known, depth)
    if not isinstance(value, tuple):
        raise ProblemError("only a shape or a list can stand after `*` here", item.span)
    return value


def _is_builtin(call: Call) -> bool:
    is_known = call.function in _BUILTINS or call.function in _OF_NUMBERS
    return call.receiver is None and not call.prefix and is_known


def _index(item: Expression, known: Known, depth: int) -> Any:
    if not isinstance(item, syntax.Slice):
        return literal(item, known, depth)
    parts = (item.start, item.stop, item.step)
    return slice(*(None if part is None else literal(part, known, depth) for part in parts))


def _picked(group: Any, index: Any, place: Expression) -> Any:
    if not isinstance(group, tuple):
        raise NotWrittenError(place.span)
    if isinstance(index, slice):
        return type(group)(group[index])
    if isinstance(index, bool) or not isinstance(index, int):
        raise ProblemError("an index must be a whole number", place.span)
    if not -len(group) <= index < len(group):
        raise ProblemError(
            f"there is no axis {index}: the shape is {group}",
            place.span,
            f"a whole number from {-len(group)} to {len(group) - 1}" if group else "",
        )
    return group[index]


def _number(expression: Expression, value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ProblemError(
            "numbers can be computed with, nothing else",
            expression.span,
            fix="write a list out: `[1, 2, 1, 2]`",
        )
    return value


def _computed(expression: syntax.Binary, left: Any, right: Any) -> Any:
    """`1/8` where a number has to be written out; `x.shape[:-1] + (4, 2)` for a shape."""
    symbol = expression.symbol
    if symbol == "+" and isinstance(left, tuple) and isinstance(right, tuple):
        return Tuple((*left, *right)) if isinstance(left, Tuple) else (*left, *right)
    _number(expression, left)
    _number(expression, right)
    if symbol in ("/", "//", "%") and right == 0:
        raise ProblemError("this divides by zero", expression.span)
    if symbol == "**" and abs(right) > MAX_EXPONENT:
        raise _not_finite(expression)
    return _finite(expression, _ARITHMETIC[symbol], (left, right))


def _called(call: Call, arguments: list[Any]) -> Any:
    if call.keywords or not arguments:
        raise ProblemError(f"`{call.function}` takes numbers", call.span)
    if call.function == "float" and arguments in (["inf"], ["-inf"], ["nan"]):
        return float(arguments[0])
    for place, argument in zip(call.arguments, arguments, strict=True):
        if not (call.function in _TAKING_TUPLES and isinstance(argument, tuple)):
            _number(place, argument)
    functions = _MATHS if call.prefix else {**_BUILTINS, **_OF_NUMBERS}
    return _finite(call, functions[call.function], tuple(arguments))


def _finite(place: Expression, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    with contextlib.suppress(ArithmeticError, ValueError, TypeError):
        result = function(*arguments)
        if not isinstance(result, complex) and math.isfinite(result):
            return result
    raise _not_finite(place)


def _not_finite(place: Expression) -> ProblemError:
    return ProblemError("this number cannot be computed", place.span, "a finite number")
