"""Fake oracles, and the app opened on a lesson without a terminal and without torch."""

# ruff: noqa: E402 - Textual reads its environment when it is imported, so that is cleared first

from __future__ import annotations

import os

for _variable in (
    "NO_COLOR",
    "TEXTUAL_THEME",
    "TEXTUAL_COLOR_SYSTEM",
    "TEXTUAL_ANIMATIONS",
    "LC_ALL",
):
    # Each of them would change what is drawn.
    os.environ.pop(_variable, None)
os.environ["TEXTUAL_ANIMATIONS"] = "none"

import asyncio
import gc
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Event

import pytest
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode
from tests.tui.stillness import (
    PATIENCE,
    KnownThread,
    StillLoop,
    draw_frame,
    frames_are_due,
    nobody_waits,
    patient,
    stand_still,
)
from textual._context import active_app
from textual.css.model import RuleSet
from textual.css.stylesheet import Stylesheet
from textual.pilot import Pilot

from backprop_engine.basics.values import in_full, kept
from backprop_engine.run.tape import graph_of
from backprop_engine.trace import Trace
from backprop_tui.app.app import DebuggerApp
from backprop_tui.app.oracle_desk import AsksSympy, AsksTorch
from backprop_tui.app.yours_desk import Examines
from backprop_tui.opening.targets import Target
from backprop_tui.oracles.answering import LOG
from backprop_tui.oracles.report import Failed, Ready, TorchReport
from backprop_tui.oracles.sympy.protocol import not_applicable
from backprop_tui.oracles.sympy.report import (
    Function,
    Mathematics,
    Partial,
    SymbolicAnswer,
    SymbolicReport,
)
from backprop_tui.view.glyphs import UNICODE, Glyphs

LESSONS = Path(__file__).parent / "lessons"

Opener = Callable[..., AbstractAsyncContextManager[Pilot[None]]]


def report_like(trace: Trace) -> TorchReport:
    """What torch would report if it computed just as we do."""
    graph_of(trace)  # what has none is asked for nothing
    sent = {step: in_full(one) for step, one in enumerate(trace.contributions) if one is not None}
    totals = {step: in_full(one) for step, one in enumerate(trace.totals) if one is not None}
    backward = [pass_ for pass_ in trace.passes if pass_.output is not None]
    return TorchReport(
        version="2.13.0+cpu",
        values=dict(enumerate(graph_of(trace).value)),
        grad_fns={node: graph_of(trace).grad_fn(node) for node in range(len(graph_of(trace)))},
        contributions=sent,
        joints={},
        totals=totals,
        gradients={
            one.index: {int(trace.receivers[at]): totals[at] for at in range(one.start, one.stop)}
            for one in backward
        },
        grads={
            pass_.index: {node: kept(grad) for node, grad in pass_.grads.items()}
            for pass_ in trace.passes
            if pass_.grads is not None
        },
    )


class Agreeing:
    """An oracle that finds nothing to object to."""

    closed = False

    def ask(self, trace: Trace) -> Ready[TorchReport] | Failed:
        return Ready(report_like(trace))

    def close(self) -> None:
        self.closed = True


class Missing(Agreeing):
    """An oracle without torch."""

    def ask(self, trace: Trace) -> Ready[TorchReport] | Failed:
        return Failed("PyTorch is not installed.", "`pip install torch` brings it.")


class Slow(Agreeing):
    """An oracle that answers only when it is closed."""

    def __init__(self) -> None:
        self._end = Event()

    def ask(self, trace: Trace) -> Ready[TorchReport] | Failed:
        with nobody_waits():
            self._end.wait(PATIENCE)
        return Failed("closed", "")

    def close(self) -> None:
        self._end.set()


class Disagreeing(Agreeing):
    """An oracle that finds one contribution off: that of the last step."""

    def ask(self, trace: Trace) -> Ready[TorchReport] | Failed:
        report, last = report_like(trace), len(trace) - 1
        sent = {**report.contributions, last: report.contributions[last] + 0.5}
        totals = {**report.totals, last: report.totals[last] + 0.5}
        return Ready(replace(report, contributions=sent, totals=totals))


class Formulas:
    """A symbolic oracle that knows two functions, and what it was asked."""

    version = "1.14.0"

    def __init__(self, answer: SymbolicAnswer | None = None) -> None:
        self.asked: list[Trace] = []
        self._answer = answer

    def ask(self, trace: Trace) -> SymbolicAnswer:
        self.asked.append(trace)
        refusal = not_applicable(trace)
        return self._answer or refusal or Ready(self._report(trace))

    def _report(self, trace: Trace) -> SymbolicReport:
        (output,) = {pass_.output for pass_ in trace.passes if pass_.output is not None}
        names = [name for name, node in graph_of(trace).inputs.items()]
        partials = {
            graph_of(trace).inputs["x"]: Partial(Mathematics("2x + 3", ""), 7.0, 7.0),
        }
        if "z" in names:
            partials = {
                graph_of(trace).inputs["x"]: Partial(Mathematics("z²/(x + z)²", ""), 0.36, 0.36),
                graph_of(trace).inputs["z"]: Partial(Mathematics("x²/(x + z)²", ""), 0.16, 0.16),
            }
        text = "x·z/(x + z)" if "z" in names else "x² + 3x + 1"
        function = Function(
            arguments=tuple(graph_of(trace).inputs.values()),
            expression=Mathematics(text, ""),
            value=float(graph_of(trace).value[output]),
            partials=partials,
        )
        return SymbolicReport(self.version, {output: function})

    def close(self) -> None:
        pass


