"""The text of a scenario without what tells the results: line by line, so that places stay."""

from __future__ import annotations

import re
from typing import Final

_TELLING: Final = re.compile(r"""["']?\b(about|hints|expect|disagrees)\b["']?\s*:""")
_COMMENT: Final = re.compile(r"(?:^|(?<=\s))#.*")
_SIGN: Final = " …"


def covered(text: str) -> list[str]:
    """The lines, of which sections that tell and comments are left out."""
    lines = text.split("\n")
    outermost = min((_indent(line) for line in lines if _is_written(line)), default=0)
    is_in_braces = text.lstrip().startswith("{")
    kept, tells = list[str](), False
    for line in lines:
        telling = _TELLING.search(line)
        begins = _is_written(line) and _indent(line) == outermost and line.strip()[0] not in "-]}"
        if is_in_braces:
            shown = line if telling is None else line[: telling.end()] + _SIGN
            kept.append("" if tells else shown)
            tells = tells or telling is not None
        elif begins:
            tells = telling is not None and telling.start() == outermost
            kept.append(line[: telling.end()] + _SIGN if tells and telling else line)
        else:
            kept.append("" if tells else line)
    return [_COMMENT.sub("", line) for line in kept]


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _is_written(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")
