"""What requires grad, what is cut off, what keeps its `.grad`; and programs as they are pasted."""

from __future__ import annotations

import numpy as np
import pytest

from backprop_engine.basics.source import ScenarioError, Source
from backprop_engine.program.torch_random import Stream
from backprop_engine.run.record import Runner, record
from backprop_engine.run.tape import graph_of
from backprop_engine.scenarios.loader import load, parse_document, parse_shorthand, parse_snippet
from backprop_engine.trace import PassKind, Trace


def shorthand(text: str) -> Trace:
    return record(parse_shorthand(Source("<-e>", text)))


def snippet(text: str) -> Trace:
    return record(parse_snippet(Source("snippet.py", text)))


def document(text: str) -> Trace:
    return record(parse_document(Source("lesson.yaml", text)))


def grad(trace: Trace, name: str) -> object:
    node = graph_of(trace).inputs.get(name, trace.assigned.get(name, -1))
    return trace.grad(node, len(trace))


def requires_grad(trace: Trace) -> dict[str, bool]:
    return {name: bool(trace.nodes.requires_grad[node]) for name, node in trace.assigned.items()}


# detach and no_grad


def test_a_detached_value_is_the_same_value_without_its_history():
    trace = shorthand("x=3, s=x**2, d=s.detach(), e=detach(s), y=s*d + 0*e")
    d, nodes = trace.assigned["d"], trace.nodes
    assert (nodes.value[d], nodes.requires_grad[d], nodes.grad_fn(d)) == (9.0, 0, "")
    assert graph_of(trace).value[trace.assigned["e"]] == 9.0
    assert trace.receipts(d) == []
    assert grad(trace, "x") == 54.0


def test_what_is_computed_inside_of_no_grad_does_not_require_grad_and_the_rest_does():
    trace = snippet(
        "x = torch.tensor(2., requires_grad=True)\n"
        "a = x * x\n"
        "with torch.no_grad():\n"
        "    b = a * x\n"
        "    alias = a\n"
        "c = b * alias\n"
    )
    assert requires_grad(trace) == {"a": True, "b": False, "alias": True, "c": True}
    assert grad(trace, "x") == 32.0  # b stands at 8, and c = 8·x²


@pytest.mark.parametrize(
    "header",
    ["with no_grad:", "with no_grad():", "with torch.no_grad():", "with torch.no_grad() :"],
)
def test_no_grad_is_written_in_several_ways(header: str):
    trace = document(f"inputs: {{x: 2}}\ncompute: |\n  {header}\n    b = x*x\n  y = b*x\n")
    assert requires_grad(trace) == {"b": False, "y": True}


def test_a_block_ends_where_its_indentation_does_and_may_stand_in_one_line():
    trace = snippet(
        "x = torch.tensor(2., requires_grad=True)\n"
        "with torch.no_grad():\n"
        "  a = x*x\n"
        "  with torch.no_grad():\n"
        "      b = x*x\n"
        "  c = x*x\n"
        "d = x*x\n"
        "with no_grad: e = x*x; f = x*x\n"
        "g = x*x\n"
    )
    assert [name for name, needs in requires_grad(trace).items() if needs] == ["d", "g"]


def test_a_block_may_compute_nothing_at_all():
    trace = snippet(
        "x = torch.tensor(2., requires_grad=True)\n"
        "y = x*x\n"
        "with torch.no_grad():\n"
        "    print(y)\n"
        "y.backward()\n"
    )
    assert grad(trace, "x") == 4.0


def test_no_node_of_a_block_costs_the_backward_pass_a_step():
    trace = document("inputs: {x: 2}\ncompute: |\n  with no_grad:\n    a = x*x\n  y = a + x\n")
    kinds = [trace.step(step).kind.value for step in range(len(trace))]
    assert kinds == ["forward", "forward", "seed", "contribution"]


def test_an_in_place_change_of_what_requires_grad_is_refused_inside_of_no_grad():
    with pytest.raises(ScenarioError) as caught:
        snippet(
            "w = torch.tensor(2., requires_grad=True)\nwith torch.no_grad():\n    w -= 0.1 * w\n"
        )
    assert caught.value.render() == (
        "snippet.py:3:5: `w` requires grad, and changing it in place is not supported; "
        "give the changed value a name of its own\n"
        "      w -= 0.1 * w\n"
        "      ^^^^^^^^^^^^"
    )


# retain_grad


def test_a_computed_value_keeps_its_grad_if_it_is_told_to():
    trace = shorthand(
        "x=3, h=x**2, h.retain_grad(), y=2h, y.backward(retain_graph=True), y.backward()"
    )
    h = trace.assigned["h"]
    assert [trace.grad(h, one.stop) for one in trace.passes] == [None, 2.0, 4.0]
    assert grad(trace, "x") == 24.0
    assert trace.grad(trace.assigned["y"], len(trace)) is None


def test_the_output_itself_may_keep_its_grad():
    trace = shorthand("x=3, y=x**2, y.retain_grad(), y.backward()")
    assert grad(trace, "y") == 1.0


def test_zero_grad_clears_the_inputs_and_not_what_is_retained():
    trace = document(
        "inputs: {x: 3}\ncompute: |\n  h = x**2\n  h.retain_grad()\n  y = 2h\n"
        "backward: [y, zero_grad, y, h.grad.zero_()]\n"
    )
    h, x = trace.assigned["h"], graph_of(trace).inputs["x"]
    assert [trace.grad(h, one.stop) for one in trace.passes] == [None, 2.0, 2.0, 4.0, 0.0]
    assert [trace.grad(x, one.stop) for one in trace.passes] == [None, 12.0, None, 12.0, 12.0]


