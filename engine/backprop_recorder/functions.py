"""A custom Function's backward against finite differences through its own forward.

It is asked for, since the forward is called many times more than the program does. That happens
once the recording is over: with copies of what the first calls were given, in double precision
where the forward takes it, from the same random state each time. Every state that can be put back
is put back; what a forward remembers by itself is its own affair.
"""

from __future__ import annotations

import contextlib
import inspect
import io
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from time import monotonic
from typing import Any, Final

import numpy as np
import torch

from backprop_recorder.differences import Probe, Verdict, probed
from backprop_recorder.guarded import Guard, guarded
from backprop_recorder.places import Places
from backprop_recorder.tensors import FLOATS, HALVES, PLAIN, without_dispatch, without_functions
from backprop_recorder.writer import Writer

_EACH: Final = 3
"""Calls of one Function that are checked, with other shapes each."""
_MOST: Final = 64 << 20
"""Bytes of copies."""
_SECONDS: Final = 60.0


@dataclass(frozen=True, eq=False)
class Sample:
    """What a Function was called with."""

    kind: Any
    stack: int
    arguments: list[Any]
    """Its tensors are copies."""
    wanted: list[int]
    """The arguments that require a gradient."""


class FunctionChecks:
    """The custom Functions that were called, and whether their backwards are right."""

    def __init__(self, writer: Writer, places: Places, guard: Guard) -> None:
        self._writer, self._places, self.guard = writer, places, guard
        self._samples: dict[Any, Sample] = {}
        self._bytes = 0
        self._skipped: list[list[Any]] = []
        self.calls = 0
        """Of forwards, that the program did not make."""
        self.seconds = 0.0
        self.differing = 0

    @property
    def cost(self) -> str:
        """What it has come to, in a line."""
        if not self.calls:
            return "no custom Function was called with what needs a gradient"
        off = f"; {self.differing} are off, which `check` tells more of" if self.differing else ""
        return (
            f"backwards of custom Functions checked by {self.calls} calls more of their forwards, "
            f"{self.seconds:.1f} s{off}"
        )

    @guarded
    def called(self, kind: Any, arguments: Sequence[Any], frame: Any) -> None:
        """A Function is about to be applied to `arguments`."""
        if not torch.is_grad_enabled() or torch.is_inference_mode_enabled():
            return
        tensors = [one for one in arguments if isinstance(one, torch.Tensor)]
        wanted = [
            at for at, one in enumerate(arguments)
            if isinstance(one, torch.Tensor) and one.requires_grad
        ]  # fmt: skip
        key = kind, tuple((one.shape, one.dtype) for one in tensors), tuple(wanted)
        known = sum(other[0] is kind for other in self._samples)
        if not wanted or key in self._samples or known >= _EACH:
            return
        with without_functions(), without_dispatch(), torch.no_grad():
            stack = self._places.here(frame).stack
            size = sum(one.numel() * one.element_size() for one in tensors)
            reason = ""
            if not all(type(one) in PLAIN and one.layout is torch.strided for one in tensors):
                reason = "it takes tensors of a kind of their own"
            elif self._bytes + size > _MOST:
                reason = "its arguments are too large to be kept"
            if reason:
                if not known and all(row[0] != kind.__qualname__ for row in self._skipped):
                    self._skipped += [
                        _row(kind, stack, at, Verdict.unknown(reason)) for at in wanted
                    ]
                return
            self._bytes += size
            copies = [
                one.detach().clone() if isinstance(one, torch.Tensor) else one for one in arguments
            ]
            self._samples[key] = Sample(kind, stack, copies, wanted)

    @guarded
    def check(self) -> None:
        """Check them all, and write down what came of it."""
        if not self._samples and not self._skipped:
            return
        start = monotonic()
        rows = self._skipped
        for sample in self._samples.values():
            with _aside(sample) as states:
                trial = Trial(sample, states, start + _SECONDS)
                verdicts = trial.verdicts()
            self.calls += trial.calls
            rows += [
                _row(sample.kind, sample.stack, at, verdict) for at, verdict in verdicts.items()
            ]
        self._samples = {}
        self.differing = sum(row[3] == "differ" for row in rows)
        self.seconds = monotonic() - start
        self._writer.json("functions", {"checks": rows})


def _row(kind: Any, stack: int, argument: int, verdict: Verdict) -> list[Any]:
    return [
        kind.__qualname__, stack, argument, verdict.word, verdict.element, verdict.backward,
        verdict.differences, verdict.reason,
    ]  # fmt: skip


