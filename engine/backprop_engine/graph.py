"""The computation graph: a tape in columns, appended to as values are computed.

A node is a row. Operands always stand before their consumers, so the order of rows is a
topological order and its reverse is the order of the backward pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from backprop_engine.basics.limits import MAX_OPERANDS
from backprop_engine.basics.source import OperandError, Place, Source, Span
from backprop_engine.basics.values import (
    Dtype,
    Value,
    dtype_of,
    evaluate,
    is_float,
    seen_in,
    settle,
    shape_of,
    wrapped,
)
from backprop_engine.budget import Budget, LimitError, check_broadcast
from backprop_engine.fast import beyond_numbers
from backprop_engine.loop_labels import Iterations
from backprop_engine.operation import Application, Operation, Rule, Sharing
from backprop_engine.trace.nodes import Group, GroupKind

NO_ATTRIBUTES: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """What Python's `max` or `min` chose from: one of several nodes, by their values."""

    function: str
    nodes: tuple[int, ...]

    def picked(self, values: Sequence[Value]) -> int:
        """The node that is chosen: the first of equal ones, as Python does.

        OperandError where two values cannot be compared to one truth value.
        """
        best = self.nodes[0]
        for node in self.nodes[1:]:
            if np.size(values[node]) != 1 or np.size(values[best]) != 1:
                raise OperandError(
                    "Boolean value of Tensor with more than one value is ambiguous",
                    f"write `torch.{self.function}(…)`, or compare elements of it",
                )
            one, other = np.ravel(values[node])[0], np.ravel(values[best])[0]
            if one > other if self.function == "max" else one < other:
                best = node
        return best


