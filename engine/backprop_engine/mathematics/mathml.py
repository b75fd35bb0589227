"""Formulas as MathML, for a page of HTML."""

from __future__ import annotations

import re
from html import escape

from backprop_engine.mathematics.text import Language, Pieces
from backprop_engine.mathematics.tree import (
    At,
    Branch,
    Leaf,
    Strength,
    Text,
    Tree,
    is_loose,
    is_word,
    strength,
)

_NUMBER = re.compile(r"−?[0-9][0-9.]*(?:e[−-]?[0-9]+)?")


class _MathML(Language):
    brackets = ("<mrow><mo>(</mo>", "<mo>)</mo></mrow>")

    def chain(self, tree: Branch, places: list[At]) -> Pieces:
        are_words = strength(tree) is Strength.WORDS
        for at, (part, asks) in enumerate(places):
            if at:
                yield self.sign(tree.signs[at - 1])
            yield _words(part.text) if are_words and is_word(part) else At(part, asks)

    def prefix(self, sign: str, place: At) -> Pieces:
        if sign == "√":
            return "<msqrt>", At(place.tree, 0), "</msqrt>"
        return "<mrow>", self.sign(sign), place, "</mrow>"

    def suffix(self, place: At, sign: str) -> Pieces:
        return "<msup><mrow>", place, "</mrow>", self.sign(sign).replace("ᵀ", "⊤"), "</msup>"

    def power(self, base: At, exponent: At) -> Pieces:
        raised = At(exponent.tree, 0)
        return "<msup><mrow>", base, "</mrow><mrow>", raised, "</mrow></msup>"

    def partial(self, sign: str, above: At, below: At) -> Pieces:
        over, under, sign = At(above.tree, 0), At(below.tree, 0), self.sign(sign)
        return f"<mfrac><mrow>{sign}", over, f"</mrow><mrow>{sign}", under, "</mrow></mfrac>"

    def sign(self, sign: str) -> str:
        bare = sign.strip()
        is_sign = bool(bare) and (bare[0] == "Σ" or not bare.isalpha())
        if not is_sign:
            return _words(sign)
        # Brackets are a row with what is in them: no higher, and no blank beside them.
        opens, closes = "<mrow>" * (bare in "(["), "</mrow>" * (bare in ")]")
        return f"{opens}<mo>{escape(bare)}</mo>{closes}"

    def leaf(self, leaf: Leaf, asks: int) -> str:
        text = leaf.text if isinstance(leaf, Text) else leaf.name
        element = "mn" if _NUMBER.fullmatch(text) else "mi"
        written = f"<{element}>{escape(text)}</{element}>"
        if asks <= Strength.LOOSE or not is_loose(text):
            return written
        return written.join(self.brackets)


_MATHML = _MathML()


def mathml(tree: Tree) -> str:
    """A formula as one `math` element."""
    written = _MATHML.written(tree).replace("</mtext><mtext>", "")
    return f"<math>{written}</math>"


def _words(text: str) -> str:
    return f"<mtext>{escape(text).replace(' ', chr(160))}</mtext>"
