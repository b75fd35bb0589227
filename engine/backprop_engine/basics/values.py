"""The numbers that flow through a graph, and arithmetic on them that answers as IEEE 754 does.

A scalar is a Python `float` (float64) or `np.float32`; an array is an `np.ndarray` of the
scenario's dtype. What torch has as a number of Python's (a literal) is a `float` in any dtype.
Indices and masks are `int`, `bool` and arrays of int64 or bool. A 0-d array never occurs: numpy's
would cost ten times the float.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal

import numpy as np

from backprop_engine.basics.summary import Summary

Value = float | int | bool | np.float32 | np.ndarray
"""One node's value, one gradient or one contribution."""
Known = Value | Summary
"""The same as far as a trace knows it: whole, or by a few figures of it."""

_LEAST_SQUARED: Final = 1e-140
"""What is much smaller has a square that is 0, or nearly so."""

Dtype = Literal["float64", "float32"]
Shape = tuple[int, ...]

_LARGEST_FLOAT32: Final = float(np.finfo(np.float32).max)
_FLOATS: Final = {"float64": np.dtype(np.float64), "float32": np.dtype(np.float32)}
_NAMES: Final[Mapping[Any, str]] = {
    np.dtype(name): name for name in ("float64", "float32", "int64", "bool")
}
_OF_PYTHON: Final[Mapping[type, str]] = {float: "float64", int: "int64", bool: "bool"}
_WITH_SHAPE: Final = (np.ndarray, Summary)
_WITH_DTYPE: Final = (np.ndarray, np.generic, Summary)
"""A union of types would be made anew each time that it is asked about."""
UNIT_ROUNDOFF: Final[Mapping[str, float]] = {"float64": 2.0**-53, "float32": 2.0**-24}


def settle(value: Any, dtype: Dtype) -> Value:
    """`value` in the one form its kind has here: no 0-d arrays, floats in `dtype`."""
    if (type(value) is float and dtype == "float64") or (
        type(value) is np.float32 and dtype == "float32"
    ):
        return value
    if isinstance(value, np.ndarray) and value.ndim:
        if value.dtype is _FLOATS[dtype] or value.dtype.kind != "f":
            return value
        return value.astype(dtype, copy=False)
    scalar: Value = value.item() if isinstance(value, np.ndarray | np.generic) else value
    if isinstance(scalar, float) and dtype == "float32":
        return np.float32(scalar)
    return scalar


def is_beyond_float32(number: Any) -> bool:
    """Whether it is a float of Python's that float32 has no room for."""
    return type(number) is float and _LARGEST_FLOAT32 < abs(number) < math.inf


def wrapped(number: Any) -> int:
    """A whole number in the 64 bits that a tensor has for it; what is more is lost, as in torch."""
    return (int(number) + 2**63) % 2**64 - 2**63


def seen_in(dtype: Dtype, operands: list[Value]) -> list[Value]:
    """Operands as an operation in `dtype` sees them: torch rounds Python's numbers to it first."""
    if dtype == "float64":
        return operands
    return [np.float32(operand) if type(operand) is float else operand for operand in operands]


def as_floats(value: Value, dtype: Dtype) -> Value:
    """`value` as floats of `dtype`, whatever it is."""
    with np.errstate(over="ignore"):
        return settle(np.asarray(value).astype(dtype), dtype)


def shape_of(value: Known) -> Shape:
    """The shape; `()` for a scalar."""
    return value.shape if isinstance(value, _WITH_SHAPE) else ()


def size_of(value: Known) -> int:
    """How many elements it has; 1 for a scalar."""
    return value.size if isinstance(value, _WITH_SHAPE) else 1


def dtype_of(value: Known) -> str:
    """`float64`, `float32`, `int64` or `bool`; what a summary says."""
    if isinstance(value, _WITH_DTYPE):
        dtype = value.dtype
        return _NAMES.get(dtype) or str(dtype)  # numpy composes the text anew every time
    return _OF_PYTHON[type(value)]


def is_float(value: Known) -> bool:
    """Whether a gradient with respect to it makes sense."""
    return dtype_of(value).startswith("float")


