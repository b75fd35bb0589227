"""From the file of a recording to its trace."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from backprop_engine.basics.gc_pause import collector_paused
from backprop_engine.recording.reader import read
from backprop_engine.recording.trace import trace_of
from backprop_engine.trace import Trace


def open_recording(path: Path) -> Trace:
    """The trace of a recording. Raises RecordingError."""
    with collector_paused(), np.errstate(all="ignore"):
        return trace_of(read(path))
