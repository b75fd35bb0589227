"""A run with other values that nobody waits for any longer."""

from __future__ import annotations

from dataclasses import replace
from threading import Event
from time import sleep

from tests.tui.reruns import rerun_by
from tests.tui.stillness import nobody_waits, until

from backprop_engine.budget import StoppedError
from backprop_engine.run.tape import graph_of
from backprop_tui.session.whatif import editing
from backprop_tui.session.whatif.parsing import Edit


async def test_a_run_that_is_cancelled_ends_in_its_thread_too(opened):
    begun, ended = Event(), Event()

    def rerun(values, is_unwanted):
        begun.set()
        with nobody_waits():
            while not is_unwanted():
                sleep(0.001)
        ended.set()
        raise StoppedError

    async with opened() as pilot:
        session = pilot.app.session
        trace = rerun_by(session.trace, rerun, 9.0)
        pilot.app.session = replace(
            session, trace=trace, whatif=replace(session.whatif, original=trace)
        )
        pilot.app.session = editing.edit(
            pilot.app.session, Edit(graph_of(session.trace).inputs["x"], 3.0, None)
        )
        await until(pilot, begun.is_set)
        assert not ended.is_set()
        await pilot.press("escape")
        await until(pilot, ended.is_set)
        assert pilot.app.session.notice == "cancelled"
