"""Depth and size do not matter to the screen."""

from __future__ import annotations

import numpy as np
import pytest
from tests.recorded import recorded as recorded_graph
from tests.thorough import share

from backprop_engine.basics.source import Source, Span
from backprop_engine.catalogue import NEG
from backprop_engine.columns import NO_OPERAND
from backprop_engine.grammar.syntax import Assignment, Binary, Name, Number
from backprop_engine.graph import Graph
from backprop_engine.program.scenario import Backward, Input, Scenario
from backprop_engine.run.record import record
from backprop_engine.scenarios.loader import parse_shorthand
from backprop_tui.oracles.report import Failed
from backprop_tui.session import session as do
from backprop_tui.session.outline import LARGE
from backprop_tui.session.session import open_session
from backprop_tui.session.stops import continuing, editing
from backprop_tui.session.stops.parsing import parse_breakpoint

HERE = Span(0, 0)
MILLION = share(200_000, 1_000_000)
SHOWN = share(20_000, 100_000)
"""Operations of a chain on the screen."""


def statement(name, left, symbol, right):
    return Assignment(name, Binary(symbol, left, right, HERE), HERE, HERE)


def recorded(statements):
    return record(
        Scenario(
            source=Source("large", "…"),
            inputs=(Input("x", 2.0, True, HERE),),
            statements=tuple(statements),
            passes=(Backward("y", None, HERE),),
        )
    )


def chain(operations):
    """y = ((x · 1) · 1) · 1 …"""
    x, y, one = Name("x", HERE), Name("y", HERE), Number(1, HERE)
    return recorded(
        [statement("y", x, "*", one), *[statement("y", y, "*", one)] * (operations - 1)]
    )


@pytest.fixture(scope="module")
def wide():
    """y = x·x + x·x + …: x has 20,000 uses."""
    x, t, y = Name("x", HERE), Name("t", HERE), Name("y", HERE)
    pair = [statement("t", x, "*", x), statement("y", y, "+", t)]
    return recorded([statement("y", x, "*", x), *pair * 10_000])


@pytest.mark.thorough
async def test_a_long_chain_of_operations_opens_and_steps(opened, text_of):
    trace = chain(SHOWN)
    async with opened(trace, (120, 40)) as pilot:
        assert f"0/{2 * SHOWN + 1:,}" in text_of(pilot)
        await pilot.press("s", "n", "end", "f", "n", "s", "home")
        await pilot.pause()
        assert pilot.app.session.cursor == SHOWN + 2
        await pilot.press("f", "S")
        await pilot.pause()
        shown = text_of(pilot)
        assert "▶" in shown
        session = pilot.app.session
        above = session.outline.nodes[session.outline.parents[session.step_holder]]
        # Where that is, is told: it is too deep to be drawn.
        assert f"in {session.trace.label(int(above))}, depth " in shown
        last = parse_breakpoint(f"if step == {2 * SHOWN - 1}", trace)
        pilot.app.session = editing.set_breakpoint(pilot.app.session, None, last)
        await pilot.press("F", "c")
        await pilot.app.workers.wait_for_complete()
        await pilot.pause()
        assert pilot.app.session.cursor == 2 * SHOWN - 1
        assert f"stopped: step = {2 * SHOWN - 1} at mul → " in text_of(pilot)


@pytest.mark.thorough
async def test_a_value_with_20_000_uses_opens_and_steps(opened, text_of, wide):
    async with opened(wide, (120, 40)) as pilot:
        await pilot.press("f", "f")
        await pilot.pause()
        await pilot.press("N", "N", "left", "right", "end", "pageup", "home")
        await pilot.pause()
        assert "y@10001" in text_of(pilot)
        await pilot.press("t", "T", "backspace")
        assert 0 < pilot.app.session.cursor < len(wide)


def test_a_condition_on_a_long_trace_is_looked_for_in_bounded_portions():
    trace = chain(100_000)
    one = parse_breakpoint("if (contribution > 1) | (step > 150000)", trace)
    session = editing.set_breakpoint(open_session(trace), None, one)
    assert continuing.scan_of(session, one) is None  # left to a thread
    session = continuing.continue_forward(session)
    progress = [session.notice]
    while session.stops.search is not None:
        session = continuing.survey(session, 500)
        progress.append(session.notice)
    assert session.cursor == 150_001
    assert progress[:3] == [f"looking for a hit: {p}% · esc stops" for p in (0, 12, 24)]
    # By columns a portion of 500 is 25,000 steps: what is decided ends the search.
    assert len(progress) == 8


@pytest.fixture(scope="module")
def network():
    """The mean of 1,000 losses, each of them some twenty operations deep."""
    text = """x=2, w=1
losses = []
for n in range(1000):
  h = x
  for i in range(10):
    h = w*h + x
  losses.append(h)
y = sum(losses)/len(losses)"""
    return record(parse_shorthand(Source("<-e>", text)))


