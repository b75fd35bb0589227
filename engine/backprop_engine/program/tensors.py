"""Tensors written out in a program: `torch.tensor([2.0], requires_grad=True)`, `torch.randn(3, 4)`.

`rand`, `randn` and their like draw what torch draws, in the order of the text, with the seed 0
until `torch.manual_seed` gives another.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import numpy as np

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.nested import check_count, check_rank, nested_array
from backprop_engine.basics.source import ProblemError, Span, no_float
from backprop_engine.basics.suggestions import did_you_mean
from backprop_engine.basics.values import Dtype, Shape, Value, is_beyond_float32, is_float, settle
from backprop_engine.grammar import syntax
from backprop_engine.grammar.syntax import Call, Expression
from backprop_engine.program.python_numbers import Known, NotWrittenError, literal
from backprop_engine.program.torch_random import Stream

_KEYWORDS: Final = ("dtype", "requires_grad")
_IDLE: Final = ("device", "layout", "out", "memory_format")
_LEFT_OUT: Final = "leave it out: no number depends on it here"
_LARGEST: Final = 2**62
_OWN: Final[Mapping[str, Dtype]] = {"FloatTensor": "float32", "DoubleTensor": "float64"}


@dataclass(frozen=True, eq=False, slots=True)
class Tensor:
    """A tensor written out, and whether it asks for a gradient."""

    value: Value
    requires_grad: bool


@dataclass(frozen=True, slots=True)
class _Maker:
    """`make(source, *arguments)`: a float64, int64 or bool array."""

    make: Callable[..., Any]
    parameters: tuple[str, ...]
    required: int
    """So many of the parameters must be given."""
    is_shape: bool = False
    """Takes sizes one by one too: `zeros(2, 3)`."""
    is_random: bool = False


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the numbers of tensors come from, besides the text itself."""

    stream: Stream
    dtype: Dtype
    """That of the floats that are made."""
    known: Known
    """What the names and sizes in it stand for."""


def is_tensor(expression: Expression) -> bool:
    """Whether it is a call that writes a tensor out."""
    return (
        isinstance(expression, Call)
        and expression.receiver is None
        and expression.function in MAKERS
        and expression.prefix in ("", "torch")
    )


def keeps_graph(call: Call) -> bool:
    """Whether it says `requires_grad=True`: what is computed from it is no leaf."""
    return any(name == "requires_grad" and flag(value) for name, value in call.keywords)


def dtype_asked(call: Call) -> syntax.DtypeName | None:
    """The `dtype` argument of a call that writes a tensor out."""
    given = dict(call.keywords).get("dtype")
    return given if isinstance(given, syntax.DtypeName) else None


def own_dtype(call: Call) -> Dtype | None:
    """The dtype of floats that a maker's name says: `torch.DoubleTensor`."""
    return _OWN.get(call.function)


def is_random(call: Call) -> bool:
    """Whether it draws its numbers."""
    return MAKERS[call.function].is_random


def make_tensor(call: Call, origin: Origin) -> Tensor:
    """The tensor a call writes out; floats are of `origin.dtype`, whole numbers int64 as in torch.

    Raises ProblemError for arguments that are not written out or do not fit.
    """
    maker = MAKERS[call.function]
    keywords = dict(call.keywords)
    given = _bind(call, maker, keywords)
    asked = dtype_asked(call)
    dtype = keywords.get("dtype")
    if asked is None and dtype and not (isinstance(dtype, syntax.Literal) and dtype.value is None):
        raise ProblemError(
            "no tensor has this dtype here",
            dtype.span,
            "`torch.float64`, `torch.float32`, `torch.int64` or `torch.bool`",
            "leave it out: floats have one dtype, and whole numbers are int64",
        )
    with np.errstate(over="ignore", invalid="ignore"):
        array = np.asarray(maker.make(origin, *given))
        value = settle(array if asked is None else array.astype(asked.name), origin.dtype)
    requires_grad = flag(keywords.get("requires_grad"))
    if requires_grad and not is_float(value):
        raise no_float(keywords["requires_grad"].span)
    return Tensor(value, requires_grad)


