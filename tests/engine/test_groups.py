"""What a name stands for besides a value: several outputs, a list, a shape, a module."""

from __future__ import annotations

import numpy as np
import pytest

from backprop_engine.basics.source import ScenarioError, Source
from backprop_engine.run.record import record
from backprop_engine.run.tape import graph_of
from backprop_engine.scenarios.loader import parse_document, parse_shorthand, parse_snippet
from backprop_engine.trace import Trace

X = "x=[3, 1, 2, 4], "


def run(text: str) -> Trace:
    return record(parse_shorthand(Source("<-e>", text)))


def applied(trace: Trace) -> list[str]:
    """The operations in their order, with the output that each picks."""
    graph = graph_of(trace)
    return [
        operation.name + str(graph.attributes_of(node).get("output", ""))
        for node, operation in enumerate(graph.operation)
        if operation is not None
    ]


def error_of(text: str) -> str:
    with pytest.raises(ScenarioError) as caught:
        run(text)
    return caught.value.render().partition("\n")[0]


def test_unpacking_picks_from_left_to_right_and_each_is_one_node() -> None:
    trace = run(X + "a, b = x.split(2), y = (b * a).sum() + a.sum()")

    assert applied(trace) == ["split0", "split1", "mul", "sum", "sum", "add"]
    assert trace.assigned["a"] < trace.assigned["b"]
    assert graph_of(trace).names[trace.assigned["b"]] == "b"


def test_an_output_is_made_where_it_is_picked_and_once() -> None:
    trace = run(X + "p = x.split(2), z = 2*x, y = p[1].sum() + p[-1].sum() + p[0].sum() + z.sum()")

    assert applied(trace)[:2] == ["mul", "split1"]
    assert applied(trace).count("split1") == 1
    assert "p" not in trace.assigned


def test_outputs_with_names_are_picked_by_them() -> None:
    trace = run(X + "q = x.max(0), y = q.values + x.max(0)[0]")

    assert graph_of(trace).value[trace.assigned["y"]] == 8.0
    assert len(graph_of(trace)) == len(["x", "max", "max", "add"])


def test_what_is_called_underscore_is_not_made() -> None:
    assert applied(run(X + "_, b = x.split(2), y = b.sum()")) == ["split1", "sum"]


def test_a_list_of_outputs_goes_into_an_operation_that_takes_a_list() -> None:
    straight = run(X + "y = torch.cat(x.split(2)).sum()")
    starred = run(X + "p = x.split(2), y = torch.cat([*p]).sum()")

    assert applied(straight) == applied(starred) == ["split0", "split1", "cat", "sum"]


def test_a_list_of_values_has_a_name_too() -> None:
    trace = run(X + "p = [x, 2*x], a, b = p, y = torch.stack(p).sum() + (a * b)[0] + len(p)")

    assert graph_of(trace).value[trace.assigned["y"]] == 30 + 18 + 2


def test_two_names_are_swapped() -> None:
    trace = run(X + "a, b = 1*x, 2*x, a, b = b, a, y = (a - b).sum()")

    assert graph_of(trace).value[trace.assigned["y"]] == 10.0
    assert trace.assigned["a"] == trace.assigned["b@1"]


def test_an_output_picked_inside_of_no_grad_is_recorded_if_the_operation_was() -> None:
    text = (
        "x = torch.ones(4, requires_grad=True)\np = x.split(2)\nwith torch.no_grad():\n"
        "    a = p[0]\n    q = x.split(2)\nb = q[0]\ny = a.sum() + b.sum()\n"
    )
    trace = record(parse_snippet(Source("s.py", text)))

    assert graph_of(trace).requires_grad[trace.assigned["a"]]
    assert not graph_of(trace).requires_grad[trace.assigned["b"]]


def test_several_names_are_a_key_of_compute_too() -> None:
    text = "inputs: {x: [3, 1, 2, 4]}\ncompute:\n  a, b: x.split(2)\n  y: (a * b).sum()\n"
    trace = record(parse_document(Source("lesson.yaml", text)))

    assert graph_of(trace).value[trace.assigned["y"]] == 10.0


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("y = x.sum() / x.shape[0]", 2.5),
        ("n = len(x), y = x.reshape(n // 2, -1)[n // 2 - 1].sum()", 6.0),
        ("s = x.shape, y = x.reshape(*s, 1)[:, 0].sum() * s[-1] + x.ndim", 41.0),
        ("h = x.reshape(2, 2), a, b = h.shape, y = h.reshape(a * b)[a:].sum()", 6.0),
        ("y = (2*x).reshape((2*x).numel() // 2, 2).sum(dim=len(x.shape)).sum()", 20.0),
        ("y = x.sum() * math.sqrt(x.size(-1)) + int(x.size(0) / 3)", 21.0),
        ("y = x[x.dim()] * x.size()[0]", 4.0),
    ],
)
def test_sizes_are_numbers_wherever_one_can_stand(text: str, value: float) -> None:
    trace = run(X + text)

    assert graph_of(trace).value[trace.assigned["y"]] == value


