"""What torch saves of an operation's operands and output for its derivatives.

The table beside this file is measured, and a test measures it again. By it we know when backward
meets a value that has been changed in place since, and when it meets freed ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

PATH: Final = Path(__file__).with_name("saved_by_torch.txt")


@cache
def _columns() -> Mapping[tuple[str, str], tuple[str, ...]]:
    """What is saved for each operand, by the operation and torch's autograd node."""
    lines = [line.split() for line in PATH.read_text("utf-8").splitlines() if line[0] != "#"]
    return {(name, grad_fn): tuple(columns) for name, grad_fn, *columns in lines}


def saved(name: str, grad_fn: str, position: int, *, in_place: bool) -> str | None:
    """What is saved for the operand at `position`; None where that was never measured.

    An operation that takes any number of operands has one column for each of them.
    """
    known = _columns()
    columns = (known.get((f"{name}_", grad_fn)) if in_place else None) or known.get((name, grad_fn))
    return None if columns is None or position >= len(columns) else columns[position]
