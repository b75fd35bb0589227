"""An operation and its torch twin, run on the same operands."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch

from backprop_engine.backward import backward
from backprop_engine.catalogue import OPERATIONS
from backprop_engine.graph import Graph
from backprop_engine.operation import Operation
from backprop_engine.values import Dtype, settle, shape_of


@dataclass(frozen=True)
class Run:
    """What both sides answered, arrays in one dtype."""

    value: Any
    gradients: list[Any]
    grad_fn: str
    torch_value: Any
    torch_gradients: list[Any]
    torch_grad_fn: str


def our_value(operand: Any, dtype: Dtype) -> Any:
    if isinstance(operand, int) or getattr(operand, "dtype", None) in (np.int64, bool):
        return operand
    array = np.asarray(operand, dtype)
    return array if array.ndim else settle(array, dtype)


def run_on_both_sides(
    operation: str | Operation,
    operands: Sequence[Any],
    attributes: Mapping[str, Any],
    dtype: Dtype,
    numbers: Sequence[int] = (),
) -> Run:
    """One application and its backward pass, with a seed without symmetry.

    Floats require grad, but for those at the positions `numbers`, which are Python numbers.
    """
    if isinstance(operation, str):
        operation = OPERATIONS[operation]
    graph = Graph(dtype)
    leaves: list[int] = []
    tensors: list[Any] = []
    for position, operand in enumerate(operands):
        value = our_value(operand, dtype)
        if position in numbers:
            leaves.append(graph.add_constant(value))
            tensors.append(operand)
            continue
        floats = not isinstance(value, int) and np.asarray(value).dtype.kind == "f"
        leaves.append(graph.add_input(f"x{position}", value, requires_grad=floats))
        tensor = torch.tensor(np.asarray(value))
        tensors.append(tensor.requires_grad_() if floats else tensor)
    with np.errstate(all="ignore"):
        output = graph.apply(operation, tuple(leaves), attributes)
    twin = operation.torch(torch, *tensors, **attributes)
    value, twin_value = graph.value[output], twin.detach().numpy().copy()
    if not twin.requires_grad:
        return Run(value, [], graph.grad_fn(output), twin_value, [], "")
    generator = np.random.default_rng(zlib.crc32(operation.name.encode()))
    drawn = np.asarray(generator.uniform(0.5, 2, shape_of(value)), dtype)
    seed = settle(drawn, dtype)
    # A rule may use the output: both sides get the same, or one ulp of it would be amplified.
    graph.value[output] = settle(twin_value, dtype)
    twin.backward(torch.tensor(np.asarray(seed)))
    with np.errstate(all="ignore"):
        received = {step.operand: step.total for step in backward(graph, output, seed)}
    return Run(
        value=value,
        gradients=[received[leaf] for leaf in leaves if graph.requires_grad[leaf]],
        grad_fn=graph.grad_fn(output),
        torch_value=twin_value,
        torch_gradients=[
            # Torch keeps some zeros without storage; adding one gives them theirs.
            (one.grad + 0).numpy()
            for one in tensors
            if isinstance(one, torch.Tensor) and one.requires_grad
        ],
        torch_grad_fn="" if twin.grad_fn is None else twin.grad_fn.name(),
    )


@pytest.fixture(scope="session")
def both() -> Callable[..., Run]:
    """`both(operation, operands, attributes, dtype, numbers=())`."""
    return run_on_both_sides
