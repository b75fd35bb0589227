"""Did you mean …? The nearest known word to one that is not known."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word most like `word`, or None where none is much like it."""
    candidates = list(known)
    by_lower_case = {candidate.lower(): candidate for candidate in candidates}
    found = get_close_matches(word.lower(), by_lower_case, n=1, cutoff=0.6)
    return by_lower_case[found[0]] if found else None


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
