"""Whatever an oracle or a reader raises is told where its answer would stand; the app goes on."""

from __future__ import annotations

import logging

import pytest
from tests.thorough import share
from tests.tui.conftest import Agreeing, Formulas
from tests.tui.stillness import impatient

from backprop_engine.budget import LimitError
from backprop_tui.oracles.answering import LOG

RAISED = (RuntimeError, MemoryError, LimitError)
"""All of them are caught in one place: a test does each, and the others an error that nobody
foresees."""


@pytest.fixture(params=share(RAISED[:1], RAISED))
def broken(request):
    def raising(*_, **__):
        raise request.param("no idea")

    return raising


@pytest.fixture(autouse=True)
def are_meant(faults):
    yield
    faults.clear()


async def is_going_on(pilot):
    before = pilot.app.session.cursor
    await pilot.press("n")
    assert pilot.app.session.cursor == before + 1
    assert pilot.app.is_running


def said(text_of, pilot):
    return " ".join(text_of(pilot).replace("│", " ").split())


@pytest.mark.parametrize("broken", RAISED, indirect=True)
async def test_torch(broken, opened, text_of):
    oracle = Agreeing()
    oracle.ask = broken
    async with opened(oracle=oracle, size=(120, 40)) as pilot:
        assert "Torch " in said(text_of, pilot)
        assert "Everything else works" in said(text_of, pilot)
        await is_going_on(pilot)


async def test_the_comparison_with_torch(broken, opened, text_of, monkeypatch):
    monkeypatch.setattr("backprop_tui.app.oracle_desk.agreement", broken)
    async with opened(size=(120, 40)) as pilot:
        assert "Everything else works" in said(text_of, pilot)
        await is_going_on(pilot)


async def test_a_pane(broken, opened, text_of, monkeypatch):
    monkeypatch.setattr("backprop_tui.widgets.torch_pane.TorchPane.draw", broken)
    async with opened(size=(120, 40)) as pilot:
        assert "This pane " in said(text_of, pilot)
        await is_going_on(pilot)


async def test_sympy(broken, opened, text_of):
    symbolic = Formulas()
    symbolic.ask = broken
    async with opened(symbolic=symbolic, size=(120, 40)) as pilot:
        await pilot.press("tab", "tab", "tab")
        assert "Sympy " in said(text_of, pilot)
        await is_going_on(pilot)


async def test_the_autopsy(broken, opened, text_of, monkeypatch):
    monkeypatch.setattr("backprop_tui.app.oracle_desk.autopsy", broken)
    async with opened("nan.yaml", size=(120, 40)) as pilot:
        await pilot.press("a")
        assert "The autopsy " in said(text_of, pilot)
        assert "finite" not in said(text_of, pilot)
        await pilot.press("escape")
        await is_going_on(pilot)


async def test_the_origin(broken, opened, text_of, monkeypatch):
    monkeypatch.setattr("backprop_tui.screens.origin.find_origin", broken)
    async with opened(size=(120, 40)) as pilot:
        await pilot.press("f", "f", "o")
        assert "The search for paths " in said(text_of, pilot)
        await pilot.press("escape", "r")
        await is_going_on(pilot)


@pytest.mark.parametrize("is_late", [False, True])
async def test_the_watches(broken, is_late, opened, text_of, monkeypatch):
    monkeypatch.setattr("backprop_tui.widgets.watches_pane.watch_rows", broken)
    if is_late:
        impatient(monkeypatch)
    async with opened(size=(160, 50)) as pilot:
        await pilot.press("w", "enter")
        await pilot.app.workers.wait_for_complete()
        await pilot.pause()
        assert "Everything else works" in said(text_of, pilot)
        await is_going_on(pilot)


async def test_the_survey_of_breakpoints(broken, opened, text_of, monkeypatch):
    async with opened(size=(120, 40)) as pilot:
        monkeypatch.setattr("backprop_tui.session.stops.continuing.begin", broken)
        await pilot.press("b", "c")
        assert "The search for hits " in said(text_of, pilot)
        await is_going_on(pilot)


async def test_the_search(broken, opened, text_of, monkeypatch):
    monkeypatch.setattr("backprop_tui.app.surveys.look_on", broken)
    monkeypatch.setattr("backprop_tui.app.surveys.needs_looking", lambda _: True)
    async with opened(size=(120, 40)) as pilot:
        await pilot.press("slash", "x", "enter")
        assert "The search " in said(text_of, pilot)
        await is_going_on(pilot)


def test_what_was_not_foreseen_is_logged_with_its_traceback(faults):
    from backprop_tui.oracles.answering import answer_of

    answer_of("Nobody", lambda: [][0])
    assert [fault.exc_info[0] for fault in faults] == [IndexError]
    assert LOG.level == logging.NOTSET
