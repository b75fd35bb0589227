"""The pane of formulas: when it asks, what it shows, and that nothing waits for it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from textual.content import Content

from backprop_engine.basics.source import Source
from backprop_engine.run.record import record
from backprop_engine.run.tape import graph_of
from backprop_engine.scenarios.loader import parse_document
from backprop_tui.oracles.report import Failed, Ready, Starting
from backprop_tui.oracles.sympy.report import (
    NOT_ASKED,
    Function,
    Mathematics,
    Partial,
    SymbolicReport,
)
from backprop_tui.session.session import jump, open_session
from backprop_tui.view.glyphs import UNICODE
from backprop_tui.view.view import View
from backprop_tui.widgets.symbolic_pane import symbolic_lines

TO_SYMBOLIC = ["tab", "tab", "tab"]


def formulas_of(trace, *partials, text="x²", value=9.0, reason=""):
    """A report on the only output of `trace`."""
    (output,) = {pass_.output for pass_ in trace.passes if pass_.output is not None}
    inputs = tuple(graph_of(trace).inputs.values())
    by_node = dict(zip(inputs, partials, strict=True))
    function = Function(inputs, Mathematics(text), value, by_node, reason)
    return Ready(SymbolicReport("1", {output: function}))


def drawn(trace, cursor, state, width=60):
    """The pane's text at a cursor."""
    view = View(jump(open_session(trace), cursor), Starting(), None, UNICODE, symbolic=state)
    lines = symbolic_lines(view, width)
    assert all(line.cell_length <= width for line in lines)
    return Content("\n").join(lines).plain


def document(text):
    return record(parse_document(Source("t.yaml", text)))


SQUARE = document("inputs: {x: 3}\ncompute: y = x**2\n")
TWICE = document("inputs: {x: 3}\ncompute: y = x**2\nbackward: [y, {of: y, gradient: 2}]\n")
SLOPE = Partial(Mathematics("2x"), 6.0, 6.0)


def row(text, name):
    lines = [line for line in text.splitlines() if " = " not in line]
    (found,) = [line for line in lines if line.startswith(name + " ")]
    return found.split()


# When it asks


async def test_nobody_is_asked_before_somebody_looks(opened, text_of, formulas):
    async with opened(size=(120, 40), symbolic=formulas) as pilot:
        assert formulas.asked == []
        assert "[Torch]  Symbolic" in text_of(pilot)
        await pilot.press(*TO_SYMBOLIC)
        await pilot.app.workers.wait_for_complete()
        await pilot.pause()
        assert len(formulas.asked) == 1
        assert "dy/dx = 2x + 3" in text_of(pilot)
        await pilot.press("shift+tab", "tab", "s", "s")
        await pilot.pause()
        assert len(formulas.asked) == 1


async def test_another_scenario_is_asked_about_anew(opened, text_of, formulas):
    async with opened("folder", symbolic=formulas) as pilot:
        for _ in range(2):
            await pilot.press("enter")
            await pilot.press(*TO_SYMBOLIC)
            await pilot.app.workers.wait_for_complete()
            await pilot.pause()
            assert "[Symbolic]" in text_of(pilot)
            await pilot.press("escape")
        assert len(formulas.asked) == 2


async def test_a_slow_sympy_is_waited_for_and_stops_nothing(opened, text_of, slow_formulas):
    async with opened(symbolic=slow_formulas) as pilot:
        await pilot.press(*TO_SYMBOLIC)
        await pilot.pause()
        below = text_of(pilot).split("[Symbolic]")[1].splitlines()[1]
        assert below.strip() == "…"
        await pilot.press("f")
        await pilot.pause()
        assert " 4/10" in text_of(pilot)


# Where it stands


async def test_torch_and_symbolic_share_a_place_and_a_click_changes_them(opened, text_of):
    async with opened(size=(120, 40)) as pilot:
        assert "∂y/∂x after it" not in text_of(pilot)
        await pilot.click("#torch", offset=(14, 0))
        await pilot.app.workers.wait_for_complete()
        await pilot.pause()
        assert " Torch  [Symbolic]" in text_of(pilot)
        assert not pilot.app.screen.query_one("#torch").display
        await pilot.click("#symbolic", offset=(5, 0))
        await pilot.pause()
        assert "[Torch]  Symbolic" in text_of(pilot)
        assert pilot.app.screen.query_one("#notes").display


