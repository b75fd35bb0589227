"""Numbers that a pasted program names, draws and asks for before anything is computed."""

from __future__ import annotations

import numpy as np
import pytest

from backprop_engine.basics.source import ScenarioError, Source
from backprop_engine.program.torch_random import Stream
from backprop_engine.run.record import record
from backprop_engine.run.tape import graph_of
from backprop_engine.scenarios.loader import parse_shorthand, parse_snippet
from backprop_engine.trace import Trace


def snippet(text: str) -> Trace:
    return record(parse_snippet(Source("snippet.py", text)))


def shapes(trace: Trace) -> dict[str, tuple[int, ...]]:
    return {
        name: np.shape(graph_of(trace).value[node]) for name, node in graph_of(trace).inputs.items()
    }


def error_of(text: str) -> str:
    with pytest.raises(ScenarioError) as caught:
        snippet(text)
    return caught.value.render().partition("\n")[0]


def test_tensors_are_written_out_with_sizes_that_have_names():
    trace = snippet(
        "N, D = 4, 3\nH = 2 * D\nsize = (N, H)\nx = torch.randn(N, D)\n"
        "w = torch.randn(x.shape[1], H, requires_grad=True)\nt = torch.zeros(size)\n"
        "o = torch.ones(*x.shape, H // 4)\ni = torch.arange(x.numel() - 10)\n"
        "v = torch.tensor([N, D * 2.0])\ny = (x @ w).sum()\ny.backward()\n"
    )
    assert shapes(trace) == {
        "x": (4, 3), "w": (3, 6), "t": (4, 6), "o": (4, 3, 1), "i": (2,), "v": (2,)
    }  # fmt: skip
    assert np.asarray(graph_of(trace).value[graph_of(trace).inputs["i"]]).dtype == "int64"


def test_two_tensors_may_be_written_out_in_one_line():
    trace = snippet(
        "a, b = torch.ones(2, requires_grad=True), torch.zeros(3)\ny = a.sum() + b.sum()\n"
    )
    assert shapes(trace) == {"a": (2,), "b": (3,)}


def test_the_size_of_a_computed_value_makes_a_tensor():
    text = "x = torch.ones(2)\nx = x + 1\nw = torch.ones(x.shape[0], requires_grad=True)\n"
    trace = record(parse_snippet(Source("snippet.py", text + "y = w.sum()\n")))
    assert np.shape(graph_of(trace).value[graph_of(trace).inputs["w"]]) == (2,)


@pytest.mark.parametrize(
    ("size", "said"),
    [
        ("w.item()", "3:16: this must be written out, not computed"),
        ("int(w)", "3:20: this must be written out, not computed"),
        ("n", "3:16: this number is read from a tensor, and must be known before"),
    ],
)
def test_a_size_that_depends_on_the_numbers_of_a_tensor_makes_none(size: str, said: str):
    text = f"w = torch.tensor(2)\nn = w.item()\ny = torch.ones({size})\n"
    assert error_of(text) == f"snippet.py:{said}"


def test_whole_numbers_and_orders_are_drawn_from_the_same_generator():
    trace = snippet(
        "torch.manual_seed(5)\ni = torch.randint(0, 9, (4,))\nj = torch.randint(3, (2, 2))\n"
        "p = torch.randperm(5)\nw = torch.ones(1, requires_grad=True)\ny = 2 * w.sum()\n"
    )
    drawing = Stream(5)
    expected = {
        "i": drawing.integers(0, 9, 4),
        "j": drawing.integers(0, 3, 4).reshape(2, 2),
        "p": drawing.permutation(5),
    }
    for name, value in expected.items():
        np.testing.assert_array_equal(graph_of(trace).value[graph_of(trace).inputs[name]], value)


def test_random_numbers_that_torch_would_not_draw_are_told():
    line = "x = torch.rand(2, requires_grad=True)\ny = x.sum()\n"
    seeded = "torch.manual_seed(0)\n" + line
    dropping = "x = torch.ones(2, requires_grad=True)\ny = F.dropout(x, 0.5).sum()\n"
    assert snippet(line).heading.note.startswith("Random numbers: torch draws others in every run")
    assert snippet(seeded).heading.note == ""
    idle = dropping.replace("0.5)", "0.5, training=False)")
    assert snippet(idle).heading.note == ""
    wider = record(parse_shorthand(Source("<-e>", seeded))).heading.note
    assert wider.startswith("Random numbers are those that torch draws in float64. In float32, its")
    assert snippet(dropping).heading.note == "`dropout` drops other elements here than torch does."
    assert snippet("x = torch.ones(2, requires_grad=True)\ny = x.sum()\n").heading.note == ""


