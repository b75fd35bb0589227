"""Program text cut out of a source, each of whose characters knows its place there.

YAML takes off indentation, folds lines and decodes escapes; a caret must still point at the
character in the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.source import ProblemError, Source, Span

_ESCAPE = re.compile(r"\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[^xuU])", re.DOTALL)
_LINE_JOINT = re.compile(r"\\[ \t]*\n[ \t]*")
_HALF_CHARACTER = re.compile("[\ud800-\udfff]")
_WORD = re.compile(r"\S+")
_CONTROLS = {
    "0": "\0", "a": "\a", "b": "\b", "t": "\t", "\t": "\t", "n": "\n", "v": "\v", "f": "\f",
    "r": "\r", "e": "\x1b", "N": "\x85", "_": "\xa0", "L": "\u2028", "P": "\u2029",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Some `text` of a `source`.

    `offsets[i]` is the offset in the source of `text[i]`; there is one more entry, for the end.
    """

    source: Source
    text: str
    offsets: Sequence[int]

    def span(self, start: int, stop: int) -> Span:
        """The range of the source that `text[start:stop]` was read from."""
        if stop <= start:
            return Span(self.offsets[start], self.offsets[start])
        return Span(self.offsets[start], self.offsets[stop - 1] + 1)

    def edited(self, edits: Iterable[tuple[int, int, str]]) -> Excerpt:
        """With another text in the place of some of it: (start, stop, text), in ascending order."""
        parts: list[str] = []
        offsets: list[int] = []
        done = 0
        for start, stop, text in edits:
            parts += [self.text[done:start], text]
            offsets += self.offsets[done:start]
            offsets += [*[self.offsets[start]] * (len(text) - 1), self.offsets[stop - 1]]
            done = stop
        text = "".join([*parts, self.text[done:]])
        return Excerpt(self.source, text, [*offsets, *self.offsets[done:]])


def whole(source: Source) -> Excerpt:
    """All of a source."""
    return Excerpt(source, source.text, range(len(source.text) + 1))


def check_characters(text: str, span: Span) -> None:
    """Raise ProblemError if `text`, read from `span`, could not be printed.

    Half of a surrogate pair comes from an escape in a file or from bytes that are not UTF-8 on
    the command line.
    """
    half = _HALF_CHARACTER.search(text)
    if half:
        message = f"U+{ord(half[0]):04X} is half of a character"
        raise ProblemError(message, span, fix="delete it")


def align(source: Source, value: str, raw: Span, style: str) -> Excerpt:
    """The `value` YAML made of the source text in `raw`.

    `style` is the scalar's: `|`, `>`, `'`, `"` or empty for a plain one. Whatever YAML does to
    white space, the words between come out as they were meant; so words are matched with words,
    and white space with the white space between the same two.
    """
    written, places = _decode(source.text, raw, style)
    offsets: list[int] = []
    end = 0
    for word, origin in zip(_WORD.finditer(value), _WORD.finditer(written), strict=False):
        start, stop = origin.span()
        offsets += _spread(places[end:start], word.start() - len(offsets), raw.start)
        offsets += places[start:stop]
        end = stop
    offsets += _spread(places[end:], len(value) - len(offsets), raw.stop)
    offsets.append(offsets[-1] + 1 if offsets else raw.start)
    return Excerpt(source, value, offsets)


def _spread(places: Sequence[int], count: int, default: int) -> Sequence[int]:
    """Offsets for `count` blanks of a value that were written at `places`."""
    if not places:
        return [default] * count
    missing = max(0, count - len(places))
    return [*[places[0]] * missing, *places[len(places) - (count - missing) :]]


def _decode(text: str, raw: Span, style: str) -> tuple[str, Sequence[int]]:
    """What is meant by a scalar, before folding, and the offset of each of its characters."""
    if style in ("'", '"'):
        decoded = list(_decode_quoted(text, raw, style))
        return "".join(character for character, _ in decoded), [at for _, at in decoded]
    start = raw.start
    if style:  # the header line of a block, `|` or `>`, is no part of it
        start = text.find("\n", start, raw.stop) + 1 or raw.stop
    return text[start : raw.stop], range(start, raw.stop)


def _decode_quoted(text: str, raw: Span, quote: str) -> Iterator[tuple[str, int]]:
    at, stop = raw.start + 1, raw.stop - 1
    while at < stop:
        joint = _LINE_JOINT.match(text, at) if quote == '"' else None
        if joint:
            at = joint.end()
            continue
        character, width = _quoted_character(text, at, quote)
        yield character, at
        at += width


def _quoted_character(text: str, at: int, quote: str) -> tuple[str, int]:
    """The character at an offset inside quotes, and how many characters wrote it."""
    if quote == "'":
        return text[at], 2 if text.startswith("''", at) else 1
    escape = _ESCAPE.match(text, at)
    if escape is None:
        return text[at], 1
    code, digits = escape[0][1], escape[0][2:]
    character = chr(int(digits, 16)) if digits else _CONTROLS.get(code, code)
    return character, len(escape[0])