def norm_of(value: Known) -> float:
    """The Euclidean norm: of a scalar its magnitude."""
    if isinstance(value, Summary):
        return value.norm
    if not isinstance(value, np.ndarray):
        return abs(float(value))
    flat = np.asarray(value, np.float64).reshape(-1)
    with np.errstate(all="ignore"):
        norm = float(np.linalg.norm(flat))
        if _LEAST_SQUARED < norm < math.inf:
            return norm
        # Scaled, as the square of a small number is 0 and that of a large one inf.
        scale = float(np.abs(flat).max(initial=0.0))
        return scale * float(np.linalg.norm(flat / scale)) if 0 < scale < math.inf else norm


def in_full(value: Known) -> Value:
    """The value itself; ValueError where only a summary of it is kept."""
    if isinstance(value, Summary):
        raise ValueError("only a summary of this value is kept")
    return value


def kept(value: Known | None) -> Value | None:
    """The value itself; None where there is none, or only a summary of it is kept."""
    return None if isinstance(value, Summary) else value


def same_elements(a: Any, b: Any) -> Any:
    """Where two arrays, or two numbers, are equal; nan is the same as nan."""
    return (a == b) | ((a != a) & (b != b))


def same(a: Known | None, b: Known | None) -> bool:
    """Whether two values are the same numbers in one shape; nan is the same as nan."""
    if a is b:
        return True
    if a is None or b is None:
        return False
    if isinstance(a, Summary) or isinstance(b, Summary):
        return a == b
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return shape_of(a) == shape_of(b) and bool(np.all(same_elements(a, b)))
    return bool(a == b or (a != a and b != b))


def full_like(value: Value, fill: float) -> Value:
    """`fill` in the shape and dtype of `value`."""
    if isinstance(value, np.ndarray):
        return np.full(value.shape, fill, value.dtype)
    return np.float32(fill) if isinstance(value, np.float32) else float(fill)


def broadcast_axes(from_shape: Shape, to_shape: Shape) -> tuple[int, ...]:
    """The axes of the output along which an operand of `to_shape` was repeated."""
    added = len(from_shape) - len(to_shape)
    return tuple(
        axis
        for axis, size in enumerate(from_shape)
        if axis < added or (to_shape[axis - added] == 1 and size != 1)
    )


def unbroadcast(gradient: Value, shape: Shape) -> Value:
    """Sum `gradient` back to `shape`, over each axis along which an operand was broadcast."""
    if shape_of(gradient) == shape:
        return gradient
    array = np.asarray(gradient)
    summed: np.ndarray = array.sum(axis=broadcast_axes(array.shape, shape), keepdims=True)
    return summed.reshape(shape)


def broadcasts_to(shape: Shape, wanted: Shape) -> bool:
    """Whether numpy would repeat what has `shape` to have the shape `wanted`."""
    if not shape:
        return True
    padded = (1,) * (len(wanted) - len(shape)) + shape
    return len(padded) == len(wanted) and all(
        own in (1, size) for own, size in zip(padded, wanted, strict=True)
    )


_TOO_WIDE: Final = 2**63


def evaluate(
    function: Callable[..., Any], operands: Sequence[Any], attributes: Mapping[str, Any]
) -> Any:
    """Call `function`; where Python's floats would raise, answer inf or nan as IEEE 754 does.

    Python raises for `1.0 / 0.0` and `10.0 ** 400.0`; numpy's scalars do not, so the rare call
    that raises is made again with them.
    """
    try:
        return function(*operands, **attributes)
    except ArithmeticError:
        promoted = map(_promoted, operands)
        return function(*promoted, **{name: _promoted(x) for name, x in attributes.items()})


def _promoted(x: Any) -> Any:
    """A number of Python's as numpy's, whose arithmetic does not raise."""
    if type(x) is float:
        return np.float64(x)
    return np.int64(x) if type(x) is int and abs(x) < _TOO_WIDE else x


def elementary(
    scalar: Callable[[float], float], array: Callable[[Any], Any]
) -> Callable[[Any], Any]:
    """One function for Python floats (by `math`) and for everything else (by numpy)."""

    def function(x: Any) -> Any:
        if type(x) is not float:
            if type(x) is bool or getattr(x, "dtype", None) == np.bool_:
                x = x * 1.0  # numpy would make numbers of sixteen bits
            return array(x)
        try:
            return scalar(x)
        except (ValueError, OverflowError):  # log(-1) is nan and exp(1000) is inf, as in torch
            return float(array(x))

    return function


