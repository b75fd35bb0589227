"""From text to trace: which nodes and steps there are, in which order, and what `.grad` becomes."""

from __future__ import annotations

import math

import numpy as np
import pytest

from backprop_engine.backward import backward
from backprop_engine.basics.source import ScenarioError, Source
from backprop_engine.basics.values import Value, in_full
from backprop_engine.budget import StoppedError
from backprop_engine.run.record import Runner, record
from backprop_engine.run.tape import graph_of
from backprop_engine.scenarios.loader import parse_document, parse_shorthand
from backprop_engine.trace import PassKind, StepKind, Trace


def shorthand(text: str) -> Trace:
    return record(parse_shorthand(Source("<-e>", text)))


def document(text: str) -> Trace:
    return record(parse_document(Source("lesson.yaml", text)))


def sent(trace: Trace) -> list[tuple[str, str, Value]]:
    """Every contribution as (from, to, amount)."""
    edges = [
        (trace.edge(step), in_full(trace.contribution(step)))
        for step in range(len(trace))
        if trace.step(step).kind is StepKind.CONTRIBUTION
    ]
    return [(trace.label(node), trace.label(to), amount) for (node, to, _), amount in edges]


def final_grads(trace: Trace) -> dict[str, object]:
    return {name: trace.grad(node, len(trace)) for name, node in graph_of(trace).inputs.items()}


BASIC = "x=2, y=x**2+3x+1"


def test_the_basic_scenario_has_eight_nodes_and_ten_steps_in_torchs_order():
    trace = shorthand(BASIC)
    assert [trace.label(node) for node in range(len(graph_of(trace)))] == [
        "x", "2", "%1", "3", "%2", "%3", "1", "y",
    ]  # fmt: skip
    assert [trace.step(k).kind for k in range(10)] == [StepKind.FORWARD] * 4 + [StepKind.SEED] + [
        StepKind.CONTRIBUTION
    ] * 5
    assert sent(trace) == [
        ("y", "%3", 1.0), ("%3", "%1", 1.0), ("%3", "%2", 1.0), ("%2", "x", 3.0), ("%1", "x", 4.0),
    ]  # fmt: skip
    assert len(trace) == 10
    assert graph_of(trace).value[trace.assigned["y"]] == 11.0
    assert final_grads(trace) == {"x": 7.0}


def test_z_cubed_at_three_gives_twenty_seven():
    assert final_grads(shorthand("z=3, w=z**3")) == {"z": 27.0}


def test_a_square_written_as_a_product_has_two_contributions_left_to_right():
    assert sent(shorthand("x=3, y=x*x")) == [("y", "x", 3.0), ("y", "x", 3.0)]
    assert sent(shorthand("a=2, b=5, y=a*b")) == [("y", "a", 5.0), ("y", "b", 2.0)]


def test_a_second_name_for_a_value_makes_no_node():
    trace = shorthand("x=2, a=x*x, b=a, y=b+1")
    assert len(graph_of(trace)) == 4
    assert trace.assigned["a"] == trace.assigned["b"]
    assert trace.label(trace.assigned["b"]) == "a"


def test_a_name_assigned_again_has_versions_and_the_bare_name_is_the_last():
    trace = shorthand("x=2, h=x*x, h=h+1, h+=x, y=h*h")
    labels = [trace.label(trace.assigned[name]) for name in ("h@1", "h@2", "h@3", "h")]
    assert labels == ["h@1", "h@2", "h@3", "h@3"]
    assert graph_of(trace).value[trace.assigned["h"]] == 7.0
    assert final_grads(trace) == {"x": 70.0}


def test_an_input_assigned_again_is_still_the_input_whose_grad_counts():
    trace = shorthand("x=2, x=x*x, y=3x")
    assert trace.label(graph_of(trace).inputs["x"]) == "x@1"
    assert trace.label(trace.assigned["x"]) == "x@2"
    assert final_grads(trace) == {"x": 12.0}


def test_nodes_that_lead_nowhere_receive_nothing():
    trace = shorthand("x=2, a=x*x, b=exp(x), y=a+1")
    assert trace.receipts(trace.assigned["b"]) == []
    assert [(node, to) for node, to, _ in sent(trace)] == [("y", "a"), ("a", "x"), ("a", "x")]


