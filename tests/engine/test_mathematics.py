"""Formulas as trees: brackets, reading and printing."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backprop_engine.mathematics.latex import latex
from backprop_engine.mathematics.mathml import mathml
from backprop_engine.mathematics.parser import parse
from backprop_engine.mathematics.text import text_of
from backprop_engine.mathematics.tree import (
    INFIX,
    PREFIX,
    TOUCHING,
    Branch,
    Form,
    Hole,
    Text,
    Tree,
    call,
    chain,
    filled,
    partial,
    prefix,
    run_on,
    statement,
)

# Brackets


@pytest.mark.parametrize(
    ("template", "name", "told"),
    [
        ("3/{a}", "x.detach()*2", "3/(x.detach()*2)"),
        ("{a}²", "−3", "(−3)²"),
        ("{a}·2", "1e−5", "(1e−5)·2"),
        ("sin({a})", "−3", "sin(−3)"),
        ("|{a}|", "−3", "|−3|"),
        ("max({a}, 1)", "a + b", "max(a + b, 1)"),
        ("[{a} > 0]", "−3", "[(−3) > 0]"),
        ("√{a}", "x.sum()", "√x.sum()"),
        ("√{a}", "1/2", "√(1/2)"),
        ("2^{a}", "−3", "2⁻³"),
        ("2^{a}", "0.5", "2^0.5"),
        ("{a}ᵀ", "h@2", "h@2ᵀ"),
        ("{a} @ b", "[1, −2]", "[1, −2] @ b"),
    ],
)
def test_a_name_or_a_number_gets_brackets_where_it_needs_them(template, name, told):
    assert text_of(filled(parse(template), {"a": Text(name)})) == told


def test_a_derivative_is_a_factor_and_needs_brackets_only_to_be_transposed():
    whole = {"g": partial("L", "A")}
    assert text_of(filled(parse("{g} @ Bᵀ"), whole)) == "∂L/∂A @ Bᵀ"
    assert text_of(filled(parse("{g}ᵀ @ B"), whole)) == "(∂L/∂A)ᵀ @ B"
    assert text_of(partial("y", "x.detach()*2")) == "∂y/∂(x.detach()*2)"


def test_a_product_on_the_right_of_a_product_goes_on_and_a_sum_does_not():
    assert text_of(run_on(Text("g"), " ⊙ ", parse("2·x"))) == "g ⊙ 2·x"
    assert text_of(run_on(Text("g"), " ⊙ ", parse("1 − y²"))) == "g ⊙ (1 − y²)"


def test_a_line_has_each_number_as_it_is_but_what_follows_a_sign():
    told = statement(Text("−1"), Text("−2"), Text("2"), signs=(" × ",))
    assert text_of(told) == "−1 × (−2) = 2"
    assert text_of(statement(Text("y"), parse("a > b"), Text("−1"))) == "y = a > b = −1"


@pytest.mark.parametrize(
    "text", ["", "(a", "a)", "a +", "f(a", "a ? b", "|a", "[a)", "()", "(a +)"]
)
def test_what_is_no_mathematics_is_refused(text):
    with pytest.raises(
        ValueError, match=r"is no mathematics|is not complete|is missing|nothing in"
    ):
        parse(text)


@given(st.text("ab1(){}[]|‖+−·/^ᵀ²√∂,;= :.Σ⌊⌋@", max_size=12))
def test_any_text_is_mathematics_or_is_refused(text):
    try:
        tree = parse(text)
    except ValueError:
        return
    assert parse(text_of(tree)) == tree


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "∂y/∂x",
            "<mfrac><mrow><mo>∂</mo><mi>y</mi></mrow><mrow><mo>∂</mo><mi>x</mi></mrow></mfrac>",
        ),
        ("√2", "<msqrt><mn>2</mn></msqrt>"),
        ("x²", "<msup><mrow><mi>x</mi></mrow><mrow><mn>2</mn></mrow></msup>"),
        (
            "f(a) < 1",
            "<mi>f</mi><mrow><mo>(</mo><mi>a</mi><mo>)</mo></mrow><mo>&lt;</mo><mn>1</mn>",
        ),
        ("g at the end", "<mi>g</mi><mtext>\xa0at\xa0the\xa0end</mtext>"),
    ],
)
def test_a_formula_can_stand_on_a_page(text, told):
    assert mathml(parse(text)) == f"<math>{told}</math>"


# Trees that nobody has written


def _extended(trees: st.SearchStrategy[Tree]) -> st.SearchStrategy[Tree]:
    infixes = st.sampled_from([sign for sign in INFIX if sign not in (" ", TOUCHING)])
    prefixes = st.sampled_from([sign for sign in PREFIX if sign != "else "])
    fences = st.sampled_from([("|", "|"), ("‖", "‖₁"), ("⌊", "⌋"), ("⌈", "⌉"), ("[", "]")])
    return st.one_of(
        st.builds(chain, trees, infixes, trees),
        st.builds(prefix, prefixes, trees),
        st.builds(lambda tree: Branch(Form.SUFFIX, (tree,), ("ᵀ",)), trees),
        st.builds(lambda base, power: Branch(Form.POWER, (base, power)), trees, trees),
        st.builds(lambda tree, signs: Branch(Form.FENCE, (tree,), signs), trees, fences),
        st.builds(lambda trees: call("f", *trees), st.lists(trees, max_size=3)),
        st.builds(lambda tree, item: Branch(Form.INDEX, (tree, item)), trees, trees),
    )


LEAVES = st.sampled_from(
    [*map(Text, ("x", "loss", "%3", "h@2", "W1", "2", "0.5", "π")), Hole("a"), partial("y", "x")]
)


@given(st.recursive(LEAVES, _extended, max_leaves=12))
def test_any_tree_is_read_back_from_its_text(tree):
    assert parse(text_of(tree)) == tree


@given(st.recursive(LEAVES, _extended, max_leaves=12))
def test_any_tree_becomes_latex_with_balanced_brackets_and_mathml(tree):
    written = latex(tree)
    ET.fromstring(mathml(tree))
    assert written.isascii()
    for opening, closing in ("{}", "()"):
        assert written.count(opening) == written.count(closing)
