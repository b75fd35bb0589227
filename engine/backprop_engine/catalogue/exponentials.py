"""Exponentials, logarithms and roots."""

from __future__ import annotations

from collections.abc import Callable
from math import log as natural_log
from typing import Any, Final

import numpy as np

from backprop_engine.basics import values
from backprop_engine.basics.values import exp, exp2, expm1, log, log1p, sqrt, where
from backprop_engine.catalogue.shared.entries import (
    INPUT,
    in_steps,
    operation,
    symmetric,
    well_known,
)
from backprop_engine.operation import Application, Derivative, Kind, Operation

_LOG_2: Final = natural_log(2)


EXP = well_known(
    "exp",
    rule=lambda g, y, a: g * y,
    local="{y}",
    because="The exponential is its own derivative, so the output itself is the factor.",
    words="e to the power of a value",
    example="x=2, y=exp(x)",
)

EXPM1 = operation(
    "expm1",
    expm1,
    rule=lambda g, y, a: g * (y + 1),
    local="{y} + 1",
    because="It is the exponential moved down by one: its slope is the exponential.",
    notation="exp({a}) − 1",
    words="the exponential less one, exact near zero",
    symbolic=lambda sp, a: sp.exp(a) - 1,
    composite="exp(a) - 1",
    example="x=0.01, y=expm1(x)",
)

EXP2 = operation(
    "exp2",
    exp2,
    rule=lambda g, y, a: g * y * _LOG_2,
    local="{y}·log(2)",
    because="A power of two grows in proportion to itself, by the factor log 2.",
    notation="2^{a}",
    words="two to the power of a value",
    symbolic=lambda sp, a: 2**a,
    composite="2**a",
    example="x=3, y=exp2(x)",
)

LOG = well_known(
    "log",
    rule=lambda g, y, a: g / a,
    local="1/{a}",
    because="The logarithm is steep near zero, flat far out: its slope is one over it.",
    words="the natural logarithm",
    functions=("log", "ln"),
    example="x=2, y=log(x)",
)

LOG1P = operation(
    "log1p",
    log1p,
    rule=lambda g, y, a: g / (a + 1),
    local="1/(1 + {a})",
    because="The slope is one over one more than the value.",
    notation="log(1 + {a})",
    grad_fn="Log1PBackward0",
    words="the logarithm of one more than the value, exact near zero",
    symbolic=lambda sp, a: sp.log(1 + a),
    composite="log(1 + a)",
    example="x=0.01, y=log1p(x)",
)


def _logarithm(base: int, called: str, index: str, example: str) -> Operation:
    """The logarithm to a base, by its name in words and as an index."""
    factor = natural_log(base)
    return operation(
        f"log{base}",
        getattr(values, f"log{base}"),
        rule=lambda g, y, a: g / (a * factor),
        local=f"1/({{a}}·log({base}))",
        because=f"It is the natural logarithm divided by log {base}, and so is its slope.",
        notation=f"log{index}({{a}})",
        words=f"the logarithm to base {called}",
        symbolic=lambda sp, a: sp.log(a) / sp.log(base),
        composite=f"log(a) / log({base})",
        example=example,
    )


LOG2 = _logarithm(2, "two", "₂", "x=8, y=log2(x)")
LOG10 = _logarithm(10, "ten", "₁₀", "x=100, y=log10(x)")

SQRT = well_known(
    "sqrt",
    rule=lambda g, y, a: g / (2 * y),
    local="1/(2·{y})",
    because="A square root grows ever more slowly: one over twice the root.",
    notation="√{a}",
    words="the square root",
    example="x=9, y=sqrt(x)",
)

RSQRT = operation(
    "rsqrt",
    lambda a: 1 / sqrt(a),
    rule=lambda g, y, a: -0.5 * g * (y * y * y),
    local="−{y}³/2",
    because="It falls, and steeply so near zero: minus half the cube of the output.",
    notation="1/√{a}",
    words="one over the square root",
    symbolic=lambda sp, a: 1 / sp.sqrt(a),
    composite="1 / sqrt(a)",
    example="x=4, y=rsqrt(x)",
)

SQUARE = operation(
    "square",
    lambda a: a * a,
    rule=lambda g, y, a: g * (2 * a),
    local="2·{a}",
    because="Power rule: the exponent 2 comes down as a factor.",
    notation="{a}²",
    grad_fn="PowBackward0",
    words="the value times itself",
    symbolic=lambda sp, a: a**2,
    composite="a * a",
    example="x=3, y=square(x)",
)

RECIPROCAL = operation(
    "reciprocal",
    lambda a: 1 / a,
    rule=lambda g, y, a: -g * (y * y),
    local="−{y}²",
    because="A larger value has a smaller reciprocal: minus the square of the output.",
    notation="1/{a}",
    words="one over the value",
    symbolic=lambda sp, a: 1 / a,
    composite="1 / a",
    example="x=4, y=reciprocal(x)",
)


def _share(g: Any, own: Any, other: Any, power_of: Callable[[Any], Any] = exp) -> Any:
    """A term's share in a sum of powers: a sigmoid of how far it is above the other one."""
    return g / (1 + power_of(other - own))


LOGADDEXP = in_steps(
    "logaddexp",
    np.logaddexp,
    *symmetric(
        lambda g, y, a, b: _share(g, a, b),
        "The larger of the two has the larger share: a sigmoid of the difference.",
        local="1/(1 + exp({b} − {a}))",
    ),
    notation="log(exp({a}) + exp({b}))",
    words="the logarithm of a sum of exponentials, which cannot overflow",
    symbolic=lambda sp, a, b: sp.log(sp.exp(a) + sp.exp(b)),
    composite="log(exp(a) + exp(b))",
    example="x=1, z=2, y=logaddexp(x, z)",
)

