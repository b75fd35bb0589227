"""Where the boxes of an exported graph stand."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise

import pytest

from backprop_engine.basics.source import Source
from backprop_engine.run.record import record
from backprop_engine.scenarios.loader import load_target
from backprop_tui.export.layout import Box, placed
from backprop_tui.export.lesson import LessonNode, lesson_of

SUM = "x=2, w=3, y=" + "+".join(f"tanh(w*x-{i})*x" for i in range(1, 40))


def drawn(text: str) -> tuple[tuple[LessonNode, ...], tuple[Box, ...]]:
    nodes = lesson_of(record(load_target(Source("<-e>", text)))).nodes
    return nodes, placed(nodes)


def test_a_leaf_used_twice_stands_at_each_use_and_a_constant_nowhere() -> None:
    nodes, boxes = drawn("x=2, y=x**2+3x+1")
    assert [nodes[box.node].label for box in boxes] == ["y", "%3", "%1", "x", "%2", "x"]
    assert [nodes[box.consumer].label for box in boxes if box.consumer is not None] == ["%1", "%2"]


@pytest.mark.parametrize(
    "text", [SUM, "x=2, a=sin(x), b=a*a, c=a+b, y=b*c", "x=2, y=x+x+x", "x=2, a=x+1, b=x*2"]
)
def test_boxes_of_one_level_keep_apart_and_operands_stand_before(text: str) -> None:
    nodes, boxes = drawn(text)
    levels = defaultdict(list)
    for box in boxes:
        levels[box.level].append(box.row)
    for rows in levels.values():
        assert all(after - before >= 1 for before, after in pairwise(sorted(rows)))
    level = {box.node: box.level for box in boxes if box.consumer is None}
    for node, at in level.items():
        assert all(level.get(each, -1) < at for each in nodes[node].operands)
    assert min(box.row for box in boxes) == 0


@pytest.mark.parametrize("text", ["x=2, s=x, " + ", ".join(["s=s*x+x"] * 50) + ", y=s*1", SUM])
def test_a_chain_is_a_straight_line(text: str) -> None:
    nodes, boxes = drawn(text)
    sums = [box for box in boxes if nodes[box.node].operation == "add"]
    assert len({box.row for box in sums}) == 1
