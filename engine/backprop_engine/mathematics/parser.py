"""A one-line text in the signs of mathematics, as a tree: `1 − {y}²`, `{g}, summed over axis 0`."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple

from backprop_engine.mathematics.tree import (
    INFIX,
    KEYWORD,
    PREFIX,
    Branch,
    Form,
    Hole,
    Strength,
    Text,
    Tree,
    chain,
    partial,
    prefix,
)

_LETTER = r"[^\W\d⁰¹²³⁴⁵⁶⁷⁸⁹ᵀ]"
_PART = rf"(?:{_LETTER}|[…½∞⋯])(?:{_LETTER}|[0-9]|\u0302|∠)*"
NAME: Final = rf"%[0-9]+|{_PART}(?:\.{_PART})*(?:@[0-9]+)?"
RAISED: Final = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789−")
_SLICE = "[−-]?[0-9]*:[−-]?[0-9]*(?::[−-]?[0-9]*)?"
_CLOSING: Final = {"(": ")", "[": "]", "⌊": "⌋", "⌈": "⌉", "|": "|", "‖": "‖"}
_INFIXES = "|".join(re.escape(sign) for sign in sorted(INFIX, key=len, reverse=True) if sign != " ")
_PREFIXES = "|".join(re.escape(sign) for sign in PREFIX)
_OPERAND: Final = re.compile(
    rf"∂(?P<above>{NAME})/∂(?P<below>{NAME})|(?P<slice>{_SLICE}|\.\.\.)"
    rf"|(?P<prefix>{_PREFIXES}|[a-z]+=(?! ))|\{{(?P<hole>\w+)\}}"
    rf"|(?P<tuple>(?<=[ =])(?:\(\)|\([−-]?[0-9]+,\)))"
    rf"|(?P<number>[0-9][0-9.]*(?:e[−-]?[0-9]+)?|{NAME})|(?P<open>[(\[⌊⌈|‖])|(?P<close>(?<=\()\))"
)
"""What may stand where an operand is expected."""
_AFTER: Final = re.compile(
    rf"(?P<infix>{_INFIXES}|\^)|(?P<raised>[⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+)|(?P<suffix>ᵀ)|(?P<apply>[(\[])"
    r"|(?P<close>[)\]⌋⌉|]|‖(?:[₁∞]|_[−+0-9.einf]+)?)|(?P<word> )"
)
"""What may stand after one."""


class _Sign(NamedTuple):
    """A sign that waits for the end of its right side."""

    text: str
    strength: int
    is_prefix: bool = False


class _Open(NamedTuple):
    """A bracket that waits for its end."""

    text: str
    form: Form | None
    """None for one that only holds together what is inside it."""
    depth: int
    """How many operands there were before it."""


@lru_cache(maxsize=4096)
def parse(text: str) -> Tree:
    """`text` as a tree, with a hole for each name in braces. ValueError where it is none."""
    reader = _Reader(text)
    at, expects_operand = 0, True
    while at < len(text):
        match = (_OPERAND if expects_operand else _AFTER).match(text, at)
        if match is None:
            raise ValueError(f"`{text[at:]}` of `{text}` is no mathematics")
        expects_operand = reader.take(match)
        at = match.end()
    if expects_operand:
        raise ValueError(f"`{text}` is not complete")
    return reader.result()


def _leaf(match: re.Match[str]) -> Tree:
    if match["hole"]:
        return Hole(match["hole"])
    return partial(match["above"], match["below"]) if match["below"] else Text(match[0])


class _Reader:
    """Operands, and the signs and brackets that are still open, each as a stack."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.operands: list[Tree] = []
        self.open: list[_Sign | _Open] = []

    def take(self, match: re.Match[str]) -> bool:
        """Takes one piece of the text; whether an operand is expected after it."""
        text, group = match[0], match.lastgroup
        match group:
            case "prefix":
                self.open.append(_Sign(text, PREFIX.get(text, KEYWORD)[0], is_prefix=True))
            case "infix":
                self._infix(text)
            case "word":
                self._infix(" ")
            case "open":
                form = None if text == "(" else Form.FENCE
                self.open.append(_Open(text, form, len(self.operands)))
            case "apply":
                form = Form.CALL if text == "(" else Form.INDEX
                self.open.append(_Open(text, form, len(self.operands) - 1))
            case "close":
                self._close(text)
            case "raised":
                exponent = Text(text.translate(RAISED))
                self.operands[-1] = Branch(Form.POWER, (self.operands[-1], exponent))
            case "suffix":
                self.operands[-1] = Branch(Form.SUFFIX, (self.operands[-1],), (text,))
            case _:
                self.operands.append(_leaf(match))
        return group in ("prefix", "infix", "word", "open", "apply")

    def result(self) -> Tree:
        """The whole."""
        self._settle(0)
        if self.open or len(self.operands) != 1:
            raise ValueError(f"`{self.text}` is not complete")
        return self.operands[0]

    def _settle(self, least: int) -> None:
        """Joins what the open signs of at least this strength stand between."""
        while self.open and isinstance(sign := self.open[-1], _Sign) and sign.strength >= least:
            self.open.pop()
            right = self.operands.pop()
            if sign.is_prefix:
                self.operands.append(prefix(sign.text, right))
            elif sign.text == "^":
                self.operands[-1] = Branch(Form.POWER, (self.operands[-1], right))
            else:
                self.operands[-1] = chain(self.operands[-1], sign.text, right)

    def _infix(self, text: str) -> None:
        strength = Strength.POWER if text == "^" else INFIX[text]
        self._settle(strength)
        holder = self.open[-1] if self.open else None
        is_argument = isinstance(holder, _Open) and holder.form in (Form.CALL, Form.INDEX)
        if not (text == ", " and is_argument):
            self.open.append(_Sign(text, strength))

    def _close(self, text: str) -> None:
        self._settle(0)
        holder = self.open.pop() if self.open else None
        if not isinstance(holder, _Open) or not text.startswith(_CLOSING[holder.text]):
            raise ValueError(f"a bracket of `{self.text}` is missing")
        parts = tuple(self.operands[holder.depth :])
        if not parts:
            raise ValueError(f"there is nothing in a bracket of `{self.text}`")
        if holder.form is not None:
            signs = (holder.text, text) if holder.form is Form.FENCE else ()
            self.operands[holder.depth :] = [Branch(holder.form, parts, signs)]