exp = elementary(math.exp, np.exp)
log = elementary(math.log, np.log)
sqrt = elementary(math.sqrt, np.sqrt)
sin = elementary(math.sin, np.sin)
cos = elementary(math.cos, np.cos)
tanh = elementary(math.tanh, np.tanh)
expm1 = elementary(math.expm1, np.expm1)
exp2 = elementary(math.exp2, np.exp2)
log1p = elementary(math.log1p, np.log1p)
log2 = elementary(math.log2, np.log2)
log10 = elementary(math.log10, np.log10)
tan = elementary(math.tan, np.tan)
asin = elementary(math.asin, np.arcsin)
acos = elementary(math.acos, np.arccos)
atan = elementary(math.atan, np.arctan)
sinh = elementary(math.sinh, np.sinh)
cosh = elementary(math.cosh, np.cosh)
asinh = elementary(math.asinh, np.arcsinh)
acosh = elementary(math.acosh, np.arccosh)
atanh = elementary(math.atanh, np.arctanh)


def _each(scalar: Callable[[float], float]) -> Callable[[Any], Any]:
    """A function that numpy lacks, element by element."""
    wide = np.vectorize(scalar, otypes=[float])
    return lambda x: wide(x).astype(np.result_type(np.asarray(x), np.float32))[()]


erf = elementary(math.erf, _each(math.erf))
erfc = elementary(math.erfc, _each(math.erfc))


def where(condition: Any, a: Any, b: Any) -> Any:
    """`a` where `condition` holds, `b` elsewhere; neither is multiplied, so no `0 · inf`."""
    if type(condition) is bool:
        chosen, other = (a, b) if condition else (b, a)
        if shape_of(other) in ((), shape_of(chosen)):
            return chosen
        shape = np.broadcast_shapes(shape_of(a), shape_of(b))
        return chosen if shape_of(chosen) == shape else np.full(shape, chosen)
    if _is_zero(a) and _are_floats(b) and _is_mask(condition, b.shape):
        return _zeroed(condition, b)
    return np.where(condition, a, b)


def _is_zero(value: Any) -> bool:
    return type(value) is float and value == 0.0 and math.copysign(1.0, value) > 0


def _are_floats(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.ndim > 0 and value.dtype.kind == "f"


def _is_mask(condition: Any, shape: Shape) -> bool:
    return shape_of(condition) == shape and condition.dtype == np.bool_


def _zeroed(condition: np.ndarray, value: np.ndarray) -> np.ndarray:
    """`np.where(condition, 0.0, value)` by the bits of floats, of which all or none are kept.

    numpy's own branches at each element, which takes four times as long where no pattern is.
    """
    bits = np.dtype(f"i{value.itemsize}")
    kept = condition.view(np.int8) - np.int8(1)  # 0 where it holds, else −1: all ones at any width
    zeroed: np.ndarray = np.bitwise_and(value.view(bits), kept, dtype=bits).view(value.dtype)
    return zeroed


def sign(a: Any) -> Any:
    """-1, 0 or 1; 0 for nan, as in torch."""
    unit = 1.0 if is_float(a) else 1
    return (a > 0) * unit - (a < 0) * unit


def power(a: Any, b: Any) -> Any:
    """`a ** b`, nan where the real power does not exist; squares and cubes as torch forms them."""
    if isinstance(b, float | np.float32):
        if b == 1:
            return a
        if b == 2:
            return a * a
        if b == 3:
            return a * a * a
    if type(a) is float and type(b) is float:
        try:
            result = a**b
        except (ZeroDivisionError, OverflowError):
            return float(np.power(a, b))
        return math.nan if isinstance(result, complex) else result
    return of_numbers(np.power)(a, b)


def of_numbers(function: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """A function of two values that is not defined for two truth values, as in torch.

    numpy would make numbers of eight bits; here that is a TypeError.
    """

    def checked(a: Any, b: Any) -> Any:
        if type(a) is not float and dtype_of(a) == dtype_of(b) == "bool":
            raise TypeError(f"`{function.__name__}` of truth values")
        return function(a, b)

    return checked
