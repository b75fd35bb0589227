"""Derivatives of sympy expressions, and their values with many digits: run in the child."""

from __future__ import annotations

from collections.abc import Mapping
from operator import itemgetter
from typing import Any

from backprop_engine.basics.dataclass import dataclass

DIGITS = 40
"""Of an evaluation, before it is rounded once to float64."""
MOST_DIGITS = 400
"""What may be lost to cancellation on the way there."""
_KINK_GAP = 4.0
"""In units of what a few roundoffs in the inputs change."""

KINK = "a kink: no derivative at this point"
NOT_FINITE = "not finite here"
NO_FORMULA = "sympy knows no derivative of it"


class NoAnswerError(Exception):
    """Why there is nothing to be said."""


@dataclass(frozen=True)
class Place:
    """Where everything is evaluated: at the inputs, and a few roundoffs beside them."""

    here: Mapping[Any, Any]
    nearby: Mapping[Any, Any]


def evaluate(sympy: Any, expression: Any, at: Mapping[Any, Any]) -> float | None:
    """An expression at a point, rounded once; None where it is no finite real number there."""
    number = expression.evalf(DIGITS, maxn=MOST_DIGITS, subs=at)
    if not number.is_number or number.has(sympy.Derivative, sympy.Subs):
        raise NoAnswerError(NO_FORMULA)
    real, imaginary = number.as_real_imag()
    if not (real.is_finite and imaginary.is_finite) or number.has(sympy.nan, sympy.zoo):
        return None
    if abs(imaginary) > abs(real) * sympy.Float(10) ** -DIGITS:
        return None
    rounded = float(real)
    return rounded if rounded - rounded == 0 else None


def differentiate(sympy: Any, expression: Any, symbol: Any) -> Any:
    """The derivative by `symbol`, as it is anywhere but at a kink or a jump."""
    # |u| is u·sign(u); sympy's own rule for it is for complex numbers.
    smooth = expression.replace(sympy.Abs, lambda u: u * sympy.sign(u))
    smooth = smooth.replace(sympy.frac, lambda u: u - sympy.floor(u))
    smooth = smooth.replace(sympy.Mod, lambda a, b: a - b * sympy.floor(a / b))
    # Between their jumps these are constants; sympy would write derivatives and Dirac's δ.
    steps = smooth.atoms(sympy.floor, sympy.ceiling, sympy.sign, sympy.Heaviside)
    names = {step: sympy.Dummy(real=True) for step in steps}
    derivative = sympy.diff(smooth.xreplace(names), symbol)
    derivative = derivative.xreplace({name: symbol for symbol, name in names.items()})
    if derivative.has(sympy.Derivative, sympy.Subs):
        raise NoAnswerError(NO_FORMULA)
    return derivative


def has_kink(sympy: Any, expression: Any, place: Place) -> bool:
    """Whether two pieces of the function meet at the point, or closer by than rounding can tell."""
    return any(_vanishes(sympy, gap, place) for gap in _gaps(sympy, expression, place))


def _gaps(sympy: Any, expression: Any, place: Place) -> list[Any]:
    """What is 0 where a kink or a jump is."""
    gaps = [atom.args[0] for atom in expression.atoms(sympy.Abs, sympy.sign, sympy.Heaviside)]
    for extremum in expression.atoms(sympy.Max, sympy.Min):
        gaps += _rivals(sympy, extremum, place)
    pieces = (piece for whole in expression.atoms(sympy.Piecewise) for piece in whole.args)
    for piece in pieces:
        relations = piece.cond.atoms(sympy.core.relational.Relational)
        gaps += [relation.lhs - relation.rhs for relation in relations]
    rounded = [atom.args[0] for atom in expression.atoms(sympy.floor, sympy.ceiling, sympy.frac)]
    rounded += [atom.args[0] / atom.args[1] for atom in expression.atoms(sympy.Mod)]
    for number in rounded:
        value = evaluate(sympy, number, place.here)
        gaps += [] if value is None else [number - round(value)]
    return gaps


def _rivals(sympy: Any, extreme: Any, place: Place) -> list[Any]:
    """The difference of the two largest of a maximum, or of the two smallest of a minimum."""
    values = [(evaluate(sympy, argument, place.here), argument) for argument in extreme.args]
    known = [(value, argument) for value, argument in values if value is not None]
    by_value = sorted(known, key=itemgetter(0))
    best = by_value[-2:] if isinstance(extreme, sympy.Max) else by_value[:2]
    return [best[1][1] - best[0][1]] if len(best) == 2 else []


def _vanishes(sympy: Any, gap: Any, place: Place) -> bool:
    here, nearby = evaluate(sympy, gap, place.here), evaluate(sympy, gap, place.nearby)
    if here is None or nearby is None:
        return False
    return abs(here) <= _KINK_GAP * abs(nearby - here)
