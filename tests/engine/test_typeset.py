"""Explanations as LaTeX and as Markdown."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backprop_engine.basics.source import Source
from backprop_engine.mathematics.latex import latex
from backprop_engine.mathematics.parser import parse
from backprop_engine.mathematics.text import text_of
from backprop_engine.mathematics.tree import Text
from backprop_engine.reading.explain import explain
from backprop_engine.reading.latex import as_latex, as_markdown
from backprop_engine.run.record import record
from backprop_engine.scenarios.loader import load, parse_shorthand

BASIC = "x=2, y=x**2+3x+1"

TEXTS = [
    ("x²", "x^{2}"),
    ("∂y/∂x", r"\frac{\partial y}{\partial x}"),
    ("∂y/∂%12 = 1", r"\frac{\partial y}{\partial v_{12}} = 1"),
    ("∂y/∂h@2", r"\frac{\partial y}{\partial h^{(2)}}"),
    ("y^((f(g(x)) − 1) − 1)", "y^{f(g(x)) - 1 - 1}"),
    ("2·x", r"2\cdot x"),
    ("1 × (−4) = −4", r"1 \times (-4) = -4"),
    ("1e−5·x", r"(1 \times 10^{-5})\cdot x"),
    ("√x", r"\sqrt{x}"),
    ("1/(2·√(x + 1))", r"1/(2\cdot\sqrt{x + 1})"),
    ("x^(−2.5 − 1)", "x^{-2.5 - 1}"),
    ("x⁻²", "x^{-2}"),
    ("−sin(x)", r"-\sin(x)"),
    ("relu(x)", r"\operatorname{relu}(x)"),
    ("σ(x)", r"\sigma(x)"),
    ("W1 @ x", r"W_{1} \, x"),
    ("Bᵀ", r"B^{\top}"),
    ("loss_1", r"\mathrm{loss\_1}"),
    ("layer1.h", r"\mathrm{layer1.h}"),
    ("a ⊙ b, element by element", r"a \odot b\text{, element by element}"),
    ("1, copied to every element of a", r"1\text{, copied to every element of }a"),
    ("0 if a > 0 else 1", r"0\text{ if }a > 0\text{ else }1"),
]  # fmt: skip


def recorded(text):
    return record(parse_shorthand(Source("<-e>", text)))


def step_with(trace, headline):
    found = [explain(trace, index) for index in range(len(trace))]
    return next(one for one in found if headline in one.headline)


@pytest.mark.parametrize(("text", "expected"), TEXTS)
def test_each_sign_has_its_latex(text, expected):
    assert latex(parse(text)) == expected


def test_a_contribution_is_algebra_a_product_and_a_sum():
    told = as_latex(step_with(recorded(BASIC), "%1 = x² sends"))
    assert told == (
        "% %1 = x^2 sends to its operand x\n"
        "\\begin{align*}\n"
        r"  \frac{\partial v_{1}}{\partial x} &= 2\cdot x = 2 \cdot 2 = 4 \\" + "\n"
        r"  \frac{\partial y}{\partial v_{1}} \cdot \frac{\partial v_{1}}{\partial x}"
        r" &= 1 \times 4 = 4 \\" + "\n"
        r"  \frac{\partial y}{\partial x} &= 3 + 4 = 7" + "\n"
        "\\end{align*}\n"
    )


def test_a_product_of_arrays_is_the_vector_jacobian_product():
    told = as_latex(step_with(recorded("A=[[1,2],[3,4]], y=(A@A).sum()"), "operand A"))
    assert r"\frac{\partial y}{\partial A} &= \frac{\partial y}{\partial v_{1}} \, A^{\top}" in told
    assert "▁" not in told


def test_markdown_has_the_headline_the_mathematics_and_the_sentence():
    told = as_markdown(step_with(recorded(BASIC), "%1 = x² sends"))
    assert told.startswith("**%1 = x² sends to its operand x**\n\n```\n∂%1/∂x = 2·x = 2 · 2 = 4\n")
    assert "\nPower rule:" in told
    assert "\n- x is used twice" in told


def test_markdown_takes_no_sign_of_a_name_for_emphasis():
    told = as_markdown(step_with(recorded("a_1=2, b_2=a_1*a_1"), "sends"))
    assert r"a\_1" in told.splitlines()[0]


def balanced(text):
    text = text.replace(r"\{", "").replace(r"\}", "")
    depth = 0
    for sign in text:
        depth += {"{": 1, "}": -1}.get(sign, 0)
        assert depth >= 0
    return depth == 0


@given(st.text(min_size=1))
def test_any_name_becomes_ascii_with_balanced_braces(text):
    written = latex(Text(text))
    assert written.isascii()
    assert balanced(written)


@pytest.mark.parametrize(
    "path",
    sorted((Path(__file__).parents[2] / "scenarios").glob("lesson-0[3-9]*.yaml")),
    ids=lambda path: path.stem,
)
def test_every_step_of_the_lessons_can_be_typeset(path):
    trace = record(load(path))
    for index in range(len(trace)):
        written = as_latex(explain(trace, index))
        assert written.isascii()
        assert balanced(written)
        assert as_markdown(explain(trace, index)).count("```") in (0, 2)


def test_a_value_without_a_name_stands_in_brackets_wherever_a_name_would():
    text = "x=2, y=3/(x.detach()*2).requires_grad_(), z=y**(x.detach() - 1).requires_grad_()"
    trace = record(parse_shorthand(Source("<-e>", text)))
    told = [explain(trace, step) for step in range(len(trace))]
    formulas = [text_of(one.formula) for one in told]

    assert "y = 3/(x.detach()*2)" in formulas
    assert "z = y^(x.detach() - 1)" in formulas
    assert "∂y/∂(x.detach()*2) = −3/(x.detach()*2)²" in formulas
    assert "∂z/∂y = (x.detach() - 1)·y^((x.detach() - 1) − 1)" in formulas
    last = told[-1]
    assert last.headline == "y = 3/(x.detach()*2) sends to its operand (x.detach()*2)"
    assert last.running.startswith("∂z/∂(x.detach()*2): ")
    quotient = r"\frac{\partial y}{\partial \text{(x.detach()*2)}}"
    assert rf"{quotient} &= -3/\text{{(x.detach()*2)}}^{{2}}" in as_latex(last)
    assert "∂y/∂(x.detach()*2) = −3/(x.detach()*2)²" in as_markdown(last)
