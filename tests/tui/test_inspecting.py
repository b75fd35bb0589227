"""Grids, layers, statistics and colours of the inspector, without a screen."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from backprop_engine.basics.source import Source
from backprop_engine.run.record import record
from backprop_engine.run.tape import graph_of
from backprop_engine.scenarios.loader import parse_shorthand
from backprop_tui.inspecting import layers
from backprop_tui.inspecting.grid import grid_of, largest, next_broken
from backprop_tui.inspecting.layers import Layer, Quantity, Whose, bars, facts, layer_of, statistics
from backprop_tui.inspecting.wording import number_lines
from backprop_tui.oracles.report import Failed, Ready, Starting
from backprop_tui.oracles.torch.agreement import agreement
from backprop_tui.session.session import open_session
from backprop_tui.view.glyphs import UNICODE
from backprop_tui.view.view import View
from backprop_tui.widgets.array_table import heat

SHAPES = arrays.array_shapes(min_dims=0, max_dims=4, min_side=1, max_side=6)
FLOATS = st.floats(allow_nan=True, allow_infinity=True, width=64)
ARRAYS = arrays.arrays(np.float64, arrays.array_shapes(max_dims=3, max_side=5), elements=FLOATS)


# The grid


@given(SHAPES, st.sampled_from([1, 5, 10]))
def test_every_element_stands_in_exactly_one_cell(shape, across):
    grid = grid_of(shape, across)
    seen = []
    for leading in np.ndindex(*shape[:-2]):
        table = replace(grid, leading=tuple(leading))
        for row in range(table.rows):
            for column in range(table.columns):
                index = table.index(row, column)
                if index is not None:
                    seen.append(index)
                    assert table.cell(index) == (row, column)
                    assert table.showing(index) == table
    assert sorted(seen) == sorted(np.ndindex(*shape))


@given(SHAPES, st.data())
def test_a_line_of_the_table_is_what_its_cells_are(shape, data):
    array = np.arange(math.prod(shape), dtype=float).reshape(shape)
    layer = Layer(array if shape else 0.0)
    grid = grid_of(shape, data.draw(st.sampled_from([5, 10])))
    row = data.draw(st.integers(0, grid.rows - 1))
    start = data.draw(st.integers(0, grid.columns - 1))
    stop = data.draw(st.integers(start, grid.columns))
    indices = [grid.index(row, column) for column in range(start, stop)]
    expected = [array[index] for index in indices if index is not None]
    assert grid.line(layer, row, start, stop).tolist() == expected


def test_slices_stay_inside_of_their_axis():
    grid = grid_of((2, 3, 4, 5))
    assert grid.leading == (0, 0)
    assert grid.moved(-1) == grid
    assert grid.moved(5).leading == (1, 0)
    assert grid.at_axis(1).moved(2).leading == (0, 2)
    assert grid.at_axis(2) == grid


def test_an_array_without_elements_has_no_rows():
    assert grid_of((0,)).rows == grid_of((3, 0)).rows == grid_of((0, 3)).rows == 0


# Going to an element


@given(ARRAYS)
def test_the_largest_element_is_that_of_numpy(array):
    place = largest(Layer(array))
    finite = np.abs(np.where(np.isfinite(array), array, -1.0))
    if place is None:
        assert not np.isfinite(array).any()
    else:
        assert abs(array[place]) == np.where(np.isfinite(array), finite, -1.0).max()


@given(ARRAYS)
def test_from_broken_element_to_broken_element_one_comes_round_all_of_them(array):
    layer = Layer(array)
    broken = [tuple(map(int, one)) for one in np.argwhere(~np.isfinite(array))]
    place = tuple(np.subtract(array.shape, 1))
    found = []
    for _ in broken:
        place = next_broken(layer, place)
        found.append(place)
    assert found == broken
    if not broken:
        assert next_broken(layer, place) is None


# Statistics


@given(ARRAYS, st.sampled_from([1, 3, 1_000_000]))
def test_statistics_are_numpys_whatever_the_size_of_a_piece(array, piece):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layers, "PIECE", piece)
        found = statistics(Layer(array))
    finite = array[np.isfinite(array)]
    assert found.count == array.size
    assert found.nans == np.isnan(array).sum()
    assert found.infinities == np.isinf(array).sum()
    assert found.zeros == (array == 0).sum()
    assert found.histogram.sum() == finite.size
    if finite.size:
        assert (found.minimum, found.maximum) == (finite.min(), finite.max())
        scale = np.abs(finite).max() or 1.0
        assert found.mean == pytest.approx((finite / scale).mean() * scale, abs=1e-9 * scale)
        with np.errstate(over="ignore"):
            norm = np.linalg.norm(finite / scale) * scale
        assert found.norm == pytest.approx(norm, rel=1e-9)


def test_a_mean_of_the_largest_floats_does_not_overflow():
    found = statistics(Layer(np.full(3, 1.5e308)))
    assert found.mean == pytest.approx(1.5e308)
    assert found.minimum == found.maximum


def test_whole_numbers_and_truth_values_have_statistics_too():
    assert statistics(Layer(np.array([1, 2, 3]))).mean == 2
    assert dict(facts(statistics(Layer(np.array([True, False])))))["mean"] == "0.5"


def test_statistics_end_when_they_are_cancelled():
    assert statistics(Layer(np.ones(5)), lambda: True) is None


def test_where_nothing_is_finite_only_counts_are_told():
    told = dict(facts(statistics(Layer(np.array([np.nan, np.inf, -np.inf])))))
    assert told == {
        "min": "–", "max": "–", "mean": "–", "norm": "–", "zeros": "0", "nan": "1", "inf": "2"
    }  # fmt: skip


def test_a_histogram_shows_the_least_that_is_there_and_nothing_where_nothing_is():
    assert bars(np.array([0, 1, 1000])) == " ▁█"
    assert bars(np.zeros(3, np.int64)) == ""


# Colours


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(0, 1e300))
def test_colours_tell_the_sign_and_grow_with_the_size(element, scale):
    level = heat(element, scale)
    assert -8 <= level <= 8
    if level:
        assert (level > 0) == (element > 0)
    assert abs(heat(element / 2, scale)) <= abs(level)


def test_the_largest_has_the_strongest_colour_and_zero_none():
    assert heat(-3.0, 3.0) == -8
    assert heat(0.0, 3.0) == 0
    assert heat(1e-300, 1.0) == 1


# Layers


def view_of(text, cursor, oracle=None, report=None):
    trace = record(parse_shorthand(Source("<-e>", text)))
    session = replace(open_session(trace), cursor=min(cursor, len(trace)))
    if report is not None:
        made = report(trace)
        return View(session, Ready(made), agreement(trace, made), UNICODE)
    return View(session, oracle or Starting(), None, UNICODE)


ARRAY = "W=[[1,-2],[3,4]], h=W*2, L=(h*h).sum()"


def node(view, label):
    return view.session.trace.named(label)


def test_what_is_not_there_yet_says_why():
    view = view_of(ARRAY, 0)
    h = node(view, "h")
    reasons = {
        Quantity.VALUE: "h is not computed yet",
        Quantity.GRADIENT: "h has received no gradient yet",
        Quantity.CONTRIBUTION: "the step about to run sends nothing to h",
    }
    for quantity, reason in reasons.items():
        assert layer_of(view, h, quantity, Whose.OURS).reason == reason
    assert layer_of(view, node(view, "W"), Quantity.VALUE, Whose.TORCH).reason == (
        "torch has not answered yet"
    )
    failed = view_of(ARRAY, 0, Failed("PyTorch is not installed.", ""))
    layer = layer_of(failed, node(failed, "W"), Quantity.VALUE, Whose.DIFFERENCE)
    assert layer.reason == "PyTorch is not installed."


def test_gradient_and_contribution_are_those_of_the_cursor():
    view = view_of(ARRAY, 0)
    trace = view.session.trace
    h = node(view, "h")
    first, second = trace.receipts(h)
    before = replace(view, session=replace(view.session, cursor=second))
    sent = layer_of(before, h, Quantity.CONTRIBUTION, Whose.OURS)
    held = layer_of(before, h, Quantity.GRADIENT, Whose.OURS)
    assert sent.shown is trace.contributions[second]
    assert held.shown is trace.totals[first]


def test_a_difference_is_ours_minus_torchs_cell_by_cell(agreeing):
    def report(trace):
        made = agreeing.ask(trace).report
        values = {**made.values, trace.named("W"): graph_of(trace).value[trace.named("W")] + 0.5}
        return replace(made, values=values)

    view = view_of(ARRAY, 99, report=report)
    layer = layer_of(view, node(view, "W"), Quantity.VALUE, Whose.DIFFERENCE)
    assert (layer.block((slice(None),)) == -0.5).all()
    assert statistics(layer).mean == -0.5
    same = layer_of(view, node(view, "h"), Quantity.GRADIENT, Whose.DIFFERENCE)
    assert statistics(same).zeros == 4


def test_two_nans_and_two_infs_do_not_differ():
    ours = np.array([np.nan, np.inf, -np.inf, np.inf, 1.0, np.nan])
    torchs = np.array([np.nan, np.inf, -np.inf, -np.inf, 0.75, 1.0])
    apart = Layer(ours, torchs).block((slice(None),))
    assert apart[:5].tolist() == [0, 0, 0, np.inf, 0.25]
    assert np.isnan(apart[5])


def test_a_number_is_told_with_all_digits_its_bits_and_its_neighbour():
    view = view_of("x=0.1, y=x*3", 1)
    lines = "\n".join(line.plain for line in number_lines(view, node(view, "y"), 60))
    assert "0.30000000000000004" in lines
    assert "0x1.3333333333334p-2" in lines
    assert "5.55112e−17" in lines
    assert "y has received no gradient yet" in lines
