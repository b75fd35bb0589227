"""The graph as rows of a tree."""

from __future__ import annotations

import numpy as np
import pytest

from backprop_engine.basics.source import Source
from backprop_engine.run.record import record
from backprop_engine.run.tape import graph_of
from backprop_engine.scenarios.loader import parse_shorthand
from backprop_tui.session.outline import NO_ROW, draw_outline, visible_rows


def drawn(text):
    trace = record(parse_shorthand(Source("<-e>", text)))
    return trace, draw_outline(trace)


def lines(text):
    trace, outline = drawn(text)
    return [
        "  " * int(outline.depths[row])
        + ("↗" if outline.is_reference[row] else "")
        + trace.label(int(outline.nodes[row]))
        for row in range(len(outline))
    ]


def is_inside(outline, row, top):
    """Whether `row` stands in the subtree of `top`, below `top` itself."""
    return top < row < top + int(outline.sizes[top])


def test_operands_hang_under_their_consumer_from_left_to_right():
    assert lines("x=2, y=x**2+1") == ["y", "  %1", "    x", "    2", "  1"]


def test_a_node_used_twice_is_drawn_once_in_full():
    assert lines("x=2, d=x*x, y=d+d") == ["y", "  d", "    x", "    ↗x", "  ↗d"]


def test_outputs_of_backward_passes_come_first_then_what_feeds_nothing():
    assert lines("x=2, unused=3, z=x*x, y=x+1") == [
        "y",
        "  x",
        "  1",
        "unused",
        "z",
        "  ↗x",
        "  ↗x",
    ]


def test_every_node_is_drawn_in_full_exactly_once():
    trace, outline = drawn("a=2, b=3, c=a+b, d=a*b, y=(c+d)+c*d")
    full = outline.nodes[~outline.is_reference]
    assert sorted(full) == list(range(len(graph_of(trace))))
    assert all(
        outline.nodes[outline.full_rows[node]] == node for node in range(len(graph_of(trace)))
    )


def test_sizes_and_parents_agree():
    _, outline = drawn("a=2, b=3, c=a+b, d=a*b, y=(c+d)+c*d")
    for row in range(len(outline)):
        inside = [other for other in range(len(outline)) if is_inside(outline, other, row)]
        below = [other for other in range(len(outline)) if row in outline.ancestors(other, 99)]
        assert inside == below
        assert outline.sizes[row] == len(inside) + 1


def test_a_child_is_found_by_its_position():
    trace, outline = drawn("a=2, b=3, y=(a*b)+b")
    row = outline.child(0, 1, trace.named("b"))
    assert outline.parents[row] == 0
    assert trace.label(int(outline.nodes[row])) == "b"


def test_roots_hang_under_nothing():
    _, outline = drawn("x=2, z=x*x, y=x+1")
    assert [row for row in range(len(outline)) if outline.parents[row] == NO_ROW] == [0, 3]


@pytest.mark.parametrize("folds", [frozenset(), frozenset({1}), frozenset({0, 1})])
def test_visible_rows_are_those_inside_no_fold(folds):
    _, outline = drawn("x=2, y=x**2+1")
    wanted = [
        row
        for row in range(len(outline))
        if not any(is_inside(outline, row, fold) for fold in folds)
    ]
    assert np.array_equal(visible_rows(outline, np.array(sorted(folds), int)), wanted)
