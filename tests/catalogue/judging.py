"""A trace of ours against torch's own run of the sample, by the tolerances of `check`."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch
from tests.catalogue.tracing import value_of
from tests.catalogue.writing import Line

from backprop_engine.basics.values import Value, kept, settle, shape_of
from backprop_engine.checking.compare import (
    Comparison,
    compare,
    recompute_contribution,
    recompute_output,
)
from backprop_engine.run.tape import graph_of
from backprop_engine.trace import Trace


class Judge:
    """Compares the value and every gradient with torch's."""

    def __init__(self, trace: Trace, output: torch.Tensor, seed: Value, line: Line) -> None:
        self.trace, self.graph, self.node = trace, graph_of(trace), trace.assigned["y"]
        self.output, self.seed, self.line = output, seed, line
        self.theirs = value_of(output)
        self.faults: list[str] = []
        self.worst_ulp = 0.0

    def run(self) -> None:
        """Judge all there is; a gradient only where the values agree."""
        if self.graph.operation[self.node] is None:
            self._judge_handed_through()
            return
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            self._judge_value()
            if self.output.requires_grad and not self.faults:
                self._judge_grad_fn()
                self._judge_gradients()

    def _judge_handed_through(self) -> None:
        """Our output is an input itself, as `x.float()` of floats is: so it must be with torch."""
        (name,) = (name for name, node in self.graph.inputs.items() if node == self.node)
        if self.line.tensors[name].data_ptr() != self.output.data_ptr():
            self.faults.append(f"{name} is handed through, and torch makes a new tensor")

    def _judge_value(self) -> None:
        ours = self.graph.value[self.node]
        if _dtype(ours) != _dtype(self.theirs):
            self.faults.append(f"dtype is {_dtype(ours)}, torch's {_dtype(self.theirs)}")
            return
        operands = [self.graph.value[one] for one in self.graph.operands[self.node]]
        again = recompute_output(self.graph, self.node, operands)
        compared = again.compared_with(self.theirs)
        self._note("values", ours, self.theirs, compared)
        if self.graph.requires_grad[self.node] != self.output.requires_grad:
            self.faults.append(f"only one of the two requires grad ({self.output.requires_grad=})")

    def _judge_grad_fn(self) -> None:
        tensors = self.line.tensors.values()
        # Of what is empty or not in order in memory, torch makes something else on the way; and
        # what it hands through as it is has no `grad_fn` of its own.
        is_usual = all(tensor.is_contiguous() and tensor.numel() for tensor in tensors)
        if is_usual and self.output.grad_fn is not None:
            ours, theirs = self.graph.grad_fn(self.node), self.output.grad_fn.name()
            if ours != theirs:
                self.faults.append(f"grad_fn is {ours}, torch's {theirs}")

    def _judge_gradients(self) -> None:
        wanted = {name: one for name, one in self.line.tensors.items() if one.requires_grad}
        gradients = torch.autograd.grad(
            self.output,
            list(wanted.values()),
            torch.from_numpy(np.asarray(self.seed)),
            retain_graph=True,
            allow_unused=True,
        )
        for name, gradient in zip(wanted, gradients, strict=True):
            self._judge_gradient(name, None if gradient is None else value_of(gradient))

    def _judge_gradient(self, name: str, theirs: Value | None) -> None:
        leaf = self.graph.inputs[name]
        ours = kept((self.trace.passes[-1].grads or {}).get(leaf))
        if ours is None or theirs is None:
            # Torch leaves out a gradient that is zero by its nature.
            is_zero = theirs is None and ours is not None and not np.any(ours)
            if ours is not theirs and not is_zero:
                self.faults.append(f"{name}.grad is {_short(ours)}, torch's {_short(theirs)}")
            return
        compared = compare(ours, theirs)
        if not compared.agrees and shape_of(ours) == shape_of(theirs):
            # A rule may use the output: given torch's, for a difference of one ulp can grow.
            ours, allowed = self._given_their_output(leaf)
            compared = compare(ours, theirs, allowed)
        self._note(f"gradients of {name}", ours, theirs, compared)

    def _given_their_output(self, leaf: int) -> tuple[Value, Value]:
        """What is sent to a leaf in all its places, with torch's output in the rule."""
        operands = [self.graph.value[one] for one in self.graph.operands[self.node]]
        total: Value = 0.0
        allowed: Value = 0.0
        for position, one in enumerate(self.graph.operands[self.node]):
            if one == leaf:
                sent = recompute_contribution(
                    self.graph,
                    self.node,
                    position,
                    self.seed,
                    self.theirs,
                    operands,
                    as_torch=True,
                )
                total, allowed = total + sent.value, allowed + sent.allowed
        return settle(total, self.graph.dtype), allowed

    def _note(self, what: str, ours: Value, theirs: Value, compared: Comparison) -> None:
        self.worst_ulp = max(self.worst_ulp, compared.ulp)
        if not compared.agrees:
            self.faults.append(
                f"{what} differ by {compared.difference:.3g} ({compared.ulp:.3g} ulp):\n"
                f"    ours  {_short(ours)}\n    torch {_short(theirs)}"
            )


def _dtype(value: Value) -> str:
    return str(np.asarray(value).dtype)


def _short(value: Any) -> str:
    text = np.array2string(np.asarray(value), precision=17, threshold=12, edgeitems=2)
    return f"{tuple(np.shape(value))} {' '.join(text.split())}"
