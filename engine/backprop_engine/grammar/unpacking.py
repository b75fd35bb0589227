"""`a, b = x.chunk(2)`: its commas, which in the shorthand would separate statements.

There a comma after the `=` goes on with the values as long as names are left to take them, and
what follows it is no statement of its own.
"""

from __future__ import annotations

import re
from typing import Final

from backprop_engine.grammar.state import AUGMENTING, Reading

_NAME: Final = r"[^\W\d]\w*"
_BLANK: Final = r"[^\S\n]*"
_BARE: Final = rf"{_NAME}{_BLANK}(?:,{_BLANK}{_NAME}{_BLANK})*,?{_BLANK}"
_BRACKETED: Final = rf"\s*{_NAME}\s*(?:,\s*{_NAME}\s*)*,?\s*"
_TARGETS: Final = re.compile(
    rf"(?P<names>{_BARE}|\({_BRACKETED}\){_BLANK}|\[{_BRACKETED}\]{_BLANK})=(?!=)"
)
_WORD: Final = re.compile(_NAME)
_STATEMENT: Final = re.compile(
    rf"\s*(?:$|[\n;,]|(?:print|with|import|from)\b|torch\.manual_seed\b"
    rf"|(?:(?P<first>{_NAME}){_BLANK}(?P<more>,{_BLANK}{_NAME}{_BLANK})*,?{_BLANK}"
    rf"|[(\[]{_BRACKETED}[)\]]{_BLANK})(?:{AUGMENTING})?=(?!=)"
    rf"|{_NAME}(?:\.{_NAME})*\.(?:backward|retain_grad|requires_grad_|zero_){_BLANK}\("
    rf"|{_NAME}(?:\.{_NAME})+{_BLANK}=(?!=))"
)


def open_unpacking(reading: Reading, start: int) -> list[str]:
    """The names that the statement at `start` assigns at once; empty where it is no unpacking."""
    reading.targets = reading.values = 0
    found = _TARGETS.match(reading.excerpt.text, start)
    if found is None or "," not in found["names"]:
        return []
    names = _WORD.findall(found["names"])
    reading.targets, reading.values = found.end(), len(names) - 1
    return names


def goes_on(reading: Reading, comma: int) -> bool:
    """Whether a comma of the shorthand, outside of brackets, is part of an unpacking."""
    if comma < reading.targets:
        return True
    if not reading.values:
        return False
    next_one = _STATEMENT.match(reading.excerpt.text, comma + 1)
    # In `a, b = b, a, y = a - b` the second `a` is a value: it is known.
    if next_one and not (next_one["more"] and reading.has(next_one["first"])):
        return False
    reading.values -= 1
    return True
