"""The programs that are timed, written once for every kind of number, and run by each engine.

Everything that somebody waits for is in it, from the first number on: each engine builds its graph
and goes back through it. Ours makes a trace with every contribution besides, the other engines
record nothing. What is made is kept until the clock stops.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
from tests.benchmarks.conftest import ROOT
from tests.recorded import recorded

from backprop_engine.basics.gc_pause import collector_paused
from backprop_engine.basics.source import Source
from backprop_engine.catalogue import OPERATIONS
from backprop_engine.fast import of_one, of_two
from backprop_engine.graph import Graph
from backprop_engine.other_values import with_leaves
from backprop_engine.run.record import Runner
from backprop_engine.scenarios.loader import parse_document
from backprop_engine.trace import Trace
from backprop_tui.oracles.report import Failed

SIZES = (2, 16, 16, 1)
POINTS = 100
CHAIN = 100_000

ADD, MUL, RELU = (OPERATIONS[name] for name in ("add", "mul", "relu"))

Run = Callable[[], Any]


def moons(number: Callable[[float], Any]) -> Any:
    """The loss of micrograd's demo: 100 points, a scalar network [2, 16, 16, 1], hinge loss.

    Weights are `number`s, points are constants; about 65,000 nodes.
    """
    values = random.Random(7)
    layers = [
        [[number(values.uniform(-1, 1)) for _ in range(inputs + 1)] for _ in range(outputs)]
        for inputs, outputs in pairwise(SIZES)
    ]
    losses = []
    for _ in range(POINTS):
        point: list[Any] = [values.uniform(-1, 1) for _ in range(SIZES[0])]
        label = values.choice((-1.0, 1.0))
        score = _network(layers, point)
        losses.append((1.0 + score * -label).relu())
    total = losses[0]
    for loss in losses[1:]:
        total = total + loss
    return total * (1.0 / POINTS)


def _network(layers: Sequence[Any], point: list[Any]) -> Any:
    for layer in layers:
        sums = []
        for *weights, bias in layer:
            total = bias
            for weight, value in zip(weights, point, strict=True):
                total = total + weight * value
            sums.append(total)
        point = sums if layer is layers[-1] else [one.relu() for one in sums]
    return point[0]


def chain(number: Callable[[float], Any], length: int = CHAIN) -> Any:
    """((x · 1.0001) + 0.0001) · 1.0001 …: `length` operations, one after the other."""
    y = number(1.0)
    for index in range(length):
        y = y + 0.0001 if index % 2 else y * 1.0001
    return y


class Numbers:
    """How our numbers append to their graph."""

    __slots__ = ("add", "constant", "mul", "relu")

    def __init__(self, graph: Graph) -> None:
        self.add, self.mul = of_two(graph, ADD), of_two(graph, MUL)
        self.relu = of_one(graph, RELU)
        self.constant = graph.add_constant


class Node:
    """Our number: a node of a graph, with Python's operators, each of which appends a node.

    Made by `new` and no `__init__`, which Python would call for each of them.
    """

    __slots__ = ("index", "numbers")
    index: int
    numbers: Numbers

    def __add__(self, other: Any) -> Node:
        made = new(Node)
        made.numbers = numbers = self.numbers
        add = numbers.add
        right = other.index if type(other) is Node else numbers.constant(other)
        made.index = add(self.index, right)
        return made

    def __radd__(self, other: float) -> Node:
        made = new(Node)
        made.numbers = numbers = self.numbers
        add = numbers.add
        made.index = add(numbers.constant(other), self.index)
        return made

    def __mul__(self, other: Any) -> Node:
        made = new(Node)
        made.numbers = numbers = self.numbers
        mul = numbers.mul
        right = other.index if type(other) is Node else numbers.constant(other)
        made.index = mul(self.index, right)
        return made

    def relu(self) -> Node:
        """max(0, value)."""
        made = new(Node)
        made.numbers = numbers = self.numbers
        relu = numbers.relu
        made.index = relu(self.index)
        return made


new: Callable[[type[Node]], Node] = object.__new__


def built(program: Callable[..., Node], *arguments: Any) -> tuple[Graph, int]:
    """The graph of a program, and its output."""
    graph = Graph()
    numbers = Numbers(graph)

    def number(value: float) -> Node:
        made = new(Node)
        made.numbers = numbers
        made.index = graph.add_input(f"w{len(graph)}", value, requires_grad=True)
        return made

    with collector_paused():
        output = program(number, *arguments)
    return graph, output.index


def record(program: Callable[..., Node], *arguments: Any) -> Trace:
    """A program from its first number to its trace."""
    return recorded(*built(program, *arguments))


def record_again(graph: Graph, output: int) -> Trace:
    """A complete recording of a graph that stands: values, gradients and contributions."""
    return recorded(with_leaves(graph, {}), output)


def our_moons() -> Run:
    """The moons network by our own numbers: built, run backwards and made a trace.

    In: every number, the tape, the backward pass, the trace with all its columns. Out: importing.
    """
    return partial(record, moons)


def our_moons_from_text() -> Run:
    """The moons network from the text of its scenario.

    In: reading the YAML and the program, running it, the backward pass, the trace. Out: importing,
    and the compiling of what Python has compiled for micrograd.
    """
    text = (ROOT / "scenarios/large/moons.yaml").read_text(encoding="utf-8")
    return lambda: Runner(parse_document(Source("moons", text))).run()


def our_chain() -> Run:
    """The chain by our own numbers, from the first one to the trace."""
    return partial(record, chain)


CHAINS = """
inputs: {x: 0.5, a: 0.999, b: 0.001}
compute: |
  total = x
  for i in range(10000):
    y = x
    for j in range(50):
      y = y*a + b
    total = total + y
