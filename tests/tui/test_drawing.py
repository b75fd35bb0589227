"""The small parts that panes are drawn with."""

from __future__ import annotations

import numpy as np
import pytest
from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color

from backprop_engine.mathematics.parser import parse
from backprop_engine.trace import Pass, PassKind
from backprop_tui.commands.pane_help import PANE_HELP, SCREEN_HELP
from backprop_tui.screens.debugger import DebuggerScreen
from backprop_tui.screens.help import help_text
from backprop_tui.view.glyphs import ASCII, LEGEND, UNICODE, AsciiFilter, glyphs_for
from backprop_tui.view.text import figure, fit, left, printable, right
from backprop_tui.widgets.mathematics import Term, aligned, columns, flow, formula, picture
from backprop_tui.widgets.timeline import lay_out


def plain(drawn):
    return [line.plain.rstrip() for line in drawn.lines]


# Text in cells


def test_control_characters_become_pictures():
    assert printable("a\x1b[31m\tb\x7f\u202e") == "a␛[31m    b␡�"


@pytest.mark.parametrize("width", range(12))
def test_a_fitted_text_never_takes_more_cells_than_it_has(width):
    for text in ("mean of squares", "漢字漢字漢字", "x", ""):
        assert cell_len(fit(text, width)) <= width
        assert cell_len(left(text, width)) == width
        assert cell_len(right(text, width)) == width


def test_a_text_is_cut_after_a_whole_word():
    assert fit("the mean of squares", 13) == "the mean of…"


@pytest.mark.parametrize(
    "value", [1 / 3, -1234567.891, 1e-300, -2.5e17, float("-inf"), float("nan")]
)
def test_a_number_in_a_narrow_column_loses_digits_and_not_its_size(value):
    text = figure(value, 8)
    assert len(text) <= 8
    read = float(text.replace("−", "-"))
    assert read == pytest.approx(value, rel=0.1, nan_ok=True)


def test_a_number_with_room_has_all_its_digits():
    assert figure(0.1 + 0.2, 20, full=True) == "0.30000000000000004"
    assert figure(0.1 + 0.2, 20) == "0.3"


def test_an_array_in_a_narrow_column_keeps_its_shape():
    assert figure(np.arange(6.0).reshape(2, 3), 7).startswith("2×3 ")
    assert figure(np.arange(3.0), 5) == "3 ▁▅█"
    assert figure(np.arange(3.0), 4) == "3 ▁…"
    assert figure(np.array([True, False, True]), 9) == "3 █▁█"
    assert figure(np.array([2.0]), 2) == "[…"  # a bare 1 would pass for the value


# Mathematics


def test_a_partial_derivative_is_drawn_as_a_stacked_fraction():
    assert plain(formula(parse("∂%1/∂x = 2·x"), str)) == ["∂%1", "─── = 2·x", "∂x"]


def test_a_formula_without_fractions_is_one_line():
    assert plain(formula(parse("y = a·b"), str)) == ["y = a·b"]


def test_numbers_stand_under_their_terms():
    terms = [Term("∂y", "∂x", "12"), Term("=", "", "="), Term("∂y", "∂long", "3")]
    assert plain(columns(terms)) == ["∂y    ∂y", "── = ─────", "∂x   ∂long", "12 =   3"]


def test_a_sum_is_aligned_on_its_decimal_points():
    assert aligned(["3", "0.25", "13.5"]) == [" 3   ", " 0.25", "13.5 "]


def test_what_is_no_number_ends_where_the_numbers_do():
    assert aligned(["0.25", "nan", "−inf", "12"]) == [" 0.25", "  nan", " −inf", "12   "]


def test_a_sum_with_exponents_or_arrays_is_aligned_on_its_end():
    assert aligned(["1e−9", "2"]) == ["1e−9", "   2"]


def test_pictures_flow_on_below_where_the_width_ends():
    boxes = [picture(["aaaa", "aaaa"]), picture(["bbbb"]), picture(["cccc"])]
    assert [plain(band) for band in flow(boxes, 10, 2)] == [["aaaa  bbbb", "aaaa"], ["cccc"]]


# The timeline


def passes(*lengths):
    kinds = [PassKind.FORWARD, *[PassKind.BACKWARD] * (len(lengths) - 1)]
    ends = np.cumsum(lengths)
    return [
        Pass(index, kind, kind.value, int(stop - length), int(stop))
        for index, (kind, length, stop) in enumerate(zip(kinds, lengths, ends, strict=True))
    ]


