"""A sympy expression as people write it: `2x + 3`, `x²·cos(x)`, `1/(2√x)`, `[x > 0]`.

The signs are those of `backprop_engine.basics.notation`. No recursion: an
expression is taken apart from the top, and put together from the bottom.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from backprop_engine.basics import notation

SUM, PRODUCT, POWER, ATOM = 1, 2, 3, 4
"""How tightly a text holds together; what is looser than its place asks for goes in brackets."""

SHOWN_DIGITS = 6
_MOST_DECIMALS = 4
_INEQUALITIES = {"==": "=", "!=": "≠", "<": "<", "<=": "≤", ">": ">", ">=": "≥"}
_CONSTANTS = {"Pi": "π", "Exp1": "e", "Infinity": "∞", "NegativeInfinity": "−∞"}
_NAMES = {"Max": "max", "Min": "min", "ceiling": "ceil", "Abs": "abs"}


class _Text(NamedTuple):
    text: str
    strength: int

    def at_least(self, strength: int) -> str:
        """The text, in brackets if it is looser than `strength`."""
        return self.text if self.strength >= strength else f"({self.text})"


def written(sympy: Any, expression: Any, *, decimals: bool) -> str:
    """`expression` as text; with `decimals` a half is `0.5`, else it is `1/2`."""
    done: dict[Any, _Text] = {}
    writer = _Writer(sympy, decimals)
    waiting = [expression]
    while waiting:
        one = waiting[-1]
        parts = writer.parts(one)
        missing = [part for part in parts if part not in done]
        if missing and one not in done:
            waiting.extend(missing)
            continue
        waiting.pop()
        if one not in done:
            done[one] = writer.join(one, [done[part] for part in parts])
    return done[expression].text


class _Writer:
    """Takes one expression apart (`parts`) and puts its text together (`join`)."""

    def __init__(self, sympy: Any, decimals: bool) -> None:
        self.sympy = sympy
        self.decimals = decimals

    def parts(self, one: Any) -> Sequence[Any]:
        """The expressions whose texts `join` will need."""
        if one.is_Add:
            return [self._unsigned(term)[1] for term in self._terms(one)]
        if self._is_product(one):
            _, above, below = self._fraction(one)
            return [*above, *below]
        if one.is_Pow and self._is_root(one):
            return [one.base]
        if self._is_leaf(one):
            return []
        if isinstance(one, self.sympy.Piecewise):
            return [part for piece in one.args for part in piece.args]
        return list(one.args)

    def join(self, one: Any, parts: Sequence[_Text]) -> _Text:
        """The text of `one` from those of its parts."""
        sympy = self.sympy
        if one.is_Add:
            return self._sum(one, parts)
        if self._is_product(one):
            return self._product(one, parts)
        if one.is_Pow:
            return self._power(one, parts)
        if self._is_leaf(one):
            return self._leaf(one)
        texts = [part.text for part in parts]
        if isinstance(one, sympy.Abs):
            return _Text(f"|{texts[0]}|", ATOM)
        if isinstance(one, sympy.Heaviside):
            return _Text(f"[{texts[0]} > 0]", ATOM)
        if isinstance(one, sympy.core.relational.Relational):
            sign = _INEQUALITIES.get(one.rel_op, one.rel_op)
            return _Text(f"{texts[0]} {sign} {texts[1]}", SUM)
        if isinstance(one, sympy.Piecewise):
            return self._pieces(one, texts)
        if isinstance(one, sympy.logic.boolalg.BooleanFunction):
            word = f" {type(one).__name__.lower()} "
            joined = word.join(texts) if len(texts) > 1 else f"not {texts[0]}"
            return _Text(joined, SUM)
        name = _NAMES.get(type(one).__name__, type(one).__name__)
        return _Text(f"{name}({', '.join(texts)})", ATOM)

    # Leaves

    def _is_leaf(self, one: Any) -> bool:
        return not one.args

    def _leaf(self, one: Any) -> _Text:
        if one.is_Integer:
            return _signed(str(int(one)))
        if one.is_Rational:
            return self._ratio(one)
        if one.is_Float:
            return _signed(notation.number(float(one), SHOWN_DIGITS))
        return _Text(_CONSTANTS.get(type(one).__name__, str(one)), ATOM)

    def _ratio(self, one: Any) -> _Text:
        if self.decimals:
            shifted = one * 10**_MOST_DECIMALS
            if shifted.is_Integer:
                return _signed(notation.number(float(one), 12))
        text = f"{int(one.p)}/{int(one.q)}".replace("-", "−")
        return _Text(text, PRODUCT)

    # Sums

    def _unsigned(self, term: Any) -> tuple[bool, Any]:
        """Whether a term is negative, and its magnitude."""
        coefficient, _ = term.as_coeff_Mul()
        is_negative = bool(coefficient.is_number and coefficient.is_negative)
        return is_negative, -term if is_negative else term

    def _terms(self, one: Any) -> list[Any]:
        """In sympy's order; a polynomial's leading term stays first, else a positive one is."""
        terms: list[Any] = one.as_ordered_terms()
        if not one.is_polynomial():
            at = next((at for at, term in enumerate(terms) if not self._unsigned(term)[0]), 0)
            terms.insert(0, terms.pop(at))
        return terms

    def _sum(self, one: Any, parts: Sequence[_Text]) -> _Text:
        terms = [
            (self._unsigned(term)[0], part.at_least(PRODUCT))
            for term, part in zip(self._terms(one), parts, strict=True)
        ]
        is_negative, text = terms[0]
        text = f"−{text}" if is_negative else text
        for is_negative, more in terms[1:]:
            text += f" {'−' if is_negative else '+'} {more}"
        return _Text(text, SUM)

    # Products and quotients

    def _is_product(self, one: Any) -> bool:
        return bool(one.is_Mul) or (bool(one.is_Pow) and self._is_reciprocal(one))

    def _is_reciprocal(self, power: Any) -> bool:
        exponent = power.exp.as_coeff_Mul()[0]
        # exp(−x) stays as it is: its base is no denominator to anybody.
        return bool(exponent.is_negative) and not isinstance(power, self.sympy.exp)

    def _fraction(self, one: Any) -> tuple[Any, list[Any], list[Any]]:
        """Coefficient, factors above the bar, factors below it."""
        coefficient, rest = one.as_coeff_Mul()
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
        ordered = list(self.sympy.Mul(*factors, evaluate=False).as_ordered_factors())
        return [one for one in ordered if one is not self.sympy.S.One] if factors else []

    def _product(self, one: Any, parts: Sequence[_Text]) -> _Text:
        coefficient, above, _ = self._fraction(one)
        texts_above, texts_below = parts[: len(above)], parts[len(above) :]
        sign = "−" if coefficient.is_negative else ""
        size = abs(coefficient)
        over, under = size, None
        if size.is_Rational and not size.is_Integer:
            is_decimal = self.decimals and (size * 10**_MOST_DECIMALS).is_Integer
            if not is_decimal:
                over, under = self.sympy.Integer(size.p), self.sympy.Integer(size.q)
        has_over = over != 1 or not above
        top = self._factors(self._leaf(over) if has_over else None, texts_above)
        bottom = self._factors(None if under is None else self._leaf(under), texts_below)
        if not bottom:
            return _Text(sign + top, PRODUCT if sign or len(above) + has_over > 1 else POWER)
        is_single = len(texts_below) + (under is not None) == 1
        single = (list(texts_below) or [_Text(bottom, ATOM)])[0]
        bottom = single.at_least(POWER) if is_single else f"({bottom})"
        return _Text(f"{sign}{top}/{bottom}", PRODUCT)

    def _factors(self, number: _Text | None, factors: Sequence[_Text]) -> str:
        """`2x·sin(x)`: a number needs no dot before a letter or a bracket."""
        alone = len(factors) == 1 and number is None
        texts = [one.text if alone else one.at_least(POWER) for one in factors]
        if alone and factors[0].strength < PRODUCT:
            texts = [f"({texts[0]})"]
        joined = "·".join(texts)
        if number is None:
            return joined
        if not joined:
            return number.text
        shown = notation.in_brackets(number.text)
        return shown + ("" if _may_touch(joined) else "·") + joined

    # Powers

    def _is_root(self, power: Any) -> bool:
        return bool(power.exp == self.sympy.Rational(1, 2))

    def _power(self, one: Any, parts: Sequence[_Text]) -> _Text:
        base = parts[0]
        if self._is_root(one):
            return _Text(f"√{base.at_least(ATOM)}", POWER)
        exponent = parts[1]
        bracketed = exponent.at_least(ATOM)
        return _Text(notation.power(base.at_least(ATOM), bracketed), POWER)

    # Cases

    def _pieces(self, one: Any, texts: Sequence[str]) -> _Text:
        pieces = list(zip(texts[::2], texts[1::2], one.args, strict=True))
        shown = [
            f"{value} otherwise" if piece.cond == True else f"{value} if {condition}"  # noqa: E712
            for value, condition, piece in pieces
        ]
        return _Text(f"{{{'; '.join(shown)}}}", ATOM)


def _signed(text: str) -> _Text:
    text = text.replace("-", "−")
    return _Text(text, SUM if notation.in_brackets(text) != text else ATOM)


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