async def test_the_selected_input_is_the_one_that_is_told_about(opened, text_of):
    async with opened(Source("<-e>", "x=2, z=3, y=x*z/(x+z)"), (120, 40)) as pilot:
        await pilot.press("f", "f", *TO_SYMBOLIC)
        await pilot.app.workers.wait_for_complete()
        await pilot.pause()
        assert "∂y/∂x = z²/(x + z)²" in text_of(pilot)
        await pilot.press("tab", "tab", "tab", "tab", "down", "down", "down")
        await pilot.pause()
        assert "∂y/∂z = x²/(x + z)²" in text_of(pilot)


# What it shows


def test_ours_comes_as_the_steps_are_done():
    state = formulas_of(SQUARE, SLOPE)
    before, halfway, after = (drawn(SQUARE, cursor, state) for cursor in (0, 2, len(SQUARE)))
    assert before.startswith("y(x) = x²\ndy/dx = 2x\n")
    assert (row(before, "y"), row(before, "dy/dx")) == (["y", "9", "–"], ["dy/dx", "6", "–"])
    assert row(halfway, "y") == ["y", "9", "9"]
    assert row(after, "dy/dx") == ["dy/dx", "6", "6", "✓"]


def test_a_gradient_with_contributions_to_come_is_not_judged_yet():
    trace = document("inputs: {x: 3}\ncompute: y = x*x\n")
    text = drawn(trace, len(trace) - 1, formulas_of(trace, SLOPE))
    assert row(text, "dy/dx") == ["dy/dx", "6", "3", "…"]


def test_a_formula_that_differs_is_marked():
    text = drawn(SQUARE, len(SQUARE), formulas_of(SQUARE, replace(SLOPE, value=5.0, nearby=5.0)))
    assert row(text, "dy/dx") == ["dy/dx", "5", "6", "✗"]


def test_several_passes_add_up_under_the_slope_of_each():
    text = drawn(TWICE, len(TWICE), formulas_of(TWICE, SLOPE))
    assert row(text, "2·dy/dx") == ["2·dy/dx", "12", "12", "✓"]
    assert row(text, "x.grad") == ["x.grad", "18", "18", "✓"]


def test_a_kink_is_explained():
    kink = Partial(Mathematics("[x > 0]"), None, None, "a kink: no derivative at this point")
    text = drawn(SQUARE, len(SQUARE), formulas_of(SQUARE, kink))
    assert row(text, "dy/dx") == ["dy/dx", "–", "6"]
    assert "Mathematics names no slope" in " ".join(text.split())


def test_what_is_not_finite_is_said():
    nowhere = Partial(Mathematics("1/x"), None, None, "not finite here")
    text = drawn(SQUARE, len(SQUARE), formulas_of(SQUARE, nowhere, value=None))
    assert "The formula is not finite here." in text


def test_a_function_without_a_formula_says_why():
    trace = SQUARE
    (output,) = {pass_.output for pass_ in trace.passes if pass_.output is not None}
    function = Function((0,), Mathematics(), None, {}, "nested too deeply for sympy")
    state = Ready(SymbolicReport("1", {output: function}))
    assert drawn(trace, 0, state) == "There is no formula: nested too deeply for sympy."


def test_what_is_too_long_to_write_down_has_its_figures_all_the_same():
    text = drawn(SQUARE, len(SQUARE), formulas_of(SQUARE, replace(SLOPE, derivative=Mathematics())))
    assert "dy/dx = too long to write down" in text
    assert text.splitlines()[-1].split() == ["dy/dx", "6", "6", "✓"]


@pytest.mark.parametrize("width", [30, 60, 120])
def test_a_long_formula_is_wrapped_and_cut(width):
    long = Mathematics(" + ".join(f"sin({n}x)" for n in range(1, 90)))
    text = drawn(SQUARE, 0, formulas_of(SQUARE, replace(SLOPE, derivative=long)), width)
    lines = text.splitlines()
    assert lines[1].startswith("dy/dx = sin")
    assert len(lines) < 20


def test_a_missing_sympy_is_said_with_the_remedy():
    text = drawn(SQUARE, 0, Failed("Sympy cannot be imported (gone).", "Install sympy."))
    assert text == "Sympy cannot be imported (gone).\nInstall sympy. ^r asks again."


@pytest.mark.parametrize("state", [NOT_ASKED, Starting()])
def test_waiting_is_a_quiet_sign(state):
    assert drawn(SQUARE, 0, state) == "…"
