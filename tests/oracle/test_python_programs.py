"""What is Python's in a program: its own functions, whole numbers, lists, and numbers of tensors.

Real Python and real torch run the same text and are the judge.
"""

from __future__ import annotations

import re

import numpy as np
import pytest
from tests.oracle.test_pasting import array, run_by_python, run_here

from backprop_engine.basics.source import ScenarioError, Source
from backprop_engine.other_values import RecomputingError, with_leaves
from backprop_engine.run.record import record
from backprop_engine.run.tape import graph_of
from backprop_engine.scenarios.loader import parse_shorthand
from backprop_tui.oracles.report import Ready
from backprop_tui.oracles.torch.agreement import agreement

PROGRAMS = {
    "Python's sum goes along the first axis": """
x = torch.tensor([[1., 2.], [3., 4.]], requires_grad=True)
y = (sum(x)**2).sum() + sum(x, torch.tensor([1., 2.])).sum() + sum(x.sum(0), 1.5)
y.backward()
""",
    "Python's max is the first of equal ones": """
x = torch.tensor([3., 5., 5.], requires_grad=True)
y = max(x) + min(x) * max(x[0], 0) + max(2, 3) * abs(x[1]) + pow(x[2], 2)
y.backward()
""",
    "Python's max of rows and of lists": """
x = torch.tensor([[1., 2.]], requires_grad=True)
z = torch.tensor([1., 5.], requires_grad=True)
y = max(x).sum() + max([x.sum(), z.sum(), 4]) + min(v * v for v in z)
y.backward()
""",
    "Python's max and zip of what stands behind a star": """
x = torch.tensor([[3., 5.], [5., 3.]], requires_grad=True)
hs = [x[0], x[1]]
y = max(*x[0]) + min(*x[1], x[0, 0]) * sum((a * b).sum() for a, b in zip(*hs))
y.backward()
""",
    "a whole number and a list with a slice between them": """
x = torch.arange(24.).reshape(2, 3, 4).requires_grad_()
idx = torch.tensor([0, 2])
a, b, c = x[0, :, [0, 1, 1]], x[1, ..., idx], x[None, [0, 1], :, 1]
d, e = x[[0, 1], :, [0, 1]], x[idx[0], :, idx]
y = (a ** 2).sum() + (b * b[0]).sum() + (c * c[0, 0]).sum() + (d * d[0]).sum() + (e * e).sum()
h = x * 1
h[0, :, [0, 1]] = 5.
h[1, ..., idx] *= 2
h[None, [0, 1], :, 3] += y.detach()
(y + (h * x).sum()).backward()
""",
    "Python's functions of numbers": """
x = torch.tensor([[1., 2.]], requires_grad=True)
n = max(x.shape)
y = (x * n / sum(x.shape)).sum() + torch.zeros(max(2, 3)).sum() + round(2.6) * round(0.123, 2)
y = y + sum(range(4)) * x.sum() + max(range(3)) + sum([1, 2, 3])
y.backward()
""",
    "torch's functions by Python's names": """
from torch import max, sum, tensor
x = tensor([3., 5., 5.], requires_grad=True)
y = max(x) + sum(x * x)
y.backward()
""",
    "all of torch's names": """
from torch import *
x = tensor([[3., 5., 5.]], requires_grad=True)
y = max(x) + sum(x)
y.backward()
""",
    "functions and modules by their names alone": """
from torch import tensor
from torch.nn import Parameter, ReLU
from torch.nn.functional import relu, softmax
x = Parameter(tensor([3., -5., 5.]))
y = softmax(relu(x))[0] + ReLU()(x).sum()
y.backward()
""",
    "a number of a tensor has no history": """
x = torch.tensor([1., 2.], requires_grad=True)
s = x.sum().item()
y = x.sum() * s + s ** 2 + float(x[0]) * x[1] + x[1] * x[1].item()
y.backward()
""",
    "whole numbers stay whole": """
i = torch.tensor([0, 2, 1])
m = torch.tensor([True, False, True])
n = 2
a = i + 1
b = i + 1.0
c = i / 2
d = i * 2 + torch.tensor(3)
e = (i + 1) // torch.tensor([1, 2, 3])
f = i * n + n * 3
g = 2 ** (i + 1)
h = torch.where(i > 0, i, 0)
k = m * 2 + 1
x = torch.tensor([1., 2., 3., 4.], requires_grad=True)
y = x[i + 1].sum() + x[i * 2 - i].sum() + x[i // 2].sum() + x[3 - i].sum() + x[-i].sum()
z = y + (x[:3] * b * c + d + e + f + g + h + k).sum() + (x.detach() // -0.3 * x).sum() + 7 // n
z.backward()
""",
    "a whole number of a tensor": """
x = torch.tensor([1., 2., 3., 4.], requires_grad=True)
i = torch.tensor(1)
j = i + i.item()
y = x[i + 1] * x[i.item()] * i.item() + x[j]
for k in range(2):
    y = y + x[i + k] * (i + k)
y.backward()
""",
    "a range, a list and a tuple as an index": """
x = torch.arange(12.).reshape(3, 4).requires_grad_()
i, j, k = (0, 1), [0, 1], torch.tensor([2, 0])
pair = (0, 1)
a = x[(0, 1)] + x[pair] + x[tuple(range(2))] + x[(k, 1)].sum()
b = x[[0, 1]] + x[j] + x[list(range(2))] + x[range(2)] + x[None, range(2), :]
c = x[range(3), [0, 2, 1]] + x[list(range(len(x))), torch.tensor([0, 1, 3])] + x[range(3), k[0]]
d = x[[n for n in range(3)], j + [2]] + x[..., range(2)].sum() + x[()].sum() + x[(0, 1), 2].sum()
y = a + b.sum() + c.sum() + d.sum() + x[range(0)].sum()
y.backward()
""",
    "lists that are joined by their name": """
x = torch.tensor([[1., 2.], [3., 4.]], requires_grad=True)
hs = [x, x * 2]
a = torch.stack(hs, 1)
b = torch.cat(hs, 0) * torch.cat(tuple(hs), dim=0)
c = torch.stack([*x], 1) @ torch.stack(list(x)) + torch.einsum("ij,jk->ik", hs)
d = torch.cat([h * 2 for h in hs], -1).sum() + torch.einsum("ij->", x)
y = a.sum() + b.sum() + c.sum() + d
y.backward()
""",
    "tensors in the shape of what is computed": """
X = torch.ones(3, 2, requires_grad=True)
torch.manual_seed(0)
W = X @ X.T
N, D = W.shape
a = torch.ones(W.shape) * torch.rand(W.shape) + torch.arange(W.size(1)) + torch.eye(len(W))
b = torch.full((N, D), 2.) + torch.randn(N, 1) + torch.zeros(*(X @ X.T).shape)
c = torch.linspace(0, 1, W.size(0)) + torch.rand(2, N)[1]
y = (W * a + b * c)
y.backward(gradient=torch.ones(len(y), 3))
""",
    "gradients that are cleared one after the other": """
x = torch.tensor([1., 2.], requires_grad=True)
w = torch.tensor([3., 2.], requires_grad=True)
params = [x, w]
(x * w).sum().backward()
for p in params: p.grad = None
(x * w * w).sum().backward()
for p in [x, w]:
    p.grad.zero_()
y = (x * w * w * x).sum()
y.backward()
""",
    "lines that compute nothing": '''"""A text of its own,
on two lines."""
import torch
torch.autograd.set_detect_anomaly(False)
x = torch.tensor([1., 2.], requires_grad=True)
for i, v in enumerate([1, 2]):
    print(i, v)
"another text"
y = (x * x).sum()
y
x, y.shape
y.backward()
x.grad, x.grad.T; x
print([v for v in x], sum(h * i for i, h in enumerate(x)), f"{[t.item() for t in x]}")
print(*(f"{a:.2f}" for a in x), {k: w for k, w in enumerate([1])})
''',
}


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=list(PROGRAMS))
def test_a_program_leaves_what_python_and_torch_leave_and_the_torch_process_agrees(oracle, program):
    theirs, trace = run_by_python(program), run_here(program)
    named = {**graph_of(trace).inputs, **{n: i for n, i in trace.assigned.items() if "@" not in n}}
    for name, node in named.items():
        ours, value = trace.nodes.value[node], theirs[name]
        np.testing.assert_allclose(ours, array(value), rtol=1e-12, err_msg=name)
        if hasattr(value, "grad_fn"):
            assert np.asarray(ours).dtype == array(value).dtype, name
            assert trace.nodes.requires_grad[node] == value.requires_grad, name
            grad_fn = "" if value.grad_fn is None else value.grad_fn.name()
            assert trace.nodes.grad_fn(node) == grad_fn, name
    for name, node in graph_of(trace).inputs.items():
        grad = theirs[name].grad
        assert (trace.grad(node, len(trace)) is None) == (grad is None), name
        if grad is not None:
            np.testing.assert_allclose(trace.grad(node, len(trace)), array(grad), rtol=1e-12)

    answer = oracle.ask(trace)
    assert isinstance(answer, Ready), answer
    agreed = agreement(trace, answer.report)
    assert not agreed.faulty_nodes
    assert not agreed.faulty_steps
    assert not answer.report.surplus