@pytest.fixture(scope="module")
def million():
    """y = -(-(-(… x))), so many times: the columns of the tape are filled at once."""
    graph, count = Graph(), MILLION
    graph.add_input("x", 2.0, requires_grad=True)
    graph.apply(NEG, (0,), span=HERE)
    graph.kind += [graph.kind[1]] * (count - 1)
    graph.first += range(1, count)
    graph.second += [NO_OPERAND] * (count - 1)
    graph.value += [2.0, -2.0] * (count // 2)
    del graph.value[-1]
    return recorded_graph(graph, count)


def test_a_large_outline_opens_along_its_longest_branch(network):
    session = do.open_session(network)
    outline, visible = session.outline, session.visible

    assert len(outline) > 40_000
    assert LARGE < len(visible) < 5_000
    assert 0 in visible
    longest = int(outline.depths.argmax())
    assert not session.folding.around(longest)


def test_the_fold_that_the_steps_go_into_is_open_while_they_are_there(network):
    opened = do.open_session(network)
    middle = opened.trace.assigned["h@5000"]
    row = int(opened.outline.full_rows[middle])
    (around, *_) = opened.folding.around(row)
    there = do.jump(opened, opened.trace.visits(middle)[0])

    assert there.step_row == there.step_holder == row
    assert row in there.visible
    assert not there.folding.is_folded(around)
    assert row not in do.restart(there).visible


def test_what_a_person_folds_stays_folded_and_what_they_unfold_stays_open(network):
    opened = do.open_session(network)
    row = int(opened.outline.full_rows[opened.trace.assigned["h@5000"]])
    chosen = do.select(opened, row)
    assert row in do.pass_end(chosen).visible

    (around, *_) = opened.folding.around(row)
    there = do.jump(opened, opened.trace.visits(opened.outline.nodes[row])[0])
    folded = do.toggle_fold(there, around)
    assert row not in folded.visible
    assert folded.step_holder == around
    assert row in do.toggle_fold(folded, around).visible


def test_the_rows_in_sight_are_those_of_no_fold_wherever_the_steps_are(network):
    session = do.open_session(network)
    for cursor in np.linspace(0, len(network) - 1, 7, dtype=int).tolist():
        there = do.toggle_fold(do.jump(session, cursor), 2)
        wanted = [
            row
            for row in range(0, len(there.outline), 97)
            if not any(
                there.folding.is_folded(ancestor) for ancestor in there.outline.ancestors(row, 9999)
            )
        ]
        assert wanted == [row for row in there.visible.tolist() if row % 97 == 0]


async def test_a_network_made_by_loops_opens_and_is_found_through(opened, text_of, network):
    async with opened(network, (120, 40)) as pilot:
        await pilot.press("f")
        await pilot.pause()
        assert "y = %" in text_of(pilot)
        await pilot.press("g", *"30000", "enter")
        await pilot.pause()
        assert "▶" in text_of(pilot)
        assert "Source · n=" in text_of(pilot)
        await pilot.press("b", "N", "c", "left", "left", "right", "end", "pageup", "home", "t", "T")
        await pilot.pause()
        assert 0 < pilot.app.session.cursor < len(network)


class WithoutTorch:
    """An oracle that is not there: what it says of a million nodes takes its time."""

    def ask(self, trace):
        return Failed("PyTorch is not installed.", "")

    def close(self):
        pass


async def test_a_million_nodes_open_step_fold_and_stop(opened, text_of, million):
    async with opened(million, (120, 40), WithoutTorch()) as pilot:
        assert f"0/{2 * MILLION + 1:,}" in text_of(pilot)
        await pilot.press("s", "f", "n", "n", "g", *"75%", "enter")
        await pilot.pause()
        session = pilot.app.session
        assert session.cursor == round(len(million) * 0.75)
        assert session.step_row in session.visible
        await pilot.press("s", "b", "S", "S", "c", "n", "end")
        await pilot.pause()
        assert pilot.app.session.row == MILLION
        await pilot.press("home", "left", "end")
        await pilot.pause()
        assert pilot.app.session.row == 0
        await pilot.press("F", "backspace", "r")
        assert pilot.app.session.cursor == 0


@pytest.mark.thorough
async def test_notes_without_end_are_drawn_as_far_as_they_take_no_time(opened, tmp_path):
    path = tmp_path / "notes.yaml"
    about = "".join(f"  * line {at}\n" for at in range(20_000))
    path.write_text(f"about: |\n{about}inputs: {{x: 2}}\ncompute: y = x*x\n")
    async with opened(str(path)) as pilot:
        pilot.app.screen.focus_pane("notes")
        await pilot.pause()
        (notes,) = pilot.app.screen.query("Markdown")
        assert notes.source.endswith("*The notes go on in the file.*")
        assert len(notes.source) < 21_000