def test_a_size_in_arithmetic_is_a_constant_and_among_the_arguments_no_node() -> None:
    trace = run(X + "y = x.reshape(x.size(0), 1).sum() / x.shape[0]")

    assert applied(trace) == ["reshape", "sum", "div"]
    assert len(graph_of(trace)) == 1 + 1 + 3


def test_a_thousand_sizes_inside_of_sizes_are_no_deeper_than_one() -> None:
    text = "x"
    for _ in range(1000):
        text = f"x.reshape({text}.shape[0])"

    assert np.array_equal(graph_of(run(f"{X} y = {text}.sum()")).value[0], [3, 1, 2, 4])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "y = x.split(2) + 1",
            (
                "<-e>:1:21: `x.split(2)` gives 2 values, and one is needed here; "
                "pick one: `x.split(2)[0]` or `x.split(2)[1]`"
            ),
        ),
        (
            "q = x.max(0), y = q * 2",
            (
                "<-e>:1:35: `q` gives 2 values (`values` and `indices`), and one is needed here; "
                "pick one: `q.values` or `q.indices`"
            ),
        ),
        (
            "a, b, c = x.split(2)",
            (
                "<-e>:1:27: not enough values to unpack (expected 3, got 2): `x.split(2)` gives 2 "
                "values, and 3 names stand before the `=`; write 2 names; `_` for one not used"
            ),
        ),
        (
            "a, b = x.split(1)",
            (
                "<-e>:1:24: too many values to unpack (expected 2): `x.split(1)` gives 4 "
                "values, and 2 names stand before the `=`; write 4 names; `_` for one not used"
            ),
        ),
        ("p = x.split(2), y = p[2]", "<-e>:1:37: `p` has 2 values, and none is at [2]"),
        (
            "a, b = x[0]",
            (
                "<-e>:1:24: a single number cannot be unpacked: `x[0]` has no axis to go along; "
                "write one name before the `=`"
            ),
        ),
        (
            "y = [x, x] + x",
            (
                "<-e>:1:21: this is a list of 2 values, not one value; pick one of them, such as "
                "`[x, x][0]`, or make one of them with `torch.stack` or `torch.cat`"
            ),
        ),
        (
            "y = x.shape + 1",
            (
                "<-e>:1:21: `x.shape` is the shape (4,), not a value; "
                "pick one of its numbers: `x.shape[0]`"
            ),
        ),
        ("y = x.sum() / x.size(1)", "<-e>:1:38: there is no axis 1: the shape is (4,)"),
        ("_, b = x.split(2), y = _ * 2", "<-e>:1:40: unknown name `_`"),
        (
            "f = nn.ReLU(), y = f + 1",
            "<-e>:1:36: `f` is a module, not a value; call it with the values it takes: `f(…)`",
        ),
        (
            "f = torch.sin, y = f + 1",
            "<-e>:1:36: `f` is a function, not a value; call it with the values it takes: `f(…)`",
        ),
        (
            "y = x * tanh",
            "<-e>:1:25: `tanh` is a function, not a value; call it with the values it takes: ",
        ),
        (
            "y = torch.exp",
            "<-e>:1:17: `y` is a function, not a value; call it with the values it takes: `y(…)`",
        ),
        ("f = torch.dot, y = f(x)", "<-e>:1:36: `dot` is called without `tensor`"),
        ("y = nn.Tanh()(x, x)", "<-e>:1:34: `tanh` takes at most 1 arguments"),
        ("y = nn.Softmax(axis=0)(x)", "<-e>:1:32: `nn.Softmax` has no keyword `axis` here"),
        (
            "y = nn.Linear(4, 2)(x)",
            (
                "<-e>:1:24: `nn.Linear` is not supported; write `x @ W.T + b`, with "
                "`W = torch.randn(2, 3, requires_grad=True)` and `b` alike"
            ),
        ),
        (
            "p = x.split(2)",
            "<-e>:1:17: `p` gives 2 values, and one is needed here; pick one: `p[0]` or `p[1]`",
        ),
    ],
)
def test_several_values_where_one_is_needed_are_told_how_to_be_picked(
    text: str, message: str
) -> None:
    assert error_of(X + text).startswith(message)


@pytest.mark.parametrize(
    ("section", "place"),
    [("backward: p", "4:11"), ("expect: {p: 1}", "4:10"), ("hints: {p: look}", "4:9")],
)
def test_a_key_that_speaks_of_several_values_is_told_its_place(section: str, place: str) -> None:
    text = f"inputs: {{x: [1, 2]}}\ncompute: |\n  p = x.split(1); y = p[0].sum()\n{section}\n"
    with pytest.raises(ScenarioError) as caught:
        record(parse_document(Source("lesson.yaml", text)))

    assert str(caught.value.render()).startswith(f"lesson.yaml:{place}: `p` gives 2 values")


def test_a_remainder_of_five_thousand_terms_is_computed() -> None:
    trace = run("x=5, y = x" + " % 3" * 5000)

    assert graph_of(trace).value[trace.assigned["y"]] == 2.0