def _bind(call: Call, maker: _Maker, keywords: Mapping[str, Expression]) -> list[Any]:
    form = f"torch.{call.function}({', '.join(maker.parameters)})"
    known = (*maker.parameters, *_KEYWORDS, *(("generator",) if maker.is_random else ()))
    for name, argument in call.keywords:
        if name not in known:
            raise ProblemError(
                f"`{call.function}` has no keyword `{name}` here",
                call.keyword_spans.get(name, argument.span),
                f"{form}, with `dtype` and `requires_grad`",
                _LEFT_OUT if name in _IDLE else did_you_mean(name, known),
            )
    arguments = list(call.arguments)
    if maker.is_shape and len(arguments) > 1:
        span = Span(arguments[0].span.start, arguments[-1].span.stop)
        arguments = [syntax.Sequence(tuple(arguments), span)]
    if len(arguments) > len(maker.parameters):
        extra = arguments[len(maker.parameters)]
        raise ProblemError(f"`{call.function}` takes fewer arguments", extra.span, form)
    bound = dict(zip(maker.parameters, arguments, strict=False))
    bound |= {name: value for name, value in keywords.items() if name in maker.parameters}
    for name in maker.parameters[: maker.required]:
        if name not in bound:
            raise ProblemError(f"`{call.function}` is called without `{name}`", call.span, form)
    return [bound.get(name) for name in maker.parameters]


def flag(expression: Expression | None, kinds: Any = bool) -> bool:
    """What is written out, False for nothing at all; ProblemError for what is none of `kinds`."""
    if expression is None:
        return False
    if isinstance(expression, syntax.Literal) and isinstance(expression.value, kinds):
        return bool(expression.value)
    raise ProblemError("this is not a truth value", expression.span, "`True` or `False`")


# Numbers


def _number(origin: Origin, expression: Expression) -> float | int:
    """A number that is written out or known, or arithmetic on such (`2 * math.pi`)."""
    number = literal(expression, origin.known)
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise ProblemError("this is not a number", expression.span, "a number")
    return number


def _whole(origin: Origin, expression: Expression, what: str) -> int:
    return _natural(_number(origin, expression), expression, what)


def _natural(number: Any, place: Expression, what: str) -> int:
    if isinstance(number, bool) or not isinstance(number, int) or number < 0:
        raise ProblemError(f"this is not {what}", place.span, "a whole number, 0 or more")
    return number


def _shape(origin: Origin, expression: Expression) -> Shape:
    if isinstance(expression, syntax.Sequence):
        shape = tuple(size for item in expression.items for size in _sizes(origin, item))
        check_rank(len(shape), expression.span)
    else:
        shape = _sizes(origin, expression)
    check_count(math.prod(max(size, 1) for size in shape), expression.span)
    return shape


def _sizes(origin: Origin, expression: Expression) -> Shape:
    """One size, or those of a shape that has a name or stands after a `*`."""
    inner = expression.value if isinstance(expression, syntax.Star) else expression
    value = literal(inner, origin.known)
    sizes = value if isinstance(value, tuple) else (value,)
    return tuple(_natural(size, expression, "a size") for size in sizes)


# What each function makes


def _tensor(origin: Origin, data: Expression) -> Any:
    kinds = {type(_element(origin, element)) for element in _elements(data)}
    dtype = "float64"
    if kinds == {bool}:
        dtype = "bool"
    elif kinds and float not in kinds:
        dtype = "int64"
    return nested_array(data, _items, lambda item: _element(origin, item), dtype)


def _floats(origin: Origin, data: Expression) -> Any:
    return _listed(origin, data).astype(np.float64)


def _longs(origin: Origin, data: Expression) -> Any:
    array = _listed(origin, data)
    if array.dtype.kind == "f" and array.size:
        raise ProblemError("`torch.LongTensor` takes whole numbers", data.span)
    return array.astype(np.int64)


def _listed(origin: Origin, data: Expression) -> np.ndarray:
    """The numbers of one of torch's older functions, which takes a number for a size."""
    if not isinstance(data, syntax.Sequence):
        raise ProblemError(
            "this is a size, and nobody says what the numbers are",
            data.span,
            "a list of numbers",
            "write `torch.zeros(3)`, or the numbers out",
        )
    return np.asarray(_tensor(origin, data))


def _elements(data: Expression) -> Iterator[Expression]:
    """What is no list in a list of lists."""
    pending = [data]
    while pending:
        expression = pending.pop()
        if isinstance(expression, syntax.Sequence):
            pending.extend(reversed(expression.items))
        else:
            yield expression


def _items(expression: Expression) -> tuple[Expression, ...] | None:
    return expression.items if isinstance(expression, syntax.Sequence) else None


def _element(origin: Origin, expression: Expression) -> float | int | bool:
    match expression:
        case syntax.Literal(value=bool(value)):
            return value
        case syntax.Sequence():
            raise ProblemError("a list stands where the first row has a number", expression.span)
    try:
        return _number(origin, expression)
    except NotWrittenError as error:
        raise ProblemError(
            "a tensor is made of numbers that are written out",
            error.problem.span,
            fix="leave `torch.tensor(…)` off a value that is one already, or write its numbers out",
        ) from None


