"""Operations applied to what their operands have come to, and what they change in place."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from backprop_engine.basics.source import OperandError, ProblemError, Span
from backprop_engine.basics.values import is_float, shape_of
from backprop_engine.catalogue import BINARY, INDEX, INDEX_PUT, OPERATIONS
from backprop_engine.catalogue.subscripts import FROM_OPERAND, is_everything
from backprop_engine.fast import of_one, of_two
from backprop_engine.grammar.syntax import Expression
from backprop_engine.graph import NO_ATTRIBUTES
from backprop_engine.operation import Operation, Sharing
from backprop_engine.program.many_values import Bundle, Counting, Group, not_one_value, position_of
from backprop_engine.run.known_numbers import Numbers
from backprop_engine.run.open_picks import open_pick
from backprop_engine.run.scope import Result, Scope
from backprop_engine.run.several_values import Values
from backprop_engine.run.tasks import Apply

_ADD: Final = BINARY["+"]
FLOAT: Final = OPERATIONS["float"]
_OF_TENSORS: Final = frozenset(operation.name for operation in BINARY.values())


class Applying:
    """What makes nodes of nodes."""

    def __init__(self, scope: Scope, numbers: Numbers, values: Values) -> None:
        self._scope = scope
        self._numbers = numbers
        self._values = values
        dtype, default = scope.scenario.dtype, scope.scenario.default_dtype
        self._may_promote = default not in (None, dtype)
        """Whether torch makes floats of whole numbers in another dtype than the others have."""
        self._ones: dict[int, Callable[[int], int]] = {}
        self._twos: dict[int, Callable[[int, int], int]] = {}
        """How operations are applied to one node and to two while it `is_quick`, by their ids."""

    def apply(self, task: Apply, given: list[Result]) -> Result:
        """What an operation makes of what its operands have come to."""
        operation, operands, attributes, in_place, _ = task.call
        if in_place:
            return self._apply_in_place(task, given)
        if operation is INDEX and not isinstance(given[0], int):
            return self._pick_indexed(given[0], task)
        if operation is INDEX:
            operands, attributes, given = self._listed_indices(task, given)
        if operation is _ADD:
            first, last = given
            if isinstance(first, Bundle) and isinstance(last, Bundle):
                return Bundle([*first.items, *last.items], first.is_tuple)
        nodes = self._values.operands(given, operands)
        if self._numbers.lists and operation.name in _OF_TENSORS:
            self._check_no_list(task, nodes)
        if operation.outputs is not None:
            return self._values.outputs(task.call, nodes, task.span)
        return self.applied(operation, nodes, attributes, task.span)

    def _check_no_list(self, task: Apply, nodes: tuple[int, ...]) -> None:
        """ProblemError for `x * [1, 2]`: Python joins and repeats lists, and torch takes none."""
        for node, operand in zip(nodes, task.call.operands, strict=True):
            if node in self._numbers.lists:
                raise ProblemError(
                    f"`{self._scope.text(operand.span)}` is a list of Python's, "
                    "which has no arithmetic",
                    operand.span,
                    expected="a tensor or a number",
                    fix="write `torch.tensor([…])`",
                )

    def _listed_indices(
        self, task: Apply, given: list[Result]
    ) -> tuple[tuple[Expression, ...], Mapping[str, Any], list[Result]]:
        """What `p[range(n), y]` is applied to, with the lists among the indices written out."""
        operands, attributes = task.call.operands, task.call.attributes
        if not any(isinstance(value, Counting | Bundle) for value in given):
            return operands, attributes, given
        kept, results, items = [operands[0]], given[:1], []
        indices = zip(operands[1:], given[1:], strict=True)
        for item in attributes["items"]:
            if item == FROM_OPERAND:
                operand, index = next(indices)
                if isinstance(index, Counting | Bundle):
                    item = self._index_list(index, operand)
                else:
                    kept.append(operand)
                    results.append(index)
            items.append(item)
        index = given[1]
        if len(given) == 2 and len(items) == 1 and isinstance(index, Bundle) and index.is_tuple:
            items = list(items[0])
        return tuple(kept), {"items": tuple(items)}, results

    def _index_list(self, group: Counting | Bundle, place: Expression) -> tuple[int, ...]:
        """The whole numbers of a list that is an index."""
        items, count = self._values.items(group, place)
        self._values.spend(count, place.span)
        numbers = [self._numbers.number_of(item, place.span) for item in items]
        if not all(isinstance(number, int) for number in numbers):
            raise ProblemError("an index must be a whole number", place.span)
        return tuple(int(number) for number in numbers)

    def _pick_indexed(self, group: Group, task: Apply) -> Result:
        """`parts[1]`, and `shape[1:]`."""
        receiver = task.call.operands[0]
        items = task.call.attributes["items"]
        index = items[0] if len(items) == 1 else items
        if isinstance(index, slice) and isinstance(group, Bundle):
            return Bundle(group.items[index], group.is_tuple)
        text = self._scope.text(receiver.span)
        return self._values.pick(group, position_of(group, index, text, task.span), task.span)

    # One node of nodes

    def refused(self, error: OperandError, nodes: tuple[int, ...], span: Span) -> ProblemError:
        """The error of an operation; where torch may have picked others, it is not torch's."""
        pick = open_pick(self._scope.graph, nodes)
        if pick is None:
            return ProblemError(str(error), span, fix=error.fix)
        text = self._scope.text(self._scope.graph.span[pick] or span)
        return ProblemError(
            f"whether this can be computed hangs on which of equal elements `{text}` picks, and "
            "torch may pick others",
            span,
            fix="make the elements different before they are put in order",
        )

    @property
    def is_quick(self) -> bool:
        """Whether an operation that makes one node of nodes makes it, and nothing else is to do."""
        is_usual = self._scope.graph.is_recording and not self._may_promote
        return is_usual and not self._scope.sharers.changes and not self._numbers.lists

    def quickly(
        self,
        operation: Operation,
        a: int,
        b: int | None,
        attributes: Mapping[str, Any],
        span: Span,
    ) -> int:
        """The same as `applied` to one node or two while it `is_quick`."""
        graph = self._scope.graph
        try:
            if attributes is not NO_ATTRIBUTES:
                nodes = (a,) if b is None else (a, b)
                node = graph.apply_to_any(operation, nodes, attributes)
            elif b is None:
                node = self._to_one(operation)(a)
            else:
                node = self._to_two(operation)(a, b)
        except OperandError as error:
            raise self.refused(error, (a,) if b is None else (a, b), span) from None
        graph.tell_span(span)
        if graph.kind[node].is_number:
            self._numbers.note_whole(node)
        return node

    def each_quickly(
        self, operation: Operation, pairs: Sequence[tuple[int, int]], span: Span
    ) -> list[int]:
        """The same for one pair of nodes after the other, without attributes."""
        graph, append = self._scope.graph, self._to_two(operation)
        before, kinds = len(graph.value), graph.kind
        try:
            made = [append(a, b) for a, b in pairs]
        except OperandError as error:
            raise self.refused(error, pairs[len(graph) - before], span) from None
        graph.tell_spans(span, before)
        for node in made:
            if kinds[node].is_number:
                self._numbers.note_whole(node)
        return made

    def add_up_quickly(self, total: int, terms: Iterable[int], span: Span) -> int:
        """The same for a sum: one node after the other is added to a total."""
        graph, append = self._scope.graph, self._to_two(_ADD)
        before, kinds = len(graph.value), graph.kind
        for term in terms:
            try:
                total = append(total, term)
            except OperandError as error:
                raise self.refused(error, (total, term), span) from None
            if kinds[total].is_number:
                self._numbers.note_whole(total)
        graph.tell_spans(span, before)
        return total

    def _to_one(self, operation: Operation) -> Callable[[int], int]:
        append = self._ones.get(id(operation))
        if append is None:
            append = self._ones[id(operation)] = of_one(self._scope.graph, operation)
        return append

    def _to_two(self, operation: Operation) -> Callable[[int, int], int]:
        append = self._twos.get(id(operation))
        if append is None:
            append = self._twos[id(operation)] = of_two(self._scope.graph, operation)
        return append

    def applied(
        self,
        operation: Operation,
        nodes: tuple[int, ...],
        attributes: Mapping[str, Any],
        span: Span,
    ) -> int:
        """The node of an operation on `nodes`; ProblemError where it cannot take them."""
        if operation is FLOAT and is_float(self._scope.graph.value[nodes[0]]):
            return nodes[0]  # as in torch: what has the dtype already is the same tensor
        graph = self._scope.graph
        try:
            node = graph.apply(operation, nodes, attributes, span)
        except OperandError as error:
            raise self.refused(error, nodes, span) from None
        if not graph.is_recording and operation.sharing is not Sharing.NEVER:
            if graph.hands_through(node):
                return nodes[0]
            if operation.differentiable:
                self._scope.sharers.note_no_grad(node)
        if graph.kind[node].is_number:
            self._numbers.note_whole(node)
        elif self._may_promote:
            self._check_promotion(node, span)
        return node

    def _check_promotion(self, node: int, span: Span) -> None:
        """Refuse floats that torch makes of whole numbers in another dtype than the others have."""
        graph, dtype = self._scope.graph, self._scope.scenario.default_dtype
        if graph.operation[node] is FLOAT:
            return
        operands = graph.operands[node]
        if is_float(graph.value[node]) and not any(
            is_float(graph.value[operand]) and not graph.is_number[operand] for operand in operands
        ):
            raise ProblemError(
                f"torch computes this in {dtype}, its default, and all other floats here have "
                f"{graph.dtype}",
                span,
                f"floats in {graph.dtype}",
                f"begin with `torch.set_default_dtype(torch.{graph.dtype})`",
            )

    # In place

    def _apply_in_place(self, task: Apply, given: list[Result]) -> Result:
        """Change the first operand itself, if it is a tensor or a list of Python's."""
        operation, operands, attributes, _, writes_back = task.call
        if isinstance(given[0], Bundle):
            return self._change_list(given[0], task, self._values.parts(given, operands)[1])
        nodes = self._values.operands(given, operands)
        if nodes[0] in self._numbers.tuples:
            raise ProblemError(
                f"`{self._scope.text(operands[0].span)}` is a list of Python's numbers, and what "
                "changes it in place is another thing than for a tensor",
                task.span,
                fix="write `torch.tensor([…])` for a tensor, or make a new list with a new name",
            )
        if writes_back and self._scope.sharers.base(nodes[0]) == self._scope.sharers.base(nodes[1]):
            return nodes[0]  # what is written back is there already
        if operation is INDEX_PUT:
            shape, written = (shape_of(self._scope.graph.value[node]) for node in nodes[:2])
            is_filled = shape and not written
            if is_everything(attributes["items"], shape) and not is_filled:  # `y.copy_(v)` to torch
                operation, attributes = OPERATIONS["copy"], {}
        since = len(self._scope.graph)
        made = self.applied(operation, nodes, attributes, task.span)
        if self._scope.graph.is_number[nodes[0]]:
            return made
        return self._change(nodes[0], made, since, task.span)

    def _change_list(self, bundle: Bundle, task: Apply, value: Result) -> Result:
        """`hs += [h]` and `hs[0] = h`."""
        operation, operands, attributes, _, _ = task.call
        text, span = self._scope.text(operands[0].span), task.span
        if operation is INDEX_PUT and not bundle.is_tuple:
            (index, *more) = attributes["items"]
            bundle.items[position_of(bundle, tuple(more) or index, text, span)] = value
            return bundle
        if operation is not _ADD:
            raise not_one_value(bundle, text, span)
        items, _ = self._values.items(value, operands[1])
        if bundle.is_tuple:
            return Bundle([*bundle.items, *items], is_tuple=True)
        bundle.items.extend(items)
        return bundle

    def _change(self, target: int, made: int, since: int, span: Span) -> int:
        """Let the tensor of `target` have the value of node `made`; see `Sharers.change`."""
        graph = self._scope.graph
        if graph.hands_through(made):  # such as a dropout of nothing
            return made
        try:
            made = self._scope.sharers.change(target, made, since)
        except OperandError as error:
            raise ProblemError(str(error), span, fix=error.fix) from None
        self._name_base(target, made)
        return made

    def _name_base(self, target: int, made: int) -> None:
        """Let the base of a view that has changed be known by another version of its name."""
        graph, base = self._scope.graph, self._scope.sharers.base(target)
        name, _, version = graph.names.get(base, "").partition("@")
        new = len(graph) - 1
        if name and not version and new != made and not self._scope.all_names.has_versions(name):
            graph.names.setdefault(new, f"{name}@{len(self._scope.sharers.changes[base]) + 1}")
