r"""Formulas as LaTeX, for use inside of `$…$`: `x²` is `x^{2}`, `∂y/∂x` a `\frac`.

Whatever LaTeX has no command for stays as it is, in `\text{…}`, so that the result is ASCII and
always compiles.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from backprop_engine.mathematics.parser import NAME
from backprop_engine.mathematics.text import Language, Pieces
from backprop_engine.mathematics.tree import (
    TOUCHING,
    At,
    Branch,
    Leaf,
    Strength,
    Text,
    Tree,
    first_of,
    flattened,
    is_loose,
    is_word,
    strength,
)

_FUNCTIONS: Final = frozenset(
    {"sin", "cos", "tan", "tanh", "sinh", "cosh", "exp", "log", "max", "min", "det"}
)
"""What LaTeX has a command for."""
_SIGNS: Final = {
    TOUCHING: "", "·": r"\cdot", "×": r"\times", "⊙": r"\odot", "⊗": r"\otimes", "⋆": r"\star",
    "⋆ᵀ": r"\star^{\top}", "@": r"\,", "−": "-", "mod": r"\bmod", "≤": r"\le", "≥": r"\ge",
    "≠": r"\ne", "≈": r"\approx", "∧": r"\wedge", "∨": r"\vee", "⊻": r"\oplus", "&": r"\&",
    "Σ": r"\sum", "Π": r"\prod", "det": r"\det", "log": r"\log", "tr": r"\operatorname{tr}",
    "¬": r"\lnot", "~": r"\sim", "∂": r"\partial", "ᵀ": r"^{\top}",
    "⌊": r"\lfloor", "⌋": r"\rfloor", "⌈": r"\lceil", "⌉": r"\rceil", "‖": r"\Vert",
    "σ": r"\sigma", "Φ": r"\Phi", "φ": r"\varphi", "μ": r"\mu", "ε": r"\epsilon", "π": r"\pi",
    "…": r"\dots", "⋯": r"\cdots", "½": r"\tfrac{1}{2}", "∞": r"\infty",
}  # fmt: skip
_LOWERED: Final = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
_NUMBER = re.compile(r"(?P<digits>−?[0-9][0-9.]*)(?:e(?P<exponent>[−-]?[0-9]+))?")
_FIGURES = re.compile(r"[0-9\s.,:()\[\]−-]+")
_START, _END = "\x02", "\x03"
"""Around words, until those that stand side by side are one text."""


class _Latex(Language):
    def written(self, tree: Tree) -> str:
        written = ""
        for piece in flattened(tree, self.spelled, self.leaf, self.brackets):
            # `\cdot` runs into a letter that follows it.
            if piece[:1].isalpha() and re.search(r"\\[a-zA-Z]+$", written):
                written += " "
            written += piece
        written = written.replace(_END + _START, "")
        return written.replace(_START, r"\text{").replace(_END, "}").strip()

    def chain(self, tree: Branch, places: list[At]) -> Pieces:
        are_words = strength(tree) is Strength.WORDS
        for at, (part, asks) in enumerate(places):
            if at:
                comes_word = tree.signs[at - 1] in (", ", "; ") and is_word(first_of(part))
                yield (_words if comes_word else self.sign)(tree.signs[at - 1])
            if are_words and isinstance(part, Branch) and part.signs == ("Σ ",):
                yield r"\sum "  # of `Σ over the copies of y`
                (part,) = part.parts
            yield _words(part.text) if are_words and is_word(part) else At(part, asks)

    def prefix(self, sign: str, place: At) -> Pieces:
        if sign == "√":
            return r"\sqrt{", At(place.tree, 0), "}"
        return self.sign(sign) + " " * (sign == "∂"), place

    def power(self, base: At, exponent: At) -> Pieces:
        return base, "^{", At(exponent.tree, 0), "}"

    def partial(self, sign: str, above: At, below: At) -> Pieces:
        over, under = At(above.tree, 0), At(below.tree, 0)
        sign = self.sign(sign)
        return rf"\frac{{{sign} ", over, rf"}}{{{sign} ", under, "}"

    def function(self, place: At) -> str | At:
        return _function(place.tree.text) if isinstance(place.tree, Text) else place

    def sign(self, sign: str) -> str:
        bare = sign.strip()
        if bare in ("", "if", "else", "with"):
            return _words(sign)
        if bare[1:] and bare[0] == "Σ":
            return rf"\sum_{{{unicodedata.normalize('NFKC', bare[1:])}}} "
        if bare[1:] and bare[0] == "‖":  # with the order of the norm
            below = bare[1:].lstrip("_").replace("−", "-").translate(_LOWERED)
            return rf"\Vert_{{{_SIGNS.get(below, below)}}}"
        if bare[-1] == "=" and bare[1:]:
            return f"{_name(bare[:-1])}="
        return sign.replace(bare, _SIGNS.get(bare, bare))

    def leaf(self, leaf: Leaf, asks: int) -> str:
        text = leaf.text if isinstance(leaf, Text) else leaf.name
        written = _atom(text)
        return f"({written})" if asks > Strength.LOOSE and is_loose(text) else written


_LATEX = _Latex()


def latex(tree: Tree) -> str:
    """A formula as LaTeX."""
    return _LATEX.written(tree)


def _atom(text: str) -> str:
    if number := _NUMBER.fullmatch(text):
        exponent = number["exponent"]
        power = rf" \times 10^{{{exponent}}}" if exponent else ""
        return f"{number['digits']}{power}".replace("−", "-")
    if _FIGURES.fullmatch(text):
        return text.replace("−", "-")
    if text.startswith("−") and re.fullmatch(NAME, text[1:]):
        return f"-{_name(text[1:])}"
    return _name(text) if re.fullmatch(NAME, text) else _words(text)


def _function(name: str) -> str:
    word, below = name.rstrip("∠₀₁₂₃₄₅₆₇₈₉"), name.translate(_LOWERED)
    index = f"_{{{below[len(word) :]}}}" if word != name else ""
    index = index.replace("_{∠}", r"\angle ")
    if word in _FUNCTIONS:
        return f"\\{word}{index}"
    return (_name(word) if len(word) == 1 else rf"\operatorname{{{_plain(word)}}}") + index


def _name(name: str) -> str:
    """`x`, `v_{3}` for an invented `%3`, `W_{1}`, `h^{(2)}` for the second `h`."""
    name, _, version = name.partition("@")
    letter, digits = name[0], name[1:]
    if letter == "%":
        written = f"v_{{{digits}}}"
    elif name in _FUNCTIONS:
        written = f"\\{name}"
    elif len(name) == 1:
        written = _SIGNS.get(name, name)
    elif digits == "\u0302":
        written = rf"\hat{{{letter}}}"
    elif digits.isdecimal() and letter.isascii():
        written = f"{letter}_{{{digits}}}"
    else:
        written = rf"\mathrm{{{_plain(name)}}}"
    if version:
        written += f"^{{({version})}}"
    return written if written.isascii() else _words(name)


def _words(text: str) -> str:
    return f"{_START}{_plain(text)}{_END}"


def _plain(text: str) -> str:
    r"""Inside of `\text{…}`: what means something to LaTeX is escaped."""
    escaped = re.sub(r"([%&#$_{}])", r"\\\1", text.replace("\\", "/").replace("−", "-"))
    return re.sub(r"[~^\x00-\x1f\x7f]", " ", escaped).encode("ascii", "replace").decode("ascii")
