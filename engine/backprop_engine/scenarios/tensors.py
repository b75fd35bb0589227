"""Tensors written out in a program: `torch.tensor([2.0], requires_grad=True)`, `torch.randn(3, 4)`.

What torch draws cannot be drawn again without torch. `rand` and `randn` here take their numbers
from one `numpy.random.Generator(PCG64(seed))` in the order of the text, with the seed 0 until
`torch.manual_seed` gives another: the same on every machine, and not torch's.
"""

from __future__ import annotations

import contextlib
import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from backprop_engine.expressions import syntax
from backprop_engine.expressions.syntax import Call, Expression, postorder
from backprop_engine.scenarios.arrays import MAX_DIMENSIONS, MAX_ELEMENTS, nested_array
from backprop_engine.source import ProblemError, Span
from backprop_engine.suggestions import did_you_mean
from backprop_engine.values import Dtype, Shape, Value, is_float, settle

_KEYWORDS: Final = ("dtype", "requires_grad")
_ARITHMETIC: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "**": operator.pow,
}
_LARGEST_EXPONENT: Final = 2_000


@dataclass(frozen=True, eq=False, slots=True)
class Tensor:
    """A tensor written out, and whether it asks for a gradient."""

    value: Value
    requires_grad: bool


@dataclass(frozen=True, slots=True)
class _Maker:
    """`make(random, *arguments)`: a float64, int64 or bool array."""

    make: Callable[..., Any]
    parameters: tuple[str, ...]
    required: int
    """So many of the parameters must be given."""
    is_shape: bool = False
    """Takes sizes one by one too: `zeros(2, 3)`."""


def is_tensor(expression: Expression) -> bool:
    """Whether it is a call that writes a tensor out."""
    return (
        isinstance(expression, Call)
        and expression.receiver is None
        and expression.function in MAKERS
        and expression.prefix in ("", "torch")
    )


def dtype_asked(call: Call) -> syntax.DtypeName | None:
    """The `dtype` argument of a call that writes a tensor out."""
    given = dict(call.keywords).get("dtype")
    return given if isinstance(given, syntax.DtypeName) else None


def make_tensor(call: Call, dtype: Dtype, random: np.random.Generator) -> Tensor:
    """The tensor a call writes out; floats are of `dtype`, whole numbers int64 as in torch.

    Raises ProblemError for arguments that are not written out or do not fit.
    """
    maker = MAKERS[call.function]
    keywords = dict(call.keywords)
    given = _bind(call, maker, keywords)
    array = np.asarray(maker.make(random, *given))
    asked = dtype_asked(call)
    if asked is not None:
        array = _converted(array, asked)
    requires_grad = _flag(keywords.get("requires_grad"))
    value = settle(array, dtype)
    if requires_grad and not is_float(value):
        raise ProblemError(
            "only Tensors of floating point dtype can require gradients",
            keywords["requires_grad"].span,
            fix="write its numbers with a point, such as `2.`",
        )
    return Tensor(value, requires_grad)


def _bind(call: Call, maker: _Maker, keywords: Mapping[str, Expression]) -> list[Any]:
    form = f"torch.{call.function}({', '.join(maker.parameters)})"
    known = (*maker.parameters, *_KEYWORDS)
    for name, argument in call.keywords:
        if name not in known:
            raise ProblemError(
                f"`{call.function}` has no keyword `{name}` here",
                argument.span,
                f"{form}, with `dtype` and `requires_grad`",
                did_you_mean(name, known),
            )
    arguments = list(call.arguments)
    if maker.is_shape and len(arguments) > 1:
        span = Span(arguments[0].span.start, arguments[-1].span.stop)
        arguments = [syntax.Sequence(tuple(arguments), span)]
    if len(arguments) > len(maker.parameters):
        extra = arguments[len(maker.parameters)]
        raise ProblemError(f"`{call.function}` takes fewer arguments", extra.span, form)
    bound = dict(zip(maker.parameters, arguments, strict=False))
    bound |= {name: one for name, one in keywords.items() if name in maker.parameters}
    for name in maker.parameters[: maker.required]:
        if name not in bound:
            raise ProblemError(f"`{call.function}` is called without `{name}`", call.span, form)
    return [bound.get(name) for name in maker.parameters]


def _converted(array: np.ndarray, asked: syntax.DtypeName) -> np.ndarray:
    with np.errstate(over="ignore", invalid="ignore"):
        return array.astype(asked.name)


def _flag(expression: Expression | None) -> bool:
    if expression is None:
        return False
    if isinstance(expression, syntax.Literal) and isinstance(expression.value, bool):
        return expression.value
    raise ProblemError("this is not a truth value", expression.span, "`True` or `False`")


# Numbers


def _number(expression: Expression) -> float | int:
    """A number that is written out, or arithmetic on such numbers (`2 * math.pi`)."""
    results: list[float | int] = []
    for part in postorder(expression):
        match part:
            case syntax.Number(value=value):
                results.append(value)
            case syntax.Unary(symbol=symbol):
                results.append(-results.pop() if symbol == "-" else results.pop())
            case syntax.Binary(symbol=symbol) if symbol in _ARITHMETIC:
                right, left = results.pop(), results.pop()
                results.append(_computed(symbol, left, right, part.span))
            case _:
                raise ProblemError("this must be written out, not computed", part.span, "a number")
    return results.pop()


