"""Values that go with the channels, the second axis: a bias, a weight of a normalisation."""

from __future__ import annotations

from typing import Any

import numpy as np


def but_channels(rank: int) -> tuple[int, ...]:
    """All axes but that of the channels."""
    return tuple(axis for axis in range(rank) if axis != 1)


def per_channel(operand: Any, rank: int) -> Any:
    """A value for each channel, in the shape that broadcasts over an array of so many axes."""
    return np.reshape(operand, (-1, *(1,) * (rank - 2)))


def over_channels(g: Any) -> Any:
    """The sum over everything but the channels: what each channel's one value receives."""
    return np.sum(g, axis=but_channels(g.ndim))
