"""The values of a recording: whole where they were kept, else by a few figures."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

import numpy as np

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.summary import Summary
from backprop_engine.basics.values import Known
from backprop_engine.recording.frames import Frames, elements, ranges
from backprop_engine.recording.layout import DTYPES, MAX_DIMENSIONS, SIZES, UNKNOWN_DTYPE, ValueKind

_NAN = math.nan
_MOST = 1 << 62
_LONGEST_CHAIN = 64
"""Aliases of aliases; a recorder makes few."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The sizes of a value; of an alias also how far apart its elements lie, in elements."""

    sizes: tuple[int, ...]
    strides: tuple[int, ...] | None
    count: int


@dataclass(frozen=True, slots=True)
class Figures:
    """What was found in a value beyond its norm; nan where it was not looked for."""

    nans: int
    infinities: int
    minimum: float
    maximum: float
    tensor: int
    """The frame of all elements, kept since some are not finite; −1 where they are not."""


class Values:
    """Values by number, from `first` on. Everything in them is checked as it comes in."""

    def __init__(self, frames: Frames) -> None:
        self._frames = frames
        self.shapes: list[Shape] = []
        self.first = 0
        self.count = 0
        """Of values that are there: their numbers go up to `first + count`."""
        self._tables: list[tuple[int, dict[str, np.ndarray], int]] = []
        self._figures: dict[int, Figures] = {}
        self.kind = self.dtype = self.shape = self.at = self.norm = np.zeros(0, np.int64)

    def error(self, message: str) -> Exception:
        """Of the file."""
        return self._frames.error(message)

    def add_shape(self, told: Any) -> None:
        """`[sizes]` or `[sizes, strides]` as the file has it."""
        parts = told if isinstance(told, list) else []
        if not 1 <= len(parts) <= 2 or not all(
            isinstance(part, list)
            and len(part) == len(parts[0]) <= MAX_DIMENSIONS
            and all(type(n) is int and 0 <= n < _MOST for n in part)
            for part in parts
        ):
            raise self.error("a shape is damaged")
        count = math.prod(parts[0])
        if count > _MOST // 16:
            raise self.error("a shape is too large")
        strides = tuple(parts[1]) if len(parts) == 2 else None
        self.shapes.append(Shape(tuple(parts[0]), strides, count))

    def add_table(self, head: dict[str, Any], columns: dict[str, np.ndarray]) -> None:
        """The next rows, all of whose numbers must be in range."""
        first, sample = head.get("first"), head.get("sample")
        rows = len(columns["kind"])
        if type(first) is not int or type(sample) is not int or not 0 <= first < _MOST:
            raise self.error("a table of values is damaged")
        if self._tables and first != self.first + self.count:
            raise self.error("values are missing")
        if any(len(columns[name]) != rows for name in ("dtype", "shape", "at", "norm")):
            raise self.error("the columns of a table have not one length")
        self.first = first if not self._tables else self.first
        kind, dtype, shape, at = (columns[name] for name in ("kind", "dtype", "shape", "at"))
        if rows:
            self._check_rows(first, max(sample, 1), columns["pool"], kind, dtype, shape, at)
        self._add_figures(first, rows, columns["extra"])
        self._tables.append((first, columns, max(sample, 1)))
        self.count += rows

    def _check_rows(
        self,
        first: int,
        sample: int,
        pool: np.ndarray,
        kind: np.ndarray,
        dtype: np.ndarray,
        shape: np.ndarray,
        at: np.ndarray,
    ) -> None:
        is_opaque = kind == ValueKind.OPAQUE
        if kind.min() < 1 or kind.max() > max(ValueKind):
            raise self.error("a value is of an unknown kind")
        if ((dtype >= len(DTYPES)) & ~(is_opaque & (dtype == UNKNOWN_DTYPE))).any():
            raise self.error("a value is of an unknown dtype")
        if shape.min() < 0 or shape.max() >= len(self.shapes):
            raise self.error("a value has a shape that is not there")
        counts = np.array([shape.count for shape in self.shapes], np.int64)
        if ((kind == ValueKind.SCALAR) & (counts != 1)[shape]).any():
            raise self.error("a number has the shape of many")
        pooled = (kind == ValueKind.SMALL) | ((kind == ValueKind.SUMMARY) & (at >= 0))
        rows = np.flatnonzero(pooled)
        stride = np.where(kind[rows] == ValueKind.SMALL, 1, counts[shape[rows]] // sample + 1)
        sizes = np.array([*SIZES, *[0] * 256], np.int64)[dtype[rows]]
        taken = -(-counts[shape[rows]] // stride) * sizes
        if ((at[rows] < 0) | (at[rows] > len(pool)) | (taken > len(pool) - at[rows])).any():
            raise self.error("a value lies beyond its table")
        aliases = np.flatnonzero(kind == ValueKind.ALIAS)
        if ((at[aliases] < self.first) | (at[aliases] >= first + aliases)).any():
            raise self.error("a value stands for one that is not before it")
        has_strides = np.array([shape.strides is not None for shape in self.shapes])
        if not has_strides[shape[aliases]].all():
            raise self.error("a value stands for another in no order")

    def _add_figures(self, first: int, rows: int, extra: np.ndarray) -> None:
        for row in extra:
            number, nans, infinities, _, _, tensor = row.tolist()
            whole = (number, nans, infinities, tensor)
            if not all(
                number == number and abs(number) < 2**53 and number == int(number)
                for number in whole
            ):
                raise self.error("the figures of a value are damaged")
            if not first <= number < first + rows or nans < 0 or infinities < 0:
                raise self.error("figures are of a value that is not there")
            self._figures[int(number)] = Figures(
                int(nans), int(infinities), float(row[3]), float(row[4]), int(tensor)
            )

    def settle(self) -> None:
        """Everything has come in."""
        for name in ("kind", "dtype", "shape", "at", "norm"):
            parts = [columns[name] for _, columns, _ in self._tables]
            setattr(self, name, np.concatenate(parts) if parts else np.zeros(0, np.int64))

    def __contains__(self, number: int) -> bool:
        return self.first <= number < self.first + self.count

    def shape_of(self, number: int) -> tuple[int, ...]:
        """The sizes of value `number`."""
        return self.shapes[int(self.shape[number - self.first])].sizes

    def dtype_of(self, number: int) -> str:
        """`float32`; empty where it is of a dtype that is not known here."""
        code = int(self.dtype[number - self.first])
        return DTYPES[code] if code < len(DTYPES) else ""

    def is_float(self, number: int) -> bool:
        """Whether it can be nan."""
        return self.dtype_of(number).startswith(("float", "bfloat", "complex"))

    def array(self, number: int) -> np.ndarray | None:
        """All elements, read-only; None where they were not kept. Raises RecordingError."""
        orders: list[Shape] = []
        for _ in range(_LONGEST_CHAIN):
            row = number - self.first
            if self.kind[row] != ValueKind.ALIAS:
                break
            orders.append(self.shapes[int(self.shape[row])])
            number = int(self.at[row])
        else:
            return None
        found = self._stored(number)
        for order in reversed(orders):
            if found is None:
                return None
            found = self._ordered(found, order)
        return found

    def _stored(self, number: int) -> np.ndarray | None:
        row = number - self.first
        kind, code = int(self.kind[row]), int(self.dtype[row])
        shape, at = self.shapes[int(self.shape[row])], int(self.at[row])
        if kind == ValueKind.SCALAR:
            wide = DTYPES[code] in ("float64", "int64")
            return np.full(shape.sizes, self.norm[row], np.float64 if wide else np.float32)
        if kind == ValueKind.SMALL:
            return self._pooled(number, at, shape.count, code).reshape(shape.sizes)
        if kind == ValueKind.WHOLE:
            return self._frames.tensor(at, code, shape.sizes)
        figures = self._figures.get(number)
        if figures is not None and figures.tensor >= 0:
            return self._frames.tensor(figures.tensor, code, shape.sizes)
        return None

    def _ordered(self, found: np.ndarray, order: Shape) -> np.ndarray:
        flat = np.ascontiguousarray(found).reshape(-1)
        strides = order.strides or ()
        last = sum((n - 1) * stride for n, stride in zip(order.sizes, strides, strict=True))
        if order.count == 0:
            return flat[:0].reshape(order.sizes)
        if last >= flat.size or order.count > flat.size:
            raise self.error("a value is larger than the one it stands for")
        steps = [stride * flat.itemsize for stride in strides]
        return np.lib.stride_tricks.as_strided(flat, order.sizes, steps, writeable=False)

    def _pooled(self, number: int, at: int, count: int, code: int) -> np.ndarray:
        columns, _ = self._table_of(number)
        raw = columns["pool"][at : at + count * SIZES[code]]
        return elements(raw, code, (count,), self.error)

    def _table_of(self, number: int) -> tuple[dict[str, np.ndarray], int]:
        low, high = 0, len(self._tables)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self._tables[middle][0] <= number else (low, middle)
        _, columns, sample = self._tables[low]
        return columns, sample

    def known(self, number: int) -> Known:
        """The value as traces have it: a number, an array, or a summary."""
        array = self.array(number)
        if array is None or array.dtype.kind == "c":  # traces have no complex numbers
            return self._summary(number)
        if array.dtype == np.float16:
            array = array.astype(np.float32)
        if array.ndim:
            return array
        scalar: Known = array[()] if array.dtype == np.float32 else array.item()
        return scalar

    def _summary(self, number: int) -> Summary:
        sizes, number = self.shape_of(number), self._origin(number)
        row = number - self.first
        figures = self._figures.get(number, Figures(0, 0, _NAN, _NAN, -1))
        return Summary(
            shape=sizes,
            dtype=self.dtype_of(number) or "unknown",
            minimum=figures.minimum,
            maximum=figures.maximum,
            mean=_NAN,
            norm=float(self.norm[row]),
            zeros=0,
            nans=figures.nans,
            infinities=figures.infinities,
            sample=self._sample(number),
        )

    def _sample(self, number: int) -> tuple[float, ...]:
        row = number - self.first
        at = int(self.at[row])
        if self.kind[row] != ValueKind.SUMMARY or at < 0:
            return ()
        _, sample = self._table_of(number)
        count = self.shapes[int(self.shape[row])].count
        taken = -(-count // (count // sample + 1))
        found = self._pooled(number, at, taken, int(self.dtype[row]))
        return () if found.dtype.kind == "c" else tuple(found.astype(np.float64).tolist())

    def _origin(self, number: int) -> int:
        """The value that an alias stands for; of a chain too long to be true some value in it."""
        for _ in range(_LONGEST_CHAIN):
            row = number - self.first
            if self.kind[row] != ValueKind.ALIAS:
                break
            number = int(self.at[row])
        return number

    @cached_property
    def are_spoilt(self) -> np.ndarray:
        """By row: whether an element is nan or infinite, as far as it is known."""
        names = [*DTYPES, *[""] * 256]
        is_float = np.array([name.startswith(("float", "bfloat")) for name in names])[self.dtype]
        found = is_float & (self.kind == ValueKind.SCALAR) & ~np.isfinite(self.norm)
        start = 0
        for _, columns, _ in self._tables:
            stop = start + len(columns["kind"])
            is_small = is_float[start:stop] & (columns["kind"] == ValueKind.SMALL)
            for code in np.unique(columns["dtype"][is_small]).tolist():
                rows = np.flatnonzero(is_small & (columns["dtype"] == code))
                found[start + rows] = self._spoilt_small(columns, rows, code)
            start = stop
        for number, figures in self._figures.items():
            found[number - self.first] |= bool(figures.nans or figures.infinities)
        is_alias = self.kind == ValueKind.ALIAS
        rows = np.arange(self.count)
        for _ in range(_LONGEST_CHAIN):
            pending = np.flatnonzero(is_alias[rows])
            if not len(pending):
                break
            rows[pending] = self.at[rows[pending]] - self.first
        spoilt: np.ndarray = found | found[rows]
        return spoilt

    def _spoilt_small(
        self, columns: dict[str, np.ndarray], rows: np.ndarray, code: int
    ) -> np.ndarray:
        counts = np.array([shape.count for shape in self.shapes])[columns["shape"][rows]]
        rows_full, sizes = np.flatnonzero(counts), counts[counts > 0] * SIZES[code]
        raw = columns["pool"][ranges(columns["at"][rows[rows_full]], sizes)]
        found = np.zeros(len(rows), bool)
        if len(rows_full):
            numbers = elements(raw, code, (len(raw) // SIZES[code],), self.error)
            starts = (np.cumsum(sizes) - sizes) // SIZES[code]
            found[rows_full] = np.logical_or.reduceat(~np.isfinite(numbers), starts)
        return found
