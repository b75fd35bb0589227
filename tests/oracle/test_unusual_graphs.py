"""Legal programs whose graph torch keeps in an unusual way: the torch process runs them, too."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from backprop_engine.basics.source import Source
from backprop_engine.run.record import record
from backprop_engine.run.tape import graph_of
from backprop_engine.scenarios.loader import parse_snippet
from backprop_tui.oracles.report import Ready
from backprop_tui.oracles.torch.agreement import agreement

PROGRAMS = {
    "a view of a leaf under no_grad": """
x = torch.tensor([1., 2., 3.], requires_grad=True)
with torch.no_grad():
    d = x[0:2]
y = x.sum()
y.backward()
""",
    "views of a view under no_grad, and computing with them": """
x = torch.tensor([1., 2., 3.], requires_grad=True)
h = x * 2
with torch.no_grad():
    d = h.view(3)[1:]
    e = d.reshape(2, 1)
y = (e.reshape(2) * x[1:]).sum() + d.sum() * x[0]
y.backward()
""",
    "a zero without storage, cut into parts": """
x = torch.tensor([3.0, -0.5], requires_grad=True)
y = torch.cat([x, x]).sgn().sum()
y.backward()
""",
    "such a zero, in other views": """
x = torch.tensor([[3.0, -0.5], [1.0, 2.0]], requires_grad=True)
y = torch.stack([x.T, x]).permute(2, 0, 1)[0].sgn().sum() + x.sum()
y.backward()
""",
    "an upper bound larger than the value": """
w = torch.tensor([1.935, -3.5, 1e20], requires_grad=True)
h = w[1]
y = torch.clamp(h, max=w).sum()
y.backward()
""",
    "a lower bound larger than the value": """
w = torch.tensor([1.935, -3.5, 1e20], requires_grad=True)
h = w[1:2]
y = torch.clamp(h, w).sum() + torch.clamp(h, w, w).sum()
y.backward()
""",
}


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=list(PROGRAMS))
def test_the_torch_process_runs_it_and_its_gradients_are_those_of_python(oracle, program):
    trace = record(parse_snippet(Source("program.py", program)))
    torch.set_default_dtype(getattr(torch, graph_of(trace).dtype))
    names: dict[str, Any] = {"torch": torch}
    exec(program, names)
    answer = oracle.ask(trace)
    assert isinstance(answer, Ready), answer
    agreed = agreement(trace, answer.report)
    assert not agreed.faulty_nodes
    assert not agreed.faulty_steps
    assert not answer.report.surplus
    for name, node in graph_of(trace).inputs.items():
        theirs = names[name].grad.clone().tolist()
        np.testing.assert_allclose(trace.grad(node, len(trace)), theirs, rtol=1e-6)
        np.testing.assert_allclose(answer.report.grads[1][node], theirs, rtol=1e-6)
