"""The tree of modules and loops: groups that unfold, the same commands on it as on the graph."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.foreign_trace import foreign_trace

from backprop_engine.basics.source import Source
from backprop_engine.reading.gradient_flow import figures_of, figures_of_all
from backprop_engine.reading.groups import group_tree
from backprop_engine.run.record import record
from backprop_engine.scenarios.loader import parse_shorthand
from backprop_tui.memory.layout import Layout, remember, restore
from backprop_tui.opening import sessions
from backprop_tui.oracles.report import Starting
from backprop_tui.session import session as do
from backprop_tui.session.modules import group_title, switch_tree
from backprop_tui.session.search.searching import learn, look_on, search_for
from backprop_tui.view.glyphs import UNICODE
from backprop_tui.view.view import View
from backprop_tui.widgets.graph_columns import group_figures

RNN = (
    "x=[1, 2], W=[[0.5, 0.1], [0.2, 0.4]], h=[0.1, 0.2], "
    "for t in range(4): h = tanh(W @ h + x), y = sum(h)"
)
NESTED = (
    "x=2, s=0, for i in range(2): for j in range(2): s = s + x*(i+j), for i in range(2): s = s*x"
)


def session_of(text):
    return do.open_session(record(parse_shorthand(Source("<-e>", text))))


MODULES = switch_tree(session_of(RNN))


def lines(session):
    trace, outline = session.trace, session.outline
    return [
        "  " * int(outline.depths[row])
        + (group_title(outline, row) or trace.label(int(outline.nodes[row])))
        for row in range(len(outline))
    ]


def test_iterations_hold_their_nodes_and_the_leaves_that_nothing_else_uses():
    assert lines(MODULES) == [
        "y",
        "t=3 · 3 nodes", "  h@5", "  %8", "  %7",
        "t=2 · 3 nodes", "  h@4", "  %6", "  %5",
        "t=1 · 3 nodes", "  h@3", "  %4", "  %3",
        "t=0 · 4 nodes", "  h@2", "  %2", "  %1", "  h@1",
        "W", "x",
    ]  # fmt: skip


def test_loops_inside_of_loops_nest_and_a_later_loop_of_the_same_name_is_another():
    said = [
        line.partition(" ·")[0] for line in lines(switch_tree(session_of(NESTED))) if "=" in line
    ]
    assert said == ["i=1", "i=0", "i=1", "  j=1", "  j=0", "i=0", "  j=1", "  j=0"]


def test_every_node_has_one_row_of_its_own():
    outline = MODULES.outline
    assert sorted(outline.nodes[~outline.is_reference]) == list(range(len(MODULES.trace.nodes)))
    assert all(outline.nodes[row] == node for node, row in enumerate(outline.full_rows))
    for row in range(len(outline)):
        below = [r for r in range(len(outline)) if row in outline.ancestors(r, 99)]
        assert below == list(range(row + 1, row + int(outline.sizes[row])))


def test_a_group_receives_by_the_nodes_that_something_outside_uses():
    tree = MODULES.outline.tree
    labels = [list(map(MODULES.trace.label, outputs)) for outputs in tree.outputs]
    assert labels == [["h@2"], ["h@3"], ["h@4"], ["h@5"]]


def test_groups_are_folded_and_open_where_the_steps_are():
    shown = [lines(MODULES)[row] for row in MODULES.visible]
    assert "  %1" in shown
    assert "  %3" not in shown
    assert MODULES.folding.is_folded(MODULES.outline.full_rows[MODULES.trace.named("h@3")] - 1)


@given(st.data())
@settings(max_examples=60)
def test_who_sends_and_who_receives_are_in_sight_at_every_step(data):
    session = do.jump(MODULES, data.draw(st.integers(0, len(MODULES.trace))))
    assert session.step_row in session.visible
    assert session.edge_row is None or session.edge_row in session.visible
    if session.edge_row is not None:
        assert session.outline.nodes[session.edge_row] == session.step.operand


def test_a_match_of_a_search_and_a_name_to_go_to_unfold_what_they_need():
    found = search_for(MODULES, "h@3", 0)
    for matches in look_on(found):
        found = learn(found, matches)
    assert found.row in found.visible
    assert found.trace.label(found.node) == "h@3"


def test_the_selection_goes_along_and_folds_stay_with_their_tree():
    chosen = do.select(MODULES, MODULES.outline.full_rows[MODULES.trace.named("h@4")])
    graph = switch_tree(chosen)
    assert graph.outline.tree is None
    assert graph.trace.label(graph.node) == "h@4"
    back = switch_tree(do.toggle_fold(graph, graph.row))
    assert back.outline is MODULES.outline
    assert back.trace.label(back.node) == "h@4"
    assert switch_tree(back).folds == {graph.row}


def test_where_there_are_no_groups_it_is_said():
    plain = session_of("x=2, y=x*x")
    assert "no other tree" in switch_tree(plain).notice
    assert switch_tree(plain).outline is plain.outline


def test_modules_of_a_recording_take_their_weights_in():
    session = switch_tree(do.open_session(foreign_trace()))
    tree = group_tree(session.trace)
    inside = [session.trace.label(int(node)) for node in np.flatnonzero(tree.of_node == 0)]
    assert {"fc.weight", "fc.bias"} <= set(inside)


async def test_a_key_shows_it_with_the_norm_that_came_in(opened, text_of):
    async with opened(Source("<-e>", RNN), (160, 50)) as pilot:
        await pilot.press("G")
        assert "t=3 · 3 nodes" in text_of(pilot)
        await pilot.press("f", "f")
        session = pilot.app.session
        norm = figures_of(session.trace.gradient(session.trace.named("h@4"), session.cursor)).norm
        assert f"‖grad‖ {norm:.3g}" in text_of(pilot)
        await pilot.press("j", "enter")
        assert "%8 = " in text_of(pilot)
        await pilot.press("G")
        assert "t=3 ·" not in text_of(pilot)


def test_a_wide_group_tells_its_norm_too():
    loop = "x=2, hs=[], for i in range(1): for j in range(150): hs.append(x*j), y=sum(hs)"
    session = switch_tree(session_of(loop))
    view = View(replace(session, cursor=len(session.trace)), Starting(), None, UNICODE)
    rows = [row for row in range(len(session.outline)) if session.outline.group(row) is not None]
    assert group_figures(view, rows[0], 10, 14).gradient == "‖grad‖ 12.2"


def test_figures_of_parts_are_those_of_the_whole():
    parts = [np.array([1.0, 0.0, -3.0]), np.array([[np.inf, 0.0], [2.0, 1e-200]]), 0.5]
    whole = figures_of(np.concatenate([np.ravel(part) for part in parts]))
    joined = figures_of_all(parts)
    assert (joined.size, joined.zeros, joined.nonfinite) == (8, 2, 1)
    assert joined.largest == whole.largest == np.inf
    assert figures_of(np.array([3e200, 4e200])).norm == pytest.approx(5e200)
    assert figures_of(np.array([3e-200, 4e-200])).norm == pytest.approx(5e-200)


def test_a_large_recording_opens_so_and_is_kept_by_its_graph(monkeypatch):
    fresh = do.open_session(foreign_trace())
    assert sessions.folded_by_modules(fresh) is fresh
    monkeypatch.setattr(sessions, "LARGE", 3)
    opened = sessions.folded_by_modules(fresh)
    assert opened.outline.tree is not None
    graph = switch_tree(do.toggle_fold(switch_tree(opened), 0))
    kept = remember(graph, Layout(), "dark")
    assert kept.session["folds"]
    again = restore(opened, kept, opened.stops)
    assert again.outline.tree is not None
    assert switch_tree(again).folds == {0}


def test_a_large_scenario_with_loops_opens_as_its_graph(monkeypatch):
    monkeypatch.setattr(sessions, "LARGE", 3)
    session = session_of(RNN)
    assert sessions.folded_by_modules(session) is session


async def test_names_are_whole_in_groups_that_open_by_themselves(opened, text_of):
    async with opened(Source("<-e>", RNN), (120, 40)) as pilot:
        await pilot.press("G", "f", "s", "s")
        assert "h@5 = tanh(%8)" in text_of(pilot)
        assert "%8 = %7 + x" in text_of(pilot)
