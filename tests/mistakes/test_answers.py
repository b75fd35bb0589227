"""Answers are judged by their numbers and digits, algebra in every form; mistakes have names."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.thorough import share

from backprop_engine import load, record
from backprop_engine.basics.source import ProblemError, ScenarioError, Source
from backprop_engine.mistakes.answers import Judge, Judgement
from backprop_engine.mistakes.questions import Asked, Question, question_at, questions
from backprop_engine.mistakes.table import MISTAKES, OF_ENGINES, SUMMING
from backprop_engine.mistakes.values import seeded
from backprop_engine.scenarios.loader import parse_shorthand
from backprop_engine.trace import Trace

NEURON = "x=2, w=0.3, b=0.1, h=w*x+b, t=tanh(h), y=t**3"
ALL = Path("scenarios").rglob("*.yaml")
SCENARIOS = sorted(path for path in ALL if "large" not in path.parts)
SOME = SCENARIOS[1 :: share(usual=8, thorough=1)]


def traced(text: str) -> Trace:
    return record(parse_shorthand(Source("<-e>", text)))


def judged(trace: Trace, sender: str, operand: str, answer: str) -> Judgement:
    return Judge(trace).judge(asked(trace, sender, operand), answer)


def asked(trace: Trace, sender: str, operand: str) -> Question:
    for question in questions(trace):
        node, receiver, _ = trace.edge(question.step)
        if (trace.label(node), trace.label(receiver)) == (sender, operand):
            return question
    raise LookupError(f"{sender} is not asked what it sends to {operand}")


def names(judgement: Judgement) -> list[str]:
    return [mistake.name for mistake in judgement.mistakes]


@pytest.mark.parametrize(
    "answer", ["g*(1-t**2)", "upstream*(1-t*t)", "3t*t*(1-t)(1+t)", "3*t**2/cosh(h)**2",
     "g·(1 − t²)", "g*(1-t^2)", "3t²·(1−t)·(1+t)", "3×t²×cosh(h)⁻²", "∂y/∂t · (1 – t²)",
     "dL/dt*(1 - t^2)", "dt⊙(1-t²)", "g(1 - t)(1 + t)", "3 y (1/t - t)", "dy*3*t²/cosh(h)²",
     "g − g·√(t⁴)", "3·∂y/∂y·t²·(1−t²)", "g·4·σ(2h)·(1−σ(2h))", "g·4e^(2h)/(e^(2h)+1)²",
     "g*[h > 0]*(1-t²)", "∂y/∂t(1 − t²)", "dt (1-t²)",
     "t.grad(1-t²)", "1e0dL/dt(1-t²)", "3dy*t²*(1-t²)", "1.0e−0·g·(1-t²)",
     "= g·(1−t²)", "g*exp(-2*ln(cosh(h)))"],
)  # fmt: skip
def test_algebra_is_right_in_every_equivalent_form(answer: str) -> None:
    judgement = judged(traced(NEURON), "t", "h", answer)
    assert (judgement.is_right, judgement.remark) == (True, "")


@pytest.mark.parametrize(
    ("answer", "mistake"),
    [
        ("1 - t**2", "upstream forgotten"),
        ("g", "local derivative forgotten"),
        ("-g*(1 - t**2)", "sign"),
        ("g*(1 - t)", "factor forgotten"),
        ("g*(1 - h**2)", "input and output mixed up"),
        ("g + 1 - t**2", "added for multiplied"),
        ("g*g*(1 - t**2)", "upstream twice"),
        ("g*t", "value for derivative"),
    ],
)
def test_wrong_algebra_is_told_by_its_mistake(answer: str, mistake: str) -> None:
    judgement = judged(traced(NEURON), "t", "h", answer)
    assert not judgement.is_right
    assert names(judgement) == [mistake]


@pytest.mark.parametrize(
    ("answer", "place"),
    [("g·(1 − t²) + z", 13), ("∂y/∂t·(1 − t²) + z", 17), ("3·t² = 1.1", 5), ("∂t/∂h", 0),
     ("dx/dz", 0), ("g·t²²)", 5), ("t²·(1−t", 3), ("t⁻", 1), ("t²⁻", 1)],
)  # fmt: skip
def test_a_problem_stands_where_it_was_typed(answer: str, place: int) -> None:
    with pytest.raises(ProblemError) as caught:
        judged(traced(NEURON), "t", "h", answer)
    assert caught.value.problem.span.start == place


@pytest.mark.parametrize("answer", ["d%1*x", "2d%1·x/2", "dL/d%1(x)", "%1.grad(x)", "½·2·x·d%1"])
def test_a_gradient_is_told_by_the_number_of_its_node(answer: str) -> None:
    trace = traced("x=2, w=0.3, t=tanh(w*x + 1), y=t**3")
    assert judged(trace, "%1", "w", answer).is_right


def test_what_is_wrong_in_no_known_way_is_wrong_without_a_name() -> None:
    judgement = judged(traced(NEURON), "t", "h", "g*cos(h)")
    assert (judgement.is_right, judgement.mistakes, judgement.remark) == (False, (), "")


def test_a_number_counts_by_the_digits_that_were_typed() -> None:
    trace = traced("x=0.3, w=0.9, y=exp(x*w)")  # sends 0.39299… to w
    for answer in ("0.39299", "0.393", "0.39", "3.93e-1"):
        assert judged(trace, "%1", "w", answer).is_right
    assert not judged(trace, "%1", "w", "0.3931").is_right
    with pytest.raises(ProblemError, match="too few digits"):
        judged(trace, "%1", "w", "0.4")


@pytest.mark.parametrize(
    ("answer", "is_right"),
    [("2", True), ("1.9996", True), ("2.000", True), ("2.001", False), ("1.998", False)],
)
def test_fewer_digits_stand_for_four(answer: str, is_right: bool) -> None:
    trace = traced("x=0.9998, y=x**2")  # sends 1.9996
    assert judged(trace, "y", "x", answer).is_right is is_right


@pytest.mark.parametrize(
    ("x", "answer", "is_right"),
    [(1.2, "1,728", True), (1.2, "1728", False), (12, "1,728", True), (12, "1728,0", True),
     (12, "172,8", False), (1.2, "1,72", False), (0.12, "1,728e-3", True), (1.2, "-1,728", False)],
)  # fmt: skip
def test_a_comma_parts_decimals_or_thousands(x: float, answer: str, is_right: bool) -> None:
    trace = traced(f"x={x}, b=2, y=x**3*b")
    assert judged(trace, "y", "b", answer).is_right is is_right


@pytest.mark.parametrize(
    ("answer", "is_right"),
    [("12350000", True), ("1.235e7", True), ("12,3e6", True), ("12345678", True),
     ("12340000", False), ("12345600", False)],
)  # fmt: skip
def test_zeros_at_the_end_of_a_whole_number_may_be_rounded(answer: str, is_right: bool) -> None:
    assert judged(traced("x=6172839, y=x**2"), "y", "x", answer).is_right is is_right


def test_numbers_of_the_screen_may_be_computed_with_though_a_difference_takes_digits() -> None:
    trace = traced("x=6, y=sigmoid(x)")
    assert judged(trace, "y", "x", "0.997527·(1 − 0.997527)").is_right
    assert not judged(trace, "y", "x", "0.99·(1 − 0.997527)").is_right


@pytest.mark.parametrize("answer", ["inf", "∞", "1/0", "[inf]"])
def test_infinity_is_an_answer_where_it_is_right(answer: str) -> None:
    trace = traced("x=[0], y=sqrt(x)[0]") if "[" in answer else traced("x=0, y=sqrt(x)")
    sender = "%1" if "[" in answer else "y"
    assert judged(trace, sender, "x", answer).is_right
    wrong = answer.replace("inf", "-inf").replace("∞", "-∞").replace("1/", "-1/")
    assert not judged(trace, sender, "x", wrong).is_right


@pytest.mark.parametrize(
    "answer",
    ["[[1. 3.]\n [5. 7.]]", "tensor([[1., 3.],\n        [5., 7.]])", "array([[1., 3.],[5., 7.]])",
     "tensor([[1.0000, 3.0000],\n [5.0000, 7.0000]], dtype=torch.float64, grad_fn=<Mul>)",
     "[[1.000e+00 3.000e+00] [5.0e+00 7.0]]", "[[1,3],[5,7]]", "np.array([[1,3],[5,7]])"],
)  # fmt: skip
def test_an_array_may_be_as_numpy_or_torch_prints_it(answer: str) -> None:
    trace = traced("x=[[1, 3], [5, 7]], y=(x**2).sum()/2")
    question = asked(trace, "%1", "x")
    assert Judge(trace).judge(question, answer).is_right
    assert not Judge(trace).judge(question, answer.replace("7", "8")).is_right


def test_one_digit_is_enough_where_it_is_exact() -> None:
    assert judged(traced("x=3, w=2, y=(x*w)**1"), "%1", "w", "3").is_right


def test_what_holds_at_these_numbers_alone_is_right_and_said() -> None:
    judgement = judged(traced("x=2, w=3, h=w*x, y=exp(h/4)"), "h", "w", "g*2")
    assert judgement.is_right
    assert judgement.remark == "right at these numbers, not in general"


def test_algebra_is_judged_where_it_is_defined() -> None:
    trace = traced("x=1.3, y=tan(x)")  # near by, the tangent is negative
    assert judged(trace, "y", "x", "g*(exp(2*log(y)) + 1)").is_right
    assert not judged(trace, "y", "x", "g*(exp(3*log(y)) + 1)").is_right
    assert not judged(trace, "y", "x", "g*(log(-y) + 1)").is_right


def test_a_mistake_that_the_numbers_hide_is_a_mistake_in_algebra() -> None:
    # The upstream is 1, so k alone is the right number.
    judgement = judged(traced("x=1, w=3, k=2, y=(k*w)*x"), "%1", "w", "k")
    assert not judgement.is_right
    assert names(judgement) == ["upstream forgotten"]


def test_an_array_is_judged_element_by_element_and_by_its_shape() -> None:
    trace = traced("x=[1, 2, 3], b=[0.5], y=sum((x + b)**2)")
    assert judged(trace, "%1", "b", "[15.00]").is_right
    told = judged(trace, "%1", "b", "[3, 5, 7]")
    assert names(told) == ["upstream forgotten"] or told.remark
    assert not told.is_right
    assert judged(trace, "%1", "b", "[5.00]").remark == ""
    assert "shape" in judged(trace, "%1", "b", "2*(x + b)").remark
    assert names(judged(trace, "%1", "b", "2*(x + b)")) == ["not summed over copies"]


@pytest.mark.parametrize("typed", ["2 -4 8", "2.00, −4, 8", " 2,-4,8.0 "])
def test_the_numbers_of_an_array_need_no_brackets(typed: str) -> None:
    trace = traced("x=[1, -2, 4], y=sum(x**2)")
    assert judged(trace, "%1", "x", typed).is_right
    assert names(judged(trace, "%1", "x", typed.replace("8", "-8"))) == []
    with pytest.raises(ProblemError, match="no operator"):
        judged(traced("x=3, y=x**2"), "y", "x", "2 4")


def test_algebra_of_numbers_stands_for_each_element_of_an_array() -> None:
    trace = traced("x=[1, 2, 4], k=3, p=x**2, y=k*mean(p)")
    assert judged(trace, "%1", "p", "g/3").is_right
    assert names(judged(trace, "%1", "p", "g")) == ["1/n missing or twice"]
    assert not judged(trace, "%1", "p", "g/2").is_right
    assert not judged(trace, "p", "x", "g/3").is_right


def test_one_number_for_an_array_is_told_that_each_element_is_meant() -> None:
    trace = traced("x=[1, 2, 4], p=x**2, y=3*mean(p)")
    told = judged(trace, "%1", "p", "1.00")
    assert not told.is_right
    assert told.remark.startswith("it is right of each element: write them all; its shape is ()")
    assert judged(trace, "%1", "p", "2.00").remark.startswith("its shape is ()")
    assert judged(trace, "%1", "p", "[1, 1, 1]").is_right


def test_where_paths_meet_the_sum_is_asked() -> None:
    trace = traced("x=2, a=x+1, b=x+3, y=a*b")
    question = asked(trace, "a", "x")
    assert question.asked is Asked.SUM
    judge = Judge(trace)
    assert judge.judge(question, "a + b").is_right
    assert names(judge.judge(question, "b")) == ["only one path"]
    assert names(judge.judge(question, "a*b")) == ["multiplied for added"]


def test_nothing_is_asked_where_a_gradient_is_only_handed_on() -> None:
    trace = traced("x=2, b=1, y=(x + b)**2")
    told = {trace.label(trace.edge(question.step)[1]) for question in questions(trace)}
    assert told == {"%1"}


def test_infinity_is_not_near_to_anything() -> None:
    assert not judged(traced(NEURON), "t", "h", "1e400").is_right
    assert not judged(traced(NEURON), "t", "h", "g*9**9**9**9").is_right


@pytest.mark.parametrize("answer", ["foo", "2g(", "x.grad", "y", "", "t =", "__import__('os')"])
def test_what_is_no_answer_is_told_with_its_place(answer: str) -> None:
    trace = traced("x=2, t=tanh(x), y=t**2")
    if answer == "y":
        assert not judged(trace, "t", "x", answer).is_right
        return
    with pytest.raises(ProblemError):
        judged(trace, "t", "x", answer)


def test_a_name_of_the_scenario_comes_before_the_short_one() -> None:
    trace = traced("g=2, t=tanh(g), y=t**2")
    assert judged(trace, "t", "g", "upstream*(1 - t**2)").is_right
    assert not judged(trace, "t", "g", "g*(1 - t**2)").is_right


def typed(value: Any) -> str:
    """With four digits, as a person would write it."""
    digits: Any = {"float_kind": lambda number: f"{number:.4g}"}
    return np.array2string(np.asarray(value), separator=", ", formatter=digits)


def test_mistakes_are_named_and_right_answers_taken_at_seeded_values() -> None:
    count: Counter[str] = Counter()
    for path in SOME:
        try:
            run = seeded(record(load(path)), seed=1).trace
        except ScenarioError:
            continue  # a lesson about an error
        judge = Judge(run)
        for question in islice(questions(run), 8):
            right = question.right(run)
            if np.size(right) > 64 or not np.all(np.isfinite(right)):
                continue
            assert judge.judge(question, typed(right)).is_right, (path, question)
            for mistake, value in question.wrong(run):
                if np.all(np.isfinite(value)) and np.size(value) <= 64:
                    told = judge.judge(question, typed(value))
                    is_named = mistake in told.mistakes and len(told.mistakes) <= 2
                    count["all"] += 1
                    count["named"] += is_named
                    count["or"] += len(told.mistakes) > 1
    assert count["all"] > 50
    assert count["named"] >= 0.97 * count["all"]
    assert count["or"] <= 0.1 * count["all"]


def test_values_of_a_seed_are_the_same_every_time() -> None:
    trace = traced(NEURON)
    first, again = seeded(trace, 7), seeded(trace, 7)
    assert first.attempt == again.attempt
    named = seeded(trace, 7, first.attempt).trace
    for name, node in trace.nodes.inputs.items():
        assert first.trace.nodes.value[node] == named.nodes.value[node], name
        assert first.trace.nodes.value[node] != trace.nodes.value[node]


def test_each_mistake_has_a_name_of_its_own() -> None:
    slugs = [mistake.slug for mistake in (*MISTAKES, *SUMMING, *OF_ENGINES)]
    assert len(set(slugs)) == len(slugs)


def test_a_step_that_sends_nothing_is_no_question() -> None:
    trace = traced(NEURON)
    assert question_at(trace, 0) is None
