"""Program text to tokens: implied products made explicit, statements ended, mistakes named.

The tokens' `start_pos` and `end_pos` are offsets in the whole source, not in the excerpt.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from keyword import iskeyword
from typing import Any, Final, cast
from unicodedata import normalize

from lark import Token
from lark.common import LexerConf
from lark.lexer import Lexer, LexerState

from backprop_engine.basics.limits import MAX_TOKENS
from backprop_engine.grammar import blocks, mistakes, skipped_lines, unpacking
from backprop_engine.grammar.state import AUGMENTING, Place, Reading

LIBRARIES: Final = frozenset({"torch", "F", "nn", "optim", "np", "numpy", "math"})
"""Names before a dot that are modules, unless the scenario has a variable of that name."""

LITERALS: Final = {"True": True, "False": False, "None": None}

_SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹⁻"
_NAME = rf"[^\W\d{_SUPERSCRIPTS}][^\W{_SUPERSCRIPTS}]*"
_DIGITS = r"[0-9]++(?:_[0-9]++)*+"
_DECIMAL = rf"(?:{_DIGITS}(?:\.(?:{_DIGITS})?)?|\.{_DIGITS})"

_TEXT = r"'[^'\\\n]*'|\"[^\"\\\n]*\""
_WHERE_THERE_IS_ONE = (
    rf"(?:[^\S\n]+if[^\S\n]+torch\.[\w.]+\.is_available\(\)[^\S\n]+else[^\S\n]+(?:{_TEXT}))"
)
"""What programs have behind the name of a device: `if torch.cuda.is_available() else "cpu"`."""

_TOKEN: Final = re.compile(
    "|".join(
        f"(?P<{kind}>{pattern})"
        for kind, pattern in [
            ("NAME", _NAME),
            ("BLANK", r"[^\S\n]+|\\[^\S\n]*\n"),
            ("COMMENT", r"#[^\n]*"),
            ("FOREIGN_NUMBER", r"0(?:[xX]_?[0-9a-fA-F]|[bB]_?[01]|[oO]_?[0-7])\w*"),
            ("UNFINISHED", rf"{_DECIMAL}[eE](?!\w|[+-][0-9])"),
            ("NUMBER", rf"(?>{_DECIMAL}(?:[eE][+-]?{_DIGITS})?)(?!_)"),
            ("STRAY_UNDERSCORE", r"[0-9][0-9_.]*(?:[eE][+-]?[0-9_]*)?_"),
            ("STRING", rf"(?:{_TEXT}){_WHERE_THERE_IS_ONE}?"),
            ("DOTS", r"\.\.\."),
            ("FOREIGN", r"\^=?|<<=?|>>>|>>=?|&&=?|\|\|=?|[=!]==|:=|!(?!=)|[?$`{}]"),
            ("COMPARE", r"[<>]=?|[=!]="),
            ("AUGMENTED", rf"{AUGMENTING}="),
            ("POWER", r"\*\*"),
            ("FLOOR", r"//"),
            ("SIGN", r"[-+*/%@&|~=()\[\].,:;\n]"),
            ("UNKNOWN", r"."),
        ]
    ),
    re.DOTALL,
)
_SIGNS: Final = {
    "-": "MINUS", "+": "PLUS", "*": "STAR", "/": "SLASH", "%": "PERCENT", "@": "AT", "=": "EQUAL",
    "&": "AMPERSAND", "|": "BAR", "~": "TILDE",
    "(": "LPAR", ")": "RPAR", "[": "LSQB", "]": "RSQB", ".": "_DOT", ",": "_COMMA", ":": "COLON",
    ";": "_END", "\n": "_END",
}  # fmt: skip
_CLOSES: Final = {")": "(", "]": "["}
_DOTTED = re.compile(rf"(?:[^\S\n]*\.[^\S\n]*{_NAME})+")
_CALL = re.compile(r"[^\S\n]*\(")
_EQUALS = re.compile(rf"[^\S\n]*(?:{AUGMENTING})?=(?!=)")
_MULTIPLIERS: Final = frozenset({"NUMBER", "RPAR", "RSQB"})
_MULTIPLICANDS: Final = frozenset({"NAME", "LPAR", "FUNCTION", "CONSTANT"})
"""Where one of these follows one of those, a product is implied."""

_SEPARATORS: Final = frozenset({"\n", ";", ","})


def canonical(name: str) -> str:
    """A name as Python compares names: `µ` the sign and `μ` the letter are one."""
    return str(name) if name.isascii() else normalize("NFKC", name)


class ProgramLexer(Lexer):
    """Lark's way to `tokens`: the text it is given to parse is a `Reading`."""

    __future_interface__ = 2

    def __init__(self, lexer_conf: LexerConf) -> None:
        del lexer_conf  # lark hands it over; the terminals are here and not in the grammar

    def lex(self, lexer_state: LexerState, parser_state: Any) -> Iterator[Token]:
        """The tokens of the reading that is the state's text."""
        del parser_state
        return tokens(cast("Reading", lexer_state.text))


