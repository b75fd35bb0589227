"""The programs that are timed, written once for every kind of number, and run by each engine.

Ours is a complete recording: the forward pass over a graph that has been built, the backward pass,
and a trace with every contribution. Building the graph is not in it, as compiling Python is not
in theirs; the other engines record nothing.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from backprop_engine.basics.source import Source
from backprop_engine.catalogue import BINARY, FUNCTIONS
from backprop_engine.graph import Graph
from backprop_engine.run.record import Runner, recorded
from backprop_engine.run.tape import graph_of
from backprop_engine.scenarios.loader import parse_document
from backprop_engine.trace import Trace

SIZES = (2, 16, 16, 1)
POINTS = 100
CHAIN = 100_000

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
    for one in losses[1:]:
        total = total + one
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


class Tape:
    """Our numbers: each operation appends a node to one graph."""

    def __init__(self) -> None:
        self.graph = Graph()

    def number(self, value: float) -> Node:
        """An input."""
        name = f"w{len(self.graph)}"
        return Node(self, self.graph.add_input(name, value, requires_grad=True))

    def operand(self, value: Node | float) -> int:
        """The node of a value; a number becomes a constant."""
        return value.index if isinstance(value, Node) else self.graph.add_constant(value)


class Node:
    """A node of a tape, with Python's operators."""

    def __init__(self, tape: Tape, index: int) -> None:
        self.tape = tape
        self.index = index

    def _then(self, symbol: str, left: Node | float, right: Node | float) -> Node:
        operands = self.tape.operand(left), self.tape.operand(right)
        return Node(self.tape, self.tape.graph.apply(BINARY[symbol], operands))

    def __add__(self, other: Node | float) -> Node:
        return self._then("+", self, other)

    def __radd__(self, other: float) -> Node:
        return self._then("+", other, self)

    def __mul__(self, other: Node | float) -> Node:
        return self._then("*", self, other)

    def relu(self) -> Node:
        """max(0, value)."""
        (relu,) = FUNCTIONS["relu"]
        return Node(self.tape, self.tape.graph.apply(relu, (self.index,)))


def built(program: Callable[..., Node], *arguments: Any) -> tuple[Graph, int]:
    """The graph of a program, and its output."""
    tape = Tape()
    output = program(tape.number, *arguments)
    return tape.graph, output.index


def record_again(graph: Graph, output: int) -> Trace:
    """A complete recording: values, gradients and contributions."""
    return recorded(graph.with_leaves({}), output)


def our_moons() -> Run:
    """The moons network, recorded by us."""
    return partial(record_again, *built(moons))


def our_moons_kept() -> Run:
    """The moons network, as it is when it has just been recorded."""
    return lambda: recorded(*built(moons))


def our_chain() -> Run:
    """The chain, recorded by us."""
    return partial(record_again, *built(chain))


def micrograd_moons() -> Run:
    """The moons network by micrograd."""
    from micrograd.engine import Value

    return lambda: moons(Value).backward()


def torch_moons() -> Run:
    """The moons network by torch, number by number."""
    tensor = _torch_number()
    return lambda: moons(tensor).backward()


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
    return lambda: chain(tensor).backward()


def _torch_number() -> Callable[[float], Any]:
    import torch

    torch.set_num_threads(1)
    return partial(torch.tensor, dtype=torch.float64, requires_grad=True)


NETWORK = """
inputs:
  X: {normal: [128, 784], seed: 1, requires_grad: false}
  T: {normal: [128, 10], seed: 2, requires_grad: false}
  W1: {normal: [784, 256], seed: 3}
  b1: {normal: [256], seed: 4}
  W2: {normal: [256, 10], seed: 5}
  b2: {normal: [10], seed: 6}
compute: |
  h = relu(X @ W1 + b1)
  loss = ((h @ W2 + b2 - T) ** 2).mean()
"""
"""A network of arrays, 784-256-10, on a batch of 128."""


def _network_runner() -> Runner:
    return Runner(parse_document(Source("network", NETWORK)))


def our_network() -> Run:
    """The network of arrays, recorded by us."""
    runner = _network_runner()
    trace = runner.run()
    node = graph_of(trace).inputs["X"]
    return partial(runner.run, {node: graph_of(trace).value[node]})


def numpy_network() -> Run:
    """The network of arrays and its gradients, as one writes them by hand."""
    trace = _network_runner().run()
    values: Any = graph_of(trace).value
    x, t, w1, b1, w2, b2 = (values[node] for node in graph_of(trace).inputs.values())

    def run() -> tuple[Any, ...]:
        z = x @ w1 + b1
        h = np.maximum(z, 0)
        d = h @ w2 + b2 - t
        loss = (d * d).mean()
        g = d * (2 / d.size)
        gz = (g @ w2.T) * (z > 0)
        return loss, x.T @ gz, gz.sum(0), h.T @ g, g.sum(0)

    return run
