"""The columns of the graph share its width by what stands in them."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache

import pytest
from tests.tui.at_once import at_once

from backprop_engine.basics.source import Source
from backprop_engine.run.record import record
from backprop_engine.scenarios.loader import parse_shorthand
from backprop_tui.oracles.report import Starting
from backprop_tui.session.session import open_session, select
from backprop_tui.session.whatif.editing import nudge_up
from backprop_tui.view.glyphs import UNICODE
from backprop_tui.view.view import View
from backprop_tui.widgets.graph_columns import Columns
from backprop_tui.widgets.graph_rows import fit_columns, header_cells, row_cells

PROGRAMS = {
    "numbers": "x=2, y=x**2+3x+1",
    "long numbers": "first=2.5, second=3.25, y=tanh(first*second+first/second)*exp(first-second)",
    "one long name": "z=[2, 1, 0.1], label=torch.argmin(z, 0), loss=cross_entropy(z, label)",
    "arrays": "X=[[1, 2], [3, 5]], b=[0.5, -1], h=tanh(X@X+b), y=sum(h*h)",
    "a sum of three": "x=[1.5, 2.25, -3], y=sum(x*x*x)",
    "long grad_fn": "x=[[1, 2], [3, 5]], loss=torch.linalg.vector_norm(x.mean(0))",
}

X = 3
"""The row of x among the numbers."""


@cache
def session_of(name):
    return open_session(record(parse_shorthand(Source("<-e>", PROGRAMS[name]))))


def table(session, width) -> tuple[Columns, list[str]]:
    """The lines of all rows, the header among them, at every cursor from the backward pass on."""
    columns = fit_columns(session, width)
    lines = []
    for cursor in range(session.trace.passes[1].start, len(session.trace) + 1):
        view = View(replace(session, cursor=cursor), Starting(), None, UNICODE)
        lines.append(header_cells(view, columns, "node", None))
        lines += [row_cells(view, row, columns) for row in session.visible.tolist()]
    return columns, ["".join(text for text, _ in line) for line in lines]


def is_blank_somewhere(columns, lines):
    """Whether a column, of which each is written to one side, is wider than all that it holds."""
    right_of_node = 2 + columns.node + 2
    right_of_value = right_of_node + columns.value + 2
    edges = [right_of_node, right_of_value]
    if columns.grad_fn:
        edges.append(right_of_value + columns.gradient + 2 + columns.grad_fn - 1)
    return any(all(line[edge : edge + 1] in ("", " ") for line in lines) for edge in edges)


@pytest.mark.parametrize("name", PROGRAMS)
def test_nothing_is_cut_while_another_column_is_blank_over_its_whole_height(name):
    session = session_of(name)
    for width in (36, 44, 52, 60, 68, 80, 100, 130):
        columns, lines = table(session, width)
        assert columns.width <= width
        is_cut = any("…" in line[2 : 2 + columns.node] for line in lines)
        assert not (is_cut and is_blank_somewhere(columns, lines)), (width, columns)


def test_the_order_of_giving_way_is_the_one_that_is_told():
    session, seen = session_of("arrays"), []
    for width in (130, 100, 90, 80, 70, 60, 50, 40):
        _, lines = table(session, width)
        whole = "\n".join(lines)
        told = {
            "grad_fn": "TanhBackward0",
            "gradients as numbers": "[[2.4",
            "values as numbers": "[[7.5",
            "expressions": "h = tanh(%2)",
        }
        seen += [name for name, text in told.items() if text not in whole and name not in seen]
    assert seen == list(told)


def test_what_a_gradient_was_is_told_where_there_is_room():
    columns, lines = table(session_of("numbers"), 80)
    assert any("3 → 7" in line for line in lines)
    columns, lines = table(session_of("numbers"), columns.width - columns.grad_fn)
    assert any("→ 7" in line for line in lines)


def test_a_row_of_a_what_if_keeps_its_name_and_its_marks():
    session = at_once(nudge_up)(select(session_of("numbers"), X))
    _, lines = table(session, 46)
    row = next(line for line in lines if "y = " in line)
    assert re.search(r"y = %3 \+ 1 was 11  +≠ 11\.\d+", row)


def test_a_value_begins_in_what_its_name_leaves_blank_and_a_name_ends_in_what_its_value_does():
    session = session_of("one long name")
    columns, lines = table(session, 60)
    assert any("z                          [2, 1, 0.1]" in line for line in lines)
    assert columns.value < len("[2, 1, 0.1]")
    columns, lines = table(session, 52)
    assert any("label = argmin(z) over axis 0   2 " in line for line in lines)
    assert columns.node < len("  └─· label = argmin(z) over axis 0") + 2
    assert any("loss = cross_entropy(z, lab…  2.317" in line for line in lines)
