"""Smooth activations, from the sigmoid and from the error function."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

import numpy as np

from backprop_engine.basics.memory_order import as_operands
from backprop_engine.basics.source import OperandError
from backprop_engine.basics.values import dtype_of, erf, exp, log1p, shape_of, tanh, where
from backprop_engine.catalogue import arithmetic, rounding
from backprop_engine.catalogue.shared.entries import (
    INPUT,
    activation,
    in_steps,
    operation,
    scaled,
    well_known,
)
from backprop_engine.catalogue.trigonometry import tanh_rule
from backprop_engine.operation import Kind, Rounding

_TWO_BY_ROOT_PI: Final = 2 / math.sqrt(math.pi)
_ROOT_HALF: Final = math.sqrt(0.5)
_TOP_OF_BELL: Final = _TWO_BY_ROOT_PI * _ROOT_HALF * 0.5
"""The height of the normal density at 0."""
_GELU_SCALE: Final = math.sqrt(2) * _TWO_BY_ROOT_PI * 0.5
_GELU_CUBIC: Final = 0.044715

_smooth = partial(activation, rounding=Rounding.CONDITION)


def sigmoid(a: Any) -> Any:
    """1/(1 + exp(−a))."""
    return 1 / (1 + exp(-a))


def log_sigmoid(a: Any) -> Any:
    """log σ(a) without the overflow of exp for large −a."""
    return np.minimum(a, 0.0) - log1p(exp(-abs(a)))


def _sigmoid_rule(g: Any, y: Any, _a: Any = None) -> Any:
    return g * (1 - y) * y


SIGMOID = operation(
    "sigmoid",
    sigmoid,
    rule=_sigmoid_rule,
    local="{y}·(1 − {y})",
    because="The sigmoid is steepest in the middle, with slope 1/4, and flat at both ends.",
    notation="σ({a})",
    words="the logistic function, between 0 and 1",
    functions=("sigmoid", "expit"),
    symbolic=lambda sp, a: 1 / (1 + sp.exp(-a)),
    composite="1 / (1 + exp(-a))",
    example="x=0.5, y=sigmoid(x)",
)


def _logsigmoid_rule(g: Any, _y: Any, a: Any) -> Any:
    decay = exp(-abs(a))
    share = decay / (1 + decay)
    return where(a < 0, 1 - share, share) * g


LOGSIGMOID = in_steps(
    "logsigmoid",
    log_sigmoid,
    rule=_logsigmoid_rule,
    local="1 − σ({a})",
    because="What is already near probability 1 is hardly pushed; what is far off is, with 1.",
    notation="log(σ({a}))",
    grad_fn="LogSigmoidBackward0",
    words="the logarithm of the sigmoid, which does not overflow",
    symbolic=lambda sp, a: -sp.log(1 + sp.exp(-a)),
    composite="log(sigmoid(a))",
    example="x=-3, y=logsigmoid(x)",
)


def _softplus_rule(g: Any, _y: Any, a: Any, beta: float, threshold: float) -> Any:
    grown = exp(a * beta)
    return where(a * beta > threshold, g, g * grown / (grown + 1))


def _softplus_text(beta: float, **_: Any) -> str:
    return "log(1 + exp({a}))" if beta == 1 else "log(1 + exp({beta}·{a}))/{beta}"


SOFTPLUS = in_steps(
    "softplus",
    lambda a, beta, threshold: where(a * beta > threshold, a, log1p(exp(a * beta)) / beta),
    parameters=(INPUT, Kind.NUMBER("beta", 1.0), Kind.NUMBER("threshold", 20.0)),
    rule=_softplus_rule,
    local=lambda beta, **_: f"σ({scaled(beta, '{beta}', '{a}')})",
    because="The slope of a smooth relu is a smooth gate: the sigmoid. Beyond the threshold it "
    "is taken as 1.",
    notation=_softplus_text,
    words="a smooth relu",
    symbolic=lambda sp, a, beta, threshold: sp.Piecewise(
        (a, a * beta > threshold), (sp.log(1 + sp.exp(beta * a)) / beta, True)
    ),
    composite="where(gt({beta} * a, {threshold}), a, log1p(exp({beta} * a)) / {beta})",
    example="x=0.5, y=softplus(x)",
)


def _silu_rule(g: Any, _y: Any, a: Any) -> Any:
    gate = sigmoid(a)
    return g * gate * (1 + a * (1 - gate))


SILU = _smooth(
    "silu",
    lambda a: a / (1 + exp(-a)),
    rule=_silu_rule,
    local="σ({a})·(1 + {a}·(1 − σ({a})))",
    because="A product of the value and its gate: both change with the value.",
    notation="{a}·σ({a})",
    words="the value times its sigmoid, also called swish",
    symbolic=lambda sp, a: a / (1 + sp.exp(-a)),
    composite="a * sigmoid(a)",
    example="x=1, y=silu(x)",
)


def _mish_rule(g: Any, _y: Any, a: Any) -> Any:
    gate = tanh(log1p(exp(a)))
    return g * (gate + tanh_rule(a, gate) * sigmoid(a))


MISH = _smooth(
    "mish",
    lambda a: a * tanh(log1p(exp(a))),
    rule=_mish_rule,
    local="t + {a}·σ({a})·(1 − t²) with t = tanh(softplus({a}))",
    because="A product of the value and its gate: both change with the value.",
    notation="{a}·tanh(softplus({a}))",
    words="the value times the tanh of its softplus",
    symbolic=lambda sp, a: a * sp.tanh(sp.log(1 + sp.exp(a))),
    composite="a * tanh(softplus(a))",
    example="x=1, y=mish(x)",
)


def _gelu(a: Any, approximate: str) -> Any:
    if approximate == "tanh":
        return 0.5 * a * (1 + tanh(_GELU_SCALE * (a + _GELU_CUBIC * (a * a * a))))
    return a * 0.5 * (1 + erf(a * _ROOT_HALF))


def _gelu_rule(g: Any, _y: Any, a: Any, approximate: str) -> Any:
    if approximate == "tanh":
        square = a * a
        bend = tanh(_GELU_SCALE * (a + _GELU_CUBIC * (square * a)))
        inner = _GELU_SCALE * (1 + 3 * _GELU_CUBIC * square)
        return g * (0.5 * (1 + bend) + tanh_rule(0.5 * a, bend) * inner)
    share = 0.5 * (1 + erf(a * _ROOT_HALF))
    return g * (share + a * (_TOP_OF_BELL * exp(a * a * -0.5)))


_GELU_BEND = f"tanh(√(2/π)·({{a}} + {_GELU_CUBIC}·{{a}}³))"


def _gelu_text(approximate: str, **_: Any) -> str:
    return "{a}·Φ({a})" if approximate == "none" else f"{{a}}·(1 + {_GELU_BEND})/2"


def _gelu_slope(approximate: str, **_: Any) -> str:
    if approximate == "none":
        return "Φ({a}) + {a}·φ({a})"
    inner = f"(1 + {3 * _GELU_CUBIC}·{{a}}²)"
    return f"(1 + t)/2 + {{a}}·(1 − t²)·√(2/π)·{inner}/2 with t = {_GELU_BEND}"


def _is_beyond_a_square(operands: Sequence[Any], *_: Any) -> Any:
    """Where torch's kernels for float32 differ by processor: at what has no finite square."""
    return np.isinf(np.square(operands[0])) & (dtype_of(operands[0]) == "float32")


