"""Loops and comprehensions: what they make is what the statements, written out, would make."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backprop_engine.basics.source import ScenarioError, Source
from backprop_engine.reading.explain import explain
from backprop_engine.run import loops, several_values
from backprop_engine.run.record import record
from backprop_engine.run.tape import graph_of
from backprop_engine.scenarios.loader import parse_document, parse_shorthand
from backprop_engine.trace import Group, GroupKind, Trace

WRITTEN_OUT = {
    "a loop in one line, up to a comma": (
        "x=2, w=3, h=x, for i in range(3): h = w*h, y = h+1",
        "x=2, w=3, h=x, h = w*h, h = w*h, h = w*h, y = h+1",
    ),
    "several statements in one line": (
        "x=2, for i in range(2): a = x*i; y = a+x",
        "x=2, a = x*0; y = a+x; a = x*1; y = a+x",
    ),
    "a block, with a loop inside": (
        "x=2, y=x\nfor i in range(2):\n  for j in range(i, 3, 2):\n    y = y*(x+j)\n  y += i\n",
        "x=2, y=x, y = y*(x+0), y = y*(x+2), y += 0, y = y*(x+1), y += 1",
    ),
    "a range that counts down, and one that is empty": (
        "x=2, y=x, for i in range(3, 0, -1): y = y*x**i, for i in range(0): y = 7y",
        "x=2, y=x, y = y*x**3, y = y*x**2, y = y*x**1",
    ),
    "the number as an index, a power and a factor": (
        "W=[[1, 2], [3, 4]], y=W[0, 0], for i in range(2): y = y + W[i, 1-i]**(i+1) * 2i",
        "W=[[1, 2], [3, 4]], y=W[0, 0], y = y + W[0, 1]**(0+1)*2*0, y = y + W[1, 0]**(1+1)*2*1",
    ),
    "whole numbers of the loop's numbers": (
        "x=[1, 2, 3, 4, 5], y=x[0], for i in range(2): k = 2*i + 1; y = y * x[k] * x[-k]",
        "x=[1, 2, 3, 4, 5], y=x[0], y = y * x[1] * x[-1], y = y * x[3] * x[-3]",
    ),
    "the rows of a tensor": (
        "W=[[1, 2], [3, 4]], y=1, for row in W: y = y * row.sum()",
        "W=[[1, 2], [3, 4]], y=1, a, b = W.unbind(0), y = y * a.sum(), y = y * b.sum()",
    ),
    "several lists at once": (
        "a=2, b=3, y=a, for i, (p, q) in enumerate(zip([a, b], [0.5, 2])): y = y*p*q + i",
        "a=2, b=3, y=a, y = y*a*0.5 + 0, y = y*b*2 + 1",
    ),
    "a list of values, its items from both ends and its length": (
        "x=2, hs = [x**i for i in range(1, 4)], y = hs[0]*hs[-1] + len(hs)*hs[1]",
        "x=2, a = x**1, b = x**2, c = x**3, y = a*c + 3*b",
    ),
    "lists of lists": (
        "x=2, t = [[x*(i+j) for j in range(2)] for i in range(2)], y = t[0][1] * t[-1][1]",
        "x=2, a = x*(0+0), b = x*(0+1), c = x*(1+0), d = x*(1+1), y = b * d",
    ),
    "two loops in one comprehension": (
        "x=2, ps = [x*i*j for i in range(1, 3) for j in range(i)], y = ps[0] + ps[2]",
        "x=2, a = x*1*0, b = x*2*0, c = x*2*1, y = a + c",
    ),
    "python's sum, which starts with 0": (
        "x=2, y = sum([x, x**2])",
        "x=2, a = x**2, y = 0 + x + a",
    ),
    "python's sum with a start": (
        "x=2, b=5, y = sum((x*i for i in range(2)), b)",
        "x=2, b=5, p = x*0, q = x*1, y = b + p + q",
    ),
    "a list that grows": (
        "x=2\nhs = []\nh = x\nfor i in range(3):\n  h = h*x\n  hs.append(h)\ny = sum(hs) - hs[1]",
        "x=2, h = x, a = h*x, b = a*x, c = b*x, y = 0 + a + b + c - b",
    ),
    "lists one behind the other": (
        "x=2, a = [x] + [3x], y = a[0]*a[1]*len(a[1:])",
        "x=2, a = 3x, y = x*a*1",
    ),
    "sizes, which are others in each iteration": (
        "x=[1, 2, 3], y=x[0], for i in range(2): y = y*(1*x[i:]).shape[0] + len([y][i:])",
        "x=[1, 2, 3], y=x[0], a = 1*x[0:], y = y*3 + 1, b = 1*x[1:], y = y*2 + 0",
    ),
    "a module, and another one of its name": (
        "x=2, y=x, for i in range(2): f = nn.Tanh(); y = f(y)*x; f = nn.ReLU(); y = f(y)*i",
        "x=2, y=x, y = tanh(y)*x, y = relu(y)*0, y = tanh(y)*x, y = relu(y)*1",
    ),
    "parts of lists": (
        "x=2, a = [x*i for i in range(4)], y = sum(a[1:3]) * sum(reversed(a[::3]))",
        "x=2, a = x*0, b = x*1, c = x*2, d = x*3, y = (0 + b + c) * (0 + d + a)",
    ),
}


def run(text: str) -> Trace:
    return record(parse_shorthand(Source("<-e>", text)))


def made(trace: Trace) -> list[tuple[str, tuple[int, ...], object]]:
    """What each node is made by, of what, and its value: all but its name."""
    graph = graph_of(trace)
    return [
        (
            "" if operation is None else operation.name,
            graph.operands[node],
            np.asarray(graph.value[node]).tolist(),
        )
        for node, operation in enumerate(graph.operation)
    ]


def grads(trace: Trace) -> dict[str, object]:
    return {
        name: np.asarray(trace.grad(node, len(trace))).tolist()
        for name, node in graph_of(trace).inputs.items()
    }


@pytest.mark.parametrize(("text", "written_out"), WRITTEN_OUT.values(), ids=list(WRITTEN_OUT))
def test_a_loop_is_what_its_statements_written_out_are(text: str, written_out: str) -> None:
    ours, theirs = run(text), run(written_out)
    operations = [one for one in made(ours) if one[0]]

    assert [(name, value) for name, _, value in operations] == [
        (name, value) for name, _, value in made(theirs) if name
    ]
    assert grads(ours) == grads(theirs)


@given(st.integers(0, 5), st.integers(1, 3), st.integers(-2, 3))
def test_a_polynomial_is_the_same_by_a_loop_and_written_out(n: int, step: int, start: int) -> None:
    terms = [f"{k + 3}*x**{k + 2}" for k in range(start, n, step)]
    written = "".join(f", y = y + {term}" for term in terms)

    ours = run(f"x=1.5, y=x, for k in range({start}, {n}, {step}): y = y + (k+3)*x**(k+2)\n")

    assert grads(ours) == grads(run(f"x=1.5, y=x{written}"))


def test_statements_are_parsed_once_however_often_they_run() -> None:
    scenario = parse_shorthand(Source("<-e>", "x=2, h=x, for i in range(5000): h = 1.001h, y = h"))

    assert len(scenario.statements) == 3
    assert len(graph_of(record(scenario))) == 1 + 2 * 5000


def test_every_iteration_points_at_the_statement_in_the_loop() -> None:
    text = "x=2, h=x, for i in range(3): h = h*x, y = h+1"
    graph = graph_of(run(text))
    spans = [graph.span[node] for node in range(1, 4)]

    assert {text[span.start : span.stop] for span in spans if span} == {"h*x"}


def test_names_count_on_through_the_iterations() -> None:
    trace = run("x=2, h=x, for i in range(12): h = h*x, y = h")

    assert trace.label(trace.assigned["h"]) == trace.label(trace.assigned["y"]) == "h@13"
    assert trace.assigned["h@4"] == trace.assigned["h@13"] - 9
    assert trace.nodes.groups(trace.assigned["h@4"]) == (Group(GroupKind.ITERATION, "i=2"),)
    assert trace.nodes.groups(0) == ()


def test_a_name_assigned_in_a_loop_has_versions_even_if_it_runs_once() -> None:
    trace = run("x=2, for i in range(1): y = x*x")

    assert trace.label(trace.assigned["y"]) == "y@1"


def test_items_of_a_list_are_known_by_it_unless_they_have_a_name() -> None:
    text = "x=2, for i in range(2): h = x*i; ws = [[h, h*j] for j in range(1, 3)]\n y = sum(ws[1])"
    trace = run(text.replace("\n", "\n").replace("\n ", "\n"))
    labels = {trace.label(node) for node in range(len(graph_of(trace)))}

    assert {"h@1", "h@2", "ws@1[0][1]", "ws@2[1][1]"} <= labels
    assert "ws@2[0][0]" not in labels


@pytest.mark.parametrize(
    ("loop", "said"),
    [
        ("for i in range(4, 7): y = x*x", "i=6"),
        ("for v in ws: y = v*x", "v=ws[1]"),
        ("for v, w in zip(ws, ws): y = v*x", "v=ws[1]"),
        ("for k, v in enumerate(ws, 5): y = v*x", "k=6"),
        ("for v in [x, 2x]: y = v*x", "v: item 1"),
        ("for i in range(3): y = [x*j for j in range(2)][1]", "i=2, j=1"),
    ],
)
def test_a_step_tells_the_iteration_that_it_belongs_to(loop: str, said: str) -> None:
    trace = run(f"x=2\nws = [x, x*x]\n{loop}\nz = y*2")
    node = trace.assigned["y"]
    step = next(at for at in range(len(trace)) if trace.step(at).node == node)

    assert ", ".join(group.name for group in trace.nodes.groups(node)) == said
    assert explain(trace, step).notes[-1].endswith(f"was made in iteration {said}")


def test_a_comprehension_keeps_its_names_to_itself_and_a_loop_does_not() -> None:
    kept = run("x=2, i=5, ys = [x*i for i in range(3)], y = ys[2]*i")
    assert grads(kept) == {"x": 10.0, "i": 4.0}

    left = run("x=2, for i in range(3): h = x*i\n y = h*i".replace("\n ", "\n"))
    assert grads(left) == {"x": 4.0}


def test_a_file_may_expect_and_hint_at_versions_that_a_loop_makes() -> None:
    text = (
        "inputs: {x: 2}\n"
        "compute: |\n  h = x\n  for i in range(3):\n    h = h*x\n"
        "expect: {h@2: 4, h: 16, x.grad: 32}\nhints: {h@3: The third.}\n"
    )
    trace = record(parse_document(Source("lesson.yaml", text)))

    assert list(trace.heading.hints) == [trace.assigned["h@3"]]


REFUSED = {
    "x=2, for i in range(3): y = x*j": "1:31: unknown name `j`",
    "x=2, for i in x: y = x*i": "1:15: a single number cannot be unpacked",
    "x=2, for i in range(3): y = [x, x][i]": "1:29: `[x, x]` has 2 values, and none is at [2]",
    "x=2, for i in range(2.5): y = x*i": "1:21: `range` takes whole numbers",
    "x=2, for i in range(): y = x*i": "1:15: `range` takes one to three whole numbers",
    "x=2, for i in range(0, 3, 0): y = x*i": "1:27: the step of a range is not 0",
    "x=2, for i in range(x): y = x*i": "1:21: this must be written out, not computed",
    "x=2, for a, b in range(3): y = x*a": "1:10: `a, b` counts, and a value is needed here",
    "x=2, for a, b in [[x, x, x]]: y = x*a": "1:10: too many values to unpack (expected 2)",
    "x=2, y = [x*i for i in range(3)]": "1:6: this is a list of 3 values, not one value",
    "x=2, for i in range(0): y = x": "1:25: `y` is never assigned: its loop runs no time",
    "x=2, y = x*2, y.append(x)": "1:15: `y` is not a list",
    "x=2, y = sum(x, len(reversed([x])))": "1:10: `sum` cannot take shape ()",
    "x=2, y = len(len(x))": "1:18: a single number has no length",
    "x=2, y = sum([x, [x]])": "1:14: this is a list of 1 values",
    "x=2, y = [x for i in range(9) if i]": "1:31: `if` cannot choose element by element",
    "x=2, for i in range(3): continue": "1:25: `continue` is not supported",
    "x=2, for i in range(3): y.backward()": "1:25: `y.backward()` cannot stand in a loop",
}


@pytest.mark.parametrize(("text", "said"), REFUSED.items(), ids=list(REFUSED))
def test_what_a_loop_cannot_do_is_said_at_its_place(text: str, said: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        run(text)

    assert caught.value.render().startswith(f"<-e>:{said}")


def test_a_version_that_no_iteration_has_made_is_told() -> None:
    text = "inputs: {x: 2}\ncompute: |\n  for i in range(3):\n    h = x*i\nexpect: {h@4: 1}\n"
    with pytest.raises(ScenarioError, match="`h` has no version `@4`"):
        record(parse_document(Source("lesson.yaml", text)))


@pytest.mark.parametrize(
    "text",
    [
        "x=2, for i in range(10**30): y = x",
        "x=2, for i in range(2000): for j in range(2000): y = x",
        "x=2, y = sum([x for i in range(10**9)])",
        "x=2, for i, v in enumerate(range(10**9)): y = x",
    ],
)
def test_iterations_without_number_are_refused_at_once(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(several_values, "MAX_ITERATIONS", 5000)
    with pytest.raises(ScenarioError, match="this makes more than 5,000 iterations"):
        run(text)


def test_nodes_without_number_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (loops, several_values):
        monkeypatch.setattr(module, "MAX_NODES", 100)
    with pytest.raises(ScenarioError, match="this makes more than 100 nodes"):
        run("x=2, h=x, for i in range(1000): h = h*x, y = h")


def test_blocks_are_nested_as_deep_as_in_python() -> None:
    nested = "".join(f"{' ' * depth}for i in range(1):\n" for depth in range(20))
    assert grads(run(f"x=2\n{nested}{' ' * 20}y = x*x")) == {"x": 4.0}

    with pytest.raises(ScenarioError, match="blocks are nested 20 deep at most"):
        run(f"x=2\n{nested}{' ' * 20}for i in range(1):\n{' ' * 21}y = x*x")


def test_a_comprehension_may_be_nested_to_any_depth() -> None:
    depth = 500
    text = "[" * depth + "x*x" + " for i in range(1)]" * depth + "[0]" * depth

    assert grads(run(f"x=3, y = {text}")) == {"x": 6.0}
