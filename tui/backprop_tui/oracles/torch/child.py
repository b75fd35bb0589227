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

from array import array
from collections.abc import Mapping
from dataclasses import field
from typing import Any

import numpy as np

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.values import Value
from backprop_engine.catalogue import OPERATIONS
from backprop_engine.forward import counts
from backprop_tui.oracles.messages import decode_attribute
from backprop_tui.oracles.serving import UnavailableError, run
from backprop_tui.oracles.torch.columns import Column, Entries, Gathering, Names, of_dtype
from backprop_tui.oracles.torch.listening import Key, Listener, Operands, value_of

_EDGES = (("operands", np.int32), ("counts", np.uint16))
_NO_MEMORY = "can't allocate memory"
"""How torch says so, in a RuntimeError like any other."""


class Whole(int):
    """A whole number that the program writes out: beside floats it is a float, as ours is."""


@dataclass
class Program:
    """A trace's program, rebuilt: `results` are tensors, and Python numbers where ours are."""

    torch: Any
    operands: Operands
    results: list[Any] = field(default_factory=list)
    values: Gathering = field(default_factory=Gathering)
    """The results as they were when they were computed."""
    grad_fns: list[str] = field(default_factory=list)
    receivers: list[Any] = field(default_factory=list)
    """By node the autograd node of its key, None where it has none."""
    outputs: array[int] = field(default_factory=lambda: array("i"))
    """By node the output number of its key."""
    unusual_blocks: dict[int, list[Any]] = field(default_factory=dict)
    """By node, the blocks that are not just the autograd node of the key."""
    owned: set[Any] = field(default_factory=set)
    """The autograd nodes of all blocks. Holding them keeps their identity."""

    def key(self, node: int) -> Key | None:
        """The key of a node; None where no gradient comes to it."""
        receiver = self.receivers[node]
        return None if receiver is None else (receiver, self.outputs[node])

    def block(self, node: int) -> list[Any]:
        """The autograd nodes of a node that has a key."""
        return self.unusual_blocks.get(node, [self.receivers[node]])

    def release(self) -> None:
        """Let go of torch's graph from its end.

        Python's handles on autograd nodes must go before the tensors, and the tensors last one
        first: any other order makes torch take down a long chain recursively, and crash.
        """
        self.receivers.clear()
        self.unusual_blocks.clear()
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
    leaves = Column(Entries.decoded(request["leaves"]))
    numbers, cut_off = (of_dtype(request[key], np.uint8) for key in ("numbers", "cut_off"))
    requires_grad, retained = set(request["requires_grad"]), set(request["retained"])
    whole = set(request["whole"])
    for node, name in Names.decoded(request["operations"]).items():
        if not name:
            result = _leaf(torch, leaves[node], bool(numbers[node]), node in requires_grad)
        else:
            attributes = request["attributes"].get(str(node), {})
            with torch.set_grad_enabled(not cut_off[node]):
                result = _apply(program, node, name, attributes, is_number=bool(numbers[node]))
            if cut_off[node] and isinstance(result, torch.Tensor) and not _is_loose(result):
                result = result.detach()
            if node in requires_grad:  # a value that was made a leaf
                result = result.detach().requires_grad_()
        if node in whole and float(result).is_integer():
            result = Whole(result)
        program.results.append(result)
        _enter(program, node, name)
        program.values.add(node, _plain(result))
        if node in retained:
            program.results[node].retain_grad()


def _plain(result: Any) -> Any:
    """A result as the value it is at this moment."""
    if isinstance(result, Whole):
        return int(result)
    return result if isinstance(result, int | float) else value_of(result)


def _leaf(torch: Any, value: Value, is_number: bool, requires_grad: bool) -> Any:
    if is_number:
        return value
    if isinstance(value, np.ndarray):
        return torch.from_numpy(value).requires_grad_(requires_grad)
    return torch.tensor(value, requires_grad=requires_grad)


