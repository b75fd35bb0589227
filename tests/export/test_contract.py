"""`export -o FILE.json`: every number of a run, and where it comes from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from backprop_engine.basics.source import Source
from backprop_engine.run.record import record
from backprop_engine.scenarios.loader import load, load_target
from backprop_engine.trace import Trace
from backprop_tui.export.contract import contract
from backprop_tui.export.lesson import lesson_of
from backprop_tui.headless.trace_text import as_json

BUNDLE = Path(__file__).parents[2] / "scenarios"


def told(trace: Trace, first: int = 0, last: int | None = None) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(contract(lesson_of(trace, first, last)))
    return read


def of(text: str) -> Trace:
    return record(load_target(Source("<-e>", text)))


def test_a_product_is_told_with_all_that_makes_it() -> None:
    lesson = told(of("x=2, y=x**2+3x+1"))
    assert lesson["backprop"] == 2
    (last,) = lesson["steps"][9:]
    sender, receiver = lesson["nodes"][last["node"]], lesson["nodes"][last["operand"]]
    assert (sender["label"], sender["expression"], receiver["label"]) == ("%1", "x²", "x")
    assert (last["upstream"], last["local"], last["contribution"]) == (1.0, 4.0, 4.0)
    assert (last["total_before"], last["total_after"]) == (3.0, 7.0)
    assert (last["received"], last["expected"]) == (2, 2)
    assert last["formula"]["latex"] == r"\frac{\partial v_{1}}{\partial x} = 2 \cdot x".replace(
        r" \cdot ", r"\cdot "
    )
    assert lesson["passes"][1]["grads"] == [{"node": last["operand"], "name": "x", "value": 7.0}]


@pytest.mark.parametrize("name", ["basic", "lesson-07-broadcast", "lesson-09-accumulate"])
def test_each_step_says_what_trace_says(name: str) -> None:
    trace = record(load(BUNDLE / f"{name}.yaml"))
    lesson = told(trace)
    labels = [node["label"] for node in lesson["nodes"]]
    for ours, theirs in zip(lesson["steps"], as_json(trace), strict=True):
        assert [ours[key] for key in ("step", "pass", "kind", "contribution", "total_after")] == [
            theirs[key] for key in ("step", "pass", "kind", "contribution", "total_after")
        ]
        named = [None if ours[key] is None else labels[ours[key]] for key in ("node", "operand")]
        assert named == [theirs["node"], theirs["operand"]]


def test_edges_leaf_values_and_places_are_there() -> None:
    lesson = told(record(load(BUNDLE / "basic.yaml")))
    nodes = {node["label"]: node for node in lesson["nodes"]}
    assert nodes["x"]["value"] == 2.0
    power = nodes["%1"]
    assert [lesson["nodes"][each]["label"] for each in power["operands"]] == ["x", "2"]
    span, (source,) = power["span"], lesson["source"]
    assert source["text"][span["start"] : span["stop"]] == "x**2"
    assert span["line"] == 16


def test_a_stretch_begins_with_what_there_is_by_then() -> None:
    lesson = told(of("x=2, y=x**2+3x+1"), 9, 10)
    nodes = {node["label"]: node for node in lesson["nodes"]}
    assert nodes["x"]["gradient"] == 3.0
    assert nodes["%1"]["is_computed"]
    assert [step["step"] for step in lesson["steps"]] == [9]
    assert "y" not in nodes


def test_the_documents_name_every_key() -> None:
    text = (BUNDLE.parent / "docs" / "export.md").read_text(encoding="utf-8")
    lesson = told(record(load(BUNDLE / "lesson-07-broadcast.yaml")))
    described = {
        "": lesson,
        "heading": lesson["heading"],
        **{name: lesson[name][0] for name in ("source", "nodes", "passes", "steps")},
    }
    for name, object_ in described.items():
        row = (
            next(line for line in text.split("\n") if line.startswith(f"| `{name}"))
            if name
            else text
        )
        assert [key for key in object_ if f"`{key}`" not in row] == []
