"""Our own wrong engines: one mistake each, and each shows in several of the bundled scenarios."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from backprop_engine import load, record
from backprop_engine.basics.source import ScenarioError, Source
from backprop_engine.basics.values import Value
from backprop_engine.mistakes.broken import BROKEN, BrokenEngine, shows
from backprop_engine.mistakes.table import SIGN
from backprop_engine.scenarios.loader import parse_shorthand
from backprop_engine.trace import Trace

RIGHT = BrokenEngine("right", SIGN)


@cache
def bundled() -> dict[str, Trace]:
    """The runs of all bundled scenarios but the large one and those about an error."""
    traces = {}
    for path in sorted(Path("scenarios").rglob("*.yaml")):
        if "large" not in path.parts:
            try:
                traces[path.stem] = record(load(path))
            except ScenarioError:
                continue
    return traces


def gradients(slug: str, text: str) -> dict[str, Value]:
    """The gradients that a broken engine comes to in one pass."""
    trace = record(parse_shorthand(Source("<-e>", text)))
    (told,) = BROKEN[slug].run(trace)
    return {name: told.end[node] for name, node in trace.nodes.inputs.items()}


def test_without_a_mistake_every_bundled_scenario_comes_out_right() -> None:
    assert [name for name, trace in bundled().items() if shows(RIGHT, trace)] == []


@pytest.mark.parametrize("slug", BROKEN)
def test_a_mistake_shows_in_at_least_three_bundled_scenarios(slug: str) -> None:
    assert sum(shows(BROKEN[slug], trace) for trace in bundled().values()) >= 3


@pytest.mark.parametrize(
    ("slug", "gradient"),
    [
        ("overwrite", 4.0),  # 3 is overwritten by 2·x
        ("sign", -7.0),
        ("seed", 0.0),
        ("local-derivative-forgotten", 2.0),
    ],
)
def test_a_broken_engine_comes_to_what_the_mistake_makes(slug: str, gradient: float) -> None:
    assert gradients(slug, "x=2, y=x**2+3x+1")["x"] == gradient


def test_in_the_wrong_order_a_node_sends_what_it_has_by_then() -> None:
    # h sends its 1 on before a has brought 2 more; visited twice, it sends its 3 twice.
    assert gradients("dfs", "x=1, h=3x, a=2h, b=h+a")["x"] == 3.0
    assert gradients("visited-twice", "x=1, h=3x, a=2h, b=h+a")["x"] == 18.0


def test_what_is_not_summed_over_copies_has_another_shape() -> None:
    trace = record(parse_shorthand(Source("<-e>", "x=[1, 2], b=3, y=((x + b)**2).sum()")))
    (told,) = BROKEN["no-unbroadcast"].run(trace)
    assert np.shape(told.end[trace.nodes.inputs["b"]]) == (2,)


def test_a_gradient_that_does_not_fit_ends_the_pass_and_is_told() -> None:
    # What c gets has the shape of its copies, and does not fit the rule of what made c.
    text = "a=[1, 2], c=a.sum(), d=c.reshape(1), y=((d + [1, 2, 3])**2).sum()"
    (told,) = BROKEN["no-unbroadcast"].run(record(parse_shorthand(Source("<-e>", text))))
    assert told.raised
    assert told.sent
