"""Programs of all kinds do the same, recorded or not, and what is recorded adds up and is told."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.recorder.programs import SCRIPTS, differing, run_script, sums
from tests.thorough import share

from backprop_engine.reading.autopsy.births import is_spoilt, suspects
from backprop_engine.recording.findings import verified
from backprop_engine.recording.reader import read
from backprop_engine.recording.trace import trace_of
from backprop_engine.trace import StepKind, Trace
from backprop_recorder.recorder import Recorder
from backprop_tui.headless.trace_text import as_json

CHANGING = {"hooks"}
"""Their hooks change gradients between what is sent and what is received."""


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
    assert len(recording.calls)
    assert recording.passes
    found = sums(recording)
    assert name in CHANGING or found.off == 0
    _check_trace(trace_of(recording))


@pytest.mark.parametrize(
    "name", [n for at, n in enumerate(SCRIPTS) if at % share(20, 1) == 7 % share(20, 1)]
)
def test_a_program_does_the_same_when_it_is_recorded_deeply(name, tmp_path):
    plain = run_script(SCRIPTS[name])
    with Recorder(tmp_path / "run.bp", deep=True) as recorder:
        recorded = run_script(SCRIPTS[name])
    assert recorder.faults == []
    assert recorded.printed == plain.printed
    assert differing(plain, recorded) == []
    assert torch.equal(plain.random_state, recorded.random_state)
    _check_trace(trace_of(read(tmp_path / "run.bp")))


def _check_trace(trace: Trace) -> None:
    """Every step is told, every contribution reaches an operand, and our rules agree."""
    for index, told in enumerate(as_json(trace)):
        step = trace.step(index)
        if step.kind is StepKind.CONTRIBUTION:
            node, operand, position = trace.edge(index)
            assert trace.nodes.operands[node][position] == operand
            assert trace.gradient(node, index) is not None
            assert told["formula"]
    for node, operands in enumerate(trace.nodes.operands):
        assert all(operand < node for operand in operands)
    assert len(set(trace.nodes.names.values())) == len(trace.nodes.names)
    assert all(trace.named(label) == node for node, label in trace.nodes.names.items())
    for column in (trace.nodes.value, trace.contributions, trace.totals):
        spoilt = np.array([is_spoilt(value) for value in column], bool)
        assert not (spoilt & ~suspects(column)).any()
        assert column is trace.totals or (spoilt == suspects(column)).all()
    found, places = verified(trace)
    assert found.differ == 0, places