def tokens(reading: Reading) -> Iterator[Token]:
    """The tokens of a reading, one by one, so that the first mistake in the text is met first.

    Raises ProblemError for what can be no token.
    """
    text = reading.excerpt.text
    at = 0
    while match := _TOKEN.match(text, at):
        kind = match.lastgroup or ""
        start, at = at, match.end()
        if kind == "BLANK":
            continue
        if kind == "COMMENT":
            if reading.is_folded(start, at - 1):
                raise mistakes.hidden_by_comment(reading, start)
            continue
        last = reading.last
        is_start = last is None or last.kind == "_END"
        word = match[0]
        if is_start and word not in _SEPARATORS:
            yield from _edges(reading, start)
            special = _special_line(reading, word, start)
            if special is not None:
                at, found = special
                yield from found
                continue
        kind, at = _classify(reading, kind, start, at)
        if kind == "_END" or (kind == "_COMMA" and reading.form == "shorthand"):
            yield from _separate(reading, text[start], start)
            continue
        if is_start:
            _start_statement(reading, kind, start, at)
        elif last and kind in _MULTIPLICANDS and last.kind in _MULTIPLIERS:
            # `nn.ReLU()(x)` is no product: a module is called.
            is_call = kind == "LPAR" and last.start in reading.modules
            yield _token(reading, *("_APPLY", "") if is_call else ("STAR", "*"), start, start)
        yield _token(reading, kind, _written(reading, kind, text[start:at]), start, at)
    yield from _finish(reading)


def _special_line(reading: Reading, word: str, start: int) -> tuple[int, list[Token]] | None:
    """Where the head of a block or a line that computes nothing ends, and its tokens."""
    if word == "with":
        end = blocks.open_block(reading, start)
        return end, [Token("_NO_GRAD", word, reading.excerpt.offsets[start])]
    if word in ("import", "from"):
        return skipped_lines.skip_import(reading, start, LIBRARIES), []
    if word == "assert":
        return skipped_lines.skip_assert(reading, start, LIBRARIES), []
    if skipped_lines.is_print(reading, start):
        return skipped_lines.skip_print(reading, start, LIBRARIES), []
    if reading.form == "expression":
        return None
    shown = skipped_lines.skip_look(reading, start) or skipped_lines.skip_text(reading, start)
    return None if shown is None else (shown, [])


def _classify(reading: Reading, kind: str, start: int, stop: int) -> tuple[str, int]:
    """The kind of token that the grammar knows, and where it ends."""
    text = reading.excerpt.text[start:stop]
    match kind:
        case "NAME":
            return _name(reading, start, stop)
        case "NUMBER" | "POWER" | "AUGMENTED" | "DOTS" | "FLOOR":
            return kind, stop
        case "COMPARE":
            mistakes.check_comparison(reading, text, start)
            return kind, stop
        case "STRING":
            return "LITERAL", stop
        case "SIGN":
            _count_brackets(reading, _SIGNS[text], text, start)
            is_end = text == ":" and reading.is_header and not reading.brackets
            return "_THEN" if is_end else _SIGNS[text], stop
        case _:
            raise mistakes.foreign(reading, kind, text, start)


def _name(reading: Reading, start: int, stop: int) -> tuple[str, int]:
    """The kind of a word, and where it ends: a module takes in all of its dotted name."""
    text = reading.excerpt.text
    name = text[start:stop]
    if name in LITERALS:
        return "LITERAL", stop
    if iskeyword(name):
        return _keyword(reading, name, start), stop
    if not name.isidentifier():
        raise mistakes.odd_name(reading, name, start)
    if name in LIBRARIES and not reading.has(name):
        dotted = _DOTTED.match(text, stop)
        if dotted and not (reading.last and reading.last.kind == "_DOT"):
            called = _CALL.match(text, dotted.end())
            return ("FUNCTION" if called else "CONSTANT"), dotted.end()
    if reading.loops:  # between a `for` and its `in`
        reading.assigned.add(canonical(name))
    is_called = name in reading.imported and _CALL.match(text, stop)
    if is_called and not reading.has(name) and not (reading.last and reading.last.kind == "_DOT"):
        return "FUNCTION", stop
    return "NAME", stop


