"""The symbolic process: the one place where sympy is imported, and what it says of an output.

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
from backprop_tui.oracles.messages import decode_attribute
from backprop_tui.oracles.serving import UnavailableError, run
from backprop_tui.oracles.sympy.calculus import (
    KINK,
    NOT_FINITE,
    NoAnswerError,
    Place,
    differentiate,
    evaluate,
    has_kink,
)
from backprop_tui.oracles.sympy.written import SHOWN_DIGITS, written

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


SIMPLIFIED_PARTS = 40
"""Sympy's full simplification may take minutes for twice as much, and longer than it is worth."""
TIDIED_PARTS = 150
"""Longer derivatives are shown as they are."""
_HIGHEST_FACTORED = 6
"""The highest power in what is multiplied out."""
WRITTEN_PARTS = 600
"""Still longer expressions are not shown at all."""
_SAME = 1e-9

TOO_DEEP = "nested too deeply for sympy"

NOTHING = ("", "")


def function_reply(
    sympy: Any, request: Mapping[str, Any], output: int, inputs: Sequence[int]
) -> dict[str, Any]:
    """All that is said about one output; a `reason` where that is nothing."""
    try:
        formula = build(sympy, request, output)
        value = evaluate(sympy, formula.exact, formula.place.here) if formula.is_finite else None
        reason = NOT_FINITE if value is None else ""
        if not reason and has_kink(sympy, formula.exact, formula.place):
            reason = KINK
        return {
            "output": output,
            "expression": _texts(sympy, formula, formula.shown),
            "value": value,
            "partials": [_partial_reply(sympy, formula, node, reason) for node in inputs],
            "reason": "",
        }
    except NoAnswerError as error:
        reason = str(error)
    except RecursionError:
        reason = TOO_DEEP
    except (ArithmeticError, AttributeError, NotImplementedError, TypeError, ValueError) as error:
        reason = f"sympy gives up: {error}"
    empty: dict[str, Any] = {"expression": NOTHING, "value": None, "partials": []}
    return {"output": output, **empty, "reason": reason}


def _partial_reply(sympy: Any, formula: Formula, node: int, reason: str) -> dict[str, Any]:
    """The derivative by one input; its value only where there is no `reason` against it."""
    symbol, place = formula.symbols[node], formula.place
    derivative = differentiate(sympy, formula.exact, symbol)
    value = nearby = None
    if not reason:
        value = evaluate(sympy, derivative, place.here)
        nearby = evaluate(sympy, derivative, place.nearby)
        reason = NOT_FINITE if value is None else ""
    texts = NOTHING
    if formula.shown is not None:
        is_same = formula.shown is formula.exact
        shown = derivative if is_same else differentiate(sympy, formula.shown, symbol)
        if formula.is_simplified:
            shown = simplified(sympy, shown, formula)
        texts = _texts(sympy, formula, shown)
    return {"input": node, "derivative": texts, "value": value, "nearby": nearby, "reason": reason}


def simplified(sympy: Any, derivative: Any, formula: Formula) -> Any:
    """The shortest form that a learner would still recognise."""
    size = parts_of(derivative, TIDIED_PARTS)
    if size > TIDIED_PARTS or not formula.is_finite:
        return derivative
    candidates = [derivative, sympy.factor_terms(derivative), sympy.together(derivative)]
    if size <= SIMPLIFIED_PARTS:
        candidates.append(sympy.simplify(derivative))
        if _is_small_quotient(sympy, derivative):
            candidates += [sympy.factor(derivative), sympy.cancel(derivative)]
    known, here = _functions(sympy, derivative), formula.place.here
    value = evaluate(sympy, derivative, here)
    return min(
        (
            candidate
            for candidate in candidates
            # No cosh where there was none; and no trust in a simplification without a test.
            if _functions(sympy, candidate) <= known
            and _is_same(value, evaluate(sympy, candidate, here))
        ),
        key=lambda form: len(written(sympy, form, decimals=formula.decimals)),
        default=derivative,
    )


def _is_small_quotient(sympy: Any, expression: Any) -> bool:
    powers = [atom.exp for atom in expression.atoms(sympy.Pow)]
    return bool(expression.is_rational_function()) and all(
        power.is_Integer and abs(power) <= _HIGHEST_FACTORED for power in powers
    )


def _functions(sympy: Any, expression: Any) -> set[Any]:
    return {type(atom) for atom in expression.atoms(sympy.Function, sympy.I.func)}


def _is_same(ours: float | None, other: float | None) -> bool:
    if ours is None or other is None:
        return ours is other
    return abs(ours - other) <= _SAME * max(abs(ours), abs(other))


def parts_of(expression: Any, most: int) -> int:
    """How many symbols, numbers and operations; counted no further than just beyond `most`."""
    count, waiting = 0, [expression]
    while waiting and count <= most:
        waiting.extend(waiting.pop().args)
        count += 1
    return count


def _texts(sympy: Any, formula: Formula, expression: Any | None) -> tuple[str, str]:
    """Plain text and LaTeX; both empty where none is asked for, or it would be too long."""
    if expression is None or parts_of(expression, WRITTEN_PARTS) > WRITTEN_PARTS:
        return NOTHING
    text = written(sympy, expression, decimals=formula.decimals)
    return text, sympy.latex(expression, fold_short_frac=False)


def import_sympy() -> Any:
    """Sympy; UnavailableError if it cannot be imported."""
    try:
        import sympy
    except Exception as error:  # a broken installation can raise anything
        raise UnavailableError(f"{type(error).__name__}: {error}") from error
    return sympy


def answer(request: Mapping[str, Any]) -> dict[str, Any]:
    """The reply to one request."""
    sympy = import_sympy()
    functions = [function_reply(sympy, request, *asked) for asked in request["outputs"]]
    return {"version": sympy.__version__, "functions": functions}


def main() -> None:
    """Serve on standard input and output."""
    run(answer)


if __name__ == "__main__":
    main()
