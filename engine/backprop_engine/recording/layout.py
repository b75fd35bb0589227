"""How a recording lies in its file; docs/recording.md describes it byte by byte.

Writers and readers share these numbers, and nothing else.
"""

from __future__ import annotations

from enum import IntEnum
from struct import Struct
from typing import Final

VERSION: Final = 1
"""Goes up when an older reader would read something wrongly; what is only added is skipped."""

FILE_HEAD: Final = Struct("<8sH54x")
"""What the file is, and its version."""
FILE_MAGIC: Final = b"BPREC\r\n\x1a"

FRAME_HEAD: Final = Struct("<IBBBBQIIQ")
"""Magic, kind, dtype, dimensions, flags, bytes of the payload, number, CRC-32, zero."""
FRAME_MAGIC: Final = 0x52465042
ALIGNED: Final = 64
"""Frames and their payloads start at multiples of it."""
HAS_CRC: Final = 1
"""The flag of a frame whose payload is guarded."""

MAX_JSON: Final = 1 << 26
"""Bytes of one JSON text."""
MAX_DIMENSIONS: Final = 64


class FrameKind(IntEnum):
    """What a frame holds."""

    JSON = 1
    TABLE = 2
    TENSOR = 3
    END = 9


class ValueKind(IntEnum):
    """How much is known of a value, and what `at` means in its row."""

    SUMMARY = 1
    """A few elements, in the pool of its table, from byte `at`; −1 for none."""
    SCALAR = 2
    """One floating number: `norm`."""
    SMALL = 3
    """All elements, in the pool of its table, from byte `at`."""
    WHOLE = 4
    """All elements, in the tensor frame numbered `at`."""
    OPAQUE = 5
    """A shape and nothing else."""
    ALIAS = 6
    """The elements of value `at`, an earlier one, in another shape and order."""


DTYPES: Final = (
    "float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool",
    "complex64", "complex128",
)  # fmt: skip
"""By their number in the file."""
SIZES: Final = (8, 4, 2, 2, 8, 4, 2, 1, 1, 1, 8, 16)
UNKNOWN_DTYPE: Final = 255
BFLOAT16: Final = DTYPES.index("bfloat16")

FORWARD_FLAGS: Final = {"grad": 1, "in_place": 2, "in_backward": 4, "inner": 8}
"""Of a call: whether grad mode was on, whether its output is its first operand, changed, whether it
was made while a backward pass ran, and whether it is a kernel inside of a call that comes next."""

Columns = dict[str, tuple[str, int]]
"""By name: numpy's dtype, and how many numbers a row has (0 for a plain column)."""

TABLES: Final[dict[str, Columns]] = {
    "values": {
        "kind": ("|u1", 0),
        "dtype": ("|u1", 0),
        "shape": ("<i4", 0),
        "at": ("<i8", 0),
        "norm": ("<f8", 0),
        "extra": ("<f8", 6),
        "pool": ("|u1", 0),
    },
    "calls": {
        "before": ("<i8", 0),
        "after": ("<i8", 0),
        "function": ("<i4", 0),
        "stack": ("<i4", 0),
        "module": ("<i4", 0),
        "template": ("<i4", 0),
        "flags": ("|u1", 0),
        "operand_counts": ("<i4", 0),
        "operands": ("<i8", 0),
        "output_counts": ("<i4", 0),
        "outputs": ("<i8", 3),
    },
    "pass": {
        "kind": ("<i4", 0),
        "sequence": ("<i8", 0),
        "edge_counts": ("<i4", 0),
        "edges": ("<i4", 2),
        "roots": ("<i8", 4),
        "leaves": ("<i8", 3),
        "sends": ("<i8", 5),
        "totals": ("<i8", 3),
        "made": ("<i8", 2),
    },
}
"""The tables of this version."""


def aligned(offset: int) -> int:
    """The next place a frame or a payload may start at."""
    return -(-offset // ALIGNED) * ALIGNED