"""
"""A million nodes: 10,000 chains of 100, and their sum."""


class Absent:
    """No oracle: only the screen is measured."""

    def ask(self, trace: Trace) -> Failed:
        """Nothing is asked."""
        return Failed("not asked", "")

    def close(self) -> None:
        """Nothing to close."""


def our_chains() -> Run:
    """The million nodes from their text to the first frame on a screen of 120×40.

    In: reading, running, the backward pass, the trace, the outline, the app and its first frame.
    Out: importing, and torch, which answers later.
    """
    from backprop_tui.app.app import DebuggerApp

    async def shown(trace: Trace) -> Any:
        app = DebuggerApp(trace, oracle=Absent())
        async with app.run_test(size=(120, 40)):
            return app

    return lambda: asyncio.run(shown(Runner(parse_document(Source("chains", CHAINS))).run()))


def micrograd_chains() -> Run:
    """The same million nodes by micrograd."""
    from micrograd.engine import Value

    def run() -> Any:
        x, a, b = Value(0.5), Value(0.999), Value(0.001)
        total = x
        for _ in range(10_000):
            y = x
            for _ in range(50):
                y = y * a + b
            total = total + y
        total.backward()
        return total

    return run


def micrograd_moons() -> Run:
    """The moons network by micrograd: built and run backwards."""
    from micrograd.engine import Value

    return lambda: _gone_back(moons(Value))


def torch_moons() -> Run:
    """The moons network by torch, number by number: built and run backwards."""
    tensor = _torch_number()
    return lambda: _gone_back(moons(tensor))


def _gone_back(loss: Any) -> Any:
    loss.backward()
    return loss


class Kept:
    """A tensor whose every offspring is kept, as a debugger has to keep it."""

    def __init__(self, tensor: Any, all_of_them: list[Any]) -> None:
        self.tensor = tensor
        self.all_of_them = all_of_them
        all_of_them.append(tensor)

    def __add__(self, other: Any) -> Kept:
        return Kept(self.tensor + getattr(other, "tensor", other), self.all_of_them)

    __radd__ = __add__

    def __mul__(self, other: Any) -> Kept:
        return Kept(self.tensor * getattr(other, "tensor", other), self.all_of_them)

    def relu(self) -> Kept:
        """max(0, value)."""
        return Kept(self.tensor.relu(), self.all_of_them)


def torch_moons_kept() -> Run:
    """The moons network by torch, with all its values and its graph still there afterwards."""
    tensor = _torch_number()

    def run() -> Any:
        tensors: list[Any] = []
        moons(lambda value: Kept(tensor(value), tensors)).tensor.backward(retain_graph=True)
        return tensors

    return run


def torch_chain() -> Run:
    """The chain by torch."""
    tensor = _torch_number()
    return lambda: _gone_back(chain(tensor))


def _torch_number() -> Callable[[float], Any]:
    import torch

    torch.set_num_threads(1)
    return partial(torch.tensor, dtype=torch.float64, requires_grad=True)


def _arrays() -> dict[str, np.ndarray]:
    """A network of arrays, 784-256-10, on a batch of 128."""
    sizes = ((128, 784), (128, 10), (784, 256), (256,), (256, 10), (10,))
    random_numbers = np.random.default_rng(1)
    named = zip(("X", "T", "W1", "b1", "W2", "b2"), sizes, strict=True)
    return {name: random_numbers.normal(size=size) for name, size in named}


def our_network() -> Run:
    """The network of arrays by our own numbers, from the arrays to the trace."""
    arrays, every = _arrays(), {"dim": None, "keepdim": False}
    names = ("add", "matmul", "relu", "sub", "pow", "mean")
    add, matmul, relu, sub, power, mean = (OPERATIONS[name] for name in names)

    def run() -> Trace:
        graph = Graph()
        x, t, w1, b1, w2, b2 = (
            graph.add_input(name, array, requires_grad=name not in ("X", "T"))
            for name, array in arrays.items()
        )
        h = graph.apply(relu, (graph.apply(add, (graph.apply(matmul, (x, w1)), b1)),))
        d = graph.apply(sub, (graph.apply(add, (graph.apply(matmul, (h, w2)), b2)), t))
        return recorded(
            graph, graph.apply(mean, (graph.apply(power, (d, graph.add_constant(2.0))),), every)
        )

    return run


def numpy_network() -> Run:
    """The network of arrays and its gradients, as one writes them by hand."""
    x, t, w1, b1, w2, b2 = _arrays().values()

    def run() -> tuple[Any, ...]:
        z = x @ w1 + b1
        h = np.maximum(z, 0)
        d = h @ w2 + b2 - t
        loss = (d * d).mean()
        g = d * (2 / d.size)
        gz = (g @ w2.T) * (z > 0)
        return loss, x.T @ gz, gz.sum(0), h.T @ g, g.sum(0)

    return run
