"""Writes the table of the expressions' grammar anew."""

from __future__ import annotations

from pathlib import Path

from backprop_engine.grammar import table as grammar

if __name__ == "__main__":
    path = Path(grammar.__file__).with_name(grammar.TABLE_FILE)
    path.write_text(grammar.table_text(), encoding="utf-8")
    print(path)
