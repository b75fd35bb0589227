"""Conditions on steps: what each name means where, what is unknown, and columns against steps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backprop_engine.basics.source import OperandError, ProblemError, Source
from backprop_engine.basics.summary import Summary
from backprop_engine.catalogue import OPERATIONS
from backprop_engine.reading.conditions import HELP, MEANINGS, compile_condition, holds, quantity
from backprop_engine.reading.formula_columns import OF_ONE_NUMBER, columns_of
from backprop_engine.run.record import record
from backprop_engine.scenarios.loader import parse_document, parse_shorthand
from backprop_engine.trace import StepKind


def recorded(text):
    return record(parse_shorthand(Source("<-e>", text)))


TWO_PASSES = """\
inputs: {x: 3, z: 0}
compute: |
  y = x**2 + z*x
  w = y*y
backward: [w, zero_grad, {of: y, gradient: -2}]
"""

SINGLE = "dtype: float32\ninputs: {x: 0.1}\ncompute: y = x*x/3"
BASIC = recorded("x=2, y=x**2+3x+1")
NUMBERS = [
    BASIC,
    recorded("x=-1, y=log(x)*x+x"),
    recorded("a=0, b=2, y=a/a+b/a+a*b"),
    recorded("x=3, y=x"),
    record(
        parse_document(Source("f.yaml", "dtype: float32\ninputs: {x: 0.1}\ncompute: y = x*x/3"))
    ),
    record(parse_document(Source("two.yaml", TWO_PASSES))),
]
ARRAYS = recorded("A=[[1, 2], [3, 4]], v=[1, -1], y=((A @ v)*v).sum()")


def where(text, trace, subject=None):
    condition = compile_condition(text)
    return [step for step in range(len(trace)) if holds(condition, trace, step, subject)]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("value", [4, 6, 10, 11, 11, 10, 4, 6, 2, 2]),
        ("grad", [None] * 4 + [1, 1, 1, 1, 3, 7]),
        ("upstream", [None] * 5 + [1, 1, 1, 1, 1]),
        ("local", [None] * 5 + [1, 1, 1, 3, 4]),
        ("contribution", [None] * 4 + [1, 1, 1, 1, 3, 4]),
        ("step", list(range(10))),
    ],
)
def test_what_a_name_means_at_each_step(name, values):
    assert [quantity(BASIC, step, name) for step in range(10)] == values


def test_of_a_breakpoint_on_a_node_value_and_grad_are_the_nodes_own():
    node = BASIC.named("%1")  # x², which receives in step 6 and sends in step 9
    assert [quantity(BASIC, step, "grad", node) for step in (4, 5, 6, 9)] == [None, None, 1, 1]
    assert quantity(BASIC, 9, "value", node) == 4
    assert quantity(BASIC, 9, "contribution", node) == 4


def test_every_name_is_explained_in_the_help():
    assert all(name in HELP for name in MEANINGS)


@pytest.mark.parametrize(
    ("condition", "steps"),
    [
        ("abs(contribution) > 3", [9]),
        ("grad == 1", [4, 5, 6, 7]),
        ("(grad > 1) & (value < 3)", [8, 9]),
        ("~(grad == 1)", [8, 9]),
        ("(value > 10) | (grad > 6)", [3, 4, 9]),
        ("(grad > 6) | (value > 10)", [3, 4, 9]),
        ("step >= 8", [8, 9]),
        ("local*upstream == contribution", [5, 6, 7, 8, 9]),
        ("contribution", [4, 5, 6, 7, 8, 9]),
        ("grad < 0", []),
        ("isnan(grad)", []),
        ("norm(grad) < 3", [4, 5, 6, 7]),
        ("any(grad == 3) & all(value == 2)", [8]),
    ],
)
def test_a_condition_holds_where_it_does_and_nowhere_else(condition, steps):
    assert where(condition, BASIC) == steps


def test_what_a_step_does_not_know_makes_the_condition_false_whatever_is_made_of_it():
    for condition in ("upstream == upstream", "~(upstream > 0)", "(upstream > 0) & (step >= 0)"):
        assert all(step > 4 for step in where(condition, BASIC))


def test_a_zero_grad_step_knows_its_number_alone():
    trace = NUMBERS[-1]
    (step,) = [k for k in range(len(trace)) if trace.step(k).kind is StepKind.ZERO_GRAD]
    known = [name for name in MEANINGS if quantity(trace, step, name) is not None]
    assert known == ["step"]


def test_of_an_array_one_element_is_enough():
    assert where("value < 0", ARRAYS)
    assert where("value < 0", ARRAYS) == [
        step
        for step in range(len(ARRAYS))
        if np.any(np.asarray(quantity(ARRAYS, step, "value")) < 0)
    ]


def test_the_local_derivative_is_unknown_where_elements_mix():
    known = [quantity(ARRAYS, step, "local") is not None for step in range(len(ARRAYS))]
    senders = [ARRAYS.nodes.operation_name(int(node)) for node in ARRAYS.senders]
    backward = [step for step in range(len(ARRAYS)) if ARRAYS.positions[step] >= 0]
    assert {senders[step] for step in backward if not known[step]} == {"sum", "matmul"}
    assert {senders[step] for step in backward if known[step]} == {"mul"}


def test_shapes_that_do_not_fit_are_an_error_that_names_them():
    with pytest.raises(OperandError, match=r"cannot broadcast shapes \(2,\) and \(3,\)"):
        where("value > [1, 2, 3]", ARRAYS)


@pytest.mark.parametrize(
    ("text", "message", "caret"),
    [
        ("abs(grd) > 1", "unknown name `grd`; did you mean `grad`?", "grd"),
        ("foo(grad)", "unknown function `foo`", "foo"),
        ("grad > ", "nothing follows this `>`", ">"),
        ("grad = 1", "`=` does not compare; write `==`", "="),
        ("grad > 1 & value < 2", "bind tighter than a comparison", "grad > 1 & value < 2"),
        ("1 < grad < 2", "a chain of comparisons", "1 < grad < 2"),
        ("grad(2)", "`grad` is a variable, not a function", "grad"),
        ("grad.T2", "unknown property `.T2`", "T2"),
        ("grad > [1, [2]]", "a list holds numbers", "[1, [2]]"),
        ("grad.sum(dim=step)", "this must be written out", "step"),
    ],
)
def test_a_mistake_is_told_with_its_place(text, message, caret):
    with pytest.raises(ProblemError) as error:
        compile_condition(text)
    problem = error.value.problem
    assert message in problem.sentence
    assert text[problem.span.start : problem.span.stop] == caret


@pytest.mark.parametrize(
    ("text", "algebra"),
    [
        ("abs(contribution) > 10", "|contribution| > 10"),
        ("abs( grad - 1 )>=2", "| grad − 1 |≥2"),
        ("(grad != 0) & ~(value <= 1)", "(grad ≠ 0) and not (value ≤ 1)"),
        ("grad == 1 | 0", "grad = 1 or 0"),
        ("3grad*2 > torch.abs(value)", "3grad·2 > torch.abs(value)"),
    ],
)
def test_a_condition_reads_as_mathematics(text, algebra):
    assert compile_condition(text).algebra == algebra


def test_a_condition_of_5_000_terms_is_compiled_and_holds():
    assert where("+".join(["grad"] * 5000) + " > 34999", BASIC) == [9]


# Columns

NAMES = st.sampled_from(["value", "grad", "upstream", "contribution", "step"])
FIGURES = st.sampled_from(["0", "1", "-2", "3", "0.5", "7"])


def _combined(inner):
    return st.one_of(
        st.tuples(inner, st.sampled_from(["&", "|"]), inner).map(
            lambda t: f"({t[0]}) {t[1]} ({t[2]})"
        ),
        inner.map(lambda one: f"~({one})"),
    )


ATOMS = st.one_of(
    NAMES, NAMES.map("abs({})".format), st.tuples(NAMES, NAMES).map("*".join), FIGURES
)
COMPARISONS = st.tuples(NAMES, st.sampled_from([">", "<", ">=", "<=", "==", "!="]), ATOMS)
CONDITIONS = st.recursive(COMPARISONS.map(" ".join), _combined, max_leaves=4)


@given(CONDITIONS, st.sampled_from(NUMBERS))
def test_columns_say_what_a_scan_step_by_step_says(text, trace):
    condition = compile_condition(text)
    columns = columns_of(trace)
    assert columns.can_evaluate(condition)
    held = columns.holding(condition, 0, len(trace))
    assert np.flatnonzero(held).tolist() == where(text, trace)
    half = len(trace) // 2
    parts = [columns.holding(condition, 0, half), columns.holding(condition, half, len(trace))]
    assert np.concatenate(parts).tolist() == held.tolist()


def test_there_are_no_columns_of_arrays():
    assert columns_of(ARRAYS) is None


def test_there_are_no_columns_of_what_is_told_of_in_summary():
    told = [
        Summary((2,), "float64", 1.0, 1.0, 1.0, 1.5, 0, 0, 0) if sent else sent
        for sent in BASIC.contributions
    ]
    assert columns_of(replace(BASIC, contributions=told)) is None


@pytest.mark.parametrize("text", ["local > 1", "exp(grad) > 2", "grad.sum(dim=0) > 1"])
def test_what_columns_cannot_say_to_the_last_bit_is_left_to_the_steps(text):
    assert not columns_of(BASIC).can_evaluate(compile_condition(text))


def test_what_a_reduction_is_of_one_number_is_what_the_catalogue_makes_of_it():
    numbers = np.array([0.0, -0.0, 1.5, -2.5, 1e-200, 1e200, np.inf, -np.inf, np.nan])
    known = [name for name in OF_ONE_NUMBER if name in OPERATIONS]
    assert "sum" in known
    for name in known:
        operation = OPERATIONS[name]
        attributes = {
            parameter.name: parameter.default for parameter in operation.spelling.parameters[1:]
        }
        with np.errstate(all="ignore"):
            whole = OF_ONE_NUMBER[name](numbers)
            single = [operation.forward(float(number), **attributes) for number in numbers]
        assert np.array_equal(whole, np.array(single, float), equal_nan=True), name


def test_a_condition_with_a_reduction_is_evaluated_over_columns():
    condition = compile_condition("grad.sum() > 2")
    assert columns_of(BASIC).can_evaluate(condition)
    assert np.flatnonzero(columns_of(BASIC).holding(condition, 0, 10)).tolist() == [8, 9]
