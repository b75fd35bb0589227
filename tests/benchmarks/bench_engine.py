"""The engine against micrograd, torch and numpy by hand."""

from __future__ import annotations

import random
import statistics
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from tests.benchmarks.conftest import alone
from tests.benchmarks.networks import built, chain, moons, numpy_network, our_network, record_again

from backprop_engine.basics.source import Source
from backprop_engine.run.record import Runner
from backprop_engine.run.tape import graph_of
from backprop_engine.scenarios.loader import parse_document
from backprop_engine.trace import Trace
from backprop_tui.session.outline import draw_outline
from backprop_tui.session.session import open_session

HERE = "tests.benchmarks.networks"
pytestmark = pytest.mark.timeout(900)


def test_moons(table: Any) -> None:
    """In: what `our_moons` says, by numbers that append to a tape as the interpreter does.

    Out: importing, text, the screen. Each program runs in processes of its own.
    """
    graph, output = built(moons)
    grads = record_again(graph, output).passes[-1].grads or {}
    theirs: list[Any] = []

    def tensor(value: float) -> Any:
        theirs.append(torch.tensor(value, dtype=torch.float64, requires_grad=True))
        return theirs[-1]

    moons(tensor).backward()
    ours = [grads[node] for node in graph.inputs.values()]
    assert ours == pytest.approx([one.grad.item() for one in theirs], rel=1e-9)

    what = f"build and record moons, {len(graph):,} nodes"
    for peer, program, at_least in (
        ("micrograd as shipped", "micrograd_moons+collector", 6),
        ("micrograd, collector off", "micrograd_moons", 2),
        ("torch scalars", "torch_moons", 8),
    ):
        table.faster(what, peer, f"{HERE}:our_moons", f"{HERE}:{program}", at_least=at_least)


def test_moons_from_its_text(table: Any) -> None:
    """In: what `our_moons_from_text` says; micrograd runs the same network as Python."""
    ours, theirs = f"{HERE}:our_moons_from_text", f"{HERE}:micrograd_moons"
    table.slower_alone(
        "moons from its text to its trace", "micrograd, collector off", ours, theirs, at_most=1.5
    )


def test_a_million_nodes_to_the_first_frame(table: Any) -> None:
    """In: what `our_chains` says; micrograd builds and goes back, and shows nothing."""
    pairs = [
        (alone(f"{HERE}:our_chains+once"), alone(f"{HERE}:micrograd_chains+once")) for _ in range(3)
    ]
    what = "1,000,000 nodes of a loop to the first frame"
    ratio = statistics.median(ours / theirs for ours, theirs in pairs)
    table.bounded(what, "micrograd, collector off", ratio, 2.5)
    seconds = statistics.median(ours for ours, _ in pairs)
    table.bounded(f"{what}, CPU", "–", seconds, 3, unit=" s")


def test_the_memory_of_a_trace(table: Any) -> None:
    """In: what is held when both are done, the nodes' values and the graph. Out: libraries."""
    ours = statistics.median(alone(f"{HERE}:our_moons+memory") for _ in range(3))
    theirs = statistics.median(alone(f"{HERE}:torch_moons_kept+memory") for _ in range(3))
    table.bounded("memory of graph and trace, moons", "torch scalars", ours / theirs, 0.25)


def test_a_chain(table: Any) -> None:
    """In: 100,000 operations and as many constants, back, the trace; torch keeps no trace."""
    ours, theirs = f"{HERE}:our_chain", f"{HERE}:torch_chain"
    table.faster("build and record a chain of 100,000", "torch scalars", ours, theirs, at_least=10)


def test_a_million_nodes(table: Any) -> None:
    (large, last), (small, end) = built(chain, 500_000), built(chain, 5_000)
    table.slower(
        f"a node of {len(large):,}",
        f"a node of {len(small):,}",
        partial(record_again, large, last),
        partial(record_again, small, end),
        at_most=4,
        per=(len(large), len(small)),
    )


def test_the_state_of_50_rows(table: Any) -> None:
    (large, last), (small, end) = built(chain, 500_000), built(moons)
    places = random.Random(3)

    def look(trace: Trace) -> Any:
        nodes = draw_outline(trace).nodes
        trace.gradient(0, 0)  # the indexes are made once, when the first state is shown

        def run() -> None:
            for _ in range(200):
                cursor, first = places.randrange(len(trace)), places.randrange(len(nodes) - 50)
                for node in nodes[first : first + 50].tolist():
                    trace.gradient(node, cursor)
                    trace.progress(node, cursor)
                    trace.is_computed(node, cursor)

        run()
        return run

    many, few = (look(record_again(*one)) for one in ((large, last), (small, end)))
    table.slower(
        f"50 rows at a step, {len(large):,} nodes", f"{len(small):,} nodes", many, few, at_most=2
    )


def test_a_network_of_arrays(table: Any) -> None:
    """From the arrays to the trace, which keeps all that numpy by hand computes.

    Both run in this process, in turn, with one thread of BLAS, which `make bench` asks for.
    """
    trace, gradients = our_network()(), numpy_network()()[1:]
    grads: Any = trace.passes[-1].grads
    for name, gradient in zip(("W1", "b1", "W2", "b2"), gradients, strict=True):
        np.testing.assert_allclose(grads[graph_of(trace).inputs[name]], gradient, rtol=1e-9)
    table.slower(
        "784-256-10, batch 128, built and recorded",
        "numpy by hand",
        our_network(),
        numpy_network(),
        at_most=1.10,
        pairs=51,
        times=3,
    )


def test_what_if(table: Any) -> None:
    statements: list[str] = []
    names: list[str] = []
    moons(lambda value: _Written.input(names, statements, value))
    inputs = "".join(f"  {name}\n" for name in names)
    compute = "".join(f"  {statement}\n" for statement in statements)
    source = Source("moons", f"inputs:\n{inputs}compute: |\n{compute}")
    runner = Runner(parse_document(source))
    node = graph_of(runner.run()).inputs["w0"]
    table.slower(
        "what if: change an input, moons",
        "open the scenario",
        lambda: runner.run({node: 0.5}),
        lambda: open_session(Runner(parse_document(source)).run()),
        at_most=0.5,
        pairs=3,
    )


class _Written:
    """A number that writes each operation on it down as a statement of a scenario."""

    def __init__(self, name: str, statements: list[str]) -> None:
        self.name = name
        self.statements = statements

    @classmethod
    def input(cls, names: list[str], statements: list[str], value: float) -> _Written:
        names.append(f"w{len(names)}: {value!r}")
        return cls(f"w{len(names) - 1}", statements)

    def _then(self, expression: str) -> _Written:
        self.statements.append(f"v{len(self.statements)} = {expression}")
        return _Written(f"v{len(self.statements) - 1}", self.statements)

    def __add__(self, other: _Written | float) -> _Written:
        return self._then(f"{self.name} + {getattr(other, 'name', other)}")

    def __radd__(self, other: float) -> _Written:
        return self._then(f"{other} + {self.name}")

    def __mul__(self, other: _Written | float) -> _Written:
        return self._then(f"{self.name} * {getattr(other, 'name', other)}")

    def relu(self) -> _Written:
        return self._then(f"relu({self.name})")
