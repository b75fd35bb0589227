"""Windows that slide over the last axes of an array, and the way back from them.

Convolution, pooling and `unfold` all look at an array through windows. What each window sends
back is added up where the windows overlap: `fold` is the transpose of `windows`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.source import OperandError
from backprop_engine.basics.values import Shape
from backprop_engine.budget import check_elements

Sizes = int | tuple[int, ...]
Pads = tuple[tuple[int, int], ...]


def sizes_of(name: str, what: str, sizes: Sizes, count: int, least: int = 1) -> tuple[int, ...]:
    """One size for each of `count` axes; one number stands for all of them.

    Raises OperandError where their number is another, or one is below `least`.
    """
    each = (sizes,) if isinstance(sizes, int) else tuple(sizes)
    if len(each) == 1:
        each *= count
    if len(each) != count or min(each) < least:
        raise OperandError(
            f"`{what}` of `{name}` cannot be {sizes}",
            f"give one number from {least} on, or {count} of them",
        )
    return each


@dataclass(frozen=True, slots=True)
class Window:
    """How a window of the shape `kernel` slides: over as many axes as it has sizes."""

    name: str
    """The operation, for its errors."""
    kernel: Shape
    stride: Shape
    pads: Pads
    """Before and after each axis."""
    dilation: Shape

    @property
    def reach(self) -> Shape:
        """How far a window stretches, gaps of the dilation included."""
        return tuple(
            gap * (size - 1) + 1 for size, gap in zip(self.kernel, self.dilation, strict=True)
        )

    def output_size(self, shape: Shape) -> Shape:
        """How many windows there are along each axis. OperandError where there is none."""
        sizes = shape[-len(self.kernel) :]
        padded = tuple(size + sum(pads) for size, pads in zip(sizes, self.pads, strict=True))
        if any(long > size for long, size in zip(self.reach, padded, strict=True)):
            raise OperandError(
                f"`{self.name}` cannot slide a window of {self.reach} over {padded}: the window "
                "is larger than the padded input",
                "take a smaller kernel or more padding",
            )
        return tuple(
            (size - long) // step + 1
            for size, long, step in zip(padded, self.reach, self.stride, strict=True)
        )

    def _padded(self, shape: Shape) -> Shape:
        count = len(self.kernel)
        sizes = zip(shape[-count:], self.pads, strict=True)
        return (*shape[:-count], *(size + sum(pads) for size, pads in sizes))

    def windows(self, a: Any, fill: float = 0.0) -> Any:
        """Shape (…, *output size, *kernel), of an array of shape (…, *size) padded with `fill`."""
        output = self.output_size(a.shape)
        outer = a.ndim - len(self.kernel)
        check_elements(*a.shape[:outer], *output, *self.kernel)
        check_elements(*self._padded(a.shape))
        padded = np.pad(a, (*((0, 0),) * outer, *self.pads), constant_values=fill)
        axes = tuple(range(outer, a.ndim))
        slid = sliding_window_view(padded, self.reach, axis=axes)
        steps = (slice(None, None, step) for step in (*self.stride, *self.dilation))
        return slid[_last(steps)]

    def fold(self, windows: Any, shape: Shape) -> Any:
        """The transpose: every window added back to its place in an array of `shape`."""
        count = len(self.kernel)
        outer = shape[:-count]
        check_elements(*self._padded(shape))
        padded = np.zeros(self._padded(shape), windows.dtype)
        output = windows.shape[len(outer) : len(outer) + count]
        # One turn for each place in the window, whatever the size of the array.
        for place in np.ndindex(*self.kernel):
            starts = [at * gap for at, gap in zip(place, self.dilation, strict=True)]
            target = (
                slice(start, start + step * (size - 1) + 1, step)
                for start, step, size in zip(starts, self.stride, output, strict=True)
            )
            padded[_last(target)] += windows[_last(place)]
        inner = (
            slice(before, before + size)
            for (before, _), size in zip(self.pads, shape[-count:], strict=True)
        )
        return padded[_last(inner)]


def _last(items: Iterable[Any]) -> Any:
    """An index of the last axes."""
    return (..., *items)


def symmetric(padding: Sequence[int]) -> Pads:
    """The same padding before and after each axis."""
    return tuple((each, each) for each in padding)


def ceiling_pads(window: Window, sizes: Shape) -> Pads:
    """Pads that let a last window stick out (`ceil_mode`), as long as it starts inside."""
    pads = []
    for size, long, step, (before, after) in zip(
        sizes, window.reach, window.stride, window.pads, strict=True
    ):
        count = math.ceil((size + before + after - long) / step) + 1
        if (count - 1) * step >= size + before:
            count -= 1
        pads.append((before, after + max((count - 1) * step + long - size - before - after, 0)))
    return tuple(pads)
