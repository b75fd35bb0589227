"""Arrays of a step are drawn as matrices: numbers that align, names, shapes, and what is lit."""

from __future__ import annotations

import numpy as np
import pytest
from textual.content import Content

from backprop_engine.basics.source import Source
from backprop_engine.mathematics.tree import Text
from backprop_engine.reading.array_rule import ArrayRule, Figure, Role
from backprop_tui.view.glyphs import ASCII, UNICODE
from backprop_tui.widgets.matrices import matrices

X = np.array([[1.0, 3.0, 5.0], [2.0, 4.0, 6.0]])
G = np.array([[1.5, 0.0], [-3.25, 0.0], [4.875, 1e-9]])
PRODUCT = ArrayRule(
    Figure(Text("W"), X @ G, Role.SENT),
    (Figure(Text("Xᵀ"), X, Role.LOCAL), Figure(Text("g"), G, Role.UPSTREAM)),
    ("=", "@"),
)


def drawn(rule: ArrayRule, element=None, width=80, glyphs=UNICODE, may_pile=True) -> list[str]:
    picture = matrices(rule, element, width, glyphs.say, may_pile=may_pile)
    assert picture is not None
    return [line.plain.rstrip() for line in picture.lines]


def lit(line: Content) -> str:
    return "".join(
        line.plain[span.start : span.end] for span in line.spans if "reverse" in str(span.style)
    )


def test_a_product_is_three_matrices_with_their_middles_level():
    assert drawn(PRODUCT) == [
        "      W            Xᵀ             g",
        "⎡16.12  5e−9⎤   ⎡1  3  5⎤   ⎡ 1.5       0⎤",
        "⎣19.25  6e−9⎦ = ⎣2  4  6⎦ @ ⎢−3.25      0⎥",
        "     2×2           2×3      ⎣ 4.875  1e−9⎦",
        "                                 3×2",
    ]


def test_in_ascii_brackets_and_names_are_plain():
    assert drawn(PRODUCT, glyphs=ASCII)[1] == "[16.12  5e-9]   [1  3  5]   [ 1.5       0]"


def test_what_has_no_room_is_cut_and_says_so():
    wide = ArrayRule(
        Figure(Text("y"), np.arange(400.0).reshape(20, 20), Role.SENT),
        (Figure(Text("g"), np.ones((20, 20)), Role.UPSTREAM),),
        ("=",),
    )
    lines = drawn(wide, width=50)
    assert all(len(line) <= 50 for line in lines)
    assert "…" in lines[1]
    assert "⋮" in lines[-2]
    assert lines[-1].split() == ["20×20", "20×20"]


def test_where_not_even_two_columns_have_room_there_is_no_picture():
    assert matrices(PRODUCT, None, 20, UNICODE.say, may_pile=False) is None
    assert matrices(PRODUCT, None, 12, UNICODE.say) is None


def test_what_has_no_room_side_by_side_stands_under_each_other_before_columns_are_cut():
    assert drawn(PRODUCT, width=30) == [
        "  W   ⎡16.12  5e−9⎤",
        "  2×2 ⎣19.25  6e−9⎦",
        "= Xᵀ  ⎡1  3  5⎤",
        "  2×3 ⎣2  4  6⎦",
        "@ g   ⎡ 1.5       0⎤",
        "  3×2 ⎢−3.25      0⎥",
        "      ⎣ 4.875  1e−9⎦",
    ]
    assert drawn(PRODUCT, width=38)[1].startswith("⎡16  5e−9⎤   ⎡1  3  5⎤")  # fewer digits first


def test_the_element_and_the_row_and_column_that_make_it_are_lit():
    picture = matrices(PRODUCT, (1, 0), 80, UNICODE.say)
    assert picture is not None
    assert [lit(line) for line in picture.lines[1:4]] == [" 1.5  ", "19.25246−3.25 ", " 4.875"]


def heat(line: Content) -> dict[str, str]:
    """The colour under each number of a line, and its strength."""
    return {
        line.plain[span.start : span.end].strip(): str(span.style).partition(" on ")[2]
        for span in line.spans
        if " on " in str(span.style)
    }


