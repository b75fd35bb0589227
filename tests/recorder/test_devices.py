"""On a device nothing is waited for at a node: its figures come in one copy."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from backprop_engine.basics.summary import Summary
from backprop_engine.recording.reader import read
from backprop_engine.recording.values import Values
from backprop_recorder.recorder import Recorder

WAITING = ("item", "tolist", "__float__", "__int__", "__bool__", "__index__")
"""What waits for a device, and `cpu`, which copies from it."""


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """All memory is that of a device; how often it was waited for, and how."""
    counted: Counter[str] = Counter()
    copied: dict[int, torch.Tensor] = {}
    copy, as_array = torch.Tensor.cpu, torch.Tensor.numpy

    def cpu(tensor: torch.Tensor) -> torch.Tensor:
        counted["cpu"] += 1
        copied[id(tensor)] = found = copy(tensor).clone()
        copied[id(found)] = found
        return found

    def numpy(tensor: torch.Tensor) -> np.ndarray:
        if id(tensor) not in copied:
            raise TypeError("can't convert a device tensor to numpy")
        return as_array(tensor)

    def counting(name: str) -> Any:
        real = getattr(torch.Tensor, name)

        def method(tensor: torch.Tensor, *args: Any) -> Any:
            counted[name] += 1
            return real(tensor, *args)

        return method

    for name in WAITING:
        monkeypatch.setattr(torch.Tensor, name, counting(name))
    monkeypatch.setattr(torch.Tensor, "is_cpu", property(lambda _: False))
    monkeypatch.setattr(torch.Tensor, "cpu", cpu)
    monkeypatch.setattr(torch.Tensor, "numpy", numpy)
    return counted


def train(path: Path, layers: int, iterations: int = 1, values: float = 64) -> Recorder:
    """A recording of a net whose values are numbers, small, whole and summed up."""
    torch.manual_seed(0)
    net = nn.Sequential(*[nn.Sequential(nn.Linear(40, 40), nn.Tanh()) for _ in range(layers)])
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    x = torch.randn(7, 40)
    with Recorder(path, values=values) as recorder:
        for _ in range(iterations):
            optimizer.zero_grad()
            y = net(x)
            loss = (y[:, :3].t() ** 2).sum() * y[0, 0] + y.bfloat16().float().mean()
            loss.backward()
            optimizer.step()
    return recorder


def test_a_device_is_not_waited_for_at_a_node(tmp_path: Path, waits: Counter[str]) -> None:
    found = []
    for layers in (2, 12):
        waits.clear()
        assert train(tmp_path / "run.bp", layers).faults == []
        found.append(dict(waits))
    assert found[0] == found[1]
    assert 0 < sum(found[0].values()) < 12


@pytest.mark.parametrize("values", [64, 0])
def test_what_comes_from_a_device_is_what_is_there(tmp_path, request, values):
    assert train(tmp_path / "host.bp", 3, 2, values).faults == []
    request.getfixturevalue("waits")
    assert train(tmp_path / "device.bp", 3, 2, values).faults == []
    request.getfixturevalue("monkeypatch").undo()
    host, device = (read(tmp_path / name).values for name in ("host.bp", "device.bp"))
    assert host.count == device.count
    np.testing.assert_array_equal(host.kind, device.kind)
    np.testing.assert_allclose(host.norm, device.norm, rtol=1e-5)
    for number in range(host.count):
        whole, taken = host.array(number), device.array(number)
        assert (whole is None) == (taken is None)
        np.testing.assert_array_equal(whole, taken)
    samples = [(sample(host, number), sample(device, number)) for number in range(host.count)]
    assert all(found in (there, ()) for there, found in samples)
    lost = sum(there != found for there, found in samples)
    assert lost <= 2 * 3 * 2  # the gradient of a weight is transposed: no elements for a copy


def sample(values: Values, number: int) -> tuple[float, ...]:
    """The elements of a summary; none of other values."""
    known = values.known(number)
    return known.sample if isinstance(known, Summary) else ()


@pytest.mark.parametrize("is_held", [True, False], ids=["held", "gone"])
@pytest.mark.parametrize("budget", [64, 0])
def test_nan_on_a_device_is_noticed_at_the_end_of_the_pass(tmp_path, waits, is_held, budget):
    x = torch.full((100,), -1.0, requires_grad=True)
    stopped = []
    recorder = Recorder(tmp_path / "run.bp", until_nan=True, values=budget)
    recorder.on_stop = lambda: stopped.append(True)
    with recorder:
        with torch.no_grad():
            logarithm = torch.log(x)
            if not is_held:
                del logarithm
        (x * 2).sum().backward()
    assert recorder.faults == []
    assert stopped
    assert waits["cpu"] < 4
    values = read(tmp_path / "run.bp").values
    (number,) = np.flatnonzero(values.are_spoilt)
    if budget or is_held:
        assert np.isnan(values.array(number)).all()
    else:
        assert values.known(number).nans == 1