def test_grad_accumulates_over_passes_and_zero_grad_forgets_it():
    trace = document("inputs: {x: 3}\ncompute: y = x**2\nbackward: [y, y, zero_grad, y]\n")
    x = graph_of(trace).inputs["x"]
    assert [pass_.kind for pass_ in trace.passes] == [
        PassKind.FORWARD, PassKind.BACKWARD, PassKind.BACKWARD, PassKind.ZERO_GRAD,
        PassKind.BACKWARD,
    ]  # fmt: skip
    assert [trace.grad(x, pass_.stop) for pass_ in trace.passes] == [None, 6.0, 12.0, None, 6.0]
    # The gradient itself belongs to a pass and starts anew in each.
    assert [trace.gradient(x, pass_.stop) for pass_ in trace.passes] == [None, 6.0, 6.0, None, 6.0]


def test_zero_fills_one_grad_with_zeros():
    trace = document("inputs: {x: 3, w: 2}\ncompute: y = x*w\nbackward: [y, x.grad.zero_(), y]\n")
    x, w = graph_of(trace).inputs["x"], graph_of(trace).inputs["w"]
    assert [trace.grad(x, pass_.stop) for pass_ in trace.passes] == [None, 2.0, 0.0, 2.0]
    assert [trace.grad(w, pass_.stop) for pass_ in trace.passes] == [None, 3.0, 3.0, 6.0]


def test_a_vector_output_is_differentiated_with_the_gradient_argument():
    trace = document(
        "inputs: {x: [1, 2]}\ncompute: y = x**2\nbackward: {of: y, gradient: [1, 10]}\n"
    )
    np.testing.assert_array_equal(final_grads(trace)["x"], [2.0, 40.0])


def test_an_input_without_requires_grad_costs_no_step_and_gets_no_grad():
    trace = document(
        "inputs: {x: 3, c: {value: 2, requires_grad: false}}\ncompute: y = c*x + c*c\n"
    )
    assert [(node, to) for node, to, _ in sent(trace)] == [("y", "%1"), ("%1", "x")]
    assert trace.grad(graph_of(trace).inputs["c"], len(trace)) is None


def test_backward_from_an_input_seeds_the_input_itself():
    trace = document("inputs: {x: 3}\ncompute: y = x*x\nbackward: [x, y]\n")
    assert final_grads(trace) == {"x": 7.0}


def test_infinities_and_nans_are_results_not_exceptions():
    trace = shorthand("x=0, a=1/x, b=log(x), c=log(-1), d=exp(1000), e=a-a, f=x**-2, y=a+b+c+d+e+f")
    values = {name: graph_of(trace).value[node] for name, node in trace.assigned.items()}
    assert values["a"] == values["d"] == values["f"] == math.inf
    assert values["b"] == -math.inf
    assert math.isnan(values["c"])
    assert math.isnan(values["e"])
    assert math.isnan(final_grads(trace)["x"])


def test_float32_scenarios_stay_float32_throughout():
    trace = document("dtype: float32\ninputs: {x: 0.1, v: [1, 2]}\ncompute: y = (0.1*x*v).sum()\n")
    tenth, *values = sorted(graph_of(trace).value, key=lambda value: type(value) is not float)
    values += [v for v in trace.contributions if v is not None]
    assert {value.dtype for value in values} == {np.dtype("float32")}
    assert type(tenth) is float  # a number of Python's, in torch as well


def test_numbers_of_pythons_are_computed_by_python_whatever_the_dtype():
    trace = document(
        "dtype: float32\ninputs: {x: 2}\ncompute: |\n  c = 1e40 / 1e38\n  y = c * x - 0.1 * 3\n"
    )
    named = {name: graph_of(trace).value[node] for name, node in trace.assigned.items()}
    assert named["c"] == 1e40 / 1e38  # 1e40 is beyond float32
    # as torch has it for a tensor of 2.0
    assert (type(named["y"]), float(named["y"])) == (np.float32, 199.6999969482422)
    assert final_grads(trace) == {"x": np.float32(100.0)}


def test_a_masked_or_indexed_value_gets_its_gradient_where_it_was_picked():
    trace = document(
        "inputs:\n  W: [[1, 2], [3, 4], [5, 6]]\n  idx: {value: [0, 0, 2], dtype: int64}\n"
        "compute: y = W[idx].sum()\n"
    )
    np.testing.assert_array_equal(final_grads(trace)["W"], [[2, 2], [0, 0], [1, 1]])


