"""Changes in place, of tensors and of Python's lists, and what names mean after them."""

from __future__ import annotations

from collections import defaultdict
from typing import Final

from backprop_engine.basics.source import ProblemError, Span
from backprop_engine.catalogue import BINARY, INDEX_PUT
from backprop_engine.program.many_values import Bundle, not_one_value, position_of
from backprop_engine.program.python_functions import PythonFunctions
from backprop_engine.program.scenario import Backward, Retain, Scenario
from backprop_engine.run.environment import Moment, Result
from backprop_engine.run.stack import Apply

_ADD: Final = BINARY["+"]


class Changing(PythonFunctions):
    """An environment whose tensors and lists change; `assigned` has what `compute` assigns."""

    def __init__(self, scenario: Scenario) -> None:
        super().__init__(scenario)
        self.assigned: dict[str, int] = {}
        self._called: dict[int, list[tuple[int, Backward]]] = defaultdict(list)
        """The passes that the program calls, with their numbers, by the statements above them."""
        for number, one in enumerate(scenario.passes):
            if isinstance(one, Backward) and one.after is not None:
                self._called[one.after].append((number, one))

    def _note_passes(self, done: int) -> None:
        """What the passes start from that stand below so many statements."""
        for number, one in self._called.get(done, ()):
            output = self._current(self.node(one.output, one.span), one.span)
            given = one.gradient_name
            vector = self._current(self.node(given, one.span), one.span) if given else None
            self.moments[number] = Moment(output, vector, len(self.graph))

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
        since = len(self.graph)
        made = self._applied(operation, nodes, attributes, task.span)
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
        items, _ = self._items(value, operands[1])
        if bundle.is_tuple:
            return Bundle([*bundle.items, *items], is_tuple=True)
        bundle.items.extend(items)
        return bundle

    def _settle_names(self) -> None:
        """Let every name mean what its tensor holds in the end."""
        for one in self.scenario.retained:
            self.owners[one.name] = self._retaining(one)
        for name in [one for one in self._seen if one in self.names]:
            try:
                last = self._current(self.names[name], Span(0, 0))
            except ProblemError:  # torch refuses to look at such a view, too
                self.assigned.pop(name, None)
                continue
            if last != self.names[name] or name in self.assigned:
                self.names[name] = self.assigned[name] = last

    def _retaining(self, one: Retain) -> int:
        """The node whose `.grad` is kept: torch keeps that of the last value of a tensor."""
        node = self.node(one.name, one.span)
        first = min((moment.stop for moment in self.moments.values()), default=len(self.graph))
        changed = self.sharers.changed_between(node, first, len(self.graph))
        if changed is not None:
            raise ProblemError(
                f"`{one.name}` is changed in place after a backward pass, and what its `.grad` is "
                "then cannot be told here",
                self.graph.span[changed] or one.span,
                fix="give the changed value a name of its own",
            )
        return self._current(node, one.span)
