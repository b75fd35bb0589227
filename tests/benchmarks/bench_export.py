"""An exported lesson: how large its file is, and how soon a step is drawn in a browser."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser
from tests.benchmarks.conftest import ROOT
from tests.browser.conftest import browser

from backprop_engine.basics.source import Source
from backprop_engine.run.record import record
from backprop_engine.scenarios.loader import load_target
from backprop_tui.export.lesson import Lesson, lesson_of
from backprop_tui.export.pages import page

__all__ = ["browser"]
BASIC = str(ROOT / "scenarios" / "basic.yaml")
LARGE = Source("<-e>", "x=2, w=3, y=" + "+".join(f"tanh(w*x-{i})*x" for i in range(1, 60)))
"""300 nodes"""
STEPS = """() => {
  const took = [];
  for (let i = 0; i < 600; i++) {
    const start = performance.now();
    dispatchEvent(new KeyboardEvent("keydown", {key: "s"}));
    document.body.getBoundingClientRect();
    took.push(performance.now() - start);
  }
  return took;
}"""


def lesson(target: str | Source, *, quiz: bool = False) -> Lesson:
    return lesson_of(record(load_target(target)), quiz=quiz)


def test_the_size_of_a_page(table: Any) -> None:
    """In: the page's code, the whole lesson. Out: nothing."""
    for what, told, most in (
        ("page of basic.yaml", lesson(BASIC), 15),
        ("page of basic.yaml with --quiz", lesson(BASIC, quiz=True), 25),
        ("page of 300 nodes", lesson(LARGE), 200),
    ):
        table.bounded(what, "bytes", len(page(told)) / 1000, most, " kB")


def test_a_step_at_300_nodes(table: Any, browser: Browser, tmp_path: Path) -> None:
    """In: the key, the new document, its layout. Out: painting."""
    file = tmp_path / "lesson.html"
    file.write_bytes(page(lesson(LARGE)))
    tab = browser.new_page(viewport={"width": 1600, "height": 900})
    tab.goto(file.as_uri())
    took = tab.evaluate(STEPS)
    table.bounded("a step of a page of 300 nodes", "a frame", statistics.median(took), 16, " ms")
