"""What recording a training step costs, beside torch's own anomaly mode."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.benchmarks import training

from backprop_engine.recording.reader import read
from backprop_recorder.recorder import Recorder

GOALS = {
    "MLP 1024×6": 1.25,
    "GPT stack 6×384×128": 1.25,
    "ResNet-18": 1.5,
    "LSTMCell × 200": 2.2,
    "scalars": 5.0,
}
STEPS, ROUNDS = 3, 5
pytestmark = pytest.mark.timeout(900)


def _seconds(step: Callable[[], Any]) -> float:
    start = time.process_time()
    for _ in range(STEPS):
        step()
    return time.process_time() - start


@pytest.mark.parametrize("name", GOALS)
def test_recording_beside_plain(table: Any, name: str, tmp_path: Path) -> None:
    step = training.ALL[name]()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    contexts: dict[str, Callable[[], AbstractContextManager[Any]]] = {
        "recorded": lambda: Recorder(tmp_path / "run.bp"),
        "recorded, --values 0": lambda: Recorder(tmp_path / "run.bp", values=0),
        "detect_anomaly": lambda: torch.autograd.set_detect_anomaly(mode=True),
    }
    ratios: dict[str, list[float]] = {what: [] for what in contexts}
    try:
        _seconds(step)
        for _ in range(ROUNDS):
            plain = _seconds(step)
            for what, context in contexts.items():
                with context():
                    ratios[what].append(_seconds(step) / plain)
    finally:
        torch.set_num_threads(threads)
    for what, found in ratios.items():
        ratio, goal = statistics.median(found), GOALS[name]
        is_ours = what.startswith("recorded")
        wanted = f"≤ {goal:g}× as long" if is_ours else "–"
        table.add(f"a training step, {name}", what, ratio, wanted, not is_ours or ratio <= goal)
    recording = read(tmp_path / "run.bp")  # of the last one, without whole values
    nodes = sum(len(pass_.kind) for pass_ in recording.passes)
    size = (tmp_path / "run.bp").stat().st_size / nodes
    table.add(f"bytes a node, {name}", "1 byte", size, "≤ 1,300", size <= 1300)
