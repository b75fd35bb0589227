"""Formulas in Unicode, on one line; other languages are told as far as they differ from it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from backprop_engine.mathematics.tree import (
    TOUCHING,
    At,
    Branch,
    Form,
    Hole,
    Leaf,
    Strength,
    Text,
    Tree,
    asked,
    flattened,
    is_loose,
)

_SUPERSCRIPTS = str.maketrans("0123456789-−", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁻")
EXPONENT = Strength.ATOM + 1
"""Asked of a leaf that is an exponent."""

Pieces = Iterable[str | At]


class Language:
    """How formulas are written: the signs, and what stands around the parts of a branch."""

    brackets = ("(", ")")

    def written(self, tree: Tree) -> str:
        """A formula as text."""
        return "".join(flattened(tree, self.spelled, self.leaf, self.brackets))

    def spelled(self, tree: Branch) -> Iterator[str | At]:
        """A branch in signs and parts."""
        places = [At(*pair) for pair in zip(tree.parts, asked(tree), strict=True)]
        match tree.form:
            case Form.CHAIN | Form.STATEMENT:
                yield from self.chain(tree, places)
            case Form.PREFIX:
                yield from self.prefix(tree.signs[0], places[0])
            case Form.SUFFIX:
                yield from self.suffix(places[0], tree.signs[0])
            case Form.POWER:
                yield from self.power(*places)
            case Form.PARTIAL:
                yield from self.partial(tree.signs[0], *places)
            case Form.FENCE:
                yield from (self.sign(tree.signs[0]), places[0], self.sign(tree.signs[1]))
            case _:
                yield from self.applied(tree.form, *places)

    def chain(self, tree: Branch, places: list[At]) -> Pieces:
        """Parts with signs between them."""
        yield places[0]
        for sign, place in zip(tree.signs, places[1:], strict=True):
            yield from (self.sign(sign), place)

    def prefix(self, sign: str, place: At) -> Pieces:
        """`−a`"""
        return self.sign(sign), place

    def suffix(self, place: At, sign: str) -> Pieces:
        """`aᵀ`"""
        return place, self.sign(sign)

    def power(self, base: At, exponent: At) -> Pieces:
        """`a²`"""
        if isinstance(exponent.tree, Branch):
            return base, "^", exponent
        return base, At(exponent.tree, EXPONENT)

    def partial(self, sign: str, above: At, below: At) -> Pieces:
        """`∂a/∂b`"""
        return self.sign(sign), above, "/", self.sign(sign), below

    def applied(self, form: Form, function: At, *arguments: At) -> Pieces:
        """`f(a, b)` and `a[b]`."""
        yield from (self.function(function), self.sign("(" if form is Form.CALL else "["))
        for at, place in enumerate(arguments):
            yield from (self.sign(", "), place) if at else (place,)
        yield self.sign(")" if form is Form.CALL else "]")

    def function(self, place: At) -> str | At:
        """What is called."""
        return place

    def sign(self, sign: str) -> str:
        """A sign, with the blanks around it."""
        return "" if sign == TOUCHING else sign

    def leaf(self, leaf: Leaf, asks: int) -> str:
        """A name or a number in its place."""
        return in_place(leaf.text if isinstance(leaf, Text) else f"{{{leaf.name}}}", asks)


UNICODE = Language()


def text_of(tree: Tree | None) -> str:
    """A formula as text; empty for None."""
    return "" if tree is None else UNICODE.written(tree)


def in_place(text: str, asks: int) -> str:
    """A name or a number as its place asks for it: `x`, `(−3)`, `²`."""
    if asks == EXPONENT and text.lstrip("−-").isdecimal():
        return text.translate(_SUPERSCRIPTS)
    written = f"({text})" if asks > Strength.LOOSE and is_loose(text) else text
    return f"^{written}" if asks == EXPONENT else written


def pieces(tree: Tree) -> tuple[str | tuple[str, int], ...]:
    """A template's text, with the name of each hole and what is asked there."""

    def leaf(leaf: Leaf, asks: int) -> str | tuple[str, int]:
        return (leaf.name, asks) if isinstance(leaf, Hole) else in_place(leaf.text, asks)

    return tuple(flattened(tree, UNICODE.spelled, leaf, ("(", ")")))