def _apply(
    program: Program, node: int, name: str, encoded: Mapping[str, Any], is_number: bool
) -> Any:
    """One operation by its twin; Python numbers stay numbers where torch would have them."""
    operation = OPERATIONS[name]
    attributes = {key: decode_attribute(value) for key, value in encoded.items()}
    values = [program.results[operand] for operand in program.operands[node]]
    if not counts(_dtype(value) for value in values if not isinstance(value, Whole)):
        values = [float(value) if isinstance(value, Whole) else value for value in values]
    if is_number and not operation.gives_number:
        # Python computes with its numbers in float64, and so does a tensor of them.
        values = [program.torch.as_tensor(value, dtype=program.torch.float64) for value in values]
    elif not operation.arithmetic:
        values = [program.torch.as_tensor(value) for value in values]
    result = operation.twins.torch(program.torch, *values, **attributes)
    return result.item() if is_number else result


def _dtype(value: Any) -> str:
    """The dtype of a tensor, as we call it, or that of the tensor a number is from."""
    if isinstance(value, float):
        return "float64"
    return str(value.dtype).removeprefix("torch.") if hasattr(value, "dtype") else "int64"


def _enter(program: Program, node: int, name: str) -> None:
    """Find the node's key and its block."""
    result, operands = program.results[node], program.operands[node]
    tensor = isinstance(result, program.torch.Tensor)
    named = program.results[operands[0]] if name == "new_numbers" else result  # it stays the same
    grad_fn = named.grad_fn if tensor else None
    program.grad_fns.append("" if grad_fn is None else grad_fn.name())
    if not tensor or not result.requires_grad or _is_loose(result):
        program.receivers.append(None)
        program.outputs.append(0)
        return
    keys = {program.key(operand) for operand in operands} - {None}
    if operands and _key(program.torch, result) in keys:
        # Torch hands some operands through unchanged; a view gives the output a key of its own.
        result = program.results[node] = result.view_as(result)
    receiver, output = _key(program.torch, result)
    program.receivers.append(receiver)
    program.outputs.append(output)
    block = _block(program, receiver, keys)
    if block != [receiver]:
        program.unusual_blocks[node] = block
    program.owned.update(block)


def _is_loose(tensor: Any) -> bool:
    """Whether it is a view made under `no_grad`: torch says that it requires grad, and nothing
    goes back from it.
    """
    return bool(tensor._is_view() and tensor.requires_grad and tensor.grad_fn is None)


def _key(torch: Any, tensor: Any) -> Key:
    edge = torch.autograd.graph.get_gradient_edge(tensor)
    return edge.node, edge.output_nr


def _block(program: Program, start: Any, operand_keys: set[Key | None]) -> list[Any]:
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


def run_pass(
    program: Program, request: Mapping[str, Any], pass_: Mapping[str, Any]
) -> dict[str, Any]:
    """One backward pass, or one clearing of `.grad`."""
    listener = Listener(program)
    if "output" in pass_:
        output = program.results[pass_["output"]]
        seed = _leaf(program.torch, pass_["seed"], is_number=False, requires_grad=False)
        with listener.listening():
            output.backward(gradient=seed, retain_graph=True)
    for node in pass_.get("cleared", ()):
        program.results[node].grad = None
    for node in pass_.get("zeroed", ()):
        program.results[node].grad.zero_()
    grads, without = Gathering(), []
    for node in (*request["requires_grad"], *request["retained"]):
        grad = program.results[node].grad
        if grad is None:
            without.append(node)
        else:
            grads.add(node, value_of(grad))
    return {
        "index": pass_["index"],
        "grads": grads.entries().encoded(),
        "without_grad": without,
        **listener.heard(),
    }


def answer(request: Mapping[str, Any]) -> dict[str, Any]:
    """The reply to one request. MemoryError where torch, or Python, has run out of memory."""
    torch = import_torch()
    edges = (of_dtype(request[key], dtype) for key, dtype in _EDGES)
    program = Program(torch, Operands(*edges))
    try:
        rebuild(program, request)
        return {
            "version": torch.__version__,
            "values": program.values.entries().encoded(),
            "grad_fns": Names.of(program.grad_fns).encoded(),
            "passes": [run_pass(program, request, pass_) for pass_ in request["passes"]],
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
