"""What becomes of gradients once they are in `.grad`: cleared, clipped, unscaled."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import torch

from backprop_recorder.calls import Calls
from backprop_recorder.guarded import Guard, guarded
from backprop_recorder.places import TORCH, Places, outside
from backprop_recorder.tensors import norms, some_of, without_dispatch, without_functions
from backprop_recorder.values import Values
from backprop_recorder.writer import Writer


@dataclass(frozen=True, slots=True)
class Changing:
    """Gradients that are about to be changed, and what they were."""

    parameters: list[torch.Tensor]
    norms: list[float]


@dataclass(slots=True)
class _Reached:
    """A leaf that passes have reached since its `.grad` was cleared."""

    leaf: weakref.ref[torch.Tensor]
    values: list[int] = field(default_factory=list)
    """Its own, in those passes."""


class Gradients:
    """The `.grad` of all leaves."""

    def __init__(
        self, writer: Writer, places: Places, calls: Calls, values: Values, guard: Guard
    ) -> None:
        self._writer, self._places, self._calls = writer, places, calls
        self._values, self.guard = values, guard
        self._reached: dict[int, _Reached] = {}
        self._holders: dict[int, weakref.ref[torch.Tensor]] = {}
        """By `.grad` whose it is."""
        self._cleared: list[int] = []
        """Values of leaves whose `.grad` was cleared one by one, all in `_stack`."""
        self._stack = -1

    def reached(self, leaf: torch.Tensor, value: int) -> None:
        """A pass has put a gradient into the `.grad` of `leaf`, which was `value` then."""
        known = self._reached.get(id(leaf))
        if known is None or known.leaf() is not leaf:
            known = self._reached[id(leaf)] = _Reached(weakref.ref(leaf))
        known.values.append(value)
        if leaf.grad is not None:
            self._holders[id(leaf.grad)] = known.leaf

    @guarded
    def cleared(self, parameters: Iterable[torch.Tensor]) -> None:
        """A `zero_grad` has cleared the gradients of `parameters`."""
        self.settle()
        with without_functions(), without_dispatch():
            listed = list(parameters)
            values = [value for leaf in listed for value in self._forgotten(leaf)]
            to_none = all(leaf.grad is None for leaf in listed)
            self._write(self._places.here(sys._getframe(1)).stack, values, to_none=to_none)

    @guarded
    def set_to_none(self, leaf: torch.Tensor) -> None:
        """The program has set `.grad` of one leaf to None; a loop of these is told once."""
        frame = outside(sys._getframe(1))
        if frame.f_code.co_filename.startswith(TORCH):
            return  # a `zero_grad`, which is told as a whole
        stack = self._places.here(frame).stack
        if stack != self._stack:
            self.settle()
        self._stack = stack
        self._cleared += self._forgotten(leaf)

    @guarded
    def zeroed(self, grad: torch.Tensor) -> None:
        """The program has zeroed a tensor, which may be somebody's `.grad`."""
        holder = self._holders.get(id(grad))
        leaf = None if holder is None else holder()
        frame = outside(sys._getframe(1))
        is_torchs = frame.f_code.co_filename.startswith(TORCH)
        if leaf is not None and leaf.grad is grad and not is_torchs:
            self.settle()
            self._write(self._places.here(frame).stack, self._forgotten(leaf), to_none=False)

    def settle(self) -> None:
        """Tell what has waited for more of its kind."""
        if self._cleared:
            self._write(self._stack, self._cleared, to_none=True)
            self._cleared = []
        self._stack = -1

    def _forgotten(self, leaf: torch.Tensor) -> list[int]:
        known = self._reached.pop(id(leaf), None)
        return known.values if known is not None and known.leaf() is leaf else []

    def _write(self, stack: int, values: list[int], *, to_none: bool) -> None:
        self._calls.flush()
        told = {"stack": stack, "call": self._calls.count, "values": values, "to_none": to_none}
        self._writer.json("zero_grad", told)

    def changing(self, parameters: Iterable[torch.Tensor]) -> Changing | None:
        """The gradients of `parameters` are about to be changed."""
        try:
            with without_functions(), without_dispatch(), torch.no_grad():
                held = [leaf for leaf in parameters if leaf.grad is not None]
                grads: list[Any] = [leaf.grad for leaf in held]
                return Changing(held, norms([some_of(grad) for grad in grads]))
        except Exception as error:  # noqa: BLE001 - the recorder's, not the program's
            self.guard.caught(error)
            return None

    @guarded
    def changed(
        self, changing: Changing, how: str, factor: Callable[[], float], iteration: int
    ) -> None:
        """They are changed; `how` is a word of the file."""
        self.settle()
        with without_functions(), without_dispatch(), torch.no_grad():
            grads: list[Any] = [leaf.grad for leaf in changing.parameters]
            values_of = [self._reached.get(id(leaf)) for leaf in changing.parameters]
            stack = self._places.here(sys._getframe(1)).stack
            values = [self._values.add(grad.detach()) for grad in grads]
            self._calls.flush()
            told = {
                "how": how,
                "factor": factor(),
                "names": [self._places.name_of(leaf) for leaf in changing.parameters],
                "before": changing.norms,
                "after": norms([some_of(grad) for grad in grads]),
                "leaves": [-1 if known is None else known.values[-1] for known in values_of],
                "values": values,
                "stack": stack,
                "call": self._calls.count,
                "iteration": iteration,
            }
            self._writer.json("gradients", told)

    def forget_the_dead(self) -> None:
        """Let go of what is known of tensors that are no more."""
        self._reached = {k: kept for k, kept in self._reached.items() if kept.leaf() is not None}
        self._holders = {k: leaf for k, leaf in self._holders.items() if leaf() is not None}
