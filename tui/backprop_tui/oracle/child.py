"""The torch process: what it answers to one request.

It rebuilds a program operation by operation with the catalogue's torch twins, runs its passes,
and listens in on every edge of torch's own graph.

Torch's graph has autograd nodes and edges between them. The *key* of one of our nodes is the
pair (autograd node, output number) that receives its gradient. The *block* of one of our
operations is all the autograd nodes torch made for it: those reachable from its output's key
that no earlier operation owns. What an operation sends to an operand is what flows along the
edges from its block to the operand's key.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from backprop_engine.catalogue import OPERATIONS
from backprop_engine.graph import counts
from backprop_tui.oracle.protocol import decode_attribute, decode_value, encode_value
from backprop_tui.oracle.serving import UnavailableError, run

Key = tuple[Any, int]
"""An autograd node and the number of its output."""

_NO_MEMORY = "can't allocate memory"
"""How torch says so, in a RuntimeError like any other."""


class Whole(int):
    """A whole number that the program writes out: beside floats it is a float, as ours is."""


@dataclass
class Program:
    """A trace's program, rebuilt: `results` are tensors, and Python numbers where ours are."""

    torch: Any
    results: list[Any] = field(default_factory=list)
    keys: dict[int, Key] = field(default_factory=dict)
    grad_fns: list[str] = field(default_factory=list)
    blocks: dict[int, list[Any]] = field(default_factory=dict)
    """Node → the autograd nodes of its operation."""
    owned: dict[Any, int] = field(default_factory=dict)
    """Autograd node → the node it belongs to. Holding them keeps their identity."""

    def release(self) -> None:
        """Let go of torch's graph from its end.

        Python's handles on autograd nodes must go before the tensors, and the tensors last one
        first: any other order makes torch take down a long chain recursively, and crash.
        """
        self.keys.clear()
        self.blocks.clear()
        self.owned.clear()
        while self.results:
            self.results.pop()


def import_torch() -> Any:
    """Torch, on one thread; UnavailableError if it cannot be imported."""
    try:
        import torch
    except Exception as error:  # a broken installation can raise anything
        raise UnavailableError(f"{type(error).__name__}: {error}") from error
    torch.set_num_threads(1)
    return torch


def rebuild(program: Program, request: Mapping[str, Any]) -> None:
    """Run the forward pass in torch."""
    torch = program.torch
    torch.set_default_dtype(getattr(torch, request["dtype"]))
    numbers, requires_grad = set(request["numbers"]), set(request["requires_grad"])
    retained, cut_off = set(request["retained"]), set(request["cut_off"])
    whole = set(request["whole"])
    for node, (name, operands) in enumerate(
        zip(request["operations"], request["operands"], strict=True)
    ):
        if name is None:
            result = _leaf(torch, request["leaves"][node], node in numbers, node in requires_grad)
        else:
            attributes = request["attributes"].get(str(node), {})
            with torch.set_grad_enabled(node not in cut_off):
                result = _apply(program, name, operands, attributes, is_number=node in numbers)
            if node in cut_off and isinstance(result, torch.Tensor):
                # Torch says of a view made under `no_grad` that it requires grad, though nothing
                # goes back from it.
                result = result.detach()
            if node in requires_grad:  # a value that was made a leaf
                result = result.detach().requires_grad_()
        if node in whole and float(result).is_integer():
            result = Whole(result)
        program.results.append(result)
        _enter(program, node, operands)
        if node in retained:
            program.results[node].retain_grad()


def _leaf(torch: Any, encoded: Any, is_number: bool, requires_grad: bool) -> Any:
    if is_number:
        return encoded
    if isinstance(encoded, dict):
        return torch.from_numpy(decode_value(encoded, "float64")).requires_grad_(requires_grad)
    return torch.tensor(encoded, requires_grad=requires_grad)


def _apply(
    program: Program,
    name: str,
    operands: Sequence[int],
    encoded: Mapping[str, Any],
    is_number: bool,
) -> Any:
    """One operation by its twin; Python numbers stay numbers where torch would have them."""
    operation = OPERATIONS[name]
    attributes = {key: decode_attribute(one) for key, one in encoded.items()}
    values = [program.results[operand] for operand in operands]
    if not counts(operation, map(_dtype, values)):
        values = [float(one) if isinstance(one, Whole) else one for one in values]
    if is_number and not operation.gives_number:
        # Python computes with its numbers in float64, and so does a tensor of them.
        values = [program.torch.as_tensor(value, dtype=program.torch.float64) for value in values]
    elif not operation.arithmetic:
        values = [program.torch.as_tensor(value) for value in values]
    result = operation.torch(program.torch, *values, **attributes)
    return result.item() if is_number else result


def _dtype(value: Any) -> str:
    """The dtype of a tensor, as we call it, or that of the tensor a number is from."""
    if isinstance(value, Whole | float):
        return ""
    return str(value.dtype).removeprefix("torch.") if hasattr(value, "dtype") else "int64"


def _enter(program: Program, node: int, operands: Sequence[int]) -> None:
    """Find the node's key and its block."""
    result = program.results[node]
    tensor = isinstance(result, program.torch.Tensor)
    grad_fn = result.grad_fn if tensor else None
    program.grad_fns.append("" if grad_fn is None else grad_fn.name())
    if not tensor or not result.requires_grad:
        return
    operand_keys = {program.keys[operand] for operand in operands if operand in program.keys}
    if operands and _key(program.torch, result) in operand_keys:
        # Torch hands some operands through unchanged; a view gives the output a key of its own.
        result = program.results[node] = result.view_as(result)
    program.keys[node] = key = _key(program.torch, result)
    program.blocks[node] = block = _block(program, key[0], operand_keys)
    for one in block:
        program.owned[one] = node