class SlowFormulas(Formulas):
    """A symbolic oracle that answers only when it is closed."""

    def __init__(self) -> None:
        super().__init__()
        self._end = Event()

    def ask(self, trace: Trace) -> SymbolicAnswer:
        with nobody_waits():
            self._end.wait(PATIENCE)
        return Failed("closed", "")

    def close(self) -> None:
        self._end.set()


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Tests of the screen run in a loop that can be waited for."""
    return {"still": StillLoop}


class _Collector:
    """The collector, which looks at young objects only."""

    freeze, unfreeze = staticmethod(gc.freeze), staticmethod(gc.unfreeze)
    get_freeze_count, collect = (
        staticmethod(gc.get_freeze_count),
        staticmethod(partial(gc.collect, 0)),
    )


@pytest.fixture(autouse=True)
def _waits_for_stillness(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """`press`, `pause`, `click` and the like return when the app stands still.

    Where a test is about whatever may be drawn (`every_frame`), the frame is drawn then.
    """
    draws_all = "every_frame" in request.fixturenames

    async def wait(*_: float) -> None:
        await stand_still(active_app.get())
        if draws_all:
            draw_frame(active_app.get())

    for module in ("textual.pilot", "textual.app"):
        monkeypatch.setattr(f"{module}.wait_for_idle", wait)
    monkeypatch.setattr("backprop_tui.app.soon.Thread", KnownThread)
    # What an earlier scenario of the app has left is collected; here that of all tests so far.
    monkeypatch.setattr("backprop_tui.app.opening_desk.gc", _Collector)
    patient(monkeypatch)
    frames_are_due(monkeypatch)


@pytest.fixture
def every_frame() -> None:
    """Each frame is drawn, though nobody looks at it."""


_parsed: dict[tuple[object, ...], list[RuleSet]] = {}
_parse_rules = Stylesheet._parse_rules


def _parse_once(sheet: Stylesheet, css: str, *told: object, **named: object) -> list[RuleSet]:
    key = frozenset(sheet._variables.items()), css, told, frozenset(named.items())
    if key not in _parsed:
        _parsed[key] = _parse_rules(sheet, css, *told, **named)  # type: ignore[arg-type]
    return _parsed[key]


@pytest.fixture(autouse=True)
def _style_sheets_are_parsed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not by each app anew, which is a good part of opening one."""
    monkeypatch.setattr(Stylesheet, "_parse_rules", _parse_once)


class _Kept(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.fixture(autouse=True)
def faults() -> Iterator[list[logging.LogRecord]]:
    """What a pane, an oracle or a reader has raised: told on the screen, and wrong in any test."""
    kept = _Kept()
    LOG.addHandler(kept)
    yield kept.records
    LOG.removeHandler(kept)
    assert not [logging.Formatter().format(record) for record in kept.records]


@pytest.fixture(autouse=True)
def _in_the_lessons(monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths on the screen are as given, so they are given without this machine's folders."""
    monkeypatch.chdir(LESSONS)


@pytest.fixture
def opened() -> Opener:
    """`async with opened("basic.yaml", (80, 24)) as pilot` runs the app, all workers done."""

    @asynccontextmanager
    async def open_app(
        target: str | Target = "basic.yaml",
        size: tuple[int, int] = (80, 24),
        oracle: AsksTorch | None = None,
        glyphs: Glyphs = UNICODE,
        symbolic: AsksSympy | None = None,
        yours: Examines | None = None,
    ) -> AsyncIterator[Pilot[None]]:
        where = Path(target) if isinstance(target, str) else target
        torch, sympy = oracle or Agreeing(), symbolic or Formulas()
        app = DebuggerApp(where, oracle=torch, symbolic=sympy, glyphs=glyphs, yours=yours)
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            yield pilot
            draw_frame(app)

    return open_app


@pytest.fixture
def text_of() -> Callable[[Pilot[None]], str]:
    """What stands on the screen, line by line."""

    def text(pilot: Pilot[None]) -> str:
        strips = pilot.app.screen._compositor.render_strips()
        return "\n".join(strip.text.rstrip() for strip in strips)

    return text


class SvgExtension(SingleFileSnapshotExtension):
    """A picture of the screen, a file for each."""

    file_extension = "svg"
    _write_mode = WriteMode.TEXT


class TextExtension(SingleFileSnapshotExtension):
    """The screen as plain text."""

    file_extension = "txt"
    _write_mode = WriteMode.TEXT


@pytest.fixture
def svg(snapshot: SnapshotAssertion) -> SnapshotAssertion:
    return snapshot.use_extension(SvgExtension)


@pytest.fixture
def txt(snapshot: SnapshotAssertion) -> SnapshotAssertion:
    return snapshot.use_extension(TextExtension)


@pytest.fixture
def agreeing() -> Agreeing:
    return Agreeing()


@pytest.fixture
def missing() -> Missing:
    return Missing()


@pytest.fixture
def slow() -> Slow:
    return Slow()


@pytest.fixture
def disagreeing() -> Disagreeing:
    return Disagreeing()


@pytest.fixture
def formulas() -> Formulas:
    return Formulas()


@pytest.fixture
def slow_formulas() -> SlowFormulas:
    return SlowFormulas()
