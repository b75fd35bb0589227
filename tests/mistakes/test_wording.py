"""A mistake is told with the names of the run: what was forgotten, and where."""

from __future__ import annotations

import pytest

from backprop_engine import record
from backprop_engine.basics.source import Source
from backprop_engine.mistakes.table import MISTAKES, OF_ENGINES, SUMMING, Mistake
from backprop_engine.mistakes.wording import told, told_all
from backprop_engine.scenarios.loader import parse_shorthand
from backprop_engine.trace import Trace
from backprop_engine.trace.parts import StepKind

BY_NAME = {mistake.name: mistake for mistake in (*MISTAKES, *SUMMING, *OF_ENGINES)}


def traced(text: str) -> Trace:
    return record(parse_shorthand(Source("<-e>", text)))


def step_of(trace: Trace, node: str, operand: str) -> int:
    for step in range(len(trace)):
        is_sent = trace.step(step).kind is StepKind.CONTRIBUTION
        if is_sent and list(map(trace.label, trace.edge(step)[:2])) == [node, operand]:
            return step
    raise LookupError(f"{node} sends nothing to {operand}")


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        (
            "upstream forgotten",
            "that is the local derivative alone: the upstream ∂y/∂t was forgotten",
        ),
        (
            "value for derivative",
            "that is upstream × the value of t: its derivative 1 − t² belongs there",
        ),
        ("not summed over copies", "h was broadcast: sum what its copies receive, until the"),
        ("sign", "the sign is the other one"),
        ("overwritten", "t overwrites the gradient of h, which others have sent to already"),
    ],
)
def test_a_sentence_names_nodes_gradients_and_derivatives(name: str, sentence: str) -> None:
    trace = traced("x=2, h=0.3x, t=tanh(h), y=t**3")
    assert told(BY_NAME[name], trace, step_of(trace, "t", "h")).startswith(sentence)


def test_several_are_joined_by_or() -> None:
    trace = traced("x=2, y=x**3")
    both = told_all((BY_NAME["sign"], BY_NAME["1/n missing or twice"]), trace, 2)
    assert both == "the sign is the other one; or a mean divides by n, once: so does its derivative"


def test_what_has_no_local_derivative_leaves_no_gap() -> None:
    trace = traced("A=[[1, 2], [3, 4]], B=[[2, 0], [1, 5]], y=sum(A@B)")
    sentence = told(BY_NAME["local derivative forgotten"], trace, step_of(trace, "%1", "A"))
    assert sentence.endswith("as it came: the local derivative was forgotten")


@pytest.mark.parametrize("mistake", BY_NAME.values(), ids=BY_NAME)
def test_every_sentence_can_be_told_of_every_step_that_sends(mistake: Mistake) -> None:
    trace = traced("x=2, h=0.3x, t=tanh(h), y=t/x")
    for step in range(len(trace)):
        if trace.step(step).kind in (StepKind.CONTRIBUTION, StepKind.SEED):
            assert "{" not in told(mistake, trace, step)
