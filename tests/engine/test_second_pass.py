"""A second backward pass over one graph: a scenario's list retains it, a program says so or not."""

from __future__ import annotations

import pytest

from backprop_engine.basics.source import ScenarioError, Source
from backprop_engine.run.record import record
from backprop_engine.scenarios.loader import parse_document, parse_shorthand

PROGRAM = "x = torch.tensor(2.0, requires_grad=True); y = x**2; y.backward(); y.backward()"


def test_the_passes_that_a_scenario_lists_retain_the_graph() -> None:
    text = "inputs: {x: 2}\ncompute: y = x**2\nbackward: [y, y]\n"
    trace = record(parse_document(Source("twice.yaml", text)))
    assert trace.final_grad(trace.nodes.inputs["x"]) == 8.0


def test_in_a_program_a_second_pass_is_torchs_error() -> None:
    with pytest.raises(ScenarioError, match="Trying to backward through the graph a second time"):
        record(parse_shorthand(Source("<-e>", PROGRAM)))


def test_in_a_program_it_goes_with_retain_graph() -> None:
    kept = PROGRAM.replace("backward()", "backward(retain_graph=True)", 1)
    trace = record(parse_shorthand(Source("<-e>", kept)))
    node = trace.named("x")
    assert node is not None
    assert trace.final_grad(node) == 8.0
