"""Functions of one value, element by element."""

from __future__ import annotations

from typing import Any

from backprop_engine.operation import Derivative, Operation
from backprop_engine.values import cos, exp, log, sign, sin, sqrt, tanh, where


def _sigmoid(a: Any) -> Any:
    return 1 / (1 + exp(-a))


def _relu(a: Any) -> Any:
    # `a <= 0` is false for nan, which so passes through, as in torch.
    return where(a <= 0, 0.0, a)


EXP = Operation(
    name="exp",
    forward=exp,
    derivatives=(
        Derivative(
            rule=lambda g, y, a: g * y,
            local="{y}",
            words="The exponential is its own derivative, so the output itself is the factor.",
        ),
    ),
    notation="exp({a})",
    torch=lambda torch, a: torch.exp(a),
    grad_fn="ExpBackward0",
    words="e to the power of a value",
    elementwise=True,
)

LOG = Operation(
    name="log",
    forward=log,
    derivatives=(
        Derivative(
            rule=lambda g, y, a: g / a,
            local="1/{a}",
            words="The logarithm is steep near zero, flat far out: its slope is one over it.",
        ),
    ),
    notation="log({a})",
    torch=lambda torch, a: torch.log(a),
    grad_fn="LogBackward0",
    words="the natural logarithm",
    functions=("log", "ln"),
    elementwise=True,
)

SQRT = Operation(
    name="sqrt",
    forward=sqrt,
    derivatives=(
        Derivative(
            rule=lambda g, y, a: g / (2 * y),
            local="1/(2·{y})",
            words="A square root grows ever more slowly: one over twice the root.",
        ),
    ),
    notation="√{a}",
    torch=lambda torch, a: torch.sqrt(a),
    grad_fn="SqrtBackward0",
    words="the square root",
    elementwise=True,
)

SIN = Operation(
    name="sin",
    forward=sin,
    derivatives=(
        Derivative(
            rule=lambda g, y, a: g * cos(a),
            local="cos({a})",
            words="The slope of the sine is the cosine.",
        ),
    ),
    notation="sin({a})",
    torch=lambda torch, a: torch.sin(a),
    grad_fn="SinBackward0",
    words="the sine, of an angle in radians",
    elementwise=True,
)

COS = Operation(
    name="cos",
    forward=cos,
    derivatives=(
        Derivative(
            rule=lambda g, y, a: g * -sin(a),
            local="−sin({a})",
            words="The slope of the cosine is minus the sine.",
        ),
    ),
    notation="cos({a})",
    torch=lambda torch, a: torch.cos(a),
    grad_fn="CosBackward0",
    words="the cosine, of an angle in radians",
    elementwise=True,
)

TANH = Operation(
    name="tanh",
    forward=tanh,
    derivatives=(
        Derivative(
            # 1 - y*y cancels near |y| = 1; the product keeps its digits.
            rule=lambda g, y, a: g * ((1 - y) * (1 + y)),
            local="1 − {y}²",
            words="Far from zero tanh is flat and lets hardly any gradient through.",
        ),
    ),
    notation="tanh({a})",
    torch=lambda torch, a: torch.tanh(a),
    grad_fn="TanhBackward0",
    words="the hyperbolic tangent, between −1 and 1",
    elementwise=True,
)

SIGMOID = Operation(
    name="sigmoid",
    forward=_sigmoid,
    derivatives=(
        Derivative(
            rule=lambda g, y, a: g * (1 - y) * y,
            local="{y}·(1 − {y})",
            words="The sigmoid is steepest in the middle, with slope 1/4, and flat at both ends.",
        ),
    ),
    notation="σ({a})",
    torch=lambda torch, a: torch.sigmoid(a),
    grad_fn="SigmoidBackward0",
    words="the logistic function, between 0 and 1",
    elementwise=True,
    composite="1 / (1 + exp(-a))",
)

RELU = Operation(
    name="relu",
    forward=_relu,
    derivatives=(
        Derivative(
            rule=lambda g, y, a: where(y <= 0, 0.0, g),
            local="[{a} > 0]",
            words="A gate: open (1) where the value is positive, shut (0) elsewhere.",
        ),
    ),
    notation="relu({a})",
    torch=lambda torch, a: torch.relu(a),
    grad_fn="ReluBackward0",
    words="the value where it is positive, else 0",
    elementwise=True,
)

ABS = Operation(
    name="abs",
    forward=abs,
    derivatives=(
        Derivative(
            rule=lambda g, y, a: g * sign(a),
            local="sign({a})",
            words="The slope of the absolute value is the sign; at 0 torch takes 0.",
        ),
    ),
    notation="|{a}|",
    torch=lambda torch, a: torch.abs(a),
    grad_fn="AbsBackward0",
    words="the distance from zero",
    functions=("abs", "absolute"),
    elementwise=True,
)

ELEMENTWISE = (EXP, LOG, SQRT, SIN, COS, TANH, SIGMOID, RELU, ABS)
