"""Comparisons and masks: truth values, through which no gradient goes."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from backprop_engine.operation import Operation, Parameter


def _comparison(name: str, symbol: str, sign: str, forward: Callable[..., Any]) -> Operation:
    return Operation(
        name=name,
        symbol=symbol,
        forward=forward,
        derivatives=(),
        differentiable=False,
        notation=f"{{a}} {sign} {{b}}",
        torch=lambda torch, a, b: forward(a, b),
        grad_fn="",
        words="True where it holds, False elsewhere; no gradient goes through",
        parameters=(Parameter("input"), Parameter("other")),
        elementwise=True,
    )


def _invert(a: Any) -> Any:
    return (not a) if isinstance(a, bool) else np.logical_not(a)


INVERT = Operation(
    name="logical_not",
    symbol="~",
    forward=_invert,
    derivatives=(),
    differentiable=False,
    notation="¬{a}",
    torch=lambda torch, a: torch.logical_not(a),
    grad_fn="",
    words="True where the mask is False",
    elementwise=True,
)

COMPARISONS = (
    _comparison("gt", ">", ">", operator.gt),
    _comparison("lt", "<", "<", operator.lt),
    _comparison("ge", ">=", "≥", operator.ge),
    _comparison("le", "<=", "≤", operator.le),
    _comparison("eq", "==", "=", operator.eq),
    _comparison("ne", "!=", "≠", operator.ne),
    _comparison("bitwise_and", "&", "∧", operator.and_),
    _comparison("bitwise_or", "|", "∨", operator.or_),
    INVERT,
)
