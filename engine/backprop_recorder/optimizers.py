"""Steps of optimisers: how far weights move, and what became of gradients before."""

from __future__ import annotations

import os
import sys
from typing import Any, Final

import numpy as np
import torch

from backprop_recorder.calls import Calls
from backprop_recorder.guarded import Guard, guarded
from backprop_recorder.places import TORCH, Places, outside
from backprop_recorder.tensors import norms, some_of, version, without_dispatch, without_functions
from backprop_recorder.writer import Writer

_OPTIM: Final = TORCH + "optim" + os.sep


class Steps:
    """The steps of all optimisers."""

    def __init__(self, writer: Writer, places: Places, calls: Calls, guard: Guard) -> None:
        self._writer, self._places, self._calls, self.guard = writer, places, calls, guard
        self._before: dict[int, tuple[list[torch.Tensor], list[float], int]] = {}
        self.grad_versions: dict[int, int] = {}
        """By parameter the version of its `.grad` right after its backward pass."""
        self.under_way = 0
        self.is_spoilt = False
        """Whether a gradient or an update was not finite."""

    def is_torchs_own(self) -> bool:
        """Whether what is called now belongs to a step as torch has it."""
        if not self.under_way:
            return False
        return outside(sys._getframe(1)).f_code.co_filename.startswith(_OPTIM)

    @guarded
    def before(self, optimizer: Any) -> None:
        """An optimiser is about to step."""
        self.under_way += 1
        with without_functions(), without_dispatch(), torch.no_grad():
            parameters = _with_gradient(optimizer)
            changed = sum(
                self.grad_versions.get(id(parameter), -1) != version(parameter.grad)
                for parameter in parameters
            )
            gradients = norms([some_of(parameter.grad) for parameter in parameters])
            before = [some_of(parameter) for parameter in parameters]
            self._before[id(optimizer)] = before, gradients, changed

    @guarded
    def after(self, optimizer: Any, iteration: int) -> None:
        """It has stepped, as the last thing of `iteration`, from 1."""
        self.under_way = max(self.under_way - 1, 0)
        with without_functions(), without_dispatch(), torch.no_grad():
            parameters = _with_gradient(optimizer)
            before, gradients, changed = self._before.pop(id(optimizer), ([], [], 0))
            if len(before) != len(parameters):
                return
            after = [some_of(parameter) for parameter in parameters]
            updates = norms([a - b for a, b in zip(after, before, strict=True)])
            if not np.isfinite(updates + gradients).all():
                self.is_spoilt = True
            stack = self._places.here(sys._getframe(1)).stack
            self._calls.flush()
            told = {
                "optimizer": type(optimizer).__name__,
                "names": [self._places.name_of(parameter) for parameter in parameters],
                "gradients": gradients,
                "updates": updates,
                "weights": norms(after),
                "changed": changed,
                "rates": [float(group.get("lr", 0)) for group in optimizer.param_groups],
                "stack": stack,
                "call": self._calls.count,
                "iteration": iteration,
            }
            self._writer.json("update", told)


def _with_gradient(optimizer: Any) -> list[Any]:
    return [
        parameter
        for group in optimizer.param_groups
        for parameter in group["params"]
        if parameter.grad is not None
    ]