GELU = in_steps(
    "gelu",
    _gelu,
    unsettled=_is_beyond_a_square,
    parameters=(INPUT, Kind.TEXT("approximate", "none", choices=("none", "tanh"))),
    rule=_gelu_rule,
    local=_gelu_slope,
    because="The normal distribution's share Φ below the value is its gate; φ is its bell curve.",
    notation=_gelu_text,
    words="the value times the share of a normal distribution below it",
    symbolic=lambda sp, a, approximate: (
        a * (1 + sp.erf(a / sp.sqrt(2))) / 2
        if approximate == "none"
        else a * (1 + sp.tanh(sp.sqrt(2 / sp.pi) * (a + _GELU_CUBIC * a**3))) / 2
    ),
    composite=lambda approximate, **_: (
        f"0.5 * a * (1 + erf(a * {_ROOT_HALF!r}))"
        if approximate == "none"
        else f"0.5 * a * (1 + tanh({_GELU_SCALE!r} * (a + {_GELU_CUBIC} * a**3)))"
    ),
    example="x=1, y=gelu(x)",
)


def _softsign_rule(g: Any, _y: Any, a: Any) -> Any:
    size = abs(a) + 1
    to_value, to_size = (rule(g, None, a, size) for rule in arithmetic.DIV.rules)
    return to_value + rounding.ABS.rules[0](to_size, size, a)


