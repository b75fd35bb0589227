"""The example of every operation, judged step by step with torch in this very process."""

from __future__ import annotations

import pytest
from tests.piped import piped

from backprop_engine.basics.source import Source
from backprop_engine.catalogue import OPERATIONS
from backprop_engine.run.record import record
from backprop_engine.run.tape import graph_of
from backprop_engine.scenarios.loader import parse_shorthand
from backprop_engine.trace import Trace
from backprop_tui.oracles.report import TorchReport
from backprop_tui.oracles.torch import child
from backprop_tui.oracles.torch.agreement import agreement
from backprop_tui.oracles.torch.protocol import decode_report, encode_request

EXAMPLES = {
    name: operation.description.example
    for name, operation in OPERATIONS.items()
    if operation.description.example
}


def answered(text: str) -> tuple[Trace, TorchReport]:
    trace = record(parse_shorthand(Source("<-e>", text)))
    request = piped(encode_request(trace))
    return trace, decode_report(trace, piped(child.answer(request)))


@pytest.mark.filterwarnings("ignore::UserWarning")  # torch tells of what it copies or will drop
@pytest.mark.parametrize("name", EXAMPLES)
def test_torch_agrees_with_every_step_of_the_example(name):
    trace, report = answered(EXAMPLES[name])
    agreed = agreement(trace, report)
    assert not agreed.faulty_nodes
    assert not agreed.faulty_steps
    for node in range(len(graph_of(trace))):
        assert graph_of(trace).grad_fn(node) == report.grad_fns.get(node, "")


def test_a_gradient_of_zeros_that_torch_keeps_without_storage_is_read_all_the_same():
    trace, report = answered("x=-3, y=x*sgn(x) + sgn(x)")
    assert report.grads[1][graph_of(trace).inputs["x"]] == -1
    assert not agreement(trace, report).faulty_steps
