"""The symbolic oracle: what it writes down, what it computes, and what it leaves alone."""

from __future__ import annotations

import math

import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.passed_off import changed, pass_off
from tests.piped import piped

from backprop_engine.basics.source import Source
from backprop_engine.catalogue import OPERATIONS
from backprop_engine.checking.functional import functional_of
from backprop_engine.run.record import record
from backprop_engine.run.tape import graph_of
from backprop_engine.scenarios.loader import parse_document, parse_shorthand
from backprop_tui.oracles.report import Failed, Ready
from backprop_tui.oracles.sympy import child
from backprop_tui.oracles.sympy.judgement import gradient_of, symbolic_gradients
from backprop_tui.oracles.sympy.protocol import (
    SIZE_LIMIT,
    decode_symbolic,
    encode_symbolic,
    not_applicable,
)
from backprop_tui.oracles.sympy.written import written


def shorthand(text):
    return record(parse_shorthand(Source("<-e>", text)))


def document(text):
    return record(parse_document(Source("test.yaml", text)))


def report_on(trace, *, texts="simplified"):
    """The child's answer, by way of JSON, without a process."""
    assert not_applicable(trace) is None
    request = piped(encode_symbolic(trace, texts=texts))
    return decode_symbolic(trace, piped(child.answer(request)))


def only_function(trace):
    (function,) = report_on(trace).functions.values()
    return function


def derivatives(text):
    """By the input's name, what is written down."""
    trace = shorthand(text)
    partials = only_function(trace).partials
    return {trace.label(node): one.derivative.text for node, one in partials.items()}


def judged(trace):
    """By name, the final gradients as mathematics has them."""
    found = symbolic_gradients(trace, Ready(report_on(trace, texts="none")))
    return {trace.label(node): one for node, one in found.items()}


# What it writes down


@pytest.mark.parametrize(
    ("text", "function", "derivative"),
    [
        ("x=2, y=x**2+3x+1", "x² + 3x + 1", "2x + 3"),
        ("x=3, y=x**3", "x³", "3x²"),
        ("x=2, y=0.5x**2-0.1x", "0.5x² − 0.1x", "x − 0.1"),
        ("x=2, y=x**2/3", "x²/3", "2x/3"),
        ("x=2, y=sin(x**2)", "sin(x²)", "2x·cos(x²)"),
        ("x=2, y=(x**2+1)**3", "(x² + 1)³", "6x·(x² + 1)²"),
        ("x=2, y=sqrt(x)/2", "√x/2", "1/(4√x)"),
        ("x=2, y=1/x**2-exp(-x)", "1/x² − exp(−x)", "exp(−x) − 2/x³"),
        ("x=2, y=2**x", "2^x", "2^x·log(2)"),
        ("x=2, y=x**x", "x^x", "x^x·(log(x) + 1)"),
        ("x=2, y=-(x+1)**2/(2*(x-3))", "−(x + 1)²/(2x − 6)", "(7 − x)·(x + 1)/(2(x − 3)²)"),
        ("x=1, y=tanh(x)", "tanh(x)", "1 − tanh(x)²"),
        ("x=2, y=x*abs(x)", "x·|x|", "2x·sign(x)"),
        ("x=2, y=relu(x-1)", "max(0, x − 1)", "[x − 1 > 0]"),
        ("x=2, y=(x+1)(x-1)", "(x − 1)·(x + 1)", "2x"),
        ("x=2, y=-3x**2", "−3x²", "−6x"),
        ("x=2, y=x-x", "0", "0"),
        ("x=2, y=x**(-0.5)", "1/√x", "−0.5/x^1.5"),
        ("x=1, y=0.123456789x", "0.123457x", "0.123457"),
    ],
)
def test_formulas_read_as_in_a_book(text, function, derivative):
    said = only_function(shorthand(text))
    (partial,) = said.partials.values()
    assert (said.expression.text, partial.derivative.text) == (function, derivative)


