"""Writes the table in docs/operations.md anew, between its two markers."""

from __future__ import annotations

import sys
from pathlib import Path

from backprop_tui.headless.ops import markdown

START, STOP = "<!-- ops -->\n", "<!-- /ops -->"


def with_table(document: str) -> str:
    """The document with the table of today."""
    before, _, rest = document.partition(START)
    _, _, after = rest.partition(STOP)
    return f"{before}{START}{markdown()}{STOP}{after}"


if __name__ == "__main__":
    path = (
        Path(sys.argv[1]) if sys.argv[1:] else Path(__file__).parents[1] / "docs" / "operations.md"
    )
    path.write_text(with_table(path.read_text(encoding="utf-8")), encoding="utf-8")
    print(path)