class Graph:
    """Nodes by number, from 0; every column has one entry a node, the sparse ones are dicts."""

    def __init__(self, dtype: Dtype = "float64", source: Source | None = None) -> None:
        self.dtype = dtype
        self.source = source
        """The text that the spans are places in."""
        self.operation: list[Operation | None] = []
        """None for a leaf: an input or a constant."""
        self.operands: list[tuple[int, ...]] = []
        self.value: list[Value] = []
        self.requires_grad = bytearray()
        self.is_number = bytearray()
        """1 where torch has a Python number: literals, and arithmetic on literals alone."""
        self.span: list[Span | None] = []
        """The sub-expression in the source that made the node."""
        self.scalar_rules: list[tuple[Rule, ...] | None] = []
        """The rules of an operation that makes a float of one or two floats, for `fast`; None
        elsewhere."""
        self.attributes: dict[int, Mapping[str, Any]] = {}
        self.reach: dict[int, int] = {}
        """Of a node with more operands than derivatives: how many it can send a gradient to. The
        others are indices, or models of a shape as in `x.view_as(z)`."""
        self.made_leaves: set[int] = set()
        """Computed nodes that `requires_grad_()` has made leaves: they have a `.grad`, and nothing
        goes back from them."""
        self.retained: set[int] = set()
        """Computed nodes whose `.grad` is kept (`retain_grad`)."""
        self.whole: set[int] = set()
        """The Python numbers that are whole: with a tensor of whole numbers they stay so."""
        self.choices: dict[Choice, int] = {}
        """Where Python chose one of several nodes by their values, and which."""
        self.is_recording = True
        """Whether what is computed next may require grad: not so inside of `with no_grad:`."""
        self.budget = Budget()
        """What the values have taken of the memory and the time that they may take."""
        self._operand_columns = np.zeros(0, np.int32), np.zeros(0, np.int32)
        """`operand_columns` as they were when they were last asked for."""
        self.inputs: dict[str, int] = {}
        self.names: dict[int, str] = {}
        """What the scenario calls a node; a name assigned twice is `h@1`, `h@2`."""
        self.iterations = Iterations()
        """Where loops have made nodes, the iterations by node."""

    def __len__(self) -> int:
        return len(self.value)

    @property
    def computed(self) -> np.ndarray:
        """The nodes that operations have made, int32, ascending: those with operands."""
        return np.flatnonzero(self.operand_columns[0]).astype(np.int32)

    @property
    def operand_columns(self) -> tuple[np.ndarray, np.ndarray]:
        """How many operands each node has, and those of all nodes one after the other; int32."""
        if len(self._operand_columns[0]) != len(self):
            counts = np.fromiter(map(len, self.operands), np.int32, len(self))
            flat = np.fromiter(chain.from_iterable(self.operands), np.int32, int(counts.sum()))
            self._operand_columns = counts, flat
        return self._operand_columns

    def add_input(
        self, name: str, value: Value, *, requires_grad: bool, span: Span | None = None
    ) -> int:
        """Append a named leaf."""
        self.budget.take_values((value,))
        node = self._append(None, (), value, requires_grad, False, span)
        self.inputs[name] = node
        self.names[node] = name
        return node

    def add_constant(
        self, value: Value, span: Span | None = None, *, is_tensor: bool = False
    ) -> int:
        """Append a literal: a leaf that never requires grad; `is_tensor` even if it is a scalar."""
        is_number = not is_tensor and not isinstance(value, np.ndarray)
        if type(value) is not float:
            self.budget.take_values((value,))
        return self._append(None, (), value, False, is_number, span)

    def apply(
        self,
        operation: Operation,
        operands: tuple[int, ...],
        attributes: Mapping[str, Any] = NO_ATTRIBUTES,
        span: Span | None = None,
    ) -> int:
        """Append the output of `operation`; OperandError where it cannot take the operands."""
        if operation.form_for is not None:
            operation = operation.form_for(tuple(bool(self.is_number[one]) for one in operands))
        count = len(operands)
        if count and count == operation.scalar_operands and not attributes:
            value, is_number, forward = self.value, self.is_number, operation.forward
            a = operands[0]
            b = operands[1] if count == 2 else a
            x, y = value[a], value[b]
            if type(x) is float and type(y) is float:
                is_plain = is_number[a] and is_number[b] and operation.arithmetic
                try:
                    made = forward(x, y) if count == 2 else forward(x)
                except (ArithmeticError, ValueError):  # `_apply` says what that comes to
                    made = None
                if type(made) is float and (is_plain or self.dtype == "float64"):
                    node, requires_grad = len(value), self.requires_grad
                    self.operation.append(operation)
                    self.operands.append(operands)
                    value.append(made)
                    requires_grad.append(
                        (requires_grad[a] or requires_grad[b]) and self.is_recording
                    )
                    is_number.append(is_plain)
                    self.scalar_rules.append(operation.rules)
                    self.span.append(span)
                    return node
        return self._apply(operation, operands, attributes, span)

    def _apply(
        self,
        operation: Operation,
        operands: tuple[int, ...],
        attributes: Mapping[str, Any],
        span: Span | None,
    ) -> int:
        """The same for whatever is not the commonest case, one or two floats."""
        if len(operands) > MAX_OPERANDS:
            raise LimitError(
                f"`{operation.name}` takes {MAX_OPERANDS:,} values at most, not {len(operands):,}"
            )
        is_number = self._makes_number(operation, operands)
        dtype: Dtype = "float64" if is_number else self.dtype
        settled = self._compute(self.value, operation, operands, attributes, dtype)
        has_model = len(operands) > len(operation.derivatives) and not operation.variadic
        sent_to = operands[: len(operation.derivatives)] if has_model else operands
        requires_grad = (
            self.is_recording
            and operation.differentiable
            and any(map(self.requires_grad.__getitem__, sent_to))
            and (type(settled) is float or is_float(settled))
        )
        if len(operands) > len(operation.derivatives):
            self._check_constants(operation, operands)
        node = self._append(operation, operands, settled, requires_grad, is_number, span)
        if attributes:
            self.attributes[node] = attributes
        if has_model:
            self.reach[node] = len(sent_to)
        return node

    def make_leaf(self, node: int) -> None:
        """Let a node that requires no grad, and that nothing is computed from, require grad."""
        self.requires_grad[node] = 1
        if self.operation[node] is not None:
            self.made_leaves.add(node)
            self.scalar_rules[node] = None
            self.reach[node] = 0

    def float_dtype(self, node: int) -> Dtype:
        """The dtype that `node` has if it is a float: Python's own numbers are float64."""
        return "float64" if self.is_number[node] else self.dtype

    def is_leaf(self, node: int) -> bool:
        """Whether no operation stands between a node and its gradient's end, as torch has it."""
        return self.operation[node] is None or node in self.made_leaves

    def is_used(self, node: int) -> bool:
        """Whether anything is computed from `node`."""
        return any(node in operands for operands in self.operands[node + 1 :])

    def _check_constants(self, operation: Operation, operands: tuple[int, ...]) -> None:
        """Refuse the weights of a loss where they require grad, as torch does."""
        for position, name in operation.constants.items():
            if position < len(operands) and self.requires_grad[operands[position]]:
                raise OperandError(
                    f"`{operation.name}` has no derivative by `{name}`, which requires grad",
                    "take its value alone, by `.detach()`",
                )

    def _compute(
        self,
        values: list[Value],
        operation: Operation,
        operands: tuple[int, ...],
        attributes: Mapping[str, Any],
        dtype: Dtype,
    ) -> Value:
        given = [values[operand] for operand in operands]
        if not self.whole.isdisjoint(operands):
            are_whole = [operand in self.whole for operand in operands]
            others = [one for one, whole in zip(given, are_whole, strict=True) if not whole]
            if counts(map(dtype_of, others)):
                given = [
                    int(value) if whole and float(value).is_integer() else value
                    for value, whole in zip(given, are_whole, strict=True)
                ]
        given = seen_in(dtype, given)
        if not attributes and np.ndarray not in map(type, given):
            result = settle(_evaluated(operation.forward, operation, given, attributes), dtype)
            is_whole = type(result) is int and not self._makes_number(operation, operands)
            return wrapped(result) if is_whole else result
        self.budget.check_time()
        settled = settle(called(operation.forward, operation, given, attributes), dtype)
        self.budget.take_values((settled,))
        return settled

    def _makes_number(self, operation: Operation, operands: tuple[int, ...]) -> bool:
        return operation.gives_number or (
            operation.arithmetic and all(map(self.is_number.__getitem__, operands))
        )

    def outputs(
        self, operation: Operation, operands: tuple[int, ...], attributes: Mapping[str, Any]
    ) -> tuple[str, ...]:
        """The names of the outputs of `operation`; OperandError where it cannot take them."""
        if operation.outputs is None:
            return ()
        given = [self.value[operand] for operand in operands]
        names: tuple[str, ...] = called(operation.outputs, operation, given, attributes)
        return names

    def with_leaves(
        self, changed: Mapping[int, Value], is_unwanted: Callable[[], bool] | None = None
    ) -> Graph:
        """The same graph with other values of some leaves, and all that follows from them.

        The new values must have the shapes and dtypes of the old ones. Only the values are
        computed anew; everything else is shared. Raises RecomputingError where an operation
        cannot take what reaches it, StoppedError once it `is_unwanted`.
        """
        return copy(self)._recomputed(changed, Budget(is_unwanted=is_unwanted))

    def in_float32(self, leaves: Mapping[int, Value], budget: Budget) -> Graph:
        """The same graph in float32, with these values of its leaves. Raises as `with_leaves`."""
        other = copy(self)
        other.dtype = "float32"
        other.scalar_rules = [None] * len(self)
        return other._recomputed(leaves, budget)

    def _recomputed(self, changed: Mapping[int, Value], budget: Budget) -> Graph:
        """This graph, a copy of another, with values of its own."""
        self.budget = budget
        self.value = values = list(self.value)
        for node, value in changed.items():
            values[node] = value
        nodes = self.budget.watched(range(len(self)))
        for node in beyond_numbers(self, values, nodes):
            operation = self.operation[node]
            if operation is None:
                continue
            attributes, dtype = self.attributes_of(node), self.float_dtype(node)
            try:
                values[node] = self._compute(
                    values, operation, self.operands[node], attributes, dtype
                )
            except OperandError as error:
                raise RecomputingError(node, error) from error
        self._check_choices(values)
        return self

    def _check_choices(self, values: list[Value]) -> None:
        """Raise RecomputingError where Python would choose another node by these values."""
        for choice, node in self.choices.items():
            if choice.picked(values) != node:
                problem = f"Python's `{choice.function}` would choose another value here"
                raise RecomputingError(node, OperandError(problem))

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
        self.scalar_rules.append(None)
        self.span.append(span)
        return len(self.value) - 1

    def differentiated(self, node: int) -> tuple[int, ...]:
        """The operands of `node` that its operation has a derivative for: the first ones."""
        return self.operands[node][: self.reach.get(node)]

    def attributes_of(self, node: int) -> Mapping[str, Any]:
        """The attributes of the operation that made `node` (`dim`, a shape, an index)."""
        return self.attributes.get(node, NO_ATTRIBUTES)

    @property
    def keeping_grad(self) -> tuple[int, ...]:
        """The nodes that have a `.grad`: inputs that require grad, then what is retained."""
        leaves = [node for node in self.inputs.values() if self.requires_grad[node]]
        return (*leaves, *sorted(self.retained))

    def edges(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Consumer (int32), position (int16) and operand (int32) of every edge.

        In the order of a backward pass: consumers from the last to the first, the operands of each
        from left to right. Operands that nothing can be sent to are left out.
        """
        counts, flat = self.operand_columns
        counts = counts.copy()
        firsts = counts.cumsum(dtype=np.int32) - counts  # where each node's operands begin
        for node, reach in self.reach.items():
            counts[node] = reach
        counts, firsts = counts[::-1], firsts[::-1]
        consumers = np.arange(len(self) - 1, -1, -1, dtype=np.int32).repeat(counts)
        begun = counts.cumsum(dtype=np.int32) - counts
        positions = np.arange(len(consumers), dtype=np.int32) - begun.repeat(counts)
        receivers = flat[positions + firsts.repeat(counts)]
        return consumers, positions.astype(np.int16), receivers

    def applied(self, node: int) -> Operation:
        """The operation that made `node`. ValueError for a leaf."""
        operation = self.operation[node]
        if operation is None:
            raise ValueError(f"node {node} is a leaf")
        return operation

    def operation_name(self, node: int) -> str:
        """The name of the operation that made `node`; empty for a leaf."""
        operation = self.operation[node]
        return "" if operation is None else operation.name

    def dtype_of(self, node: int) -> str:
        """`float64`, `float32`, `int64` or `bool`."""
        return dtype_of(self.value[node])

    @property
    def operations(self) -> tuple[Operation, ...]:
        """The operations at work, each once."""
        found = {id(operation): operation for operation in self.operation if operation is not None}
        return tuple(found.values())

    def place(self, node: int) -> Place | None:
        """The text that made `node`; None where it is not known."""
        span = self.span[node]
        return None if span is None or self.source is None else Place(self.source, span)

    def groups(self, node: int) -> tuple[Group, ...]:
        """The iterations of loops that `node` was made in, the outermost first."""
        return tuple(Group(GroupKind.ITERATION, name) for name in self.iterations.of(node))

    def is_cut_off(self, node: int) -> bool:
        """Whether no gradient goes from a computed node to operands that do require one.

        So it is with `detach()`, inside of `with no_grad:`, and for comparisons.
        """
        is_end = not self.requires_grad[node] or node in self.made_leaves
        return is_end and any(self.requires_grad[operand] for operand in self.operands[node])

    def cut_behind(self, node: int) -> int | None:
        """The last node that is cut off, among those that `node` is computed from and itself."""
        seen, pending = {node}, [node]
        found = [node] if self.is_cut_off(node) else []
        while pending:
            for operand in self.operands[pending.pop()]:
                if operand not in seen:
                    seen.add(operand)
                    pending.append(operand)
                    if self.is_cut_off(operand):
                        found.append(operand)
        return max(found, default=None)

    def grad_fn(self, node: int) -> str:
        """The name torch gives the node's `grad_fn`; empty where that is None."""
        while self.requires_grad[node] and node not in self.made_leaves:
            operation = self.operation[node]
            if operation is None:
                break
            name = operation.grad_fn_of(self._application(node))
            if name:
                return name
            node = self.operands[node][0]  # handed through: `flatten` of a vector is the vector
        return ""

    def hands_through(self, node: int) -> bool:
        """Whether a computed node is its first operand itself, as `flatten` of a vector is."""
        operation = self.operation[node]
        if operation is None or operation.sharing in (Sharing.NEVER, Sharing.ALWAYS):
            return False
        return not operation.grad_fn_of(self._application(node))

    def _application(self, node: int) -> Application:
        operands = self.operands[node]
        values = tuple(self.value[operand] for operand in operands)
        return Application(
            shapes=tuple(shape_of(value) for value in values),
            numbers=tuple(bool(self.is_number[operand]) for operand in operands),
            contiguous=tuple(
                not isinstance(value, np.ndarray) or value.flags.c_contiguous for value in values
            ),
            attributes=self.attributes_of(node),
            values=values,
            requires_grad=tuple(bool(self.requires_grad[operand]) for operand in operands),
        )


def counts(dtypes: Iterable[str]) -> bool:
    """Whether Python's whole numbers beside operands of these dtypes stay whole, as in torch.

    They do beside whole numbers, and beside truth values alone: `i + 1`, `2 * mask`, and
    `where(mask, 1, 0)`.
    """
    among = set(dtypes)
    return "int64" in among or among == {"bool"}


class RecomputingError(Exception):
    """The operation of `node` cannot take the values that reach it now; `error` says why."""

    def __init__(self, node: int, error: OperandError) -> None:
        super().__init__(str(error))
        self.node = node
        self.error = error


def called(
    function: Callable[..., Any],
    operation: Operation,
    values: list[Value],
    attributes: Mapping[str, Any],
) -> Any:
    """What a function of `operation` gives; OperandError where it cannot take the values.

    Sizes are checked first.
    """
    if (operation.elementwise or operation.broadcasts) and np.ndarray in map(type, values):
        check_broadcast(*map(shape_of, values))
    return _evaluated(function, operation, values, attributes)


def _evaluated(
    function: Callable[..., Any],
    operation: Operation,
    values: list[Value],
    attributes: Mapping[str, Any],
) -> Any:
    try:
        return evaluate(function, values, attributes)
    except OperandError:
        raise
    except MemoryError:
        raise LimitError(f"there is not enough memory left for `{operation.name}`") from None
    except (ValueError, IndexError, TypeError, ArithmeticError) as error:
        raise _refused(operation, values, attributes, error) from error


def _refused(
    operation: Operation, values: list[Value], attributes: Mapping[str, Any], error: Exception
) -> OperandError:
    """numpy's refusal in words that name the operation, the shapes and the attributes."""
    shapes = " and ".join(str(shape_of(value)) for value in values)
    if isinstance(error, TypeError) and "bool" in map(dtype_of, values):
        dtypes = " and ".join(dtype_of(value) for value in values)
        return OperandError(
            f"`{operation.symbol or operation.name}` is not defined for {dtypes}",
            "make numbers of truth values: `m.float()`",
        )
    if operation.elementwise and len(values) > 1:
        return OperandError(
            f"`{operation.symbol or operation.name}` cannot broadcast shapes {shapes}",
            "compared from the last axis on, sizes must be equal, or one of them 1",
        )
    given = ", ".join(f"{name}={value}" for name, value in attributes.items())
    said = _in_torch_words(error) or (given and f"not with {given}")
    why = f": {said}" if said else ""
    return OperandError(f"`{operation.name}` cannot take shape {shapes}{why}")


def _in_torch_words(error: Exception) -> str:
    """What torch says where numpy has raised `error`; empty where only numpy would say it so."""
    if isinstance(error, np.exceptions.AxisError) and error.axis is not None:
        count = max(error.ndim or 0, 1)
        return (
            f"Dimension out of range (expected to be in range of [{-count}, {count - 1}], "
            f"but got {error.axis})"
        )
    if str(error).startswith("repeated axis"):
        return "a dim appears multiple times in the list of dims"
    if isinstance(error, IndexError) and "is out of bounds for axis" in str(error):
        return str(error).replace("for axis", "for dimension")
    return ""
