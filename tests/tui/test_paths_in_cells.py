"""A path is cut where it says least: at its beginning."""

from __future__ import annotations

import pytest

from backprop_tui.view.text import fit_path

WEIGHT = "encoder.layers.0.self_attn.out_proj.weight"


@pytest.mark.parametrize(
    ("name", "width", "shown"),
    [
        (WEIGHT, 42, WEIGHT),
        (WEIGHT, 41, "…layers.0.self_attn.out_proj.weight"),
        (WEIGHT, 16, "…out_proj.weight"),
        (WEIGHT, 15, "…weight"),
        (WEIGHT, 4, "…ght"),
        (WEIGHT, 1, "…"),
        (f"{WEIGHT}@12", 19, "…out_proj.weight@12"),
        ("encoder.layers.0.self_attn · 41 nodes", 24, "…0.self_attn · 41 nodes"),
        ("encoder.layers.0.self_attn · 41 nodes", 12, "…0.self_attn"),
        ("relu(hidden.weight)", 10, "relu(hidd…"),
        ("a_long_name", 6, "a_lon…"),
    ],
)
def test_a_path_keeps_its_end_and_anything_else_its_beginning(name, width, shown):
    assert fit_path(name, width) == shown