SOFTSIGN = in_steps(
    "softsign",
    lambda a: a / (abs(a) + 1),
    rule=_softsign_rule,
    local="1/(1 + |{a}|)²",
    because="Like tanh it levels off, but slowly, so far out a little gradient still comes back.",
    notation="{a}/(1 + |{a}|)",
    grad_fn="DivBackward0",
    words="the value over one more than its magnitude",
    symbolic=lambda sp, a: a / (1 + sp.Abs(a)),
    composite="a / (abs(a) + 1)",
    example="x=2, y=softsign(x)",
)


TANHSHRINK = in_steps(
    "tanhshrink",
    lambda a: a - tanh(a),
    rule=lambda g, _y, a: g - tanh_rule(g, tanh(a)),
    local="tanh({a})²",
    because="Near zero the value and its tanh cancel, and so do their gradients.",
    notation="{a} − tanh({a})",
    grad_fn="SubBackward0",
    words="the value less its tanh",
    symbolic=lambda sp, a: a - sp.tanh(a),
    composite="a - tanh(a)",
    example="x=1, y=tanhshrink(x)",
)


def _erf_rule(g: Any, _y: Any, a: Any) -> Any:
    return _TWO_BY_ROOT_PI * exp(-(a * a)) * g


ERF = well_known(
    "erf",
    rule=_erf_rule,
    local="2/√π·exp(−{a}²)",
    because="Its slope is a bell curve.",
    words="the error function, between −1 and 1",
    example="x=0.5, y=erf(x)",
)

ERFC = well_known(
    "erfc",
    rule=lambda g, y, a: -_erf_rule(g, y, a),
    local="−2/√π·exp(−{a}²)",
    because="It falls where the error function rises: minus a bell curve.",
    words="one less the error function, exact where that is nearly 1",
    composite="1 - erf(a)",
    example="x=0.5, y=erfc(x)",
)


def _halves(a: Any, dim: int) -> tuple[Any, Any]:
    shape = shape_of(a)
    if not shape or shape[dim] % 2:
        raise OperandError(
            f"`glu` halves an axis, which shape {shape} does not allow",
            "the axis `dim` must have an even size",
        )
    first, second = np.split(a, 2, axis=dim)
    return first, second


def _glu(a: Any, dim: int) -> Any:
    value, score = _halves(a, dim)
    return value * sigmoid(score)


def _glu_rule(g: Any, _y: Any, a: Any, dim: int) -> Any:
    value, score = _halves(a, dim)
    gate = sigmoid(score)
    return np.concatenate([gate * g, value * _sigmoid_rule(g, gate)], axis=dim)


def _glu_parts(shapes: Any, dim: int, **_: Any) -> str:
    axis = dim % len(shapes[0])
    half, before = shapes[0][axis] // 2, ":, " * axis
    return f"a[{before}0:{half}] * sigmoid(a[{before}{half}:{2 * half}])"


def _glu_order(made: Any, operands: Sequence[Any], attributes: Mapping[str, Any]) -> Any:
    """As a product of the halves: each lies as the whole does."""
    return as_operands(made, _halves(*operands, **attributes), {})


GLU = in_steps(
    "glu",
    _glu,
    rule=_glu_rule,
    vjp="[σ(b) ⊙ {g}, (1 − σ(b)) ⊙ σ(b) ⊙ {g} ⊙ a], a and b the halves of {a}",
    because="One half is the value, the other its gate: a product, so each receives the "
    "gradient times the other.",
    lay_out=_glu_order,
    words="the first half of an axis times the sigmoid of the second",
    parameters=(INPUT, Kind.AXIS("dim", -1, aliases=("axis",))),
    composite=_glu_parts,
    example="x=[1, 2, 0.5, -1], y=glu(x).sum()",
)
