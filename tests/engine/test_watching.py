"""Watches: expressions over names and gradients, at every cursor."""

from __future__ import annotations

import numpy as np
import pytest

from backprop_engine.basics.source import ProblemError, Source
from backprop_engine.reading.watches import change_candidates, compile_watch, watched
from backprop_engine.run.record import record
from backprop_engine.scenarios.loader import parse_document, parse_shorthand


def recorded(text):
    return record(parse_shorthand(Source("<-e>", text)))


BASIC = recorded("x=2, y=x**2+3x+1")
AGAIN = recorded("x=2; h=x*x; h=h+1; y=h*h")
ARRAYS = recorded("A=[[1, 2], [3, 4]], v=[1, -1], y=(A @ v).sum()")
PASSES = record(
    parse_document(
        Source(
            "passes.yaml",
            "inputs: {x: 3}\ncompute: y = x**2\nbackward: [y, y, x.grad.zero_(), zero_grad, y]\n",
        )
    )
)


def over_time(text, trace):
    formula = compile_watch(text, trace)
    return [watched(formula, trace, cursor) for cursor in range(len(trace) + 1)]


def test_a_value_is_unknown_until_it_is_computed():
    assert over_time("%1*2", BASIC) == [None, *[8] * 10]
    assert over_time("x", BASIC) == [2] * 11


def test_grad_of_an_input_is_its_grad_which_comes_with_the_last_contribution():
    assert over_time("x.grad", BASIC) == [None] * 10 + [7]


def test_grad_of_what_keeps_none_is_what_it_has_received_so_far():
    assert over_time("%1.grad", BASIC) == [None] * 7 + [1] * 4


def test_grad_over_several_passes_is_added_up_zeroed_and_forgotten():
    assert over_time("x.grad", PASSES) == [None] * 3 + [6, 6, 12, 0, None, None, 6]


def test_grad_of_an_inner_node_starts_afresh_with_each_pass():
    assert over_time("y.grad", PASSES) == [None, None, 1, 1, 1, 1, None, None, 1, 1]


def test_a_name_assigned_again_is_its_last_version_and_each_can_be_named():
    assert over_time("h", AGAIN)[-1] == 5
    assert over_time("h@1 + 10*h@2", AGAIN)[-1] == 54


def test_a_tensor_is_what_it_holds_by_all_of_its_names_and_a_changed_base_has_its_own():
    trace = recorded("x=[1, 2]; y=x*2; z=y; z += 1; v=y[0]; v *= 3; s=(y*y).sum()")
    (changed,) = [node for node, name in trace.nodes.names.items() if name == "y@3"]
    assert np.array_equal(trace.nodes.value[changed], [9, 5])
    values = [[2, 4], [3, 5], [3, 5], [3, 5], [9, 5]]
    for name in ("y", "z"):
        seen = over_time(name, trace)
        assert seen[0] is None
        assert np.array_equal(seen[1:6], values)
        candidates = change_candidates(compile_watch(name, trace), trace).tolist()
        assert {1, 2, 5} <= set(candidates)
    assert np.array_equal(over_time("z@2", trace)[5], [3, 5])


def test_an_invented_name_is_a_remainder_after_a_value():
    assert over_time("x + %1", BASIC)[-1] == 6
    assert over_time("%1 - (%2)", BASIC)[-1] == -2


def test_an_expression_with_something_unknown_is_unknown():
    assert over_time("x.grad + x", BASIC)[:10] == [None] * 10


def test_arrays_and_functions_are_watched_too():
    assert np.array_equal(over_time("A.grad.T[0]", ARRAYS)[-1], [1, 1])
    assert over_time("sum(A.grad)", ARRAYS)[-1] == 0
    assert over_time("norm(A.grad)", ARRAYS)[-1] == 2


def test_of_an_operation_with_several_outputs_one_is_picked():
    assert over_time("max(A, dim=1).values[0]", ARRAYS)[-1] == 2
    assert over_time("max(A, dim=1)[1][0]", ARRAYS)[-1] == 1
    with pytest.raises(ProblemError, match="gives several values"):
        compile_watch("max(A, dim=1)", ARRAYS)
    with pytest.raises(ProblemError, match="unknown property"):
        compile_watch("sum(A).valuez", ARRAYS)


@pytest.mark.parametrize("trace", [BASIC, AGAIN, PASSES], ids=["basic", "again", "passes"])
def test_a_watch_changes_only_at_its_candidates(trace):
    for name in [*trace.names, "x.grad", "y.grad", "x.grad*y"]:
        values = over_time(name, trace)
        changed = {k for k in range(1, len(values)) if values[k] != values[k - 1]}
        assert changed <= set(change_candidates(compile_watch(name, trace), trace).tolist())


@pytest.mark.parametrize(
    ("text", "message", "caret"),
    [
        ("%3.grad * foo", "unknown name `foo`", "foo"),
        ("x + %17", "unknown name `%17`", "%17"),
        ("xx.grad", "unknown name `xx`; did you mean `x`?", "xx"),
        ("(x*x).grad", "only a name has a `.grad`", "grad"),
        ("2.grad", "unknown name `grad`", "grad"),
        ("x.shape", "`.shape` is not supported", "shape"),
        ("x @ 2", "`@` multiplies matrices", "2"),
        ("h@3", "`@` multiplies matrices", "3"),
        ("", "an expression is missing here", ""),
        ("y = x", "a watch assigns nothing", "="),
    ],
)
def test_a_mistake_is_told_with_its_place(text, message, caret):
    trace = AGAIN if text.startswith("h") else BASIC
    with pytest.raises(ProblemError) as error:
        compile_watch(text, trace)
    problem = error.value.problem
    assert message in problem.sentence
    assert text[problem.span.start : problem.span.stop] == caret


def test_grad_of_what_requires_none_is_refused():
    with pytest.raises(ProblemError, match="`c` requires no grad"):
        compile_watch(
            "c.grad",
            record(
                parse_document(
                    Source(
                        "c.yaml",
                        "inputs: {x: 1, c: {value: 2, requires_grad: false}}\ncompute: y = c*x\n",
                    )
                )
            ),
        )
