"""What stands behind the steps of a sheet, read line by line: no answer is more than itself.

An answer is no YAML: `%1*g`, `[1. 2.]` or a quote that is never closed would be the end of it all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.source import ProblemError, Source, Span

_BLOCK: Final = re.compile(r"^answers[ \t]*:[ \t]*(?:#.*)?$", re.MULTILINE)
_STEP: Final = re.compile(r"[ \t\u00a0]*(?:[-*][ \t]+)?(\d+)(?:[ \t\u00a0]*[:：=]|[.)](?=[ \t]))")
_LINE: Final = re.compile(r"\n([^\n]*)")
_KEY: Final = re.compile(r"[ \t]+([^\W\d]\w*)[ \t]*:(?!=)")
_COMMENT: Final = re.compile(r"(?:^|(?<=[ \t\n]))#.*")
_LITERAL: Final = re.compile(r"[|>][-+]?[ \t]*\n")
_AROUND: Final = " \t\n\r\u00a0\u200b\ufeff\"'“”„‘’‚«»`;"
_NONE: Final = ("", "~", "null", "-", "–", "—", "?", "…", "...")


@dataclass(frozen=True, slots=True)
class Answer:
    """What stands behind the number of a step."""

    text: str
    """Empty where nothing was answered."""
    span: Span


def filled_in(source: Source) -> tuple[Source, Mapping[int, Answer]]:
    """The sheet without its answers, everything else at its place, and the answers by step.

    Those in one line, `answers: {8: 2}`, stay. Raises ProblemError for a step that is answered
    twice, and for what is no number of a step.
    """
    block = _BLOCK.search(source.text)
    if block is None:
        return source, {}
    answers: dict[int, Answer] = {}
    end = block.end()
    for step, number, end in _regions(source.text, block.end()):
        answer = _answer(source.text, Span(number.stop, end))
        if answer.text and step in answers and answers[step].text:
            line = source.position(answers[step].span.start).line
            message = f"step {step} is answered a second time; the first answer is in line {line}"
            raise ProblemError(message, number, fix="keep one of them")
        if answer.text or step not in answers:
            answers[step] = answer
    blank = re.sub(r"[^\n]", " ", source.text[block.end() : end])
    text = source.text[: block.end()] + blank + source.text[end:]
    return replace(source, text=text), answers


def _regions(text: str, at: int) -> Iterator[tuple[int, Span, int]]:
    """Each step, where its number stands, and where its answer ends."""
    step, number, stop = -1, Span(at, at), at
    for line in _LINE.finditer(text, at):
        start, words = line.start(1), line[1]
        if begun := _STEP.match(words):
            if step >= 0:
                yield step, number, stop
            step, number = int(begun[1]), Span(start + begun.start(1), start + begun.end())
            stop = line.end()
        elif key := _KEY.match(words):
            place = Span(start + key.start(1), start + key.end(1))
            raise ProblemError(f"`{key[1]}` is no number of a step", place)
        elif words.strip() and not words[0].isspace() and not words.startswith("#"):
            break  # the next key of the sheet
        elif step >= 0 and words.strip() and not words.lstrip().startswith("#"):
            stop = line.end()
    if step >= 0:
        yield step, number, stop


def _answer(text: str, place: Span) -> Answer:
    """What is answered there, without comments, quotes and blanks around it."""
    written = _COMMENT.sub("", _LITERAL.sub("", text[place.start : place.stop].lstrip(" \t")))
    answer = " ".join(written.strip(_AROUND).replace("\u200b", "").split())
    if answer in _NONE:
        return Answer("", place)
    start = text.find(answer.split()[0], place.start)
    return Answer(answer, Span(max(start, place.start), place.stop))