X = "x = torch.tensor([3., 5., 5.], requires_grad=True)\n"
REFUSED_BY_BOTH: dict[str, tuple[str, type[Exception], str]] = {
    "max of rows": ("y = max(x, 0)", RuntimeError, "Boolean value of Tensor with more than one"),
    "max of nothing": ("y = max([])", ValueError, "arg is an empty sequence"),
    "round of a tensor": ("y = round(x)", TypeError, "type Tensor doesn't define __round__ method"),
    "item of three": ("y = x.item()", RuntimeError, "a Tensor with 3 elements cannot be converted"),
    "softmax without dim": ("y = torch.softmax(x)[0]", TypeError, "softmax"),
    "log_softmax of None": ("y = x.log_softmax(None)[0]", TypeError, "log_softmax"),
    "special softmax": ("y = torch.special.softmax(x)[0]", TypeError, "softmax"),
    "stack of a tensor": ("y = torch.stack(x, 1)", TypeError, "must be tuple of Tensors, not Tens"),
    "whole division by 0": ("y = torch.tensor([1]) // 0", RuntimeError, "ZeroDivisionError"),
    "sum of a star": ("y = sum(*x)", TypeError, "sum"),
    "stack of a star": ("y = torch.stack(*[x, x])", TypeError, "stack"),
    "cat of a star": ("y = torch.cat(*[x])", TypeError, "cat"),
    "sum along dim": ("y = sum(x, dim=0)", TypeError, "sum"),
    "max along dim": ("y = max(x, dim=0)", TypeError, "max"),
}


