"""In a real Jupyter kernel: what is recorded there, and what `step` shows."""

from __future__ import annotations

import nbformat
from nbclient import NotebookClient

from backprop_engine.recording.reader import read
from backprop_engine.recording.trace import trace_of

RECORDS = """\
import backprop_tui, torch
w = torch.tensor([1.0, 2.0], requires_grad=True)
with backprop_tui.record("run.bp") as recorder:
    hidden = w * w
    hidden.sum().backward()
print(recorder.faults)
"""
STEPS = """\
loss = (w * 3).sum()
backprop_tui.step(loss)
"""


def test_a_notebook_records_and_is_shown_a_pass(tmp_path):
    cells = [nbformat.v4.new_code_cell(text) for text in (RECORDS, STEPS)]
    notebook = nbformat.v4.new_notebook(cells=cells)
    NotebookClient(notebook, resources={"metadata": {"path": tmp_path}}, timeout=120).execute()
    first, second = (cell.outputs for cell in notebook.cells)
    assert [output["text"] for output in first] == ["[]\n"]
    (shown,) = [output["data"] for output in second if output.output_type == "execute_result"]
    assert "backward loss" in shown["text/plain"]
    assert shown["text/html"].startswith("<pre")

    recording = read(tmp_path / "run.bp")
    assert recording.is_complete
    assert RECORDS in recording.sources.values()
    trace = trace_of(recording)
    hidden = trace.named("hidden")
    assert hidden is not None
    place = trace.nodes.place(hidden)
    assert place is not None
    assert (place.position.line, place.text) == (4, "w * w")
    assert trace.nodes.value[hidden].tolist() == [1.0, 4.0]
