"""The frames of a recording, read from a file that anybody may have made.

Every length is compared with the file's before it is used, and nothing is copied that nobody has
asked for: a file of ten gigabytes takes the memory of what is looked at.
"""

from __future__ import annotations

import json
import mmap
import os
import stat
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.sanitised import printable
from backprop_engine.basics.source import Problem, ScenarioError, Source, Span
from backprop_engine.recording.layout import (
    ALIGNED,
    BFLOAT16,
    DTYPES,
    FILE_HEAD,
    FILE_MAGIC,
    FRAME_HEAD,
    FRAME_MAGIC,
    HAS_CRC,
    MAX_DIMENSIONS,
    MAX_JSON,
    SIZES,
    TABLES,
    VERSION,
    FrameKind,
    aligned,
)


class RecordingError(ScenarioError):
    """A file that is no recording, or that cannot be read as one."""

    def __init__(self, path: Path, message: str) -> None:
        super().__init__(Source(str(path), ""), Problem(message, Span(0, 0)))

    def __str__(self) -> str:
        return self.render()

    def render(self) -> str:
        """`FILE: message`, in one line that is harmless on a terminal."""
        return printable(f"{self.source.name}: {self.problems[0].sentence}")


@dataclass(frozen=True, slots=True)
class Frame:
    """Where a frame lies; `start` is its payload's first byte."""

    kind: int
    dtype: int
    shape: tuple[int, ...]
    flags: int
    start: int
    length: int
    crc: int


