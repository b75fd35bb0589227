"""What torch saves of an operation's operands and output for its derivatives.

The table beside this file is measured, and a test measures it again. By it we know when backward
meets a value that has been changed in place since, and when it meets freed ones.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

PATH: Final = Path(__file__).with_name("saved_by_torch.txt")
_HEADER: Final = """\
# Operation, torch's autograd node, and for each operand what is saved for its derivative: operands
# (a, b, …; o: all others), the output (y), something else (*), nothing (-).
# An operation with an underscore changes its first operand in place; some have no derivative (!).
"""


class Row(NamedTuple):
    """What one kind of autograd node saves."""

    name: str
    grad_fn: str
    columns: tuple[str, ...]

    def united(self, other: Row) -> Row:
        """What either saves; the longer one where they have more operands."""
        short, long = sorted((self.columns, other.columns), key=len)
        both = (*map(_either, short, long[: len(short)]), *long[len(short) :])
        return self._replace(columns=both)


def _either(ours: str, other: str) -> str:
    found = {*ours, *other} - {"-"}
    if len(found) > 1:
        found -= {"*"}
    return "".join(sorted(found)) or "-"


def text_of(rows: Iterable[Row]) -> str:
    """The table as a file."""
    lines = [f"{row.name} {row.grad_fn} {' '.join(row.columns)}" for row in rows]
    return _HEADER + "\n".join(sorted(lines)) + "\n"


@cache
def _rows() -> dict[tuple[str, str], Row]:
    lines = [line.split() for line in PATH.read_text("utf-8").splitlines() if line[0] != "#"]
    rows = [Row(name, grad_fn, tuple(columns)) for name, grad_fn, *columns in lines]
    return {(row.name, row.grad_fn): row for row in rows}


def saved(name: str, grad_fn: str, position: int, *, in_place: bool) -> str | None:
    """What is saved for the operand at `position`; None where that was never measured.

    An operation that takes any number of operands has one column for each of them.
    """
    rows = _rows()
    row = (rows.get((f"{name}_", grad_fn)) if in_place else None) or rows.get((name, grad_fn))
    return None if row is None or position >= len(row.columns) else row.columns[position]
