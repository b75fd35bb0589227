"""Programs as people paste them: Python and torch run them, and so do we, with one outcome."""

from __future__ import annotations

import contextlib
import io
import warnings
from typing import Any

import numpy as np
import pytest
import torch
from tests.oracle.pasted_programs import PROGRAMS

from backprop_engine.basics.source import ScenarioError, Source
from backprop_engine.basics.values import Dtype, in_full
from backprop_engine.run.record import record
from backprop_engine.run.tape import graph_of
from backprop_engine.scenarios.loader import parse_document, parse_shorthand, parse_snippet
from backprop_engine.trace import Trace
from backprop_tui.oracles.report import Ready
from backprop_tui.oracles.torch.agreement import agreement

DEFAULTS: dict[Dtype, torch.dtype] = {"float64": torch.float64, "float32": torch.float32}
RTOL: dict[Dtype, float] = {"float64": 1e-12, "float32": 2e-5}
SINGLE = [name for name, text in PROGRAMS.items() if "double" not in text]
"""Programs without a dtype of their own can be run in torch's default, too."""
RUNS: list[tuple[str, Dtype]] = [
    *((name, "float64") for name in PROGRAMS),
    *((name, "float32") for name in SINGLE),
]


def run_by_python(program: str, dtype: Dtype = "float32") -> dict[str, Any]:
    """The names a program leaves behind, torch's doing."""
    names: dict[str, Any] = {
        "torch": torch,
        "math": __import__("math"),
        "nn": torch.nn,
        "F": torch.nn.functional,
    }
    before = torch.get_default_dtype()
    torch.set_default_dtype(DEFAULTS[dtype])
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            exec(program, names)
    finally:
        torch.set_default_dtype(before)
    return names


def run_here(program: str, dtype: Dtype = "float32") -> Trace:
    text = f"torch.set_default_dtype(torch.{dtype})\n{program}" if dtype != "float32" else program
    return record(parse_snippet(Source("snippet.py", text)))


def array(value: Any) -> np.ndarray:
    return value.detach().numpy() if isinstance(value, torch.Tensor) else np.asarray(value)


@pytest.mark.parametrize(("program", "dtype"), RUNS)
def test_a_pasted_program_leaves_the_values_that_python_and_torch_leave(program: str, dtype: Dtype):
    text, rtol = PROGRAMS[program], RTOL[dtype]
    theirs, trace = run_by_python(text, dtype), run_here(text, dtype)
    names = {**graph_of(trace).inputs, **{n: i for n, i in trace.assigned.items() if "@" not in n}}
    assert names
    for name, node in names.items():
        ours = in_full(trace.nodes.value[node])
        np.testing.assert_allclose(ours, array(theirs[name]), rtol=rtol, err_msg=name)
        if not isinstance(theirs[name], torch.Tensor):  # a number of Python's
            continue
        assert np.asarray(ours).dtype == array(theirs[name]).dtype, name
        assert trace.nodes.requires_grad[node] == theirs[name].requires_grad, name
        grad_fn = theirs[name].grad_fn
        assert trace.nodes.grad_fn(node) == ("" if grad_fn is None else grad_fn.name()), name


@pytest.mark.parametrize(("program", "dtype"), RUNS)
def test_a_pasted_program_leaves_the_gradients_that_python_and_torch_leave(
    program: str, dtype: Dtype
):
    text, rtol = PROGRAMS[program], RTOL[dtype]
    theirs, trace = run_by_python(text, dtype), run_here(text, dtype)
    kept = {
        **graph_of(trace).inputs,
        **{graph_of(trace).names[node]: node for node in graph_of(trace).retained},
    }
    assert any(graph_of(trace).requires_grad[node] for node in kept.values())
    for name, node in kept.items():
        ours, grad = trace.grad(node, len(trace)), theirs[name].grad
        assert (ours is None) == (grad is None), name
        if grad is not None:
            np.testing.assert_allclose(array(ours), array(grad), rtol=rtol, err_msg=name)


@pytest.mark.parametrize(("program", "dtype"), RUNS)
def test_the_torch_process_runs_a_pasted_program_step_for_step_as_we_do(
    oracle, program: str, dtype: Dtype
):
    trace = run_here(PROGRAMS[program], dtype)
    answer = oracle.ask(trace)
    assert isinstance(answer, Ready), answer
    agreed = agreement(trace, answer.report)
    assert not agreed.faulty_nodes
    assert not agreed.faulty_steps
    assert not answer.report.surplus
    last = trace.passes[-1].index
    kept = [n for n in graph_of(trace).inputs.values() if graph_of(trace).requires_grad[n]]
    for node in [*kept, *graph_of(trace).retained]:
        compared = agreed.grad_after(last, node)
        assert compared is None or compared.agrees
        assert node in answer.report.grads[last]
    assert list(answer.report.grad_fns.values()) == [
        graph_of(trace).grad_fn(node) for node in range(len(graph_of(trace)))
    ]


