"""What is kept of values: all of them where they are small or the budget allows, else a summary.

A summary is the exact 2-norm, which tells whether all elements are finite, and some evenly spaced
elements. What is not finite is counted, and kept whole within a reserve of its own.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import torch

from backprop_engine.recording.layout import SIZES, UNKNOWN_DTYPE, ValueKind
from backprop_recorder import tensors
from backprop_recorder.tensors import CODES, FLOATS, PLAIN, elements, is_readable, raw
from backprop_recorder.writer import Writer

SMALL: Final = 64
"""Elements up to which a value is always whole."""
SAMPLE: Final = 64
RESERVE: Final = 64 << 20
"""Bytes for what is not finite."""
_NAN: Final = math.nan
_FAULTS = (RuntimeError, NotImplementedError, TypeError, ValueError)
"""What tensors of strange kinds raise when they are looked at."""


class Values:
    """The table of values, as it grows."""

    def __init__(self, writer: Writer, budget: float, *, with_range: bool = False) -> None:
        """`budget`: bytes of whole values; `with_range`: least and greatest elements as well."""
        self._writer, self._left, self._reserve = writer, budget, RESERVE
        self._with_range = with_range
        self._rows: list[tuple[int, int, int, int, float]] = []
        self._extra: list[tuple[float, ...]] = []
        self._pool = bytearray()
        self._shapes: dict[object, int] = {}
        self.new_shapes: list[list[list[int]]] = []
        """Those that are not in the file yet."""
        self._first = 0
        self.spoilt = 0
        """How many values had elements that are not finite."""

    def add(self, tensor: torch.Tensor) -> int:
        """Keep `tensor`; the number of its value. Called with hooks, modes and grad off."""
        number = self._first + len(self._rows)
        try:
            if is_readable(tensor):
                return self._add(number, tensor)
        except _FAULTS:
            pass
        return self._opaque(number, tensor)

    def number(self, value: float, like: torch.Tensor) -> int:
        """A single number, in the shape and dtype of `like`, which has one element."""
        return self._row(ValueKind.SCALAR, like, self._shape(like.shape), -1, value)

    def _add(self, number: int, tensor: torch.Tensor) -> int:
        count, dtype, shape = tensor.numel(), tensor.dtype, self._shape(tensor.shape)
        is_float = dtype in FLOATS
        if count == 1 and is_float:
            found = tensor.item()
            self.spoilt += not math.isfinite(found)
            return self._row(ValueKind.SCALAR, tensor, shape, -1, found)
        flat = elements(tensor) if is_float else None
        if count <= SMALL:
            at = len(self._pool)
            array = raw(tensor) if flat is None else flat
            self._pool += array.tobytes()
            if is_float and dtype is not torch.bfloat16:
                self.spoilt += not np.isfinite(array).all()
            return self._row(ValueKind.SMALL, tensor, shape, at, _NAN)
        norm = tensors.norm(tensor, flat) if is_float else _NAN
        if is_float and not math.isfinite(norm):
            self._look_closely(number, tensor)
        elif self._with_range and is_float:
            low, high = torch.aminmax(tensor)
            self._extra.append((number, 0, 0, low.item(), high.item(), -1))
        size = count * tensor.element_size()
        if size <= self._left:
            self._left -= size
            at = self._writer.tensor(raw(tensor), CODES[dtype])
            return self._row(ValueKind.WHOLE, tensor, shape, at, norm)
        at = -1
        if flat is not None:
            at = len(self._pool)
            self._pool += flat[:: count // SAMPLE + 1].tobytes()
        elif tensor.is_contiguous():
            at = len(self._pool)
            self._pool += raw(tensor.view(-1)[:: count // SAMPLE + 1]).tobytes()
        return self._row(ValueKind.SUMMARY, tensor, shape, at, norm)

    def alias(
        self, number: int, first: torch.Tensor, tensor: torch.Tensor, *, is_new: bool = False
    ) -> int:
        """`tensor` has the elements of `first`, which is value `number`, in another order.

        In the same order it is that value; where it is to be told apart, a new one.
        """
        if not is_new and tensor.shape == first.shape and tensor.stride() == first.stride():
            return number
        if not first.is_contiguous() or number < self._first or type(tensor) not in PLAIN:
            return self.add(tensor)
        key = tensor.shape, tensor.stride()
        shape = self._shapes.get(key)
        if shape is None:
            shape = self._shapes[key] = len(self._shapes)
            self.new_shapes.append([list(tensor.shape), list(tensor.stride())])
        return self._row(
            ValueKind.ALIAS, tensor, shape, number, self._rows[number - self._first][4]
        )

    def is_alike(self, one: int, other: int) -> bool:
        """Whether two values may be the same in another place, as far as can be told by now."""
        rows = [
            self._rows[number - self._first] for number in (one, other) if number >= self._first
        ]
        if len(rows) < 2 or rows[0][:3] != rows[1][:3]:
            return True
        kind, dtype, shape, _, _ = rows[0]
        norms = rows[0][4], rows[1][4]
        if norms[0] != norms[1] and not all(map(math.isnan, norms)):
            return False
        if kind not in (ValueKind.SMALL, ValueKind.SUMMARY):
            return True
        sizes, size = list(self._shapes)[shape], SIZES[dtype]
        count = math.prod(sizes)  # type: ignore[call-overload]
        taken = size * (count if kind == ValueKind.SMALL else -(-count // (count // SAMPLE + 1)))
        first, second = (self._pool[row[3] : row[3] + taken] for row in rows)
        return first == second

    def _row(self, kind: ValueKind, tensor: torch.Tensor, shape: int, at: int, norm: float) -> int:
        self._rows.append((kind, CODES.get(tensor.dtype, UNKNOWN_DTYPE), shape, at, norm))
        return self._first + len(self._rows) - 1

    def gone(self, like: torch.Tensor) -> int:
        """A value that was overwritten before it was seen, in the shape and dtype of `like`."""
        return self._opaque(self._first + len(self._rows), like)

    def _opaque(self, number: int, tensor: torch.Tensor) -> int:
        del self._rows[number - self._first :]
        return self._row(ValueKind.OPAQUE, tensor, self._shape(tensor.shape), -1, _NAN)

    def _look_closely(self, number: int, tensor: torch.Tensor) -> None:
        nans = int(torch.isnan(tensor).sum())
        infinities = tensor.numel() - int(torch.isfinite(tensor).sum()) - nans
        at = -1
        if nans or infinities:
            self.spoilt += 1
            size = tensor.numel() * tensor.element_size()
            if size <= self._reserve and size > self._left:
                self._reserve -= size
                at = self._writer.tensor(raw(tensor), CODES[tensor.dtype])
        self._extra.append((number, nans, infinities, _NAN, _NAN, at))

    def _shape(self, sizes: torch.Size) -> int:
        found = self._shapes.get(sizes)
        if found is None:
            found = self._shapes[sizes] = len(self._shapes)
            self.new_shapes.append([list(map(int, sizes))])
        return found

    def flush(self) -> None:
        """Write what has come in. Shapes must be in the file before."""
        if not self._rows:
            return
        kind, dtype, shape, at, norm = zip(*self._rows, strict=True)
        columns: dict[str, np.ndarray] = {
            "kind": np.array(kind, np.uint8),
            "dtype": np.array(dtype, np.uint8),
            "shape": np.array(shape, np.int32),
            "at": np.array(at, np.int64),
            "norm": np.array(norm, np.float64),
            "extra": np.array(self._extra, np.float64).reshape(-1, 6),
            "pool": np.frombuffer(bytes(self._pool), np.uint8),
        }
        self._writer.table("values", columns, first=self._first, sample=SAMPLE)
        self._first += len(self._rows)
        self._rows, self._pool, self._extra = [], bytearray(), []
