"""The computation graph: a tape in columns, appended to as values are computed.

A node is a row. Operands always stand before their consumers, so the order of rows is a
topological order and its reverse is the order of the backward pass.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from backprop_engine.operation import Application, OperandError, Operation
from backprop_engine.source import Span
from backprop_engine.values import Dtype, Value, evaluate, is_float, settle, shape_of

NO_ATTRIBUTES: Mapping[str, Any] = {}


class Graph:
    """Nodes by number, from 0; every column has one entry a node, the sparse ones are dicts."""

    def __init__(self, dtype: Dtype = "float64") -> None:
        self.dtype = dtype
        self.operation: list[Operation | None] = []
        """None for a leaf: an input or a constant."""
        self.operands: list[tuple[int, ...]] = []
        self.value: list[Value] = []
        self.requires_grad = bytearray()
        self.is_number = bytearray()
        """1 where torch has a Python number: literals, and arithmetic on literals alone."""
        self.span: list[Span | None] = []
        """The sub-expression in the source that made the node."""
        self.attributes: dict[int, Mapping[str, Any]] = {}
        self.retained: set[int] = set()
        """Computed nodes whose `.grad` is kept (`retain_grad`)."""
        self.is_recording = True
        """Whether what is computed next may require grad: not so inside of `with no_grad:`."""
        self.inputs: dict[str, int] = {}
        self.names: dict[int, str] = {}
        """What the scenario calls a node; a name assigned twice is `h@1`, `h@2`."""

    def __len__(self) -> int:
        return len(self.value)

    def add_input(
        self, name: str, value: Value, *, requires_grad: bool, span: Span | None = None
    ) -> int:
        """Append a named leaf."""
        node = self._append(None, (), value, requires_grad, False, span)
        self.inputs[name] = node
        self.names[node] = name
        return node

    def add_constant(
        self, value: Value, span: Span | None = None, *, is_tensor: bool = False
    ) -> int:
        """Append a literal: a leaf that never requires grad; `is_tensor` even if it is a scalar."""
        is_number = not is_tensor and not isinstance(value, np.ndarray)
        return self._append(None, (), value, False, is_number, span)

    def apply(
        self,
        operation: Operation,
        operands: tuple[int, ...],
        attributes: Mapping[str, Any] = NO_ATTRIBUTES,
        span: Span | None = None,
    ) -> int:
        """Append the output of `operation`; OperandError where it cannot take the operands."""
        values = [self.value[operand] for operand in operands]
        output = called(operation.forward, operation, values, attributes)
        settled = settle(output, self.dtype)
        requires_grad = (
            self.is_recording
            and operation.differentiable
            and any(self.requires_grad[operand] for operand in operands)
            and is_float(settled)
        )
        is_number = operation.arithmetic and all(self.is_number[o] for o in operands)
        node = self._append(operation, operands, settled, requires_grad, is_number, span)
        if attributes:
            self.attributes[node] = attributes
        return node

    def outputs(
        self, operation: Operation, operands: tuple[int, ...], attributes: Mapping[str, Any]
    ) -> tuple[str, ...]:
        """The names of the outputs of `operation`; OperandError where it cannot take them."""
        if operation.outputs is None:
            return ()
        values = [self.value[operand] for operand in operands]
        names: tuple[str, ...] = called(operation.outputs, operation, values, attributes)
        return names

    def _append(
        self,
        operation: Operation | None,
        operands: tuple[int, ...],
        value: Value,
        requires_grad: bool,
        is_number: bool,
        span: Span | None,
    ) -> int:
        self.operation.append(operation)
        self.operands.append(operands)
        self.value.append(value)
        self.requires_grad.append(requires_grad)
        self.is_number.append(is_number)
        self.span.append(span)
        return len(self.value) - 1

    def attributes_of(self, node: int) -> Mapping[str, Any]:
        """The attributes of the operation that made `node` (`dim`, a shape, an index)."""
        return self.attributes.get(node, NO_ATTRIBUTES)

    @property
    def keeping_grad(self) -> tuple[int, ...]:
        """The nodes that have a `.grad`: inputs that require grad, then what is retained."""
        leaves = [node for node in self.inputs.values() if self.requires_grad[node]]
        return (*leaves, *sorted(self.retained))

    def is_cut_off(self, node: int) -> bool:
        """Whether no gradient goes from a computed node to operands that do require one.

        So it is with `detach()`, inside of `with no_grad:`, and for comparisons.
        """
        return not self.requires_grad[node] and any(
            self.requires_grad[operand] for operand in self.operands[node]
        )

    def grad_fn(self, node: int) -> str:
        """The name torch gives the node's `grad_fn`; empty where that is None."""
        operation = self.operation[node]
        if operation is None or not self.requires_grad[node]:
            return ""
        operands = self.operands[node]
        return operation.grad_fn_of(
            Application(
                shapes=tuple(shape_of(self.value[o]) for o in operands),
                numbers=tuple(bool(self.is_number[o]) for o in operands),
                contiguous=tuple(
                    not isinstance(v, np.ndarray) or v.flags.c_contiguous
                    for v in (self.value[o] for o in operands)
                ),
                attributes=self.attributes_of(node),
            )
        )


def called(
    function: Callable[..., Any],
    operation: Operation,
    values: list[Value],
    attributes: Mapping[str, Any],
) -> Any:
    """What a function of `operation` gives; OperandError where it cannot take the values."""
    try:
        return evaluate(function, values, attributes)
    except OperandError:
        raise
    except (ValueError, IndexError, TypeError) as error:
        raise _refused(operation, values, error) from error


def _refused(operation: Operation, values: list[Value], error: Exception) -> OperandError:
    """numpy's refusal in words that name the operation and the shapes."""
    shapes = " and ".join(str(shape_of(value)) for value in values)
    if operation.elementwise and len(values) > 1:
        return OperandError(
            f"`{operation.symbol or operation.name}` cannot broadcast shapes {shapes}",
            "compared from the last axis on, sizes must be equal, or one of them 1",
        )
    return OperandError(f"`{operation.name}` cannot take shape {shapes}: {error}")