REFUSED_BY_TORCH_TOO = {
    "backward of what requires no grad": (
        "x = torch.tensor(2.0)\ny = x * x\ny.backward()\n",
        "element 0 of tensors does not require grad and does not have a grad_fn",
    ),
    "backward of a vector": (
        "x = torch.tensor([1.0, 2.0], requires_grad=True)\ny = x * x\ny.backward()\n",
        "grad can be implicitly created only for scalar outputs",
    ),
    "backward of a leaf that requires no grad": (
        "y = torch.tensor(5.)\ny.backward()\n",
        "element 0 of tensors does not require grad and does not have a grad_fn",
    ),
    "backward of a leaf of whole numbers": (
        "y = torch.tensor(5)\ny.backward()\n",
        "element 0 of tensors does not require grad and does not have a grad_fn",
    ),
    "backward of a leaf that is a vector": (
        "x = torch.tensor([5., 1.], requires_grad=True)\nx.backward()\n",
        "grad can be implicitly created only for scalar outputs",
    ),
    "a computed value that is told not to require grad": (
        "x = torch.tensor(2.0, requires_grad=True)\ny = x * x\ny.requires_grad_(False)\n",
        "you can only change requires_grad flags of leaf variables",
    ),
    "whole numbers that are made a leaf": (
        "x = torch.arange(4).view(2, 2).requires_grad_()\ny = x.sum()\n",
        "nly Tensors of floating point",
    ),
    "a leaf that is changed by an operator": (
        "x = torch.tensor(2.0, requires_grad=True)\nx *= 2\ny = x * x\n",
        "a leaf Variable that requires grad is being used in an in-place operation",
    ),
    "a leaf that is changed by a method": (
        "x = torch.tensor(2.0, requires_grad=True)\nx.add_(1)\ny = x * x\n",
        "a leaf Variable that requires grad is being used in an in-place operation",
    ),
    "a leaf that is changed by another name": (
        "x = torch.tensor(2.0).requires_grad_()\nw = x\nw += 1\ny = x * x\n",
        "a leaf Variable that requires grad is being used in an in-place operation",
    ),
    "retain_grad of a detached value": (
        "x = torch.tensor(2.0, requires_grad=True)\nd = x.detach()\nd.retain_grad()\n",
        "can't retain_grad on Tensor that has requires_grad=False",
    ),
    "retain_grad of what requires no grad": (
        "x = torch.tensor(2.0)\ny = x * x\ny.retain_grad()\n",
        "can't retain_grad on Tensor that has requires_grad=False",
    ),
    "a whole number that requires grad": (
        "x = torch.tensor([1, 2], requires_grad=True)\ny = x.sum()\n",
        "nly Tensors of floating point",
    ),
}


@pytest.mark.parametrize(
    ("program", "words"), REFUSED_BY_TORCH_TOO.values(), ids=list(REFUSED_BY_TORCH_TOO)
)
def test_what_torch_refuses_is_refused_in_torchs_words(program, words):
    with pytest.raises(RuntimeError) as theirs:
        run_by_python(program)
    with pytest.raises(ScenarioError) as ours:
        run_here(program)
    assert words in str(theirs.value)
    assert words in str(ours.value)


def test_the_grad_of_a_non_leaf_is_explained_in_the_words_of_torchs_warning():
    x = torch.tensor(2.0, requires_grad=True)
    with pytest.warns(UserWarning, match="not a leaf") as warned:
        assert (x * x).grad is None
    text = "inputs: {x: 2}\ncompute: y = x*x\nexpect: {y.grad: 1}\n"
    with pytest.raises(ScenarioError) as ours:
        parse_document(Source("lesson.yaml", text))
    said = str(warned[0].message).replace("The .grad", "the .grad")
    for words in (
        "the .grad attribute of a Tensor that is not a leaf Tensor is being accessed",
        "its .grad attribute won't be populated during autograd.backward()",
    ):
        assert words in said.replace("Its", "its")
        assert words in str(ours.value)
    assert "retain_grad()" in said
    assert "retain_grad()" in str(ours.value)


def test_a_program_on_the_command_line_is_the_same_program():
    program = PROGRAMS["the guide's two examples"]
    trace = record(parse_shorthand(Source("<-e>", program)))
    grads = {name: trace.grad(node, len(trace)) for name, node in graph_of(trace).inputs.items()}
    assert grads == {"x": 7.0, "z": 27.0}
