"""One forward and backward pass of a scalar network: ours, micrograd's and torch's.

The same Python function runs on three kinds of number. Ours writes down a scenario, and the
figure is that of `record`, which keeps every contribution for the debugger; the other two keep
none. Parsing the scenario is not in the figure, as compiling Python is not in theirs.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from micrograd.engine import Value
from pytest_benchmark.fixture import BenchmarkFixture

from backprop_engine.record import record
from backprop_engine.scenarios.loader import parse_document
from backprop_engine.source import Source

SAMPLES, HIDDEN = 100, 16
_random = random.Random(0)
WEIGHTS = [_random.uniform(-1, 1) for _ in range(4 * HIDDEN)]
POINTS = [(_random.uniform(-1, 1), _random.uniform(-1, 1)) for _ in range(SAMPLES)]
ROUNDS = 7


def loss(weights: Sequence[Any]) -> Any:
    """The squared error of a network with two inputs and one hidden layer, number by number."""
    total = weights[0] * 0.0
    for a, b in POINTS:
        output = weights[0] * 0.0
        for unit in range(HIDDEN):
            left, right, bias, out = weights[4 * unit : 4 * unit + 4]
            output = output + (left * a + right * b + bias).relu() * out
        total = total + (output + -a * b) ** 2
    return total


class Written:
    """A number that writes down each operation on it as a statement of a scenario."""

    def __init__(self, text: str, statements: list[str]) -> None:
        self.text = text
        self.statements = statements

    def _then(self, expression: str) -> Written:
        self.statements.append(f"v{len(self.statements)} = {expression}")
        return Written(f"v{len(self.statements) - 1}", self.statements)

    def __add__(self, other: Written | float) -> Written:
        return self._then(f"{self.text} + {getattr(other, 'text', other)}")

    def __mul__(self, other: Written | float) -> Written:
        return self._then(f"{self.text} * {getattr(other, 'text', other)}")

    def __pow__(self, exponent: float) -> Written:
        return self._then(f"{self.text} ** {exponent}")

    def relu(self) -> Written:
        return self._then(f"relu({self.text})")


def ours() -> Callable[[], list[float]]:
    statements: list[str] = []
    names = [f"w{index}" for index in range(len(WEIGHTS))]
    loss([Written(name, statements) for name in names])
    inputs = "".join(f"  {n}: {w!r}\n" for n, w in zip(names, WEIGHTS, strict=True))
    compute = "".join(f"  {statement}\n" for statement in statements)
    scenario = parse_document(Source("bench", f"inputs:\n{inputs}compute: |\n{compute}"))

    def run() -> list[float]:
        trace = record(scenario)
        grads = trace.passes[-1].grads or {}
        return [grads[trace.graph.inputs[name]] for name in names]  # type: ignore[misc] # scalars

    return run


def micrograd() -> list[float]:
    weights = [Value(one) for one in WEIGHTS]
    loss(weights).backward()
    return [one.grad for one in weights]


def torch_scalars() -> list[float]:
    weights = [torch.tensor(one, dtype=torch.float64, requires_grad=True) for one in WEIGHTS]
    loss(weights).backward()
    return [one.grad.item() for one in weights]  # type: ignore[union-attr] # each has one


@pytest.mark.parametrize("engine", ["backprop-tui, recorded", "micrograd", "torch scalars"])
@pytest.mark.benchmark(group=f"forward and backward, {SAMPLES} samples, {HIDDEN} hidden units")
def test_backward(benchmark: BenchmarkFixture, engine: str) -> None:
    run = {"micrograd": micrograd, "torch scalars": torch_scalars}.get(engine) or ours()
    gradients = benchmark.pedantic(run, rounds=ROUNDS, warmup_rounds=1)
    assert gradients == pytest.approx(torch_scalars(), rel=1e-9)
