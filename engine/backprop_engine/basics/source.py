"""Source text, places in it, and the errors that point at those places."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import replace
from functools import cached_property
from typing import Final

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.sanitised import brief, printable

SHORTHAND_NAME: Final = "<-e>"
"""The name of a text that was given on the command line and stands in no file."""

STANDARD_INPUT: Final = "-"
"""The name of a text that came from standard input, as it is given on the command line."""

_LONGEST_LINE: Final = 200
"""Characters of a line of source that an error shows."""


@dataclass(frozen=True, slots=True)
class Span:
    """A half-open range of character offsets, `start` to `stop`, in a source text."""

    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Position:
    """A place for people: `line` and `column` both count from 1, in characters."""

    line: int
    column: int


@dataclass(frozen=True)
class Source:
    """A scenario's text and the name people know it by (a path as given, or `<-e>`)."""

    name: str
    text: str
    is_document: bool = False
    """Whether it is a scenario file's, a mapping in YAML: advice is in its words then."""

    @property
    def known_as(self) -> str:
        """The file's name; of a text without a file the text itself, in one line."""
        return " ".join(self.text.split()) if self.name == SHORTHAND_NAME else self.name

    @cached_property
    def _line_starts(self) -> list[int]:
        starts = [0]
        starts.extend(at + 1 for at, character in enumerate(self.text) if character == "\n")
        return starts

    def position(self, offset: int) -> Position:
        """The line and column of a character offset; offsets past the end mean the end."""
        offset = max(0, min(offset, len(self.text)))
        line = bisect_right(self._line_starts, offset)
        return Position(line, offset - self._line_starts[line - 1] + 1)

    def line(self, number: int) -> str:
        """The text of line `number` (from 1), without its line end."""
        start = self._line_starts[number - 1]
        stop = self._line_starts[number] if number < len(self._line_starts) else len(self.text)
        return self.text[start:stop].rstrip("\r\n")


@dataclass(frozen=True, slots=True)
class Advice:
    """How to mend something: in the words of a scenario file, and in those of a program."""

    document: str
    program: str


@dataclass(frozen=True, slots=True)
class Place:
    """A stretch of one of many texts."""

    source: Source
    span: Span

    @property
    def position(self) -> Position:
        """Where it starts."""
        return self.source.position(self.span.start)

    @property
    def text(self) -> str:
        """What stands there."""
        return self.source.text[self.span.start : self.span.stop]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a scenario: what, where, what was expected, and how to mend it."""

    message: str
    span: Span
    expected: str = ""
    fix: str | Advice = ""

    @property
    def sentence(self) -> str:
        """What is wrong and how to mend it, in one line."""
        return f"{self.message}; {self.advice}" if self.fix else self.message

    @property
    def advice(self) -> str:
        """How to mend it, in a program's words where it is not said for what."""
        return self.fix.program if isinstance(self.fix, Advice) else self.fix

    def worded(self, *, is_document: bool) -> Problem:
        """The same with the advice for a scenario file, or that for a program."""
        if not isinstance(self.fix, Advice):
            return self
        return replace(self, fix=self.fix.document if is_document else self.fix.program)

    def __post_init__(self) -> None:
        for name in ("message", "expected", "fix"):
            text = getattr(self, name)
            if isinstance(text, str):
                object.__setattr__(self, name, brief(text))


class ProblemError(Exception):
    """A problem on its way up to where the source is known, to become a ScenarioError."""

    def __init__(
        self, message: str, span: Span, expected: str = "", fix: str | Advice = ""
    ) -> None:
        self.problem = Problem(message, span, expected, fix)
        super().__init__(self.problem.sentence)


def no_float(span: Span, fix: str = "write its numbers with a point, such as `2.`") -> ProblemError:
    """Whole numbers or truth values are to require grad."""
    message = "only Tensors of floating point dtype can require gradients"
    return ProblemError(message, span, fix=fix)


class ScenarioError(Exception):
    """A scenario that cannot be read or run; every problem knows its place in the source.

    `expected` is the text that the scenario itself says its error has, if it says so.
    """

    def __init__(self, source: Source, *problems: Problem, expected: str | None = None) -> None:
        self.source = source
        self.problems = tuple(
            problem.worded(is_document=source.is_document) for problem in problems
        )
        super().__init__(self.problems[0].sentence)
        self.expected = expected

    def render(self) -> str:
        """`FILE:LINE:COLUMN: message`, the line, a caret under it, and what was expected.

        All of it is harmless on a terminal, whatever the source contains.
        """
        return "\n\n".join(self._render(problem) for problem in self.problems)

    def _render(self, problem: Problem) -> str:
        start = self.source.position(problem.span.start)
        headline = f"{self.source.name}:{start.line}:{start.column}: {problem.sentence}"
        headline = printable(headline)
        if not self.source.text:
            return headline
        excerpt, column = self._excerpt(start)
        width = max(1, min(problem.span.stop - problem.span.start, len(excerpt) - column))
        lines = [headline, f"  {excerpt}", "  " + " " * column + "^" * width]
        if problem.expected:
            lines.append(printable(f"expected: {problem.expected}"))
        return "\n".join(lines)

    def _excerpt(self, place: Position) -> tuple[str, int]:
        """What is shown of a line, and where in that the place is; a long line is cut."""
        line, column = self.source.line(place.line).expandtabs(1), place.column - 1
        if len(line) <= _LONGEST_LINE:
            return printable(line), column
        start = max(0, column - _LONGEST_LINE // 2)
        shown = line[start : start + _LONGEST_LINE]
        before, after = "…" * (start > 0), "…" * (start + len(shown) < len(line))
        return printable(f"{before}{shown}{after}"), column - start + len(before)


class OperandError(ValueError):
    """Operands that an operation cannot take; `fix` says what would work."""

    def __init__(self, message: str, fix: str | Advice = "") -> None:
        super().__init__(message)
        self.fix = fix
