"""What flows along the edges of torch's graph during one backward pass; see `child`."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from backprop_engine.basics.dataclass import dataclass
from backprop_tui.oracles.torch.columns import Gathering

if TYPE_CHECKING:
    from backprop_tui.oracles.torch.child import Program

Key = tuple[Any, int]
"""An autograd node and the number of its output."""


class Operands:
    """The operands of each node, out of two arrays."""

    def __init__(self, operands: np.ndarray, counts: np.ndarray) -> None:
        self._operands = array("i", operands.tobytes())
        self._ends = array("q", counts.cumsum(dtype=np.int64).tobytes())

    def __getitem__(self, node: int) -> Sequence[int]:
        return self._operands[self._ends[node - 1] if node else 0 : self._ends[node]]


class Listener:
    """Collects, during one backward pass, what flows along the edges of torch's graph."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._gradients = Gathering()
        self._senders, self._receivers = array("i"), array("i")
        self._sent = Gathering()
        self._unclear: dict[tuple[int, int], dict[tuple[int, int], np.ndarray]] = {}
        """(node, operand) → (autograd node in block, edge number) → what flowed, where one edge of
        ours may be several of torch's."""

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Hook every node that a gradient comes to."""
        handles: list[Any] = []
        try:
            for node, receiver in enumerate(self._program.receivers):
                if receiver is None:
                    continue
                result = self._program.results[node]
                if result.is_leaf:
                    # A leaf has no autograd node of an operation: it is heard at the tensor.
                    handles.append(result.register_hook(partial(self.take_gradient, node)))
                    continue
                block = self._program.block(node)
                handles.extend(
                    autograd.register_hook(_EdgeHook(self, node, place, autograd, len(block) == 1))
                    for place, autograd in enumerate(block)
                )
            yield
        finally:
            for handle in handles:
                handle.remove()

    def heard(self) -> dict[str, Any]:
        """All of it for the pipe: gradients by node, and what was sent from node to operand.

        An operand at several positions has its values in the order of positions if torch tells
        them apart, else their sum.
        """
        for (node, operand), flowed in self._unclear.items():
            positions = self._program.operands[node].count(operand)
            in_order = [flowed[at] for at in sorted(flowed)]
            if positions == 1 or len(self._program.block(node)) > 1 or len(in_order) != positions:
                in_order = [sum(in_order[1:], in_order[0])]
            for value in in_order:
                self._send(node, operand, value[()])
        self._unclear.clear()
        return {
            "gradients": self._gradients.entries().encoded(),
            "senders": self._senders,
            "receivers": self._receivers,
            "sent": self._sent.entries().encoded(),
        }

    def take_gradient(self, node: int, gradient: Any) -> None:
        """The gradient of a node, complete; None is torch's own zero, where nothing depends."""
        if gradient is not None:
            self._gradients.add(node, value_of(gradient))

    def take_edges(self, hook: _EdgeHook, sent: Sequence[Any], received: Sequence[Any]) -> None:
        """What an autograd node of a block has received, and has sent along its edges."""
        key = self._program.key(hook.node)
        if key is not None and hook.autograd is key[0]:
            self.take_gradient(hook.node, received[key[1]])
        operands = self._program.operands[hook.node]
        operand_of = {self._program.key(operand): operand for operand in operands}
        following = [operand_of.get(key) for key in hook.autograd.next_functions]
        for edge, operand in enumerate(following):
            flowed = sent[edge]
            if operand is None or flowed is None:
                continue
            if hook.is_alone and operands.count(operand) == following.count(operand) == 1:
                self._send(hook.node, operand, value_of(flowed))
            else:
                unclear = self._unclear.setdefault((hook.node, operand), {})
                unclear[hook.place, edge] = np.asarray(value_of(flowed))

    def _send(self, node: int, operand: int, value: Any) -> None:
        self._senders.append(node)
        self._receivers.append(operand)
        self._sent.add(len(self._sent), value)


@dataclass(eq=False, slots=True)
class _EdgeHook:
    """At one autograd node of a block. There are as many as nodes: no closures, no dicts."""

    listener: Listener
    node: int
    place: int
    autograd: Any
    is_alone: bool

    def __call__(self, sent: Sequence[Any], received: Sequence[Any]) -> None:
        self.listener.take_edges(self, sent, received)


def value_of(tensor: Any) -> Any:
    """A tensor's elements, in an array of their own: torch may add to this very tensor later.

    Numbers come as numpy's. What torch knows to be zero it keeps without storage, and `numpy` of a
    part of that is an array that points to nowhere.
    """
    stored = tensor.clone() if tensor._is_zerotensor() else tensor
    array: np.ndarray = stored.numpy(force=True)
    return array.copy() if array.ndim else array[()]
