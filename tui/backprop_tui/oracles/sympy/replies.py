"""What the child says about one output: its expression, its derivatives, and both at the point."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from backprop_tui.oracles.sympy.calculus import (
    KINK,
    NOT_FINITE,
    NoAnswerError,
    differentiate,
    evaluate,
    has_kink,
)
from backprop_tui.oracles.sympy.formula import Formula, build
from backprop_tui.oracles.sympy.written import written

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
