"""A program made as short as it can be while its verdict stays the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator


def reduce(text: str, is_same: Callable[[str], bool]) -> str:
    """Drop lines, and then blocks' headers, as long as `is_same` of what is left."""
    lines = text.splitlines()
    shrunk = True
    while shrunk:
        shrunk = False
        for candidate in _shorter(lines):
            if _is_python(candidate) and is_same("\n".join(candidate) + "\n"):
                lines, shrunk = candidate, True
                break
    return "\n".join(lines) + "\n"


def _shorter(lines: list[str]) -> Iterator[list[str]]:
    """The program without some of its lines: many at first, the last ones first."""
    for size in (8, 4, 2, 1):
        if size >= len(lines):
            continue
        for start in range(len(lines) - size, -1, -1):
            yield lines[:start] + lines[start + size :]
    for at, line in enumerate(lines):
        if line.endswith(":"):
            inner = [one.removeprefix("    ") for one in lines[at + 1 :] if one.startswith(" ")]
            after = [one for one in lines[at + 1 :] if not one.startswith(" ")]
            yield lines[:at] + inner + after


def _is_python(lines: list[str]) -> bool:
    try:
        compile("\n".join(lines), "program", "exec")
    except SyntaxError:
        return False
    return True
