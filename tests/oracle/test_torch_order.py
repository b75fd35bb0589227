"""Our steps against the calls torch makes to hooks on its own graph, for random programs.

The program is text; Python itself reads it for torch, our grammar for us. This test does not
use the torch process: it listens to torch in its own way.
"""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from backprop_engine.basics.source import Source
from backprop_engine.run.record import record
from backprop_engine.run.tape import graph_of
from backprop_engine.scenarios.loader import parse_document
from backprop_engine.trace import StepKind

SHAPES = ((), (3,), (2, 3))
UNARY = ("tanh({})", "sin({})", "exp(-abs({}))", "relu({})", "sigmoid({})", "-{}")
BINARY = ("{} + {}", "{} - {}", "{} * {}", "{} / (2 + sigmoid({}))")


@st.composite
def programs(draw):
    """Inputs by name, and statements that use earlier names, some of them several times."""
    inputs = {
        f"x{at}": np.round(
            np.random.default_rng(draw(st.integers(0, 999))).normal(size=shape), 3
        ).tolist()
        for at, shape in enumerate(draw(st.lists(st.sampled_from(SHAPES), min_size=1, max_size=3)))
    }
    names = list(inputs)
    statements = []
    for at in range(draw(st.integers(1, 12))):
        if draw(st.booleans()):
            text = draw(st.sampled_from(UNARY)).format(draw(st.sampled_from(names)))
        else:
            a, b = draw(st.sampled_from(names)), draw(st.sampled_from(names))
            text = draw(st.sampled_from(BINARY)).format(a, b)
        statements.append(f"v{at} = {text}")
        names.append(f"v{at}")
    used = draw(st.lists(st.sampled_from(names), min_size=1, max_size=3))
    # Every operation here is one torch node; `1 *` makes the last one ours and torch's alike.
    statements.append("out = " + " + ".join(f"{name}.sum()" for name in used) + " + x0.sum()")
    return inputs, statements


def as_torch_sees_it(inputs, statements):
    """(what is sent, in order): the receiver's `grad_fn` and the number or array."""
    names = {
        name: torch.tensor(value, dtype=torch.float64, requires_grad=True)
        for name, value in inputs.items()
    }
    namespace = names | {
        name: getattr(torch, name) for name in ("tanh", "sin", "exp", "abs", "relu", "sigmoid")
    }
    for statement in statements:
        exec(statement, {}, namespace)
    sent = []

    def listen(node):
        def hook(inputs_of_hook, _outputs):
            for value, (following, _) in zip(inputs_of_hook, node.next_functions, strict=True):
                if following is not None:
                    sent.append((type(node).__name__, value.clone().numpy()))

        return hook

    output = namespace["out"]
    waiting, seen = [output.grad_fn], {output.grad_fn}
    while waiting:
        node = waiting.pop()
        if "AccumulateGrad" not in type(node).__name__:
            node.register_hook(listen(node))
        for following, _ in node.next_functions:
            if following is not None and following not in seen:
                seen.add(following)
                waiting.append(following)
    output.backward()
    return sent, {name: names[name].grad for name in inputs}


@settings(max_examples=150, deadline=None, derandomize=True)
@given(programs())
def test_order_and_contributions_are_torchs_own(program):
    inputs, statements = program
    text = "inputs:\n" + "".join(f"  {name}: {value}\n" for name, value in inputs.items())
    text += "compute: |\n" + "".join(f"  {line}\n" for line in statements)
    trace = record(parse_document(Source("random.yaml", text)))
    theirs, their_grads = as_torch_sees_it(inputs, statements)

    ours = [
        (graph_of(trace).grad_fn(trace.step(step).node), trace.contribution(step))
        for step in range(trace.passes[1].start, trace.passes[1].stop)
        if trace.step(step).kind is StepKind.CONTRIBUTION
    ]
    assert [name for name, _ in ours] == [name for name, _ in theirs]
    for (name, our_value), (_, their_value) in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(our_value, their_value, rtol=1e-9, atol=1e-12, err_msg=name)
    for name, node in graph_of(trace).inputs.items():
        grad = trace.passes[1].grads[node]
        if grad is None:
            assert their_grads[name] is None
        else:
            np.testing.assert_allclose(grad, their_grads[name].numpy(), rtol=1e-9, atol=1e-12)
