"""A program run by Python and torch, and the same text read and run by us, oracles included."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from tests.fuzz.torch_programs.drafting import quietly
from tests.piped import piped

from backprop_engine.trace import Trace
from backprop_tui.headless.check import check_scenario
from backprop_tui.headless.checked import Bad, Checked
from backprop_tui.oracles.report import Failed, Ready, TorchReport
from backprop_tui.oracles.torch.child import answer
from backprop_tui.oracles.torch.protocol import decode_report, encode_request

DIFFERENCE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Tensor:
    """What is left of one of torch's."""

    value: np.ndarray
    grad: np.ndarray | None
    requires_grad: bool
    is_first: bool
    """Whether no earlier name means the same object."""


@dataclass(frozen=True, slots=True)
class Theirs:
    """What a program leaves behind in Python: its tensors and numbers by name, or its error."""

    names: Mapping[str, Tensor | float | bool]
    error: Exception | None


def run_by_torch(text: str) -> Theirs:
    """Python's and torch's doing."""
    names: dict[str, Any] = {}
    error: Exception | None = None
    with quietly():
        try:
            exec(compile(text, "program", "exec"), names)
        except Exception as raised:  # noqa: BLE001 - it is what is compared
            error = raised
        names = {name: one for name, one in names.items() if not name.startswith("__")}
        first = {id(one): name for name, one in reversed(names.items())}
        kept = {name: _kept(one, is_first=first[id(one)] == name) for name, one in names.items()}
    return Theirs({name: one for name, one in kept.items() if one is not None}, error)


def _kept(value: Any, *, is_first: bool) -> Tensor | float | bool | None:
    """Of one object by several names the first has the `.grad`: to us `x.flatten()` of a vector
    is a node of its own, and to torch it is x.
    """
    if isinstance(value, bool | int | float):
        return value
    if not isinstance(value, torch.Tensor):
        return None
    grad = value.grad if is_first else None
    return Tensor(
        value.numpy(force=True).copy(),
        None if grad is None else grad.numpy(force=True).copy(),
        value.requires_grad,
        is_first,
    )


@dataclass
class TorchHere:
    """The torch oracle without its process, and with a memory of what it was asked."""

    trace: Trace | None = None
    report: TorchReport | None = None
    failed: list[Exception] = field(default_factory=list)

    def ask(self, trace: Trace) -> Ready[TorchReport] | Failed:
        """What torch makes of the trace."""
        self.trace = trace
        with quietly():
            try:
                reply = answer(piped(encode_request(trace)))
            except Exception as error:  # noqa: BLE001 - as in the process: it is the answer
                self.failed.append(error)
                return Failed(f"torch could not run it: {error}", "")
        self.report = decode_report(trace, piped(reply))
        return Ready(self.report)


@dataclass(frozen=True, slots=True)
class Ours:
    """What we make of a program."""

    checked: Checked | Bad | None
    oracle: TorchHere
    raised: Exception | None = None
    """What must never be raised."""

    @property
    def trace(self) -> Trace:
        """The recording that the oracle was asked about."""
        assert self.oracle.trace is not None
        return self.oracle.trace


def run_here(text: str) -> Ours:
    """Our reader, engine and oracles."""
    oracle = TorchHere()
    with warnings.catch_warnings(), TemporaryDirectory() as folder:
        warnings.simplefilter("error")
        path = Path(folder, "program.py")
        path.write_text(text)
        try:
            checked = check_scenario(str(path), oracle, seconds=DIFFERENCE_SECONDS)
        except Exception as error:  # noqa: BLE001 - any at all is what is looked for
            return Ours(None, oracle, error)
    return Ours(checked, oracle)
