"""A notebook that was executed, kept as a page, and looked at: each run steps in its own frame."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page
from tests.notebook.executed import as_page, executed


def test_each_run_of_a_notebook_steps_for_itself(page: Page, tmp_path: Path) -> None:
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.route("https://**", lambda route: route.abort())  # nbconvert's own, for its formulas
    page.goto(as_page(executed(tmp_path), tmp_path / "page.html").as_uri())

    first, _, last = (page.frame_locator("iframe").nth(at) for at in range(3))
    first.get_by_text("0/4").wait_for()
    assert "false" not in first.locator("body").inner_text()
    first.locator("#step").click()
    page.keyboard.press("n")
    page.keyboard.press("s")
    first.get_by_text("2/4").wait_for()
    assert "Two's" in first.locator("body").inner_text()
    last.get_by_text("0/3").wait_for()
    last.locator("#step").click()
    page.keyboard.press("f")
    last.get_by_text("1/3").wait_for()
    first.get_by_text("2/4").wait_for()
    assert "unknown name `z`" in page.locator("body").inner_text()
    assert errors == []
