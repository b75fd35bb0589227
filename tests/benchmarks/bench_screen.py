"""The screen: how soon it is there, how fast it answers, and whether torch makes it wait."""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import pexpect
import pytest
from tests.benchmarks.conftest import ROOT
from tests.benchmarks.networks import Absent, chain, record
from tests.recorder.chains import write_chain

from backprop_engine.trace import Trace
from backprop_tui.app.app import DebuggerApp

HERE = Path(__file__).parent
pytestmark = pytest.mark.timeout(900)
KEYS = 20
COMPILED = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
"""An environment in which modules are compiled once, as they are for everybody."""


def until(text: str, *command: str) -> float:
    """Seconds from the start of a program on a terminal to the first sight of `text`."""
    start = time.monotonic()
    child = pexpect.spawn(
        sys.executable,
        list(command),
        dimensions=(40, 120),
        cwd=str(ROOT),
        timeout=60,
        env=COMPILED,
    )
    child.expect_exact(text)
    took = time.monotonic() - start
    child.close(force=True)
    return took


def test_the_first_row_of_the_graph(table: Any) -> None:
    """In: all from the start of the interpreter on. Out: compiling, and torch's answer."""
    ours = ("-m", "backprop_tui", "scenarios/basic.yaml")
    empty = (str(HERE / "empty_app.py"),)
    ratios = [until("AddBackward0", *ours) / until("empty", *empty) for _ in range(9)]
    table.bounded(
        "first row of the graph", "an empty Textual app", statistics.median(ratios), at_most=1.6
    )


def test_a_recording_of_300_000_nodes_to_the_first_frame(table: Any, tmp_path: Path) -> None:
    path = write_chain(tmp_path / "chain.bp", 300_000)
    took = [until("about to run", "-m", "backprop_tui", str(path)) for _ in range(5)]
    table.bounded(
        "first frame of 300,000 recorded nodes",
        "–",
        statistics.median(took),
        at_most=1.5,
        unit=" s",
    )


def test_the_worst_stall_while_torch_starts(table: Any) -> None:
    """In: all from the first frame to torch's answer, which must come. Out: the first frame."""
    stalls = []
    for _ in range(5):
        child = pexpect.spawn(
            sys.executable, [str(HERE / "heartbeat.py")], dimensions=(40, 120), cwd=str(ROOT)
        )
        child.expect(r"worst stall: (\d+) ms", timeout=60)
        stalls.append(int(child.match.group(1)))
        child.close(force=True)
    table.bounded(
        "worst stall while torch starts", "–", statistics.median(stalls), at_most=100, unit=" ms"
    )


def typed(scenario: str, what: str, tmp_path: Path) -> list[float]:
    """What `typist` has measured."""
    answer = tmp_path / "measured.json"
    child = pexpect.spawn(
        sys.executable,
        [str(HERE / "typist.py"), scenario, what, str(answer)],
        dimensions=(40, 120),
        cwd=str(ROOT),
        timeout=120,
        env={**COMPILED, "XDG_STATE_HOME": str(tmp_path)},
    )
    child.expect(pexpect.EOF)
    child.close(force=True)
    figures: list[float] = json.loads(answer.read_text())
    return figures


def test_a_letter_typed_into_search(table: Any, tmp_path: Path) -> None:
    letters = [typed("scenarios/large/moons.yaml", "letters", tmp_path) for _ in range(3)]
    table.bounded(
        "a letter typed into search, moons",
        "–",
        statistics.median([letter for row in letters for letter in row]),
        at_most=50,
        unit=" ms",
    )


def test_the_bytes_of_a_step(table: Any, tmp_path: Path) -> None:
    steps = [size / 1000 for size in typed("scenarios/basic.yaml", "steps", tmp_path)]
    row = "a step's bytes to the terminal, basic at 120×40"
    table.bounded(f"{row}: median", "–", statistics.median(steps), at_most=6, unit=" kB")
    table.bounded(f"{row}: largest", "–", max(steps), at_most=12, unit=" kB")


async def _cpu_of_a_key(trace: Trace) -> float:
    """CPU seconds from a key to the frame that shows it."""
    app = DebuggerApp(trace, oracle=Absent())
    async with app.run_test(size=(120, 40)) as pilot:
        await app.workers.wait_for_complete()
        await pilot.press("f", "s", "s")
        start = time.process_time()
        for _ in range(KEYS):
            await pilot.press("s", "S")
        return (time.process_time() - start) / (2 * KEYS)


async def test_a_key_to_its_frame(table: Any) -> None:
    large, small = (record(chain, length) for length in (500_000, 5))
    ratios = [await _cpu_of_a_key(large) / await _cpu_of_a_key(small) for _ in range(3)]
    table.bounded(
        f"a key to its frame, {len(large.nodes):,} nodes",
        f"{len(small.nodes)} nodes",
        statistics.median(ratios),
        at_most=1.5,
    )
