"""From the file of a recording to its trace."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from backprop_engine.basics.gc_pause import collector_paused
from backprop_engine.recording.reader import read
from backprop_engine.recording.trace import trace_of
from backprop_engine.trace import Trace


def open_recording(path: Path, *, with_source: bool = True) -> Trace:
    """The trace of a recording, as if made without the texts of files unless `with_source`.

    Raises RecordingError.
    """
    with collector_paused(), np.errstate(all="ignore"):
        recording = read(path)
        if not with_source:
            recording.sources.clear()
        return trace_of(recording)
