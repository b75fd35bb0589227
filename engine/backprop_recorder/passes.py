"""One backward pass: the autograd nodes that can be reached, and what the hooks on them see."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from itertools import chain
from types import MethodType
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch

from backprop_recorder.guarded import guarded
from backprop_recorder.hooks import added, changed
from backprop_recorder.tensors import pointer, version, without_dispatch, without_functions

if TYPE_CHECKING:
    from backprop_recorder.recorder import Recorder

_LEAF: Final = "torch::autograd::AccumulateGrad"
_DEEP: Final = 30_000
_STACK: Final = 1 << 30
_graph: Any = torch.autograd.graph
_sequence: Any = torch.autograd._get_sequence_nr  # type: ignore[attr-defined]
_C: Any = torch._C
_dispatch_modes = _C._len_torch_dispatch_stack
_Tensor = torch.Tensor


Edge = tuple[int, int]
"""An autograd node, and which of its outputs."""
_Seen = dict[int, tuple[int, torch.Tensor]]
"""By pointer, a value and the tensor there."""
Slot = tuple[int, int, int]
"""What lay there: pointer, value, version."""


class BackwardPass:
    """Hooks on every node while torch's engine runs, and what they have seen."""

    def __init__(
        self,
        recorder: Recorder,
        stack: int,
        outputs: Sequence[Any],
        grads: Sequence[Any],
        *,
        creates: bool,
    ) -> None:
        """`outputs` and `grads` as torch's engine is given them."""
        self.stack, self.spoilt_before = stack, recorder.values.spoilt
        self.recorder, self.creates, self.values = recorder, creates, recorder.values
        self.guard = recorder.guard
        self.loss = _loss(outputs)
        self.call, self.iteration = recorder.calls.count, recorder.iteration
        self.sends: list[tuple[int, int, int, int, int]] = []
        self.totals: list[tuple[int, int, int]] = []
        self.finals: dict[int, int] = {}
        self.made: list[Edge] = [(-1, _sequence())]
        self.handles: list[Any] = []
        self.slots: dict[Edge, Slot | None] = {}
        self._walk([_edge_of(output) for output in outputs])
        self.hooks = recorder.hooks.on_nodes(self.nodes, self.names, _LEAF)
        """By output of a node, −1 for `.grad` of a leaf, where the program's hook comes from."""
        self.parts: dict[Edge, list[torch.Tensor]] = {edge: [] for edge in self.hooks}
        """What such an output was sent."""
        self.hooked: list[tuple[int, int, int, int]] = []
        self.roots = [self._root(*given) for given in zip(self.starts, outputs, grads, strict=True)]

    def _walk(self, starts: Sequence[tuple[Any, int]]) -> None:
        """Number every node that can be reached."""
        numbers: dict[Any, int] = {}
        self.nodes: list[Any] = []
        self.starts: list[Edge] = []
        for node, output in starts:
            if node not in numbers:
                numbers[node] = len(self.nodes)
                self.nodes.append(node)
            self.starts.append((numbers[node], output))
        self.edges: list[list[Edge | None]] = []
        for node in self.nodes:  # which grows
            row: list[Edge | None] = []
            for following, output in node.next_functions:
                if following is not None and following not in numbers:
                    numbers[following] = len(self.nodes)
                    self.nodes.append(following)
                row.append(None if following is None else (numbers[following], output))
            self.edges.append(row)
        self.names = [sys.intern(node.name()) for node in self.nodes]
        if len(self.nodes) > _DEEP:
            _deepen()

    def _root(self, start: Edge, output: Any, grad: Any) -> tuple[int, int, int, int]:
        if not isinstance(output, torch.Tensor):
            return (*start, -1, -1)
        value = self.recorder.calls.value_of(output)
        self.slots[start] = None  # the gradient it starts with is not handed on as a contribution
        if start in self.parts:
            self.parts[start].append(torch.ones_like(output) if grad is None else grad)
        if grad is not None:
            return (*start, value, self.values.add(grad.detach()))
        is_number = output.numel() == 1
        return (*start, value, self.values.number(1.0, output) if is_number else -1)

    def attach(self) -> None:
        """Put the hooks there."""
        add, on_node = self.handles.append, self.on_node
        for number, (node, name) in enumerate(zip(self.nodes, self.names, strict=True)):
            if name == _LEAF:
                add(node.register_prehook(partial(self.on_leaf, number)))
                add(node.register_hook(partial(self.on_leaf_done, number)))
            else:  # of the number: a third of the memory of a `partial`
                add(node.register_hook(MethodType(on_node, number)))

    def detach(self) -> None:
        """Take them away."""
        for handle in self.handles:
            handle.remove()
        self.handles = []

    def on_node(self, number: int, sent: Any, received: Any) -> None:
        """A node has run."""
        try:
            if self.creates:
                self.made.append((number, _sequence()))
                with without_functions(), without_dispatch(), torch.no_grad():
                    self._keep(number, sent, received)
            elif _dispatch_modes():
                with without_functions(), without_dispatch():
                    self._keep(number, sent, received)
            else:
                with without_functions():
                    self._keep(number, sent, received)
        except Exception as error:  # noqa: BLE001 - the recorder's, not the program's
            self.guard.caught(error)

    def _keep(self, number: int, sent: Any, received: Any) -> None:
        self._keep_sent(number, sent, self._keep_received(number, received))

    def _keep_received(self, number: int, received: Any) -> _Seen:
        """What came to a node. This runs once a node: it is spelled out."""
        seen: _Seen = {}
        slots, totals = self.slots, self.totals
        for output, gradient in enumerate(received):
            if gradient is None:
                continue
            at = now = 0
            if type(gradient) is _Tensor:
                try:
                    at, now = gradient.data_ptr(), gradient._version
                except RuntimeError:  # without an address, or without a count of its changes
                    at = 0
            slot = slots.get((number, output))
            if slot is not None and slot[0] == at != 0 and slot[2] == now:
                value = slot[1]
            else:
                value = self._total((number, output), gradient, at)
            if at:
                seen[at] = value, gradient
            totals.append((number, output, value))
        return seen

    def _keep_sent(self, number: int, sent: Any, seen: _Seen) -> None:
        """What a node sends."""
        slots = self.slots
        for position, (gradient, edge) in enumerate(zip(sent, self.edges[number], strict=False)):
            if gradient is None or edge is None:
                continue
            at = now = 0
            known = None
            if type(gradient) is _Tensor:
                try:
                    at, now = gradient.data_ptr(), gradient._version
                    known = seen.get(at) if at else None
                except RuntimeError:
                    at = 0
            if known is not None and _is_all_of(known[1], gradient):
                value = self.values.alias(known[0], known[1], gradient)
            else:
                value = self.values.add(gradient)
                if at:
                    seen[at] = value, gradient
            self.sends.append((number, position, *edge, value))
            slots[edge] = None if edge in slots else (at, value, now)
            if self.parts and edge in self.parts:
                self.parts[edge].append(gradient.clone())

    def _total(self, edge: Edge, gradient: torch.Tensor, at: int) -> int:
        """Its value: where one contribution was handed on as it was, that one."""
        slot = self.slots.get(edge)
        if slot is not None and slot[0] == at != 0 and slot[2] == version(gradient):
            return slot[1]
        value = self.values.add(gradient)
        if edge in self.parts:
            self._look_for_change(edge, slot, gradient)
        elif slot is not None and slot[0] and not self.values.is_alike(slot[1], value):
            self.hooked.append((*edge, slot[1], -1))
        return value

    def _look_for_change(self, edge: Edge, slot: Slot | None, gradient: torch.Tensor) -> None:
        """Whether the hook on an output has changed what came there."""
        parts = self.parts.pop(edge)
        before = added(parts) if parts else gradient
        if changed(before, gradient):
            value = self.values.add(before) if slot is None else slot[1]
            self.hooked.append((*edge, value, self.hooks[edge]))

    @guarded
    def on_leaf(self, number: int, received: Any) -> None:
        """A leaf is about to take its gradient."""
        if received and received[0] is not None:
            with without_functions(), without_dispatch():
                gradient = received[0]
                value = self._total((number, 0), gradient, pointer(gradient))
                self.totals.append((number, 0, value))
                self.slots[number, 0] = (pointer(gradient), value, version(gradient))
                if (number, -1) in self.parts:
                    grad = self.nodes[number].variable.grad
                    self.parts[number, -1] = [gradient.clone() if grad is None else grad + gradient]

    @guarded
    def on_leaf_done(self, number: int, _sent: Any, _received: Any) -> None:
        """A leaf has added its gradient to `.grad`."""
        with without_functions(), without_dispatch():
            variable = self.nodes[number].variable
            grad = variable.grad
            parts = self.parts.get((number, -1))
            if parts and (grad is None or changed(parts[0], grad)):
                before = self.values.add(parts[0])
                self.hooked.append((number, -1, before, self.hooks[number, -1]))
            if grad is not None:
                slot = self.slots.get((number, 0))
                is_it = (
                    slot is not None and slot[0] == pointer(grad) != 0 and slot[2] == version(grad)
                )
                self.finals[number] = slot[1] if slot and is_it else self.values.add(grad.detach())
                self.recorder.steps.grad_versions[id(variable)] = version(grad)

    def write(self, index: int, depth: int, error: BaseException | None) -> None:
        """Put it all into the file."""
        recorder, places = self.recorder, self.recorder.places
        kinds: dict[str, int] = {}
        numbers = [kinds.setdefault(name, len(kinds)) for name in self.names]
        leaves, named = [], []
        for number, name in enumerate(self.names):
            if name == _LEAF:
                variable = self.nodes[number].variable
                value = recorder.calls.value_of(variable)
                leaves.append((number, value, self.finals.get(number, -1)))
                if number in self.finals:
                    recorder.gradients.reached(variable, value)
                named.append([number, places.name_of(variable)])
        culprit = None
        if isinstance(error, RuntimeError) and "modified by an inplace operation" in str(error):
            culprit = self._changed_under()
        recorder.calls.flush()
        sequences = [min(node._sequence_nr(), 2**63 - 1) for node in self.nodes]
        columns: dict[str, np.ndarray] = {
            "kind": np.array(numbers, np.int32),
            "sequence": np.array(sequences, np.int64),
            "edge_counts": np.array([len(row) for row in self.edges], np.int32),
            "edges": _rows([edge or (-1, 0) for row in self.edges for edge in row], 2, np.int32),
            "roots": _rows(self.roots, 4),
            "leaves": _rows(leaves, 3),
            "sends": _rows(self.sends, 5),
            "totals": _rows(self.totals, 3),
            "made": _rows(self.made, 2),
        }
        recorder.writer.table(
            "pass",
            columns,
            index=index,
            names=list(kinds),
            leaf_names=named,
            missing=places.without_gradient(),
            loss=self.loss,
            stack=self.stack,
            call=self.call,
            iteration=self.iteration,
            creates_graph=self.creates,
            depth=depth,
            error="" if error is None else f"{type(error).__name__}: {error}",
            culprit=culprit,
            hooked=self.hooked,
        )

    @property
    def is_spoilt(self) -> bool:
        """Whether the loss is nan or infinite."""
        return self.loss is not None and self.loss - self.loss != 0

    def _changed_under(self) -> Edge | tuple[int, str] | None:
        """The node whose saved tensor was changed in place, and which: torch says neither."""
        done = {row[0] for row in self.sends}
        for number, node in enumerate(self.nodes):
            if number in done:
                continue
            for name in dir(node):
                if name.startswith("_saved_"):
                    try:
                        getattr(node, name)
                    except RuntimeError as error:
                        if "modified by an inplace" in str(error):
                            return number, name.removeprefix("_saved_")
        return None


