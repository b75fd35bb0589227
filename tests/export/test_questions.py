"""`export --quiz`: what is asked, what is told of mistakes, and how large that is."""

from __future__ import annotations

from pathlib import Path

from backprop_engine.basics.source import Source
from backprop_engine.run.record import record
from backprop_engine.scenarios.loader import load, load_target, parse_document
from backprop_engine.trace import Trace
from backprop_tui.export.lesson import lesson_of
from backprop_tui.export.packing import packed
from backprop_tui.export.pages import page

BUNDLE = Path(__file__).parents[2] / "scenarios"


def of(text: str) -> Trace:
    return record(load_target(Source("<-e>", text)))


def test_a_quiz_is_small() -> None:
    assert len(page(lesson_of(record(load(BUNDLE / "basic.yaml")), quiz=True))) <= 25_000


def test_what_is_more_than_handed_on_is_asked() -> None:
    lesson = lesson_of(of("x=2, y=x**2+3x+1"), quiz=True)
    asked = {step.step.index: step.question for step in lesson.steps if step.question}
    assert list(asked) == [8, 9]
    assert asked[9].right[0] == 4.0
    assert len(asked[9].right) == 4
    assert {values[0] for _, values in asked[9].wrong} >= {8.0, 1.0, -4.0}
    assert all(values[0] != 4.0 for _, values in asked[9].wrong)


def test_a_lesson_without_a_quiz_has_no_answers_beside_its_steps() -> None:
    told = packed(lesson_of(of("x=2, y=x**2+3x+1")))
    assert not any("q" in step for step in told["s"])
    assert not any(node and "z" in node for node in told["n"])


def test_the_source_of_a_quiz_has_no_answers_and_keeps_its_places() -> None:
    text = "inputs: {x: 2}\nexpect:\n  x.grad: 12\ncompute: y = x**3  # its slope is 12\n"
    told = packed(lesson_of(record(parse_document(Source("a.yaml", text))), quiz=True))
    ((_, shown),) = told["src"]
    assert "12" not in shown
    node = next(node for node in told["n"] if node and node["l"] == "y")
    assert shown[node["m"][0] : node["m"][1]] == "x**3"
