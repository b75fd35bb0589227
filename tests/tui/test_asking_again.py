"""Oracles that fail: what the panes say, the key that asks again, and a screen that never waits."""

from __future__ import annotations

import gc
from threading import Event

from tests.tui.stillness import PATIENCE, nobody_waits

from backprop_tui.oracles.report import Failed, Ready, Starting


class Recovering:
    """An oracle whose process dies over the first question."""

    def __init__(self, oracle, failure):
        self._oracle, self._failure = oracle, failure
        self.questions = 0

    def ask(self, trace):
        self.questions += 1
        return self._failure if self.questions == 1 else self._oracle.ask(trace)

    def close(self):
        pass


TORCH_DIED = Failed("The torch process was ended by SIGKILL.", "Everything else works.")
SYMPY_DIED = Failed("The sympy process was ended by SIGKILL.", "Everything else works.")


async def settled(pilot):
    await pilot.app.workers.wait_for_complete()
    await pilot.pause()


async def test_a_key_asks_torch_again(opened, text_of, agreeing):
    oracle = Recovering(agreeing, TORCH_DIED)
    async with opened("basic.yaml", (130, 40), oracle=oracle) as pilot:
        text = " ".join(text_of(pilot).split())
        assert "The torch process was ended by SIGKILL." in text
        assert "^r asks again." in text
        await pilot.press("f", "s")
        cursor = pilot.app.session.cursor
        await pilot.press("ctrl+r")
        await settled(pilot)
        assert "SIGKILL" not in text_of(pilot)
        assert isinstance(pilot.app.oracles.findings.torch, Ready)
        assert (oracle.questions, pilot.app.session.cursor) == (2, cursor)
        await pilot.press("ctrl+r")  # nothing has failed
        await settled(pilot)
        assert oracle.questions == 2


async def test_the_same_key_asks_sympy_again_and_leaves_torch_alone(opened, text_of, formulas):
    symbolic = Recovering(formulas, SYMPY_DIED)
    async with opened("basic.yaml", (80, 40), symbolic=symbolic) as pilot:
        await pilot.press("tab", "tab", "tab")
        await settled(pilot)
        assert "The sympy process was ended by SIGKILL." in text_of(pilot)
        await pilot.press("ctrl+r")
        await settled(pilot)
        assert "dy/dx = 2x + 3" in text_of(pilot)
        assert isinstance(pilot.app.oracles.findings.torch, Ready)


async def test_while_torch_is_asked_again_it_is_not_asked_a_third_time(opened, agreeing):
    end = Event()

    class Stuck(Recovering):
        def ask(self, trace):
            answer = super().ask(trace)
            if self.questions > 1:
                with nobody_waits():
                    end.wait(PATIENCE)
            return answer

    oracle = Stuck(agreeing, TORCH_DIED)
    async with opened(oracle=oracle) as pilot:
        await pilot.press("ctrl+r", "ctrl+r", "ctrl+r")
        assert oracle.questions == 2
        assert isinstance(pilot.app.oracles.findings.torch, Starting)
        end.set()
        await settled(pilot)
        assert oracle.questions == 2


async def test_what_stays_is_spared_by_the_collector_while_the_app_runs(opened):
    async with opened() as pilot:
        await pilot.pause()
        # The libraries and the trace: walking them takes longer than drawing a frame.
        assert gc.get_freeze_count() > 10_000
        assert len(gc.get_objects()) < gc.get_freeze_count()
    assert gc.get_freeze_count() == 0
