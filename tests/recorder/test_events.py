"""What happens to gradients beside backward passes: clipping, unscaling, clearing, hooks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.recorder.hand_made import write

from backprop_engine.reading.explain import explain
from backprop_engine.recording.frames import RecordingError
from backprop_engine.recording.opened import open_recording
from backprop_engine.trace import PassKind, StepKind, Trace

CLIPPED: dict[str, Any] = {
    "how": "clip_norm", "factor": 0.5, "names": ["a"], "before": [4.0], "after": [2.0],
    "leaves": [0], "values": [1],
}  # fmt: skip


def opened(path, **told: Any) -> Trace:
    return open_recording(write(path / "run.bp", **told))


def grads_of(trace: Trace) -> list[Any]:
    """`.grad` of a after each pass that has to do with gradients."""
    node = trace.nodes.inputs["a"]
    return [pass_.grads.get(node) for pass_ in trace.passes if pass_.grads is not None]


def test_clipping_is_an_entry_of_the_timeline_and_changes_grad(tmp_path):
    trace = opened(tmp_path, events=[("gradients", CLIPPED)])
    change = trace.passes[-1]
    assert (change.kind, change.name) == (PassKind.CHANGE, "clip_norm")
    assert trace.step(change.start).kind is StepKind.CHANGE
    told = explain(trace, change.start)
    assert told.headline == "1 gradients are clipped to a norm, 0.5"
    assert told.notes == ("a: |grad| 4 → 2",)
    np.testing.assert_array_equal(grads_of(trace)[-1], [1.0, 2.0, 3.0])


def test_clearing_clears_what_it_names_and_no_more(tmp_path):
    kept, gone = (
        opened(tmp_path, events=[("zero_grad", {"values": values})]) for values in ([1], [0])
    )
    assert grads_of(kept)[-1] is not None
    assert grads_of(gone)[-1] is None
    told = explain(gone, gone.passes[-1].start)
    assert told.headline == "zero_grad: clear .grad of 1 tensor"
    assert told.notes == ("a.grad",)


def test_clearing_to_zero_leaves_zeros(tmp_path):
    clearing = {"values": [0], "to_none": False}
    trace = opened(tmp_path, events=[("gradients", CLIPPED), ("zero_grad", clearing)])
    np.testing.assert_array_equal(grads_of(trace)[-1], np.zeros(3))


def test_clearing_that_names_nobody_clears_all(tmp_path):
    assert grads_of(opened(tmp_path, events=[("zero_grad", {})]))[-1] is None


def test_a_hook_that_changed_a_gradient_is_a_step_of_its_own(tmp_path):
    plain = opened(tmp_path)
    trace = opened(tmp_path, hooked=[(1, 0, 0, 1)])
    assert len(trace) == len(plain) + 1
    node = trace.named("a")
    sent, hook = trace.receipts(node)
    assert trace.step(hook).kind is StepKind.HOOK
    np.testing.assert_array_equal(trace.total_after(sent), [1.0, 2.0, 3.0])
    assert trace.total_after(hook) is trace.gradient(node, hook + 1)
    told = explain(trace, hook)
    assert told.headline == "a hook changes the gradient of a"
    assert told.notes[0] == "registered at train.py:3: y.backward()"


@pytest.mark.parametrize(
    ("kind", "event"),
    [
        ("gradients", {**CLIPPED, "after": []}),
        ("gradients", {**CLIPPED, "values": [99]}),
        ("gradients", {**CLIPPED, "leaves": "a"}),
        ("zero_grad", {"values": [0.5]}),
    ],
)
def test_an_event_that_points_at_nothing_is_refused(tmp_path, kind, event):
    with pytest.raises(RecordingError):
        opened(tmp_path, events=[(kind, event)])


def test_a_hook_that_points_at_nothing_is_refused(tmp_path):
    with pytest.raises(RecordingError):
        opened(tmp_path, hooked=[(7, 0, 0, 1)])