def _computed(symbol: str, left: float, right: float, span: Span) -> float | int:
    result: Any = math.nan
    # Whole numbers have no bound in Python: 9**9**9**9 would take forever.
    if not (symbol == "**" and abs(right) > _LARGEST_EXPONENT):
        with contextlib.suppress(ArithmeticError):
            result = _ARITHMETIC[symbol](left, right)
    if isinstance(result, complex) or not _is_finite(result):
        raise ProblemError("this number cannot be computed", span, "a finite number")
    return result if isinstance(result, int) else float(result)


def _is_finite(number: float) -> bool:
    try:
        return math.isfinite(number)
    except OverflowError:  # a whole number beyond all floats
        return False


def _whole(expression: Expression, what: str) -> int:
    number = _number(expression)
    if not isinstance(number, int) or number < 0:
        raise ProblemError(f"this is not {what}", expression.span, "a whole number, 0 or more")
    return number


def _shape(expression: Expression) -> Shape:
    is_list = isinstance(expression, syntax.Sequence)
    items = expression.items if isinstance(expression, syntax.Sequence) else (expression,)
    shape = tuple(_whole(item, "a size") for item in items)
    if is_list and len(shape) > MAX_DIMENSIONS:
        raise ProblemError(f"an array has at most {MAX_DIMENSIONS} dimensions", expression.span)
    _check_count(math.prod(shape), expression.span)
    return shape


def _check_count(count: float, span: Span) -> None:
    if count > MAX_ELEMENTS:
        raise ProblemError(f"an array has at most {MAX_ELEMENTS:,} elements", span)


# What each function makes


def _tensor(_: object, data: Expression) -> Any:
    kinds = {type(_element(part)) for part in postorder(data) if _is_element(part)}
    dtype = "float64"
    if kinds == {bool}:
        dtype = "bool"
    elif kinds and float not in kinds:
        dtype = "int64"
    return nested_array(data, _items, _element, dtype)


def _is_element(expression: Expression) -> bool:
    return not isinstance(expression, syntax.Sequence | syntax.Unary)


def _items(expression: Expression) -> tuple[Expression, ...] | None:
    return expression.items if isinstance(expression, syntax.Sequence) else None


def _element(expression: Expression) -> float | int | bool:
    match expression:
        case syntax.Literal(value=bool(value)):
            return value
        case syntax.Sequence():
            raise ProblemError("a list stands where the first row has a number", expression.span)
        case syntax.Name() | syntax.Call():
            raise ProblemError(
                "a tensor is made of numbers that are written out",
                expression.span,
                fix="leave `torch.tensor(…)` off: this is a value already",
            )
        case _:
            return _number(expression)


def _zeros(_: object, size: Expression) -> Any:
    return np.zeros(_shape(size))


def _ones(_: object, size: Expression) -> Any:
    return np.ones(_shape(size))


def _full(_: object, size: Expression, fill: Expression) -> Any:
    return np.full(_shape(size), _element(fill))


def _rand(random: np.random.Generator, size: Expression) -> Any:
    return random.random(_shape(size))


def _randn(random: np.random.Generator, size: Expression) -> Any:
    return random.standard_normal(_shape(size))


def _eye(_: object, n: Expression, m: Expression | None) -> Any:
    rows = _whole(n, "a size")
    columns = rows if m is None else _whole(m, "a size")
    _check_count(rows * columns, n.span)
    return np.eye(rows, columns)


def _linspace(_: object, start: Expression, end: Expression, steps: Expression) -> Any:
    count = _whole(steps, "a count")
    _check_count(count, steps.span)
    return np.linspace(_number(start), _number(end), count)


def _arange(
    _: object, first: Expression, second: Expression | None, third: Expression | None
) -> Any:
    start = 0 if second is None else _number(first)
    end = _number(first if second is None else second)
    step = 1 if third is None else _number(third)
    if third is not None and step == 0:
        raise ProblemError("the step of `arange` is 0", third.span, "any other number")
    _check_count((end - start) / step, first.span)
    return np.arange(start, end, step)


MAKERS: Final[Mapping[str, _Maker]] = {
    "tensor": _Maker(_tensor, ("data",), 1),
    "as_tensor": _Maker(_tensor, ("data",), 1),
    "zeros": _Maker(_zeros, ("size",), 1, is_shape=True),
    "ones": _Maker(_ones, ("size",), 1, is_shape=True),
    "full": _Maker(_full, ("size", "fill_value"), 2),
    "rand": _Maker(_rand, ("size",), 1, is_shape=True),
    "randn": _Maker(_randn, ("size",), 1, is_shape=True),
    "eye": _Maker(_eye, ("n", "m"), 1),
    "linspace": _Maker(_linspace, ("start", "end", "steps"), 3),
    "arange": _Maker(_arange, ("start", "end", "step"), 1),
}
"""By torch's name. `arange(3)` has its end as its first argument, as Python's `range`."""
