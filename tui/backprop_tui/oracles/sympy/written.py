"""A sympy expression as people write it: `2x + 3`, `x²·cos(x)`, `1/(2√x)`, `[x > 0]`.

The signs are those of `backprop_engine.basics.notation`. No recursion: what
writes an expression waits, as a generator, for the formulas of its parts.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from typing import Any

from backprop_engine.basics import notation
from backprop_engine.mathematics.text import text_of
from backprop_engine.mathematics.tree import (
    TOUCHING,
    Branch,
    Form,
    Strength,
    Text,
    Tree,
    call,
    chain,
    prefix,
    run_on,
    strength,
)

SHOWN_DIGITS = 6
_MOST_DECIMALS = 4
_INEQUALITIES = {"==": "=", "!=": "≠", "<": "<", "<=": "≤", ">": ">", ">=": "≥"}
_CONSTANTS = {"Pi": "π", "Exp1": "e", "Infinity": "∞", "NegativeInfinity": "−∞"}
_NAMES = {"Max": "max", "Min": "min", "ceiling": "ceil", "Abs": "abs"}


def written(sympy: Any, expression: Any, *, decimals: bool) -> str:
    """`expression` as text; with `decimals` a half is `0.5`, else it is `1/2`."""
    writer = _Writer(sympy, decimals)
    waiting, done = [writer.tree(expression)], None
    while waiting:
        try:
            part = waiting[-1].send(done)
        except StopIteration as end:
            waiting.pop()
            done = end.value
        else:
            waiting.append(writer.tree(part))
            done = None
    return text_of(done)


_Writing = Generator[Any, Any, Tree]
"""Gives the expressions whose formulas it needs one after the other, and at last its own."""


class _Writer:
    """Takes expressions apart, and puts their formulas together."""

    def __init__(self, sympy: Any, decimals: bool) -> None:
        self.sympy = sympy
        self.decimals = decimals

    def tree(self, expression: Any) -> _Writing:
        """The formula of `expression`."""
        sympy = self.sympy
        if expression.is_Add:
            return (yield from self._sum(expression))
        if expression.is_Mul or (expression.is_Pow and self._is_reciprocal(expression)):
            return (yield from self._product(expression))
        if expression.is_Pow:
            return (yield from self._power(expression))
        if not expression.args:
            return self._leaf(expression)
        if isinstance(expression, sympy.Piecewise):
            return (yield from self._pieces(expression))
        parts = yield from _each(expression.args)
        if isinstance(expression, sympy.Abs):
            return _fenced("|", parts[0], "|")
        if isinstance(expression, sympy.Heaviside):
            return _fenced("[", chain(parts[0], " > ", Text("0")), "]")
        if isinstance(expression, sympy.core.relational.Relational):
            sign = _INEQUALITIES.get(expression.rel_op, expression.rel_op)
            return chain(parts[0], f" {sign} ", parts[1])
        if isinstance(expression, sympy.logic.boolalg.BooleanFunction):
            return _in_words(type(expression).__name__.lower(), parts)
        return call(_NAMES.get(type(expression).__name__, type(expression).__name__), *parts)

    # Leaves

    def _leaf(self, expression: Any) -> Tree:
        if expression.is_Integer:
            return _signed(str(int(expression)))
        if expression.is_Rational:
            return self._ratio(expression)
        if expression.is_Float:
            return _signed(notation.number(float(expression), SHOWN_DIGITS))
        return Text(_CONSTANTS.get(type(expression).__name__, str(expression)))

    def _ratio(self, expression: Any) -> Tree:
        if self.decimals:
            shifted = expression * 10**_MOST_DECIMALS
            if shifted.is_Integer:
                return _signed(notation.number(float(expression), 12))
        ratio = chain(Text(str(abs(int(expression.p)))), "/", Text(str(int(expression.q))))
        return prefix("−", ratio) if expression.is_negative else ratio

    # Sums

    def _unsigned(self, term: Any) -> tuple[bool, Any]:
        """Whether a term is negative, and its magnitude."""
        coefficient, _ = term.as_coeff_Mul()
        is_negative = bool(coefficient.is_number and coefficient.is_negative)
        return is_negative, -term if is_negative else term

    def _terms(self, expression: Any) -> list[Any]:
        """In sympy's order; a polynomial's leading term stays first, else a positive one is."""
        terms: list[Any] = expression.as_ordered_terms()
        if not expression.is_polynomial():
            at = next((at for at, term in enumerate(terms) if not self._unsigned(term)[0]), 0)
            terms.insert(0, terms.pop(at))
        return terms

    def _sum(self, expression: Any) -> _Writing:
        (is_negative, first), *others = map(self._unsigned, self._terms(expression))
        part: Tree = yield first
        total = prefix("−", part) if is_negative else part
        for is_negative, term in others:
            total = chain(total, " − " if is_negative else " + ", (yield term))
        return total

    # Products and quotients

    def _is_reciprocal(self, power: Any) -> bool:
        exponent = power.exp.as_coeff_Mul()[0]
        # exp(−x) stays as it is: its base is no denominator to anybody.
        return bool(exponent.is_negative) and not isinstance(power, self.sympy.exp)

    def _fraction(self, expression: Any) -> tuple[Any, list[Any], list[Any]]:
        """Coefficient, factors above the bar, factors below it."""
        coefficient, rest = expression.as_coeff_Mul()
        above: list[Any] = []
        below: list[Any] = []
        for factor in self.sympy.Mul.make_args(rest) if rest is not self.sympy.S.One else ():
            if factor.is_Pow and self._is_reciprocal(factor):
                below.append(1 / factor)
            else:
                above.append(factor)
        return coefficient, self._ordered(above), self._ordered(below)

    def _ordered(self, factors: list[Any]) -> list[Any]:
        """As sympy orders them, with sums and functions after plain powers."""
        ordered = self.sympy.Mul(*factors, evaluate=False).as_ordered_factors()
        return [factor for factor in ordered if factor is not self.sympy.S.One]

    def _product(self, expression: Any) -> _Writing:
        coefficient, above, below = self._fraction(expression)
        size = abs(coefficient)
        over, under = size, None
        if size.is_Rational and not size.is_Integer:
            is_decimal = self.decimals and (size * 10**_MOST_DECIMALS).is_Integer
            if not is_decimal:
                over, under = self.sympy.Integer(size.p), self.sympy.Integer(size.q)
        has_over = over != 1 or not above
        factors = yield from _each(above)
        whole = _factors(self._leaf(over) if has_over else None, factors)
        if below or under is not None:
            factors = yield from _each(below)
            number = None if under is None else self._leaf(under)
            whole = chain(whole, "/", _factors(number, factors))
        return prefix("−", whole) if coefficient.is_negative else whole

    # Powers

    def _power(self, expression: Any) -> _Writing:
        base = yield expression.base
        if expression.exp == self.sympy.Rational(1, 2):
            return prefix("√", base)
        exponent = (
            Text(str(int(expression.exp))) if expression.exp.is_Integer else (yield expression.exp)
        )
        return Branch(Form.POWER, (base, exponent))

    # Cases

    def _pieces(self, expression: Any) -> _Writing:
        pieces = []
        for piece in expression.args:
            value = yield piece.expr
            if piece.cond == True:  # noqa: E712
                pieces.append(_in_words("", (value, Text("otherwise"))))
            else:
                pieces.append(_in_words("if", (value, (yield piece.cond))))
        return _fenced("{", _joined(pieces, "; "), "}")


def _each(expressions: Iterable[Any]) -> Generator[Any, Any, list[Tree]]:
    parts: list[Tree] = []
    for expression in expressions:
        parts += ((yield expression),)
    return parts


def _fenced(opening: str, part: Tree, closing: str) -> Tree:
    return Branch(Form.FENCE, (part,), (opening, closing))


def _joined(parts: Sequence[Tree], sign: str) -> Tree:
    whole, *others = parts
    for part in others:
        whole = run_on(whole, sign, part)
    return whole


def _in_words(word: str, parts: Sequence[Tree]) -> Tree:
    """`a and b`, `not a`, `a if b`"""
    between = [Text(word)] if word else []
    spread = [piece for part in parts for piece in (*between, part)]
    return _joined(spread[len(between) * (len(parts) > 1) :], " ")


def _factors(number: Tree | None, factors: Sequence[Tree]) -> Tree:
    """`2x·sin(x)`: a number needs no dot before a letter or a bracket."""
    if number is None:
        return _joined(factors, "·")
    if not factors:
        return number
    is_bracketed = strength(factors[0]) < Strength.APPLIED
    sign = TOUCHING if is_bracketed or _may_touch(text_of(factors[0])) else "·"
    return _joined((chain(number, sign, factors[0]), *factors[1:]), "·")


def _signed(text: str) -> Tree:
    text = text.replace("-", "−")
    return prefix("−", Text(text[1:])) if text.startswith("−") else Text(text)


def _may_touch(text: str) -> bool:
    """Whether a number can stand right before `text`: `2x`, `2(x + 1)`, `2sin(x)`; not `2·rate`.

    A longer name would read as something else, and `2e3` as a number.
    """
    if not text[:1].isalpha():
        return text[:1] in "(√|["
    name = text[: next((at for at, sign in enumerate(text) if not sign.isalnum()), len(text))]
    is_function = text[len(name) : len(name) + 1] == "("
    letters = name.rstrip("⁰¹²³⁴⁵⁶⁷⁸⁹")
    return is_function or len(letters) == 1
