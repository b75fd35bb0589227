"""Backwards of custom Functions by finite differences: wrong ones are caught, right ones not."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from backprop_engine.recording.reader import read
from backprop_recorder.differences import Probe, probed
from backprop_recorder.recorder import Recorder
from backprop_tui.cli import main

GENERATOR = torch.Generator().manual_seed(3)
CLOCK = iter(range(10_000))
KINKS = torch.tensor([[1.5, -2.0], [0.25, -1.0]])


def function(forward: Any, backward: Any) -> Any:
    """A Function of tensors that saves all of them."""

    class Made(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, *given: Any) -> Any:
            ctx.save_for_backward(*(one for one in given if isinstance(one, torch.Tensor)))
            return forward(*given)

        @staticmethod
        def backward(ctx: Any, *sent: Any) -> Any:
            return backward(*ctx.saved_tensors, *sent)

    return Made


def dropped(x: torch.Tensor) -> torch.Tensor:
    return (torch.rand(x.shape, generator=GENERATOR) < 0.5).to(x) * x


SQUARE_AND_CUBE = (
    lambda x, y: x**2 * y**3,
    lambda x, y, g: (2 * g * x * y**3, 3 * g * x**2 * y**2),
)
RIGHT = {
    "two arguments": SQUARE_AND_CUBE,
    "a number beside it": (lambda x, _, n: x**n, lambda x, _, g: (g * 3 * x**2, None, None)),
    "two outputs": (
        lambda x, y: (x * y, x.sum()),
        lambda x, y, g, h: (g * y + h, (g * x)),
    ),
    "relu": (lambda x, y: x.relu() + y, lambda x, y, g: (g * (x > 0), g)),
    "its own dtype": (
        lambda x, y: (x.float() * y.float()).to(torch.float32),
        lambda x, y, g: (g * y, g * x),
    ),
}
WRONG = {
    "no factor": (lambda x, y: x**2 * y, lambda x, y, g: (g * x * y, g * x**2), 0),
    "second argument": (lambda x, y: x * y**2, lambda x, y, g: (g * y**2, g * x * y), 1),
    "one element": (
        lambda x, y: x * y,
        lambda x, y, g: (g * y * torch.arange(x.numel()).view(x.shape).ne(2), g * x),
        0,
    ),
    "nothing sent": (lambda x, y: x * y, lambda x, y, g: (None, g * x), 0),
    "relu without its mask": (lambda x, y: x.relu() * y, lambda x, y, g: (g * y, g * x.relu()), 0),
    "an argument that does nothing": (lambda x, y: x * 2, lambda x, y, g: (2 * g, g), 1),
    "in single precision": (
        lambda x, y: (x.float() * y.float()).to(torch.float32),
        lambda x, y, g: (g * 1.5 * y, g * x),
        0,
    ),
}
UNKNOWN = {
    "straight through": (lambda x, y: x.round() + y, lambda x, y, g: (g, g), "no slope but jumps"),
    "at a kink": (lambda x, y: (x - KINKS).abs() + y, lambda x, y, g: (g, g), "kinks"),
    "other each time": (lambda x, y: x * next(CLOCK), lambda x, y, g: (g, g), "same twice"),
    "not finite": (lambda x, y: (x / 0).exp(), lambda x, y, g: (g, g), "not finite"),
    "an error": (lambda x, y: x * 1, lambda x, y, g: (g, g, g), "called again"),
}


def checked(path: Path, made: Any, *more: Any, size: int = 4) -> tuple[Recorder, list[Any]]:
    x = KINKS.repeat(1, size // 4).requires_grad_()
    y = torch.linspace(-1, 2, size).view(2, -1).requires_grad_()
    with Recorder(path, check_functions=True) as recorder:
        made.apply(x, y, *more)
    assert recorder.faults == []
    return recorder, read(path).function_checks


@pytest.fixture
def path(tmp_path) -> Path:
    return Path(tmp_path, "run.bp")


@pytest.mark.parametrize("name", RIGHT)
@pytest.mark.parametrize("size", [4, 80])
def test_a_right_backward_is_never_blamed(path, name, size):
    more = (3,) if name == "a number beside it" else ()
    _, checks = checked(path, function(*RIGHT[name]), *more, size=size)
    verdicts = {check.argument: check.verdict for check in checks}
    assert verdicts[0] == "agree"
    assert "differ" not in verdicts.values()


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("size", [4, 80])
def test_a_wrong_backward_is_caught(path, name, size):
    forward, backward, argument = WRONG[name]
    _, checks = checked(path, function(forward, backward), size=size)
    if name == "one element" and size > 4:
        return  # found by a direction through all of them, or not: below
    assert [check.argument for check in checks if check.verdict == "differ"] == [argument]


def test_one_wrong_element_of_many_is_found_by_name(path):
    forward, backward, _ = WRONG["one element"]
    _, checks = checked(path, function(forward, backward), size=80)
    assert checks[0].verdict == "differ"
    assert checks[0].element == (0, 2)
    assert checks[0].backward == 0


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_cannot_be_told_is_unknown_with_its_reason(path, name):
    forward, backward, reason = UNKNOWN[name]
    _, checks = checked(path, function(forward, backward))
    assert checks[0].verdict == "unknown"
    assert reason in checks[0].reason


def test_the_program_sees_nothing_of_it(path, capsys):
    made = function(
        lambda x, y: print("here") or dropped(x) + torch.rand(()) + random.random() + y,
        lambda x, y, g: (print("there") or g, g),
    )
    states = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()
    x = torch.ones(3, requires_grad=True)
    with Recorder(path, check_functions=True) as recorder:
        made.apply(x, x)
        after = torch.get_rng_state(), random.getstate(), GENERATOR.get_state()
    assert capsys.readouterr().out == "here\n"
    assert not torch.equal(states[0], after[0])
    assert torch.equal(after[0], torch.get_rng_state())
    assert after[1] == random.getstate()
    assert torch.equal(after[2], GENERATOR.get_state())
    assert x.grad is None
    assert torch.is_grad_enabled()
    assert f"checked by {recorder.functions.calls} calls more" in recorder.functions.cost


def test_what_it_changes_in_place_is_a_copy(path):
    class Doubled(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.mark_dirty(x)
            return x.mul_(2)

        @staticmethod
        def backward(ctx: Any, sent: Any) -> Any:
            return sent * 2

    x = torch.ones(3, requires_grad=True)
    with Recorder(path, check_functions=True) as recorder:
        y = x * 1
        Doubled.apply(y)
    assert recorder.faults == []
    assert y.tolist() == [2.0] * 3
    assert [check.verdict for check in read(path).function_checks] == ["agree"]


def test_check_tells_where_and_by_how_much(path, capsys):
    forward, backward, _ = WRONG["no factor"]
    checked(path, function(forward, backward))
    assert main(["check", str(path)]) == 1
    printed = capsys.readouterr().out
    assert "test_functions.py:" in printed
    assert "Made.backward: by argument 0 at [0, 0] it has" in printed
    assert main(["check", str(path), "--json"]) == 1
    assert '"verified": {"agree": 1, "differ": 1, "unknown": 0}' in capsys.readouterr().out


def test_without_being_asked_nothing_is_called(path):
    calls = []
    made = function(lambda x, y: calls.append(1) or x * y, lambda x, y, g: (g, g))
    x = torch.ones(3, requires_grad=True)
    with Recorder(path):
        made.apply(x, x)
    assert calls == [1]
    assert read(path).function_checks == []


@given(st.lists(st.floats(-4, 4), min_size=1, max_size=5), st.sampled_from([0.0, 1e-3, 0.5, -2.0]))
@settings(max_examples=60, deadline=None)
def test_the_gradient_of_a_smooth_function_agrees_and_one_that_is_off_differs(point, off):
    array = np.array(point)

    def smooth(x: np.ndarray) -> tuple[float, float]:
        terms = np.sin(x) + x * 3
        return float(terms.sum()), float(np.abs(terms).sum())

    gradient = (np.cos(array) + 3) * (1 + off)
    found = probed(Probe(smooth, array, gradient, is_wide=True, deadline=float("inf")))
    assert found.word == ("differ" if off else "agree")
