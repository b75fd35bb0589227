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
from backprop_engine.basics.values import UNIT_ROUNDOFF, Dtype, settle, shape_of
from backprop_engine.catalogue import OPERATIONS
from backprop_engine.graph import Graph
from backprop_engine.operation import Kind, Operation, Rounding


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
    upstream: float | None = None,
) -> Run:
    """One application and its backward pass, with a seed without symmetry unless it is given.

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
    twin = operation.twins.torch(torch, *tensors, **attributes)
    value, twin_value = graph.value[output], twin.detach().numpy().copy()
    if not twin.requires_grad:
        return Run(value, [], graph.grad_fn(output), twin_value, [], "")
    if upstream is None:
        generator = np.random.default_rng(zlib.crc32(operation.name.encode()))
        given: Any = generator.uniform(0.5, 2, shape_of(value))
    else:
        given = np.full(shape_of(value), upstream)
    seed = settle(np.asarray(given, dtype), dtype)
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
            # By force, since torch keeps some zeros without storage.
            one.grad.numpy(force=True)
            for one in tensors
            if isinstance(one, torch.Tensor) and one.grad is not None
        ],
        torch_grad_fn="" if twin.grad_fn is None else twin.grad_fn.name(),
    )


@pytest.fixture(scope="session")
def both() -> Callable[..., Run]:
    """`both(operation, operands, attributes, dtype, numbers=(), upstream=None)`."""
    return run_on_both_sides


def all_attributes(operation: Operation, given: Mapping[str, Any]) -> dict[str, Any]:
    """All attributes of an application: those given, and the defaults of the signature."""
    kinds = (Kind.OPERAND, Kind.OPERANDS)
    left_out = {
        parameter.name: parameter.default
        for parameter in operation.spelling.parameters
        if parameter.kind not in kinds and not parameter.is_ignored and parameter.name not in given
    }
    return {**left_out, **given}


@pytest.fixture(scope="session")
def with_defaults() -> Callable[..., dict[str, Any]]:
    """`with_defaults(operation, given)`."""
    return all_attributes


@pytest.fixture(scope="session")
def agree() -> Callable[..., Run]:
    """`agree(name, operands, attributes, dtype)`: both sides equal up to rounding."""

    def assert_agreement(
        name: str, operands: Sequence[Any], attributes: Mapping[str, Any], dtype: Dtype
    ) -> Run:
        operation = OPERATIONS[name]
        run = run_on_both_sides(operation, operands, all_attributes(operation, attributes), dtype)
        several_steps = operation.rounding is Rounding.CONDITION
        unit = (64 if several_steps else 8) * UNIT_ROUNDOFF[dtype]
        largest = max([1.0, *(abs(x) for x in np.ravel(run.torch_value) if np.isfinite(x))])
        pairs = [(run.value, run.torch_value)]
        assert len(run.gradients) == len(run.torch_gradients)
        pairs += zip(run.gradients, run.torch_gradients, strict=True)
        for ours, theirs in pairs:
            assert np.shape(ours) == np.shape(theirs)
            assert np.asarray(ours).dtype == np.asarray(theirs).dtype
            np.testing.assert_allclose(ours, theirs, rtol=unit, atol=unit * largest)
        assert run.grad_fn == run.torch_grad_fn
        return run

    return assert_agreement
