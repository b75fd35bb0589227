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
from backprop_recorder.slab import Pending, Slab
from backprop_recorder.tensors import (
    CODES,
    FLOATS,
    PLAIN,
    is_readable,
    norm_of,
    not_finite,
    numbers,
    raw,
)
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
_MOST_WAITING: Final = 16 << 20
"""Bytes that wait on a device until they are copied from it."""
_FLOAT_CODES: Final = frozenset(CODES[dtype] for dtype in FLOATS)
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
        self._slab = Slab()
        self._waiting_aliases: list[tuple[int, int]] = []
        """Of what waits on a device; and what they are aliases of."""
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
                return self._add(number, tensor) if tensor.is_cpu else self._queue(number, tensor)
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
        norm = float(tensors.queued_norm(tensor)) if is_float else _NAN
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

    def _queue(self, number: int, tensor: torch.Tensor) -> int:
        """Keep a tensor on a device: what its row and the pool have of it comes with the slab."""
        count, dtype, shape = tensor.numel(), tensor.dtype, self._shape(tensor.shape)
        is_float, size = dtype in FLOATS, count * tensor.element_size()
        kind, pieces = ValueKind.SUMMARY, []
        plain = tensor.detach().resolve_conj().resolve_neg()
        if count <= SMALL:
            kind = ValueKind.SCALAR if count == 1 and is_float else ValueKind.SMALL
        elif self._takes(size):
            kind = ValueKind.WHOLE
        if count > SMALL and is_float:
            pieces.append(tensors.queued_norm(plain))
            if self._with_range:
                pieces.append(torch.stack(torch.aminmax(plain)))
        has_elements = kind != ValueKind.SUMMARY or plain.is_contiguous()
        if has_elements:
            step = count // SAMPLE + 1 if kind == ValueKind.SUMMARY else 1
            flat = plain.reshape(-1)[::step]
            pieces.append(flat.clone(memory_format=torch.contiguous_format))
        at = -1
        if has_elements and kind in (ValueKind.SUMMARY, ValueKind.SMALL):
            at = len(self._pool)
            self._pool += bytes(pieces[-1].numel() * tensor.element_size())
        self._slab.add(number, tensor, pieces)
        self._row(kind, tensor, shape, at, _NAN)
        if self._slab.size > _MOST_WAITING:
            self.settle()
        return number

    def settle(self) -> None:
        """Take in what waits on devices."""
        for pending, pieces in self._slab.fetch():
            self._arrived(pending, pieces)
        for number, source in self._waiting_aliases:
            row, norm = self._rows[number - self._first], self._rows[source - self._first][4]
            self._rows[number - self._first] = (*row[:4], norm)
        self._waiting_aliases.clear()

    def _arrived(self, pending: Pending, pieces: list[np.ndarray]) -> None:
        number, whole = pending.number, None
        kind, code, shape, at, norm = self._rows[number - self._first]
        is_float = code in _FLOAT_CODES
        if is_float and kind in (_WHOLE, _SUMMARY):
            figure, *pieces = pieces
            norm = float(figure.view(f"f{figure.size}")[0])
            if self._with_range:
                limits, *pieces = pieces
                if math.isfinite(norm):
                    self._extra.append((number, 0, 0, *numbers(limits, code).tolist(), -1))
        for elements in pieces:  # one, or none
            if kind == _SCALAR:
                norm = float(numbers(elements, code)[0])
            elif kind == _WHOLE:
                whole = elements.view(f"V{SIZES[code]}").reshape(pending.shape)
                at = self._writer.tensor(whole, code)
            else:
                self._pool[at : at + elements.size] = elements.tobytes()
            if is_float and kind in (_SCALAR, _SMALL):
                self.spoilt += not np.isfinite(numbers(elements, code)).all()
        self._rows[number - self._first] = (kind, code, shape, at, norm)
        if is_float and kind in (_WHOLE, _SUMMARY) and not math.isfinite(norm):
            self._look_back(pending, code, norm, whole)

    def _look_back(
        self, pending: Pending, code: int, norm: float, whole: np.ndarray | None
    ) -> None:
        """A norm that has come from a device is not finite: what is there of the value by now."""
        tensor = pending.living()
        array = raw(tensor) if whole is None and tensor is not None else whole
        if array is not None:
            bits = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
            self._look_closely(pending.number, array, code, numbers(bits, code))
        elif math.isnan(norm):
            self.spoilt += 1
            self._extra.append((pending.number, 1, 0, _NAN, _NAN, -1))

    def alias(
        self, number: int, first: torch.Tensor, tensor: torch.Tensor, *, is_new: bool = False
    ) -> int:
        """`tensor` has the elements of `first`, which is value `number`, in another order.

        In the same order it is that value; where it is to be told apart, a new one.
        """
        if _is_turned(tensor) != _is_turned(first):  # the conjugate lies where the number does
            return self.add(tensor)
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
        norm = self._rows[number - self._first][4]
        alias = self._row(ValueKind.ALIAS, tensor, shape, number, norm)
        if self._slab.size:
            self._waiting_aliases.append((alias, number))
        return alias

    def is_alike(self, one: int, other: int) -> bool:
        """Whether two values may be the same in another place, as far as can be told by now."""
        rows = [
            self._rows[number - self._first] for number in (one, other) if number >= self._first
        ]
        if len(rows) < 2 or rows[0][:3] != rows[1][:3] or self._slab.size:
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
        # One that holds tensors of several shapes has none of its own, and raises.
        shape = (tensor.size(0),) if tensor.is_nested else tensor.shape
        return self._row(ValueKind.OPAQUE, tensor, self._shape(shape), -1, _NAN)

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
        self.settle()
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


def _is_turned(tensor: torch.Tensor) -> tuple[bool, bool]:
    """Whether its elements are the conjugates, and the negatives, of what lies in memory."""
    return tensor.is_conj(), tensor.is_neg()
