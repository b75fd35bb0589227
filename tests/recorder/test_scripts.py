"""Programs of all kinds do the same, recorded or not, and what is recorded adds up."""

from __future__ import annotations

import pytest
import torch
from tests.recorder.programs import SCRIPTS, differing, run_script, sums

from backprop_engine.recording.reader import read
from backprop_recorder.recorder import Recorder

CHANGING = {"hooks"}
"""Their hooks change gradients between what is sent and what is received."""
SLOW = {"workers", "compiled"}


def test_there_are_programs_of_all_kinds():
    assert len(SCRIPTS) > 40


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_program_does_the_same_when_it_is_recorded(name, tmp_path):
    plain = run_script(SCRIPTS[name])
    with Recorder(tmp_path / "run.bp") as recorder:
        recorded = run_script(SCRIPTS[name])

    assert recorder.faults == []
    assert recorded.printed == plain.printed
    assert differing(plain, recorded) == []
    assert torch.equal(plain.random_state, recorded.random_state)
    recording = read(tmp_path / "run.bp")
    assert recording.is_complete
    if name not in {"functorch", "scripted"}:
        assert len(recording.calls)
    assert recording.passes
    found = sums(recording)
    assert name in CHANGING or found.off == 0