def test_pasted_pytorch_means_the_same_as_the_plain_spelling():
    plain = shorthand("x=[1,2,3], w=[3,2,1], y=mean((x-w)**2)")
    pasted = shorthand("x=[1,2,3], w=[3,2,1], y=torch.mean((x - w).pow(2), dim=0)")
    np.testing.assert_array_equal(final_grads(plain)["x"], final_grads(pasted)["x"])


def test_a_chain_of_a_hundred_thousand_operations_is_recorded():
    loop = "for i in range(100_000): h = h * 1.00001"
    trace = document(f"inputs: {{h: 1}}\ncompute: |\n  {loop}\n")
    assert len(trace) == 200_001
    assert final_grads(trace)["h"] == pytest.approx(1.00001**100_000, rel=1e-9)


def test_a_sum_of_five_thousand_terms_is_recorded():
    trace = shorthand("x=2, y=" + " + ".join(["x"] * 5_000))
    assert final_grads(trace) == {"x": 5_000.0}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x=[1,2], y=x*2", "grad can be implicitly created only for scalar outputs"),
        ("x=2, y=exp(1)", "does not require grad and does not have a grad_fn"),
        ("x=2, y=zz+1", "unknown name `zz`"),
        ("x=2, y=h+1, h=x*x", "`h` is used before it is assigned"),
        ("x=2, y=expp(x)", "unknown function `expp`; did you mean `exp`?"),
        ("x=2, y=x(3)", "`x` is a variable, not a function; write `x*(…)`"),
        ("x=2, y=x.expp()", "unknown method `expp`; did you mean `exp`?"),
        ("x=2, y=x.grad", "`.grad` is known only after `backward`"),
        ("x=2, y=x.S", "unknown property `.S`"),
        ("x=2, y=x.exp", "write `.exp()`"),
        ("x=[[1,2]], y=x.T()", "write `.T` without brackets"),
        ("x=[1,2], y=sum(x, 0, True, 3)", "`sum` takes at most 3 arguments"),
        ("x=[1,2], y=sum(x, axes=0)", "`sum` has no keyword `axes`; did you mean `axis`?"),
        ("x=[1,2], y=sum(x, 0, dim=0)", "`sum` got `dim` twice"),
        ("x=[1,2], y=sum()", "`sum` is called without `input`"),
        ("x=[1,2], y=sum(x, keepdim=1)", "`keepdim` of `sum` cannot be this"),
        ("x=[1,2], y=reshape(x, x)", "this must be written out, not computed"),
        ("x=[1,2], y=x[0.5]", "an index must be a whole number"),
        ("x=[1,2], y=x[::-1]", "a slice's step must be greater than zero"),
        ("x=[1,2], y=x[7]", "index 7 is out of bounds"),
        ("x=2, y=x+[1,[2]]", "the rows of this list are not equally long"),
        ("x=2, y=x+[x, 1]", "this is a list of 2 values, not one value"),
        ("x=[1,2], y=x+[1,2,3]", "`+` cannot broadcast shapes (2,) and (3,)"),
    ],
)
def test_a_program_that_cannot_run_is_refused_in_words(text, message):
    with pytest.raises(ScenarioError) as caught:
        shorthand(text)
    assert message in caught.value.render()


@pytest.mark.parametrize(
    ("backward", "message"),
    [
        ("{of: y, gradient: [1, 2, 3]}", "`gradient` has shape (3,), but `y` has shape (2,)"),
        ("[x.grad.zero_(), {of: y, gradient: [1, 2]}]", "`x.grad` is None here"),
        ("c", "does not require grad"),
    ],
)
def test_a_backward_pass_that_cannot_run_is_refused_in_words(backward, message):
    text = f"inputs: {{x: [1, 2]}}\ncompute: |\n  c = exp(1)\n  y = x*c\nbackward: {backward}\n"
    with pytest.raises(ScenarioError) as caught:
        document(text)
    assert message in caught.value.render()


# Running again with other values


def runner(text: str) -> Runner:
    return Runner(parse_shorthand(Source("<-e>", text)))