def _held(origin: Origin, expression: Expression) -> Any:
    """A number that the dtype has room for: torch takes no other here."""
    number = _element(origin, expression)
    if origin.dtype == "float32" and is_beyond_float32(number):
        raise ProblemError(
            f"float32 has no room for {number:g}",
            expression.span,
            fix="write `float('inf')`, or compute in float64",
        )
    return number


def _of_shape(make: Callable[..., Any]) -> Callable[..., Any]:
    """What is made by `make(shape)`, or `make(shape, fill)`."""

    def made(origin: Origin, size: Expression, *fill: Expression) -> Any:
        return make(_shape(origin, size), *(_held(origin, number) for number in fill))

    return made


def _drawn(draw: Callable[[Stream, int, Dtype], np.ndarray]) -> Callable[..., Any]:
    """Floats that are drawn from the stream of the program."""

    def made(origin: Origin, size: Expression) -> Any:
        shape = _shape(origin, size)
        return draw(origin.stream, math.prod(shape), origin.dtype).reshape(shape)

    return made


def _randint(
    origin: Origin, first: Expression, second: Expression, third: Expression | None
) -> Any:
    low = 0 if third is None else _number(origin, first)
    high, size = (first, second) if third is None else (second, third)
    stop = _number(origin, high)
    if not (isinstance(low, int) and isinstance(stop, int) and -_LARGEST <= low < stop <= _LARGEST):
        raise ProblemError(
            "whole numbers cannot be drawn from this range", high.span, "`low` below `high`"
        )
    shape = _shape(origin, size)
    return origin.stream.integers(low, stop, math.prod(shape)).reshape(shape)


def _randperm(origin: Origin, n: Expression) -> Any:
    count = _whole(origin, n, "a count")
    check_count(count, n.span)
    return origin.stream.permutation(count)


def _eye(origin: Origin, n: Expression, m: Expression | None) -> Any:
    rows = _whole(origin, n, "a size")
    columns = rows if m is None else _whole(origin, m, "a size")
    check_count(rows * columns, n.span)
    return np.eye(rows, columns)


def _linspace(origin: Origin, start: Expression, end: Expression, steps: Expression) -> Any:
    count = _whole(origin, steps, "a count")
    check_count(count, steps.span)
    first, last = _held(origin, start), _held(origin, end)
    if origin.dtype == "float64" or count < 2:
        return np.linspace(first, last, count)
    return _single_steps(np.float32(first), np.float32(last), count)


def _single_steps(first: np.float32, last: np.float32, count: int) -> np.ndarray:
    """`linspace` in float32 as torch has it: from both ends, each number rounded once."""
    step, at = float((last - first) / np.float32(count - 1)), np.arange(count)
    upwards, downwards = float(first) + step * at, float(last) - step * (count - 1 - at)
    return np.where(at < count // 2, upwards, downwards).astype(np.float32)


def _arange(
    origin: Origin, first: Expression, second: Expression | None, third: Expression | None
) -> Any:
    start = 0 if second is None else _number(origin, first)
    end = _number(origin, first if second is None else second)
    step = 1 if third is None else _number(origin, third)
    if third is not None and step == 0:
        raise ProblemError("the step of `arange` is 0", third.span, "any other number")
    check_count((end - start) / step, first.span)
    return np.arange(start, end, step)


MAKERS: Final[Mapping[str, _Maker]] = {
    "tensor": _Maker(_tensor, ("data",), 1),
    "as_tensor": _Maker(_tensor, ("data",), 1),
    "Tensor": _Maker(_floats, ("data",), 1),
    "FloatTensor": _Maker(_floats, ("data",), 1),
    "DoubleTensor": _Maker(_floats, ("data",), 1),
    "LongTensor": _Maker(_longs, ("data",), 1),
    "zeros": _Maker(_of_shape(np.zeros), ("size",), 1, is_shape=True),
    "ones": _Maker(_of_shape(np.ones), ("size",), 1, is_shape=True),
    "full": _Maker(_of_shape(np.full), ("size", "fill_value"), 2),
    "rand": _Maker(_drawn(Stream.uniform), ("size",), 1, is_shape=True, is_random=True),
    "randn": _Maker(_drawn(Stream.normal), ("size",), 1, is_shape=True, is_random=True),
    "randint": _Maker(_randint, ("low", "high", "size"), 2, is_random=True),
    "randperm": _Maker(_randperm, ("n",), 1, is_random=True),
    "eye": _Maker(_eye, ("n", "m"), 1),
    "linspace": _Maker(_linspace, ("start", "end", "steps"), 3),
    "arange": _Maker(_arange, ("start", "end", "step"), 1),
}
"""By torch's name. `arange(3)` has its end as its first argument, as Python's `range`."""
