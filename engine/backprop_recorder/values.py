"""What is kept of values: all of them where they are small or the budget allows, else a summary.

A summary is the exact 2-norm, which tells whether all elements are finite, and some evenly spaced
elements. What is not finite is counted, and kept whole within a reserve of its own, where it is not
like what was kept: of a mask of infinities there is one, and not one an iteration.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import torch

from backprop_engine.recording.layout import SIZES, UNKNOWN_DTYPE, ValueKind
from backprop_recorder import tensors
from backprop_recorder.tensors import CODES, FLOATS, PLAIN, is_readable, norm_of, not_finite, raw
from backprop_recorder.writer import Writer

SMALL: Final = 64
"""Elements up to which a value is always whole."""
SAMPLE: Final = 64
RESERVE: Final = 64 << 20
"""Bytes for what is not finite."""
_SHARE: Final = 256
"""The largest value that is kept whole takes this part of the budget: else the first iteration of a
large model took it all, and to write it takes as long as to compute it.
"""
_NAN: Final = math.nan
_COMMON: Final = {torch.float32: CODES[torch.float32], torch.float64: CODES[torch.float64]}
_SUMMARY, _SCALAR, _SMALL, _WHOLE = (
    int(kind) for kind in (ValueKind.SUMMARY, ValueKind.SCALAR, ValueKind.SMALL, ValueKind.WHOLE)
)
_square = np.vdot
_C: Any = torch._C
_set_grad = _C._set_grad_enabled
_FAULTS = (RuntimeError, NotImplementedError, TypeError, ValueError)
"""What tensors of strange kinds raise when they are looked at."""


class Values:
    """The table of values, as it grows."""

    def __init__(self, writer: Writer, budget: float, *, with_range: bool = False) -> None:
        """`budget`: bytes of whole values; `with_range`: least and greatest elements as well."""
        self._writer, self._left, self._reserve = writer, budget, RESERVE
        self._largest = budget / _SHARE
        self._with_range = with_range
        self._rows: list[tuple[int, int, int, int, float]] = []
        self._extra: list[tuple[float, ...]] = []
        self._pool = bytearray()
        self._shapes: dict[object, int] = {}
        self._samples: dict[tuple[int, ...], tuple[np.ndarray, ...]] = {}
        self._spoilt_kinds: set[tuple[object, int, int]] = set()
        """Shape, nans and infinities of what is not finite and was kept whole."""
        self.new_shapes: list[list[list[int]]] = []
        """Those that are not in the file yet."""
        self._first = 0
        self.spoilt = 0
        """How many values had elements that are not finite."""

    def add(self, tensor: torch.Tensor, norm: float | None = None) -> int:
        """Keep `tensor`; the number of its value. Called with modes off. `norm` is its norm, where
        that is known.
        """
        code = _COMMON.get(tensor.dtype) if type(tensor) in PLAIN and tensor.is_cpu else None
        if code is None:
            return self._add_uncommon(tensor)
        try:
            if tensor.numel() == 1:
                return self._add_number(tensor.item(), code, tensor.shape)
            array = (tensor.detach() if tensor.requires_grad else tensor).numpy()
        except _FAULTS:  # laid out in another way
            return self._add_uncommon(tensor)
        return self._add_array(array, code, norm)

    def _add_number(self, value: float, code: int, sizes: tuple[int, ...]) -> int:
        if value - value:  # nan for nan and inf
            self.spoilt += 1
        shape = self._shapes.get(sizes)
        if shape is None:
            shape = self._shape(sizes)
        rows = self._rows
        rows.append((_SCALAR, code, shape, -1, value))
        return self._first + len(rows) - 1

    def _add_array(self, array: np.ndarray, code: int, norm: float | None) -> int:
        rows, count = self._rows, array.size
        number = self._first + len(rows)
        shape = self._shapes.get(array.shape)
        if shape is None:
            shape = self._shape(array.shape)
        pool = self._pool
        at = len(pool)
        if count <= SMALL:
            pool += array.tobytes()
            if not math.isfinite(_square(array, array)):
                self.spoilt += not np.isfinite(array).all()
            rows.append((_SMALL, code, shape, at, _NAN))
            return number
        is_row = array.flags.c_contiguous
        flat = array.reshape(-1) if is_row else array
        if norm is None:
            norm = math.sqrt(_square(flat, flat)) if is_row else norm_of(array)
        if norm - norm:
            self._look_closely(number, array, code)
        elif self._with_range:
            self._extra.append((number, 0, 0, float(array.min()), float(array.max()), -1))
        if array.nbytes <= self._largest and self._takes(array.nbytes):
            rows.append((_WHOLE, code, shape, self._writer.tensor(array, code), norm))
        else:
            some = flat[:: count // SAMPLE + 1] if is_row else array[self._sampled(array.shape)]
            pool += some.tobytes()
            rows.append((_SUMMARY, code, shape, at, norm))
        return number

    def _sampled(self, shape: tuple[int, ...]) -> tuple[np.ndarray, ...]:
        """Where the elements of a summary are, of what does not lie in a row."""
        found = self._samples.get(shape)
        if found is None:
            count = math.prod(shape)
            found = np.unravel_index(np.arange(0, count, count // SAMPLE + 1), shape)
            self._samples[shape] = found
        return found

    def _add_uncommon(self, tensor: torch.Tensor) -> int:
        number = self._first + len(self._rows)
        was_on = torch.is_grad_enabled()
        _set_grad(False)
        try:
            if is_readable(tensor):
                return self._add(number, tensor)
        except _FAULTS:
            pass
        finally:
            _set_grad(was_on)
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
        at = len(self._pool)
        if count <= SMALL:
            array = raw(tensor)
            self._pool += array.tobytes()
            if is_float and dtype is not torch.bfloat16:
                self.spoilt += not np.isfinite(array).all()
            return self._row(ValueKind.SMALL, tensor, shape, at, _NAN)
        norm = tensors.norm(tensor) if is_float else _NAN
        if is_float and not math.isfinite(norm):
            wide = tensor.float() if dtype is torch.bfloat16 else tensor
            self._look_closely(number, raw(tensor), CODES[dtype], raw(wide))
        elif self._with_range and is_float:
            low, high = torch.aminmax(tensor)
            self._extra.append((number, 0, 0, low.item(), high.item(), -1))
        size = count * tensor.element_size()
        if self._takes(size):
            at = self._writer.tensor(raw(tensor), CODES[dtype])
            return self._row(ValueKind.WHOLE, tensor, shape, at, norm)
        at = -1
        if tensor.is_contiguous():
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
        if number < self._first or type(tensor) not in PLAIN:
            return self.add(tensor)
        if not first.is_contiguous():
            norm = self._rows[number - self._first][4]
            return self.add(tensor, None if norm - norm else norm)
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

    def _takes(self, size: int) -> bool:
        """Whether a value of so many bytes is kept whole, which is then taken off the budget."""
        is_taken = size <= self._largest and size <= self._left
        self._left -= size * is_taken
        return is_taken

    def _look_closely(
        self, number: int, array: np.ndarray, code: int, wide: np.ndarray | None = None
    ) -> None:
        """`wide`: of a dtype that numpy has, where `array` is only bits."""
        nans, infinities = not_finite(array if wide is None else wide)
        at, kind = -1, (array.shape, nans, infinities)
        if nans or infinities:
            self.spoilt += 1
            is_kept = array.nbytes <= self._largest and array.nbytes <= self._left
            if not is_kept and array.nbytes <= self._reserve and kind not in self._spoilt_kinds:
                self._spoilt_kinds.add(kind)
                self._reserve -= array.nbytes
                at = self._writer.tensor(array, code)
        self._extra.append((number, nans, infinities, _NAN, _NAN, at))

    def forget_all(self) -> None:
        """What was kept may be forgotten."""
        self._spoilt_kinds.clear()

    def _shape(self, sizes: tuple[int, ...]) -> int:
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
