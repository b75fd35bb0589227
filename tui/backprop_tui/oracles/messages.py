"""What goes over a pipe: JSON on one line, then the bytes of the arrays in it, one after the other.

It is plain data, and nothing of it runs: the process at the other end may have run any program.
"""

from __future__ import annotations

import json
import math
import sys
from array import array as python_array
from collections.abc import Mapping
from typing import IO, Any

import numpy as np

Message = Mapping[str, Any]

NO_MESSAGE = (
    ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError
)  # fmt: skip
"""What reading raises for lines that are no message, and decoding for messages that are no answer.
"""
_ARRAY = "<array>"
"""The key of what stands in for an array; no name of a program's is spelled like this."""
_KINDS = "biufc"
"""The kinds of numbers, as numpy calls them: arrays of objects are none."""


class TooLongError(Exception):
    """More bytes than a message may have."""


def packed(message: Message) -> bytes:
    """A message of JSON's types, numpy's numbers, and arrays of numpy's or Python's."""
    arrays: list[bytes] = []

    def placeholder(value: Any) -> Any:
        if isinstance(value, np.generic):
            return value.item()
        if isinstance(value, bytes | bytearray):
            value = np.frombuffer(value, np.uint8)
        if isinstance(value, python_array):
            value = np.frombuffer(value, value.typecode)
        if not isinstance(value, np.ndarray):
            raise TypeError(f"{type(value).__name__} is nothing to be sent")
        arrays.append(value.tobytes())
        return {_ARRAY: [str(value.dtype), *value.shape]}

    head = json.dumps(message, default=placeholder, separators=(",", ":"))
    return b"".join([head.encode("ascii"), b"\n", *arrays])


def line_of(stream: IO[bytes], most: int = sys.maxsize) -> bytes:
    """The line that a message begins with. EOFError if the stream ends before it does."""
    line = stream.readline(most)
    if line.endswith(b"\n"):
        return line
    raise TooLongError if len(line) >= most else EOFError


def unpacked(line: bytes, stream: IO[bytes], most: int = sys.maxsize) -> Any:
    """The message that begins with `line`, the bytes of its arrays read from `stream`.

    One of NO_MESSAGE if it is none, TooLongError, or EOFError.
    """
    arrays: list[np.ndarray] = []
    room = most

    def array(told: dict[str, Any]) -> Any:
        nonlocal room
        if told.keys() != {_ARRAY}:
            return told
        name, *shape = told[_ARRAY]
        dtype = np.dtype(name)
        if dtype.kind not in _KINDS or not all(type(size) is int and size >= 0 for size in shape):
            raise ValueError("that is no array")
        room -= math.prod(shape) * dtype.itemsize
        if room < 0:
            raise TooLongError
        arrays.append(np.empty(shape, dtype))
        return arrays[-1]

    message = json.loads(line, object_hook=array)
    for each in arrays:
        # Of no elements there is nothing to be read, and numpy shows no bytes of them.
        if each.size and stream.readinto(each.reshape(-1).view(np.uint8)) < each.nbytes:  # type: ignore[attr-defined]
            raise EOFError
    return message


def encode_attribute(attribute: Any) -> Any:
    """An attribute of an operation: numbers, texts, None, tuples, slices, `...`, arrays."""
    if isinstance(attribute, tuple | list):
        kind = "tuple" if isinstance(attribute, tuple) else "list"
        return {kind: [encode_attribute(item) for item in attribute]}
    if isinstance(attribute, slice):
        parts = (attribute.start, attribute.stop, attribute.step)
        return {"slice": [encode_attribute(part) for part in parts]}
    if attribute is Ellipsis:
        return {"ellipsis": True}
    return attribute


def decode_attribute(encoded: Any) -> Any:
    """The inverse of `encode_attribute`."""
    if not isinstance(encoded, dict):
        return encoded
    if "ellipsis" in encoded:
        return Ellipsis
    if "slice" in encoded:
        return slice(*(decode_attribute(part) for part in encoded["slice"]))
    if "list" in encoded:
        return [decode_attribute(item) for item in encoded["list"]]
    return tuple(decode_attribute(item) for item in encoded["tuple"])
