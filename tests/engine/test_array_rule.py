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
from backprop_engine.reading.explain import explain
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
        rule, sent = rule_of(trace, step), np.asarray(trace.contribution(step))
        np.testing.assert_array_equal(np.reshape(rule.sent.value, sent.shape), sent)
        if rule.signs[0] != "from":
            np.testing.assert_allclose(computed(rule), rule.sent.value, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("operation", WITH_EXAMPLES, ids=lambda operation: operation.name)
def test_what_is_no_plain_product_shows_the_gradient_and_the_values_that_its_formula_names(
    operation,
):
    trace = trace_of(operation.description.example)
    for step in contributions(trace):
        rule, node = rule_of(trace, step), trace.edge(step)[0]
        if rule.signs[0] != "from":
            continue
        above, *others = rule.made_of
        np.testing.assert_array_equal(above.value, trace.gradient(node, step))
        labels = {trace.label(each): each for each in (node, *trace.nodes.operands[node])}
        formula = text_of(explain(trace, step).vjp)
        for figure in others:
            assert text_of(figure.name) in formula
            np.testing.assert_array_equal(
                figure.value, trace.nodes.value[labels[text_of(figure.name)]]
            )


def test_every_operation_that_sends_anything_is_among_the_examples():
    assert len(WITH_EXAMPLES) == len(OPERATIONS)
    for operation in OPERATIONS.values():
        trace = trace_of(operation.description.example)
        senders = {trace.nodes.operation_name(trace.edge(step)[0]) for step in contributions(trace)}
        assert operation.name in senders or not operation.derivatives or operation.name == "float"


@pytest.mark.parametrize(
    ("text", "name", "equation"),
    [
        (LAYER, "W", "∂L/∂W = Xᵀ @ ∂L/∂%1"),
        (LAYER, "X", "∂L/∂X = ∂L/∂%1 @ Wᵀ"),
        (LAYER, "b", "∂L/∂b = Σ over axis 0 of ∂L/∂%2"),
        (LAYER, "Y", "∂L/∂Y = ∂L/∂%3 ⊙ 2·Y"),
        ("x=[1,2], s=3, y=(x*s).sum()", "s", "∂y/∂s = Σ over axis 0 of ∂y/∂%1 ⊙ x"),
        ("x=[[1,2],[3,4]], W=[[1,2],[3,4]], y=linear(x,W).sum()", "W", "∂y/∂W = (∂y/∂%1)ᵀ @ x"),
        ("x=[1,2,3], p=softmax(x, 0), l=p@p", "x", "∂l/∂x from ∂l/∂p and p"),
        ("x=[[1,2],[3,4]], v=[1,2], y=(x@v).sum()", "x", "∂y/∂x = ∂y/∂%1 @ vᵀ"),
        ("x=[[1,2],[3,4]], v=[1,2], y=(x@v).sum()", "v", "∂y/∂v = xᵀ @ ∂y/∂%1"),
        ("x=[[1,2],[3,4]], v=[1,2], y=(v@x).sum()", "v", "∂y/∂v = ∂y/∂%1 @ xᵀ"),
        ("Q=[[[1,2]],[[3,4]]], K=[[[5],[6]],[[7],[8]]], y=(Q@K).sum()", "K", "∂y/∂K = Qᵀ @ ∂y/∂%1"),
        ("v=[1,2], w=[3,4], y=v@w", "w", "∂y/∂w = vᵀ · ∂y/∂y"),
        ("x=[[1,2],[3,4]], y=x.expand(3,2,2).sum()", "x", "∂y/∂x from ∂y/∂%1"),
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