def test_each_input_has_its_partial_derivative():
    assert derivatives("x=2, z=3, y=x*z/(x+z)") == {"x": "z²/(x + z)²", "z": "x²/(x + z)²"}


def test_a_long_name_keeps_its_distance_from_a_number():
    assert derivatives("rate=2, e3=1, y=3*rate**2*e3") == {"rate": "6·e3·rate", "e3": "3·rate²"}


def test_latex_comes_along():
    function = only_function(shorthand("x=2, y=x**2/2"))
    (partial,) = function.partials.values()
    assert function.expression.latex == r"\frac{x^{2}}{2}"
    assert partial.derivative.latex == "x"


@pytest.mark.parametrize(
    ("slope", "text"), [(1.0, "exp(x) − 1"), (0.5, "0.5exp(x) − 0.5"), (0.1, "0.1exp(x) − 0.1")]
)
def test_an_attribute_is_a_number_like_any_other(monkeypatch, slope, text):
    scaled = changed(OPERATIONS["exp"], symbolic=lambda sp, a, slope: slope * (sp.exp(a) - 1))
    monkeypatch.setattr(child, "OPERATIONS", {**OPERATIONS, "exp": scaled})
    request = encode_symbolic(shorthand("x=0, y=exp(x)"), texts="simplified")
    request["tape"][-1]["attributes"] = {"slope": slope}
    (said,) = child.answer(request)["functions"]
    assert said["expression"][0] == text
    assert said["partials"][0]["value"] == slope


def test_no_texts_are_made_where_none_are_asked_for():
    trace = shorthand("x=2, y=x**2")
    (function,) = report_on(trace, texts="none").functions.values()
    (partial,) = function.partials.values()
    assert (function.expression.text, partial.derivative.text, partial.value) == ("", "", 4.0)


def test_what_would_fill_the_screen_is_not_written_down_but_has_its_value():
    text = "x=0.5, y=" + "+".join(f"sin({n}*x)" for n in range(1, 150))
    (partial,) = only_function(shorthand(text)).partials.values()
    assert partial.derivative.text == ""
    assert partial.value is not None


X = sympy.Symbol("x", real=True)


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        (
            sympy.Piecewise((X, X > 0), (sympy.exp(X) - 1, True)),
            "{x if x > 0; exp(x) − 1 otherwise}",
        ),
        (
            sympy.Piecewise((X, sympy.And(X >= 0, X < 1)), (0, True)),
            "{x if x ≥ 0 and x < 1; 0 otherwise}",
        ),
        (sympy.pi * X / 180, "π·x/180"),
        (sympy.Rational(-1, 3) * X, "−x/3"),
        (X ** sympy.Rational(2, 3), "x^(2/3)"),
        ((X + 1) ** X, "(x + 1)^x"),
        (sympy.sqrt(X + 1) * 2, "2√(x + 1)"),
        (-X * (1 - X), "−x·(1 − x)"),
        (sympy.Integer(-2) ** X, "(−2)^x"),
        (2 * sympy.Integer(3) ** X, "2·3^x"),
        (1 / sympy.exp(X), "exp(−x)"),
        (sympy.atan2(X, 2), "atan(x/2)"),
        (sympy.Float(1e-7) * X, "(1e−7)x"),
        (sympy.ceiling(X) + sympy.sign(X), "ceil(x) + sign(x)"),
    ],
)
def test_further_expressions_that_operations_may_bring(expression, text):
    assert written(sympy, expression, decimals=False) == text


# What it computes


@pytest.mark.parametrize(
    ("text", "gradients"),
    [
        ("x=2, y=x**2+3x+1", {"x": 7.0}),
        ("x=3, y=x**2*detach(x**2)", {"x": 54.0}),
        ("x=0.1, y=x*0.1+0.2x", {"x": 0.30000000000000004}),
        ("x=-1000, y=sigmoid(x)", {"x": 0.0}),
    ],
)
def test_gradients_at_the_point(text, gradients):
    found = judged(shorthand(text))
    assert {name: one.gradient for name, one in found.items()} == gradients


