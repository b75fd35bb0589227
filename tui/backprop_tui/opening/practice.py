"""What there is to practise: which exercise trains a kind of mistake that is due."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from itertools import islice
from pathlib import Path

from backprop_engine.basics.source import ScenarioError
from backprop_engine.mistakes.questions import questions
from backprop_engine.mistakes.table import MISTAKES, SUMMING
from backprop_engine.mistakes.values import seeded
from backprop_engine.run.record import record
from backprop_engine.scenarios.loader import load
from backprop_engine.trace import Trace
from backprop_tui.memory import boxes
from backprop_tui.memory.boxes import Boxes
from backprop_tui.session.predicting.state import Settled

_LOOKED_AT = 24
"""Questions of a scenario by which it is known what it trains."""


@dataclass(frozen=True, eq=False)
class Exercise:
    """A scenario and the kinds of mistake that can be made in it."""

    trace: Trace

    @cached_property
    def trains(self) -> frozenset[str]:
        """Their slugs."""
        asked = islice(questions(self.trace), _LOOKED_AT)
        real = (answer for question in asked for answer in question.real(self.trace))
        return frozenset(answer.mistake.slug for answer in real)


class Course:
    """The exercises of a folder in their order, and how far a person has come with them."""

    def __init__(self, folder: Path, state: Path, today: Callable[[], date] = date.today) -> None:
        """`state` is the folder that the boxes are kept in."""
        self._state, self._today = state, today
        self._exercises = [Exercise(trace) for trace in _traces(folder)]
        self._boxes, self.trouble = boxes.read(state)
        """What is to be told of the boxes."""
        self._drawn: set[Exercise] = set()

    @cached_property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of mistake that are trained here, in the order in which they come."""
        table = [mistake.slug for mistake in (*MISTAKES, *SUMMING)]
        trained = (kind for each in self._exercises for kind in table if kind in each.trains)
        return tuple(dict.fromkeys(trained))

    @property
    def due(self) -> list[str]:
        """The kinds that are due today."""
        return self._boxes.due(self.kinds, self._today())

    @property
    def nothing_due(self) -> str:
        """What is to be said where nothing is due."""
        if not self.kinds:
            return "no scenario there asks anything"
        day = self._boxes.next_due(self.kinds)
        return f"nothing is due today; next on {day}" if day else "nothing is due"

    def draw(self) -> Trace | None:
        """An exercise that trains what is due first, with values of its own; None for none.

        Of several the first that was not drawn yet in this sitting.
        """
        for kind in self.due:
            fitting = [exercise for exercise in self._exercises if kind in exercise.trains]
            fresh = [exercise for exercise in fitting if exercise not in self._drawn] or fitting
            self._drawn.add(fresh[0])
            self._boxes = replace(self._boxes, rounds=self._boxes.rounds + 1)
            return seeded(fresh[0].trace, self._boxes.rounds).trace
        return None

    def settle(self, trace: Trace, settled: Sequence[Settled]) -> Boxes:
        """Where the kinds lie after these answers in one exercise, and keep it. Raises OSError.

        A kind is avoided where it could have been made and was not, in all of the exercise.
        """
        avoided: dict[str, bool] = {}
        for each in settled:
            if each.is_right:
                avoided |= {answer.mistake.slug: True for answer in each.question.wrong(trace)}
        avoided |= {mistake.slug: False for each in settled for mistake in each.mistakes}
        moved = self._boxes.moved(avoided, self._today())
        boxes.write(self._state, moved, self._boxes.rounds)
        return replace(self._boxes, kinds={**self._boxes.kinds, **moved})

    def close(self, after: Boxes) -> None:
        """An exercise is left: what is due is told by where the kinds lie `after` it."""
        self._boxes = after


def _traces(folder: Path) -> Iterator[Trace]:
    for path in sorted(path for path in folder.rglob("*") if path.suffix in (".yaml", ".yml")):
        try:
            trace = record(load(path))
        except ScenarioError:
            continue  # a lesson about an error; `check` tells others
        if next(questions(trace), None) is not None:
            yield trace
