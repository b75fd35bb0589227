"""An operation opened into its parts: what comes in, what goes out, and that the sums agree."""

from __future__ import annotations

import numpy as np
import pytest
from tests.passed_off import pass_off

from backprop_engine.basics.source import Source
from backprop_engine.catalogue import OPERATIONS
from backprop_engine.reading.opened import compare_sent, open_composite, seeding_pass
from backprop_engine.run.opening import RESULT, composite_text
from backprop_engine.run.record import record
from backprop_engine.run.tape import graph_of
from backprop_engine.scenarios.loader import load, parse_shorthand
from backprop_engine.trace import Missing, PassKind
from backprop_engine.trace.abilities import Opens


def traced(text):
    return record(parse_shorthand(Source("<-e>", text)))


def node_named(trace, operation):
    return next(
        node for node, one in enumerate(graph_of(trace).operation) if one and one.name == operation
    )


def opened(text, operation="sigmoid"):
    trace = traced(text)
    node = node_named(trace, operation)
    return open_composite(trace, node, seeding_pass(trace, node, 0))


def test_the_parts_are_run_with_the_operands_of_outside():
    inside = opened("x=2, y=3*sigmoid(x)")
    inner = inside.trace
    assert graph_of(inner).inputs == {"a": 0}
    assert graph_of(inner).value[0] == 2
    assert graph_of(inner).value[-1] == pytest.approx(graph_of(inside.outer).value[inside.node])
    assert [pass_.kind for pass_ in inner.passes] == [PassKind.FORWARD, PassKind.BACKWARD]


def test_they_are_seeded_with_the_upstream_gradient_of_outside():
    inner = opened("x=2, y=3*sigmoid(x)").trace
    assert inner.contribution(inner.passes[1].start) == 3


def test_what_comes_to_the_letters_is_what_was_sent_to_the_operands():
    (sent,) = compare_sent(opened("x=2, y=3*sigmoid(x)"))
    assert sent.label == "x"
    assert sent.comparison.agrees
    assert sent.comparison.ulp <= 16
    assert sent.inside == pytest.approx(sent.outside, rel=1e-14)


def test_arrays_are_opened_as_scalars_are():
    (sent,) = compare_sent(opened("x=[2,-3,0], y=sum(sigmoid(x)*[1,-2,3])"))
    assert sent.comparison.agrees
    assert np.shape(sent.inside) == (3,)


def test_an_operand_that_needs_no_gradient_outside_needs_none_inside(tmp_path):
    path = tmp_path / "one.yaml"
    path.write_text(
        "inputs: {x: {value: 2, requires_grad: false}, w: 1}\ncompute: y = w * sigmoid(x)\n"
    )
    trace = record(load(path))
    inside = open_composite(trace, node_named(trace, "sigmoid"), None)
    assert not graph_of(inside.trace).requires_grad[0]
    assert len(inside.trace.passes) == 1
    assert compare_sent(inside) == []


def test_the_result_has_the_name_it_has_outside_if_it_has_one():
    assert opened("x=2, p=sigmoid(x), y=2p").trace.assigned == {"p": 6}
    assert list(opened("x=2, y=2*sigmoid(x)").trace.assigned) == [RESULT]
    assert list(opened("x=2, a=sigmoid(x), y=2a").trace.assigned) == [RESULT]


def test_the_source_says_what_the_letters_stand_for():
    source = opened("x=2, p=sigmoid(x), y=2p").trace.heading.files[0]
    assert source.text == "# p = σ(x): a is x\np = 1 / (1 + exp(-a))\n"


def test_the_pass_is_the_one_at_the_cursor_or_else_the_next():
    trace = traced("x=2, p=sigmoid(x), u=3p, v=5p; u.backward(retain_graph=True); v.backward()")
    node = node_named(trace, "sigmoid")
    second = trace.passes[2]
    assert seeding_pass(trace, node, 0) is trace.passes[1]
    assert seeding_pass(trace, node, second.start) is trace.passes[1]
    assert seeding_pass(trace, node, second.start + 1) is second
    assert seeding_pass(trace, node, len(trace)) is second
    for one, seed in ((trace.passes[1], 3), (second, 5)):
        inner = open_composite(trace, node, one).trace
        assert inner.contribution(inner.passes[1].start) == seed


def test_a_value_that_gets_no_gradient_is_opened_forward_only():
    trace = traced("x=2, p=sigmoid(x), y=2x")
    node = node_named(trace, "sigmoid")
    assert seeding_pass(trace, node, 0) is None
    assert len(open_composite(trace, node, None).trace.passes) == 1


@pytest.mark.parametrize(
    ("name", "reason"),
    [("x", "x is an input: nothing was computed that could be opened"),
     ("3", "3 is a constant: nothing was computed that could be opened"),
     ("y", "y = 3·%1: mul is not made of other parts"), ("%1", "")],
)  # fmt: skip
def test_what_cannot_be_opened_says_why(name, reason):
    trace = traced("x=2, y=3*sigmoid(x)")
    node = next(n for n in range(len(graph_of(trace))) if trace.label(n) == name)
    missing = trace.can(Opens, node)
    assert (missing.reason if isinstance(missing, Missing) else "") == reason
    if reason:
        with pytest.raises(ValueError, match=r"nothing was computed|not made of"):
            open_composite(trace, node, None)


def test_the_text_may_depend_on_attributes_shapes_and_dtypes():
    trace = traced("x=[[1,2],[3,4]], m=mean(x, dim=1), y=sum(m)")
    node = trace.assigned["m"]

    def halves(shapes, dtypes, dim, keepdim):
        assert (shapes, dtypes) == (((2, 2),), ("float64",))
        return f"s = a.sum(dim={dim}, keepdim={keepdim}); s / {shapes[0][int(dim)]}"

    pass_off(trace, node, composite=halves)
    assert composite_text(trace, node) == "s = a.sum(dim=1, keepdim=False)\nm = s / 2"
    (sent,) = compare_sent(open_composite(trace, node, trace.passes[1]))
    assert sent.comparison.agrees
    pass_off(trace, node, composite="a.sum({dim}) * 0.5")
    assert composite_text(trace, node) == "m = a.sum(1) * 0.5"
    pass_off(trace, node, composite=lambda **_: "")
    assert trace.can(Opens, node).reason.endswith("mean is not made of other parts")


COMPOSITES = sorted(name for name, one in OPERATIONS.items() if one.description.composite)


@pytest.mark.parametrize("name", COMPOSITES)
def test_every_composite_of_the_catalogue_comes_to_what_its_operation_does(name):
    operation = OPERATIONS[name]
    trace = traced(operation.description.example or f"x=0.3, y={name}(x)")
    node = node_named(trace, name)
    if isinstance(missing := trace.can(Opens, node), Missing):
        assert missing.reason.endswith("is not made of other parts")
        return
    inside = open_composite(trace, node, seeding_pass(trace, node, 0))
    result = list(inside.trace.assigned.values())[-1]
    assert np.allclose(graph_of(inside.trace).value[result], graph_of(trace).value[node])
    for sent in compare_sent(inside):
        assert sent.comparison.agrees, (sent.label, sent.outside, sent.inside)