@pytest.mark.parametrize(
    ("text", "changed", "as_if"),
    [
        ("x=2, y=x**2+3x+1", {"x": 5.0}, "x=5, y=x**2+3x+1"),
        ("x=2, w=3, y=sin(x)/w", {"x": -1.0, "w": 0.0}, "x=-1, w=0, y=sin(x)/w"),
        ("x=[1, 2], y=(x*x).sum()", {"x": np.array([3.0, -4.0])}, "x=[3, -4], y=(x*x).sum()"),
    ],
)
def test_a_run_with_other_inputs_equals_the_scenario_that_has_them(text, changed, as_if):
    program = runner(text)
    first = program.run()
    again = program.run({graph_of(first).inputs[name]: value for name, value in changed.items()})
    fresh = runner(as_if).run()
    for column in ("contributions", "totals"):
        for ours, theirs in zip(getattr(again, column), getattr(fresh, column), strict=True):
            np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal(again.senders, fresh.senders)
    np.testing.assert_array_equal(again.receivers, fresh.receivers)


def test_a_run_with_other_inputs_leaves_the_first_trace_as_it_was():
    program = runner("x=2, y=x**2+3x+1")
    first = program.run()
    program.run({0: 10.0})
    assert graph_of(first).value[first.assigned["y"]] == 11.0
    assert graph_of(program.run()).value == graph_of(first).value


def test_a_changed_constant_changes_what_follows():
    program = runner("x=2, y=x*3")
    first = program.run()
    three = graph_of(first).value.index(3.0)
    again = program.run({three: 4.0})
    assert (graph_of(again).value[again.assigned["y"]], again.passes[-1].grads) == (8.0, {0: 4.0})


def test_what_an_operation_cannot_take_is_refused_where_it_stands():
    text = "inputs:\n  x: [1, 2]\n  i: {value: [0, 1], dtype: int64}\ncompute: y = x[i].sum()\n"
    program = Runner(parse_document(Source("lesson.yaml", text)))
    index = graph_of(program.run()).inputs["i"]
    with pytest.raises(ScenarioError) as caught:
        program.run({index: np.array([0, 7])})
    assert "lesson.yaml:4:14: `index` cannot take" in caught.value.render()
    assert "index 7 is out of bounds" in caught.value.render()


def test_a_slope_that_is_zero_everywhere_still_has_the_shape_of_the_operand():
    trace = runner("x=[[1,2],[0,4]], y=sum(x**0)").run()
    assert trace.passes[1].grads[0].tolist() == [[0, 0], [0, 0]]


@pytest.mark.parametrize(
    "text",
    [
        "x=2, y=x*x + x, unused=y*x",
        "x=[1,2], k=[3,4], h=x.detach()*k, y=(h*x).sum()",
        "x=[[1,2],[3,4]], z=[1,2,3,4], y=(x.view_as(z)[[0, 0, 2]] * z[:3]).sum(), w=y*2",
        "x=[1,2], y=torch.cat([x, x*2, x]).sum()",
        "x=3, y=relu(-x)*x, z=y",
    ],
)
def test_the_columns_of_a_pass_name_each_contribution_in_the_order_sent(text):
    graph = graph_of(shorthand(text))
    for output in [node for node in graph.computed.tolist() if graph.requires_grad[node]]:
        done = backward(graph, output, np.ones(np.shape(graph.value[output])))
        expected = [
            (node, position, operand)
            for node in range(output, -1, -1)
            if done.gradient[node] is not None
            for position, operand in enumerate(graph.differentiated(node))
            if graph.requires_grad[operand]
        ]
        assert list(zip(*(column.tolist() for column in done.edges), strict=True)) == expected
        assert len(done.contributions) == len(expected)
    counts, flat = graph.operand_columns  # no pass takes away what it sends nothing to
    assert counts.tolist() == [len(operands) for operands in graph.operands]
    assert flat.tolist() == [node for operands in graph.operands for node in operands]


LONG = "x=2, y=x\nfor i in range(9000): y = y*1.0001 + x"


@pytest.mark.parametrize("asked", [0, 1, 6, 9])
def test_a_run_that_nobody_waits_for_any_longer_stops_wherever_it_is(asked):
    program = runner(LONG)
    answers = iter([False] * asked)
    with pytest.raises(StoppedError):
        program.run({graph_of(program.run()).inputs["x"]: 3.0}, lambda: next(answers, True))
    assert next(answers, None) is None


def test_a_run_that_is_waited_for_to_the_end_is_asked_about_now_and_then():
    program, asked = runner(LONG), []
    wanted = program.run({graph_of(program.run()).inputs["x"]: 3.0}, lambda: asked.append(1))
    assert graph_of(wanted).value[0] == 3.0
    assert 4 <= len(asked) <= len(graph_of(wanted)) / 1000
