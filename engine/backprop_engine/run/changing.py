"""Changes in place, of tensors and of Python's lists, and what names mean after them."""

from __future__ import annotations

from typing import Final

from backprop_engine.basics.source import ProblemError, Span
from backprop_engine.basics.values import shape_of
from backprop_engine.catalogue import BINARY, INDEX_PUT, OPERATIONS
from backprop_engine.catalogue.subscripts import is_everything
from backprop_engine.program.many_values import Bundle, not_one_value, position_of
from backprop_engine.program.python_functions import PythonFunctions
from backprop_engine.program.scenario import Scenario
from backprop_engine.run.environment import Result
from backprop_engine.run.stack import Apply

_ADD: Final = BINARY["+"]


class Changing(PythonFunctions):
    """An environment whose tensors and lists change; `assigned` has what `compute` assigns."""

    def __init__(self, scenario: Scenario) -> None:
        super().__init__(scenario)
        self.assigned: dict[str, int] = {}

    def _apply_in_place(self, task: Apply, results: list[Result]) -> Result:
        """Change the first operand itself, if it is a tensor or a list of Python's."""
        operation, operands, attributes, _, writes_back = task.call
        first = results[-len(operands)]
        if isinstance(first, Bundle):
            return self._change_list(first, task, self._parts(results, operands)[1])
        nodes = self._operands(results, operands)
        if nodes[0] in self._tuples:
            raise ProblemError(
                f"`{self._text(operands[0].span)}` is a list of Python's numbers, and what changes "
                "it in place is another thing than for a tensor",
                task.span,
                fix="write `torch.tensor([…])` for a tensor, or make a new list with a new name",
            )
        if writes_back and self.sharers.base(nodes[0]) == self.sharers.base(nodes[1]):
            return nodes[0]  # what is written back is there already
        if operation is INDEX_PUT:
            shape = shape_of(self.graph.value[nodes[0]])
            if is_everything(attributes["items"], shape):  # to torch that is `y.copy_(v)`
                operation, attributes = OPERATIONS["copy"], {}
        since = len(self.graph)
        made = self.applied(operation, nodes, attributes, task.span)
        if not self.graph.is_number[nodes[0]]:
            self._change(nodes[0], made, since, task.span)
        return made

    def _change_list(self, bundle: Bundle, task: Apply, value: Result) -> Result:
        """`hs += [h]` and `hs[0] = h`."""
        operation, operands, attributes, _, _ = task.call
        text, span = self._text(operands[0].span), task.span
        if operation is INDEX_PUT and not bundle.is_tuple:
            (index, *more) = attributes["items"]
            bundle.items[position_of(bundle, tuple(more) or index, text, span)] = value
            return bundle
        if operation is not _ADD:
            raise not_one_value(bundle, text, span)
        items, _ = self.items(value, operands[1])
        if bundle.is_tuple:
            return Bundle([*bundle.items, *items], is_tuple=True)
        bundle.items.extend(items)
        return bundle

    def _settle_names(self) -> None:
        """Let every name mean what its tensor holds in the end."""
        for name in [name for name in self._seen if name in self.names]:
            try:
                last = self.current_node(self.names[name], Span(0, 0))
            except ProblemError:  # torch refuses to look at such a view, too
                self.assigned.pop(name, None)
                continue
            is_bound_anew = self.graph.inputs.get(name, last) != last  # by a loop
            if last != self.names[name] or name in self.assigned or is_bound_anew:
                self.names[name] = self.assigned[name] = last