class Frames:
    """A file's frames, as far as they arrived whole."""

    def __init__(self, path: Path) -> None:
        """Raises RecordingError for what is none."""
        self.path = path
        self._map, self.size = _mapped(path)
        self._check_head()
        self.in_order: list[Frame] = []
        self.tensors: dict[int, Frame] = {}
        """By number."""
        self.is_complete = False
        """Whether the writer came to say that this is all."""
        self._scan()

    def error(self, message: str) -> RecordingError:
        """`FILE: message`."""
        return RecordingError(self.path, message)

    def _check_head(self) -> None:
        if self.size < FILE_HEAD.size:
            raise self.error("this is no recording: it is too short")
        magic, version = FILE_HEAD.unpack_from(self._map)
        if magic != FILE_MAGIC:
            raise self.error("this is no recording of backprop-tui's")
        if version > VERSION:
            raise self.error(
                f"this recording has version {version} of the format, and this backprop-tui reads "
                f"{VERSION}; a newer backprop-tui opens it"
            )
        if version < 1:
            raise self.error("this is no recording: its version is 0")

    def _scan(self) -> None:
        at = FILE_HEAD.size
        while at + FRAME_HEAD.size <= self.size:
            magic, kind, dtype, ndim, flags, length, number, crc, _ = FRAME_HEAD.unpack_from(
                self._map, at
            )
            if magic != FRAME_MAGIC or ndim > MAX_DIMENSIONS:
                break
            shape_at = at + FRAME_HEAD.size
            start = aligned(shape_at + 8 * ndim)
            if start + length > self.size:
                break
            shape = struct.unpack_from(f"<{ndim}q", self._map, shape_at)
            frame = Frame(kind, dtype, shape, flags, start, length, crc)
            if kind == FrameKind.TENSOR:
                self.tensors[number] = frame
            elif kind == FrameKind.END:
                self.is_complete = True
                break
            else:
                self.in_order.append(frame)
            at = aligned(start + length)

    def payload(self, frame: Frame) -> memoryview:
        """The bytes of a frame. Raises RecordingError where they are not what was written."""
        view = memoryview(self._map)[frame.start : frame.start + frame.length]
        if frame.flags & HAS_CRC and zlib.crc32(view) != frame.crc:
            raise self.error("a part of this recording is damaged")
        return view

    def json(self, frame: Frame) -> dict[str, Any]:
        """The object in a JSON frame."""
        return self._object(self.payload(frame))

    def _object(self, text: memoryview) -> dict[str, Any]:
        if len(text) > MAX_JSON:
            raise self.error("a text in this recording is too long")
        try:
            found = json.loads(bytes(text))
        except (ValueError, RecursionError):  # no UTF-8 either
            raise self.error("a part of this recording is damaged") from None
        if not isinstance(found, dict):
            raise self.error("a part of this recording is damaged")
        return found

    def table(self, frame: Frame) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """The head of a table, and its columns, read-only. Columns of no name here are skipped."""
        view = self.payload(frame)
        if len(view) < 4:
            raise self.error("a table is damaged")
        (size,) = struct.unpack_from("<I", view)
        if 4 + size > len(view):
            raise self.error("a table is damaged")
        head = self._object(view[4 : 4 + size])
        name = head.get("table")
        wanted = TABLES.get(name, {}) if isinstance(name, str) else {}
        listed = head.get("columns")
        columns: dict[str, np.ndarray] = {}
        at = 4 + size
        for column in listed if isinstance(listed, list) else ():
            match column:
                case [str(key), str(dtype), [*shape]] if all(
                    type(size) is int and 0 <= size <= frame.length for size in shape
                ):
                    pass
                case _:
                    raise self.error("a table is damaged")
            rows, width = wanted.get(key, (dtype, -1))
            itemsize = _itemsize(dtype)
            count = 1
            for length in shape:
                count *= length
            if itemsize is None or at + count * itemsize > len(view):
                raise self.error("a table is damaged")
            if width >= 0:
                if dtype != rows or (shape[1:] if width == 0 else shape[1:] != [width]):
                    raise self.error(f"the column {printable(key)} is not of its kind")
                flat = np.frombuffer(view, dtype, count, at) if count else np.zeros(0, dtype)
                columns[key] = flat.reshape(shape)
            at += -(-count * itemsize // 8) * 8
        if any(key not in columns for key in wanted):
            raise self.error("a table lacks a column")
        return head, columns

    def tensor(self, number: int, dtype: int, shape: tuple[int, ...]) -> np.ndarray:
        """The elements in tensor frame `number`, read-only; bfloat16 as float32.

        Raises RecordingError where they are not of this dtype and shape.
        """
        frame = self.tensors.get(number)
        if frame is None or frame.dtype != dtype or frame.shape != shape:
            raise self.error("a value is not where it should be")
        return elements(self.payload(frame), dtype, shape, self.error)


def ranges(starts: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The numbers from each start on, as many as its count, one range after the other."""
    before = np.cumsum(counts) - counts
    found: np.ndarray = np.arange(int(counts.sum())) + np.repeat(starts - before, counts)
    return found


def elements(
    raw: memoryview | np.ndarray, dtype: int, shape: tuple[int, ...], error: Any
) -> np.ndarray:
    """The elements in `raw` bytes, in C order; bfloat16 as float32."""
    count = 1
    for length in shape:
        count *= length
    if dtype >= len(SIZES) or count * SIZES[dtype] != len(raw):
        raise error("a value has not the length of its shape")
    if not count:
        return np.zeros(shape, np.float32 if dtype == BFLOAT16 else DTYPES[dtype])
    if dtype == BFLOAT16:
        halves = np.frombuffer(raw, "<u2")
        found: np.ndarray = (halves.astype("<u4") << 16).view("<f4").reshape(shape)
        return found
    return np.frombuffer(raw, np.dtype(DTYPES[dtype]).newbyteorder("<")).reshape(shape)


def _itemsize(dtype: str) -> int | None:
    """The bytes of one number of a plain dtype (`<f8`); None where it is none of these."""
    is_plain = len(dtype) == 3 and dtype[0] in "<|" and dtype[1] in "fiub" and dtype[2] in "1248"
    return int(dtype[2]) if is_plain else None


def _mapped(path: Path) -> tuple[mmap.mmap | bytes, int]:
    try:
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise RecordingError(path, "this is no file")
            if found.st_size < ALIGNED:
                return b"", found.st_size
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), found.st_size
    except OSError as error:
        raise RecordingError(path, error.strerror or "it cannot be read") from None


def is_recording(path: Path) -> bool:
    """Whether the file says that it is a recording, of whatever version."""
    try:
        if not path.is_file():  # a pipe would be waited for
            return False
        with path.open("rb") as file:
            return file.read(len(FILE_MAGIC)) == FILE_MAGIC
    except (OSError, ValueError):
        return False
