"""The chain rule pane: its shape stays from step to step, and its sentence is always in sight."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest

from backprop_engine.basics.source import Source
from backprop_engine.mathematics.parser import parse
from backprop_engine.run.record import record
from backprop_engine.scenarios.loader import parse_shorthand
from backprop_engine.trace import StepKind
from backprop_tui.oracles.report import Starting
from backprop_tui.session import lens
from backprop_tui.session.session import Session, open_session
from backprop_tui.view.glyphs import UNICODE
from backprop_tui.view.view import View
from backprop_tui.widgets.chain_rule import chain_rule_lines
from backprop_tui.widgets.mathematics import formula, fraction

PROGRAMS = {
    "numbers": "x=2, y=x**2+3x+1",
    "long names": "first_input=2.5, y=tanh(first_input*first_input/(first_input + 1.25))",
    "a recurrent net": "W=[[0.5, -0.3], [0.2, 0.8]], b=[0.1, -0.1], h=[1.0, 0.5]\n"
    "for t in range(3): h = tanh(W @ h + b)\nloss = sum(h**2)",
    "attention": "X=[[1.0, 2, 3], [4, 5, 6]], W=[[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]], q=X@W, "
    "p=softmax(q@q.T/sqrt(2), dim=-1), loss=mean((p@q)**2)",
    "batch norm": "X=[[1.0, 2], [3, 5], [5, 11]], n=batch_norm(X, None, None, training=True), "
    "y=sum(n*n)",
}
SIZES = [(76, 11), (50, 20), (66, 24), (40, 12)]


def opened_on(text: str) -> Session:
    return open_session(record(parse_shorthand(Source("<-e>", text))))


@cache
def session_of(name: str) -> Session:
    return opened_on(PROGRAMS[name])


def told(session, cursor, size):
    view = View(replace(session, cursor=cursor), Starting(), None, UNICODE)
    return view, chain_rule_lines(view, *size)


def contributions(session):
    steps = map(session.trace.step, range(len(session.trace)))
    return [step.index for step in steps if step.kind is StepKind.CONTRIBUTION][::2]


@pytest.mark.parametrize("name", PROGRAMS)
def test_no_line_is_too_long_and_the_sentence_is_in_sight(name):
    session = session_of(name)
    for width, height in SIZES:
        for cursor in contributions(session):
            view, lines = told(session, cursor, (width, height))
            assert max(line.cell_length for line in lines) <= width
            last_word = view.session.explanation.sentence.split()[-1]
            assert last_word in " ".join(line.plain for line in lines[:height])


@pytest.mark.parametrize("name", ["a recurrent net", "attention"])
@pytest.mark.parametrize("size", SIZES[:3])
def test_the_shape_is_the_same_at_each_step(name, size):
    session, shapes = session_of(name), set()
    for cursor in contributions(session):
        _, lines = told(session, cursor, size)
        text = "\n".join(line.plain for line in lines)
        shapes.add((any(sign in text for sign in "⎡["), "this step" in text))
    assert len(shapes) == 1


def test_the_names_in_a_formula_of_arrays_have_the_colours_of_their_roles():
    session = session_of("attention")
    loss, q = session.trace.named("loss"), session.trace.named("q")
    cursor = next(
        step for step in range(len(session.trace)) if session.trace.edge(step)[1:] == (q, 1)
    )
    assert loss is not None
    _, lines = told(session, cursor, (66, 24))
    styles = {
        line.plain[span.start : span.end].strip(): str(span.style)
        for line in lines[3:6]
        for span in line.spans
    }
    assert styles["∂q"] == "$warning"
    assert {"$primary", "$secondary"} <= set(styles.values())


def test_what_has_no_name_is_told_with_how_it_is_made():
    session = session_of("numbers")
    text = [line.plain for line in told(session, 5, (76, 12))[1]]
    assert "y = %3 + 1 sends to its operand %3 = %1 + %2" in text


LONG = parse("∂y/∂h = 1/std·(∂y/∂n − mean(∂y/∂n) − x̂·mean(∂y/∂n ⊙ x̂)), x̂ = (h − mean)/std")


def test_a_formula_with_room_has_stacked_fractions():
    assert formula(LONG, str, width=70).height == 3


@pytest.mark.parametrize("width", [60, 48, 30])
def test_a_formula_without_is_broken_before_operators_and_never_inside_of_a_fraction(width):
    drawn = formula(LONG, str, width=width)
    assert drawn.width <= width
    lines = [line.plain.strip() for line in drawn.lines]
    assert all(not line.endswith(("−", "+", "=", "⊙", "∂y/", "/")) for line in lines[:-1])
    (whole,) = formula(LONG, str, is_stacked=False).lines
    assert " ".join(lines).replace("· ", "·") == whole.plain


def test_roles_are_those_of_the_derivatives():
    tree = parse("∂L/∂W = Hᵀ @ ∂L/∂P")
    roles = {fraction(parse("∂L/∂W")): "$warning", fraction(parse("∂L/∂P")): "$primary"}
    drawn = formula(tree, str, "$secondary", 0, roles, is_stacked=False)
    assert [
        (drawn.lines[0].plain[span.start : span.end], span.style) for span in drawn.lines[0].spans
    ] == [("∂L/∂W", "$warning"), ("Hᵀ", "$secondary"), (" @ ", "$secondary"), ("∂L/∂P", "$primary")]


def test_an_element_that_nothing_reaches_has_figures_too():
    session = opened_on("x=[1, 2, 3], y=sum(x[1:])")
    cursor = len(session.trace) - 1
    session = replace(session, cursor=cursor)
    _, lines = told(lens.toggle(session), cursor, (70, 20))
    text = "\n".join(line.plain for line in lines)
    assert "numbers" in text or "= 0" in text


@pytest.mark.parametrize(("smoothing", "is_told"), [("", False), (", label_smoothing=0.1", True)])
def test_smoothing_is_told_only_where_there_is_some(smoothing, is_told):
    text = f"z=[2, 1, 0.1], loss=cross_entropy(z, torch.argmin(z, 0){smoothing})"
    session = opened_on(text)
    _, lines = told(session, len(session.trace) - 1, (90, 20))
    assert any("smooth(" in line.plain for line in lines) is is_told
