"""What recording a training step costs, beside torch's own anomaly mode and TorchLens."""

from __future__ import annotations

import importlib.util
import os
import statistics
import subprocess
import sys
import sysconfig
import time
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.benchmarks import training
from torch import nn

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
ROOT = Path(__file__).parents[2]
TORCHLENS = "torchlens"
"""Of no use to the project but for its row: who wants that installs it."""
PEAK = """
import sys
from contextlib import nullcontext
from pathlib import Path
import torch
from tests.benchmarks import training
torch.set_num_threads(1)
step = training.ALL[sys.argv[1]]()
recording = nullcontext()
if sys.argv[2:]:
    from backprop_recorder.recorder import Recorder
    recording = Recorder(Path(sys.argv[2]))
with recording:
    for _ in range(5):
        step()
status = Path("/proc/self/status").read_text()
print(status.partition("VmHWM:")[2].split()[0])
"""
pytestmark = pytest.mark.timeout(900)


@pytest.fixture(autouse=True)
def _one_thread() -> Any:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def _seconds(step: Callable[[], Any], times: int = STEPS) -> float:
    start = time.process_time()
    for _ in range(times):
        step()
    return time.process_time() - start


@pytest.mark.parametrize("name", GOALS)
def test_recording_beside_plain(table: Any, name: str, tmp_path: Path) -> None:
    step = training.ALL[name]()
    # Pytest, which calls the step, is no part of the program: its text would be most of the file.
    recorder = partial(Recorder, tmp_path / "run.bp", own=sysconfig.get_path("purelib"))
    contexts: dict[str, Callable[[], AbstractContextManager[Any]]] = {
        "recorded": recorder,
        "recorded, --values 0": partial(recorder, values=0),
        "detect_anomaly": lambda: torch.autograd.set_detect_anomaly(mode=True),
    }
    ratios: dict[str, list[float]] = {what: [] for what in contexts}
    _seconds(step)
    for _ in range(ROUNDS):
        plain = _seconds(step)
        for what, context in contexts.items():
            with context():
                ratios[what].append(_seconds(step) / plain)
    for what, found in ratios.items():
        ratio, goal = statistics.median(found), GOALS[name]
        is_ours = what.startswith("recorded")
        wanted = f"≤ {goal:g}× as long" if is_ours else "–"
        table.add(f"a training step, {name}", what, ratio, wanted, not is_ours or ratio <= goal)
    recording = read(tmp_path / "run.bp")  # of the last one, without whole values
    nodes = sum(len(pass_.kind) for pass_ in recording.passes)
    size = (tmp_path / "run.bp").stat().st_size / nodes
    table.add(f"bytes a node, {name}", "1 byte", size, "≤ 1,300", size <= 1300)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="asks Linux for the peak")
@pytest.mark.parametrize("name", GOALS)
def test_peak_memory_beside_plain(table: Any, name: str, tmp_path: Path) -> None:
    ratios = [_peak(name, str(tmp_path / "run.bp")) / _peak(name) for _ in range(3)]
    ratio = statistics.median(ratios)
    table.add(f"peak memory, {name}", "not recorded", ratio, "≤ 1.05×", ratio <= 1.05)


def _peak(*arguments: str) -> float:
    """What a process of its own has in memory at most while it trains, in kilobytes."""
    one_thread = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", PEAK, *arguments],
        cwd=ROOT, env={**os.environ, **one_thread}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return float(done.stdout)


class _WithLoss(nn.Module):
    """A net whose output is the loss: TorchLens follows one module."""

    def __init__(self, step: training.Training) -> None:
        super().__init__()
        self.net, self.loss = step.net, step.loss

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.loss(x)


@pytest.mark.parametrize("name", [name for name in GOALS if name != "scalars"])
def test_torchlens_beside_plain(table: Any, name: str) -> None:
    what = f"a training step, {name}"
    if importlib.util.find_spec(TORCHLENS) is None:
        table.add(what, "TorchLens: not installed", float("nan"), "–", reached=True)
        return
    step = training.ALL[name]()
    assert isinstance(step, training.Training)
    lens: Any = importlib.import_module(TORCHLENS)
    whole = _WithLoss(step)
    capture = lens.options.CaptureOptions(backward_ready=True, save_grads=True)

    def followed() -> None:
        step.optimizer.zero_grad()
        trace = lens.trace(whole, step.x, capture=capture)
        trace.log_backward(trace[trace.output_layers[0]].out)
        step.optimizer.step()

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _seconds(step)
        ratios = [_seconds(followed, 1) * STEPS / _seconds(step) for _ in range(3)]
    table.add(what, "TorchLens", statistics.median(ratios), "–", reached=True)
