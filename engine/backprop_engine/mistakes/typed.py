"""An answer as people and the screen write it, `∂y/∂t·(1 − t²)`, read as the program writes it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final
from unicodedata import normalize

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.source import ProblemError, Span
from backprop_engine.budget import check_length
from backprop_engine.catalogue import FUNCTIONS
from backprop_engine.mathematics.parser import NAME

_SIGNS: Final = {
    **dict.fromkeys("·×⊙⋅∙•∗", "*"), **dict.fromkeys("−–—", "-"), "÷": "/", "^": "**",
    "≤": "<=", "≥": ">=", "≠": "!=", "ᵀ": ".T", "½": "(1/2)", "∞": "1e999",
}  # fmt: skip
_WORDS: Final = {
    "σ": "sigmoid", "e": "exp(1)", "π": "torch.pi", "pi": "torch.pi", "inf": "1e999",
    "nan": "torch.nan",
}  # fmt: skip
"""Where they are no names of the scenario."""
_CONDITION: Final = re.compile(r"\[([^\[\],]*[<>≤≥≠][^\[\],]*)\]")
_BARE: Final = r"(?<![^\W\d])(?<![.%@])"
"""Before a name that may stand behind a number: `2dy`."""
_SHOWN: Final = re.compile(
    rf"(?P<sign>[{re.escape(''.join(_SIGNS))}])"
    rf"|(?:(?P<d>∂|{_BARE}d)(?P<above>{NAME})\s*/\s*(?:∂|d)(?P<below>{NAME})"
    rf"|{_BARE}(?P<of>d%[0-9]+|%[0-9]+\.grad)|(?P<e>(?<=[0-9])e(?=\^|\*\*))"
    rf"|{_BARE}(?!(?<=[0-9])[eE][-−+0-9])(?P<name>{NAME}))(?P<bracket>\s*\()?"
    rf"|√(?P<rooted>{NAME}|[0-9.]+)?|(?P<raised>[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)"
)
_NUMBER: Final = r"[-−+]?(?:\d+(?:\.\d*)?|\.\d+|inf|nan)(?:[eE][-−+]?\d+)?"
_PRINTED: Final = re.compile(
    r"(?:(?:torch|np|numpy|jnp)\.)?(?:tensor|Tensor|Parameter containing:\s*tensor|array|float\d\d)"
    r"\(\s*([^()]*?)\s*(?:,\s*(?:grad_fn|dtype|device|requires_grad)=.*)?\)",
    re.DOTALL,
)
_FOLLOWS: Final = re.compile(rf"(?<=[\d.\]fn])(?:\s*,)?\s+(?={_NUMBER}|\[)|(?<=\])(?=\[)")
_ARRAY: Final = re.compile(r"\[[\[\],\s0-9.+−einfaE-]*\]")
_BEFORE: Final = re.compile(r"\s*(?:[=≈]|~(?=\s*[-−\d.]))\s*")
_COMMA: Final = re.compile(r"\s*([-−+]?\d*),(\d+(?:[eE][-−+]?\d+)?)\s*")
_THOUSANDS: Final = re.compile(r"\s*[-−+]?[1-9]\d{0,2},\d{3}\s*")
_THOUSAND: Final = 999.5
IsName = Callable[[str], bool]
Gradient = Callable[[str, str], str]
"""The name of ∂a/∂b in the program; empty where it is none that is known."""


@dataclass(frozen=True, slots=True)
class Typed:
    """A text in the program's own signs, and where each of its letters was typed."""

    text: str
    places: tuple[int, ...]
    """By place in `text`, its end included."""

    @contextmanager
    def told(self) -> Iterator[None]:
        """A ProblemError of `text` is one of what was typed."""
        try:
            yield
        except ProblemError as error:
            problem = error.problem
            span = Span(self.places[problem.span.start], self.places[problem.span.stop])
            raise ProblemError(problem.message, span, problem.expected, problem.fix) from None

    def edited(self, pattern: re.Pattern[str], written: Callable[[re.Match[str]], str]) -> Typed:
        """With what `pattern` finds written otherwise."""
        text, end = "", 0
        places: list[int] = []
        for found in pattern.finditer(self.text):
            new = written(found)
            if new != found[0]:
                text += self.text[end : found.start()] + new
                places += self.places[end : found.start()]
                places += [self.places[found.start()]] * len(new)
                end = found.end()
        return Typed(text + self.text[end:], (*places, *self.places[end:]))

    def cut(self, start: int, stop: int) -> Typed:
        """A part of it."""
        return Typed(self.text[start:stop], self.places[start : stop + 1])


