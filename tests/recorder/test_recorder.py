"""What the recorder sees, what it leaves alone, and when it stops."""

from __future__ import annotations

import functools
import gc
import os
import signal
import subprocess
import sys
import textwrap
import threading
import warnings
from pathlib import Path

import pytest
import torch
from torch.nn.functional import cross_entropy, softmax

import backprop_tui
from backprop_engine.basics.summary import Summary
from backprop_engine.recording.layout import FORWARD_FLAGS
from backprop_engine.recording.reader import read
from backprop_engine.recording.recording import Cleared, Pass, Recording, Update
from backprop_engine.recording.trace import trace_of
from backprop_recorder.recorder import Recorder, RecordingAlreadyError


@pytest.fixture
def path(tmp_path) -> Path:
    return Path(tmp_path, "run.bp")


def called(recording: Recording) -> list[str]:
    columns = recording.calls.columns
    return [recording.functions[number].name for number in columns["function"]]


@pytest.mark.skipif(os.name != "posix", reason="a signal of POSIX")
def test_what_a_signals_handler_raises_is_the_programs_also_while_a_call_is_told(path, monkeypatch):
    def late(*_):
        raise TimeoutError("late")

    for handler in (late, functools.partial(late, 1)):
        before = signal.signal(signal.SIGUSR1, handler)
        try:
            with Recorder(path) as recorder, monkeypatch.context() as patch:
                told = "backprop_recorder.calls.Calls.told"
                patch.setattr(told, lambda *_: signal.raise_signal(signal.SIGUSR1))
                with pytest.raises(TimeoutError):
                    torch.ones(2) * 2
        finally:
            signal.signal(signal.SIGUSR1, before)
        assert recorder.faults == []


def test_a_warning_of_torchs_names_the_line_of_the_program_each_time_that_is_another(path):
    x = torch.ones(2)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        with Recorder(path):
            x.new_tensor(x)
            for _ in range(2):
                x.new_tensor(x)
            softmax(x)
        x.new_tensor(x)
    first = test_a_warning_of_torchs_names_the_line_of_the_program_each_time_that_is_another
    line = first.__code__.co_firstlineno
    assert [(warning.filename, warning.lineno - line) for warning in caught] == [
        (__file__, 5), (__file__, 7), (__file__, 8), (__file__, 9),
    ]  # fmt: skip


def test_a_call_knows_its_line_its_part_of_it_its_name_and_how_it_is_written(path):
    x = torch.ones(3, requires_grad=True)
    with Recorder(path):
        y = torch.exp(x) / x.sum(dim=-1)
        y.sum().backward()
    recording = read(path)
    assert called(recording) == ["exp", "sum", "div", "sum"]
    text = recording.sources[__file__].splitlines()
    pieces = []
    for stack, template in zip(
        recording.calls.columns["stack"], recording.calls.columns["template"], strict=True
    ):
        site = recording.site(stack)
        assert site is not None
        pieces.append(
            (text[site.line - 1][site.column : site.end_column], recording.templates[template])
        )
    assert pieces == [
        ("torch.exp(x)", "torch.exp({0})"),
        ("x.sum(dim=-1)", "{0}.sum(dim=-1)"),
        ("torch.exp(x) / x.sum(dim=-1)", "{0} / {1}"),
        ("y.sum()", "{0}.sum()"),
    ]
    assert recording.names[0] == "x"


def test_deep_recordings_have_the_values_inside_of_calls(path):
    net, x = torch.nn.GRU(2, 3), torch.ones(4, 1, 2)
    plain = net(x)[0]
    with backprop_tui.record(path, deep=True) as recorder:
        out = net(x)[0]
        (out.tanh() * 2).sum().backward()
    assert recorder.faults == []
    assert torch.equal(out, plain)
    recording = read(path)
    names = called(recording)
    inner = recording.calls.columns["flags"] & FORWARD_FLAGS["inner"] != 0
    assert names[-4:] == ["gru", "tanh", "mul", "sum"]  # what is one kernel is told once
    assert inner[1 : len(names) - 4].all()  # after the zeros it starts with
    assert not inner[-4:].any()
    assert names.count("sigmoid_") == 8
    trace = trace_of(recording)
    gates = [n for n in trace.nodes.computed if trace.nodes.operation_name(n) == "sigmoid_"]
    assert len(gates) == 8
    assert not any(isinstance(trace.nodes.value[node], Summary) for node in gates)


