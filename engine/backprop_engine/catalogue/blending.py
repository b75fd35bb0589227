"""Sums in which a factor says how much of a value goes in."""

from __future__ import annotations

from typing import Any

import numpy as np

from backprop_engine.basics.memory_order import as_operands_reversed
from backprop_engine.basics.source import OperandError
from backprop_engine.basics.values import dtype_of, is_float, where
from backprop_engine.catalogue.shared.entries import INPUT, OTHER, by_number, in_steps, scaled
from backprop_engine.operation import Derivative, Kind, Parameter


def _fused(factor: Any, b: Any, a: Any) -> Any:
    """factor·b + a with a product that is not rounded, as torch's kernels have it."""
    if dtype_of(b) == "float32":
        return np.multiply(factor, b, dtype=np.float64) + a
    product = factor * b
    if not is_float(b) or np.all(np.isfinite(product)):
        return product + a
    return np.asarray(np.multiply(factor, b, dtype=np.longdouble) + a).astype(np.float64)[()]


_ALPHA = Kind.SCALAR("alpha")
_KEPT = Derivative(
    rule=lambda g, *_, **__: g, local="1", words="Addition hands its gradient on unchanged."
)

ADD_ALPHA = in_steps(
    "add.alpha",
    lambda a, b, alpha: _fused(alpha, b, a),
    _KEPT,
    Derivative(
        rule=lambda g, y, a, b, alpha: g * alpha,
        local="{alpha}",
        words="What goes in by a factor receives the gradient times that factor.",
    ),
    wide=("input", "other"),
    notation="{a} + {alpha}·{b}",
    torch=lambda torch, a, b, alpha: torch.add(torch.as_tensor(a), b, alpha=alpha),
    words="a value plus a multiple of another",
    parameters=(INPUT, OTHER, _ALPHA),
    arithmetic=True,
    symbolic=lambda sp, a, b, alpha: a + alpha * b,
    composite="a + {alpha} * b",
    example="x=2, z=3, y=torch.add(x, z, alpha=10)",
)

_TAKEN_AWAY = Derivative(
    rule=lambda g, y, a, b, alpha: -g * alpha,
    local="−{alpha}",
    words="What is taken away by a factor receives the gradient times minus that factor.",
)

SUB_ALPHA = in_steps(
    "sub.alpha",
    lambda a, b, alpha: _fused(-alpha, b, a),
    _KEPT,
    _TAKEN_AWAY,
    wide=("input", "other"),
    notation="{a} − {alpha}·{b}",
    torch=lambda torch, a, b, alpha: torch.sub(torch.as_tensor(a), b, alpha=alpha),
    words="a value less a multiple of another",
    parameters=(INPUT, OTHER, _ALPHA),
    functions=("sub", "subtract"),
    arithmetic=True,
    symbolic=lambda sp, a, b, alpha: a - alpha * b,
    composite="a - {alpha} * b",
    example="x=2, z=3, y=torch.sub(x, z, alpha=10)",
)

RSUB = in_steps(
    "rsub",
    lambda a, b, alpha: _fused(-alpha, a, b),
    _TAKEN_AWAY,
    _KEPT,
    lay_out=as_operands_reversed,
    wide=("input", "other"),
    notation=lambda alpha, **_: "{b} − " + scaled(alpha, "{alpha}", "{a}"),
    torch=lambda torch, a, b, alpha: torch.rsub(torch.as_tensor(a), b, alpha=alpha),
    grad_fn=by_number("rsub", number=1, tensor=0),
    words="the second value less the first",
    parameters=(INPUT, OTHER, Kind.SCALAR("alpha", 1)),
    arithmetic=True,
    symbolic=lambda sp, a, b, alpha: b - alpha * a,
    composite="b - {alpha} * a",
    example="x=2, y=torch.rsub(x, 5)",
)


def _lerp(a: Any, b: Any, c: Any) -> Any:
    if not (is_float(a) and is_float(b)):
        raise OperandError(
            "`lerp` is not implemented for whole numbers and truth values",
            "make numbers with a point of them first: `i.float()`",
        )
    return where(np.abs(c) < 0.5, a + c * (b - a), b - (b - a) * (1 - c))


LERP = in_steps(
    "lerp",
    _lerp,
    Derivative(
        rule=lambda g, y, a, b, c: g * (1 - c),
        local="1 − {c}",
        words="The start has the share that the weight leaves to it.",
    ),
    Derivative(
        rule=lambda g, y, a, b, c: g * c,
        local="{c}",
        words="The end has the share that the weight gives to it.",
    ),
    Derivative(
        rule=lambda g, y, a, b, c: g * (b - a),
        local="{b} − {a}",
        words="The weight moves the result along the way from start to end.",
    ),
    notation="{a} + {c}·({b} − {a})",
    torch=lambda torch, a, b, c: torch.lerp(torch.as_tensor(a), torch.as_tensor(b), c),
    grad_fn=by_number("lerp", 2),
    words="the point a part of the way from one value to another",
    parameters=(INPUT, Parameter("end"), Parameter("weight")),
    arithmetic=True,
    symbolic=lambda sp, a, b, c: a + c * (b - a),
    composite="a + c * (b - a)",
    example="x=1, z=5, y=lerp(x, z, 0.25)",
)

_PRODUCT_PARAMETERS = (INPUT, Parameter("tensor1"), Parameter("tensor2"), Kind.SCALAR("value", 1))

ADDCMUL = in_steps(
    "addcmul",
    lambda a, b, c, value: _fused(value * b, c, a),
    _KEPT,
    Derivative(
        rule=lambda g, y, a, b, c, value: g * (c * value),
        local=lambda value, **_: scaled(value, "{value}", "{c}"),
        words="In a product each factor receives the gradient times the others.",
    ),
    Derivative(
        rule=lambda g, y, a, b, c, value: g * (b * value),
        local=lambda value, **_: scaled(value, "{value}", "{b}"),
        words="In a product each factor receives the gradient times the others.",
    ),
    notation=lambda value, **_: "{a} + " + scaled(value, "{value}", "{b}·{c}"),
    words="a value plus a multiple of a product",
    parameters=_PRODUCT_PARAMETERS,
    symbolic=lambda sp, a, b, c, value: a + value * b * c,
    composite="a + {value} * b * c",
    example="x=1, u=2, v=3, y=addcmul(x, u, v, value=0.5)",
)

ADDCDIV = in_steps(
    "addcdiv",
    lambda a, b, c, value: a + value * b / c,
    _KEPT,
    Derivative(
        rule=lambda g, y, a, b, c, value: g * (value / c),
        local="{value}/{c}",
        words="The numerator's share shrinks by the denominator.",
    ),
    Derivative(
        rule=lambda g, y, a, b, c, value: -g * (value * b / (c * c)),
        local=lambda value, **_: "−" + scaled(value, "{value}", "{b}/{c}²"),
        words="A larger denominator makes the quotient smaller, hence the minus sign.",
    ),
    notation=lambda value, **_: "{a} + " + scaled(value, "{value}", "{b}/{c}"),
    words="a value plus a multiple of a quotient",
    parameters=_PRODUCT_PARAMETERS,
    symbolic=lambda sp, a, b, c, value: a + value * b / c,
    composite="a + {value} * b / c",
    example="x=1, u=2, v=4, y=addcdiv(x, u, v)",
)
