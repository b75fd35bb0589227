"""What there is to practise: which exercise trains a kind of mistake that is due."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from functools import cached_property
from itertools import islice
from pathlib import Path

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.source import ScenarioError
from backprop_engine.mistakes.questions import questions
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

    path: Path

    @cached_property
    def trace(self) -> Trace | None:
        """Its run; None where it has none, as a lesson about an error: `check` tells of others."""
        try:
            return record(load(self.path))
        except ScenarioError:
            return None

    @cached_property
    def trains(self) -> frozenset[str]:
        """The slugs of the kinds."""
        trace = self.trace
        if trace is None:
            return frozenset()
        asked = islice(questions(trace), _LOOKED_AT)
        real = (answer for question in asked for answer in question.real(trace))
        return frozenset(answer.mistake.slug for answer in real)


class Course:
    """The exercises of a folder in their order, and how far a person has come with them."""

    def __init__(self, folder: Path, state: Path, today: Callable[[], date] = date.today) -> None:
        """`state` is the folder that the boxes are kept in."""
        self._state, self._today = state, today
        paths = (path for path in folder.rglob("*") if path.suffix in (".yaml", ".yml"))
        self._exercises = [Exercise(path) for path in sorted(paths)]
        self._boxes, self.trouble = boxes.read(state)
        """What is to be told of the boxes."""
        self._drawn: set[Exercise] = set()

    @cached_property
    def kinds(self) -> frozenset[str]:
        """The kinds of mistake that are trained here."""
        return frozenset[str]().union(*(each.trains for each in self._exercises))

    @property
    def nothing_due(self) -> str:
        """What is to be said where nothing is due; empty where something is."""
        if self._next() is not None:
            return ""
        day = self._boxes.next_due(self.kinds)
        return "no scenario there asks anything" if day is None else f"nothing is due until {day}"

    def draw(self) -> Trace | None:
        """An exercise that trains what is due, with values of its own; None for none."""
        exercise = self._next()
        if exercise is None or exercise.trace is None:
            return None
        self._drawn.add(exercise)
        self._boxes = replace(self._boxes, rounds=self._boxes.rounds + 1)
        return seeded(exercise.trace, self._boxes.rounds).trace

    def _next(self) -> Exercise | None:
        """What trains the kind that has waited longest; else what trains a new one."""
        for kind in self._boxes.due(self._today()):
            found = self._first(frozenset((kind,)).issubset)
            if found is not None:
                return found
        return self._first(lambda trained: not trained <= self._boxes.kinds.keys())

    def _first(self, fits: Callable[[frozenset[str]], bool]) -> Exercise | None:
        """The first exercise that fits and was not drawn yet in this sitting; else that fits."""
        again: Exercise | None = None
        for exercise in self._exercises:
            if fits(exercise.trains):
                if exercise not in self._drawn:
                    return exercise
                again = again or exercise
        return again

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
