"""Programs as they are pasted: which tensors are leaves, which dtype they have, what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from tests.engine.traced import document, grad, shorthand, snippet

from backprop_engine.basics.source import ScenarioError
from backprop_engine.program.torch_random import Stream
from backprop_engine.run.record import record
from backprop_engine.run.tape import graph_of
from backprop_engine.scenarios.loader import load
from backprop_engine.trace import PassKind

GUIDE = """\
import torch

x = torch.tensor(2.0, requires_grad=True)
y = x ** 2 + 3 * x + 1
y.backward()
print(x.grad)  # tensor(7.)

z = torch.tensor(3.0, requires_grad=True)
w = z ** 3
w.backward()
print(z.grad)  # tensor(27.)
"""


def test_the_guides_program_runs_as_a_text_as_a_block_and_as_a_file(tmp_path):
    file = tmp_path / "guide.py"
    file.write_text(GUIDE)
    block = "compute: |\n" + "".join(f"  {line}\n" for line in GUIDE.splitlines())
    for trace in (shorthand(GUIDE), document(block), snippet(GUIDE), record(load(file))):
        assert (grad(trace, "x"), grad(trace, "z")) == (7.0, 27.0)
        assert [pass_.name for pass_ in trace.passes] == ["forward", "backward y", "backward w"]
        assert list(graph_of(trace).inputs) == ["x", "z"]


def test_a_tensor_requires_grad_only_if_it_is_told_to():
    trace = snippet("c = torch.tensor(2.)\nx = torch.tensor(3., requires_grad=True)\ny = c*x\n")
    requires = {name: trace.nodes.requires_grad[n] for name, n in trace.nodes.inputs.items()}
    assert requires == {"c": False, "x": True}


def test_numbers_of_a_pasted_program_are_numbers_and_no_inputs():
    text = "x = torch.tensor(2., requires_grad=True); rate = 3; y = rate*x"
    for trace in (shorthand(text), snippet(text)):
        assert list(graph_of(trace).inputs) == ["x"]
        assert grad(trace, "x") == 3.0


@pytest.mark.parametrize(
    "line",
    [
        "x = torch.Tensor([2.0]).double()                ; x.requires_grad = True",
        "x = torch.Tensor([2]); x.requires_grad = True",
        "x = torch.FloatTensor([2]).requires_grad_()",
        "x = nn.Parameter(torch.DoubleTensor([2.0]).float())",
    ],
)
def test_tensors_of_the_older_functions_are_leaves(line):
    trace = snippet(line + "\no = torch.tanh(x * -3.0 + 6.8813735870195432)\no.backward()")
    assert list(graph_of(trace).inputs) == ["x"]
    rtol = {"float64": 1e-12, "float32": 1e-5}[graph_of(trace).dtype]
    np.testing.assert_allclose(grad(trace, "x"), [-1.5], rtol=rtol)


def test_a_long_tensor_is_an_index():
    trace = snippet(
        "W = torch.Tensor([[1, 2], [3, 4]]).requires_grad_()\n"
        "y = W[torch.LongTensor([1, 1])].sum()\ny.backward()"
    )
    np.testing.assert_array_equal(grad(trace, "W"), [[0, 0], [2, 2]])


@pytest.mark.parametrize(
    ("made", "message"),
    [
        ("torch.Tensor(3)", "this is a size, and nobody says what the numbers are"),
        ("torch.LongTensor([0.5])", "`torch.LongTensor` takes whole numbers"),
    ],
)
def test_what_an_older_function_cannot_make_is_told(made, message):
    with pytest.raises(ScenarioError, match=message):
        snippet(f"x = {made}\ny = x * 2\n")


def test_beside_the_shorthands_inputs_a_program_may_call_backward_itself():
    trace = shorthand(
        "x=2, y=x**2, y.backward(retain_graph=True), x.grad = None, "
        "y.backward(retain_graph=True), y.backward()"
    )
    assert [pass_.kind for pass_ in trace.passes[1:]] == [
        PassKind.BACKWARD, PassKind.ZERO_GRAD, PassKind.BACKWARD, PassKind.BACKWARD,
    ]  # fmt: skip
    assert grad(trace, "x") == 8.0


def test_inputs_of_the_file_and_tensors_of_the_program_live_side_by_side():
    trace = document(
        "dtype: float32\ninputs: {x: 2}\ncompute: |\n"
        "  w = torch.tensor(3., requires_grad=True)\n  y = x*w\n  y.backward()\n"
    )
    assert (grad(trace, "x"), grad(trace, "w")) == (3.0, 2.0)
    assert type(graph_of(trace).value[trace.assigned["y"]]) is np.float32


@pytest.mark.parametrize(
    ("dtype", "kind"), [("float32", "float32"), ("double", "float64"), ("float", "float32")]
)
def test_the_dtype_a_tensor_asks_for_is_that_of_the_program(dtype: str, kind: str):
    trace = snippet(
        f"x = torch.ones(2, dtype=torch.{dtype}, requires_grad=True)\n"
        "i = torch.ones(2, dtype=torch.long)\ny = (0.1*x*i).sum()\n"
    )
    assert graph_of(trace).dtype == kind
    assert np.asarray(grad(trace, "x")).dtype == kind
    assert np.asarray(graph_of(trace).value[graph_of(trace).inputs["i"]]).dtype == "int64"


def test_random_tensors_are_drawn_from_one_seeded_generator_in_the_order_of_the_text():
    drawing = Stream(0)
    first, second = drawing.normal(6, "float32"), drawing.uniform(4, "float32")
    third = drawing.normal(1, "float32")
    trace = snippet(
        "x = torch.randn(2, 3)\ny = x.sum() + torch.rand(4).sum()\nz = torch.randn(1)\n"
        "w = torch.tensor(1., requires_grad=True) \nl = w * 2\nl.backward()\n"
    )
    np.testing.assert_array_equal(
        graph_of(trace).value[graph_of(trace).inputs["x"]], first.reshape(2, 3)
    )
    np.testing.assert_array_equal(graph_of(trace).value[graph_of(trace).inputs["z"]], third)
    drawn = [v for v in graph_of(trace).value if np.shape(v) == (4,)]
    np.testing.assert_array_equal(drawn, [second])


def test_a_manual_seed_starts_the_numbers_anew():
    trace = snippet(
        "seed = 7\ntorch.manual_seed(seed)\nx = torch.randn(3)\ntorch.manual_seed(7)\n"
        "y = torch.randn(3, requires_grad=True)\nz = torch.randn(3)\nl = (x*y).sum()\n"
    )
    x, y, z = (graph_of(trace).value[graph_of(trace).inputs[name]] for name in "xyz")
    expected = Stream(7).normal(3, "float32")
    np.testing.assert_array_equal(x, expected)
    np.testing.assert_array_equal(y, expected)
    assert not np.array_equal(z, expected)


def test_the_default_pass_starts_at_the_last_name_and_not_at_a_gradient():
    trace = snippet("x = torch.ones(2, requires_grad=True)\ny = x.sum()\n")
    assert [pass_.name for pass_ in trace.passes] == ["forward", "backward y"]


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        *(
            (
                f"x = torch.tensor([1, 2], dtype=torch.{dtype})\ny = x\n",
                ("snippet.py:1:32: no tensor has this dtype here; leave it out: floats have one "
                 "dtype, and whole numbers are int64"),
            )
            for dtype in ("float16", "half", "bfloat16", "int32", "uint8", "complex64")
        ),
        (
            "x = torch.ones(2, requires_grad=True)\nx.sum().backward()\nx.grad.mul_(2)\n",
            ("snippet.py:3:1: `x.grad.mul_` changes a gradient, which only `backward` and "
             "`zero_()` do here; change the loss instead, such as `(2 * loss).backward()`"),
        ),
        (
            "x = torch.ones(2, 2, requires_grad=True)\nx.data @= x\n",
            "snippet.py:2:1: `x.data` cannot be assigned; write `x.data.copy_(…)`",
        ),
        (
            "x = torch.multinomial(0, 3)\ny = x\n",
            ("snippet.py:1:11: `torch.multinomial` is not supported; "
             "write the numbers out, as in `torch.tensor([0, 2, 1])`"),
        ),
        (
            "x = torch.ones(2, requires_grad=True)\ny = x.sum()\nloss = y.tolist()\n",
            ("snippet.py:3:10: `tolist` is not supported; "
             "write `.detach()`: the same numbers without a gradient"),
        ),
        (
            "x = torch.ones(2, requires_grad=True)\ny = x.grad_fn\n",
            "snippet.py:2:7: `.grad_fn` is not supported; only `print` can mention it",
        ),
        (
            "x = torch.ones(2, requires_grad=True)\ny = x.sum()\ng = torch.autograd.grad(y, x)\n",
            ("snippet.py:3:20: `torch.autograd.grad` is not supported; "
             "call `y.backward()` and look at `x.grad`"),
        ),
        (
            "x = torch.ones(2)\nopt = torch.optim.SGD([x], lr=0.1)\n",
            ("snippet.py:2:19: `torch.optim.SGD` is not supported; "
             "one program shows one step: compute the loss and call `loss.backward()`"),
        ),
        (
            "x = torch.ones(2)\nlayer = torch.nn.Linear(2, 3)\n",
            ("snippet.py:2:18: `torch.nn.Linear` is not supported; "
             "write `x @ W.T + b`, with `W = torch.randn(2, 3, requires_grad=True)` and `b` alike"),
        ),
        (
            "x = torch.ones(2)\ny = x.backward()\n",
            ("snippet.py:2:7: `backward` gives no value to compute with; "
             "it is a statement of its own, such as `y.backward()`"),
        ),
        (
            "x = torch.ones(2, 2)\ny = x.t_()\n",
            (
                "snippet.py:2:7: `t_` is not supported: it changes a value in place, and "
                "backward may need the value as it was; write `x = x.t()`"
            ),
        ),
        (
            "x = torch.ones(2)\ny = torch.ones_like(x, x)\n",
            "snippet.py:2:5: `ones_like` takes one value",
        ),
        (
            "x = torch.ones(2)\ny = x * [1, True]\n",
            ("snippet.py:2:13: a list in an expression holds numbers only; "
             "write `torch.tensor([True, False])` for a mask"),
        ),
        (
            "x = torch.ones(2)\ny = x.sum()\ny.backward()\n",
            ("snippet.py:3:1: element 0 of tensors does not require grad and does not have a "
             "grad_fn: `y` depends on no input that requires grad; "
             "write `requires_grad=True` into its `torch.tensor(…)`"),
        ),
        (
            ("x = torch.ones((), requires_grad=True)\nwith torch.no_grad():\n  h = x*x\n"
             "y = 3*h\ny.backward()\n"),
            ("snippet.py:5:1: element 0 of tensors does not require grad and does not have a "
             "grad_fn: `y` comes from an input that requires grad, but was computed inside of "
             "`no_grad`; take `h` out of the block"),
        ),
        (
            "x = torch.ones((), requires_grad=True)\ny = 3*x.detach()\ny.backward()\n",
            ("snippet.py:3:1: element 0 of tensors does not require grad and does not have a "
             "grad_fn: `y` comes from an input that requires grad, but through `detach`, "
             "and no gradient goes back through that; leave `detach` out"),
        ),
        (
            "x = torch.ones(3, requires_grad=True)\ny = (x > 0).float().sum()\ny.backward()\n",
            ("snippet.py:3:1: element 0 of tensors does not require grad and does not have a "
             "grad_fn: `y` comes from an input that requires grad, but through `gt`, "
             "and no gradient goes back through that; leave `gt` out"),
        ),
        (
            "x = torch.ones(2, requires_grad=True)\ny = 2*x\ny.backward()\n",
            ("snippet.py:3:1: grad can be implicitly created only for scalar outputs: `y` has "
             "shape (2,), and backward computes a vector-Jacobian product, not a Jacobian; make it "
             "a number (`y.sum()`) or give the vector: "
             "`y.backward(gradient=torch.tensor(…))` with shape (2,)"),
        ),
        (
            "x = torch.ones(2, requires_grad=True)\ny = 2*x\ny.backward(torch.ones(3))\n",
            ("snippet.py:3:1: `gradient` has shape (3,), but `y` has shape (2,); "
             "give one number for each element of the output"),
        ),
        (
            "x = torch.ones(2, requires_grad=True)\nw = x - 0.1 * x.grad\n",
            ("snippet.py:2:17: `.grad` is known only after `backward`, not while computing; "
             "put it into `print`, below that line"),
        ),
    ],
)  # fmt: skip
def test_what_is_not_supported_is_refused_by_name_with_what_is_nearest(text: str, printed: str):
    with pytest.raises(ScenarioError) as caught:
        snippet(text)
    assert caught.value.render().partition("\n")[0] == printed


def test_a_value_without_a_name_can_not_be_mentioned_by_its_text():
    text = "inputs: {x: 2}\ncompute: |\n  y = x*x\n  (y + 1).backward()\nexpect: {y + 1: 5}\n"
    with pytest.raises(ScenarioError, match=r"unknown name `y \+ 1`"):
        document(text)


def test_a_program_that_names_nothing_computes_nothing():
    with pytest.raises(ScenarioError, match="nothing is computed here"):
        snippet("x = torch.ones(2)\n(x * x).requires_grad_()\n")