def test_each_version_of_a_name_keeps_its_own_grad():
    scenario = parse_document(
        Source(
            "lesson.yaml",
            "inputs: {x: 3}\ncompute: |\n  h = x**2\n  h.retain_grad()\n  h = 2h\n"
            "  h.retain_grad()\n  y = 5h\nexpect: {h@1.grad: 10, h.grad: 5, h@2.grad: 5}\n",
        )
    )
    trace = record(scenario)
    assert grad(trace, "h@1") == 10.0
    assert grad(trace, "h@2") == 5.0
    assert [(one.name, one.is_grad) for one in scenario.expectations] == [
        ("h@1", True), ("h", True), ("h@2", True),
    ]  # fmt: skip


def test_a_leaf_that_is_told_to_keep_its_grad_keeps_it_as_before():
    trace = shorthand("x=3, x.retain_grad(), y=x**2")
    assert graph_of(trace).retained == set()
    assert grad(trace, "x") == 6.0


def test_what_requires_no_grad_cannot_keep_any():
    with pytest.raises(ScenarioError) as caught:
        shorthand("x=3, h=x.detach(), h.retain_grad(), y=x*h")
    assert caught.value.render() == (
        "<-e>:1:20: can't retain_grad on Tensor that has requires_grad=False: "
        "`h` comes from an input that requires grad, but through `detach`, and no gradient goes "
        "back through that; leave it out: no gradient ever reaches `h`\n"
        "  x=3, h=x.detach(), h.retain_grad(), y=x*h\n"
        "                     ^^^^^^^^^^^^^^^"
    )


# Values that are made leaves


def test_a_leaf_made_on_the_way_has_a_grad_and_goes_by_its_name():
    trace = snippet(
        "x = torch.arange(4.)\nx = x.view(2, 2).requires_grad_()\ny = (x * x).sum()\n"
        "y.backward(retain_graph=True)\nx.grad.zero_()\ny.backward()"
    )
    np.testing.assert_array_equal(grad(trace, "x@2"), [[0, 2], [4, 6]])
    assert grad(trace, "x") is None
    assert graph_of(trace).grad_fn(trace.assigned["x"]) == ""


def test_a_leaf_without_a_name_goes_by_its_text():
    trace = snippet(
        "w = torch.tensor([1., 2.], requires_grad=True)\n"
        "y = (w.detach().requires_grad_() * w).sum()"
    )
    assert list(graph_of(trace).inputs) == ["w", "w.detach()"]
    np.testing.assert_array_equal(grad(trace, "w.detach()"), [1, 2])


def test_leaves_made_in_a_loop_are_told_apart():
    trace = snippet(
        "ws = []\nfor i in range(3):\n    ws.append((torch.ones(2) * i).requires_grad_())\n"
        "y = sum(w.sum() for w in ws) + (torch.ones(2) * 3).requires_grad_().sum()\n"
    )
    assert list(graph_of(trace).inputs) == ["ws[0]", "ws[1]", "ws[2]", "torch.ones(2) * 3"]


def test_leaves_are_numbered_among_those_of_the_same_text():
    trace = snippet(
        "x = torch.ones(2)\na = (x + 10).requires_grad_() * 2\n"
        "y = (a + (x + 1).requires_grad_() + (x + 1).requires_grad_()).sum()\n"
    )
    assert list(graph_of(trace).inputs) == ["x", "x + 10", "x + 1", "x + 1 #2"]


def test_another_value_of_what_a_leaf_was_made_from_reaches_it():
    scenario = parse_snippet(
        Source("s.py", "a = torch.tensor(2.)\nx = (a * 3).requires_grad_()\ny = x * x")
    )
    runner = Runner(scenario)
    assert grad(runner.run(), "x") == 12.0
    assert grad(runner.run({0: 4.0}), "x") == 24.0


def test_an_expectation_may_speak_of_a_leaf_that_was_made():
    text = (
        "inputs: {a: {value: [1, 2], requires_grad: false}}\n"
        "compute: |\n  x = (2 * a).requires_grad_()\n  y = (x * x).sum()\n"
        "expect: {x.grad: [4, 8]}\n"
    )
    np.testing.assert_array_equal(grad(document(text), "x"), [4, 8])


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (
            "a = torch.ones(2)\nb = a * 2\nc = b + 1\nb.requires_grad_()\ny = b.sum()",
            "s.py:4:1: `b` has been used above; let it require grad where it is made: ",
        ),
        (
            "x = torch.ones(2, requires_grad=True)\ny = (x * x).requires_grad_(False).sum()",
            "s.py:2:5: you can only change requires_grad flags of leaf variables; for the value ",
        ),
        (
            "x = torch.ones(2)\nn = 3\ny = x * n.requires_grad_()",
            "s.py:3:9: only Tensors of floating point dtype can require gradients",
        ),
        (
            (
                "x = torch.ones(2, requires_grad=True)\nh = (x * 2).requires_grad_()\n"
                "y = h.sum()\ny.backward()\nh.grad.zero_()"
            ),
            "s.py:5:1: the .grad attribute of a Tensor that is not a leaf Tensor is being accessed",
        ),
    ],
)
def test_what_cannot_be_made_a_leaf_is_told_why(lines, message):
    with pytest.raises(ScenarioError) as caught:
        record(parse_snippet(Source("s.py", lines)))
    assert caught.value.render().startswith(message)


# Pasted programs

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
        assert [one.name for one in trace.passes] == ["forward", "backward y", "backward w"]
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
    assert [one.kind for one in trace.passes[1:]] == [
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
    assert [one.name for one in trace.passes] == ["forward", "backward y"]


@pytest.mark.parametrize(
    ("text", "printed"),
    [
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
            "x = torch.ones(2, requires_grad=True)\ny = x.data * 2\n",
            "snippet.py:2:7: `.data` is not supported; write `.detach()`",
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
