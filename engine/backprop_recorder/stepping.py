"""One backward pass, recorded where a program stands."""

from __future__ import annotations

import sys
from pathlib import Path
from types import FrameType
from typing import Any

from backprop_recorder.recorder import Recorder


def record_backward(path: Path, own: str, loss: Any, *arguments: Any) -> None:
    """`loss.backward(*arguments)`, recorded into `path`. Frames of files that begin with `own` are
    no part of the program. What backward() raises is recorded, and raised. Raises OSError, and
    RecordingAlreadyError where the pass belongs to a recording under way.
    """
    with Recorder(path, own=own) as recorder:
        frame: FrameType | None = sys._getframe(1)
        while frame is not None and frame.f_code.co_filename.startswith(own):
            frame = frame.f_back
        if frame is not None:
            recorder.learn(frame)
        loss.backward(*arguments)