PASSES = """\
inputs: {{x: 3, z: 1}}
compute: |
  y = x**2
  w = x*z
backward: {}
"""


@pytest.mark.parametrize(
    ("passes", "gradients"),
    [
        ("[y, y]", {"x": 12.0, "z": None}),
        ("[y, w]", {"x": 7.0, "z": 3.0}),
        ("[y, zero_grad, w]", {"x": 1.0, "z": 3.0}),
        ("[y, {of: w, gradient: -2}]", {"x": 4.0, "z": -6.0}),
        ("[y, x.grad.zero_()]", {"x": 0.0, "z": None}),
    ],
)
def test_passes_add_up_as_grad_does(passes, gradients):
    trace = document(PASSES.format(passes))
    found = judged(trace)
    assert {name: one.gradient for name, one in found.items()} == gradients
    final = trace.passes[-1].grads
    assert all(found[trace.label(node)].agrees(grad) for node, grad in final.items())


def test_no_grad_holds_a_value_as_a_number():
    text = "inputs: {x: 3}\ncompute: |\n  with no_grad():\n    s = x**2\n  y = s*x\n"
    trace = document(text.replace("no_grad()", "no_grad"))
    function = only_function(trace)
    assert function.expression.text == "9x"
    assert judged(trace)["x"].gradient == 9.0


def test_an_input_without_grad_is_a_letter_all_the_same():
    trace = document("inputs: {x: 2, c: {value: 3, requires_grad: false}}\ncompute: y = c*x\n")
    function = only_function(trace)
    assert function.expression.text == "c·x"
    assert [trace.label(node) for node in function.partials] == ["x"]
    assert [trace.label(node) for node in function.arguments] == ["x", "c"]


def test_cancellation_is_seen_through():
    found = judged(shorthand("x=1e-8, y=(1-cos(x))/x**2"))["x"]
    assert found.gradient == pytest.approx(-1e-8 / 12, rel=1e-12)
    assert not found.agrees(99999999.99999999)


def test_float32_is_judged_at_the_value_it_has():
    trace = document("dtype: float32\ninputs: {x: 0.1}\ncompute: y = 0.1*x**2\n")
    found = judged(trace)["x"]
    exact = float(np.float32(0.1))
    assert found.gradient == pytest.approx(2 * exact * exact, rel=1e-15)
    assert found.agrees(trace.passes[-1].grads[graph_of(trace).inputs["x"]])


def test_a_wrong_gradient_is_off_in_the_tenth_digit():
    found = judged(shorthand("x=2, y=x**2+3x+1"))["x"]
    assert found.agrees(7.0)
    assert not found.agrees(7.0 * (1 + 1e-8))
    assert not found.agrees(math.nan)
    assert not found.agrees(None)


def test_the_gradient_of_one_pass_is_its_seed_times_the_slope():
    trace = document(PASSES.format("[y, {of: y, gradient: 2}]"))
    report = report_on(trace)
    x = graph_of(trace).inputs["x"]
    slopes = [gradient_of(trace, report, x, (term,)).gradient for term in functional_of(trace, x)]
    assert slopes == [6.0, 12.0]


leaves = st.sampled_from(["x", "z", "2", "0.5", "3", "0.1", "1.7"])
expressions = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from("+-*/"), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        st.tuples(
            st.sampled_from(["sin", "cos", "exp", "tanh", "sigmoid", "relu", "abs"]), inner
        ).map(lambda t: f"{t[0]}({t[1]})"),
        inner.map(lambda one: f"({one})**2"),
    ),
    max_leaves=7,
)


