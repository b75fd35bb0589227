"""What can be asked at a step of a backward pass, and what somebody would answer by mistake."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import Any

import numpy as np

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.values import Value, full_like, in_full, shape_of
from backprop_engine.mistakes.edge import Edge, edge_at
from backprop_engine.mistakes.table import MULTIPLIED_PATHS, ONE_PATH, SIGN
from backprop_engine.mistakes.telling import WrongAnswer, close, real_mistakes
from backprop_engine.trace import Trace
from backprop_engine.trace.parts import StepKind


class Asked(Enum):
    """What is to be answered."""

    CONTRIBUTION = "what is sent"
    SUM = "what the receiver holds then"


@dataclass(frozen=True, slots=True)
class Question:
    """A contribution step, and what is asked of it."""

    step: int
    asked: Asked

    def right(self, trace: Trace) -> Value:
        """The right answer; ValueError where only a summary of it is kept."""
        if self.asked is Asked.SUM:
            return in_full(trace.total_after(self.step))
        return in_full(trace.contribution(self.step))

    def wrong(self, trace: Trace) -> tuple[WrongAnswer, ...]:
        """Every answer by mistake that differs from the right one."""
        right = self.right(trace)
        return tuple(answer for answer in self.real(trace) if not close(answer.value, right))

    def real(self, trace: Trace) -> tuple[WrongAnswer, ...]:
        """Every answer by mistake, even where the numbers make it right by chance."""
        if self.asked is Asked.CONTRIBUTION:
            return real_mistakes(edge_at(trace, self.step))
        sent: Any = in_full(trace.contribution(self.step))
        _, receiver, _ = trace.edge(self.step)
        before: Any = trace.gradient(receiver, self.step)
        return (
            WrongAnswer(ONE_PATH, sent),
            WrongAnswer(ONE_PATH, before),
            WrongAnswer(SIGN, before - sent),
            WrongAnswer(MULTIPLIED_PATHS, before * sent),
        )


def question_at(trace: Trace, step: int) -> Question | None:
    """What is asked at `step`; None where it is no contribution or only hands a gradient on."""
    if trace.step(step).kind is not StepKind.CONTRIBUTION:
        return None
    if not hands_on(edge_at(trace, step)):
        return Question(step, Asked.CONTRIBUTION)
    _, receiver, _ = trace.edge(step)
    return None if trace.gradient(receiver, step) is None else Question(step, Asked.SUM)


def questions(trace: Trace) -> Iterator[Question]:
    """All that can be asked of a run, in order."""
    for step in range(len(trace)):
        question = question_at(trace, step)
        if question is not None:
            yield question


def hands_on(edge: Edge) -> bool:
    """Whether the operand gets the upstream gradient as it is, put into its own shape."""
    one = full_like(edge.upstream, 1.0)
    for at in (edge, edge.elsewhere(np.random.default_rng(0))):
        if at is not None and not np.all(np.equal(at.sent(upstream=one), 1.0)):
            return False
    shape = shape_of(edge.operand)
    return not edge.operation.elementwise or shape_of(edge.upstream) == shape
