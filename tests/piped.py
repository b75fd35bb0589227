"""A message as it arrives at the other end of a pipe."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from backprop_tui.oracles.messages import line_of, packed, unpacked


def piped(message: Mapping[str, Any]) -> Any:
    return arrived(packed(message))


def arrived(sent: bytes) -> Any:
    stream = io.BytesIO(sent)
    message = unpacked(line_of(stream), stream)
    assert stream.read() == b""
    return message
