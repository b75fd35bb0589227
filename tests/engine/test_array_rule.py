"""A contribution between arrays is an equation that holds in numbers."""

from __future__ import annotations

import numpy as np
import pytest
from tests.engine.test_element_terms import LAYER, contributions, step_to, trace_of
from tests.foreign_trace import SUMMED_UP, WHOLE

from backprop_engine.basics.summary import Summary
from backprop_engine.catalogue import OPERATIONS
from backprop_engine.mathematics.text import text_of
from backprop_engine.reading.array_rule import ArrayRule, array_rule
from backprop_engine.trace import Trace

WITH_EXAMPLES = [operation for operation in OPERATIONS.values() if operation.description.example]


def rule_of(trace: Trace, step: int) -> ArrayRule:
    rule = array_rule(trace, step)
    assert rule is not None
    return rule


def written(rule: ArrayRule) -> str:
    parts = [f"{sign} {text_of(figure.name)}"
             for sign, figure in zip(rule.signs, rule.made_of, strict=True)]  # fmt: skip
    return " ".join([text_of(rule.sent.name), *parts])


def computed(rule: ArrayRule) -> np.ndarray:
    """What the right side of the equation comes to."""
    first, *others = (np.asarray(figure.value) for figure in rule.made_of)
    for sign, other in zip(rule.signs[1:], others, strict=True):
        first = first @ other if sign == "@" else first * other
    shape = np.shape(rule.sent.value)
    if rule.signs[0].startswith("= Σ"):
        axes = tuple(map(int, rule.signs[0].split(" of")[0].split(maxsplit=4)[4].split(", ")))
        first = first.sum(axis=axes)
    return first.reshape(shape)


@pytest.mark.parametrize("operation", WITH_EXAMPLES, ids=lambda operation: operation.name)
def test_the_right_side_comes_to_what_is_sent(operation):
    trace = trace_of(operation.description.example)
    for step in contributions(trace):
        rule = rule_of(trace, step)
        if rule.signs == ("from",):
            assert len(rule.made_of) == 1
        else:
            np.testing.assert_allclose(computed(rule), rule.sent.value, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(
    ("text", "name", "equation"),
    [
        (LAYER, "W", "∂L/∂W = Xᵀ @ ∂L/∂%1"),
        (LAYER, "X", "∂L/∂X = ∂L/∂%1 @ Wᵀ"),
        (LAYER, "b", "∂L/∂b = Σ over axis 0 of ∂L/∂%2"),
        (LAYER, "Y", "∂L/∂Y = ∂L/∂%3 ⊙ 2·Y"),
        ("x=[1,2], s=3, y=(x*s).sum()", "s", "∂y/∂s = Σ over axis 0 of ∂y/∂%1 ⊙ x"),
        ("x=[[1,2],[3,4]], W=[[1,2],[3,4]], y=linear(x,W).sum()", "W", "∂y/∂W = (∂y/∂%1)ᵀ @ x"),
        ("x=[1,2,3], p=softmax(x, 0), l=p@p", "x", "∂l/∂x from ∂l/∂p"),
        ("x=[[1,2],[3,4]], v=[1,2], y=(x@v).sum()", "x", "∂y/∂x from ∂y/∂%1"),
    ],
)  # fmt: skip
def test_it_reads_as_the_chain_rule_does(text, name, equation):
    trace = trace_of(text)
    assert written(rule_of(trace, step_to(trace, name))) == equation


def test_of_summaries_there_is_none():
    steps = [step for step in contributions(SUMMED_UP)
             if isinstance(SUMMED_UP.contribution(step), Summary)]  # fmt: skip
    assert steps
    assert all(array_rule(SUMMED_UP, step) is None for step in steps)


def test_a_recording_without_formulas_says_only_from_what_it_came():
    step = step_to(WHOLE, "h")
    assert written(rule_of(WHOLE, step)).endswith(" from ∂loss/∂%1")
