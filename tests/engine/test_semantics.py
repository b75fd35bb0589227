"""What requires grad, what is cut off, and what keeps its `.grad`."""

from __future__ import annotations

import numpy as np
import pytest
from tests.engine.traced import document, grad, shorthand, snippet

from backprop_engine.basics.source import ScenarioError, Source
from backprop_engine.run.record import Runner, record
from backprop_engine.run.tape import graph_of
from backprop_engine.scenarios.loader import parse_document, parse_snippet
from backprop_engine.trace import Trace


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


def test_a_leaf_that_no_grad_changes_in_place_is_the_same_leaf_with_other_numbers():
    trace = snippet(
        "w = torch.tensor(2., requires_grad=True)\nwith torch.no_grad():\n    w -= 0.5 * w\n"
        "y = w**3\ny.backward()\n"
    )
    assert (trace.nodes.value[trace.assigned["w"]], grad(trace, "w")) == (1.0, 3.0)
    assert trace.label(trace.assigned["w"]) == "w@2"


# retain_grad


def test_a_computed_value_keeps_its_grad_if_it_is_told_to():
    trace = shorthand(
        "x=3, h=x**2, h.retain_grad(), y=2h, y.backward(retain_graph=True), y.backward()"
    )
    h = trace.assigned["h"]
    assert [trace.grad(h, pass_.stop) for pass_ in trace.passes] == [None, 2.0, 4.0]
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
    assert [trace.grad(h, pass_.stop) for pass_ in trace.passes] == [None, 2.0, 2.0, 4.0, 0.0]
    assert [trace.grad(x, pass_.stop) for pass_ in trace.passes] == [None, 12.0, None, 12.0, 12.0]


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
    assert [(expectation.name, expectation.is_grad) for expectation in scenario.expectations] == [
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
