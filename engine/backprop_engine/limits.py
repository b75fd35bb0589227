"""How much is too much: every limit on what a scenario may ask for, and what keeps to it.

A limit is checked before anything of the size is made, so that a scenario costs an error message
and neither the machine's memory nor an afternoon. The README's table of limits repeats the numbers.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import zip_longest
from typing import Any, Final

import numpy as np

from backprop_engine.operation import OperandError
from backprop_engine.source import ProblemError, Span
from backprop_engine.values import Shape, Value

MAX_BYTES: Final = 10_000_000
"""Size of a scenario file."""

MAX_YAML_NESTING: Final = 100
"""Lists and mappings inside one another; an array has far fewer dimensions."""

MAX_YAML_VALUES: Final = 10_000_000
"""Values of a YAML document after every alias is replaced by what it stands for."""

MAX_ELEMENTS: Final = 10_000_000
"""Elements of one array, and of what an operation lays out to compute it."""

MAX_PRODUCTS: Final = 10_000_000_000
"""Products of two numbers that one matrix product or convolution adds up."""

MAX_DIMENSIONS: Final = 32
"""Dimensions of an array that a scenario writes out or has generated."""

MAX_NESTING: Final = 64
"""How deep a literal may be nested: numpy's own limit on the axes of an array."""

MAX_EXPONENT: Final = 2_000
"""Exponents of Python's whole numbers, which have no bound: 9**9**9**9 would take forever."""

MAX_POWER: Final = 10_000
"""Exponents of `matrix_power`: its derivative has a term for each factor."""

MAX_NODES: Final = 10_000_000
"""Nodes of one graph."""

MEMORY_VARIABLE: Final = "BACKPROP_MEMORY_GB"
SECONDS_VARIABLE: Final = "BACKPROP_SECONDS"

DEFAULT_GIGABYTES: Final = 2.0
"""Gigabytes that the arrays of one recording may take."""

DEFAULT_SECONDS: Final = 120.0
"""Seconds that one recording may take."""

_GIGABYTE: Final = 1e9


class LimitError(OperandError):
    """Something is larger, or takes longer, than it may."""


def check_elements(*shape: int) -> None:
    """Raise LimitError if an array of this shape would have too many elements."""
    count = math.prod(shape)
    if count > MAX_ELEMENTS:
        raise LimitError(
            f"this makes an array of {_counted(count)} elements, and "
            f"{MAX_ELEMENTS:,} are the most there can be"
        )


def check_broadcast(*shapes: Shape, times: int = 1) -> None:
    """Raise LimitError if these shapes are broadcast to too many elements, so many times.

    Whether they can be broadcast at all is for numpy to say.
    """
    check_elements(times, *_broadcast(*shapes))


def _broadcast(*shapes: Shape) -> Iterator[int]:
    """The sizes of what these shapes are broadcast to, the last axis first."""
    return map(max, zip_longest(*map(reversed, shapes), fillvalue=1))


def check_product(a: Any, b: Any) -> None:
    """Raise LimitError if the product `a @ b` would have too many elements, or take too long."""
    rows, columns = a.shape[-2:-1] or (1,), b.shape[-1:] if b.ndim > 1 else (1,)
    shapes = (*a.shape[:-2], *rows, *columns), (*b.shape[:-2], 1, 1)
    check_broadcast(*shapes)
    check_products(*_broadcast(*shapes), a.shape[-1])


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


def setting(variable: str, default: float) -> float:
    """A limit that the environment may set. Raises ValueError where it is no positive number."""
    text = os.environ.get(variable, "").strip()
    if not text:
        return default
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not number > 0:
        raise ValueError(f"{variable} is {text!r}, and must be a number above 0")
    return number


def check_settings() -> None:
    """Raise ValueError where the environment sets a limit to something that is none."""
    setting(MEMORY_VARIABLE, DEFAULT_GIGABYTES)
    setting(SECONDS_VARIABLE, DEFAULT_SECONDS)


class Budget:
    """What one recording has taken of the memory and the time that it may take.

    Each value counts as if it were stored on its own, even where arrays share memory.
    """

    def __init__(self) -> None:
        self.used = 0
        """Bytes of all arrays so far."""
        self._gigabytes = setting(MEMORY_VARIABLE, DEFAULT_GIGABYTES)
        self._seconds = setting(SECONDS_VARIABLE, DEFAULT_SECONDS)
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
        self.take(sum(one.nbytes for one in values if isinstance(one, np.ndarray)))

    @contextmanager
    def running(self) -> Iterator[None]:
        """While this is open, time counts."""
        self._deadline = time.monotonic() + self._seconds
        try:
            yield
        finally:
            self._deadline = math.inf

    def check_time(self) -> None:
        """LimitError where the time is over."""
        if time.monotonic() > self._deadline:
            raise LimitError(
                f"this has been running for {self._seconds:g} seconds, and is stopped here",
                f"use smaller arrays, or set {SECONDS_VARIABLE} to more",
            )
