"""A program as a sympy expression, its derivatives, and both at the point: run in the child.

Two expressions are made of one program. In the *exact* one a constant is the very number that the
program computes with; it is differentiated as it is, and evaluated with many digits. In the
*shown* one 0.1 is a tenth; that one is simplified and written down. They differ by the rounding
of the constants, which is less than what one operation rounds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from backprop_engine.catalogue import OPERATIONS
from backprop_engine.values import UNIT_ROUNDOFF
from backprop_tui.oracle.protocol import decode_attribute
from backprop_tui.oracle.symbolic.written import SHOWN_DIGITS, written

DIGITS = 40
"""Of an evaluation, before it is rounded once to float64."""
MOST_DIGITS = 400
"""What may be lost to cancellation on the way there."""
_CONSTANT_DIGITS = 100
_SHOWN_PRECISION = 17
NEARBY_ROUNDOFFS = 8
SIMPLIFIED_PARTS = 150
"""Longer derivatives are shown as they are."""
WRITTEN_PARTS = 600
"""Still longer expressions are not shown at all."""
_KINK_GAP = 4.0
"""In units of what a few roundoffs in the inputs change."""
_SAME = 1e-9

KINK = "a kink: no derivative at this point"
NOT_FINITE = "not finite here"
NO_FORMULA = "sympy knows no derivative of it"
TOO_DEEP = "nested too deeply for sympy"

NOTHING = ("", "")
_NOT_FINITE = {"value": None, "nearby": None, "reason": NOT_FINITE}


class _NoAnswerError(Exception):
    """Why there is nothing to be said."""


@dataclass(frozen=True)
class Place:
    """Where everything is evaluated: at the inputs, and a few roundoffs beside them."""

    here: Mapping[Any, Any]
    nearby: Mapping[Any, Any]


@dataclass(frozen=True)
class Built:
    """An output as both expressions; `shown` is None where no texts are asked for."""

    exact: Any
    shown: Any | None
    symbols: Mapping[int, Any]
    place: Place
    decimals: bool
    """Whether the program has numbers such as 0.5, so that its formulas should too."""


def function_reply(
    sympy: Any, request: Mapping[str, Any], output: int, inputs: Sequence[int]
) -> dict[str, Any]:
    """All that is said about one output; a `reason` where that is nothing."""
    empty = {"output": output, "expression": NOTHING, "value": None, "partials": []}
    try:
        built = build(sympy, request, output)
        value = evaluate(sympy, built.exact, built.place.here)
        partials = [_partial_reply(sympy, built, node) for node in inputs]
        if value is None:
            partials = [one | _NOT_FINITE for one in partials]
        return {
            "output": output,
            "expression": _texts(sympy, built, built.shown),
            "value": value,
            "partials": partials,
            "reason": "",
        }
    except _NoAnswerError as error:
        return empty | {"reason": str(error)}
    except RecursionError:
        return empty | {"reason": TOO_DEEP}
    except (ArithmeticError, AttributeError, NotImplementedError, TypeError, ValueError) as error:
        return empty | {"reason": f"sympy gives up: {error}"}


# From the tape to an expression


def build(sympy: Any, request: Mapping[str, Any], output: int) -> Built:
    """The output as a function of the inputs."""
    tape = request["tape"]
    symbols = {
        one["node"]: sympy.Symbol(one["name"], real=True) for one in tape if "name" in one
    }
    constants = [one for one in tape if "value" in one and "name" not in one]
    is_exact = all(_is_exact(one) for one in constants)
    exact = _run(sympy, tape, symbols, output, _exact_constant)
    shown = None
    if request["texts"]:
        shown = exact if is_exact else _run(sympy, tape, symbols, output, _shown_constant)
    roundoff = NEARBY_ROUNDOFFS * UNIT_ROUNDOFF[request["dtype"]]
    here, nearby = {}, {}
    for position, (node, symbol) in enumerate(symbols.items()):
        value = next(one["value"] for one in tape if one["node"] == node)
        here[symbol] = sympy.Rational(value)
        # In turn up and down, so that differences of inputs move too.
        nearby[symbol] = here[symbol] * (1 + sympy.Rational(roundoff) * (-1) ** position)
    decimals = any(not float(one["value"]).is_integer() for one in constants)
    return Built(exact, shown, symbols, Place(here, nearby), decimals)


def _run(
    sympy: Any, tape: Sequence[Mapping[str, Any]], symbols: Mapping[int, Any], output: int, number: Any
) -> Any:
    """The tape, run on symbols."""
    results: dict[int, Any] = {}
    for one in tape:
        node = one["node"]
        if node in symbols:
            results[node] = symbols[node]
        elif "value" in one:
            results[node] = number(sympy, one)
        else:
            operation = OPERATIONS[one["operation"]]
            if operation.symbolic is None:
                raise _NoAnswerError(f"`{operation.name}` has no symbolic form here")
            operands = [results[operand] for operand in one["operands"]]
            attributes = {key: decode_attribute(each) for key, each in one["attributes"].items()}
            results[node] = operation.symbolic(sympy, *operands, **attributes)
        if node == output:
            break
    return results[output]


def _exact_constant(sympy: Any, one: Mapping[str, Any]) -> Any:
    value = one["value"]
    if isinstance(value, bool):
        return sympy.true if value else sympy.false
    if _is_exact(one):
        return sympy.Rational(one["digits"])
    return sympy.Float(value, _CONSTANT_DIGITS)


def _shown_constant(sympy: Any, one: Mapping[str, Any]) -> Any:
    digits = one["digits"].partition("e")[0].strip("-0.").replace(".", "")
    if _is_exact(one):
        return _exact_constant(sympy, one)
    if len(digits) <= SHOWN_DIGITS:
        return sympy.Rational(one["digits"])
    return sympy.Float(one["value"], _SHOWN_PRECISION)


def _is_exact(one: Mapping[str, Any]) -> bool:
    """Whether the digits of a constant are its value, and not only the nearest to it."""
    value = _finite(one["value"])
    return isinstance(value, bool) or Fraction(one["digits"]) == Fraction(value)


def _finite(value: float) -> float:
    if value - value != 0:
        raise _NoAnswerError(NOT_FINITE)
    return value


# Figures


def evaluate(sympy: Any, expression: Any, at: Mapping[Any, Any]) -> float | None:
    """An expression at a point, rounded once; None where it is no finite real number there."""
    number = expression.evalf(DIGITS, maxn=MOST_DIGITS, subs=at)
    if not number.is_number or number.has(sympy.Derivative, sympy.Subs):
        raise _NoAnswerError(NO_FORMULA)
    real, imaginary = number.as_real_imag()
    if not (real.is_finite and imaginary.is_finite) or number.has(sympy.nan, sympy.zoo):
        return None
    if abs(imaginary) > abs(real) * sympy.Float(10) ** -DIGITS:
        return None
    rounded = float(real)
    return rounded if rounded - rounded == 0 else None


def _partial_reply(sympy: Any, built: Built, node: int) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "input": node, "derivative": NOTHING, "value": None, "nearby": None, "reason": "",
    }  # fmt: skip
    symbol, place = built.symbols[node], built.place
    try:
        derivative = differentiate(sympy, built.exact, symbol)
        if built.shown is not None:
            is_same = built.shown is built.exact
            shown = derivative if is_same else differentiate(sympy, built.shown, symbol)
            shortest = simplified(sympy, shown, place.here, decimals=built.decimals)
            answer["derivative"] = _texts(sympy, built, shortest)
        if has_kink(sympy, built.exact, place):
            raise _NoAnswerError(KINK)
        answer["value"] = evaluate(sympy, derivative, place.here)
        answer["nearby"] = evaluate(sympy, derivative, place.nearby)
        if answer["value"] is None:
            raise _NoAnswerError(NOT_FINITE)
    except _NoAnswerError as error:
        answer["reason"] = str(error)
    return answer


# Calculus


def differentiate(sympy: Any, expression: Any, symbol: Any) -> Any:
    """The derivative by `symbol`, as it is anywhere but at a kink or a jump."""
    # |u| is u·sign(u); sympy's own rule for it is for complex numbers.
    smooth = expression.replace(sympy.Abs, lambda u: u * sympy.sign(u))
    smooth = smooth.replace(sympy.frac, lambda u: u - sympy.floor(u))
    smooth = smooth.replace(sympy.Mod, lambda a, b: a - b * sympy.floor(a / b))
    # Between their jumps these are constants; sympy would write derivatives and Dirac's δ.
    steps = smooth.atoms(sympy.floor, sympy.ceiling, sympy.sign, sympy.Heaviside)
    names = {one: sympy.Dummy(real=True) for one in steps}
    derivative = sympy.diff(smooth.xreplace(names), symbol)
    derivative = derivative.xreplace({name: one for one, name in names.items()})
    if derivative.has(sympy.Derivative, sympy.Subs):
        raise _NoAnswerError(NO_FORMULA)
    return derivative


def has_kink(sympy: Any, expression: Any, place: Place) -> bool:
    """Whether two pieces of the function meet at the point, or closer by than rounding can tell."""
    return any(_vanishes(sympy, gap, place) for gap in _gaps(sympy, expression, place))


def _gaps(sympy: Any, expression: Any, place: Place) -> list[Any]:
    """What is 0 where a kink or a jump is."""
    gaps = [one.args[0] for one in expression.atoms(sympy.Abs, sympy.sign, sympy.Heaviside)]
    for one in expression.atoms(sympy.Max, sympy.Min):
        values = [(evaluate(sympy, each, place.here), each) for each in one.args]
        known = sorted((pair for pair in values if pair[0] is not None), key=lambda pair: pair[0])
        best = known[-2:] if isinstance(one, sympy.Max) else known[:2]
        gaps += [best[1][1] - best[0][1]] if len(best) == 2 else []
    for one in expression.atoms(sympy.Piecewise):
        for piece in one.args:
            gaps += [each.lhs - each.rhs for each in piece.cond.atoms(sympy.core.relational.Relational)]
    rounded = [one.args[0] for one in expression.atoms(sympy.floor, sympy.ceiling, sympy.frac)]
    rounded += [one.args[0] / one.args[1] for one in expression.atoms(sympy.Mod)]
    for one in rounded:
        value = evaluate(sympy, one, place.here)
        gaps += [] if value is None else [one - round(value)]
    return gaps


def _vanishes(sympy: Any, gap: Any, place: Place) -> bool:
    here, nearby = evaluate(sympy, gap, place.here), evaluate(sympy, gap, place.nearby)
    if here is None or nearby is None:
        return False
    return abs(here) <= _KINK_GAP * abs(nearby - here)


# Texts


def simplified(sympy: Any, derivative: Any, at: Mapping[Any, Any], *, decimals: bool) -> Any:
    """The shortest form that a learner would still recognise."""
    if parts_of(derivative, SIMPLIFIED_PARTS) > SIMPLIFIED_PARTS:
        return derivative
    candidates = [derivative, sympy.factor_terms(derivative), sympy.simplify(derivative)]
    if derivative.is_rational_function():
        candidates += [sympy.factor(derivative), sympy.cancel(derivative)]
    known = _functions(sympy, derivative)
    value = evaluate(sympy, derivative, at)
    return min(
        (
            one
            for one in candidates
            # No cosh where there was none; and no trust in a simplification without a test.
            if _functions(sympy, one) <= known and _is_same(value, evaluate(sympy, one, at))
        ),
        key=lambda one: len(written(sympy, one, decimals=decimals)),
        default=derivative,
    )


def _functions(sympy: Any, expression: Any) -> set[Any]:
    return {type(one) for one in expression.atoms(sympy.Function, sympy.I.func)}


def _is_same(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return abs(one - other) <= _SAME * max(abs(one), abs(other))


def parts_of(expression: Any, most: int) -> int:
    """How many symbols, numbers and operations; counted no further than just beyond `most`."""
    count, waiting = 0, [expression]
    while waiting and count <= most:
        waiting.extend(waiting.pop().args)
        count += 1
    return count


def _texts(sympy: Any, built: Built, expression: Any | None) -> tuple[str, str]:
    """Plain text and LaTeX; both empty where none is asked for, or it would be too long."""
    if expression is None or parts_of(expression, WRITTEN_PARTS) > WRITTEN_PARTS:
        return NOTHING
    text = written(sympy, expression, decimals=built.decimals)
    return text, sympy.latex(expression, fold_short_frac=False)