@pytest.mark.parametrize(
    ("line", "kind", "words"), REFUSED_BY_BOTH.values(), ids=list(REFUSED_BY_BOTH)
)
def test_what_python_or_torch_refuses_is_refused(line: str, kind: type[Exception], words: str):
    with pytest.raises(kind, match=re.escape(words)):
        run_by_python(X + line)
    with pytest.raises(ScenarioError, match=re.escape(words)):
        run_here(X + line)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("y = math.exp(x[0]) * x[1]", "no gradient goes back through them; write `torch.exp"),
        ("y = (x // 2).sum()", "`floor_divide` has no derivative by `input`, which requires grad"),
        ("y = max(x, dim=0)", "`max` is Python's own here, and does not take this; write `torch."),
        ("y = all(x > 2) * x.sum()", "`all` is Python's own here, and does not take this; write"),
        ("y = round(x.sum().item())", "numbers that are written out are rounded; write `torch."),
        ("y = x[[[0, 1]]].sum()", "an index must be a whole number; write `torch.tensor(…)`"),
        ("y = x[[True, False, True]]", "write `torch.tensor(…)` for a list of lists or of truth"),
        ("y = x[True]", "an index must be a whole number; write `None` for `True`"),
        ("y = x * (torch.tensor(3) << 2)", "shifts bits, which is not supported; write `* 2**n`"),
        ("y = x.float_power(2)", "`float_power` answers in float64, and all floats of"),
        ("y = (-x) ** 16777217.0", "is even or odd hangs in float32 on the length of the tensor"),
        ("y = x.tolist()", "write `.detach()`: the same numbers without a gradient"),
    ],
)
def test_what_is_refused_here_alone_is_told_with_what_to_write(line: str, said: str):
    with pytest.raises(ScenarioError) as refusal:
        run_here(X + line)
    assert said in str(refusal.value)


@pytest.mark.parametrize("call", ["F.softmax(x)", "nn.Softmax()(x)", "F.log_softmax(x)"])
def test_softmax_of_the_functional_kind_does_without_dim(call: str):
    program = f"torch.set_default_dtype(torch.float64)\n{X}y = {call}[0]\ny.backward()"
    theirs, trace = run_by_python(program), run_here(program)
    np.testing.assert_allclose(
        np.asarray(trace.grad(0, len(trace))), array(theirs["x"].grad), rtol=1e-12
    )


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("q", "`q` is given no value"),
        ("x, q", "unknown name `q`"),
        ("print(q for p in x)", "unknown name `q`"),
        ("print(f'{[p for q in x]}')", "unknown name `p`"),
        ("with torch.autograd.detect_anomaly():\n    y = x", "the first nan was born is told"),
    ],
)
def test_a_name_that_nothing_has_is_unknown_on_such_lines_too(line: str, said: str):
    with pytest.raises(ScenarioError, match=re.escape(said)):
        run_here(f"{X}{line}\n")


def test_a_leaf_whose_name_is_bound_anew_is_another_leaf():
    program = """
x = torch.tensor([1., 2.], requires_grad=True)
y = (x * x).sum()
y.backward()
before = x
x = torch.tensor([3., 4.], requires_grad=True)
z = (x * x * x).sum()
z.backward()
"""
    theirs, trace = run_by_python(program), run_here(program)
    inputs = graph_of(trace).inputs
    assert list(inputs) == ["x", "x@2"]
    assert [trace.label(node) for node in inputs.values()] == ["x@1", "x@2"]
    grads = [trace.grad(node, len(trace)) for node in inputs.values()]
    np.testing.assert_array_equal(grads[0], array(theirs["before"].grad))
    np.testing.assert_array_equal(grads[1], array(theirs["x"].grad))


