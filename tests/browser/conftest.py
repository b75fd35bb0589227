"""A real browser, where there is one: Chromium, as Debian and others have it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from backprop_engine.trace import Trace
from backprop_tui.export import pages
from backprop_tui.export.lesson import lesson_of

Opened = Callable[..., Page]
_NAMES = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Not for longer than these tests: beside it no other event loop can run in this thread."""
    path = next(filter(None, map(shutil.which, _NAMES)), None)
    if path is None:
        pytest.skip("there is no Chromium here")
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    arguments = ["--no-sandbox"] if is_root else []  # it has none for root
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page without a past."""
    context = browser.new_context(viewport={"width": 1000, "height": 600})
    yield context.new_page()
    context.close()


@pytest.fixture(scope="package")
def tab(browser: Browser) -> Iterator[Page]:
    """One for all: a new one takes longer than a test."""
    context = browser.new_context()
    yield context.new_page()
    context.close()


@pytest.fixture
def opened(tab: Page, tmp_path: Path) -> Iterator[Opened]:
    """Opens a trace; afterwards nothing was asked for, and the console is empty."""
    said: list[str] = []
    asked: list[str] = []
    listeners: dict[Any, Any] = {
        "console": lambda message: said.append(message.text),
        "pageerror": lambda error: said.append(str(error)),
        "request": lambda request: asked.append(request.url),
    }
    for event, listener in listeners.items():
        tab.on(event, listener)
    tab.emulate_media(media="screen", color_scheme="light")
    tab.set_viewport_size({"width": 1000, "height": 700})
    file = tmp_path / "lesson.html"

    def open_(
        trace: Trace,
        at: int = 0,
        stretch: tuple[int, int | None] = (0, None),
        *,
        quiz: bool = False,
    ) -> Page:
        file.write_bytes(pages.page(lesson_of(trace, *stretch, quiz=quiz)))
        tab.goto(f"{file.as_uri()}#{at}")
        return tab

    yield open_
    for event, listener in listeners.items():
        tab.remove_listener(event, listener)
    assert said == []
    assert {url.partition("#")[0] for url in asked} == {file.as_uri()}
