r"""An explanation to paste elsewhere: as Markdown, and as LaTeX (`\frac{\partial y}{\partial x}`).

The signs that `notation` and `explain` write are read here and nowhere guessed at: whatever is
not known stays as it is, in `\text{…}`, so that the result is ASCII and always compiles.
"""

from __future__ import annotations

import re
from typing import Final

from backprop_engine.basics.notation import plain
from backprop_engine.reading.explain import Explanation

_FUNCTIONS: Final = frozenset(
    {"sin", "cos", "tan", "tanh", "sinh", "cosh", "exp", "log", "max", "min"}
)
"""What LaTeX has a command for."""

_SIGNS: Final = {
    "·": r"\cdot", "×": r"\times", "⊙": r"\odot", "@": r"\,", "−": "-", "–": "-", "→": r"\to",
    "←": r"\gets", "≤": r"\le", "≥": r"\ge", "≠": r"\ne", "≈": r"\approx", "∞": r"\infty",
    "Σ": r"\sum", "σ": r"\sigma", "Φ": r"\Phi", "φ": r"\varphi", "μ": r"\mu", "ε": r"\epsilon",
    "π": r"\pi", "∇": r"\nabla", "∂": r"\partial", "√": r"\sqrt{\,}", "¬": r"\lnot", "…": r"\dots",
    "ᵀ": r"^{\top}", "∠": r"\angle",
    "%": r"\%", "&": r"\&", "#": r"\#", "$": r"\$", "{": r"\{", "}": r"\}",
    "_": r"\_", "~": r"\sim", "\\": r"\backslash", "^": r"\wedge", "‖": r"\Vert",
}  # fmt: skip
_BLOCKS: Final = "▁▂▃▄▅▆▇█"
"""A picture of an array, which is no mathematics."""
_RAISED: Final = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_LETTER = r"[^\W\d⁰¹²³⁴⁵⁶⁷⁸⁹ᵀ]"
_WORD = rf"{_LETTER}(?:{_LETTER}|[0-9])*"
_NAME = rf"%[0-9]+|{_WORD}(?:\.{_WORD})*(?:@[0-9]+)?"


def _brackets(depth: int) -> str:
    """A pattern of brackets with others inside of them, so many deep."""
    inner = r"[^()√^]"
    for _ in range(depth):
        inner = rf"(?:[^()√^]|\({inner}*\))"
    return rf"\({inner}*\)"


_BRACKETS = _brackets(4)
_LABEL = rf"(?:{_NAME}|{_BRACKETS})"
_ATOM = rf"{_NAME}|[0-9][0-9.]*(?:e[−-]?[0-9]+)?|{_BRACKETS}"
_TOKEN: Final = re.compile(
    rf"∂(?P<above>{_LABEL})/∂(?P<below>{_LABEL})"
    r"|(?P<words>(?:, | )?(?:(?:[a-z]{2,}(?![\w(.@]) ?){2,}|\b(?:if|else|and|or|not|with|of)\b ?))"
    r"|(?P<raised>[⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+)"
    rf"|√(?P<root>{_ATOM})"
    rf"|\^(?P<power>{_ATOM}|[−-][0-9]+)"
    r"|(?P<number>[0-9][0-9.]*)(?:e(?P<exponent>[−-]?[0-9]+))?"
    rf"|(?P<name>{_NAME})"
    r"|(?P<blank>\s+)"
    r"|(?P<sign>.)"
)


def latex(text: str) -> str:
    r"""Algebra or figures as LaTeX, for use inside of `$…$`: `x²` is `x^{2}`."""
    parts: list[str] = []
    for match in _TOKEN.finditer(text):
        part = _token(match)
        # `\cdot` runs into a letter that follows it.
        if parts and re.search(r"\\[a-zA-Z]+$", parts[-1]) and part[:1].isalpha():
            parts.append(" ")
        parts.append(part)
    return "".join(parts).strip()


