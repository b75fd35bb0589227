"""`backprop_tui.step(loss)`: on a terminal, in a notebook, and where there is neither."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

import backprop_tui
from backprop_engine.recording.reader import read
from backprop_engine.recording.trace import trace_of


@pytest.fixture
def loss(tmp_path, monkeypatch) -> torch.Tensor:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    weight = torch.tensor([1.0, 2.0], requires_grad=True)
    hidden = weight * 3
    return (hidden * hidden).sum()


def kept(tmp_path: Path) -> list[Path]:
    return list(tmp_path.glob("backprop-tui-*/step.bp"))


def test_without_a_terminal_a_line_says_where_it_is_recorded(tmp_path, loss, capsys, monkeypatch):
    assert backprop_tui.step(loss) is None
    (path,) = kept(tmp_path)
    assert f"open it with: backprop-tui {path}" in capsys.readouterr().err


def test_the_pass_is_that_of_backward_and_variables_that_are_there_have_names(tmp_path, loss):
    weight = torch.tensor([1.0, 2.0], requires_grad=True)
    hidden = weight * 3
    total = (hidden * hidden).sum()
    backprop_tui.step(total, torch.tensor(2.0))
    assert weight.grad is not None
    assert weight.grad.tolist() == [36.0, 72.0]
    (path,) = kept(tmp_path)
    recording = read(path)
    trace = trace_of(recording)
    assert {"weight", "hidden", "total"} <= set(trace.names)
    assert trace.nodes.value[trace.names["hidden"]].tolist() == [3.0, 6.0]
    (site,) = {recording.site(pass_.stack) for pass_ in recording.passes}
    assert site is not None
    assert Path(site.file).name == Path(__file__).name


def test_on_a_terminal_the_debugger_is_opened_and_nothing_is_left(tmp_path, loss, monkeypatch):
    opened = []

    def run(command: list[str], **_: object) -> None:
        opened.append((command[1:3], read(Path(command[3])).is_complete))

    monkeypatch.setattr("subprocess.run", run)
    for stream in ("stdin", "stdout"):
        monkeypatch.setattr(getattr(sys, stream), "isatty", lambda: True)
    assert backprop_tui.step(loss) is None
    assert opened == [(["-m", "backprop_tui"], True)]
    assert not kept(tmp_path)


def test_in_a_notebook_the_steps_are_returned(tmp_path, loss, monkeypatch):
    shell = SimpleNamespace(kernel=object())
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    told = backprop_tui.step(loss)
    assert "backward loss" in repr(told)
    assert "<pre" in told._repr_html_()
    assert not kept(tmp_path)


def test_what_backward_raises_is_shown_and_raised(tmp_path, loss, capsys):
    loss.backward()
    with pytest.raises(RuntimeError, match="second time"):
        backprop_tui.step(loss)
    assert read(kept(tmp_path)[0]).error is not None


def test_inside_of_a_recording_it_is_a_pass_of_that(tmp_path, loss, capsys):
    with backprop_tui.record(tmp_path / "run.bp"):
        backprop_tui.step(loss)
    assert len(read(tmp_path / "run.bp").passes) == 1
    assert "this pass is part of it" in capsys.readouterr().err
    assert not kept(tmp_path)
