"""The computation graph: a tape in columns, appended to as values are computed.

A node is a row. Operands always stand before their consumers, so the order of rows is a
topological order and its reverse is the order of the backward pass.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import repeat
from typing import Any

import numpy as np

from backprop_engine.basics.choice import Choice
from backprop_engine.basics.limits import MAX_OPERANDS
from backprop_engine.basics.memory_order import by_rows, is_open, lies_by_rows
from backprop_engine.basics.source import OperandError, Place, Source, Span
from backprop_engine.basics.values import (
    Dtype,
    Value,
    dtype_of,
    is_float,
    seen_in,
    settle,
    shape_of,
    wrapped,
)
from backprop_engine.budget import Budget, LimitError
from backprop_engine.columns import NO_OPERAND, Columns
from backprop_engine.fast import of_one, of_two
from backprop_engine.forward import called, check_held, counts, evaluated
from backprop_engine.loop_labels import Iterations
from backprop_engine.node_kinds import CONSTANT, NO_FLOAT, NUMBER, VARIABLE, NodeKind
from backprop_engine.operation import Application, Operation, Sharing
from backprop_engine.trace.nodes import Group, GroupKind

NO_ATTRIBUTES: Mapping[str, Any] = {}


class Graph(Columns):
    """A tape that grows as values are computed, and what is asked of its nodes."""

    def __init__(self, dtype: Dtype = "float64", source: Source | None = None) -> None:
        super().__init__()
        self.dtype = dtype
        self.source = source
        """The text that the spans are places in."""
        self.attributes: dict[int, Mapping[str, Any]] = {}
        self.made_leaves: set[int] = set()
        """Computed nodes that `requires_grad_()` has made leaves: they have a `.grad`, and nothing
        goes back from them."""
        self.retained: set[int] = set()
        """Computed nodes whose `.grad` is kept (`retain_grad`)."""
        self.whole: set[int] = set()
        """The Python numbers that are whole: with a tensor of whole numbers they stay so."""
        self.same: dict[int, int] = {}
        """Nodes of tensors that hold other numbers, and to gradients are what they were: that."""
        self.choices: dict[Choice, int] = {}
        """Where Python chose one of several nodes by their values, and which."""
        self.is_recording = True
        """Whether what is computed next may require grad: not so inside of `with no_grad:`."""
        self.open_order: set[int] = set()
        """Nodes of which it is not told how their elements lie in memory."""
        self.budget = Budget()
        """What the values have taken of the memory and the time that they may take."""
        self._literal = NodeKind(None, False, True, NUMBER if dtype == "float64" else NO_FLOAT)
        self._kinds: dict[tuple[int, bool, bool, int], NodeKind] = {}
        """Those in use, but for the ones in the tables of operations on numbers."""
        self.inputs: dict[str, int] = {}
        self.names: dict[int, str] = {}
        """What the scenario calls a node; a name assigned twice is `h@1`, `h@2`."""
        self.iterations = Iterations()
        """Where loops have made nodes, the iterations by node."""

    def add_input(
        self, name: str, value: Value, *, requires_grad: bool, span: Span | None = None
    ) -> int:
        """Append a named leaf."""
        self.budget.take_values((value,))
        node = self._append(None, (), value, requires_grad, False)
        if span is not None:
            self.tell_span(span)
        self.inputs[name] = node
        self.names[node] = name
        return node

    def add_constant(
        self, value: Value, span: Span | None = None, *, is_tensor: bool = False
    ) -> int:
        """Append a literal: a leaf that never requires grad; `is_tensor` even if it is a scalar."""
        if type(value) is float and not is_tensor:
            node = len(self.value)
            self.kind.append(self._literal)
            self.first.append(NO_OPERAND)
            self.second.append(NO_OPERAND)
            self.value.append(value)
        else:
            self.budget.take_values((value,))
            is_number = not is_tensor and not isinstance(value, np.ndarray)
            node = self._append(None, (), value, False, is_number)
        if span is not None:
            self.tell_span(span)
        return node

    def apply(
        self,
        operation: Operation,
        operands: tuple[int, ...],
        attributes: Mapping[str, Any] = NO_ATTRIBUTES,
        span: Span | None = None,
    ) -> int:
        """Append the output of `operation`; OperandError where it cannot take the operands."""
        if attributes is NO_ATTRIBUTES and len(operands) == 2:
            node = of_two(self, operation)(*operands)
        elif attributes is NO_ATTRIBUTES and len(operands) == 1:
            node = of_one(self, operation)(*operands)
        else:
            node = self.apply_to_any(operation, operands, attributes)
        if span is not None:
            self.tell_span(span)
        return node

    def apply_to_any(
        self,
        operation: Operation,
        operands: tuple[int, ...],
        attributes: Mapping[str, Any] = NO_ATTRIBUTES,
    ) -> int:
        """The same for whatever is not the commonest case, one or two floats."""
        if operation.form_for is not None:
            form = operation.form_for(tuple(self.kind[operand].is_number for operand in operands))
            return self.apply(form, operands, attributes)
        if len(operands) > MAX_OPERANDS:
            raise LimitError(
                f"`{operation.name}` takes {MAX_OPERANDS:,} values at most, not {len(operands):,}"
            )
        kinds = [self.kind[operand] for operand in operands]
        is_number = _makes_number(operation, kinds)
        if self.dtype == "float32" and not is_number:
            written = {at: self.value[of] for at, of in enumerate(operands) if kinds[at].is_number}
            check_held(operation, written, attributes)
        dtype: Dtype = "float64" if is_number else self.dtype
        made = self.compute(self.value, operation, operands, attributes, dtype)
        derivable = len(operation.derivatives)
        has_model = len(operands) > derivable and not operation.variadic
        requires_grad = (
            self.is_recording
            and operation.differentiable
            and any(
                kind.requires_grad_in_torch for kind in kinds[: derivable if has_model else None]
            )
            and is_float(made)
        )
        if len(operands) > derivable:
            self._check_constants(operation, operands)
        node = self._append(operation, operands, made, requires_grad, is_number)
        if attributes:
            self.attributes[node] = attributes
        if operation.lay_out is not by_rows and (
            not self.open_order.isdisjoint(operands)
            or is_open(operation.lay_out, map(self.value.__getitem__, operands))
        ):
            self.open_order.add(node)
        if has_model:
            self.reach[node] = derivable
        if requires_grad and kinds[0].is_loose and self.hands_through(node):
            self.let_loose(node)
        return node

    def compute(
        self,
        values: list[Value],
        operation: Operation,
        operands: tuple[int, ...],
        attributes: Mapping[str, Any],
        dtype: Dtype,
    ) -> Value:
        """What `operation` makes of the operands by these values; OperandError, LimitError."""
        given = [values[operand] for operand in operands]
        if not self.whole.isdisjoint(operands):
            are_whole = [operand in self.whole for operand in operands]
            others = [operand for operand, whole in zip(given, are_whole, strict=True) if not whole]
            if counts(map(dtype_of, others)):
                given = [
                    int(value) if whole and float(value).is_integer() else value
                    for value, whole in zip(given, are_whole, strict=True)
                ]
        given = seen_in(dtype, given)
        if not attributes and np.ndarray not in map(type, given):
            result = settle(evaluated(operation.forward, operation, given, attributes), dtype)
            is_whole = type(result) is int and not _makes_number(
                operation, [self.kind[operand] for operand in operands]
            )
            return wrapped(result) if is_whole else result
        self.budget.check_time()
        made = settle(called(operation.forward, operation, given, attributes), dtype)
        if type(made) is np.ndarray:
            self.budget.take(made.nbytes)
            if made.ndim > 1:
                made = operation.lay_out(made, given, attributes)
        return made

    def make_leaf(self, node: int) -> None:
        """Let a node that requires no grad, and that nothing is computed from, require grad."""
        before = self.kind[node]
        sort = VARIABLE if before.sort else NO_FLOAT
        self.kind[node] = NodeKind(before.operation, True, False, sort)
        if before.operation is not None:
            self.made_leaves.add(node)
            self.reach[node] = 0

    def let_loose(self, node: int) -> None:
        """Let what is computed from a view that was made inside of `no_grad` require grad."""
        before = self.kind[node]
        self.kind[node] = NodeKind(before.operation, False, False, is_loose=True)

    def float_dtype(self, node: int) -> Dtype:
        """The dtype that `node` has if it is a float: Python's own numbers are float64."""
        return "float64" if self.kind[node].is_number else self.dtype

    def is_leaf(self, node: int) -> bool:
        """Whether no operation stands between a node and its gradient's end, as torch has it."""
        return self.kind[node].operation is None or node in self.made_leaves

    def is_used(self, node: int) -> bool:
        """Whether anything is computed from `node`."""
        later = slice(node + 1, None)
        is_one = node in self.first[later] or node in self.second[later]
        return is_one or any(node in operands for operands in self.many.values())

    def _check_constants(self, operation: Operation, operands: tuple[int, ...]) -> None:
        """Refuse the weights of a loss where they require grad, as torch does."""
        for position, name in operation.spelling.constants.items():
            if position < len(operands) and self.requires_grad[operands[position]]:
                raise OperandError(
                    f"`{operation.name}` has no derivative by `{name}`, which requires grad",
                    "take its value alone, by `.detach()`",
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

    def _append(
        self,
        operation: Operation | None,
        operands: tuple[int, ...],
        value: Value,
        requires_grad: bool,
        is_number: bool,
    ) -> int:
        sort = NO_FLOAT
        if type(value) is float and self.dtype == "float64":
            sort = NUMBER if is_number else VARIABLE if requires_grad else CONSTANT
        key = (id(operation), requires_grad, is_number, sort)
        kind = self._kinds.get(key)
        if kind is None:
            kind = self._kinds[key] = NodeKind(operation, requires_grad, is_number, sort)
        node = len(self.value)
        first, second = NO_OPERAND, NO_OPERAND
        if len(operands) > 2:
            self.many[node] = operands
        elif operands:
            first, second = operands if len(operands) == 2 else (*operands, NO_OPERAND)
        self.kind.append(kind)
        self.first.append(first)
        self.second.append(second)
        self.value.append(value)
        return node

    def tell_span(self, span: Span) -> None:
        """Say where the last node stands in the source."""
        spans, node = self._spans, len(self.value) - 1
        if len(spans) < node:
            spans += repeat(None, node - len(spans))
        spans.append(span)

    def tell_spans(self, span: Span, start: int) -> None:
        """The same of all nodes from `start` on."""
        spans = self._spans
        spans += repeat(None, start - len(spans))
        spans += repeat(span, len(self.value) - start)

    def differentiated(self, node: int) -> tuple[int, ...]:
        """The operands of `node` that its operation has a derivative for: the first ones."""
        operands: tuple[int, ...] = self.operands[node]
        return operands[: self.reach.get(node)]

    def attributes_of(self, node: int) -> Mapping[str, Any]:
        """The attributes of the operation that made `node` (`dim`, a shape, an index)."""
        return self.attributes.get(node, NO_ATTRIBUTES)

    @property
    def keeping_grad(self) -> tuple[int, ...]:
        """The nodes that have a `.grad`: inputs that require grad, then what is retained."""
        leaves = [node for node in self.inputs.values() if self.kind[node].requires_grad]
        return (*leaves, *sorted(self.retained))

    def applied(self, node: int) -> Operation:
        """The operation that made `node`. ValueError for a leaf."""
        operation = self.operation[node]
        if operation is None:
            raise ValueError(f"node {node} is a leaf")
        return operation

    def operation_name(self, node: int) -> str:
        """The name of the operation that made `node`; empty for a leaf."""
        operation = self.kind[node].operation
        return "" if operation is None else operation.name

    def dtype_of(self, node: int) -> str:
        """`float64`, `float32`, `int64` or `bool`."""
        return dtype_of(self.value[node])

    @property
    def operations(self) -> tuple[Operation, ...]:
        """The operations at work, each once."""
        operations = (kind.operation for kind in dict.fromkeys(self.kind))
        return tuple({id(each): each for each in operations if each is not None}.values())

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
        is_end = not self.kind[node].requires_grad or node in self.made_leaves
        operands = self.operands[node]
        return is_end and any(self.kind[operand].requires_grad_in_torch for operand in operands)

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
        while self.kind[node].requires_grad and node not in self.made_leaves:
            operation = self.kind[node].operation
            if operation is None:
                break
            name = operation.twins.grad_fn_of(self._application(node))
            if name:
                return name
            node = self.operands[node][0]  # handed through: `flatten` of a vector is the vector
        return ""

    def hands_through(self, node: int) -> bool:
        """Whether a computed node is its first operand itself, as `flatten` of a vector is."""
        operation = self.kind[node].operation
        if operation is None or operation.sharing in (Sharing.NEVER, Sharing.ALWAYS):
            return False
        return not operation.twins.grad_fn_of(self._application(node))

    def _application(self, node: int) -> Application:
        operands = self.operands[node]
        values = tuple(self.value[operand] for operand in operands)
        return Application(
            shapes=tuple(shape_of(value) for value in values),
            numbers=tuple(bool(self.kind[operand].is_number) for operand in operands),
            contiguous=tuple(map(lies_by_rows, values)),
            attributes=self.attributes_of(node),
            values=values,
            requires_grad=tuple(self.kind[operand].requires_grad_in_torch for operand in operands),
        )


def _makes_number(operation: Operation, operands: Sequence[NodeKind]) -> bool:
    return operation.gives_number or (
        operation.arithmetic and all(kind.is_number for kind in operands)
    )