def _key(torch: Any, tensor: Any) -> Key:
    edge = torch.autograd.graph.get_gradient_edge(tensor)
    return edge.node, edge.output_nr


def _block(program: Program, start: Any, operand_keys: set[Key]) -> list[Any]:
    if start in program.owned:
        return []
    found, waiting = [start], [start]
    seen = {start}
    while waiting:
        for following, output in waiting.pop().next_functions:
            if following is None or following in seen or following in program.owned:
                continue
            if (following, output) not in operand_keys:
                seen.add(following)
                found.append(following)
                waiting.append(following)
    return found


class Listener:
    """Collects, during one backward pass, what flows along the edges of torch's graph."""

    def __init__(self, program: Program, operands: Sequence[Sequence[int]]) -> None:
        self.program = program
        self.operands = operands
        self.edges: dict[tuple[int, int], dict[tuple[int, int], np.ndarray]] = {}
        """(node, operand) → (autograd node in block, edge number) → what flowed."""
        self.gradients: dict[int, Any] = {}

    def listen(self) -> list[Any]:
        """Hook every node; the handles end it."""
        handles = []
        for node, block in self.program.blocks.items():
            operand_of = {
                self.program.keys[operand]: operand
                for operand in self.operands[node]
                if operand in self.program.keys
            }
            if self.program.results[node].is_leaf:
                handles.append(self.program.results[node].register_hook(self._gradient_hook(node)))
                continue
            for place, one in enumerate(block):
                hook = self._edge_hook(node, place, one, operand_of)
                handles.append(one.register_hook(hook))
        return handles

    def _gradient_hook(self, node: int) -> Callable[[Any], None]:
        def hook(gradient: Any) -> None:
            if gradient is not None:  # torch's own zero, where nothing depends on it
                self.gradients[node] = _encoded(gradient)

        return hook

    def _edge_hook(
        self, node: int, place: int, one: Any, operand_of: Mapping[Key, int]
    ) -> Callable[[Any, Any], None]:
        key_node, key_output = self.program.keys[node]
        receivers = [
            (edge, operand_of[following])
            for edge, following in enumerate(one.next_functions)
            if following in operand_of
        ]

        def hook(sent: Sequence[Any], received: Sequence[Any]) -> None:
            if one is key_node and received[key_output] is not None:
                self.gradients[node] = _encoded(received[key_output])
            for edge, operand in receivers:
                flowed = sent[edge]
                if flowed is not None:
                    # A copy: torch may add to this very tensor later.
                    copied = _array(flowed).copy()
                    self.edges.setdefault((node, operand), {})[place, edge] = copied

        return hook

    def contributions(self) -> list[tuple[int, int, list[Any]]]:
        """(node, operand, what was sent): one for each position, or a single sum of them all."""
        answer = []
        for (node, operand), flowed in self.edges.items():
            positions = self.operands[node].count(operand)
            in_order = [flowed[at] for at in sorted(flowed)]
            if positions == 1 or len(self.program.blocks[node]) > 1 or len(in_order) != positions:
                in_order = [sum(in_order[1:], in_order[0])]
            answer.append((node, operand, [encode_value(_scalar(one)) for one in in_order]))
        return answer


def _scalar(array: np.ndarray) -> Any:
    """0-d arrays (and numpy's scalars, which sums of them become) as Python numbers."""
    return array if array.ndim else array.item()


def _array(tensor: Any) -> np.ndarray:
    """A tensor's elements.

    What torch knows to be zero it keeps without storage, and `numpy` of a part of that is an array
    that points to nowhere.
    """
    stored = tensor.clone() if tensor._is_zerotensor() else tensor
    array: np.ndarray = stored.numpy(force=True)
    return array


def _encoded(tensor: Any) -> Any:
    return encode_value(_scalar(_array(tensor)))


def run_pass(
    program: Program, request: Mapping[str, Any], one: Mapping[str, Any]
) -> dict[str, Any]:
    """One backward pass, or one clearing of `.grad`."""
    listener = Listener(program, request["operands"])
    if "output" in one:
        output = program.results[one["output"]]
        seed = _leaf(program.torch, one["seed"], is_number=False, requires_grad=False)
        handles = listener.listen()
        try:
            output.backward(gradient=seed, retain_graph=True)
        finally:
            for handle in handles:
                handle.remove()
    for node in one.get("cleared", ()):
        program.results[node].grad = None
    for node in one.get("zeroed", ()):
        program.results[node].grad.zero_()
    owners = [*request["requires_grad"], *request["retained"]]
    leaves = [(node, program.results[node].grad) for node in owners]
    return {
        "index": one["index"],
        "contributions": listener.contributions(),
        "gradients": list(listener.gradients.items()),
        "grads": [(node, None if grad is None else _encoded(grad)) for node, grad in leaves],
    }


def answer(request: Mapping[str, Any]) -> dict[str, Any]:
    """The reply to one request. MemoryError where torch, or Python, has run out of memory."""
    torch = import_torch()
    program = Program(torch)
    try:
        rebuild(program, request)
        values = [
            _encoded(one) if isinstance(one, torch.Tensor) else one for one in program.results
        ]
        return {
            "version": torch.__version__,
            "values": values,
            "grad_fns": program.grad_fns,
            "passes": [run_pass(program, request, one) for one in request["passes"]],
        }
    except RuntimeError as error:
        if _NO_MEMORY in str(error):
            raise MemoryError(str(error)) from error
        raise
    finally:
        program.release()


def main() -> None:
    """Serve on standard input and output."""
    run(answer)


if __name__ == "__main__":
    main()
