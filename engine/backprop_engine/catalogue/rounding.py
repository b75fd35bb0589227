"""Signs, whole numbers and remainders: functions of straight pieces, with jumps between them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from backprop_engine.basics.memory_order import as_first
from backprop_engine.basics.source import OperandError
from backprop_engine.basics.values import dtype_of, of_numbers, sign, where
from backprop_engine.catalogue.shared.entries import (
    INPUT,
    TWO_OPERANDS,
    by_number,
    flat,
    operation,
    step,
)
from backprop_engine.operation import Derivative, Kind, Operation

_FLAT = "Between its jumps it is constant, so its slope is 0 and no gradient gets through."


def _symbolic_trunc(sp: Any, a: Any) -> Any:
    return sp.sign(a) * sp.floor(sp.Abs(a))


def _symbolic_round(sp: Any, a: Any, decimals: int | None) -> Any:
    # Half way between two it jumps, so there it is not asked for its value.
    tens = sp.Integer(10) ** (decimals or 0)
    return sp.floor(a * tens + sp.S.Half) / tens


def _abs(a: Any) -> Any:
    if dtype_of(a) == "bool":
        raise OperandError("`abs` is not implemented for truth values", "leave it out")
    return abs(a)


ABS = operation(
    "abs",
    _abs,
    rule=lambda g, y, a: g * sign(a),
    local="sign({a})",
    because="The slope of the absolute value is the sign; at 0 torch takes 0.",
    notation="|{a}|",
    words="the distance from zero",
    functions=("abs", "absolute"),
    symbolic=lambda sp, a: sp.Abs(a),
    example="x=-3, y=abs(x)",
)

SIGN = step(
    "sign",
    sign,
    because=_FLAT,
    words="−1, 0 or 1",
    symbolic=lambda sp, a: sp.sign(a),
    example="x=-3, y=x * sign(x)",
)

SGN = step(
    "sgn",
    sign,
    because=_FLAT,
    words="−1, 0 or 1; for real numbers the same as sign",
    symbolic=lambda sp, a: sp.sign(a),
    composite="sign(a)",
    example="x=-3, y=x * sgn(x)",
)

FLOOR = step(
    "floor",
    np.floor,
    because=_FLAT,
    notation="⌊{a}⌋",
    words="the next whole number below",
    symbolic=lambda sp, a: sp.floor(a),
    example="x=2.7, y=x * floor(x)",
)

CEIL = step(
    "ceil",
    np.ceil,
    because=_FLAT,
    notation="⌈{a}⌉",
    words="the next whole number above",
    symbolic=lambda sp, a: sp.ceiling(a),
    example="x=2.3, y=x * ceil(x)",
)


def _rounding(name: str, decimals: int | None, **rest: Any) -> Operation:
    """`round`, or the function of `torch.special`, which differ in what they take for none."""
    return step(
        name,
        lambda a, decimals: np.round(a, decimals or 0),
        because=_FLAT,
        notation=lambda decimals, **_: (
            "round({a})" if decimals is None else "round({a}, decimals={decimals})"
        ),
        words="the nearest whole number, of two equally near ones the even",
        parameters=(INPUT, Kind.WHOLE("decimals", decimals)),
        symbolic=_symbolic_round,
        **rest,
    )


ROUND = _rounding(
    "round",
    None,  # 0 in torch, whose autograd node tells whether it was written
    grad_fn=lambda application: (
        f"RoundBackward{0 if application.attributes['decimals'] is None else 1}"
    ),
    example="x=2.7, y=x * round(x)",
)

SPECIAL_ROUND = _rounding(
    "special.round",
    0,
    grad_fn="RoundBackward1",
    composite="round(a, decimals={decimals})",
    example="x=2.7, y=x * torch.special.round(x)",
)

TRUNC = step(
    "trunc",
    np.trunc,
    because=_FLAT,
    words="the value without what follows the decimal point",
    functions=("trunc", "fix"),
    symbolic=_symbolic_trunc,
    example="x=-2.7, y=x * trunc(x)",
)

FRAC = operation(
    "frac",
    lambda a: a - np.trunc(a),
    rule=lambda g, y, a: g,
    local="1",
    because="Between its jumps it is the value less a constant, so its slope is 1.",
    words="what follows the decimal point",
    composite="a - trunc(a)",
    symbolic=lambda sp, a: a - _symbolic_trunc(sp, a),
    example="x=2.7, y=frac(x)**2",
)


def _whole_quotient(a: Any, b: Any, rounding_mode: str) -> Any:
    _refuse_division_by_zero(a, b)
    if rounding_mode == "trunc":
        return np.trunc(np.divide(a, b))
    return where(b == 0, np.divide(a, b), np.floor_divide(a, b))


def fmod(a: Any, b: Any) -> Any:
    """What a division leaves, with the sign of `a`; OperandError for whole numbers by 0."""
    _refuse_division_by_zero(a, b)
    return np.fmod(a, b)


def remainder(a: Any, b: Any) -> Any:
    """What a division leaves, with the sign of `b`; a 0 has that of `a`, as in torch."""
    _refuse_division_by_zero(a, b)
    left = np.fmod(a, b)
    return np.where((left != 0) & ((left < 0) != (b < 0)), left + b, left)[()]


def _refuse_division_by_zero(a: Any, b: Any) -> None:
    """OperandError for whole numbers, as torch raises; numbers with a point give nan or inf."""
    are_whole = all(dtype_of(operand) in ("int64", "bool") for operand in (a, b))
    if are_whole and not np.all(b):
        raise OperandError(
            "ZeroDivisionError: a whole number is divided by zero",
            "make floats of them first: `i.float()`",
        )


def _of_remainder(rounding_mode: str, quotient: str) -> tuple[Derivative, Derivative]:
    """How a − b·(the quotient, rounded) answers for both; the quotient does not move."""
    return (
        Derivative(
            rule=lambda g, y, a, b: g,
            local="1",
            words="Between its jumps the remainder moves along with the value.",
        ),
        Derivative(
            rule=lambda g, y, a, b: -g * _whole_quotient(a, b, rounding_mode),
            local=f"−{quotient}",
            words="The divisor is taken off a whole number of times, and counts that often.",
        ),
    )


FMOD = operation(
    "fmod",
    of_numbers(fmod),
    *_of_remainder("trunc", "trunc({a}/{b})"),
    wide=True,
    torch=lambda torch, a, b: torch.fmod(torch.as_tensor(a), b),
    grad_fn=by_number("fmod"),
    words="what a division leaves, with the sign of what is divided",
    arithmetic=True,
    composite="a - b * trunc(a / b)",
    symbolic=lambda sp, a, b: a - b * _symbolic_trunc(sp, a / b),
    example="x=7.5, z=2, y=fmod(x, z)",
)

REMAINDER = operation(
    "remainder",
    of_numbers(remainder),
    *_of_remainder("floor", "⌊{a}/{b}⌋"),
    wide=True,
    notation="{a} mod {b}",
    symbol="%",
    torch=lambda torch, a, b: torch.remainder(torch.as_tensor(a), b),
    grad_fn=by_number("remainder"),
    words="what a division leaves, with the sign of the divisor",
    arithmetic=True,
    composite="a - b * floor(a / b)",
    symbolic=lambda sp, a, b: a - b * sp.floor(a / b),
    example="x=-7.5, z=2, y=remainder(x, z)",
)


DIV_MODE = operation(
    "div.mode",
    _whole_quotient,
    flat(_FLAT),
    flat(_FLAT),
    wide=True,
    notation="{rounding_mode}({a}/{b})",
    torch=lambda torch, a, b, rounding_mode: torch.div(
        torch.as_tensor(a), b, rounding_mode=rounding_mode
    ),
    grad_fn="DivBackward2",
    words="a quotient rounded down, or towards zero, to a whole number",
    parameters=(*TWO_OPERANDS, Kind.TEXT("rounding_mode", choices=("trunc", "floor"))),
    functions=("div", "divide"),
    arithmetic=True,
    symbolic=lambda sp, a, b, rounding_mode: (
        _symbolic_trunc(sp, a / b) if rounding_mode == "trunc" else sp.floor(a / b)
    ),
    example="x=7.5, z=2, y=x * div(x, z, rounding_mode='floor')",
)


def _floor_divide(a: Any, b: Any) -> Any:
    _refuse_division_by_zero(a, b)
    return of_numbers(np.floor_divide)(a, b)


FLOOR_DIVIDE = operation(
    "floor_divide",
    _floor_divide,
    elementwise=True,
    wide=True,
    notation="⌊{a}/{b}⌋",
    symbol="//",
    torch=lambda torch, a, b: torch.floor_divide(torch.as_tensor(a), b),
    differentiable=False,
    words="a quotient rounded down; torch has no derivative for it",
    parameters=tuple(replace(operand, is_constant=True) for operand in TWO_OPERANDS),
    arithmetic=True,
    symbolic=lambda sp, a, b: sp.floor(a / b),
    example="x=torch.tensor([1., 2., 3.], requires_grad=True), "
    "i=torch.tensor([0, 3, 5]), y=x[i // 2].sum()",
)


COPYSIGN = operation(
    "copysign",
    np.copysign,
    Derivative(
        rule=lambda g, y, a, _b: g * where(a == 0, 0.0, y / a),
        local="{y}/{a}",
        words="1 where the sign stays, −1 where it is turned; at 0 torch takes 0.",
    ),
    flat("Only the sign is taken, and that does not change with the value."),
    wide=True,
    notation="|{a}|·sign({b})",
    torch=lambda torch, a, b: torch.copysign(torch.as_tensor(a), b),
    grad_fn=by_number("copysign", number=1, tensor=0),
    words="the size of one value with the sign of another",
    arithmetic=True,
    symbolic=lambda sp, a, b: (
        sp.Piecewise((a, a > 0), (-a, True)) * sp.Piecewise((1, b >= 0), (-1, True))
    ),
    composite="abs(a) * where(ge(b, 0), 1, -1)",
    example="x=-3, s=2, y=copysign(x, s)",
)


def _nan_to_num(a: Any, nan: float, posinf: float | None, neginf: float | None) -> Any:
    if not np.issubdtype(np.asarray(a).dtype, np.floating):
        return a
    extremes = np.finfo(np.float32 if np.asarray(a).dtype == np.float32 else np.float64)
    high = float(extremes.max) if posinf is None else posinf
    low = float(extremes.min) if neginf is None else neginf
    return where(a == np.inf, high, where(a == -np.inf, low, where(a != a, nan, a)))


NAN_TO_NUM = operation(
    "nan_to_num",
    _nan_to_num,
    rule=lambda g, y, a, **_: g * np.isfinite(a),
    local="[{a} is finite]",
    because="What is replaced by a constant receives no gradient.",
    lay_out=as_first,
    wide=True,
    words="the value, with numbers in place of nan and inf",
    parameters=(
        INPUT,
        Kind.NUMBER("nan", 0.0),
        Kind.NUMBER("posinf", None),
        Kind.NUMBER("neginf", None),
    ),
    symbolic=lambda sp, a, **_: a,
    example="x=[-1, 4], y=nan_to_num(log(x)).sum()",
)
