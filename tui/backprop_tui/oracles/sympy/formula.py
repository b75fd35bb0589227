"""From the tape to sympy expressions of the inputs: run in the child.

Two expressions are made of one program. In the *exact* one a constant is the very number that the
program computes with; it is differentiated as it is, and evaluated with many digits. In the
*shown* one 0.1 is a tenth; that one is simplified and written down. They differ by the rounding
of the constants, which is less than what one operation rounds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.values import UNIT_ROUNDOFF
from backprop_engine.catalogue import OPERATIONS
from backprop_tui.oracles.attributes import decode_attribute
from backprop_tui.oracles.sympy.calculus import NOT_FINITE, NoAnswerError, Place
from backprop_tui.oracles.sympy.written import SHOWN_DIGITS

NEARBY_ROUNDOFFS = 8
_CONSTANT_DIGITS = 100
_SHOWN_PRECISION = 17

Entry = Mapping[str, Any]
"""One entry of the tape in a request."""


@dataclass(frozen=True)
class Formula:
    """An output as both expressions; `shown` is None where no texts are asked for."""

    exact: Any
    shown: Any | None
    symbols: Mapping[int, Any]
    place: Place
    is_finite: bool
    """Whether the program met neither inf nor nan; where it did, nothing is evaluated."""
    is_simplified: bool
    """Whether derivatives are to be simplified before they are shown."""
    decimals: bool
    """Whether the program has numbers such as 0.5, so that its formulas should too."""


def build(sympy: Any, request: Mapping[str, Any], output: int) -> Formula:
    """The output as a function of the inputs."""
    tape = request["tape"]
    symbols = {
        entry["node"]: sympy.Symbol(entry["name"], real=True) for entry in tape if "name" in entry
    }
    constants = [entry for entry in tape if "value" in entry and "name" not in entry]
    attributes = (value for entry in tape for value in entry.get("attributes", {}).values())
    constants += [_as_entry(value) for value in attributes if isinstance(value, float)]
    is_exact = all(_is_exact(constant) for constant in constants)
    exact = _run(sympy, tape, symbols, output, _exact_constant)
    shown = None
    if request["texts"] != "none":
        shown = exact if is_exact else _run(sympy, tape, symbols, output, _shown_constant)
    roundoff = NEARBY_ROUNDOFFS * UNIT_ROUNDOFF[request["dtype"]]
    here, nearby = {}, {}
    for position, (node, symbol) in enumerate(symbols.items()):
        value = next(entry["value"] for entry in tape if entry["node"] == node)
        here[symbol] = sympy.Rational(value)
        # In turn up and down, so that differences of inputs move too.
        nearby[symbol] = here[symbol] * (1 + sympy.Rational(roundoff) * (-1) ** position)
    decimals = any(not float(constant["value"]).is_integer() for constant in constants)
    is_finite, is_simplified = request["is_finite"], request["texts"] == "simplified"
    return Formula(exact, shown, symbols, Place(here, nearby), is_finite, is_simplified, decimals)


def _run(
    sympy: Any,
    tape: Sequence[Entry],
    symbols: Mapping[int, Any],
    output: int,
    number: Callable[[Any, Entry], Any],
) -> Any:
    """The tape, run on symbols."""
    results: dict[int, Any] = {}
    for entry in tape:
        node = entry["node"]
        if node in symbols:
            results[node] = symbols[node]
        elif "value" in entry:
            results[node] = number(sympy, entry)
        else:
            operation = OPERATIONS[entry["operation"]]
            if operation.twins.symbolic is None:
                raise NoAnswerError(f"`{operation.name}` has no symbolic form here")
            operands = [results[operand] for operand in entry["operands"]]
            attributes = {
                key: number(sympy, _as_entry(value))
                if isinstance(value, float)
                else decode_attribute(value)
                for key, value in entry["attributes"].items()
            }
            results[node] = operation.twins.symbolic(sympy, *operands, **attributes)
        if node == output:
            break
    return results[output]


def _as_entry(value: float) -> Entry:
    """An attribute (a slope, an `eps`), which is a constant of the program too."""
    return {"value": value, "digits": str(value)}


def _exact_constant(sympy: Any, entry: Entry) -> Any:
    value = entry["value"]
    if isinstance(value, bool):
        return sympy.true if value else sympy.false
    if _is_exact(entry):
        return sympy.Rational(entry["digits"])
    return sympy.Float(value, _CONSTANT_DIGITS)


def _shown_constant(sympy: Any, entry: Entry) -> Any:
    digits = entry["digits"].partition("e")[0].strip("-0.").replace(".", "")
    if _is_exact(entry):
        return _exact_constant(sympy, entry)
    if len(digits) <= SHOWN_DIGITS:
        return sympy.Rational(entry["digits"])
    return sympy.Float(entry["value"], _SHOWN_PRECISION)


def _is_exact(entry: Entry) -> bool:
    """Whether the digits of a constant are its value, and not only the nearest to it."""
    value = _finite(entry["value"])
    return isinstance(value, bool) or Fraction(entry["digits"]) == Fraction(value)


def _finite(value: float) -> float:
    if value - value != 0:
        raise NoAnswerError(NOT_FINITE)
    return value
