"""What a session knows of questions and answers: plain data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import field
from itertools import takewhile

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.mistakes.answers import Judge
from backprop_engine.mistakes.questions import Question, question_at
from backprop_engine.mistakes.table import Mistake


@dataclass(frozen=True, eq=False, slots=True)
class Examiner:
    """Asks about one run and judges; what was found out about it stays known."""

    judge: Judge
    _known: dict[int, Question | None] = field(default_factory=dict)

    def question(self, step: int) -> Question | None:
        """What is asked at `step`; None where it only hands a gradient on, or sends none."""
        if step not in self._known:
            self._known[step] = question_at(self.judge.trace, step)
        return self._known[step]

    def first(self, steps: Iterable[int]) -> Question | None:
        """The first question that one of `steps` asks."""
        return next((asked for step in steps if (asked := self.question(step))), None)


@dataclass(frozen=True, slots=True)
class Settled:
    """A question that is done with."""

    question: Question
    is_right: bool
    """Whether the first answer was."""
    mistakes: tuple[Mistake, ...] = ()
    """Of all wrong answers."""
    is_shown: bool = False
    """Whether the answer was asked for."""


@dataclass(frozen=True, slots=True)
class Predicting:
    """Steps are asked before they are shown."""

    examiner: Examiner
    reached: int
    """Steps that are done or answered, whose numbers may be shown; the next one is asked."""
    goal: int = 0
    """The cursor that was wanted when a question came up."""
    is_asking: bool = False
    """Whether a question waits for its answer now."""
    hints: int = 0
    """Given at this question."""
    missed: tuple[Mistake, ...] | None = None
    """The mistakes in wrong answers to this question; None before the first."""
    settled: tuple[Settled, ...] = ()

    @property
    def right(self) -> int:
        """Questions whose first answer was right."""
        return sum(each.is_right for each in self.settled)

    @property
    def streak(self) -> int:
        """How many of these in a row, up to now."""
        if self.missed is not None:
            return 0
        return sum(1 for _ in takewhile(lambda each: each.is_right, reversed(self.settled)))

    @property
    def made(self) -> str:
        """`upstream forgotten (2), sign`: the mistakes so far, the commonest first."""
        counted = Counter(mistake.name for each in self.settled for mistake in each.mistakes)
        return ", ".join(
            f"{name} ({times})" if times > 1 else name for name, times in counted.most_common()
        )

    @property
    def score(self) -> str:
        """`4/6 · streak 2`"""
        return f"{self.right}/{len(self.settled)} · streak {self.streak}"