def test_a_program_may_set_the_default_dtype():
    trace = snippet(
        "torch.set_default_dtype(torch.float64)\nx = torch.ones(2, requires_grad=True)\n"
        "y = x.sum()\n"
    )
    assert graph_of(trace).dtype == "float64"
    late = "x = torch.ones(2)\ntorch.set_default_dtype(torch.float64)\ny = x.sum()\n"
    assert error_of(late) == (
        "snippet.py:2:25: the default dtype changes after a value has been made; put this line at "
        "the top"
    )


def test_lines_that_only_assert_are_read_over():
    trace = snippet(
        "x = torch.ones(2, requires_grad=True)\ny = x.sum(); assert y > 1, 'off'; z = 2 * y\n"
        "z.backward()\nassert torch.allclose(x.grad,\n    torch.tensor([2.0, 2.0]))  # a comment\n"
        "assert x.grad[0] == 2\n"
    )
    assert graph_of(trace).value[trace.assigned["z"]] == 4.0


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("assert y.shpe == zz", "3:18: unknown name `zz`"),
        ("assert (y > 0", "3:8: this `(` is never closed; add `)`"),
        ("class Net(nn.Module): pass", "3:1: `class` is not supported; write its parameters as "),
        ("def f(x): return x", "3:1: `def` is not supported; write the expression where the "),
        ("f = lambda x: x", "3:5: `lambda` is not supported; write the expression where the "),
        ("while y: y = x", "3:1: `while` is not supported; write `for i in range(20):`"),
        ("for i in range(3): y.backward()", "3:20: `y.backward()` cannot stand in a loop"),
        ("z = [torch.rand(2) for i in x]", "3:6: `rand` in a loop would draw other numbers each"),
        ("del y", "3:1: `del` is not supported; leave it out: nothing is kept longer than it "),
        ("z = y // 2", "3:5: `floor_divide` has no derivative by `input`, which requires grad"),
        ("z = torch.range(0, 3)", "3:11: `torch.range` is not supported; write `torch.arange(3)`"),
        ("z = zeros_(3)", "3:5: unknown function `zeros_`"),
        ("z = np.zeros(3)", "3:8: `zeros` is a function of torch's; write `torch.zeros(…)`"),
        ("z = x.t_()", "3:7: `t_` is not supported: it changes a value in place, "),
        ("z = torch.relu_(x)", "3:5: a leaf Variable that requires grad is being used in an in-"),
        ("z = x.relu_().sum()", "3:5: a leaf Variable that requires grad is being used in an "),
        ("x.exp_()", "3:1: a leaf Variable that requires grad is being used in an in-place "),
        ("x **= y + 1", "3:1: a leaf Variable that requires grad is being used in an in-place "),
        ("z = x.to(torch.long)", "3:10: no computed value can be given the dtype int64; write "),
        ("z = x.long()", "3:7: `long` is not supported; write the numbers out"),
        ("z = x.sum(dtype=torch.bool)", "3:17: no computed value can be given the dtype bool; "),
        ("z = x.exp(dtype=torch.float32)", "3:17: a `dtype` is given to a tensor that is written "),
        (
            "z = torch.ones(2, dtype=torch.float64) * x.to(torch.float32)",
            "3:25: all floats of a program have one dtype, and this one has float32: float64 ",
        ),
        ("z = torch.svd(x)", "3:11: torch has `torch.svd`, and backprop-tui does not; "),
        ("z = x.lu()", "3:7: torch has `torch.Tensor.lu`, and backprop-tui does not; "),
        ("z = F.ctc_loss(x)", "3:7: torch has `torch.nn.functional.ctc_loss`, and backprop-tui "),
        ("z = torch.special.zeta(x)", "3:19: torch has `torch.special.zeta`, and backprop-tui "),
        ("z = x.is_sparse", "3:7: torch has `torch.Tensor.is_sparse`, and backprop-tui does not"),
        ("l = nn.LSTM(2, 3)", "3:8: `nn.LSTM` is not supported; write one step out, such as "),
        ("z = torch.randint(3, 3, (2,))", "3:22: whole numbers cannot be drawn from this range"),
    ],
)
def test_what_is_not_supported_is_refused_at_its_place(line: str, message: str):
    said = error_of(f"x = torch.ones(2, requires_grad=True)\ny = x.sum()\n{line}\n")
    assert said.startswith(f"snippet.py:{message}")
