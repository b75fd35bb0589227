"""The pane of a learner's own engine: its first mistake, its numbers beside ours, and the file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.oracle.yours.engines import MICROGRAD

from backprop_engine.basics.source import Source
from backprop_tui.oracles.report import Ready
from backprop_tui.oracles.yours.examining import Examiner
from backprop_tui.oracles.yours.file import File
from backprop_tui.oracles.yours.finding import Finding

NEURON = Source("<-e>", "x=0.5, w=-2.3, s=w*x, y=tanh(s)*3")
WRONG = MICROGRAD.replace("(1 - t**2)", "(1 - t)")
LINE = WRONG[: WRONG.index("(1 - t)")].count("\n") + 1


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(WRONG)
    return path


@pytest.fixture
def examiner(mine: Path) -> Examiner:
    return Examiner(File(str(mine)))


async def settled(pilot):
    await pilot.app.workers.wait_for_complete()
    await pilot.pause()


async def found_by(pilot):
    """What is found, once it is."""
    for _ in range(400):
        await settled(pilot)
        if isinstance(pilot.app.yours.found, Finding):
            return pilot.app.yours.found
        await pilot.pause(0.02)
    raise AssertionError("the file has not been judged")


async def test_continue_stops_at_the_first_step_that_is_wrong_by_itself(opened, text_of, examiner):
    async with opened(NEURON, (120, 40), yours=examiner) as pilot:
        found = await found_by(pilot)
        await pilot.press("c")
        await settled(pilot)
        session = pilot.app.session
        assert session.cursor == found.verdict.step
        assert session.trace.label(session.step.node) == "%1"
        assert f"wrong by itself (rule, line {LINE} of yours)" in session.notice
        text = " ".join(text_of(pilot).split())
        assert f"✗ rule, line {LINE}, step {session.cursor}" in text
        assert f"{LINE} | self.grad += (1 - t) * out.grad" in text
        assert "ours yours off by" in text


async def test_what_is_right_before_that_has_the_marks_that_torch_has(opened, text_of, examiner):
    async with opened(NEURON, (120, 40), yours=examiner) as pilot:
        found = await found_by(pilot)
        agreed, trace = found.agreement, pilot.app.session.trace
        before = range(found.verdict.step)
        compared = [agreed.step(step) for step in before]
        assert all(each.agrees for each in compared if each is not None)
        assert len([each for each in compared if each is not None]) == len(before)
        assert not agreed.step(found.verdict.step).agrees
        x = trace.named("x")
        assert not agreed.grad(x, len(trace)).agrees
        assert isinstance(pilot.app.oracles.findings.torch, Ready)


async def test_the_file_is_judged_again_when_it_is_saved(opened, text_of, examiner, mine):
    async with opened(NEURON, (120, 40), yours=examiner) as pilot:
        await found_by(pilot)
        mine.write_text(MICROGRAD)
        os.utime(mine, (1, 1))
        pilot.app.yours.look()
        pilot.app.yours.look()
        found = await found_by(pilot)
        assert found.verdict is None
        assert "✓ Value is right here" in text_of(pilot)
        await pilot.press("c")
        assert "no breakpoint yet" in pilot.app.session.notice


async def test_a_file_that_cannot_be_judged_says_so_and_all_else_works(opened, text_of, mine):
    mine.write_text("raise SystemExit('no')")
    async with opened(NEURON, (80, 24), yours=Examiner(File(str(mine)))) as pilot:
        await found_by(pilot)
        await pilot.press("tab", "tab")
        await settled(pilot)
        text = " ".join(text_of(pilot).split())
        assert "[Yours]" in text
        assert "cannot be judged: line 1: it stops with SystemExit: no." in text
        await pilot.press("f")
        assert pilot.app.session.cursor == pilot.app.session.trace.passes[0].stop


async def test_what_could_not_be_judged_is_asked_again(opened, text_of, mine):
    mine.write_text("raise SystemExit('no')")
    async with opened(NEURON, (120, 40), yours=Examiner(File(str(mine)))) as pilot:
        await found_by(pilot)
        mine.write_text(WRONG)
        await pilot.press("ctrl+r")
        found = await found_by(pilot)
        assert found.verdict.line == LINE


async def test_the_pane_is_closed_while_steps_are_asked(opened, text_of, examiner):
    async with opened(NEURON, (120, 40), yours=examiner) as pilot:
        await found_by(pilot)
        await pilot.press("x")
        await settled(pilot)
        text = text_of(pilot)
        assert "Yours is closed while steps are asked" in text
        assert "factor forgotten" not in text


async def test_without_a_file_there_is_no_such_pane(opened, text_of):
    async with opened(NEURON, (80, 24)) as pilot:
        assert "Yours" not in text_of(pilot)
        assert pilot.app.yours.found is None
