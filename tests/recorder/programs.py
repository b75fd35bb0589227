"""The programs in `scripts/`, run plain and recorded in one process, and what came of them."""

from __future__ import annotations

import contextlib
import io
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch

from backprop_engine.recording.recording import Pass, Recording
from backprop_engine.recording.values import Values

SCRIPTS = {path.stem: path for path in sorted((Path(__file__).parent / "scripts").glob("*.py"))}


@dataclass(frozen=True)
class Ran:
    """What a program has left behind."""

    printed: str
    tensors: dict[str, torch.Tensor]
    random_state: torch.Tensor


def run_script(path: Path) -> Ran:
    """Run it as the main module, with nothing of an earlier run about."""
    torch.manual_seed(0)
    main = ModuleType("__main__")
    main.__dict__["__file__"] = str(path)
    before, sys.modules["__main__"] = sys.modules["__main__"], main
    out = io.StringIO()
    try:
        with contextlib.redirect_stdout(out), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            exec(compile(path.read_bytes(), str(path), "exec"), main.__dict__)
    finally:
        sys.modules["__main__"] = before
    return Ran(out.getvalue(), dict(_tensors(vars(main))), torch.get_rng_state())


def _tensors(variables: dict[str, Any]) -> Any:
    for name, thing in variables.items():
        if isinstance(thing, torch.nn.Module):
            yield from ((f"{name}.{key}", value) for key, value in thing.state_dict().items())
            yield from (
                (f"{name}.{key}.grad", value.grad)
                for key, value in thing.named_parameters()
                if value.grad is not None
            )
        elif isinstance(thing, torch.Tensor):
            yield name, thing.detach()
            if thing.is_leaf and thing.grad is not None:
                yield f"{name}.grad", thing.grad


def differing(one: Ran, other: Ran) -> list[str]:
    """The tensors that are not the same bit for bit."""
    assert one.tensors.keys() == other.tensors.keys()
    return [
        name
        for name, tensor in one.tensors.items()
        if not torch.equal(_bits(tensor), _bits(other.tensors[name]))
    ]


def _bits(tensor: torch.Tensor) -> torch.Tensor:
    tensor = tensor.to_dense() if tensor.layout is not torch.strided else tensor
    tensor = tensor.to_padded_tensor(0.0) if tensor.is_nested else tensor
    array = tensor.as_subclass(torch.Tensor).resolve_conj()
    array = array.clone(memory_format=torch.contiguous_format)  # of one element too
    return array.view(-1).view(torch.uint8) if array.numel() else array


@dataclass
class Sums:
    """How many of the gradients of nodes are, bit for bit, the sums of their contributions."""

    same: int = 0
    off: int = 0


def sums(recording: Recording) -> Sums:
    """Add up what is whole, in the order in which it came."""
    found = Sums()
    for pass_ in recording.passes:
        _add_up(pass_, recording.values, found)
    return found


def _add_up(pass_: Pass, values: Values, found: Sums) -> None:
    received: dict[tuple[int, int], list[int]] = {}
    for node, output, _, seed in pass_.roots.tolist():
        received.setdefault((node, output), []).append(seed)
    for _, _, node, output, value in pass_.sends.tolist():
        received.setdefault((node, output), []).append(value)
    for node, output, total in pass_.totals.tolist():
        parts = received.get((node, output), [])
        arrays = [values.array(part) if part >= 0 else None for part in parts]
        present = [array for array in arrays if array is not None]
        whole = values.array(total)
        is_exact = values.dtype_of(total) in ("float32", "float64")
        if not parts or whole is None or not is_exact or len(present) < len(parts):
            continue
        added = present[0]
        for part in present[1:]:
            added = added + part
        is_same = np.array_equal(added, whole, equal_nan=True)
        found.same, found.off = found.same + is_same, found.off + (not is_same)
