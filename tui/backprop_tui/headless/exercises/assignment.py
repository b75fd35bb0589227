"""What a sheet asks: a scenario with values of a seed, and some of its steps."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import numpy as np

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.source import Problem, ScenarioError, Source, Span
from backprop_engine.basics.values import size_of
from backprop_engine.mistakes.answers import Judge
from backprop_engine.mistakes.questions import Question, questions
from backprop_engine.mistakes.values import seeded
from backprop_engine.run.record import record
from backprop_engine.scenarios.loader import parse_document, read_source
from backprop_engine.trace import Trace

_MOST_ELEMENTS = 64
"""Of an answer; a longer one is asked of nobody."""


@dataclass(frozen=True, eq=False)
class Assignment:
    """One learner's exercise."""

    name: str
    """Of the scenario's file, without its folders."""
    sha256: str
    seed: int
    attempt: int
    trace: Trace

    @cached_property
    def judge(self) -> Judge:
        """Who judges the answers."""
        return Judge(self.trace)

    @cached_property
    def _askable(self) -> tuple[Question, ...]:
        return tuple(_askable(self.trace))

    def questions(self, count: int) -> tuple[Question, ...]:
        """`count` of its questions, or as many as there are, spread evenly over the pass."""
        askable = self._askable
        count = min(count, len(askable))
        chosen = np.linspace(0, len(askable) - 1, count).round().astype(int)
        return tuple(askable[at] for at in dict.fromkeys(chosen.tolist()))


@dataclass(frozen=True, eq=False)
class Exercise:
    """A scenario that can be set: its file, and its run with its own values."""

    name: str
    sha256: str
    trace: Trace

    def assigned(self, seed: int, attempt: int | None = None) -> Assignment:
        """The exercise with the values of a seed; of the best attempt where none is given."""
        run = seeded(self.trace, seed, attempt)
        return Assignment(self.name, self.sha256, seed, run.attempt, run.trace)


def read_exercise(path: Path) -> Exercise:
    """The exercise in a scenario file. Raises ScenarioError, also where nothing can be asked."""
    source = read_source(path, "a scenario file")
    trace = record(parse_document(source))
    if next(_askable(trace), None) is None:
        problem = Problem("there is nothing to ask: gradients are only handed on", Span(0, 0))
        raise ScenarioError(source, problem)
    return Exercise(path.name, sha256_of(source), trace)


def sha256_of(source: Source) -> str:
    """Of the text, whatever its lines end with."""
    return hashlib.sha256(source.text.encode()).hexdigest()


def _askable(trace: Trace) -> Iterator[Question]:
    for question in questions(trace):
        right = question.right(trace)
        if size_of(right) <= _MOST_ELEMENTS and np.all(np.isfinite(right)):
            yield question
