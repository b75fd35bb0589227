"""Torch's own texts of its derivatives: under the names of its autograd nodes, with its licence."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest
import torch

from backprop_engine.recording.torch_texts import PATH, torch_text

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("function", "position", "text"),
    [
        (lambda x: x * x, 1, "mul_tensor_backward(grad, self, other.scalar_type())"),
        (torch.cos, 0, "grad * -self.sin().conj()"),
        (lambda x: x.mean(0), 0, "mean_backward(grad, self.sym_sizes(), dim, "),
        (lambda x: torch.linalg.qr(x)[0], 0, "linalg_qr_backward(grad_Q, grad_R, Q, R, mode)"),
    ],
)
def test_a_text_is_found_by_the_name_of_the_autograd_node(function, position, text):
    made = function(torch.eye(2, requires_grad=True))
    assert torch_text(made.grad_fn.name(), position, len(made.grad_fn.next_functions)).startswith(
        text
    )


def test_all_inputs_are_told_where_it_is_not_known_which_is_meant():
    assert torch_text("MulBackward0", 0, 1).startswith("self: mul_tensor_backward(grad, other, ")
    assert torch_text("CubeBackward", 0, 1) == ""


def test_the_file_has_the_licence():
    told = json.loads(PATH.read_text(encoding="utf-8"))
    assert "Redistributions of source code must retain the above copyright" in " ".join(
        told["license"]
    )
    assert told["from"].startswith("torch ")


def test_entries_are_numbered_as_torch_numbers_its_nodes():
    spec = importlib.util.spec_from_file_location("made", ROOT / ".github" / "derivatives.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    found = script.entries(
        [
            {"name": "any(Tensor self) -> Tensor", "output_differentiability": [False]},
            {"name": "mul.Tensor(Tensor self, Tensor other) -> Tensor", "other, self": "f(grad)"},
            {"name": "mul.Scalar(Tensor self, Scalar other=1) -> Tensor", "self": "grad * other"},
        ]
    )
    assert list(found) == [
        ("MulBackward0", [("self", "f(grad)"), ("other", "f(grad)")]),
        ("MulBackward1", [("self", "grad * other")]),
    ]