def _written(reading: Reading, kind: str, text: str) -> str:
    """A token's text; of a function that is imported by its name `torch.max` for `max`."""
    module = reading.imported.get(text) if kind == "FUNCTION" else None
    return f"{module}.{text}" if module else text


def _keyword(reading: Reading, word: str, start: int) -> str:
    """The kind of a word of Python's that has a meaning here: `for`, and its `in`."""
    is_start = reading.last is None or reading.last.kind == "_END"
    if word == "for" and (reading.brackets or (is_start and reading.form != "expression")):
        if not reading.brackets:
            blocks.open_loop(reading, start)
        reading.loops.append(len(reading.brackets))
        return "FOR"
    if word == "in" and reading.loops and reading.loops[-1] == len(reading.brackets):
        reading.loops.pop()
        return "_IN"
    raise mistakes.keyword(reading, word, start)


def _start_statement(reading: Reading, kind: str, start: int, stop: int) -> None:
    reading.statement = start
    reading.assigned.update(map(canonical, unpacking.open_unpacking(reading, start)))
    if kind == "NAME" and _EQUALS.match(reading.excerpt.text, stop):
        reading.assigned.add(canonical(reading.excerpt.text[start:stop]))


def _count_brackets(reading: Reading, kind: str, sign: str, start: int) -> None:
    if kind in ("LPAR", "LSQB"):
        number = reading.last
        if kind == "LSQB" and number and number.kind == "NUMBER":
            raise mistakes.number_before_square(reading, number, start)
        reading.brackets.append((sign, start))
        if number and number.kind == "FUNCTION" and _makes_module(reading, number):
            reading.modules.add(start)
    elif kind in ("RPAR", "RSQB"):
        if not reading.brackets or reading.brackets[-1][0] != _CLOSES[sign]:
            raise mistakes.unmatched(reading, sign, start)
        if reading.brackets.pop()[1] in reading.modules:
            reading.modules.add(start)


def _makes_module(reading: Reading, function: Place) -> bool:
    text = reading.text(function.start, function.stop)
    prefix, _, name = _written(reading, "FUNCTION", text).rpartition(".")
    return prefix.split(".")[-1].strip() == "nn" and name.strip()[:1].isupper()


def _separate(reading: Reading, sign: str, start: int) -> Iterator[Token]:
    if reading.brackets:
        if sign == ";":
            raise mistakes.unclosed(reading)
        if sign == ",":
            yield _token(reading, "_COMMA", sign, start, start + 1)
        return
    if reading.is_header and sign != ",":
        raise mistakes.no_colon(reading, start)
    if sign == "," and (reading.is_header or unpacking.goes_on(reading, start)):
        yield _token(reading, "_COMMA", sign, start, start + 1)
        return
    if reading.last is not None and reading.last.kind != "_END":
        yield _token(reading, "_END", sign, start, start + 1)
    if sign == ",":
        place = reading.excerpt.offsets[start]
        yield from (Token(edge, "", place, end_pos=place) for edge in blocks.end_inline(reading))


def _finish(reading: Reading) -> Iterator[Token]:
    if reading.brackets:
        raise mistakes.unclosed(reading)
    if reading.is_header:
        raise mistakes.no_colon(reading, len(reading.excerpt.text))
    if reading.last is not None and reading.last.kind != "_END":
        end = len(reading.excerpt.text)
        yield _token(reading, "_END", "", end, end)
    end = reading.excerpt.offsets[-1]
    yield from (Token(edge, "", end, end_pos=end) for edge in blocks.close_all(reading))


def _edges(reading: Reading, start: int) -> Iterator[Token]:
    """The edges of blocks before a statement; the parser never objects to them."""
    place = reading.excerpt.offsets[start]
    yield from (Token(edge, "", place, end_pos=place) for edge in blocks.edges(reading, start))


def _token(reading: Reading, kind: str, text: str, start: int, stop: int) -> Token:
    reading.before, reading.last = reading.last, Place(kind, start, stop)
    if kind == "_THEN":
        blocks.end_header(reading, stop)
    reading.count += 1
    if reading.count > MAX_TOKENS:
        raise mistakes.too_long(reading, start)
    offsets = reading.excerpt.offsets
    first = offsets[start]
    return Token(kind, text, first, end_pos=offsets[stop - 1] + 1 if stop > start else first)
