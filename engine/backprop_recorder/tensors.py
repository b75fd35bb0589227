"""What is asked of a tensor without disturbing it."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import torch

from backprop_engine.recording.frames import elements
from backprop_engine.recording.layout import DTYPES, SIZES

CODES: Final = {getattr(torch, name): code for code, name in enumerate(DTYPES)}
"""The number of a dtype in the file."""
FLOATS: Final = frozenset({torch.float64, torch.float32, torch.float16, torch.bfloat16})
HALVES: Final = frozenset({torch.float16, torch.bfloat16})
PLAIN: Final[frozenset[type]] = frozenset({torch.Tensor, torch.nn.Parameter, torch.nn.Buffer})
"""Whose elements can be read; what a subclass does is its own affair."""

_C: Any = torch._C
without_functions = _C.DisableTorchFunction
"""A block in which no mode and no subclass hears of calls."""
without_dispatch = _C._DisableTorchDispatch
"""A block in which the program's own modes hear of no kernel that we call."""

_PIECE: Final = 1 << 14
"""Elements that are looked at in one go."""
_ROWS: Final = 64
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
    try:
        return tensor._version
    except RuntimeError:  # made in inference mode
        return 0


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
    if tensor._is_zerotensor():  # zeros that lie nowhere
        tensor = tensor.clone()
    if tensor.dtype is torch.bfloat16:
        tensor = tensor.view(torch.int16)
    if tensor.is_conj() or tensor.is_neg():
        tensor = tensor.resolve_conj().resolve_neg()
    array: np.ndarray = (tensor if tensor.is_cpu else tensor.cpu()).numpy()
    return array


def norm_of(array: np.ndarray) -> float:
    """The Euclidean norm: finite if all elements are, or infinite where their squares overflow.

    BLAS takes half the time of torch's norm, and warns of nothing.
    """
    if array.flags.forc:  # a transposed matrix is one in a row, too
        flat = array.ravel("K")
        return math.sqrt(np.vdot(flat, flat))
    if 0 not in array.strides:  # a part of something: vdot would copy it
        axes = list(range(array.ndim))
        return math.sqrt(np.einsum(array, axes, array, axes, []))
    repeated = [axis for axis, stride in enumerate(array.strides) if not stride]
    once = array[tuple(0 if axis in repeated else slice(None) for axis in range(array.ndim))]
    order = sorted(range(once.ndim), key=once.strides.__getitem__, reverse=True)
    dense = once.transpose(order)  # as it lies in memory, if there are no gaps
    return math.sqrt(float(np.vdot(dense, dense)) * (array.size / max(once.size, 1)))


def not_finite(array: np.ndarray) -> tuple[int, int]:
    """How many elements are nan, and how many infinite; in pieces, for which there is memory."""
    nans = infinities = 0
    flat = array.reshape(-1)
    for start in range(0, flat.size, _PIECE):
        piece = flat[start : start + _PIECE]
        count = piece.size - int(np.count_nonzero(np.isfinite(piece)))
        of_piece = int(np.count_nonzero(np.isnan(piece))) if count else 0
        nans, infinities = nans + of_piece, infinities + count - of_piece
    return nans, infinities


def queued_norm(tensor: torch.Tensor) -> torch.Tensor:
    """The same of a tensor on a device, or of halves, not waited for."""
    found: torch.Tensor = _vector_norm(
        tensor, dtype=torch.float32 if tensor.dtype in HALVES else None
    )
    return found


def numbers(raw_bytes: np.ndarray, code: int) -> np.ndarray:
    """The elements in bytes; `code` is the dtype's number in the file."""
    return elements(raw_bytes, code, (raw_bytes.size // SIZES[code],), ValueError)


def some_of(tensor: torch.Tensor) -> torch.Tensor:
    """A copy, where there is no autograd: of 4,096 elements at most, in 64 rows of neighbours that
    are evenly spaced, since a row takes hardly longer to come from memory than one element.
    """
    if tensor.layout is not torch.strided:
        tensor = tensor.to_dense()
    count = tensor.numel()
    if count > _ROWS * _ROWS and tensor.is_contiguous():
        rows = torch.as_strided(
            tensor, (_ROWS, _ROWS), (count // _ROWS, 1), tensor.storage_offset()
        )
        return rows.clone()
    return tensor.detach().clone()


def norms(tensors: list[torch.Tensor]) -> list[float]:
    """The norm of each. They come from a device at once."""
    foreach: Any = torch._foreach_norm
    found: list[torch.Tensor] = foreach(tensors) if tensors else []
    if len({(norm.device, norm.dtype) for norm in found}) == 1:
        return [float(norm) for norm in torch.stack(found).tolist()]
    return [float(norm) for norm in found]


def tensors_in(args: Any, keywords: Any) -> list[torch.Tensor]:
    """The tensors of a call in the order in which they are written, those in lists too."""
    found: list[torch.Tensor] = []
    for value in args:
        if isinstance(value, torch.Tensor):
            found.append(value)
        elif type(value) in (list, tuple):
            found += tensors_in(value, {})
    return found + tensors_in(keywords.values(), {}) if keywords else found
