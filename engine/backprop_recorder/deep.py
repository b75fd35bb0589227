"""Inside of calls: the kernels that torch calls for them, with their values.

It costs several times as much as a call alone, and a mode for kernels can make torch take another
way, whose last bits differ: so it is asked for.
"""

from __future__ import annotations

import sys
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from backprop_recorder.standing import Hears, Mode

_autograd: Any = torch.autograd
_sequence = _autograd._get_sequence_nr
_PASSES = (torch.Tensor.backward, torch.autograd.grad, torch.autograd.backward)
"""In them it is torch's engine that calls kernels."""
_ops: Any = torch.ops
_DETACH = _ops.aten.detach.default
"""What autograd saves is the output itself, detached: that computes nothing."""


class DeepMode(Mode):
    """Tells of every kernel inside of a call as well."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in _PASSES or not self.hears.wants_kernels(func):
            return super().__torch_function__(func, types, args, kwargs)
        before = _sequence()
        with _Kernels(self.hears, before):
            result = func(*args, **kwargs) if kwargs else func(*args)
        if self.hears.is_on:
            self.told(func, before, args, kwargs or {}, result, sys._getframe(1))
        self.hears.on_kernels_done()
        return result


class _Kernels(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Tells of kernels. Autograd has made the node of one just before it is called."""

    def __init__(self, hears: Hears, before: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._hears, self._last = hears, before

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        after = _sequence()
        before, self._last = self._last, after
        result = func(*args, **kwargs) if kwargs else func(*args)
        if isinstance(result, torch.Tensor | tuple | list) and func is not _DETACH:
            self._hears.on_kernel(func, before, after, args, kwargs or {}, result)
        return result