@pytest.mark.parametrize("lengths", [(4, 6), (1,), (1, 1_000_000), (10,) * 9, (1,) * 400, (0, 1)])
@pytest.mark.parametrize("width", [10, 40, 150])
def test_the_bars_stand_side_by_side_inside_the_width(lengths, width):
    segments = lay_out(passes(*lengths), width)
    ends = [edge for segment in segments for edge in (segment.label_column, segment.right)]
    assert ends == sorted(ends)
    assert ends[-1] <= width
    assert segments[0].start == 0
    assert segments[-1].stop == sum(lengths)


def test_a_bar_is_full_when_its_last_step_is_done_and_not_before():
    bar = lay_out(passes(4, 1_000_000), 80)[1]
    width = bar.right - bar.left
    assert bar.column(4) == 0
    assert bar.column(bar.stop - 1) < width
    assert bar.column(bar.stop) == width


def test_a_click_on_a_bar_reaches_both_of_its_ends():
    bar = lay_out(passes(4, 6), 80)[1]
    assert bar.cursor(bar.left) == 4
    assert bar.cursor(bar.right - 1) == 10


# Glyphs


@pytest.mark.parametrize(
    ("environment", "glyphs"),
    [({}, UNICODE), ({"LANG": "en_US.UTF-8"}, UNICODE), ({"LANG": "de_DE.utf8"}, UNICODE),
     ({"LANG": "C"}, ASCII), ({"LC_ALL": "POSIX", "LANG": "en_US.UTF-8"}, ASCII),
     ({"LANG": "de_DE.ISO-8859-1"}, ASCII), ({"LANG": "C.UTF-8"}, UNICODE),
     ({"LANG": "C", "LC_CTYPE": "C.UTF-8"}, ASCII), ({"LANG": "en_US"}, UNICODE),
     ({"LANG": "xx_YY.no-such-charset"}, ASCII)],
)  # fmt: skip
def test_the_locale_decides_between_signs_and_letters(environment, glyphs):
    assert glyphs_for(environment) is glyphs


def test_marks_are_told_apart_in_ascii_too():
    marks = [ASCII.constant, ASCII.untouched, ASCII.partial, ASCII.complete, ASCII.sending,
             ASCII.reference, ASCII.agrees, ASCII.disagrees, ASCII.open, ASCII.waiting]  # fmt: skip
    assert len(set(marks)) == len(marks)
    assert all(mark.isascii() and len(mark) == 1 for mark in marks)


def test_the_ascii_filter_keeps_every_cell_where_it_is():
    text = "╭─ ∂y/∂x ▂▅… 漢 ━╸─ → ● ↗"
    [segment] = AsciiFilter().apply([Segment(text)], Color(0, 0, 0))
    assert segment.text.isascii()
    assert cell_len(segment.text) == cell_len(text)


HELPS = {**PANE_HELP, **SCREEN_HELP}


@pytest.mark.parametrize("pane", [*HELPS, ""])
def test_help_in_ascii_names_each_mark_as_the_graph_draws_it(pane):
    told, drawn = (
        " ".join(help_text(glyphs, 78, HELPS.get(pane)).plain.split())
        for glyphs in (ASCII, UNICODE)
    )
    assert told.count("?") == drawn.count("?"), "a mark has no name in ASCII"
    if pane == "graph":
        assert f"elsewhere {ASCII.reference} refers to it" in told


def test_a_mark_in_a_text_is_the_letter_that_help_names():
    assert ASCII.text("≟ a tie") == "u a tie"
    assert "u           not settled: torch has another" in help_text(ASCII, 120).plain


def test_mathematics_is_written_out_in_ascii():
    assert ASCII.text("∂y/∂x = 2·x²") == "dy/dx = 2*x^2"
    assert UNICODE.text("∂y/∂x") == "∂y/∂x"


@pytest.mark.parametrize("end", "▁▂▃▄▅▆▇")
def test_the_end_of_a_scrollbar_looks_like_no_mark_in_ascii(end):
    [segment] = AsciiFilter().apply([Segment(end)], Color(0, 0, 0))
    marks = {getattr(ASCII, name) for name, _ in LEGEND}
    assert segment.text not in marks
    assert segment.text == "|"


async def test_a_screen_is_drawn_from_when_it_is_told_to(opened):
    async with opened() as pilot:
        app = pilot.app
        assert app.screen.is_current
        later = DebuggerScreen(app.view_of(app.session))
        await app.push_screen(later)
        assert not later.is_current
        later.begin_to_draw()
        assert later.is_current
