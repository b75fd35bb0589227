"""The scenarios that are shipped: each is right by every oracle, and says what it is about."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from backprop_engine.basics.source import ScenarioError, Source
from backprop_engine.checking.differences import finite_differences
from backprop_engine.run.record import record
from backprop_engine.run.tape import graph_of
from backprop_engine.scenarios.loader import load, parse_document
from backprop_tui.headless.check import check_scenario
from backprop_tui.headless.checked import Checked
from backprop_tui.oracles.report import Ready
from backprop_tui.oracles.sympy.report import IN_ARRAYS
from backprop_tui.oracles.torch.agreement import agreement

ROOT = Path(__file__).parents[1]
GALLERY = sorted((ROOT / "scenarios" / "gallery").glob("*.yaml"))
LARGE = ROOT / "scenarios" / "large"
EVERY = sorted(set((ROOT / "scenarios").rglob("*.yaml")) - set(LARGE.iterdir()))
EXCUSED = re.compile("a kink|not finite")
"""Reasons that lie in the point, which is what these lessons are about."""


def test_the_gallery_has_at_least_24_lessons():
    assert len(GALLERY) >= 24


@pytest.mark.parametrize("path", GALLERY, ids=lambda path: path.stem)
def test_a_lesson_names_the_mistake_and_the_surprise(path):
    scenario = load(path)
    assert scenario.title
    assert scenario.about.startswith("**One might think**")
    assert re.search(r"\*The (surprise|cure):\*", scenario.about)
    assert scenario.expectations or scenario.expected_error
    assert scenario.hints or scenario.expected_error


@pytest.mark.parametrize("path", GALLERY, ids=lambda path: path.stem)
def test_hints_stand_at_nodes_that_take_part_in_a_step(path):
    try:
        trace = record(load(path))
    except ScenarioError:
        return
    for node in trace.heading.hints:
        assert trace.visits(node)


def test_the_moons_are_right_by_every_oracle_and_as_large_as_they_say(oracle):
    """All 100 points take torch some seconds; three of them are the same network."""
    source = load(LARGE / "moons.yaml").source
    assert "range(100)" in source.text
    few = Source(source.name, source.text.replace("range(100)", "range(0, 100, 33)"))
    whole, trace = record(parse_document(source)), record(parse_document(few))
    assert 60_000 < len(graph_of(whole)) < 70_000
    names = set(graph_of(whole).names.values())
    assert {"score@1", "hidden1@1[3]", "hidden2@100[15]", "w2[3][5]", "losses[99]"} <= names
    answer = oracle.ask(trace)
    assert isinstance(answer, Ready), answer
    agreed = agreement(trace, answer.report)
    assert not agreed.faulty_nodes
    assert not agreed.faulty_steps
    assert all(value.agrees for value in finite_differences(trace).values())


@pytest.fixture(scope="module")
def checked(oracle, symbolic_oracle):
    return {path: check_scenario(str(path), oracle, symbolic_oracle) for path in EVERY}


def test_every_scenario_is_right_by_engine_torch_finite_differences_and_formulas(checked):
    wrong = {
        path.stem: getattr(one, "complaints", one)
        for path, one in checked.items()
        if not isinstance(one, Checked) or not one.ok
    }
    assert wrong == {}


def test_oracles_skip_no_more_than_one_input_in_ten(checked):
    rows = [row for one in checked.values() for row in one.gradients]
    skipped = Counter(row.difference.reason for row in rows if row.difference.skipped)
    skipped += Counter(row.symbolic.summary for row in rows if row.symbolic.reason)
    inexcusable = {
        reason: count
        for reason, count in skipped.items()
        if reason != IN_ARRAYS and not EXCUSED.match(reason)
    }
    assert sum(inexcusable.values()) <= len(rows) / 10, skipped
