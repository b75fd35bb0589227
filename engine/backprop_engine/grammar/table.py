"""The parser that `grammar.lark` describes.

Working out its LALR table takes lark longer than all else until the first row is on the screen, so
the table is kept in `grammar_table.json`; `make table` writes it anew after the grammar is changed.
Where the file is not of this grammar and this lark, the table is worked out again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import lark
from lark import Lark, Transformer
from lark.grammar import Rule
from lark.lexer import TerminalDef, Token

from backprop_engine.grammar.lexer import ProgramLexer

TABLE_FILE: Final = "grammar_table.json"
_HERE: Final = Path(__file__).parent


def grammar_parser(builder: Transformer[Token, Any]) -> Lark:
    """Parses a `Reading`; `builder` has a method for each rule of the grammar."""
    kept = json.loads(_text(TABLE_FILE), object_pairs_hook=_numbered)
    if not is_current(kept):
        return _worked_out(builder)
    table = kept["table"]
    table["data"]["options"] |= {"lexer": ProgramLexer, "transformer": builder}
    table["data"]["parser"]["lexer_conf"]["lexer_type"] = ProgramLexer
    return Lark.load(table)


def is_current(kept: Mapping[str, Any]) -> bool:
    """Whether the content of the file is of this grammar and of this version of lark."""
    return bool(kept["lark"] == lark.__version__ and kept["grammar"] == _text("grammar.lark"))


def table_text() -> str:
    """What belongs into the file: lark's table, without classes and objects, and its origin."""
    data, memo = _worked_out(None).memo_serialize([TerminalDef, Rule])
    del data["options"]["lexer"], data["options"]["transformer"]
    del data["parser"]["lexer_conf"]["lexer_type"]
    origin = {"lark": lark.__version__, "grammar": _text("grammar.lark")}
    content = origin | {"table": {"data": data, "memo": memo}}
    return json.dumps(content, sort_keys=True, separators=(",", ":")) + "\n"


def _worked_out(builder: Transformer[Token, Any] | None) -> Lark:
    return Lark(
        _text("grammar.lark"),
        parser="lalr",
        lexer=ProgramLexer,
        start=["program", "lone_expression"],
        transformer=builder,
    )


def _text(file: str) -> str:
    return (_HERE / file).read_text("utf-8")


def _numbered(pairs: list[tuple[str, Any]]) -> dict[str | int, Any]:
    """A JSON object whose keys may be numbers: those of rules, terminals and states."""
    return {int(key) if key.isdecimal() else key: value for key, value in pairs}
