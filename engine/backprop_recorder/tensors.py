"""What is asked of a tensor without disturbing it."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import torch

from backprop_engine.recording.layout import DTYPES

CODES: Final = {getattr(torch, name): code for code, name in enumerate(DTYPES)}
"""The number of a dtype in the file."""
FLOATS: Final = frozenset({torch.float64, torch.float32, torch.float16, torch.bfloat16})
_WIDE: Final = frozenset({torch.float64, torch.float32})
HALVES: Final = frozenset({torch.float16, torch.bfloat16})
PLAIN: Final[frozenset[type]] = frozenset({torch.Tensor, torch.nn.Parameter, torch.nn.Buffer})
"""Whose elements can be read; what a subclass does is its own affair."""

_C: Any = torch._C
without_functions = _C.DisableTorchFunction
"""A block in which no mode and no subclass hears of calls."""
without_dispatch = _C._DisableTorchDispatch
"""A block in which the program's own modes hear of no kernel that we call."""

_FOR_NUMPY = 16_384
"""Elements up to which numpy's dot is faster than torch's norm."""
_vector_norm = torch.linalg.vector_norm


def pointer(tensor: torch.Tensor) -> int:
    """Where the elements lie; 0 where that cannot be said."""
    if type(tensor) in PLAIN and tensor.layout is torch.strided:
        try:
            return tensor.data_ptr()
        except RuntimeError:  # wrapped by functorch
            pass
    return 0


def version(tensor: torch.Tensor) -> int:
    """How often it was changed in place; 0 for what counts no versions."""
    return 0 if tensor.is_inference() else tensor._version


def is_readable(tensor: torch.Tensor) -> bool:
    """Whether its elements are numbers in memory."""
    return (
        type(tensor) in PLAIN
        and tensor.layout is torch.strided
        and tensor.dtype in CODES
        and not tensor.is_meta
    )


def raw(tensor: torch.Tensor) -> np.ndarray:
    """A strided tensor as an array of its bits; copied from its device where it must be."""
    if tensor.requires_grad:
        tensor = tensor.detach()
    if tensor.dtype is torch.bfloat16:
        tensor = tensor.view(torch.int16)
    if tensor.is_conj() or tensor.is_neg():
        tensor = tensor.resolve_conj().resolve_neg()
    array: np.ndarray = tensor.numpy() if tensor.device.type == "cpu" else tensor.cpu().numpy()
    return array


def elements(tensor: torch.Tensor) -> np.ndarray | None:
    """The elements of a plain tensor of floats in a row, where that copies nothing; else None."""
    is_plain = tensor.is_cpu and tensor.is_contiguous() and not tensor.is_neg()
    if not is_plain or tensor.dtype not in _WIDE:
        return None
    array: np.ndarray = (tensor.detach() if tensor.requires_grad else tensor).numpy()
    return array.reshape(-1)


def norm(tensor: torch.Tensor, flat: np.ndarray | None) -> float:
    """The Euclidean norm: finite if all elements are, or infinite where their squares overflow.

    `flat` are its elements, where they are there in a row.
    """
    if flat is not None and flat.size <= _FOR_NUMPY:
        with np.errstate(all="ignore"):
            return math.sqrt(flat.dot(flat))
    wide = torch.float32 if tensor.dtype in HALVES else None
    return float(_vector_norm(tensor, dtype=wide).item())


def some_of(tensor: torch.Tensor, most: int = 4096) -> torch.Tensor:
    """A copy of at most about `most` evenly spaced elements."""
    tensor = tensor.detach()
    if tensor.layout is not torch.strided:
        tensor = tensor.to_dense()
    if tensor.numel() <= most or not tensor.is_contiguous():
        return tensor.clone()
    return tensor.view(-1)[:: tensor.numel() // most].clone()


def norms(tensors: list[torch.Tensor]) -> list[float]:
    """The norm of each."""
    foreach: Any = torch._foreach_norm
    return [float(found) for found in foreach(tensors)] if tensors else []


def tensors_in(args: Any, keywords: Any) -> list[torch.Tensor]:
    """The tensors of a call in the order in which they are written, those in lists too."""
    found: list[torch.Tensor] = []
    for value in args:
        if isinstance(value, torch.Tensor):
            found.append(value)
        elif type(value) in (list, tuple):
            found += tensors_in(value, {})
    return found + tensors_in(keywords.values(), {}) if keywords else found
