"""`+ - * / **` and unary minus."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from backprop_engine.basics.notation import power as power_text
from backprop_engine.basics.source import OperandError
from backprop_engine.basics.values import dtype_of, log, of_numbers, power, sqrt, where, wrapped
from backprop_engine.catalogue.shared.entries import INPUT, operation
from backprop_engine.node_kinds import of_left_factor, of_right_factor, of_sum
from backprop_engine.operation import (
    Application,
    Derivative,
    Numbers,
    Operation,
    Parameter,
    Rule,
    Sharing,
)

_NEXT_TO_WHOLE = 1e-5


def _pow_grad_fn(application: Application) -> str:
    base_is_number, exponent_is_number = application.numbers
    if exponent_is_number:
        return "PowBackward0"
    return "PowBackward2" if base_is_number else "PowBackward1"


def _power_of_tensors(a: Any, b: Any) -> Any:
    """`a ** b` of two tensors; whole numbers to a negative power are 0, but for 1 and −1."""
    if not _are_whole(a, b):
        return power(a, b)
    if type(a) is int and type(b) is int and b >= 0:
        return wrapped(pow(a, b, 2**64))
    raised = of_numbers(np.power)(a, b if dtype_of(b) == "bool" else np.maximum(b, 0))
    inverse = np.where(np.abs(a) == 1, np.where(np.remainder(b, 2) == 0, 1, a), 0)
    return np.where(np.less(b, 0), inverse, raised)[()]


def _power_by_number(a: Any, b: Any) -> Any:
    """`a ** b` of a tensor and a number, with roots and reciprocals as torch forms them.

    OperandError, in torch's words, for whole numbers to a negative whole power; and where torch
    takes one exponent for even and for odd, as its vectors are computed in float32 and what is left
    over in float64.
    """
    if _are_whole(a, b):
        if b < 0:
            raise OperandError(
                "Integers to negative integer powers are not allowed.",
                "make numbers with a point of them first: `i.float()`",
            )
        return _power_of_tensors(a, b)
    if dtype_of(a) == "float32" and 2.0**24 <= abs(b) < 2.0**54 and np.any(np.less(a, 0.0)):
        raise OperandError(
            "whether an exponent of 2²⁴ or more is even or odd hangs in float32 on the length of "
            "the tensor, in torch too",
            "compute in float64: begin with `torch.set_default_dtype(torch.float64)`",
        )
    if b == 0.5:
        return sqrt(a)
    if b in (-0.5, -1, -2):
        return 1.0 / _power_by_number(a, -b)
    return power(a, b)


def _are_whole(a: Any, b: Any) -> bool:
    return all(dtype_of(operand) in ("int64", "bool") for operand in (a, b))


def _power_of_numbers(a: Any, b: Any) -> Any:
    """Python's own `a ** b`: one half for 2 ** -1."""
    return power(float(a), b) if _are_whole(a, b) and b < 0 else power(a, b)


def _power_rule(raised: Callable[[Any, Any], Any]) -> Rule:
    def rule(g: Any, _y: Any, a: Any, b: Any) -> Any:
        # x⁰ is 1 everywhere, so its slope is 0 even where x⁻¹ is not finite.
        return where(b == 0.0, 0.0, g * (b * raised(a, b - 1)))

    return rule


def _power_in_kernel(g: Any, y: Any, a: Any, b: Any) -> Any:
    """A kernel for float32 rounds the exponent to it, or takes it as it is, by the lane; that tells
    by as much as the logarithm of the base. A whole one is itself in both.
    """
    whole = np.round(b)
    return _power_rule(power)(g, y, a, np.where(np.abs(b - whole) < _NEXT_TO_WHOLE, whole, b))


def _power_rule_text(numbers: Numbers, **_: Any) -> str:
    exponent = numbers[1]
    if exponent is None or not float(exponent).is_integer():
        return "{b}·{a}^({b} − 1)"
    if exponent in (0, 1):
        return str(int(exponent))
    if exponent == 2:
        return "2·{a}"
    return "{b}·" + power_text("{a}", int(exponent) - 1)


_HANDED_ON = Derivative(
    rule=of_sum,
    local="1",
    words="Addition hands its gradient on unchanged to both terms.",
)

ADD = operation(
    "add",
    operator.add,
    _HANDED_ON,
    _HANDED_ON,
    wide=True,
    symbol="+",
    notation="{a} + {b}",
    torch=lambda torch, a, b: a + b,
    words="the sum of two values",
    symbolic=lambda sympy, a, b: a + b,
    arithmetic=True,
    example="x=2, z=3, y=x+z",
)

SUB = operation(
    "sub",
    operator.sub,
    Derivative(
        rule=lambda g, y, a, b: g,
        local="1",
        words="A difference hands its gradient on unchanged to what is subtracted from.",
    ),
    Derivative(
        rule=lambda g, y, a, b: -g,
        local="−1",
        words="What is subtracted receives the gradient with its sign turned.",
    ),
    wide=True,
    symbol="-",
    notation="{a} − {b}",
    torch=lambda torch, a, b: a - b,
    grad_fn=lambda application: "RsubBackward1" if application.numbers[0] else "SubBackward0",
    words="the difference of two values",
    functions=("sub", "subtract"),
    symbolic=lambda sympy, a, b: a - b,
    arithmetic=True,
    example="x=2, z=3, y=x-z",
)

