"""Which mistake an answer is a sign of."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from backprop_engine.mistakes.edge import Edge
from backprop_engine.mistakes.table import MISTAKES, Mistake

_ELSEWHERE = 3
"""Other values at which mistakes are told from what is no mistake, and from one another."""


class WrongAnswer(NamedTuple):
    """What somebody would answer who makes a mistake."""

    mistake: Mistake
    value: Any
    """A number or an array, perhaps of another shape than the right answer."""


def close(a: Any, b: Any, tolerance: float = 1e-6) -> bool:
    """Whether two values have one shape and agree by `tolerance` of the larger magnitude; nan and
    inf agree with themselves.
    """
    if type(a) is float and type(b) is float:
        return a == b or math.isclose(a, b, rel_tol=tolerance) or (a != a and b != b)
    a, b = np.asarray(a, float), np.asarray(b, float)
    if a.shape != b.shape:
        return False
    with np.errstate(all="ignore"):
        near = np.abs(a - b) <= tolerance * np.maximum(np.abs(a), np.abs(b))
    near &= np.isfinite(a) & np.isfinite(b)
    return bool(np.all((a == b) | near | (np.isnan(a) & np.isnan(b))))


def wrong_answers(edge: Edge) -> tuple[WrongAnswer, ...]:
    """All wrong answers at `edge` that can be told from the right one by these numbers."""
    right = edge.sent()
    return tuple(answer for answer in real_mistakes(edge) if not close(answer.value, right))


def real_mistakes(edge: Edge) -> tuple[WrongAnswer, ...]:
    """All that would be answered by mistake at `edge`, even where that is right by chance.

    What is right at other numbers too is no mistake here, as exchanging two equal roles is none;
    what cannot be told from an earlier mistake at other numbers is that mistake.
    """
    answers, rng = list(_answers(edge)), np.random.default_rng(0)
    others = [other for _ in range(_ELSEWHERE) if (other := edge.elsewhere(rng)) is not None]
    elsewhere = [(other.sent(), list(_answers(other))) for other in others]
    elsewhere = [(right, told) for right, told in elsewhere if len(told) == len(answers)]
    if not elsewhere:
        return tuple(answers)
    kept: dict[int, list[Any]] = {}
    for at, _ in enumerate(answers):
        there = [told[at].value for _, told in elsewhere]
        earlier = [[right for right, _ in elsewhere], *kept.values()]
        if not any(all(map(close, there, values)) for values in earlier):
            kept[at] = there
    return tuple(answers[at] for at in kept)


def named(edge: Edge, agrees: Callable[[Any], bool]) -> tuple[Mistake, ...]:
    """The mistakes at `edge` with an answer that `agrees`, each once; several mean "or"."""
    return tuple(dict.fromkeys(mistake for mistake, value in wrong_answers(edge) if agrees(value)))


def made(mistake: Mistake, edge: Edge) -> tuple[Any, ...]:
    """What the mistake would send, in all its forms; none where it cannot be made at `edge`."""
    with np.errstate(all="ignore"):
        try:
            return tuple(mistake.wrong(edge))
        except (ValueError, IndexError, TypeError, ArithmeticError):
            return ()  # not with these shapes


def _answers(edge: Edge) -> Iterator[WrongAnswer]:
    for mistake in MISTAKES:
        for value in made(mistake, edge):
            yield WrongAnswer(mistake, value)
