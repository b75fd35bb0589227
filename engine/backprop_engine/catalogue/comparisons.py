"""Questions that are answered true or false, logic on the answers, and answers as numbers."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from backprop_engine.basics.memory_order import laid_out, read_as, strides_of
from backprop_engine.basics.source import OperandError
from backprop_engine.basics.values import dtype_of
from backprop_engine.catalogue.shared.entries import (
    INPUT,
    OTHER,
    TWO_OPERANDS,
    operation,
    predicate,
)
from backprop_engine.operation import Kind, Operation


def _comparison(name: str, aliases: tuple[str, ...], symbol: str, words: str) -> Operation:
    sign = {">=": "≥", "<=": "≤", "==": "=", "!=": "≠"}.get(symbol, symbol)
    return predicate(
        name,
        getattr(operator, name),
        notation=f"{{a}} {sign} {{b}}",
        words=f"whether {words}",
        wide=True,
        parameters=TWO_OPERANDS,
        functions=(name, *aliases),
        symbol=symbol,
        symbolic=lambda sp, a, b: getattr(sp, name.capitalize())(a, b),
        example=f"x=[-1, 2, 3], y=(x * {name}(x, 2)).sum()",
    )


GT = _comparison("gt", ("greater",), ">", "one value is greater than another")
LT = _comparison("lt", ("less",), "<", "one value is less than another")
GE = _comparison("ge", ("greater_equal",), ">=", "one value is at least another")
LE = _comparison("le", ("less_equal",), "<=", "one value is at most another")
EQ = _comparison("eq", (), "==", "two values are equal")
NE = _comparison("ne", ("not_equal",), "!=", "two values differ")


def _bitwise(symbol: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def forward(*operands: Any) -> Any:
        for operand in operands:
            if dtype_of(operand).startswith("float"):
                raise OperandError(
                    f"`{symbol}` takes truth values and whole numbers, not {dtype_of(operand)}",
                    f"put comparisons in brackets, as in `(x > 0) {symbol} (x < 1)`"
                    if symbol != "~"
                    else "compare it first, as in `~(x > 0)`",
                )
        return function(*operands)

    return forward


def _connective(name: str, sign: str, words: str, shown: str, symbol: str = "") -> Operation:
    """An operation on two answers; `shown` are the two of its example."""
    function = getattr(np, name)
    return predicate(
        name,
        _bitwise(symbol, function) if symbol else function,
        symbol=symbol,
        notation=f"{{a}} {sign} {{b}}",
        words=words,
        parameters=TWO_OPERANDS,
        symbolic=lambda sp, a, b: getattr(sp, name.rpartition("_")[2].capitalize())(a, b),
        example=f"x=[-1, 2, 3], y=where({name}({shown}), x, 0).sum()",
    )


LOGICAL_AND = _connective(
    "logical_and",
    "∧",
    "whether both hold; a number counts as true where it is not 0",
    "gt(x, 0), lt(x, 3)",
)
LOGICAL_OR = _connective(
    "logical_or",
    "∨",
    "whether one or both hold; a number counts as true where it is not 0",
    "lt(x, 0), gt(x, 2)",
)
LOGICAL_XOR = _connective(
    "logical_xor",
    "⊻",
    "whether one holds and the other does not",
    "gt(x, 0), gt(x, 2)",
)
LOGICAL_NOT = predicate(
    "logical_not",
    np.logical_not,
    notation="¬{a}",
    words="whether it does not hold; a number counts as true where it is not 0",
    symbolic=lambda sp, a: sp.Not(a),
    example="x=[-1, 2, 3], y=where(logical_not(gt(x, 0)), x, 0).sum()",
)


BITWISE_AND = _connective(
    "bitwise_and",
    "&",
    "whether both hold; of whole numbers, the bits that both have",
    "gt(x, 0), lt(x, 3)",
    symbol="&",
)
BITWISE_OR = _connective(
    "bitwise_or",
    "|",
    "whether one or both hold; of whole numbers, the bits that one of them has",
    "lt(x, 0), gt(x, 2)",
    symbol="|",
)
INVERT = predicate(
    "bitwise_not",
    _bitwise("~", np.invert),
    symbol="~",
    notation="~{a}",
    words="whether it does not hold; of a whole number, every bit turned",
    symbolic=lambda sp, a: sp.Not(a),
    example="x=[-1, 2, 3], y=where(bitwise_not(gt(x, 0)), x, 0).sum()",
)


def _finiteness(name: str, words: str, start: int, shown: str) -> Operation:
    """What kind of number it is; `start` and `shown` are what its example chooses by it."""
    return predicate(
        name,
        getattr(np, name),
        words=f"whether it is {words}",
        example=f"x=[{start}, 4], y=where({name}(log(x)), {shown}).sum()",
    )


ISNAN = _finiteness("isnan", "nan, no number at all", -1, "0, x")
ISINF = _finiteness("isinf", "inf or −inf", 0, "0, x")
ISFINITE = _finiteness("isfinite", "neither nan nor infinite", 0, "x, 0")

ISCLOSE = predicate(
    "isclose",
    lambda a, b, rtol, atol, equal_nan: np.isclose(a, b, rtol, atol, equal_nan),
    wide=True,
    notation="{a} ≈ {b}",
    words="whether two values are equal but for a tolerance",
    parameters=(
        INPUT,
        OTHER,
        Kind.NUMBER("rtol", 1e-05),
        Kind.NUMBER("atol", 1e-08),
        Kind.FLAG("equal_nan", False),
    ),
    symbolic=lambda sp, a, b, rtol, atol, equal_nan: sp.Abs(a - b) <= atol + rtol * sp.Abs(b),
    example="x=[1, 2], y=(x * isclose(x, 1.000000001)).sum()",
)


def _symbolic_floats(sp: Any, a: Any) -> Any:
    is_mask = isinstance(a, sp.logic.boolalg.Boolean) and not a.is_Symbol
    return sp.Piecewise((1, a), (0, True)) if is_mask else a


FLOAT = operation(
    "float",
    lambda a: a if dtype_of(a).startswith("float") else a * 1.0,
    rule=lambda g, y, a: g,
    local="1",
    because="The same number: the gradient goes through unchanged.",
    torch=lambda torch, a: a if a.is_floating_point() else a.to(torch.get_default_dtype()),
    lay_out=lambda made, operands, _: laid_out(made, strides_of(read_as(made.dtype, *operands))),
    grad_fn="",
    words="truth values and whole numbers as numbers of the scenario's dtype: 0 and 1, …",
    functions=("float", "double"),
    symbolic=_symbolic_floats,
    example="x=[-1, 2, 3], y=(x * gt(x, 0).float()).sum()",
)
