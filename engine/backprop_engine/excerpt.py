"""Program text cut out of a source, each of whose characters knows its place there.

YAML takes off indentation, folds lines and decodes escapes; a caret must still point at the
character in the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from backprop_engine.source import Source, Span

_ESCAPE = re.compile(r"\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[^xuU])", re.DOTALL)
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


def whole(source: Source) -> Excerpt:
    """All of a source."""
    return Excerpt(source, source.text, range(len(source.text) + 1))


def align(source: Source, value: str, raw: Span, style: str) -> Excerpt:
    """The `value` YAML made of the source text in `raw`.

    `style` is the scalar's: `|`, `>`, `'`, `"` or empty for a plain one. Outside of white space
    YAML keeps every character or decodes an escape; so runs of white space are matched with runs
    of white space, and the characters between them one to one.
    """
    written = list(_characters(source.text, raw, style))
    offsets: list[int] = []
    at = 0
    while len(offsets) < len(value):
        here = len(offsets)
        run = _blank_run(value, here)
        start = at
        while at < len(written) and written[at][0].isspace():
            at += 1
        if run:
            offsets.extend(_match_blanks(written, start, at, run, raw.stop))
        else:
            offsets.append(written[at][1])
            at += 1
    offsets.append(offsets[-1] + 1 if offsets else raw.start)
    return Excerpt(source, value, offsets)


def _blank_run(value: str, start: int) -> int:
    stop = start
    while stop < len(value) and value[stop].isspace():
        stop += 1
    return stop - start


def _match_blanks(
    written: list[tuple[str, int]], start: int, stop: int, run: int, end: int
) -> list[int]:
    """Offsets for `run` blanks of a value that were written as `written[start:stop]`."""
    places = [offset for _, offset in written[start:stop]] or [end]
    missing = max(0, run - len(places))
    return places[:1] * missing + places[len(places) - (run - missing) :]


def _characters(text: str, raw: Span, style: str) -> Iterator[tuple[str, int]]:
    """The characters of a scalar as meant, with their offsets; folding is not undone."""
    if style in ("|", ">"):
        start = text.find("\n", raw.start, raw.stop) + 1 or raw.stop
        yield from zip(text[start : raw.stop], range(start, raw.stop), strict=True)
    elif style:
        at, stop = raw.start + 1, raw.stop - 1
        while at < stop:
            character, width = _quoted_character(text, at, style)
            yield character, at
            at += width
    else:
        yield from zip(text[raw.start : raw.stop], range(raw.start, raw.stop), strict=True)


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
