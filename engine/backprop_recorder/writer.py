"""The file of a recording, as it is written: whole frames, one after the other."""

from __future__ import annotations

import json
import os
import stat
import struct
import zlib
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from backprop_engine.recording.layout import (
    ALIGNED,
    FILE_HEAD,
    FILE_MAGIC,
    FRAME_HEAD,
    FRAME_MAGIC,
    HAS_CRC,
    TABLES,
    VERSION,
    FrameKind,
)

_LASTING: Final = {"start", "strings", "source", "error", "end"}
"""What is written at once, though the iterations around it may be forgotten."""
Buffer = bytes | memoryview


class Writer:
    """Writes frames. A disk that is full, or `most` bytes, end the recording: `ended` says why."""

    def __init__(self, path: Path, *, keep: int | None = None, most: int | None = None) -> None:
        """`keep`: of the iterations the last so many wait in memory, and older ones are forgotten.

        Raises OSError where the file cannot be made. It is the owner's alone.
        """
        self.path, self._keep, self._most = path, keep, most
        self._waiting: deque[list[bytes]] = deque([[]])
        self._descriptor = _made(path)
        self._number = self.size = 0
        self.ended = ""
        """Why nothing is written any more; empty while it is."""
        self.pid = os.getpid()
        self._write([FILE_HEAD.pack(FILE_MAGIC, VERSION)])

    def json(self, kind: str, told: Mapping[str, Any]) -> None:
        """An object; numbers that are not finite are written as Python's json does."""
        text = json.dumps({"kind": kind, **told}, separators=(",", ":")).encode()
        self._frame(FrameKind.JSON, [text], is_lasting=kind in _LASTING)

    def table(self, name: str, columns: Mapping[str, np.ndarray], **told: Any) -> None:
        """The columns of a table of `layout.TABLES`."""
        arrays = {key: np.ascontiguousarray(columns[key]) for key in TABLES[name]}
        listed = [[key, array.dtype.str, list(array.shape)] for key, array in arrays.items()]
        head = json.dumps({"table": name, "columns": listed, **told}).encode()
        head += b" " * (-(len(head) + 4) % ALIGNED)
        parts: list[Buffer] = [struct.pack("<I", len(head)), head]
        for array in arrays.values():
            if array.size:
                parts += [array.reshape(-1).view(np.uint8).data, bytes(-array.nbytes % 8)]
        self._frame(FrameKind.TABLE, parts)

    def tensor(self, array: np.ndarray, dtype: int) -> int:
        """All elements; the number of their frame. `dtype` is a number of `layout.DTYPES`."""
        parts: list[Buffer] = []
        if array.size:
            parts = [np.ascontiguousarray(array).reshape(-1).view(np.uint8).data]
        return self._frame(FrameKind.TENSOR, parts, dtype=dtype, shape=array.shape, has_crc=False)

    def end_iteration(self) -> None:
        """Of the iterations that wait in memory the oldest is forgotten."""
        if self._keep is not None:
            self._waiting.append([])
            while len(self._waiting) > self._keep + 1:
                self._waiting.popleft()

    def close(self) -> None:
        """Write what waits, and that this is all."""
        if self._descriptor < 0:
            return
        if os.getpid() == self.pid:
            for iteration in self._waiting:
                for frame in iteration:
                    self._write([frame])
            self._keep = None
            self._frame(FrameKind.END, [])
        os.close(self._descriptor)
        self._descriptor = -1

    def _frame(
        self,
        kind: FrameKind,
        parts: list[Buffer],
        *,
        dtype: int = 0,
        shape: tuple[int, ...] = (),
        has_crc: bool = True,
        is_lasting: bool = False,
    ) -> int:
        length, crc, number = sum(map(len, parts)), 0, self._number
        self._number += 1
        if has_crc:
            for part in parts:
                crc = zlib.crc32(part, crc)
        flags = HAS_CRC if has_crc else 0
        head = FRAME_HEAD.pack(
            FRAME_MAGIC, kind, dtype, len(shape), flags, length, number, crc, 0
        ) + struct.pack(f"<{len(shape)}q", *shape)
        buffers: list[Buffer] = [
            head + bytes(-len(head) % ALIGNED),
            *parts,
            bytes(-length % ALIGNED),
        ]
        if self._keep is None or is_lasting:
            self._write(buffers)
        else:
            self._waiting[-1].append(b"".join(buffers))
        return number

    def _write(self, buffers: list[Buffer]) -> None:
        if self.ended or self._descriptor < 0:
            return
        size = sum(map(len, buffers))
        if self._most is not None and self.size + size > self._most:
            self.ended = f"the recording has reached the {self._most / 1e9:g} GB it may have"
            return
        try:
            done = os.writev(self._descriptor, buffers)
            if done < size:  # the disk is nearly full, or the piece too large for one call
                rest = memoryview(b"".join(buffers))[done:]
                while rest:
                    rest = rest[os.write(self._descriptor, rest) :]
        except OSError as error:
            self.ended = f"the recording cannot be written any more: {error.strerror}"
            return
        self.size += size


def _made(path: Path) -> int:
    """A new file, its owner's alone. One of the name is put aside, not written over: somebody may
    have it mapped into memory.
    """
    if path.is_symlink() or (path.exists() and stat.S_ISREG(path.stat().st_mode)):
        path.unlink()
    return os.open(path, os.O_WRONLY | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