def test_names_of_parameters_are_torchs_and_of_lone_layers_begin_with_the_variable(path):
    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = torch.nn.Linear(2, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.relu(self.inner(x))

    net, second = Net(), torch.nn.Linear(2, 1)
    with Recorder(path):
        second(net(torch.ones(1, 2)).detach()).sum().backward()
    (pass_,) = read(path).passes
    assert sorted(pass_.leaf_names.values()) == ["second.bias", "second.weight"]
    assert pass_.missing == ["inner.weight", "inner.bias"]
    assert [module.path for module in read(path).modules] == ["Net.inner", "Net", "Linear"]


def test_iterations_end_with_steps_or_else_with_passes(path):
    gc.collect()  # an optimiser of another test would be waited for
    w = torch.ones(2, requires_grad=True)
    with Recorder(path, iterations=2) as recorder:
        for _ in range(5):
            (w**2).sum().backward()
        assert not recorder.is_on
    assert len(read(path).passes) == 2

    optimizer = torch.optim.SGD([w], lr=0.1)
    with Recorder(path, iterations=2):
        for _ in range(5):
            optimizer.zero_grad()
            (w**2).sum().backward()
            (w**2).sum().backward()
            optimizer.step()
    kinds = [type(event) for event in read(path).events]
    assert kinds == [Cleared, Pass, Pass, Update] * 2
    assert w.grad is not None


def test_a_step_tells_how_far_the_weights_moved_and_that_gradients_were_clipped(path):
    w = torch.tensor([3.0, 4.0], requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=0.5)
    with Recorder(path):
        for limit in (None, 1.0):
            optimizer.zero_grad()
            w.pow(2).sum().backward()
            if limit is not None:
                torch.nn.utils.clip_grad_norm_([w], limit)
            optimizer.step()
    first, second = (event for event in read(path).events if isinstance(event, Update))
    assert (first.names, first.gradients, first.updates) == (["w"], [10.0], [5.0])
    assert (first.changed, second.changed) == (0, 1)
    assert first.rates == [0.5]


def test_until_nan_keeps_the_last_iterations_and_stops_there(path):
    w = torch.tensor([1.0], requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=1.0)
    stopped = []
    recorder = Recorder(path, until_nan=True, keep=2)
    recorder.on_stop = lambda: stopped.append(recorder.iteration)
    with recorder:
        for step in range(50):
            optimizer.zero_grad()
            loss = (w * 0.01).log() if step == 7 else w.sum()
            (loss * 0 if step < 7 else -loss * float("inf")).sum().backward()
            optimizer.step()
    assert stopped == [7]
    passes = read(path).passes
    assert [pass_.iteration for pass_ in passes] == [5, 6, 7]
    assert passes[-1].loss == float("inf")


def test_an_exception_is_kept_with_its_line_and_the_culprit_in_place(path):
    x = torch.ones(3, requires_grad=True)

    def program() -> None:
        y = torch.sigmoid(x)
        y.add_(1)
        y.sum().backward()

    with pytest.raises(RuntimeError, match="inplace"), Recorder(path):
        program()
    recording = read(path)
    assert recording.error is not None
    assert recording.error.type == "RuntimeError"
    site = recording.site(recording.error.stack)
    assert site is not None
    assert recording.sources[__file__].splitlines()[site.line - 1].strip() == "y.sum().backward()"
    (pass_,) = recording.passes
    assert pass_.culprit is not None
    number, saved = pass_.culprit
    assert (pass_.names[pass_.kind[number]], saved) == ("SigmoidBackward0", "result")


def test_what_an_unrecorded_thread_does_is_let_alone(path):
    def work() -> None:
        z = torch.ones(2, requires_grad=True)
        (z * 2).sum().backward()

    with Recorder(path) as recorder:
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert recorder.faults == []
    assert not read(path).passes


def test_a_second_recorder_is_refused_and_everything_is_as_before_afterwards(path, tmp_path):
    real = (
        vars(torch.autograd.Function)["apply"],
        torch.optim.Optimizer.zero_grad,
        torch.nn.TransformerEncoder.forward,
        torch.compile,
    )
    engine = torch.autograd.Variable._execution_engine
    with Recorder(path), pytest.raises(RecordingAlreadyError):
        Recorder(tmp_path / "other.bp").start()
    after = (
        vars(torch.autograd.Function)["apply"],
        torch.optim.Optimizer.zero_grad,
        torch.nn.TransformerEncoder.forward,
        torch.compile,
    )
    assert after == real
    assert torch.autograd.Variable._execution_engine is engine
    assert torch.overrides._get_current_function_mode() is None


def test_a_mistake_of_the_recorder_is_a_fault_and_no_error(path, monkeypatch):
    monkeypatch.setattr("backprop_recorder.calls.tensors_in", lambda *_: 1 / 0)
    x = torch.ones(2, requires_grad=True)
    with Recorder(path) as recorder:
        y = x * 2
        assert torch.is_grad_enabled()
    assert y.tolist() == [2.0, 2.0]
    assert "ZeroDivisionError" in recorder.faults[0]
    assert "ZeroDivisionError" in read(path).faults[0]


def test_no_tensor_is_kept_alive(path):
    def alive() -> list[torch.Tensor]:
        gc.collect()
        return [thing for thing in gc.get_objects() if type(thing) is torch.Tensor]

    net = torch.nn.Linear(3, 3)
    with Recorder(path):
        cross_entropy(net(torch.randn(2, 3)), torch.tensor([0, 1])).backward()
        before = {id(tensor): tensor for tensor in alive()}  # held, so that no id is used again
        for _ in range(3):
            cross_entropy(net(torch.randn(2, 3)), torch.tensor([0, 1])).backward()
        assert [tensor for tensor in alive() if id(tensor) not in before] == []


def test_values_beyond_the_budget_are_summaries(path):
    x = torch.arange(1000.0, requires_grad=True)
    with backprop_tui.record(path, values=0, stats="range"):
        (x * 2).sum().backward()
    recording = read(path)
    values = recording.values
    known = values.known(recording.calls.operands(0)[0])
    assert (known.shape, known.minimum, known.maximum) == ((1000,), 0.0, 999.0)
    assert known.norm == pytest.approx(float(x.detach().norm()))
    assert known.sample[:3] == (0.0, 16.0, 32.0)


PROGRAM = """
import os, signal, sys, torch
from pathlib import Path
from backprop_recorder.recorder import Recorder
w = torch.ones(2, requires_grad=True)
with Recorder(Path(sys.argv[1])):
    for step in range(4):
        (w * 2).sum().backward()
        if step == 2:
            os.kill(os.getpid(), signal.SIGKILL)
"""


def test_after_a_kill_every_finished_pass_is_readable(path):
    ended = subprocess.run([sys.executable, "-c", textwrap.dedent(PROGRAM), path], check=False)
    assert ended.returncode == -signal.SIGKILL
    recording = read(path)
    assert not recording.is_complete
    assert len(recording.passes) == 3


def test_a_forked_child_writes_nothing(path):
    x = torch.ones(2, requires_grad=True)
    with Recorder(path):
        (x * 2).sum().backward()
        child = os.fork()
        if not child:
            (x * 3).sum().backward()
            os._exit(0)
        os.waitpid(child, 0)
    assert len(read(path).passes) == 1
