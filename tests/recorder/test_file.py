"""The file of a recording: what is written is read, and what somebody else wrote does no harm."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.recorder.hand_made import WEIGHT, write

from backprop_engine.basics.summary import Summary
from backprop_engine.recording import layout
from backprop_engine.recording.frames import RecordingError, is_recording
from backprop_engine.recording.reader import read
from backprop_engine.recording.recording import Pass, Recording, Update
from backprop_engine.recording.trace import trace_of
from backprop_recorder.writer import Writer
from backprop_tui.headless.json_values import json_line
from backprop_tui.headless.trace_text import as_json


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> Path:
    return write(tmp_path_factory.mktemp("recording") / "run.bp")


def everything(recording: Recording) -> list[object]:
    """All that can be asked of it."""
    values = recording.values
    known = [values.known(number) for number in range(values.first, values.first + values.count)]
    spoilt = values.are_spoilt.tolist()
    calls = [
        (recording.calls.operands(n), recording.calls.outputs(n))
        for n in range(len(recording.calls))
    ]
    places = [recording.site(stack) for stack in range(len(recording.stacks))]
    return [known, spoilt, calls, places, recording.events, recording.error]


def test_what_is_written_is_read(file):
    recording = read(file)
    values = recording.values
    assert recording.is_complete
    assert recording.start.torch == "2.13.0"
    assert recording.sources["train.py"].splitlines()[1] == "a * b"
    assert recording.calls.operands(0) == [0, 1]
    assert recording.calls.outputs(0) == [(2, -1, 0)]
    assert recording.names == {0: "a", 1: "b"}
    site = recording.site(0)
    assert site is not None
    assert (site.line, site.stored) == (2, "y")
    pass_, update = recording.events
    assert isinstance(pass_, Pass)
    assert pass_.sends.tolist() == [[0, 0, 1, 0, 3]]
    assert (pass_.loss, pass_.missing, pass_.leaf_names) == (7.5, ["b"], {1: "a"})
    assert isinstance(update, Update)
    assert update.updates == [0.1]
    (wrong, _) = recording.function_checks
    assert (wrong.name, wrong.argument, wrong.element) == ("Cube", 1, (0, 2))
    assert recording.error is not None
    assert recording.error.message == "␛[31mno"
    np.testing.assert_array_equal(values.array(0), np.array([1, 2, 3], np.float32))
    assert values.known(2) == np.float32(7.5)
    np.testing.assert_array_equal(values.array(3), WEIGHT)
    np.testing.assert_array_equal(values.array(4), WEIGHT.T)


def test_of_a_large_value_a_few_figures_are_known(file):
    summary = read(file).values.known(5)
    assert isinstance(summary, Summary)
    assert (summary.shape, summary.dtype, summary.nans, summary.infinities) == (
        (20, 10), "float32", 1, 2,
    )  # fmt: skip
    assert summary.sample == tuple(range(0, 200, 4))


def test_the_file_is_its_owners_alone_and_a_new_one(tmp_path):
    path = tmp_path / "run.bp"
    path.write_text("old")
    path.chmod(0o644)
    with path.open() as old:
        write(path)
        assert old.read() == "old"
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_file_that_is_cut_off_anywhere_is_good_up_to_there(file, tmp_path):
    data = file.read_bytes()
    cut = tmp_path / "cut.bp"
    counts = []
    for size in range(layout.FILE_HEAD.size, len(data), 16):
        cut.write_bytes(data[:size])
        recording = read(cut)
        assert not recording.is_complete or size > len(data) - layout.ALIGNED
        everything(recording)
        counts.append(len(recording.events))
    assert counts == sorted(counts)
    assert counts[-1] == 2


def test_a_recording_that_is_still_written_can_be_read(tmp_path):
    recording = read(write(tmp_path / "run.bp", ends=False))
    assert not recording.is_complete
    assert len(recording.events) == 2


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(changes=st.lists(st.tuples(st.integers(0, 1 << 16), st.integers(0, 255)), min_size=1))
def test_a_changed_file_is_read_or_refused(file, tmp_path, changes):
    data = bytearray(file.read_bytes())
    for at, byte in changes:
        data[at % len(data)] = byte
    _check(data, tmp_path)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(at=st.integers(0, 1 << 16), number=st.sampled_from([0, 1, 2, 99, -1, -2, 1 << 40, 1 << 62]))
def test_a_wrong_number_in_a_sound_frame_is_refused_or_means_something(file, tmp_path, at, number):
    """With the checksum put right, so that the checks behind it are tried."""
    frames = read(file).frames
    data = bytearray(file.read_bytes())
    frame = frames.in_order[at % len(frames.in_order)]
    place = frame.start + at * 4 % max(frame.length - 8, 1)
    data[place : place + 8] = number.to_bytes(8, "little", signed=True)
    head = data.rindex(layout.FRAME_MAGIC.to_bytes(4, "little"), 0, frame.start)
    data[head + 7] = 0
    _check(data, tmp_path)


def _check(data: bytes | bytearray, folder: Path) -> None:
    path = folder / "changed.bp"
    path.write_bytes(data)
    try:
        recording = read(path)
        everything(recording)
        for step in as_json(trace_of(recording)):
            json_line(step)
    except RecordingError as error:
        assert str(error).isprintable()  # noqa: PT017 - most are read, and raise nothing


def test_a_newer_version_is_told_in_a_line(file, tmp_path):
    newer = tmp_path / "newer.bp"
    data = bytearray(file.read_bytes())
    data[8:10] = (layout.VERSION + 1).to_bytes(2, "little")
    newer.write_bytes(data)
    assert is_recording(newer)
    with pytest.raises(RecordingError, match=r"newer\.bp: this recording has version 2 .* reads 1"):
        read(newer)


@pytest.mark.parametrize("data", [b"", b"BPREC", b"a: 1\n" * 100])
def test_what_is_no_recording_is_told_so(tmp_path, data):
    path = tmp_path / "run.bp"
    path.write_bytes(data)
    assert not is_recording(path)
    with pytest.raises(RecordingError, match="this is no recording"):
        read(path)


def test_a_pipe_and_a_folder_are_no_recordings(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert not is_recording(tmp_path / "pipe")
    assert not is_recording(tmp_path)
    with pytest.raises(RecordingError, match="Is a directory"):
        read(tmp_path)


def test_a_column_of_another_kind_is_refused(tmp_path):
    writer = Writer(tmp_path / "run.bp")
    columns = {
        name: np.zeros((0, width) if width else 0, dtype)
        for name, (dtype, width) in layout.TABLES["calls"].items()
    }
    writer.table("calls", {**columns, "stack": np.zeros(0)}, first=0)
    writer.close()
    with pytest.raises(RecordingError, match="the column stack is not of its kind"):
        read(tmp_path / "run.bp")


def test_of_the_iterations_that_wait_the_last_are_written(tmp_path):
    writer = Writer(tmp_path / "run.bp", keep=2)
    for number in range(5):
        writer.json("zero_grad", {"call": number})
        writer.end_iteration()
    assert not read(tmp_path / "run.bp").events
    writer.close()
    assert [event.call for event in read(tmp_path / "run.bp").events] == [3, 4]


def test_a_cap_on_the_size_ends_the_recording(tmp_path):
    path = write(tmp_path / "run.bp", most=2000)
    recording = read(path)
    assert path.stat().st_size <= 2000
    assert recording.start.torch == "2.13.0"
    assert not recording.is_complete


def test_a_full_disk_ends_the_recording():
    writer = Writer(Path("/dev/full"))
    writer.json("start", {})
    assert "No space left" in writer.ended
    writer.close()


def test_the_reader_imports_neither_torch_nor_the_screen(file):
    code = (
        "import json, sys; from pathlib import Path; "
        "from backprop_engine.recording.reader import read; read(Path(sys.argv[1])); "
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code, file], capture_output=True, text=True, check=True
    ).stdout
    assert not {"torch", "textual", "rich", "backprop_recorder"} & set(json.loads(printed))


def test_the_page_names_every_table_column_and_dtype():
    page = (Path(__file__).parents[2] / "docs" / "recording.md").read_text(encoding="utf-8")
    for name, columns in layout.TABLES.items():
        assert f"### `{name}`" in page
        assert all(f"`{column}`" in page for column in columns), name
    assert all(
        f"{number} {name}" in page.replace("\n", " ") for number, name in enumerate(layout.DTYPES)
    )
