"""The text of a scenario without what tells, line by line, so that places stay."""

from __future__ import annotations

import pytest

from backprop_tui.view.covered import covered

SCENARIO = """\
title: A cube  # the slope is 12
about: |
  At x = 2 it is 12.

  expect: this is text
inputs:
  x: 2
compute: |
  y = x**3  # 8
backward: y
expect:
- no answer here
x.grad: kept
"""


def test_sections_that_tell_and_comments_are_left_out_and_lines_stay_where_they_are():
    assert covered(SCENARIO) == [
        "title: A cube  ", "about: …", "", "", "", "inputs:", "  x: 2", "compute: |",
        "  y = x**3  ", "backward: y", "expect: …", "", "x.grad: kept", "",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("x=2, y=x**2", ["x=2, y=x**2"]),
        ('{"inputs": {"x": 2}, "compute": "y = x", "expect": {"y": 2}}',
         ['{"inputs": {"x": 2}, "compute": "y = x", "expect": …']),
        ("{inputs: {x: 2},\n expect: {y: 2,\n x.grad: 1}}", ["{inputs: {x: 2},", " expect: …", ""]),
        ("  inputs: {x: 2}\n  'expect': {y: 2}", ["  inputs: {x: 2}", "  'expect': …"]),
        ("x = torch.tensor(2.)\nprint(x)  # 2", ["x = torch.tensor(2.)", "print(x)  "]),
        ("", [""]),
    ],
)  # fmt: skip
def test_every_way_to_write_a_scenario_is_covered(text: str, lines: list[str]):
    assert covered(text) == lines
