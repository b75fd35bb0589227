"""The questions of a lesson: what is asked, what is right, and what would be answered by mistake.

Everything is told at the values of the run and at others near by, at which a page judges algebra.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np

from backprop_engine.basics import notation
from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.values import Value, in_full
from backprop_engine.mistakes.asking import asked_text, hints, known
from backprop_engine.mistakes.questions import Question, question_at
from backprop_engine.mistakes.telling import close
from backprop_engine.mistakes.values import near_by
from backprop_engine.mistakes.wording import told
from backprop_engine.trace import Trace

_MOST_ELEMENTS: Final = 6
"""Of an answer that is typed."""
_MOST_CELLS: Final = 120
"""Of an array that is told with a question."""


@dataclass(frozen=True, slots=True)
class LessonQuestion:
    """What is asked at a step. Values stand here and at the points near by, in that order."""

    asked: str
    arrays: tuple[str, ...]
    """The arrays that an answer is made of, in numbers: a box of the graph has a picture."""
    hints: tuple[str, ...]
    right: tuple[Value, ...]
    upstream: tuple[Value, ...]
    wrong: tuple[tuple[str, tuple[Value, ...]], ...]
    """The sentence of a mistake and what it answers; at other points nothing where nobody knows."""


class Examiner:
    """Asks about one run."""

    def __init__(self, trace: Trace) -> None:
        """Raises MissingError where nothing can be asked, as of a recording."""
        self.traces = (trace, *near_by(trace))

    def question(self, step: int) -> LessonQuestion | None:
        """What is asked at `step`; None where nothing is, or the answer is too long to type."""
        here = self.traces[0]
        question = question_at(here, step)
        if question is None:
            return None
        right = tuple(question.right(trace) for trace in self.traces)
        if np.size(right[0]) > _MOST_ELEMENTS or not np.all(np.isfinite(right[0])):
            return None
        node, _, _ = here.edge(step)
        upstream = [trace.gradient(node, step) for trace in self.traces]
        asked = asked_text(here, question)
        return LessonQuestion(
            asked=asked,
            arrays=tuple(text for text in _arrays(here, question) if text not in asked),
            hints=hints(here, question),
            right=right,
            upstream=tuple(in_full(each) for each in upstream if each is not None),
            wrong=tuple(self._wrong(question, right[0])),
        )

    def _wrong(self, question: Question, right: Value) -> Sequence[tuple[str, tuple[Value, ...]]]:
        answers = [question.real(trace) for trace in self.traces]
        is_same = len({tuple(answer.mistake for answer in row) for row in answers}) == 1
        rows: Any = zip(*answers, strict=True) if is_same else zip(answers[0], strict=True)
        return [
            (
                told(row[0].mistake, self.traces[0], question.step),
                tuple(answer.value for answer in row),
            )
            for row in rows
            if not close(row[0].value, right)
        ]


def _arrays(trace: Trace, question: Question) -> Iterator[str]:
    for name, value in known(trace, question):
        if isinstance(value, np.ndarray) and value.ndim:
            yield f"{name} = {notation.listed(value, _MOST_CELLS) or notation.short(value)}"
