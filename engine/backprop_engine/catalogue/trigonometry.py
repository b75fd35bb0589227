"""Angles: the trigonometric and the hyperbolic functions, and their inverses."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from backprop_engine.basics.values import cos, cosh, sin, sinh, sqrt, where
from backprop_engine.catalogue.shared.entries import in_steps, operation, symmetric, well_known
from backprop_engine.operation import Derivative

_RADIANS: Final = math.pi / 180
_DEGREES: Final = 180 / math.pi

SIN = well_known(
    "sin",
    rule=lambda g, y, a: g * cos(a),
    local="cos({a})",
    because="The slope of the sine is the cosine.",
    words="the sine, of an angle in radians",
    example="x=1.5, y=sin(x**2)",
)

COS = well_known(
    "cos",
    rule=lambda g, y, a: g * -sin(a),
    local="−sin({a})",
    because="The slope of the cosine is minus the sine.",
    words="the cosine, of an angle in radians",
    example="x=0.5, y=cos(x)",
)

TAN = well_known(
    "tan",
    rule=lambda g, y, a: g * (1 + y * y),
    local="1 + {y}²",
    because="The tangent grows ever faster: one more than its own square.",
    words="the tangent, of an angle in radians",
    composite="sin(a) / cos(a)",
    example="x=0.5, y=tan(x)",
)


def _asin_rule(g: Any, _y: Any, a: Any) -> Any:
    return g * (1 / sqrt(-a * a + 1))


ASIN = well_known(
    "asin",
    rule=_asin_rule,
    local="1/√(1 − {a}²)",
    because="The arc sine is steepest at its ends, where the sine is flat.",
    notation="arcsin({a})",
    words="the angle with this sine",
    functions=("asin", "arcsin"),
    example="x=0.5, y=asin(x)",
)

ACOS = well_known(
    "acos",
    rule=lambda g, y, a: -_asin_rule(g, y, a),
    local="−1/√(1 − {a}²)",
    because="The arc cosine falls, and steeply so at its ends.",
    notation="arccos({a})",
    words="the angle with this cosine",
    functions=("acos", "arccos"),
    example="x=0.5, y=acos(x)",
)

ATAN = well_known(
    "atan",
    rule=lambda g, y, a: g / (a * a + 1),
    local="1/(1 + {a}²)",
    because="The arc tangent flattens out on both sides.",
    notation="arctan({a})",
    words="the angle with this tangent",
    functions=("atan", "arctan"),
    example="x=2, y=atan(x)",
)

SINH = well_known(
    "sinh",
    rule=lambda g, y, a: g * cosh(a),
    local="cosh({a})",
    because="The slope of the hyperbolic sine is the hyperbolic cosine.",
    words="the hyperbolic sine",
    composite="(exp(a) - exp(-a)) / 2",
    example="x=1, y=sinh(x)",
)

COSH = well_known(
    "cosh",
    rule=lambda g, y, a: g * sinh(a),
    local="sinh({a})",
    because="The slope of the hyperbolic cosine is the hyperbolic sine, with no change of sign.",
    words="the hyperbolic cosine",
    composite="(exp(a) + exp(-a)) / 2",
    example="x=1, y=cosh(x)",
)


def tanh_rule(g: Any, y: Any, _a: Any = None) -> Any:
    """g·(1 − y²), from the tanh itself."""
    # 1 - y*y cancels near |y| = 1; the product keeps its digits.
    return g * ((1 - y) * (1 + y))


TANH = well_known(
    "tanh",
    rule=tanh_rule,
    local="1 − {y}²",
    because="Far from zero tanh is flat and lets hardly any gradient through.",
    words="the hyperbolic tangent, between −1 and 1",
    composite="(exp(a) - exp(-a)) / (exp(a) + exp(-a))",
    example="x=0.5, y=tanh(x)",
)

ASINH = well_known(
    "asinh",
    rule=lambda g, y, a: g * (1 / sqrt(a * a + 1)),
    local="1/√({a}² + 1)",
    because="It grows like a logarithm on both sides, with slope 1 in the middle.",
    notation="arsinh({a})",
    words="the inverse of the hyperbolic sine",
    functions=("asinh", "arcsinh"),
    composite="log(a + sqrt(a**2 + 1))",
    example="x=2, y=asinh(x)",
)

ACOSH = well_known(
    "acosh",
    rule=lambda g, y, a: g * (1 / sqrt(a * a - 1)),
    local="1/√({a}² − 1)",
    because="It starts at 1, infinitely steep, and then grows like a logarithm.",
    notation="arcosh({a})",
    words="the inverse of the hyperbolic cosine",
    functions=("acosh", "arccosh"),
    composite="log(a + sqrt(a**2 - 1))",
    example="x=2, y=acosh(x)",
)

ATANH = well_known(
    "atanh",
    rule=lambda g, y, a: g / (1 - a * a),
    local="1/(1 − {a}²)",
    because="It is steep where tanh is flat, near −1 and 1.",
    notation="artanh({a})",
    words="the inverse of the hyperbolic tangent",
    functions=("atanh", "arctanh"),
    composite="log((1 + a) / (1 - a)) / 2",
    example="x=0.5, y=atanh(x)",
)


def _turn(g: Any, side: Any, a: Any, b: Any) -> Any:
    """What a move across `side` turns the direction by: nothing at the origin."""
    square = a * a + b * b
    return g * side * where(square == 0, 0.0, 1 / square)


ATAN2 = operation(
    "atan2",
    np.arctan2,
    Derivative(
        rule=lambda g, y, a, b: _turn(g, b, a, b),
        local="{b}/({a}² + {b}²)",
        words="Moving up turns the direction by the share of the other coordinate.",
    ),
    Derivative(
        rule=lambda g, y, a, b: _turn(g, -1.0 * a, a, b),  # a mask has no negative
        local="−{a}/({a}² + {b}²)",
        words="Moving to the right turns the direction back towards the axis.",
    ),
    words="the angle of the point with the coordinates other and input",
    functions=("atan2", "arctan2"),
    symbolic=lambda sp, a, b: sp.atan2(a, b),
    example="v=1, u=2, y=atan2(v, u)",
)


HYPOT = operation(
    "hypot",
    np.hypot,
    *symmetric(
        lambda g, y, a, b: g * a / y,
        "A side lengthens the hypotenuse by its share of it.",
        local="{a}/{y}",
    ),
    notation="√({a}² + {b}²)",
    words="the length of the hypotenuse over two sides",
    symbolic=lambda sp, a, b: sp.sqrt(a**2 + b**2),
    composite="sqrt(a**2 + b**2)",
    example="u=3, v=4, y=hypot(u, v)",
)

DEG2RAD = operation(
    "deg2rad",
    lambda a: a * _RADIANS,
    rule=lambda g, y, a: g * _RADIANS,
    local="π/180",
    because="Only the unit changes, so the gradient changes by the same factor.",
    notation="{a}·π/180",
    grad_fn="Deg2RadBackward0",
    words="an angle in degrees as radians",
    symbolic=lambda sp, a: a * sp.pi / 180,
    composite=f"a * {_RADIANS!r}",
    example="x=30, y=sin(deg2rad(x))",
)

RAD2DEG = operation(
    "rad2deg",
    lambda a: a * _DEGREES,
    rule=lambda g, y, a: g * _DEGREES,
    local="180/π",
    because="Only the unit changes, so the gradient changes by the same factor.",
    notation="{a}·180/π",
    grad_fn="Rad2DegBackward0",
    words="an angle in radians as degrees",
    symbolic=lambda sp, a: a * 180 / sp.pi,
    composite=f"a * {_DEGREES!r}",
    example="x=1, y=rad2deg(atan(x))",
)


def _sinc(a: Any) -> Any:
    product = math.pi * a
    return where(a == 0, 1.0, sin(product) / product)


def _sinc_rule(g: Any, _y: Any, a: Any) -> Any:
    product, square = a * math.pi, a * a * math.pi
    slope = (product * cos(product) - sin(product)) / square
    return where(square == 0, 0.0, g * slope)


SINC = in_steps(
    "sinc",
    _sinc,
    rule=_sinc_rule,
    local="(π·{a}·cos(π·{a}) − sin(π·{a}))/(π·{a}²)",
    because="A quotient of the sine and its angle; at 0 it has its top, and slope 0.",
    notation="sin(π·{a})/(π·{a})",
    words="the sine of π times the value over that angle; 1 at zero",
    symbolic=lambda sp, a: sp.sinc(sp.pi * a),
    composite=f"sin({math.pi!r} * a) / ({math.pi!r} * a)",
    example="x=0.5, y=sinc(x)",
)
