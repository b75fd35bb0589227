"""What is said to cure a nan or inf, by what made it; and the lessons that are named exist."""

from __future__ import annotations

from pathlib import Path

import pytest

from backprop_engine.basics.source import Source
from backprop_engine.reading.autopsy import cures as module
from backprop_engine.reading.autopsy.report import autopsy, cure_lines
from backprop_engine.run.record import record
from backprop_engine.scenarios.loader import load, parse_shorthand

GALLERY = Path(__file__).parents[2] / "scenarios" / "gallery"


def said(text: str) -> str:
    found = autopsy(record(parse_shorthand(Source("<-e>", text))))
    assert found is not None
    return "\n".join(cure_lines(found))


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("x=0, y=sqrt(x**2)", "sqrt(x + 1e-12)"),
        ("x=0, y=log(x)", "log of 0"),
        ("x=-1, y=log(x)", "log of less than 0"),
        ("x=0, y=x**0.5", "a power below 1"),
        ("x=[1e200, 1], y=sum(x**2)", "numbers have outgrown"),
        ("x=[800,0], y=log(softmax(x, dim=0))[1]", "log_softmax (or cross_entropy)"),
        ("x=[[800,0]], y=log(softmax(x, dim=1)).sum()", "12-log-softmax"),
        ("x=1000, y=exp(x)", "take the maximum off"),
        ("x=2, z=0, y=x/z", "the denominator is 0"),
        ("x=1e-300, y=1e10/x", "the denominator is 0, or nearly so"),
        ("w=1e200, y=w*1, z=1e150*w, u=1e150*z", "numbers have outgrown"),
    ],
)
def test_the_cure_is_that_of_the_operation_and_of_what_it_was_made_of(text: str, part: str):
    assert part in said(text)


def test_a_where_is_told_to_let_the_nan_through_with_what_it_shuts_off():
    told = said("x=[0,4], root=sqrt(x), y=where(x > 0, root, 0).sum()")
    assert told.startswith(
        "a `where` lets the nan through: %2 = root if %1 else 0 shuts root off with a gradient of "
        "0 at [0], and 0 · ∞ is nan: give root a safe x as well, by a where before it"
    )
    assert "14-where and 15-double-where" in told


def test_it_is_found_above_other_operations_and_after_an_inf_that_it_has_kept_out():
    told = said("x=[0,4], y=where(x > 0, -2*log(x)+1, 0).sum()")
    assert "a `where` lets the nan through" in told
    assert "give %2 a safe x as well" in told


def test_a_factor_of_0_is_no_where():
    told = said("x=[0,4], m=[0,1], y=sum(m*sqrt(x))")
    assert told.startswith("%2 = m·%1 sends 0 at [0], and 0 · ∞ is nan: give %1 a safe x")


@pytest.mark.parametrize(
    "text", ["x=0, y=sqrt(x**2)", "x=[0,4], y=where(x>0, x, 1).log().sum() + sqrt(x[0])"]
)
def test_a_where_that_has_no_part_in_it_is_not_accused(text: str):
    assert "where" not in said(text)


def test_the_lessons_are_there_and_show_what_they_are_named_for():
    cures = [value for value in vars(module).values() if isinstance(value, module.Cure)]
    named = {lesson for cure in cures for lesson in cure.lessons} | {"14-where", "15-double-where"}
    assert len(named) > 8
    for lesson in named:
        assert (GALLERY / f"{lesson}.yaml").is_file()


@pytest.mark.parametrize("path", sorted(GALLERY.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_nan_of_the_gallery_has_a_cure(path: Path):
    scenario = load(path)
    found = None if scenario.expected_error else autopsy(record(scenario))
    assert found is None or cure_lines(found)
