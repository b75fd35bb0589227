"""A program in a Python file has torch's dtypes; where it has two of floats it is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.engine.traced import grad
from tests.oracle.test_pasting import array, run_by_python, run_here

from backprop_engine.basics.source import ScenarioError
from backprop_engine.run.tape import graph_of

SAME = {
    "an overflow in a branch that is not taken": """
a = torch.tensor(100., requires_grad=True)
b = torch.where(a <= 0, torch.exp(a), 1 + a)
""",
    "an underflow, then a logarithm": """
a = torch.tensor([80., -60., 20.], requires_grad=True)
b = torch.softmax(a, 0).log().sum()
""",
    "numbers that are written out and too large": """
a = torch.tensor([1e200, 2.], requires_grad=True)
b = (a * torch.tensor([-1e39, 2.]) + torch.tensor(1e300)).sum()
""",
    "a leaf that is converted": """
a = torch.tensor([0.1, 0.2]).double().requires_grad_()
b = (a * 3).sum()
""",
    "float64 throughout, with whole numbers": """
a = torch.ones(2, dtype=torch.float64, requires_grad=True)
b = (a * torch.tensor([1, 2]) * 0.1 + torch.tensor([3, 4]).double() / 7).sum()
""",
    "numbers of Python's": """
a = torch.linspace(-1, 1, 11, requires_grad=True)
b = (a.exp() * (0.1 * 3) * (1e40 / 1e39)).sum()
""",
    "random numbers": """
torch.manual_seed(3)
a = torch.randn(5, 7, requires_grad=True)
b = (a * torch.rand(7)).sum()
""",
    "names of a dtype and a device, and generators": """
where = "cuda" if torch.cuda.is_available() else "cpu"
device = torch.device(where)
dtype = torch.float64
g = torch.Generator().manual_seed(3)
h = torch.Generator(device=device)
a = torch.randn(3, 4, generator=g, device=device, dtype=dtype, requires_grad=True).to(device)
w = torch.rand(4, generator=h, dtype=dtype, device=where)
h.manual_seed(4)
i = torch.randint(0, 4, (2,), generator=h).to(device)
z = torch.zeros(4, device=a.device, dtype=dtype).to("cpu", non_blocking=True)
z[0] = w[1].to(device)
k = torch.tensor([1, 2, 3, 4]).to(device=device, dtype=dtype)
for row in a:
    z = z + torch.tensor([0.5], dtype=dtype).to(device) * row.cpu()
b = (a.to(device, dtype) * w + z)[:, i].sum() + k.sum(dtype=dtype)
""",
    "a name that stands for something else later": """
dtype = torch.float32
a = torch.ones(2, dtype=dtype, requires_grad=True)
dtype = a * 3
b = dtype.sum()
""",
    "a default dtype of its own": """
torch.set_default_dtype(torch.float64)
a = torch.ones(2).requires_grad_()
b = (a * 0.1 / torch.tensor(3)).sum()
""",
}


@pytest.mark.parametrize("program", SAME.values(), ids=list(SAME))
def test_a_program_has_the_dtypes_of_torch_and_their_overflows(program: str):
    program = f"{program}b.backward()\n"
    theirs, trace = run_by_python(program), run_here(program)
    leaf = graph_of(trace).inputs["a"]
    np.testing.assert_array_equal(graph_of(trace).value[leaf], array(theirs["a"]), strict=True)
    for ours, expected in (
        (graph_of(trace).value[trace.assigned["b"]], theirs["b"]),
        (trace.grad(leaf, len(trace)), theirs["a"].grad),
    ):
        assert np.asarray(ours).dtype == array(expected).dtype
        np.testing.assert_allclose(np.asarray(ours), array(expected), rtol=1e-6)


MIXED = {
    "a tensor that asks for another dtype": (
        """
x = torch.ones(2, requires_grad=True)
w = torch.ones(2, dtype=torch.float64)
y = x * w
""",
        "3:25: all floats of a program have one dtype, and this one has float32: float64 beside it",
    ),
    "a tensor that asks for none beside one that does": (
        """
