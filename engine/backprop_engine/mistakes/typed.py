"""An answer as the screen writes mathematics, t²·(1 − t), read as the program writes it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from unicodedata import normalize

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.source import ProblemError, Span

_SHOWN: Final = re.compile("[−·×^]|[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+")
_WRITTEN: Final = {"−": "-", "·": "*", "×": "*", "^": "**"}


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


def typed(answer: str) -> Typed:
    """`answer` with `−`, `·`, `×`, `^` and powers such as `⁻²` as the program writes them."""
    text, places, end = "", [], 0
    for sign in _SHOWN.finditer(answer):
        written = _WRITTEN.get(sign[0]) or "**" + normalize("NFKC", sign[0]).replace("−", "-")
        text += answer[end : sign.start()] + written
        places += [*range(end, sign.start()), *[sign.start()] * len(written)]
        end = sign.end()
    return Typed(text + answer[end:], (*places, *range(end, len(answer) + 1)))