def _token(match: re.Match[str]) -> str:
    text = match[0]
    match match.lastgroup:
        case "below":
            above, below = _label(match["above"]), _label(match["below"])
            return rf"\frac{{\partial {above}}}{{\partial {below}}}"
        case "words":
            return rf"\text{{{_plain(text)}}}"
        case "raised":
            return f"^{{{text.translate(_RAISED)}}}"
        case "root":
            return rf"\sqrt{{{_inner(match['root'])}}}"
        case "power":
            return f"^{{{_inner(match['power'])}}}"
        case "exponent":
            exponent = match["exponent"].replace("−", "-")
            return rf"{match['number']} \times 10^{{{exponent}}}"
        case "name":
            return _function(text) if match.string[match.end() :][:1] == "(" else _name(text)
        case "blank":
            return " "
        case "number":
            return text
        case _:
            return _sign(text)


def _inner(text: str) -> str:
    """An atom under a root or in a power; its brackets are not needed there."""
    return latex(text[1:-1] if text.startswith("(") else text)


def _function(name: str) -> str:
    if name in _FUNCTIONS:
        return f"\\{name}"
    return _name(name) if len(name) == 1 else rf"\operatorname{{{_plain(name)}}}"


def _label(label: str) -> str:
    """What a derivative is of or by: a name, or the text of a value without one, in brackets."""
    return latex(label) if label.startswith("(") else _name(label)


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
    elif digits.isdecimal() and letter.isascii():
        written = f"{letter}_{{{digits}}}"
    else:
        written = rf"\mathrm{{{_plain(name)}}}"
    if version:
        written += f"^{{({version})}}"
    return written if written.isascii() else rf"\text{{{_plain(name)}}}"


def _sign(sign: str) -> str:
    known = _SIGNS.get(sign)
    if known is not None:
        return known
    return sign if sign.isascii() else rf"\text{{{_plain(sign)}}}"


def _plain(text: str) -> str:
    """Inside of `\\text{…}`: what means something to LaTeX is escaped."""
    escaped = re.sub(r"([%&#$_{}])", r"\\\1", text.replace("\\", "/"))
    return re.sub(r"[~^]", " ", escaped).encode("ascii", "replace").decode("ascii")


def as_latex(explanation: Explanation) -> str:
    """A block for a document with `amsmath`, one line for each line of Chain rule."""
    rows = [_aligned(row) for row in _rows(explanation)]
    body = " \\\\\n".join(f"  {row}" for row in rows)
    headline = " ".join(explanation.headline.split())
    comment = f"% {plain(headline)}\n" if headline else ""
    return f"{comment}\\begin{{align*}}\n{body}\n\\end{{align*}}\n"


def _aligned(row: str) -> str:
    """Lines are level at their first equals sign."""
    left, sign, right = row.partition("=")
    return f"{latex(left)} &= {latex(right)}" if sign else f"& {latex(row)}"


def _rows(one: Explanation) -> list[str]:
    """The mathematics of an explanation, a line each, every line an equation where it can be."""
    rows = []
    if one.formula:
        rows.append(f"{one.formula} = {one.numbers}" if _continues(one) else one.formula)
    if one.vjp:
        rows.append(one.vjp)
    if one.product:
        local = one.formula.partition(" = ")[0]
        rows.append(f"{one.upstream_name} · {local} = {one.product}")
        # The sums of arrays are no numbers to write down.
        rows.append(_sum(one))
    return rows


def _continues(one: Explanation) -> bool:
    """Whether the figures go on where the algebra ends."""
    algebra = one.formula.partition(" = ")[2]
    is_drawn = any(sign in _BLOCKS for sign in one.numbers)
    return bool(one.numbers) and not is_drawn and one.numbers.split() != algebra.split()


def _sum(one: Explanation) -> str:
    if not one.before:
        return f"{one.target} = {one.after}"
    sent = f"({one.contribution})" if one.contribution.startswith("−") else one.contribution
    return f"{one.target} = {one.before} + {sent} = {one.after}"


def as_markdown(explanation: Explanation) -> str:
    """The headline, the mathematics as code, the sentence, and the notes as a list."""
    rows = "\n".join(_rows(explanation))
    parts = [f"**{_escaped(explanation.headline)}**", f"```\n{rows}\n```" if rows else ""]
    parts.append(_escaped(explanation.sentence))
    parts.append("\n".join(f"- {_escaped(note)}" for note in explanation.notes))
    return "\n\n".join(part for part in parts if part) + "\n"


def _escaped(text: str) -> str:
    return re.sub(r"([\\`*_\[\]<>])", r"\\\1", text)