def _is_all_of(known: torch.Tensor, gradient: torch.Tensor) -> bool:
    """Whether what begins where `known` does has all of its elements."""
    return known.numel() == gradient.numel() and known.dtype is gradient.dtype


def _edge_of(output: Any) -> tuple[Any, int]:
    if not isinstance(output, torch.Tensor):
        return output.node, output.output_nr
    if output.grad_fn is not None:
        return output.grad_fn, output.output_nr
    return _graph._get_grad_fn_or_grad_acc(output), 0


def _loss(outputs: Sequence[Any]) -> float | None:
    """The one number that a pass starts from; None where it is no such pass."""
    only = outputs[0] if len(outputs) == 1 else None
    if not isinstance(only, torch.Tensor) or only.numel() != 1 or not only.is_floating_point():
        return None
    return float(only.detach().item())


def _rows(rows: Sequence[Sequence[int]], width: int, dtype: Any = np.int64) -> np.ndarray:
    return np.fromiter(chain.from_iterable(rows), dtype, len(rows) * width).reshape(-1, width)


def _deepen() -> None:
    """Torch 2.13 frees a chain of nodes that Python has seen by recursion: 200 bytes a node."""
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_STACK)
    if soft != resource.RLIM_INFINITY and soft < _STACK:
        most = _STACK if hard == resource.RLIM_INFINITY else min(hard, _STACK)
        resource.setrlimit(resource.RLIMIT_STACK, (most, hard))
