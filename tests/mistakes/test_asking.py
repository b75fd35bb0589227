"""A question says what is known, its hints tell ever more, and none tells the answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from backprop_engine import load, record
from backprop_engine.basics.source import Source
from backprop_engine.mistakes.asking import answer_text, asked_text, hints
from backprop_engine.mistakes.questions import Question, questions
from backprop_engine.scenarios.loader import parse_shorthand
from backprop_engine.trace import Trace

NEURON = "x=2, w=0.3, b=0.1, h=w*x+b, t=tanh(h), y=t**3+1/t"
LAYER = "X=[[1,2],[3,4],[5,6]], W=[[0.5,-1],[2,0.25]], b=[0.1,0.2], L=(relu(X@W+b)**2).mean()"


def asked(text: str, sender: str, operand: str) -> tuple[Trace, Question]:
    trace = record(parse_shorthand(Source("<-e>", text)))
    for question in questions(trace):
        if [trace.label(node) for node in trace.edge(question.step)[:2]] == [sender, operand]:
            return trace, question
    raise LookupError(f"{sender} is not asked what it sends to {operand}")


def test_numbers_are_asked_with_the_upstream_and_how_the_node_is_made():
    trace, question = asked(NEURON, "%1", "x")
    assert asked_text(trace, question) == "∂y/∂%1 = −1.04224 · %1 = w·x sends to x"
    assert answer_text(trace, question) == "%1 sends −0.312671 to x"
    rule, holes, numbers = hints(trace, question)
    assert rule == "In a product each factor receives the gradient times the other factor."
    assert holes == "? × ?"
    assert numbers == "(−1.04224) × 0.3"


def test_a_number_that_is_written_out_belongs_to_the_rule():
    assert hints(*asked(NEURON, "%2", "t"))[1] == "? × 3 · ?²"


def test_where_paths_meet_both_parts_are_told_and_the_sum_is_asked():
    trace, question = asked("x=2, a=x**2, y=(a+x)+2*a", "%1", "a")
    assert asked_text(trace, question) == "a has 2 · %1 = a + x adds ∂y/∂%1 = 1 · the sum?"
    assert hints(trace, question)[1:] == ("? + ?", "2 + 1")
    assert answer_text(trace, question) == "the sum for a is 3"


def test_arrays_are_hinted_at_by_their_names_and_shapes():
    trace, question = asked(LAYER, "%1", "W")
    _, holes, named = hints(trace, question)
    assert holes == "?ᵀ @ ?"
    assert named == "∂L/∂W = Xᵀ @ ∂L/∂%1 · shapes: %1 (3, 2), W (2, 2)"
    assert "summed over axis 0" in hints(*asked(LAYER, "%2", "b"))[2]


@pytest.mark.parametrize("path", sorted(Path("scenarios/exercises").glob("*.yaml")), ids=str)
def test_every_question_of_an_exercise_has_its_words_and_three_hints(path: Path):
    trace = record(load(path))
    for question in questions(trace):
        assert asked_text(trace, question).startswith(
            ("∂", trace.label(trace.edge(question.step)[1]))
        )
        assert all(hints(trace, question))
        assert answer_text(trace, question)


@pytest.mark.parametrize("text", [NEURON, LAYER, "z=[1, 2, 3], y=softmax(z)[1] + z.sum()"])
def test_neither_a_question_nor_its_hints_have_the_answer_in_them(text: str):
    trace = record(parse_shorthand(Source("<-e>", text)))
    for question in questions(trace):
        right = answer_text(trace, question).split()[
            2 if "sends" in asked_text(trace, question) else -1
        ]
        if len(right.strip("−")) > 3:
            assert right not in " ".join([asked_text(trace, question), *hints(trace, question)])
