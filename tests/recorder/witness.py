"""A witness beside the recorder: the edges of torch's graph, and what went along them."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch.overrides import TorchFunctionMode

from backprop_recorder.tensors import without_dispatch, without_functions

_autograd: Any = torch.autograd
_C: Any = torch._C
_graph: Any = torch.autograd.graph
_sequence = _autograd._get_sequence_nr
_PASSES = (torch.Tensor.backward, torch.autograd.grad, torch.autograd.backward)
_LEAF = "torch::autograd::AccumulateGrad"


@dataclass(frozen=True)
class Print:
    """What is compared of a tensor; no bytes where nobody can read them."""

    dtype: str
    shape: tuple[int, ...]
    bytes: bytes

    def __repr__(self) -> str:
        if not self.bytes:
            return f"{self.dtype}{list(self.shape)}"
        kind = "float32" if self.dtype == "bfloat16" else self.dtype
        some = np.frombuffer(self.bytes, kind)[:6].tolist()
        return f"{self.dtype}{list(self.shape)} {some}"


Output = tuple[int, int]
"""An autograd node by its number, and which of its outputs."""


def printed(tensor: torch.Tensor) -> Print:
    """What is compared of a tensor."""
    kind, shape = str(tensor.dtype).removeprefix("torch."), tuple(tensor.shape)
    plain = (torch.Tensor, torch.nn.Parameter)
    if type(tensor) not in plain or tensor.layout is not torch.strided:
        return Print(kind, shape, b"")
    detached = tensor.detach().resolve_conj().resolve_neg().contiguous()
    if detached.dtype is torch.bfloat16:
        detached = detached.float()
    return Print(kind, shape, detached.numpy(force=True).tobytes())


@dataclass(frozen=True)
class Call:
    """A call: the autograd nodes that it made, and those of its outputs that have one."""

    start: int
    stop: int
    outputs: tuple[Output, ...]


@dataclass(frozen=True)
class Edge:
    """What a node sent: by which input, to which output of which node."""

    sender: int
    input: int
    receiver: int
    output: int
    sent: Print


@dataclass
class Pass:
    """One backward pass; nodes are positions."""

    nodes: list[Any]
    """While it runs."""
    names: list[str] = field(default_factory=list)
    sequence: list[int] = field(default_factory=list)
    leaves: dict[int, Print] = field(default_factory=dict)
    edges: list[list[tuple[int, int] | None]] = field(default_factory=list)
    roots: list[tuple[int, int]] = field(default_factory=list)
    sent: list[Edge] = field(default_factory=list)
    totals: dict[tuple[int, int], Print] = field(default_factory=dict)
    """By node and output."""
    values: dict[Output, Print] = field(default_factory=dict)
    """What came out of autograd nodes, before the pass began."""


class Witness(TorchFunctionMode):
    """Sees calls and passes, and has nothing in common with the recorder but torch."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Call] = []
        self.passes: list[Pass] = []
        self.values: dict[Output, Print] = {}
        self._here = threading.get_ident(), os.getpid()

    def _is_here(self) -> bool:
        here = threading.get_ident(), os.getpid()
        return here == self._here and _C._functorch.peek_interpreter_stack() is None

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func.__name__ == "__set__":  # the engine sets attributes while it holds what they lock
            return func(*args, **kwargs)
        before = _sequence()
        self._see([args, kwargs])
        result = func(*args, **kwargs)
        self._called(func, before, args, result)
        return result

    def _called(self, func: Any, before: int, args: Any, result: Any) -> None:
        if not self._is_here():
            return
        with without_functions(), without_dispatch():
            outputs = self._see([result] if result is not None else args[:1])
            after = _sequence()
            if after > before and func not in _PASSES:
                self.calls.append(Call(before, after, tuple(outputs)))

    def _see(self, things: Any) -> list[Output]:
        """Keep the values of all tensors that an autograd node has made."""
        found: list[Output] = []
        if not self._is_here():
            return found
        with without_functions(), without_dispatch(), torch.no_grad():
            pending = [things]
            while pending:
                value = pending.pop()
                if isinstance(value, torch.Tensor):
                    if value.grad_fn is not None:
                        output = value.grad_fn._sequence_nr(), value.output_nr
                        found.append(output)
                        self.values.setdefault(output, printed(value))
                elif isinstance(value, list | tuple):
                    pending += value
                elif isinstance(value, dict):
                    pending += value.values()
        return found[::-1]

    @contextmanager
    def watching(self) -> Iterator[None]:
        """The block is watched; a recorder that begins in it is further out."""
        function, variable = _autograd.function._SingleLevelFunction, _autograd.Variable
        engine, below = variable._execution_engine, vars(_C._FunctionBase)["apply"]

        def applied(cls: Any, *args: Any, **kwargs: Any) -> Any:
            before = _sequence()
            self._see([args, kwargs])
            result = below.__get__(None, cls)(*args, **kwargs)
            self._called(cls, before, args, result)
            return result

        function.apply, variable._execution_engine = classmethod(applied), _Engine(engine, self)
        try:
            with self:
                yield
        finally:
            del function.apply
            variable._execution_engine = engine

    def run(self, run: Any, outputs: Any) -> Any:
        """A backward pass."""
        if not self._is_here():
            return run()
        with without_functions(), without_dispatch(), torch.no_grad():
            self._see(list(outputs))
            pass_ = self._begun(outputs)
            handles = self._hooks(pass_)
        self.passes.append(pass_)
        try:
            with self:
                return run()
        finally:
            for handle in handles:
                handle.remove()
            pass_.nodes = []

    def _begun(self, outputs: Any) -> Pass:
        starts = []
        for output in outputs:
            if not isinstance(output, torch.Tensor):
                starts.append((output.node, output.output_nr))
            elif output.grad_fn is None:
                starts.append((_graph._get_grad_fn_or_grad_acc(output), 0))
            else:
                starts.append((output.grad_fn, output.output_nr))
        pass_ = Pass(list(dict.fromkeys(node for node, _ in starts)), values=dict(self.values))
        number = {node: at for at, node in enumerate(pass_.nodes)}
        pass_.roots = [(number[node], output) for node, output in starts]
        for node in pass_.nodes:  # which grows
            row = []
            for following, output in node.next_functions:
                if following is not None and following not in number:
                    number[following] = len(pass_.nodes)
                    pass_.nodes.append(following)
                row.append(None if following is None else (number[following], output))
            pass_.edges.append(row)
            pass_.names.append(node.name())
            pass_.sequence.append(min(node._sequence_nr(), 2**63 - 1))
            if node.name() == _LEAF:
                pass_.leaves[len(pass_.names) - 1] = printed(node.variable)
        return pass_

    def _hooks(self, pass_: Pass) -> list[Any]:
        def complete(at: int, received: Any) -> None:
            with without_functions(), without_dispatch(), torch.no_grad():
                for output, gradient in enumerate(received):
                    if gradient is not None:
                        pass_.totals[at, output] = printed(gradient)

        def done(at: int, sent: Any, received: Any) -> None:
            complete(at, received)
            with without_functions(), without_dispatch(), torch.no_grad():
                for position, (gradient, edge) in enumerate(
                    zip(sent, pass_.edges[at], strict=False)
                ):
                    if gradient is not None and edge is not None:
                        pass_.sent.append(Edge(at, position, *edge, printed(gradient)))

        return [
            node.register_prehook(lambda received, at=at: complete(at, received))
            if node.name() == _LEAF
            else node.register_hook(lambda sent, received, at=at: done(at, sent, received))
            for at, node in enumerate(pass_.nodes)
        ]


class _Engine:
    """In the place of torch's engine."""

    def __init__(self, real: Any, witness: Witness) -> None:
        self._real, self._witness = real, witness

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def run_backward(self, outputs: Any, *rest: Any, **options: Any) -> Any:
        run = self._real.run_backward
        return self._witness.run(lambda: run(outputs, *rest, **options), outputs)