@pytest.mark.parametrize("change", ["params.append(x)", "w = x * 2", "params = list(params)"])
def test_a_list_of_which_it_is_not_known_what_is_in_it_is_not_cleared(change: str):
    program = f"{X}w = x + 1\nparams = [x, w]\n{change}\nfor p in params: p.grad = None\n"
    with pytest.raises(ScenarioError, match="which values are in this list is not known here"):
        run_here(program)


def test_max_in_a_scenario_is_torchs_and_shares_the_gradient():
    trace = record(parse_shorthand(Source("<-e>", "x=[3., 5., 5.], y=max(x)")))
    np.testing.assert_array_equal(trace.grad(0, len(trace)), [0.0, 0.5, 0.5])


def test_with_other_values_python_would_choose_another_one_and_that_is_told():
    trace = run_here(X + "y = max(x)\ny.backward()")
    with pytest.raises(RecomputingError, match="Python's `max` would choose another value"):
        with_leaves(graph_of(trace), {0: np.array([7.0, 5.0, 5.0])})
    assert with_leaves(graph_of(trace), {0: np.array([3.0, 6.0, 5.0])}).value[2] == 6.0


def test_a_pass_starts_at_what_its_name_means_there_though_a_loop_assigns_it_again():
    program = f"""{X}
for i in range(2): y = (x * i).sum()
y.backward()
for i in range(3): y = (x * x * i).sum()
y.backward()
"""
    theirs, trace = run_by_python(program), run_here(program)
    assert [pass_.name for pass_ in trace.passes] == ["forward", "backward y@2", "backward y"]
    np.testing.assert_array_equal(trace.grad(0, len(trace)), array(theirs["x"].grad))


ANOMALY = f"torch.autograd.set_detect_anomaly(True)\n{X}"


@pytest.mark.parametrize(
    "value", ["torch.sqrt(x - 9)", "torch.sqrt(x - 9) * x", "torch.log(x - 3) * 0"]
)
def test_a_nan_on_the_way_back_ends_a_program_that_detects_anomalies(value: str):
    program = f"{ANOMALY}y = ({value}).sum()\ny.backward()\n"
    with pytest.raises(RuntimeError, match="returned nan values") as theirs:
        run_by_python(program)
    with pytest.raises(ScenarioError) as ours:
        run_here(program)
    (problem,) = ours.value.problems
    assert problem.message in str(theirs.value)
    assert "leave out `set_detect_anomaly`" in str(problem.fix)


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("3 / x * 0", "div"),
        ("F.normalize(x, dim=0, eps=0)", "normalize"),
        ("F.cross_entropy(x[None] - float('inf'), torch.tensor([0]))", "cross_entropy"),
    ],
)
def test_which_of_several_functions_has_returned_a_nan_is_not_guessed_at(value: str, name: str):
    program = f"{ANOMALY}x = (x * 0).detach().requires_grad_()\ny = ({value}).sum()\ny.backward()\n"
    with pytest.raises(RuntimeError, match="returned nan values"):
        run_by_python(program)
    with pytest.raises(ScenarioError, match=f"functions that torch runs for `{name}` returned nan"):
        run_here(program)


@pytest.mark.parametrize(
    "change",
    [
        "torch.autograd.set_detect_anomaly(False)",
        "torch.autograd.set_detect_anomaly(True, check_nan=False)",
    ],
)
def test_a_nan_ends_nothing_where_it_is_not_looked_for(change: str):
    program = f"{ANOMALY}{change}\ny = (torch.sqrt(x - 9) * x).sum()\ny.backward()\n"
    theirs, trace = run_by_python(program), run_here(program)
    np.testing.assert_array_equal(trace.grad(0, len(trace)), array(theirs["x"].grad))


def test_sizes_may_be_asked_of_what_is_computed_without_a_name():
    program = (
        f"torch.manual_seed(1)\n{X}a = torch.randn((x * 0.0).shape)\ny = (x * a).sum()\n"
        "y.backward()\n"
    )
    theirs, trace = run_by_python(program), run_here(program)
    np.testing.assert_array_equal(trace.grad(0, len(trace)), array(theirs["x"].grad))


@pytest.mark.parametrize(
    ("call", "fix"),
    [
        ("sorted([3, 1])", "x.sort().values"),
        ("divmod(7, 3)", "`a // b` and `a % b`"),
        ("set([1])", "write out"),
    ],
)
def test_what_python_has_built_in_and_nobody_runs_is_refused_with_a_fix(call: str, fix: str):
    with pytest.raises(ScenarioError, match="is Python's own") as refusal:
        run_here(f"{X}y = {call}\n")
    assert fix in str(refusal.value.problems[0].fix)
