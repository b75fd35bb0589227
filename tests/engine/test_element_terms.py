"""Each element of a contribution is told as a sum of scalar terms, which add up to it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from tests.foreign_trace import SUMMED_UP

from backprop_engine.basics.source import Source
from backprop_engine.catalogue import OPERATIONS
from backprop_engine.mathematics.text import text_of
from backprop_engine.reading.element_story import explain_element
from backprop_engine.reading.element_terms import ElementTerms, Index, element_terms
from backprop_engine.reading.explain import Explanation
from backprop_engine.run.record import record
from backprop_engine.scenarios.loader import parse_shorthand
from backprop_engine.trace import Missing, StepKind, Trace


def trace_of(text: str) -> Trace:
    return record(parse_shorthand(Source("<-e>", text)))


def terms_of(trace: Trace, step: int, element: Index) -> ElementTerms:
    terms = element_terms(trace, step, element)
    assert not isinstance(terms, Missing), terms.sentence
    return terms


def told(trace: Trace, step: int, element: Index) -> Explanation:
    explanation = explain_element(trace, step, element)
    assert not isinstance(explanation, Missing), explanation.sentence
    return explanation


def contributions(trace: Trace) -> list[int]:
    return [at for at in range(len(trace)) if trace.step(at).kind is StepKind.CONTRIBUTION]


def step_to(trace: Trace, label: str) -> int:
    """The contribution that `label` receives last."""
    receives = [at for at in contributions(trace) if trace.label(trace.edge(at)[1]) == label]
    return receives[-1]


def elements(trace: Trace) -> Iterator[tuple[int, Index, float]]:
    for step in contributions(trace):
        sent = np.asarray(trace.contribution(step))
        for element in np.ndindex(sent.shape):
            yield step, element, float(sent[element])


WITH_EXAMPLES = [operation for operation in OPERATIONS.values() if operation.description.example]


@pytest.mark.parametrize("operation", WITH_EXAMPLES, ids=lambda operation: operation.name)
def test_the_terms_of_every_element_add_up_to_the_contribution(operation):
    trace = trace_of(operation.description.example)
    for step, element, sent in elements(trace):
        terms = terms_of(trace, step, element).terms
        added = sum(term.local * term.upstream for term in terms)
        np.testing.assert_allclose(added, sent, rtol=1e-10, atol=1e-12)
        explanation = told(trace, step, element)
        assert text_of(explanation.target).startswith("∂")
        assert explanation.contribution


LAYER = "X=[[1,2],[3,4],[5,6]], W=[[0.5,-1],[2,0.25]], b=[0.1,0.2], Y=relu(X@W+b), L=(Y**2).mean()"


@pytest.mark.parametrize(
    ("text", "name", "element", "story"),
    [
        (LAYER, "W", (1, 0), "∂L/∂W[1, 0] = Σₖ X[k, 1]·∂L/∂%1[k, 0]"),
        (LAYER, "X", (2, 1), "∂L/∂X[2, 1] = Σₖ W[1, k]·∂L/∂%1[2, k]"),
        (LAYER, "b", (0,), "∂L/∂b[0] = Σₖ ∂L/∂%2[k, 0]"),
        (LAYER, "Y", (0, 1), "∂%3[0, 1]/∂Y[0, 1] = 2·Y[0, 1]"),
        ("x=[[1,2],[3,4]], W=[[1,2],[3,4]], y=linear(x,W).sum()", "W", (1, 0),
         "∂y/∂W[1, 0] = Σₖ x[k, 0]·∂y/∂%1[k, 1]"),
        ("x=[1,2,3], p=softmax(x, 0), l=p@p", "x", (1,), "∂l/∂x[1] = Σₖ ∂p[k]/∂x[1]·∂l/∂p[k]"),
        ("x=[[1,2],[3,4]], s=2, y=(x*s).sum()", "s", (), "∂y/∂s = Σₖₘ x[k, m]·∂y/∂%1[k, m]"),
    ],
)  # fmt: skip
def test_an_element_is_a_sum_over_what_meets_it(text, name, element, story):
    trace = trace_of(text)
    assert text_of(told(trace, step_to(trace, name), element).formula) == story


def test_the_figures_are_those_of_the_terms_and_the_sum_is_what_was_sent():
    trace = trace_of(LAYER)
    explanation = told(trace, step_to(trace, "W"), (0, 0))
    assert text_of(explanation.numbers) == "1 · 1.53333 + 3 · 3.2 + 5 · 4.86667 = 35.4667"
    assert explanation.after == "35.4667"


def test_of_many_terms_the_first_are_told():
    trace = trace_of("X=[[1,2,3,4,5,6]], w=[[1],[1],[1],[1],[1],[1]], y=(w@X).sum()")
    explanation = told(trace, step_to(trace, "w"), (0, 0))
    assert text_of(explanation.numbers) == "1 · 1 + 2 · 1 + 3 · 1 + 4 · 1 + … = 21"


def test_one_term_is_told_as_numbers_are():
    trace = trace_of(LAYER)
    explanation = told(trace, step_to(trace, "Y"), (1, 0))
    assert text_of(explanation.upstream_name) == "∂L/∂%3[1, 0]"
    assert text_of(explanation.formula) == "∂%3[1, 0]/∂Y[1, 0] = 2·Y[1, 0]"
    assert text_of(explanation.product) == "0.166667 × 19.2 = 3.2"


def test_an_element_that_gets_nothing_shows_the_figures_of_its_zero():
    explanation = told(trace := trace_of(LAYER), step_to(trace, "Y"), (0, 1))
    assert text_of(explanation.product) == "0.166667 × 0 = 0"
    assert (
        explanation.notes[0] == "one element of %3 is made of it, and does not change with it here"
    )


def test_of_a_large_product_only_the_rows_that_meet_the_element_are_asked_for():
    trace = trace_of(f"X={[[1, 2]] * 60}, W={[[1] * 50, [2] * 50]}, y=(X@W).sum()")
    terms = terms_of(trace, step_to(trace, "W"), (1, 7)).terms
    assert [term.at for term in terms] == [(row, 7) for row in range(60)]
    assert {term.local for term in terms} == {2.0}


def test_what_depends_on_too_much_is_not_told():
    trace = trace_of(f"x=[[1]], A={[[0] * 65] * 64}, y=(x + A).sum()")
    answer = element_terms(trace, step_to(trace, "x"), (0, 0))
    assert isinstance(answer, Missing)
    assert answer.sentence == "more than 4,096 elements of %1 may depend on it"


def test_what_is_not_finite_is_told_as_it_is_or_not_at_all():
    trace = trace_of("x=[[1e200, 1], [1, 1]], A=x*x, y=(A@A).sum()")
    answers = [(element_terms(trace, step, at), sent) for step, at, sent in elements(trace)]
    told_ones = [(terms, sent) for terms, sent in answers if not isinstance(terms, Missing)]
    assert len(told_ones) >= len(answers) / 2
    for terms, sent in told_ones:
        with np.errstate(all="ignore"):
            added = float(np.sum([term.sent for term in terms.terms]))
        assert added == pytest.approx(sent, nan_ok=True)


def test_of_a_summary_there_is_none():
    steps = contributions(SUMMED_UP)
    assert all(isinstance(element_terms(SUMMED_UP, step, (0, 0)), Missing) for step in steps)