class Trial:
    """A Function called again with what it was called with."""

    def __init__(self, sample: Sample, states: _States, deadline: float) -> None:
        self.sample, self._states, self._deadline = sample, states, deadline
        self.calls = 0

    def verdicts(self) -> dict[int, Verdict]:
        """By argument."""
        found = {}
        floats = []
        for at in self.sample.wanted:
            if self.sample.arguments[at].dtype in FLOATS:
                floats.append(at)
            else:
                found[at] = Verdict.unknown("its elements are complex numbers")
        try:
            return found | self._judged(floats)
        except Exception as error:  # noqa: BLE001 - the Function's own, with arguments of ours
            reason = f"it cannot be called again: {type(error).__name__}: {error}"[:200]
            return found | {at: Verdict.unknown(reason) for at in floats}

    def _judged(self, floats: list[int]) -> dict[int, Verdict]:
        wide = replace(self.sample, arguments=[_widened(one) for one in self.sample.arguments])
        try:
            is_wide = all(out.dtype is torch.float64 for out in self._applied(wide.arguments)[1])
        except Exception:  # noqa: BLE001 - it wants its own dtype
            is_wide = False
        if is_wide:
            self.sample = wide
        elif any(self.sample.arguments[at].dtype in HALVES for at in floats):
            return {at: Verdict.unknown("half precision is too coarse") for at in floats}
        leaves, outputs = self._applied(self.sample.arguments)
        again = self._applied(self.sample.arguments)[1]
        reason = _reason_against(outputs, again)
        if reason:
            return {at: Verdict.unknown(reason) for at in floats}
        generator = torch.Generator().manual_seed(0)
        weights = [
            torch.randn(out.shape, generator=generator, dtype=torch.float64).to(out)
            for out in outputs
        ]
        gradients = torch.autograd.grad(
            outputs, [leaves[at] for at in floats], weights, allow_unused=True
        )
        judged = {}
        for at, gradient in zip(floats, gradients, strict=True):
            argument = self.sample.arguments[at]
            sent = torch.zeros_like(argument) if gradient is None else gradient
            probe = Probe(
                lambda moved, at=at: self._sum(at, moved, weights),  # type: ignore[misc]
                argument.cpu().double().numpy(),
                sent.detach().cpu().double().numpy(),
                is_wide=is_wide or argument.dtype is torch.float64,
                deadline=self._deadline,
            )
            judged[at] = probed(probe)
        return judged

    def _applied(self, arguments: list[Any]) -> tuple[dict[int, Any], list[torch.Tensor]]:
        """Leaves by argument, and the outputs that can be differentiated."""
        self.calls += 1
        self._states.restore()
        leaves, given = {}, []
        with torch.enable_grad():
            for at, argument in enumerate(arguments):
                copy = argument
                if isinstance(argument, torch.Tensor):
                    copy = argument.clone()
                    if at in self.sample.wanted:
                        leaves[at] = copy.requires_grad_()
                        copy = copy.clone()  # what may be changed in place is no leaf
                given.append(copy)
            made = self.sample.kind.apply(*given)
        outputs = [made] if isinstance(made, torch.Tensor) else list(made)
        return leaves, [
            out for out in outputs
            if isinstance(out, torch.Tensor) and out.requires_grad and out.dtype in FLOATS
        ]  # fmt: skip

    def _sum(
        self, at: int, moved: np.ndarray, weights: Sequence[torch.Tensor]
    ) -> tuple[float, float]:
        """The weighted sum of the outputs with another argument `at`, and that of their sizes."""
        arguments = list(self.sample.arguments)
        arguments[at] = torch.from_numpy(moved).to(arguments[at])
        _, outputs = self._applied(arguments)
        pairs = zip(outputs, weights, strict=True)
        terms = [(out.detach().double() * weight.double()).cpu() for out, weight in pairs]
        total = sum(float(term.sum()) for term in terms)
        return total, sum(float(term.abs().sum()) for term in terms)


def _widened(argument: Any) -> Any:
    is_float = isinstance(argument, torch.Tensor) and argument.dtype in FLOATS
    return argument.double() if is_float else argument


def _reason_against(outputs: list[torch.Tensor], again: list[torch.Tensor]) -> str:
    """Why nothing can be said of a Function with such outputs."""
    if not outputs:
        return "it has no output that can be differentiated"
    pairs = list(zip(outputs, again, strict=False))
    if len(outputs) != len(again) or any(a.shape != b.shape for a, b in pairs):
        return "its forward does not do the same twice"
    if not all(bool(torch.isfinite(out).all()) for out in outputs):
        return "its output is not finite"
    if not all(torch.equal(a, b) for a, b in pairs):
        return "its forward does not do the same twice"
    return ""


class _States:
    """The random states of a process, and of the generators that a Function can see."""

    def __init__(self, sample: Sample) -> None:
        cuda: Any = torch.cuda
        self._restores: list[Callable[[], object]] = [
            partial(torch.set_rng_state, torch.get_rng_state()),
            partial(random.setstate, random.getstate()),
            partial(np.random.set_state, np.random.get_state()),
        ]
        if cuda.is_initialized():
            self._restores.append(partial(cuda.set_rng_state_all, cuda.get_rng_state_all()))
        forward = inspect.unwrap(sample.kind.forward)
        cells = [cell.cell_contents for cell in getattr(forward, "__closure__", None) or ()]
        for thing in (*sample.arguments, *cells, *getattr(forward, "__globals__", {}).values()):
            if isinstance(thing, torch.Generator):
                self._restores.append(partial(thing.set_state, thing.get_state()))
            elif isinstance(thing, np.random.Generator):
                bits = thing.bit_generator
                self._restores.append(partial(setattr, bits, "state", bits.state))
            elif isinstance(thing, random.Random):
                self._restores.append(partial(thing.setstate, thing.getstate()))

    def restore(self) -> None:
        """Put them back."""
        for restore in self._restores:
            restore()


@contextlib.contextmanager
def _aside(sample: Sample) -> Iterator[_States]:
    """A block of which the program sees nothing: random states, grad mode, what is printed."""
    states, was_on = _States(sample), torch.is_grad_enabled()
    silent = io.StringIO()
    try:
        with contextlib.redirect_stdout(silent), contextlib.redirect_stderr(silent):
            yield states
    finally:
        states.restore()
        torch._C._set_grad_enabled(was_on)
