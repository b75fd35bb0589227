"""The explanation of a step: algebra, numbers, running sum and words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backprop_engine.basics import notation
from backprop_engine.basics.source import Source
from backprop_engine.mathematics.parser import parse
from backprop_engine.mathematics.text import text_of
from backprop_engine.mathematics.tree import partial, statement
from backprop_engine.reading.explain import Explanation, explain, expression
from backprop_engine.run.record import record
from backprop_engine.scenarios.loader import parse_document, parse_shorthand, parse_snippet
from backprop_engine.trace import StepKind, Trace


def shorthand(text: str) -> Trace:
    return record(parse_shorthand(Source("<-e>", text)))


def sending(trace: Trace, node: str, operand: str) -> Explanation:
    """The explanation of the (last) step in which `node` sends to `operand`."""
    steps = [
        k
        for k in range(len(trace))
        if trace.step(k).kind is StepKind.CONTRIBUTION
        and (trace.label(trace.edge(k)[0]), trace.label(trace.edge(k)[1])) == (node, operand)
    ]
    return explain(trace, steps[-1])


def test_the_last_step_of_the_basic_scenario_is_told_in_full():
    told = explain(shorthand("x=2, y=x**2+3x+1"), 9)
    assert told.headline == "%1 = x² sends to its operand x"
    assert text_of(told.formula) == "∂%1/∂x = 2·x"
    assert text_of(told.numbers) == "2 · 2 = 4"
    assert (text_of(told.upstream_name), told.upstream, told.local) == ("∂y/∂%1", "1", "4")
    assert text_of(told.product) == "1 × 4 = 4"
    assert told.running == "∂y/∂x: 3 → 3 + 4 = 7"
    assert text_of(told.target) == "∂y/∂x"
    assert (told.before, told.contribution, told.after) == ("3", "4", "7")
    assert told.sentence.startswith("Power rule")
    (note,) = told.notes
    assert note.startswith("x is used twice, so its gradient is the sum of what all uses send")
    assert note.endswith("this is the last of them")


def test_a_first_contribution_has_nothing_before_it():
    told = explain(shorthand("x=2, y=x**2+3x+1"), 8)
    assert told.before == ""
    assert told.running == "∂y/∂x: – → 3"
    assert told.notes[-1].endswith("1 still to come")


def test_a_forward_step_computes():
    told = explain(shorthand("x=2, y=x**2+3x+1"), 0)
    assert told.headline == "compute %1 = x²"
    assert text_of(told.numbers) == "2² = 4"
    assert (told.product, told.running) == (None, "")
    assert "PowBackward0" in told.notes[0]


def test_a_seed_starts_the_pass():
    told = explain(shorthand("x=2, y=x**2+3x+1"), 4)
    assert text_of(told.formula) == "∂y/∂y = 1"
    assert told.after == "1"


def test_a_given_gradient_is_named_in_the_seed_step():
    text = "inputs: {x: [1, 2]}\ncompute: y = x*x\nbackward: {of: y, gradient: [1, 2]}\n"
    trace = record(parse_document(Source("a.yaml", text)))
    told = explain(trace, 1)
    assert text_of(told.formula) == "gradient of y = [1, 2]"
    assert "`gradient` argument" in told.sentence


def test_clearing_gradients_is_explained():
    text = "inputs: {x: 1}\ncompute: y = x*x\nbackward: [y, x.grad.zero_(), zero_grad]\n"
    trace = record(parse_document(Source("a.yaml", text)))
    assert text_of(explain(trace, 4).formula) == "x.grad = 0"
    assert text_of(explain(trace, 5).formula) == ".grad = None"


def test_clearing_the_gradient_of_one_input_to_none_is_not_called_filling_with_zeros():
    text = "x=2, y=x*x, y.backward(), x.grad = None"
    trace = record(parse_shorthand(Source("<-e>", text)))
    told = explain(trace, len(trace) - 1)
    assert text_of(told.formula) == "x.grad = None"
    assert told.sentence == "x.grad is forgotten; the next backward pass starts afresh."


@pytest.mark.parametrize(
    ("text", "node", "operand", "formula", "numbers"),
    [
        ("x=2, y=x+3", "y", "x", "∂y/∂x = 1", "1"),
        ("x=2, y=3-x", "y", "x", "∂y/∂x = −1", "−1"),
        ("x=2, y=3x", "y", "x", "∂y/∂x = 3", "3"),
        ("x=2, y=x*-0.5", "y", "x", "∂y/∂x = −0.5", "−0.5"),
        ("x=2, z=-3, y=x*z", "y", "x", "∂y/∂x = z", "−3"),
        ("x=2, y=x/4", "y", "x", "∂y/∂x = 1/4", "1/4 = 0.25"),
        ("x=2, y=4/x", "y", "x", "∂y/∂x = −4/x²", "−4/2² = −1"),
        ("z=3, w=z**3", "w", "z", "∂w/∂z = 3·z²", "3 · 3² = 27"),
        ("z=2, w=z**-1", "w", "z", "∂w/∂z = (−1)·z⁻²", "(−1) · 2⁻² = −0.25"),
        ("z=3, w=z**1", "w", "z", "∂w/∂z = 1", "1"),
        ("z=4, w=z**0.5", "w", "z", "∂w/∂z = 0.5·z^(0.5 − 1)", "0.5 · 4^(0.5 − 1) = 0.25"),
        ("z=3, w=2**z", "w", "z", "∂w/∂z = w·log(2)", "8 · log(2) = 5.54518"),
        ("x=0, y=exp(x)", "y", "x", "∂y/∂x = y", "1"),
        ("x=4, y=log(x)", "y", "x", "∂y/∂x = 1/x", "1/4 = 0.25"),
        ("x=4, y=sqrt(x)", "y", "x", "∂y/∂x = 1/(2·y)", "1/(2 · 2) = 0.25"),
        ("x=0, y=sin(x)", "y", "x", "∂y/∂x = cos(x)", "cos(0) = 1"),
        ("x=0, y=cos(x)", "y", "x", "∂y/∂x = −sin(x)", "−sin(0) = 0"),
        ("x=0, y=tanh(x)", "y", "x", "∂y/∂x = 1 − y²", "1 − 0² = 1"),
        ("x=0, y=sigmoid(x)", "y", "x", "∂y/∂x = y·(1 − y)", "0.5 · (1 − 0.5) = 0.25"),
        ("x=-2, y=relu(x)", "y", "x", "∂y/∂x = [x > 0]", "[(−2) > 0] = 0"),
        ("x=-2, y=abs(x)", "y", "x", "∂y/∂x = sign(x)", "sign(−2) = −1"),
        ("x=-2, y=-x", "y", "x", "∂y/∂x = −1", "−1"),
    ],
)
def test_the_local_derivative_in_algebra_and_in_numbers(text, node, operand, formula, numbers):
    told = sending(shorthand(text), node, operand)
    assert text_of(told.formula) == formula
    assert text_of(told.numbers) == numbers


@pytest.mark.parametrize(
    ("text", "node", "operand", "vjp", "note"),
    [
        ("A=[[1,2],[3,4]], B=[[1,0],[0,1]], Y=A@B, L=Y.sum()", "Y", "A",
         "∂L/∂A = ∂L/∂Y @ Bᵀ", "shapes: Y (2, 2), A (2, 2)"),
        ("A=[[1,2],[3,4]], B=[[1,0],[0,1]], Y=A@B, L=Y.sum()", "Y", "B",
         "∂L/∂B = Aᵀ @ ∂L/∂Y", "shapes: Y (2, 2), B (2, 2)"),
        ("A=[[1,2],[3,4]], b=[1,2], Y=A+b, L=Y.sum()", "Y", "b",
         "∂L/∂b = Σ over axis 0 of ∂L/∂Y",
         "summed over axis 0 because b was broadcast from (2,) to (2, 2)"),
        ("A=[[1,2],[3,4]], s=2, Y=A*s, L=Y.sum()", "Y", "s",
         "∂L/∂s = Σ over axes 0, 1 of ∂L/∂Y ⊙ A",
         "summed over axes 0, 1 because s was broadcast from () to (2, 2)"),
        ("x=[1,2], Y=tanh(x), L=Y.sum()", "Y", "x", "∂L/∂x = ∂L/∂Y ⊙ (1 − Y²)",
         "shapes: Y (2,), x (2,)"),
        ("x=[1,2], L=x.sum()", "L", "x", "∂L/∂x = ∂L/∂L, copied to every element of x",
         "shapes: L (), x (2,)"),
        ("x=[1,2], L=x[1]", "L", "x", "∂L/∂x = ∂L/∂L, put back at [1], zeros elsewhere",
         "shapes: L (), x (2,)"),
    ],
)  # fmt: skip
def test_arrays_are_told_as_vector_jacobian_products(text, node, operand, vjp, note):
    told = sending(shorthand(text), node, operand)
    assert text_of(told.vjp) == vjp
    assert note in told.notes
    assert told.numbers is told.product is None


def test_a_value_in_two_places_of_one_operation_says_which_place_is_meant():
    trace = shorthand("x=3, y=x*x")
    assert "this step is for place 1" in explain(trace, 2).notes[0]
    assert "this step is for place 2" in explain(trace, 3).notes[0]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("x=2, y=x**2", "x²"), ("x=2, y=x**-1", "x⁻¹"), ("x=2, y=3x", "3·x"), ("x=2, y=-x", "−x"),
        ("x=[1,2], y=x.sum()", "Σ x"), ("x=[[1,2]], y=x.sum(dim=0)[1]", "%1[1]"),
        ("x=[1,2], y=x.mean()", "mean(x)"), ("x=[1,2], y=x@x", "x @ x"),
    ],
)  # fmt: skip
def test_a_node_shows_how_it_is_made(text, shown):
    trace = shorthand(text)
    assert expression(trace, trace.assigned["y"]) == shown


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_all_digits_read_back_to_the_same_number(x):
    assert float(notation.full(x).replace("−", "-")) == x


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (11.0, "11"), (0.1 + 0.2, "0.3"), (1234567.0, "1.23457e6"), (-0.5, "−0.5"),
        (1e-12, "1e−12"), (float("nan"), "nan"), (float("-inf"), "−inf"), (100.0, "100"),
        (0.0, "0"), (True, "True"), (3, "3"),
    ],
)  # fmt: skip
def test_short_numbers_have_six_digits_and_no_empty_ones(value, text):
    assert notation.short(value) == text


def test_plain_text_is_ascii_and_still_reads():
    assert notation.plain("∂%1/∂x = 2·x²") == "d%1/dx = 2*x^2"
    assert notation.plain("x⁻¹⁰ − 3 × 4 → 5") == "x^-10 - 3 x 4 -> 5"
    assert notation.plain("∂L/∂A @ Bᵀ ⊙ Σ").isascii()


def test_a_formula_is_data_for_whoever_reads_an_explanation():
    told = explain(shorthand("x=2, y=x**2+3x+1"), 9)
    assert told.name == partial("%1", "x")
    assert told.algebra == parse("2·x")
    assert told.formula == statement(partial("%1", "x"), parse("2·x"))


def test_of_a_view_made_inside_of_no_grad_it_is_told_what_torch_says():
    text = (
        "x = torch.ones(2, requires_grad=True)\nwith torch.no_grad():\n  d = x[0]\n  e = x * 2\n"
        "y = d * x.sum()\ny.backward()\n"
    )
    trace = record(parse_snippet(Source("program.py", text)))
    told = {trace.label(trace.step(step).node): explain(trace, step) for step in range(2)}
    assert "requires grad by torch's word, but has no `grad_fn`" in told["d"].sentence
    assert "by torch's word" not in told["e"].sentence
    for name in "de":
        assert "no gradient goes back from here" in told[name].notes[-1]
