"""Values on a device: their figures are computed there, and come from it in one copy.

Nothing here waits for the device but `Slab.fetch`, which is called once a pass: to wait for every
value would let the device stand idle most of the time.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from backprop_recorder.tensors import version


@dataclass(frozen=True, slots=True)
class Pending:
    """A value whose elements and figures are on their way."""

    number: int
    tensor: weakref.ref[torch.Tensor]
    version: int
    """That of the tensor then."""
    shape: tuple[int, ...]
    sizes: tuple[int, ...]
    """The bytes of each of its pieces."""

    def living(self) -> torch.Tensor | None:
        """The tensor, if it is still there and was not changed."""
        tensor = self.tensor()
        return tensor if tensor is not None and version(tensor) == self.version else None


class Slab:
    """What waits on devices, in the order of its values."""

    def __init__(self) -> None:
        self._pending: dict[torch.device, list[Pending]] = {}
        self._parts: dict[torch.device, list[torch.Tensor]] = {}
        self.size = 0
        """Bytes that wait."""

    def add(self, number: int, tensor: torch.Tensor, pieces: Sequence[torch.Tensor]) -> None:
        """`pieces` belong to value `number`, which is `tensor`; they share no memory with it."""
        parts = [piece.reshape(-1).view(torch.uint8) for piece in pieces]
        sizes = tuple(part.numel() for part in parts)
        pending = Pending(number, weakref.ref(tensor), version(tensor), tuple(tensor.shape), sizes)
        self._pending.setdefault(tensor.device, []).append(pending)
        self._parts.setdefault(tensor.device, []).extend(parts)
        self.size += sum(sizes)

    def fetch(self) -> Iterator[tuple[Pending, list[np.ndarray]]]:
        """All that waits, and the bytes of its pieces: one copy a device."""
        waiting, parts, self._pending, self._parts = self._pending, self._parts, {}, {}
        self.size = 0
        for device, values in waiting.items():
            slab, start = torch.cat(parts[device]).cpu().numpy(), 0
            for pending in values:
                pieces = []
                for size in pending.sizes:
                    pieces.append(slab[start : start + size])
                    start += size
                yield pending, pieces