MUL = operation(
    "mul",
    operator.mul,
    Derivative(
        rule=of_left_factor,
        local="{b}",
        words="In a product each factor receives the gradient times the other factor.",
    ),
    Derivative(
        rule=of_right_factor,
        local="{a}",
        words="In a product each factor receives the gradient times the other factor.",
    ),
    wide=True,
    symbol="*",
    notation="{a}·{b}",
    torch=lambda torch, a, b: a * b,
    words="the product of two values",
    functions=("mul", "multiply"),
    symbolic=lambda sympy, a, b: a * b,
    arithmetic=True,
    example="x=2, z=3, y=x*z",
)


def _quotient_form(numbers: tuple[bool, ...]) -> Operation:
    """torch makes number · reciprocal(tensor) of these two: 0/1e-45 is nan in float32."""
    return _NUMBER_BY_TENSOR if numbers == (True, False) else _QUOTIENT


def _reciprocal_rule(g: Any, _y: Any, a: Any, b: Any) -> Any:
    reciprocal = 1.0 / b
    return -(g * a) * (reciprocal * reciprocal)


DIV = operation(
    "div",
    operator.truediv,
    Derivative(
        rule=lambda g, y, a, b: g / b,
        local="1/{b}",
        words="The numerator's share shrinks by the denominator.",
    ),
    Derivative(
        rule=lambda g, y, a, b: -g * ((a / b) / b),
        local="−{a}/{b}²",
        words="A larger denominator makes the quotient smaller, hence the minus sign.",
    ),
    wide=True,
    symbol="/",
    notation="{a}/{b}",
    torch=lambda torch, a, b: a / b,
    # torch computes number / tensor as number · reciprocal(tensor).
    grad_fn=lambda application: "MulBackward0" if application.numbers[0] else "DivBackward0",
    words="the quotient of two values",
    functions=("div", "divide", "true_divide"),
    symbolic=lambda sympy, a, b: a / b,
    arithmetic=True,
    form_for=_quotient_form,
    example="x=2, z=4, y=x/z",
)
_QUOTIENT = replace(DIV, form_for=None)
_NUMBER_BY_TENSOR = replace(
    _QUOTIENT,
    forward=lambda a, b: a * (1.0 / b),
    derivatives=(DIV.derivatives[0], replace(DIV.derivatives[1], rule=_reciprocal_rule)),
)


def _power_form(numbers: tuple[bool, ...]) -> Operation:
    """Python's own power of two numbers, torch's of a tensor and a number, or of two tensors."""
    if all(numbers):
        return _POW_OF_NUMBERS
    return _POW_BY_NUMBER if numbers[1] else _POW_OF_TENSORS


POW = operation(
    "pow",
    _power_of_tensors,
    Derivative(
        rule=_power_rule(power),
        kernel=_power_in_kernel,
        local=_power_rule_text,
        words="Power rule: the exponent comes down as a factor and drops by one.",
    ),
    Derivative(
        # 0ᵇ is 0 for all b > 0: the slope is 0 there, not 0 · log 0.
        rule=lambda g, y, a, b: g * where((a == 0.0) & (b >= 0.0), 0.0, y * log(a)),
        local="{y}·log({a})",
        words="In the exponent a value grows the power by the logarithm of the base.",
    ),
    wide=("exponent",),  # the logarithm of a base is taken in 64 bits, and we round it before
    symbol="**",
    notation="{a}^{b}",
    grad_fn=_pow_grad_fn,
    words="a base raised to an exponent",
    parameters=(INPUT, Parameter("exponent")),
    functions=("pow", "float_power"),
    symbolic=lambda sympy, a, b: sympy.Pow(a, b),
    arithmetic=True,
    form_for=_power_form,
    example="x=3, y=x**2",
)
_POW_OF_TENSORS = replace(POW, form_for=None)
_POW_OF_NUMBERS = replace(_POW_OF_TENSORS, forward=_power_of_numbers)
_POW_BY_NUMBER = replace(
    _POW_OF_TENSORS,
    forward=_power_by_number,
    derivatives=(
        replace(POW.derivatives[0], rule=_power_rule(_power_by_number)),
        POW.derivatives[1],
    ),
)

NEG = operation(
    "neg",
    operator.neg,
    rule=lambda g, y, a: -g,
    local="−1",
    because="A minus sign turns the sign of the gradient.",
    notation="−{a}",
    torch=lambda torch, a: -a,
    words="the value with its sign turned",
    functions=("neg", "negative"),
    symbolic=lambda sympy, a: -a,
    arithmetic=True,
    example="x=2, y=-x",
)

POSITIVE = operation(
    "positive",
    operator.pos,
    rule=lambda g, y, a: g,
    local="1",
    because="It is the same value, and the gradient goes through unchanged.",
    notation="+{a}",
    grad_fn="",
    sharing=Sharing.HANDED_THROUGH,
    words="the value itself",
    arithmetic=True,
    symbolic=lambda sp, a: a,
    example="x=2, y=positive(x)",
)