def test_a_matrix_that_is_cut_is_the_warmer_or_the_colder_the_larger_its_numbers():
    values = np.tile([0.0, -4.0, 1.0, 2.0], (1, 3))
    rule = ArrayRule(
        Figure(Text("y"), values, Role.SENT), (Figure(Text("g"), 1.0, Role.UPSTREAM),), ("=",)
    )
    picture = matrices(rule, None, 40, UNICODE.say)
    assert picture is not None
    assert heat(picture.lines[1]) == {
        "−4": "$primary 45%",
        "1": "$warning 11%",
        "2": "$warning 22%",
    }


def test_one_that_is_whole_is_not_coloured_but_for_what_is_not_finite():
    broken = np.array([[1.0, np.nan], [-np.inf, 0.0]])
    rule = ArrayRule(
        Figure(Text("y"), broken, Role.SENT), (Figure(Text("g"), X, Role.UPSTREAM),), ("=",)
    )
    picture = matrices(rule, None, 80, UNICODE.say)
    assert picture is not None
    assert not any(heat(line) for line in picture.lines)
    red = [line.plain[span.start : span.end].strip() for line in picture.lines
           for span in line.spans if "$error" in str(span.style)]  # fmt: skip
    assert red == ["nan", "−inf"]


def test_a_vector_that_stands_in_a_product_is_lit_where_its_element_is():
    v = np.array([[1.0], [2.0]])
    rule = ArrayRule(
        Figure(Text("v"), X @ G @ v, Role.SENT),
        (Figure(Text("A"), X @ G, Role.LOCAL), Figure(Text("g"), v, Role.UPSTREAM)),
        ("=", "@"),
    )
    picture = matrices(rule, (1,), 80, UNICODE.say)
    assert picture is not None
    assert [lit(line) for line in picture.lines[1:3]] == ["1", "19.2519.256e−92"]


def test_what_is_no_plain_product_keeps_the_gradient_alone_where_there_is_no_room():
    rule = ArrayRule(
        Figure(Text("s"), X, Role.SENT),
        (Figure(Text("g"), X, Role.UPSTREAM), Figure(Text("p"), X, Role.LOCAL)),
        ("from", "and"),
    )
    assert drawn(rule)[1] == "⎡1  3  5⎤ from ⎡1  3  5⎤ and ⎡1  3  5⎤"
    assert drawn(rule, width=30, may_pile=False)[1] == "⎡1  3  5⎤ from ⎡1  3  5⎤"
    assert [line[:8] for line in drawn(rule, width=30)[::2]] == ["     s  ", "from g  ", " and p  "]


def test_an_element_far_down_is_drawn_with_its_neighbours():
    values = np.arange(100.0).reshape(50, 2)
    rule = ArrayRule(
        Figure(Text("y"), values, Role.SENT),
        (Figure(Text("g"), values, Role.UPSTREAM),),
        ("=",),
    )
    lines = drawn(rule, element=(49, 1))
    assert "98  99" in lines[-2]
    assert "⋮" in lines[1]


def test_of_three_axes_the_slice_that_holds_the_element_is_drawn():
    values = np.arange(8.0).reshape(2, 2, 2)
    rule = ArrayRule(
        Figure(Text("y"), values, Role.SENT),
        (Figure(Text("g"), values, Role.UPSTREAM),),
        ("from",),
    )
    assert "⎡4  5⎤" in drawn(rule, element=(1, 0, 0))[1]
    assert "2×2×2, one slice of it" in drawn(rule)[-1]


def test_numbers_and_vectors_lie_in_one_line():
    rule = ArrayRule(
        Figure(Text("b"), np.array([9.6, 0.0]), Role.SENT),
        (Figure(Text("g"), 2.0, Role.UPSTREAM),),
        ("from",),
    )
    assert drawn(rule)[1].split() == ["[9.6", "0]", "from", "2"]


MLP = Source(
    "<-e>",
    "X=[[1,2],[3,4],[5,6]], W=[[0.5,-1],[2,0.25]], b=[0.1,0.2], Y=relu(X@W+b), L=(Y**2).mean()",
)


@pytest.mark.parametrize("theme", ["blackboard", "whiteboard"])
@pytest.mark.parametrize("size", [(80, 24), (120, 40), (160, 50)], ids=lambda size: f"{size[0]}")
async def test_the_screen(opened, text_of, svg, txt, size, theme):
    async with opened(MLP, size) as pilot:
        await pilot.press("f", *"sssssss")
        pilot.app.theme = theme
        await pilot.pause()
        assert text_of(pilot.app) == txt
        assert pilot.app.export_screenshot() == svg
