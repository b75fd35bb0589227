"""Text from outside made harmless for a terminal, and short enough for an error message.

Control characters could move the cursor, colour the screen or ring the bell; characters that turn
the direction of writing or take no room could make one text look like another.
"""

from __future__ import annotations

import re
from typing import Final

_CONTROL_PICTURES: Final = 0x2400
_DELETE: Final = 0x7F
_QUOTED: Final = re.compile(r"`([^`]*)`")
_LONG: Final = 60
_KEPT: Final = 28
_LONGEST: Final = 2_000
"""Characters of a message."""


def _shortened(quoted: re.Match[str]) -> str:
    return f"`{_cut(quoted[1])}`" if len(quoted[1]) > _LONG else quoted[0]


def printable(text: str) -> str:
    """`text` with control and other unprintable characters as harmless pictures of themselves.

    A tab becomes blanks; everything else keeps its place, so that a caret still fits.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _picture(c) for c in text.replace("\t", "    "))


def _picture(character: str) -> str:
    code = ord(character)
    if code < ord(" "):
        return chr(_CONTROL_PICTURES + code)
    return "␡" if code == _DELETE else "�"


def brief(message: str) -> str:
    """A message with what it quotes cut in the middle where that is long."""
    if len(message) > _QUOTED_AT_LEAST:
        message = _QUOTED.sub(_shortened, message)
    return message if len(message) <= _LONGEST else message[:_LONGEST] + "…"


_QUOTED_AT_LEAST: Final = 63


def _cut(text: str) -> str:
    return f"{text[:_KEPT]}…{text[-_KEPT:]}"
