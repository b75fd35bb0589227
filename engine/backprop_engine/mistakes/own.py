"""What is right for somebody whose answers before were others than the right ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backprop_engine.basics.values import Value, in_full, shape_of
from backprop_engine.mistakes.edge import edge_at
from backprop_engine.mistakes.questions import Asked, Question
from backprop_engine.trace import Trace
from backprop_engine.trace.parts import StepKind


def following(trace: Trace, question: Question, own: Mapping[int, Value]) -> Value | None:
    """The answer to `question` where `own`, by their steps, stand in the place of what is sent.

    None where one of these has another shape than what it stands for.
    """
    pass_ = trace.passes[trace.pass_index(question.step)]
    gradients: dict[int, Any] = {}
    for step in range(pass_.start, question.step + 1):
        kind = trace.step(step).kind
        if kind is StepKind.SEED:
            gradients[int(trace.receivers[step])] = in_full(trace.contribution(step))
        if kind is not StepKind.CONTRIBUTION:
            continue
        sender, receiver, _ = trace.edge(step)
        sent = edge_at(trace, step, gradients[sender]).sent()
        before = gradients.get(receiver)
        total = sent if before is None else before + sent
        if step == question.step:
            return sent if question.asked is Asked.CONTRIBUTION else total
        answer = own.get(step)
        if answer is not None and shape_of(answer) != shape_of(sent):
            return None
        if answer is not None:
            total = answer if before is None else before + answer
        gradients[receiver] = total
    return None
