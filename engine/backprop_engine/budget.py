"""What keeps a scenario within its limits, before anything too large is made.

So a scenario costs an error message, and neither the machine's memory nor an afternoon.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import chain, zip_longest
from typing import Any, Final

import numpy as np

from backprop_engine.basics.limits import (
    DEFAULT_GIGABYTES,
    DEFAULT_SECONDS,
    MAX_ELEMENTS,
    MAX_FORMULA,
    MAX_PRODUCTS,
    MEMORY_VARIABLE,
    SECONDS_VARIABLE,
    setting,
)
from backprop_engine.basics.source import OperandError, ProblemError, Span
from backprop_engine.basics.values import Shape, Value

_GIGABYTE: Final = 1e9
_PORTION: Final = 4096
"""Nodes between two looks at the time: some milliseconds."""


class LimitError(OperandError):
    """Something is larger, or takes longer, than it may."""


def check_elements(*shape: int) -> None:
    """Raise LimitError if an array of this shape would have too many elements.

    A size of 0 does not hide the others: numpy has no room for them either.
    """
    count = 1
    for size in shape:
        count *= size or 1
    if count > MAX_ELEMENTS:
        raise LimitError(
            f"this makes an array of {_counted(count)} elements, and "
            f"{MAX_ELEMENTS:,} are the most there can be"
        )


def check_broadcast(*shapes: Shape, times: int = 1) -> None:
    """Raise LimitError if these shapes are broadcast to too many elements, so many times.

    Whether they can be broadcast at all is for numpy to say.
    """
    if times != 1 or len(set(shapes)) > 1:  # else it is as large as what there is
        check_elements(times, *_broadcast(*shapes))


def _broadcast(*shapes: Shape) -> Iterator[int]:
    """The sizes of what these shapes are broadcast to, the last axis first."""
    return map(max, zip_longest(*map(reversed, shapes), fillvalue=1))


def check_product(a: Any, b: Any) -> None:
    """Raise LimitError if the product `a @ b` would have too many elements, or take too long."""
    rows = a.shape[-2] if a.ndim > 1 else 1
    columns = b.shape[-1] if b.ndim > 1 else 1
    sizes = (*_broadcast(a.shape[:-2], b.shape[:-2]), rows, columns)
    check_elements(*sizes)
    check_products(*sizes, a.shape[-1])


def check_length(formula: str) -> None:
    """Raise ProblemError if a condition or a watch is too long."""
    if len(formula) > MAX_FORMULA:
        raise ProblemError(
            f"this has {len(formula):,} characters, and {MAX_FORMULA:,} are the most there can be",
            Span(MAX_FORMULA, len(formula)),
        )


def check_products(*sizes: int) -> None:
    """Raise LimitError if a sum over axes of these sizes has too many terms."""
    count = math.prod(sizes)
    if count > MAX_PRODUCTS:
        raise LimitError(
            f"this takes {_counted(count)} products of two numbers, and "
            f"{MAX_PRODUCTS:,} are the most that one operation may take"
        )


def _counted(count: int) -> str:
    return f"{count:,}" if count < 10**15 else "more than 10¹⁵"


class StoppedError(Exception):
    """Whoever wanted a recording does not want it any longer."""


class Budget:
    """What one recording has taken of the memory and the time that it may take.

    Each value counts as if it were stored on its own, even where arrays share memory.
    """

    def __init__(
        self, seconds: float | None = None, *, is_unwanted: Callable[[], bool] | None = None
    ) -> None:
        """`seconds` is how long a recording may run; None for as long as everywhere.

        `is_unwanted` is asked again and again, whether to give the recording up.
        """
        self.used = 0
        """Bytes of all arrays so far."""
        self._is_unwanted = is_unwanted
        self._gigabytes = setting(MEMORY_VARIABLE, DEFAULT_GIGABYTES)
        self._seconds = setting(SECONDS_VARIABLE, DEFAULT_SECONDS) if seconds is None else seconds
        self._deadline = math.inf

    def take(self, count: int) -> None:
        """Count so many bytes more; LimitError where they are too many."""
        self.used += count
        if self.used > self._gigabytes * _GIGABYTE:
            raise LimitError(
                f"this recording would take more than {self._gigabytes:g} GB of memory, as it "
                "keeps every value and every contribution",
                f"use smaller arrays, or set {MEMORY_VARIABLE} to more",
            )

    def take_at(self, span: Span, value: Value) -> None:
        """Count this value; ProblemError at its place in the source where it is too much."""
        try:
            self.take_values((value,))
        except LimitError as error:
            raise ProblemError(str(error), span, fix=error.fix) from None

    def take_values(self, values: Iterable[Value]) -> None:
        """Count these values; LimitError where they are too many."""
        self.take(sum(value.nbytes for value in values if isinstance(value, np.ndarray)))

    @contextmanager
    def running(self) -> Iterator[None]:
        """While this is open, time counts."""
        self._deadline = time.monotonic() + self._seconds
        try:
            yield
        finally:
            self._deadline = math.inf

    def check_time(self) -> None:
        """LimitError where the time is over, StoppedError where nobody waits any longer."""
        if self._is_unwanted is not None and self._is_unwanted():
            raise StoppedError
        if time.monotonic() > self._deadline:
            raise LimitError(
                f"this has been running for {self._seconds:g} seconds, and is stopped here",
                f"use smaller arrays, or set {SECONDS_VARIABLE} to more",
            )

    def watched(self, nodes: range) -> Iterator[int]:
        """The same nodes; every few thousand the time is looked at, which costs the others none."""
        return chain.from_iterable(self._portions(nodes))

    def _portions(self, nodes: range) -> Iterator[range]:
        for start in range(0, len(nodes), _PORTION):
            self.check_time()
            yield nodes[start : start + _PORTION]
