"""`export -o FILE.svg`: the app's screen at a step."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

from tests.export.hostile import hostile_trace

from backprop_engine.basics.source import Source
from backprop_engine.run.record import record
from backprop_engine.scenarios.loader import load_target
from backprop_engine.trace import Missing
from backprop_tui.app.still import still

NO_TORCH = Missing("there is no torch in this test")


def text_of(svg: str) -> str:
    return "".join(ET.fromstring(svg).itertext()).replace("\xa0", " ")


def test_it_shows_the_step_and_asks_for_nothing() -> None:
    trace = record(load_target(Source("<-e>", "x=2, y=x**2+3x+1")))
    svg = still(trace, 9, NO_TORCH)
    assert "%1 = x² sends to its operand x" in text_of(svg)
    assert "9/10" in text_of(svg)
    assert not re.search(r"url\((?!#)|<script|@import", svg)


def test_nothing_hostile_leaves_its_place() -> None:
    svg = still(hostile_trace(), 9, NO_TORCH)
    assert {element.tag.rpartition("}")[2] for element in ET.fromstring(svg).iter()} <= {
        "svg", "style", "defs", "clipPath", "rect", "text", "g", "circle",
    }  # fmt: skip
    assert not set(svg) & set("\x1b\x07\u202e\u2028")
