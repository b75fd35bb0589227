"""Questions that are answered true or false, logic on the answers, and answers as numbers."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

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


def _comparison(
    name: str,
    aliases: tuple[str, ...],
    symbol: str,
    compare: Callable[[Any, Any], Any],
    **entry: Any,
) -> Operation:
    return predicate(
        name,
        compare,
        **entry,
        parameters=TWO_OPERANDS,
        functions=(name, *aliases),
        symbol=symbol,
        example=f"x=[-1, 2, 3], y=(x * {name}(x, 2)).sum()",
    )


GT = _comparison(
    "gt",
    ("greater",),
    ">",
    operator.gt,
    notation="{a} > {b}",
    words="whether one value is greater than another",
    symbolic=lambda sp, a, b: sp.Gt(a, b),
)
LT = _comparison(
    "lt",
    ("less",),
    "<",
    operator.lt,
    notation="{a} < {b}",
    words="whether one value is less than another",
    symbolic=lambda sp, a, b: sp.Lt(a, b),
)
GE = _comparison(
    "ge",
    ("greater_equal",),
    ">=",
    operator.ge,
    notation="{a} ≥ {b}",
    words="whether one value is at least another",
    symbolic=lambda sp, a, b: sp.Ge(a, b),
)
LE = _comparison(
    "le",
    ("less_equal",),
    "<=",
    operator.le,
    notation="{a} ≤ {b}",
    words="whether one value is at most another",
    symbolic=lambda sp, a, b: sp.Le(a, b),
)
EQ = _comparison(
    "eq",
    (),
    "==",
    operator.eq,
    notation="{a} = {b}",
    words="whether two values are equal",
    symbolic=lambda sp, a, b: sp.Eq(a, b),
)
NE = _comparison(
    "ne",
    ("not_equal",),
    "!=",
    operator.ne,
    notation="{a} ≠ {b}",
    words="whether two values differ",
    symbolic=lambda sp, a, b: sp.Ne(a, b),
)

LOGICAL_AND = predicate(
    "logical_and",
    np.logical_and,
    notation="{a} ∧ {b}",
    words="whether both hold; a number counts as true where it is not 0",
    parameters=TWO_OPERANDS,
    symbolic=lambda sp, a, b: sp.And(a, b),
    example="x=[-1, 2, 3], y=where(logical_and(gt(x, 0), lt(x, 3)), x, 0).sum()",
)

LOGICAL_OR = predicate(
    "logical_or",
    np.logical_or,
    notation="{a} ∨ {b}",
    words="whether one or both hold; a number counts as true where it is not 0",
    parameters=TWO_OPERANDS,
    symbolic=lambda sp, a, b: sp.Or(a, b),
    example="x=[-1, 2, 3], y=where(logical_or(lt(x, 0), gt(x, 2)), x, 0).sum()",
)

LOGICAL_XOR = predicate(
    "logical_xor",
    np.logical_xor,
    notation="{a} ⊻ {b}",
    words="whether one holds and the other does not",
    parameters=TWO_OPERANDS,
    symbolic=lambda sp, a, b: sp.Xor(a, b),
    example="x=[-1, 2, 3], y=where(logical_xor(gt(x, 0), gt(x, 2)), x, 0).sum()",
)

LOGICAL_NOT = predicate(
    "logical_not",
    np.logical_not,
    notation="¬{a}",
    words="whether it does not hold; a number counts as true where it is not 0",
    symbolic=lambda sp, a: sp.Not(a),
    example="x=[-1, 2, 3], y=where(logical_not(gt(x, 0)), x, 0).sum()",
)


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


BITWISE_AND = predicate(
    "bitwise_and",
    _bitwise("&", np.bitwise_and),
    symbol="&",
    notation="{a} & {b}",
    words="whether both hold; of whole numbers, the bits that both have",
    parameters=TWO_OPERANDS,
    symbolic=lambda sp, a, b: sp.And(a, b),
    example="x=[-1, 2, 3], y=where(bitwise_and(gt(x, 0), lt(x, 3)), x, 0).sum()",
)

BITWISE_OR = predicate(
    "bitwise_or",
    _bitwise("|", np.bitwise_or),
    symbol="|",
    notation="{a} | {b}",
    words="whether one or both hold; of whole numbers, the bits that one of them has",
    parameters=TWO_OPERANDS,
    symbolic=lambda sp, a, b: sp.Or(a, b),
    example="x=[-1, 2, 3], y=where(bitwise_or(lt(x, 0), gt(x, 2)), x, 0).sum()",
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

ISNAN = predicate(
    "isnan",
    np.isnan,
    words="whether it is nan, no number at all",
    example="x=[-1, 4], y=where(isnan(log(x)), 0, x).sum()",
)

ISINF = predicate(
    "isinf",
    np.isinf,
    words="whether it is inf or −inf",
    example="x=[0, 4], y=where(isinf(log(x)), 0, x).sum()",
)

ISFINITE = predicate(
    "isfinite",
    np.isfinite,
    words="whether it is neither nan nor infinite",
    example="x=[0, 4], y=where(isfinite(log(x)), x, 0).sum()",
)

ISCLOSE = predicate(
    "isclose",
    lambda a, b, rtol, atol, equal_nan: np.isclose(a, b, rtol, atol, equal_nan),
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


def _floats(a: Any) -> Any:
    return a if dtype_of(a).startswith("float") else a * 1.0


def _symbolic_floats(sp: Any, a: Any) -> Any:
    is_mask = isinstance(a, sp.logic.boolalg.Boolean) and not a.is_Symbol
    return sp.Piecewise((1, a), (0, True)) if is_mask else a


FLOAT = operation(
    "float",
    _floats,
    rule=lambda g, y, a: g,
    local="1",
    because="The same number: the gradient goes through unchanged.",
    torch=lambda torch, a: a if a.is_floating_point() else a.to(torch.get_default_dtype()),
    grad_fn="",
    words="truth values and whole numbers as numbers of the scenario's dtype: 0 and 1, …",
    functions=("float", "double"),
    symbolic=_symbolic_floats,
    example="x=[-1, 2, 3], y=(x * gt(x, 0).float()).sum()",
)
