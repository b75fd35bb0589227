"""Hooks of the program's own, which may change a gradient between who sends it and who takes it."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from types import CodeType, FrameType
from typing import Any

import torch

from backprop_recorder.places import Places

Output = tuple[int, int]
"""The sequence number of an autograd node, and which of its outputs."""


class Hooks:
    """The hooks that the program has registered on tensors, and where."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._stacks: dict[Output, int] = {}
        self._leaves: dict[int, tuple[weakref.ref[torch.Tensor], int]] = {}

    def registered(self, tensor: torch.Tensor, frame: FrameType) -> None:
        """One was registered on `tensor`."""
        stack = self._places.here(frame).stack
        if tensor.grad_fn is None:
            self._leaves[id(tensor)] = weakref.ref(tensor), stack
        else:
            self._stacks[tensor.grad_fn._sequence_nr(), tensor.output_nr] = stack

    def on_nodes(self, nodes: list[Any], names: list[str], leaf: str) -> dict[Output, int]:
        """By the number of a node in a pass, and its output, where the hook on it came from."""
        found = {}
        for number, (node, name) in enumerate(zip(nodes, names, strict=True)):
            if name == leaf:
                if node.variable._backward_hooks:
                    found[number, 0] = self._of_leaf(node.variable, node.variable._backward_hooks)
                if node.variable._post_accumulate_grad_hooks:
                    hooks = node.variable._post_accumulate_grad_hooks
                    found[number, -1] = self._where(hooks)
        if self._stacks:
            numbers = {node._sequence_nr(): number for number, node in enumerate(nodes)}
            for (sequence, output), stack in self._stacks.items():
                if sequence in numbers:
                    found[numbers[sequence], output] = stack
        return found

    def _of_leaf(self, leaf: torch.Tensor, hooks: Mapping[int, Any]) -> int:
        known = self._leaves.get(id(leaf))
        return known[1] if known is not None and known[0]() is leaf else self._where(hooks)

    def _where(self, hooks: Mapping[int, Any]) -> int:
        """Where the last of them stands; −1 for what is no function of Python's."""
        code = getattr(list(hooks.values())[-1], "__code__", None)
        return self._places.stack_of_code(code) if isinstance(code, CodeType) else -1

    def forget_all(self) -> None:
        """The graphs of an iteration are gone."""
        self._stacks.clear()


def changed(before: torch.Tensor, after: torch.Tensor) -> bool:
    """Whether two gradients of one shape and dtype differ in an element, nan being nan."""
    is_plain = before.layout is after.layout is torch.strided
    if not is_plain or before.shape != after.shape or before.dtype is not after.dtype:
        return False  # torch has brought it into the form of what it belongs to
    is_same = (before == after) | ((before != before) & (after != after))
    return not bool(is_same.all())


def added(parts: list[torch.Tensor]) -> torch.Tensor:
    """Contributions added as the engine adds them."""
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total
