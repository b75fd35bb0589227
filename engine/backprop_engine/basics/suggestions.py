"""Did you mean …? The nearest known word to one that is not known."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher, get_close_matches
from itertools import islice

_SAME_BEGINNING = 0.15
"""What the first two letters count, which people seldom mistype: `exq` is `exp`, not `eq`."""
_LONGEST, _MOST = 60, 2_000
"""Longer words, and further ones, are not compared: that would take seconds."""


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word most like `word`, or None where none is much like it."""
    if len(word) > _LONGEST:
        return None
    candidates = [name for name in islice(known, _MOST) if len(name) <= _LONGEST]
    by_lower_case = {candidate.lower(): candidate for candidate in candidates}
    typed = word.lower()

    def likeness(candidate: str) -> float:
        ratio = SequenceMatcher(None, candidate, typed).ratio()
        return ratio + (_SAME_BEGINNING if candidate[:2] == typed[:2] else 0.0)

    found = get_close_matches(typed, by_lower_case, n=8, cutoff=0.6)
    return by_lower_case[max(found, key=likeness)] if found else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``did you mean `x`?`` for the nearest known word; empty where none is much like it."""
    found = nearest(word, known)
    return f"did you mean `{found}`?" if found else ""


def listed(words: Iterable[str]) -> str:
    """``one`, `two` or `three``, each in backquotes."""
    quoted = [f"`{word}`" for word in words]
    if len(quoted) < 2:
        return "".join(quoted)
    return f"{', '.join(quoted[:-1])} or {quoted[-1]}"
