"""Every edge that a gradient went along is, in a recording and its trace, as torch has it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from tests.recorder.drafts import Draft
from tests.recorder.edges import differing
from tests.recorder.programs import SCRIPTS, run_script
from tests.recorder.witness import Witness
from tests.thorough import share

from backprop_engine.recording.reader import read
from backprop_engine.recording.trace import trace_of
from backprop_recorder.recorder import Recorder

WHOLE = 2000
"""Megabytes of whole values: all of them."""
OF_A_PART = share(15, 200)
EASILY_MISTAKEN = [
    "attention", "checkpoint_reentrant", "complex_numbers", "custom_function", "double_backward",
    "in_place", "lstm_cells", "recurrent_layers", "several_outputs",
]  # fmt: skip


@pytest.mark.parametrize("name", share(EASILY_MISTAKEN, list(SCRIPTS)))
def test_the_edges_of_a_program_are_torchs(name, tmp_path):
    witness = Witness()
    with witness.watching(), Recorder(tmp_path / "run.bp", values=WHOLE) as recorder:
        run_script(SCRIPTS[name])
    assert recorder.faults == []
    assert any(pass_.sent for pass_ in witness.passes)
    assert differing(read(tmp_path / "run.bp"), witness) == []


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("part", range(share(1, 25)))
def test_the_edges_of_programs_drawn_at_random_are_torchs(part, tmp_path):
    for seed in range(part * OF_A_PART, (part + 1) * OF_A_PART):
        witness = Witness()
        with witness.watching(), Recorder(tmp_path / "run.bp", values=WHOLE) as recorder:
            Draft(seed).run()
        assert recorder.faults == [], seed
        assert differing(read(tmp_path / "run.bp"), witness) == [], seed


def test_of_what_was_changed_through_a_view_the_value_is_known_when_it_changes_again(tmp_path):
    x = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    with Recorder(tmp_path / "run.bp"):
        y = x * 1
        y[:2].mul_(3)
        y.add_(1)
        (y * y).sum().backward()
    trace = trace_of(read(tmp_path / "run.bp"))
    added = next(
        node for node in trace.nodes.computed.tolist() if trace.nodes.operation_name(node) == "add_"
    )
    operands = [np.asarray(trace.nodes.value[at]).tolist() for at in trace.nodes.operands[added]]
    assert operands == [[3.0, 6.0, 3.0]]


def test_a_function_that_was_looked_up_before_is_a_call(tmp_path):
    apply: Any = Square.apply
    x = torch.tensor([3.0], requires_grad=True)
    with Recorder(tmp_path / "run.bp"):
        apply(x).sum().backward()
    recording = read(tmp_path / "run.bp")
    assert "Square" in {function.name for function in recording.functions}


class Square(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx: Any, *sent: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = sent[0] * 2 * ctx.saved_tensors[0]
        return found