@settings(max_examples=40, deadline=None)
@given(expressions, st.floats(0.1, 2), st.floats(-2, -0.1))
def test_engine_and_mathematics_agree_on_random_programs(expression, x, z):
    trace = shorthand(f"x={x!r}, z={z!r}, y=x*z+{expression}")
    found = judged(trace)
    for name, node in graph_of(trace).inputs.items():
        ours = trace.passes[-1].grads[node]
        assert found[name].agrees(ours), (expression, name, ours, found[name])


# What it leaves alone


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("x=0, y=relu(x)", "a kink"),
        ("x=0, y=x+abs(x)", "a kink"),
        ("x=2, y=abs(x**2-4)", "a kink"),
        ("x=0.3, y=relu(x-0.1-0.2)", "a kink"),
        ("x=1, y=log(-x)", "not finite"),
        ("x=0, y=1/x", "not finite"),
        ("x=0, y=sqrt(x)", "not finite"),
        ("x=0, y=sqrt(x**2)", "a kink"),
    ],
)
def test_where_nothing_can_be_judged_the_reason_is_told(text, reason):
    found = judged(shorthand(text))["x"]
    assert found.gradient is None
    assert found.reason.startswith(reason)
    assert found.agrees(1.0)


def test_beside_a_kink_all_is_judged():
    assert judged(shorthand("x=1e-12, y=relu(x)"))["x"].gradient == 1.0
    assert judged(shorthand("x=-3, y=abs(x)"))["x"].gradient == -1.0


@pytest.mark.parametrize(
    ("text", "summary"),
    [
        ("x=[1, 2], y=x.sum()", "arrays"),
        ("x=2, y=" + "+".join(["x"] * 5000), "too long to write out"),
        ("x=2, y=" + "+".join(["x"] * (SIZE_LIMIT // 2 + 1)), "too long to write out"),
    ],
)
def test_what_is_not_for_it_is_refused_before_any_process(text, summary):
    refusal = not_applicable(shorthand(text))
    assert refusal.summary == summary
    assert refusal.reason.endswith(".")
    assert refusal.instead.endswith(".")


def test_a_value_that_doubles_with_every_line_is_refused_too():
    lines = "".join(f"; a{n + 1} = a{n}*a{n}" for n in range(40))
    assert not_applicable(shorthand(f"a0=1{lines}")).summary == "too long to write out"


def test_an_operation_without_a_formula_is_named():
    trace = shorthand("x=2, y=exp(x)")
    node = trace.assigned["y"]
    pass_off(trace, node, symbolic=None)
    assert "`exp` has no formula" in not_applicable(trace).reason


def test_an_array_that_no_gradient_goes_through_is_held_as_a_number():
    trace = document("inputs: {x: 2}\ncompute: y = x * [1, 2, 3].sum()\n")
    assert only_function(trace).expression.text == "6x"


def test_deep_nesting_is_an_answer_and_not_a_crash():
    inner = "x"
    for _ in range(400):
        inner = f"sin({inner})"
    trace = shorthand(f"x=1, y={inner}")
    found = judged(trace)["x"]
    assert found.reason == "nested too deeply for sympy"


def test_a_report_without_one_of_the_outputs_is_none():
    trace = shorthand("x=2, y=x**2")
    with pytest.raises(ValueError, match="nothing is said"):
        decode_symbolic(trace, {"version": "1", "functions": []})


def test_a_child_that_failed_judges_nothing_and_a_late_one_skips():
    trace = shorthand("x=2, y=x**2")
    assert symbolic_gradients(trace, Failed("It is gone.", "")) == {}
    (late,) = symbolic_gradients(trace, Failed("It is late.", "", is_late=True)).values()
    assert (late.gradient, late.reason) == (None, "It is late.")


def test_a_number_that_changes_in_place_is_differentiated_as_what_it_becomes():
    trace = shorthand("x=3; y=x*x; z=y; z += x; w=z*y")
    (engine,) = (trace.passes[-1].grads or {}).values()
    assert engine == 2 * (3**2 + 3) * (2 * 3 + 1)
    assert judged(trace)["x"].agrees(engine)