def typed(answer: str, is_name: IsName, gradient: Gradient, about: float | None = None) -> Typed:
    """`answer` as the program writes it.

    It may have the signs of the screen (`−`, `·`, `t²`, `Xᵀ`, `√x`, `[h > 0]`, `∂y/∂t`, `dt`), a
    product without a sign before a bracket, a comma where it is one number and `about` so large,
    and be an array as numpy or torch prints it. `is_name` tells the names of the scenario. Raises
    ProblemError for an equation.
    """
    check_length(answer)
    text = Typed(answer, tuple(range(len(answer) + 1)))
    if before := _BEFORE.match(answer):
        text = text.cut(before.end(), len(answer))
    if printed := _PRINTED.fullmatch(text.text.strip()):
        start = text.text.index(printed[0]) + printed.start(1)
        text = text.cut(start, start + len(printed[1]))
    if about is not None and _COMMA.fullmatch(text.text):
        is_thousands = abs(about) >= _THOUSAND and _THOUSANDS.fullmatch(text.text)
        text = text.edited(re.compile(","), lambda _: "" if is_thousands else ".")
    if _ARRAY.fullmatch(text.text.strip()):
        text = text.edited(_FOLLOWS, lambda _: ", ")
    text = text.edited(_CONDITION, lambda found: f"({found[1]})")
    text = text.edited(_SHOWN, lambda found: _written(found, is_name, gradient))
    if sign := re.search(r"(?<![<>=!])=(?!=)|≈", text.text):
        place = Span(*(text.places[at] for at in sign.span()))
        raise ProblemError("an answer is no equation", place, fix="give one of its sides alone")
    return text


def _written(found: re.Match[str], is_name: IsName, gradient: Gradient) -> str:
    above, below, rooted = found["above"], found["below"], found["rooted"]
    if below or found["of"] or found["name"]:
        bracket = found["bracket"] or ""
        word = found[0].removesuffix(bracket)
        if below:
            is_quotient = found["d"] == "d" and (is_name(f"d{above}") or is_name(f"d{below}"))
            known = "" if is_quotient else gradient(above, below)
        else:
            known = _gradient(word, is_name, gradient)
        if known:
            return known + ("*(" if bracket else "")
        return found[0] if below else _word(word, bracket, is_name)
    if found["raised"]:
        return "**" + normalize("NFKC", found[0]).replace("−", "-")
    if found["sign"] or found["e"]:
        return _SIGNS.get(found[0]) or _WORDS[found[0]]
    return f"sqrt({rooted})" if rooted else "sqrt"


def _gradient(word: str, is_name: IsName, gradient: Gradient) -> str:
    """What `dt` and `t.grad` are in an answer; empty for another word."""
    of = word.removesuffix(".grad") if word.endswith(".grad") else word.removeprefix("d")
    return gradient("", of) if of != word and is_name(of) and not is_name(word) else ""


def _word(name: str, bracket: str, is_name: IsName) -> str:
    if is_name(name):
        is_factor = bracket and (name not in FUNCTIONS or len(name) == 1)
        return f"{name}*(" if is_factor else f"{name}{bracket}"
    return (_WORDS.get(name, name) if name == "σ" or not bracket else name) + bracket