w = torch.ones(2, dtype=torch.double)
x = torch.ones(2, requires_grad=True)
y = x * w
""",
        "3:5: all floats of a program have one dtype, and this one has float64: float32 beside it",
    ),
    "a computed value that is converted": (
        """
x = torch.ones(2, requires_grad=True)
y = (x * 0.1).double() * 3
""",
        "3:15: all floats of a program have one dtype, and this one has float32: float64 beside it",
    ),
    "whole numbers that become floats": (
        """
x = torch.ones(2, requires_grad=True, dtype=torch.float64)
i = torch.tensor([1, 2]) * 0.1
y = x * i
""",
        "3:5: torch computes this in float32, its default, and all other floats here have float64",
    ),
}


@pytest.mark.parametrize(("program", "message"), MIXED.values(), ids=list(MIXED))
def test_a_program_whose_floats_have_two_dtypes_is_refused_at_its_place(program: str, message: str):
    values = run_by_python(program).values()
    assert {value.dtype for value in values if isinstance(value, torch.Tensor)} >= {
        torch.float32,
        torch.float64,
    }
    with pytest.raises(ScenarioError) as ours:
        run_here(program)
    assert ours.value.render().startswith(f"snippet.py:{message}")


@pytest.mark.parametrize(
    "value",
    [
        "x.clamp(max=1e39)", "x.masked_fill(x > 0, -1e39)", "torch.where(x > 0, x, 1e39)",
        "F.threshold(x, 0., 1e39)", "F.leaky_relu(x, 1e39)", "torch.add(x, x, alpha=1e39)",
        "x.clone().fill_(1e39)", "F.pad(x, (1, 1), value=-1e39)", "torch.full((2,), 1e39) * x",
        "torch.linspace(0, 1e39, 2) * x", "x * torch.full((2,), 3.4028236e38)",
    ],
)  # fmt: skip
def test_a_number_that_float32_has_no_room_for_is_refused_where_torch_refuses_it(value: str):
    program = f"x = torch.tensor([2., -3.], requires_grad=True)\ny = ({value}).sum()\n"
    with pytest.raises(RuntimeError, match="cannot be converted to type float without overflow"):
        run_by_python(program)
    with pytest.raises(ScenarioError, match="float32 has no room for") as refusal:
        run_here(program)
    assert "write `float('inf')`" in refusal.value.render()
    run_here(f"torch.set_default_dtype(torch.float64)\n{program}")


@pytest.mark.parametrize(
    "value",
    [
        "x * 1e39", "x - 1e39", "1e39 / x", "x % 1e39", "(x > 1e39) * x", "x.nan_to_num(1e39)",
        "x ** 1e39", "torch.add(x, 1e39, alpha=2)", "torch.rsub(x, 1e39)",
        "torch.copysign(x, -1e39)", "torch.xlogy(x, 1e39)", "x * torch.isclose(x, -x, rtol=1e39)",
    ],
)  # fmt: skip
def test_where_torch_reads_a_number_in_64_bits_it_may_be_too_large_for_32(value: str):
    program = f"x = torch.tensor([2., -3.], requires_grad=True)\ny = {value}\ny.sum().backward()\n"
    theirs, trace = run_by_python(program), run_here(program)
    ours = graph_of(trace).value[trace.assigned["y"]]
    np.testing.assert_array_equal(ours, theirs["y"].detach().numpy())
    np.testing.assert_allclose(array(grad(trace, "x")), theirs["x"].grad.numpy(), rtol=1e-6)


def test_a_base_whose_logarithm_torch_takes_in_64_bits_is_refused_where_32_have_no_room():
    program = "x = torch.tensor([0.], requires_grad=True)\ny = 1e39 ** x\ny.sum().backward()\n"
    assert run_by_python(program)["x"].grad.item() == pytest.approx(89.80082)
    with pytest.raises(ScenarioError, match="float32 has no room for"):
        run_here(program)
    double = f"torch.set_default_dtype(torch.float64)\n{program}"
    assert array(grad(run_here(double), "x")) == pytest.approx(89.80082)
