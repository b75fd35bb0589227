"""Tensors that share memory: what a change in place makes of other names, list items and views.

A node is a value and never changes. A tensor is known by the node that it was made as, and a
change in place makes a node more, its next value. A view is a tensor of its own whose elements are
some of its base's: when either changes, the base gets a new node, and every other view of it is
made anew when it is next looked at, as torch does (torch/csrc/autograd/variable.cpp, `grad_fn`).
"""

from __future__ import annotations

from bisect import bisect_left
from itertools import pairwise

import numpy as np

from backprop_engine.basics.memory_order import laid_out, strides_of
from backprop_engine.catalogue import INDEX, INDEX_PUT, OPERATIONS
from backprop_engine.catalogue.subscripts import key_of
from backprop_engine.graph import Graph
from backprop_engine.operation import Sharing
from backprop_engine.program.many_values import Outputs
from backprop_engine.run.in_place_refusals import Refusals
from backprop_engine.run.views import View, is_detaching, places_of

_COPY_SLICES = OPERATIONS["copy_slices"]
_DATA = OPERATIONS["data"]
_NEW_NUMBERS = OPERATIONS["new_numbers"]


class Sharers:
    """The tensors of a graph, as far as a change in place is seen through more than one."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._refusals = Refusals(graph, self)
        self.nodes: dict[int, int] = {}
        """For each node that is not a tensor's first one: the tensor."""
        self._latest: dict[int, int] = {}
        """Of tensors that have changed: the node of the value that they have."""
        self._views: dict[int, View | None] = {}
        """Of tensors that were asked for; None for what is not a view."""
        self.in_place: set[int] = set()
        """Nodes that a tensor's own change has made."""
        self.unrecorded: set[int] = set()
        """Views made inside of `with no_grad:`."""
        self.with_history: set[int] = set()
        """Views that have changed to what requires grad."""
        self.changes: dict[int, list[int]] = {}
        """By base, ascending: the nodes from which on its memory holds another value."""
        self._counters: dict[int, int] = {}
        """By such a node: the tensor whose count of changes in torch went up; see `_counter`."""

    def current(self, node: int) -> int:
        """The node of the value that the tensor of `node` has; OperandError in torch's words."""
        if not self.changes:
            return node
        tensor = self.tensor(node)
        view = self.view(tensor)
        if view is None:
            return self.latest(tensor)
        base = view.way[0]
        changed = self.changes.get(base)
        if changed is None:
            return self.latest(tensor)
        if self._graph.is_recording and self.requires_grad(self.history(view)[0]):
            self._refusals.check_stale(view, changed[bisect_left(changed, tensor) :])
        if self.latest(tensor) >= changed[-1]:
            return self.latest(tensor)
        for inner, outer in pairwise(view.way):
            if self.latest(outer) < changed[-1]:
                self._latest[outer] = self._made_anew(outer, self.latest(inner))
        return self._latest[tensor]

    def tensor(self, node: int) -> int:
        """The first node of the tensor that has, or had, the value of `node`."""
        found = self.nodes.get(node)
        if found is not None:
            return found
        graph, operation = self._graph, self._graph.operation[node]
        if operation is None or operation.sharing in (Sharing.NEVER, Sharing.ALWAYS):
            return node
        if graph.hands_through(node):
            found = self.nodes[node] = self.tensor(graph.operands[node][0])
            return found
        return node

    def base(self, node: int) -> int:
        """The tensor whose memory the value of `node` lies in."""
        tensor = self.tensor(node)
        view = self.view(tensor)
        return tensor if view is None else view.way[0]

    def view(self, tensor: int) -> View | None:
        """How `tensor` is a view of another one; None where it has memory of its own."""
        pending = [tensor]
        while pending:
            node = pending[-1]
            if node in self._views:
                pending.pop()
                continue
            operation = self._graph.operation[node]
            if operation is None or operation.sharing in (Sharing.NEVER, Sharing.HANDED_THROUGH):
                self._views[node] = None
                continue
            inner = self.tensor(self._graph.operands[node][0])
            if inner in self._views:
                self._views[node] = self._view_of(node, inner)
            else:
                pending.append(inner)
        return self._views[tensor]

    def _view_of(self, tensor: int, inner: int) -> View | None:
        graph, before = self._graph, self._views[inner]
        operation = graph.applied(tensor)
        at = places_of(graph.value[inner]) if before is None else before.at
        others = [graph.value[operand] for operand in graph.operands[tensor][1:]]
        given = at if at.ndim else at[()]
        attributes = graph.attributes_of(tensor)
        if operation is INDEX and key_of(given, tuple(others), attributes["items"]).picks:
            return None
        seen = np.asarray(operation.forward(given, *others, **attributes))
        is_scalar, is_empty = not (at.ndim and seen.ndim), not seen.size
        is_read_in_place = is_scalar or is_empty or np.may_share_memory(seen, at)
        if operation.sharing is Sharing.WHERE_POSSIBLE and not is_read_in_place:
            return None
        way = (inner,) if before is None else before.way
        return View((*way, tensor), seen)

    def note_no_grad(self, node: int) -> None:
        """Remember that `node` was made inside of `with no_grad:`."""
        self.unrecorded.add(node)
        if self._graph.is_cut_off(node) and self.view(node) is not None:
            self._graph.let_loose(node)

    def change(self, target: int, made: int, since: int) -> int:
        """Let the tensor of `target` have the value of node `made`, which was computed from it, and
        give the node of that.

        `since` is the first node that was made of the change. OperandError where torch refuses it,
        in its words, or where what it does cannot be told.
        """
        tensor = self.tensor(target)
        before = self.current(tensor)
        view = self.view(tensor)
        self._refusals.check(tensor, before, made, view)
        self.in_place.add(made)
        made = self._with_history_of(before, made)
        self.nodes[made] = tensor
        self._let_lie(made, before)
        base = tensor
        if view is None:
            self._latest[tensor] = made
        else:
            if self._graph.requires_grad[made] and not self._refusals.is_of_new_view(made):
                self.with_history.add(tensor)
            base = view.way[0]
            old = self.latest(base)
            new = self._written(old, made, view)
            new = self._with_history_of(old, new)
            self.nodes[new] = base
            self._latest[base] = new
            self._let_lie(new, old)
        self.changes.setdefault(base, []).append(since)
        self._counters[since] = self._counter(tensor)
        return made

    def _counter(self, tensor: int) -> int:
        """The tensor with whom `tensor` shares torch's count of changes: its base, unless `x.data`
        lies between, which has a count of its own.
        """
        view = self.view(tensor)
        way = (tensor,) if view is None else view.way
        apart = [node for node in way[1:] if self._graph.operation[node] is _DATA]
        return apart[-1] if apart else way[0]

    def is_noticed(self, node: int, changed: int) -> bool:
        """Whether torch knows, of the value of `node`, that the node `changed` has changed it."""
        return self._counters[changed] == self._counter(self.tensor(node))

    def _with_history_of(self, before: int, made: int) -> int:
        """The node of numbers without history in a tensor that has one; else `made` itself."""
        graph = self._graph
        if graph.requires_grad[made] or not graph.requires_grad[before]:
            return made
        is_recording, graph.is_recording = graph.is_recording, True
        try:
            node = graph.apply(_NEW_NUMBERS, (before, made), span=graph.span[made])
        finally:
            graph.is_recording = is_recording
        graph.same[node] = graph.same.get(before, before)
        return node

    def _let_lie(self, made: int, before: int) -> None:
        """What was changed in place lies in memory as it did before."""
        values = self._graph.value
        value, old = values[made], values[before]
        if isinstance(value, np.ndarray) and isinstance(old, np.ndarray):
            values[made] = laid_out(value, strides_of(old))

    def _written(self, base: int, made: int, view: View) -> int:
        """The node of the base with the changed view in it."""
        graph, outer = self._graph, view.way[-1]
        span = graph.span[made]
        is_index = graph.operation[outer] is INDEX and len(graph.operands[outer]) == 1
        is_recording = graph.is_recording
        graph.is_recording = is_recording and not self.is_detached(view)
        try:
            if is_index and len(view.way) == 2:
                return graph.apply(INDEX_PUT, (base, made), graph.attributes_of(outer), span)
            return graph.apply(_COPY_SLICES, (base, made), {"at": view.at}, span)
        finally:
            graph.is_recording = is_recording

    def is_detached(self, view: View) -> bool:
        """Whether a view has left the history of its base behind."""
        return len(self.history(view)) < len(view.way)

    def history(self, view: View) -> tuple[int, ...]:
        """The end of its way that autograd knows of: from the last one that is detached on."""
        at = max(
            (at for at, node in enumerate(view.way) if is_detaching(self._graph, node)), default=0
        )
        return view.way[at:]

    def latest(self, tensor: int) -> int:
        """The node of the value that a tensor was last known to have."""
        return self._latest.get(tensor, tensor)

    def requires_grad(self, tensor: int) -> bool:
        """Whether what a tensor holds now requires grad."""
        return bool(self._graph.requires_grad[self.latest(tensor)])

    def _made_anew(self, view: int, inner: int) -> int:
        """The node of a view's value after its base has changed."""
        graph, operation = self._graph, self._graph.applied(view)
        operands = (inner, *graph.operands[view][1:])
        is_recording, graph.is_recording = graph.is_recording, view not in self.unrecorded
        try:
            made = graph.apply(operation, operands, graph.attributes_of(view), graph.span[view])
        finally:
            graph.is_recording = is_recording
        if graph.kind[view].is_loose:
            graph.let_loose(made)
        if view in graph.made_leaves:
            made = self._with_history_of(self.latest(view), made)
        self.nodes[made] = view
        return made

    def histories(self) -> dict[int, tuple[int, ...]]:
        """By the node of the value that a tensor has in the end: those of the values before it."""
        nodes: dict[int, list[int]] = {}
        for node, tensor in self.nodes.items():
            nodes.setdefault(tensor, [tensor]).append(node)
        return {max(made): tuple(sorted(made)[:-1]) for made in nodes.values()}

    def changed_between(self, node: int, start: int, stop: int) -> int | None:
        """Where the memory of `node` was changed by a node from `start` up to `stop`; else None."""
        changed = self.changes.get(self.base(node), ())
        at = bisect_left(changed, start)
        return changed[at] if at < len(changed) and changed[at] < stop else None


def shares_outputs(group: Outputs) -> bool:
    """Whether the outputs are views, which torch makes all at once."""
    return group.operation.sharing is not Sharing.NEVER
