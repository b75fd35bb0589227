"""Tensors that are changed by way of what their `.data` gave: it counts versions of its own."""

from __future__ import annotations

import weakref
from collections.abc import Iterator

import torch

from backprop_recorder.tensors import version


class KeptData:
    """What `.data` has given, as long as the program keeps it."""

    def __init__(self) -> None:
        self._kept: list[tuple[weakref.ref[torch.Tensor], weakref.ref[torch.Tensor], int]] = []
        """Tensors, their data, and the version that this had."""

    def add(self, tensor: torch.Tensor, data: torch.Tensor) -> None:
        """`tensor.data` was `data`."""
        self._kept.append((weakref.ref(tensor), weakref.ref(data), version(data)))

    def changed(self) -> Iterator[int]:
        """The tensors, by `id`, whose data was changed since they were last asked for."""
        kept, self._kept = self._kept, []
        for of_tensor, of_data, before in kept:
            tensor, data = of_tensor(), of_data()
            if tensor is not None and data is not None:
                self._kept.append((of_tensor, of_data, version(data)))
                if version(data) != before:
                    yield id(tensor)

    def __bool__(self) -> bool:
        return bool(self._kept)