LOGADDEXP2 = in_steps(
    "logaddexp2",
    np.logaddexp2,
    *symmetric(
        lambda g, y, a, b: _share(g, a, b, exp2),
        "The larger of the two has the larger share.",
        local="1/(1 + 2^({b} − {a}))",
    ),
    notation="log₂(2^{a} + 2^{b})",
    words="the logarithm to base two of a sum of powers of two",
    symbolic=lambda sp, a, b: sp.log(2**a + 2**b) / sp.log(2),
    composite="log2(exp2(a) + exp2(b))",
    example="x=1, z=2, y=logaddexp2(x, z)",
)


def _xlogy(a: Any, b: Any) -> Any:
    # 0 · log b is 0 for every b, even where log b is not finite; but a nan stays one.
    return where((a == 0) & (b == b), 0.0, a * log(b))


def _by_numbers(name: str) -> Callable[[Application], str]:
    """torch has one autograd node for two tensors, and one for each that may be a number."""

    def grad_fn(application: Application) -> str:
        first_is_number, second_is_number = application.numbers
        return f"{name}Backward{2 if second_is_number else 1 if first_is_number else 0}"

    return grad_fn


XLOGY = operation(
    "xlogy",
    _xlogy,
    Derivative(
        rule=lambda g, y, a, b: where((a == 0) & (b <= 0), 0.0, _xlogy(g, b)),
        local="log({b})",
        words="The logarithm stands beside it as a factor.",
    ),
    Derivative(
        rule=lambda g, y, a, b: g * a / b,
        local="{a}/{b}",
        words="The logarithm's slope is one over its value, times the factor before it.",
    ),
    wide=True,
    notation="{a}·log({b})",
    grad_fn=_by_numbers("Xlogy"),
    words="a value times a logarithm, where 0 · log 0 is 0",
    arithmetic=True,
    symbolic=lambda sp, a, b: sp.Piecewise((0, sp.Eq(a, 0)), (a * sp.log(b), True)),
    composite="a * log(b)",
    example="p=0.25, q=0.5, y=xlogy(p, q)",
)


def _xlog1py(a: Any, b: Any) -> Any:
    return where((a == 0) & (b == b), 0.0, a * log1p(b))


XLOG1PY = operation(
    "xlog1py",
    _xlog1py,
    Derivative(
        rule=lambda g, y, a, b: where((a == 0) & (b <= -1), 0.0, _xlog1py(g, b)),
        local="log(1 + {b})",
        words="The logarithm stands beside it as a factor.",
    ),
    Derivative(
        rule=lambda g, y, a, b: g * a / (b + 1),
        local="{a}/(1 + {b})",
        words="The logarithm's slope is one over its value, times the factor before it.",
    ),
    wide=True,
    notation="{a}·log(1 + {b})",
    torch="special.xlog1py",
    grad_fn=_by_numbers("SpecialXlog1Py"),
    words="a value times a logarithm of one more than another, where 0 · log 0 is 0",
    arithmetic=True,
    symbolic=lambda sp, a, b: sp.Piecewise((0, sp.Eq(a, 0)), (a * sp.log(1 + b), True)),
    composite="a * log1p(b)",
    example="p=0.25, q=0.5, y=xlog1py(p, -q)",
)


ENTR = in_steps(
    "entr",
    lambda a: where(a == 0, 0.0, where(a < 0, -np.inf, -a * log(a))),
    rule=lambda g, y, a: g * (-(1 + log(a))),
    local="−(1 + log({a}))",
    because="It rises until 1/e, where it has its top, and then falls.",
    notation="−{a}·log({a})",
    torch="special.entr",
    words="a probability's part in an entropy; 0 at zero",
    symbolic=lambda sp, a: sp.Piecewise((-a * sp.log(a), a > 0), (-sp.oo, True)),
    composite="-a * log(a)",
    example="p=[0.25, 0.75], y=entr(p).sum()",
)


def _logit(a: Any, eps: float | None) -> Any:
    if eps is not None:
        a = np.minimum(np.maximum(a, eps), 1 - eps)
    return log(a / (1 - a))


def _logit_rule(g: Any, _y: Any, a: Any, eps: float | None) -> Any:
    slope = where((a == 0) | (a == 1), g * np.inf, g / (a * (1 - a)))
    if eps is None:
        return where((a < 0) | (a > 1), np.nan, slope)
    return where((a < eps) | (a > 1 - eps), 0.0, slope)


LOGIT = in_steps(
    "logit",
    _logit,
    rule=_logit_rule,
    local="1/({a}·(1 − {a}))",
    because="It turns probabilities back into scores, and is steep where they are near 0 or 1; "
    "where `eps` cuts off nothing goes back.",
    notation="log({a}/(1 − {a}))",
    words="the score whose sigmoid is the value",
    parameters=(INPUT, Kind.NUMBER("eps", None)),
    symbolic=lambda sp, a, eps: sp.log(a / (1 - a)) if eps is None else _clipped_logit(sp, a, eps),
    composite=lambda eps, **_: (
        "log(a / (1 - a))" if eps is None else f"logit(clamp(a, {eps}, 1 - {eps}))"
    ),
    example="p=0.25, y=logit(p)",
)


def _clipped_logit(sp: Any, a: Any, eps: float) -> Any:
    low, high = eps, 1 - eps
    return sp.Piecewise(
        (sp.log(low / (1 - low)), a < low),
        (sp.log(high / (1 - high)), a > high),
        (sp.log(a / (1 - a)), True),
    )
