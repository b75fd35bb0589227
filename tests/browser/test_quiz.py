"""A page that asks before it shows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page
from tests.browser.conftest import Opened

from backprop_engine.basics.source import Source
from backprop_engine.run.record import record
from backprop_engine.scenarios.loader import load, load_target
from backprop_engine.trace import Trace
from backprop_tui.export.lesson import lesson_of

SCENARIOS = Path(__file__).parents[2] / "scenarios"


def of(text: str) -> Trace:
    return record(load_target(Source("<-e>", text)))


def answer(page: Page, text: str) -> str:
    """What is said of an answer."""
    page.locator("#answer").fill(text)
    page.keyboard.press("Enter")
    said = page.locator("#step .wrong, #step .right")
    return str(said.first.inner_text())


def place(page: Page) -> str:
    return str(page.locator("#place").inner_text())


def test_no_way_leads_past_a_question_and_nothing_tells_its_answer(opened: Opened) -> None:
    page = opened(record(load(SCENARIOS / "basic.yaml")), at=10, quiz=True)
    assert place(page) == "8/10"
    page.keyboard.press("Escape")
    for key in ["s", "n", "f", "End"]:
        page.keyboard.press(key)
        assert place(page) == "8/10"
    page.locator("#slider").fill("10")
    page.locator("#passes button").nth(1).click()
    page.locator(".box.leaf").first.click()
    assert place(page) == "8/10"
    shown = page.locator("body").inner_text()
    assert "→ ?" in shown
    assert "∂y/∂%2 = 1 · %2 = 3·x sends to x" in shown
    for telling in ("upstream", "→ 3", "factor", "expect", "surprise", "x.grad"):
        assert telling not in shown
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("article").count() == 9


def test_mistakes_are_named_hints_are_given_and_all_is_counted(opened: Opened) -> None:
    page = opened(record(load(SCENARIOS / "basic.yaml")), at=10, quiz=True)
    assert "sign" in answer(page, "-3")
    assert answer(page, "3.0") == "✓ right in the end"
    page.keyboard.press("s")
    assert "brings its exponent down" in answer(page, "8")
    assert answer(page, "17.3") == "✗ not yet"
    assert "one number" in answer(page, "1, 2")
    for _ in range(3):
        page.locator("[value=hint]").click()
    hints = [text for text in page.locator("#step p").all_inner_texts() if "hint " in text]
    assert hints == [
        "hint 1: Power rule: the exponent comes down as a factor and drops by one.",
        "hint 2: ? × 2 · ?",
        "hint 3: 1 × 2 · 2",
    ]
    assert answer(page, "4") == "✓ right in the end"
    page.keyboard.press("s")
    assert page.locator("#step .right").inner_text() == "0 of 2 right at once · 0 to come"
    assert "The surprise" in page.locator("#notes").inner_text()


def test_algebra_is_judged_at_several_points(opened: Opened) -> None:
    wrong = {
        "2 x**1 * 1": "✗ this cannot be read",
        "x**2": "✗ right at these numbers, not in general",
        "2*x + zz": "✗ this cannot be read",
        "-2*x": "✗ the sign",
    }
    right = ["4", "2*x", "g*2*x", "(x + x) * exp(0)", "x^2/x*2"]
    powers = ", ".join(f"p{at}=x**2" for at, _ in enumerate(right))
    total = "+".join(f"p{at}" for at, _ in enumerate(right))
    trace = of(f"x=2, {powers}, y={total}")
    page = opened(trace, at=len(trace), quiz=True)
    for typed, said in wrong.items():
        assert answer(page, typed).startswith(said)
    for typed in right:
        assert answer(page, typed).startswith("✓ right")
        page.locator("#slider").fill(str(len(trace)))
    assert place(page) == f"{len(trace)}/{len(trace)}"


def test_arrays_are_typed_as_numbers_and_what_is_shown_is_counted(opened: Opened) -> None:
    page = opened(of("x=[1, 2], w=[3, -1], y=(x*w).sum()"), at=9, quiz=True)
    assert "2 numbers" in answer(page, "3")
    assert answer(page, "[3, -1]") == "✓ right"
    page.keyboard.press("s")
    page.locator("[value=show]").click()
    assert page.locator("#step .right").inner_text() == "shown"
    page.keyboard.press("s")
    assert page.locator("#step .right").inner_text() == "1 of 2 right at once · 0 to come"


def test_arrays_are_told_in_numbers_and_algebra_of_numbers_is_for_each_element(
    opened: Opened,
) -> None:
    page = opened(record(load(SCENARIOS / "exercises" / "08-mean.yaml")), at=9, quiz=True)
    assert "divides by n" in answer(page, "g")
    assert answer(page, "g/3") == "✓ right in the end"
    page.keyboard.press("s")
    told = page.locator("#step code").all_inner_texts()
    assert told == ["%2 = [0.25, 0.09, 1.21]", "e = [−0.5, −0.3, −1.1]"]


def test_a_sum_is_asked_for_where_a_gradient_is_only_handed_on(opened: Opened) -> None:
    page = opened(of("x=2, y=x+x"), at=9, quiz=True)
    assert "the sum?" in page.locator("#step h2").inner_text()
    assert "path" in answer(page, "1")
    assert answer(page, "2") == "✓ right in the end"


@pytest.mark.parametrize("name", ["lesson-10-network", "gallery/22-variance"])
def test_every_right_answer_is_taken(opened: Opened, name: str) -> None:
    trace = record(load(SCENARIOS / f"{name}.yaml"))
    right = [
        " ".join(f"{x:.6g}" for x in np.asarray(step.question.right[0]).reshape(-1))
        for step in lesson_of(trace, quiz=True).steps
        if step.question
    ]
    page = opened(trace, at=len(trace), quiz=True)
    for text in right:
        assert answer(page, text) == "✓ right"
        page.locator("#slider").fill(str(len(trace)))
    page.keyboard.press("f")
    score = f"{len(right)} of {len(right)} right at once · 0 to come"
    assert page.locator("#step .right").inner_text() == score


def test_a_name_of_the_scenario_is_its_own_even_where_it_is_g(opened: Opened) -> None:
    page = opened(of("g=3, y=g**2"), at=9, quiz=True)
    assert answer(page, "upstream*2*g") == "✓ right"
