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

from backprop_engine.basics.memory_order import laid_out, left_open, strides_of
from backprop_engine.basics.source import OperandError
from backprop_engine.catalogue import INDEX, INDEX_PUT, OPERATIONS
from backprop_engine.catalogue.saved import saved
from backprop_engine.catalogue.subscripts import key_of
from backprop_engine.graph import Graph
from backprop_engine.operation import Sharing
from backprop_engine.program.many_values import Outputs
from backprop_engine.run.fitting import check_fits
from backprop_engine.run.views import View, is_detaching, places_of

_COPY_SLICES = OPERATIONS["copy_slices"]
_NO_GRAD = (
    "Given that this use case is ambiguous and error-prone, it is forbidden. You can clarify your "
    "code by moving both the view and the inplace either both inside the no_grad block (if you "
    "don't want the inplace to be tracked) or both outside (if you want the inplace to be tracked)."
)
_NO_HISTORY = "this would change the memory of a value that requires grad, without its history"
_OWN_MEMORY = "write `.detach().clone()`, which has memory of its own"
_MANY = (
    "This view is the output of a function that returns multiple views. Such functions do not "
    "allow the output views to be modified inplace. You should replace the inplace operation by an "
    "out-of-place one."
)
_NEW_VALUE = "give the changed value a name of its own: `b = a * 2` for `a *= 2`"
_VIEW_LATER = f"take the view after the change; or {_NEW_VALUE}"


class Sharers:
    """The tensors of a graph, as far as a change in place is seen through more than one."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._tensor: dict[int, int] = {}
        """For each node that is not a tensor's first one: the tensor."""
        self._latest: dict[int, int] = {}
        """Of tensors that have changed: the node of the value that they have."""
        self._views: dict[int, View | None] = {}
        """Of tensors that were asked for; None for what is not a view."""
        self.in_place: set[int] = set()
        """Nodes that a tensor's own change has made."""
        self.unrecorded: set[int] = set()
        """Views made inside of `with no_grad:`."""
        self._with_history: set[int] = set()
        """Views that have changed to what requires grad."""
        self.changes: dict[int, list[int]] = {}
        """By base, ascending: the nodes from which on its memory holds another value."""

    def current(self, node: int) -> int:
        """The node of the value that the tensor of `node` has; OperandError in torch's words."""
        if not self.changes:
            return node
        tensor = self.tensor(node)
        view = self.view(tensor)
        if view is None:
            return self._latest.get(tensor, tensor)
        base = view.way[0]
        changed = self.changes.get(base)
        if changed is None or self._latest.get(tensor, tensor) >= changed[-1]:
            return self._latest.get(tensor, tensor)
        if self._graph.requires_grad[self._latest.get(base, base)]:
            self._check_stale(view)
        for inner, outer in pairwise(view.way):
            if self._latest.get(outer, outer) < changed[-1]:
                self._latest[outer] = self._made_anew(outer, self._latest.get(inner, inner))
        return self._latest[tensor]

    def tensor(self, node: int) -> int:
        """The first node of the tensor that has, or had, the value of `node`."""
        found = self._tensor.get(node)
        if found is not None:
            return found
        graph, operation = self._graph, self._graph.operation[node]
        if operation is None or operation.sharing in (Sharing.NEVER, Sharing.ALWAYS):
            return node
        if graph.hands_through(node):
            found = self._tensor[node] = self.tensor(graph.operands[node][0])
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

    def change(self, target: int, made: int, since: int) -> None:
        """Let the tensor of `target` have the value of node `made`, which was computed from it.

        `since` is the first node that was made of the change. OperandError where torch refuses it,
        in its words, or where what it does cannot be told.
        """
        tensor = self.tensor(target)
        before = self.current(tensor)
        view = self.view(tensor)
        self._check(before, made, view)
        self._check_leaves(tensor)
        self._check_order(tensor)
        self.in_place.add(made)
        self._tensor[made] = tensor
        self._let_lie(made, before)
        base = tensor
        if view is None:
            self._latest[tensor] = made
        else:
            if self._graph.requires_grad[made] and not self._is_of_new_view(made):
                self._with_history.add(tensor)
            base = view.way[0]
            old = self._latest.get(base, base)
            new = self._written(old, made, view)
            self._tensor[new] = base
            self._latest[base] = new
            self._let_lie(new, old)
        self.changes.setdefault(base, []).append(since)

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
        if is_index and len(view.way) == 2:
            return graph.apply(INDEX_PUT, (base, made), graph.attributes_of(outer), span)
        return graph.apply(_COPY_SLICES, (base, made), {"at": view.at}, span)

    def _made_anew(self, view: int, inner: int) -> int:
        """The node of a view's value after its base has changed."""
        graph, operation = self._graph, self._graph.applied(view)
        operands = (inner, *graph.operands[view][1:])
        is_recording, graph.is_recording = graph.is_recording, True
        try:
            made = graph.apply(operation, operands, graph.attributes_of(view), graph.span[view])
        finally:
            graph.is_recording = is_recording
        self._tensor[made] = view
        return made

    def histories(self) -> dict[int, tuple[int, ...]]:
        """By the node of the value that a tensor has in the end: those of the values before it."""
        nodes: dict[int, list[int]] = {}
        for node, tensor in self._tensor.items():
            nodes.setdefault(tensor, [tensor]).append(node)
        return {max(made): tuple(sorted(made)[:-1]) for made in nodes.values()}

    def changed_between(self, node: int, start: int, stop: int) -> int | None:
        """Where the memory of `node` was changed by a node from `start` up to `stop`; else None."""
        changed = self.changes.get(self.base(node), ())
        at = bisect_left(changed, start)
        return changed[at] if at < len(changed) and changed[at] < stop else None

    # What torch refuses

    def _check(self, before: int, made: int, view: View | None) -> None:
        graph = self._graph
        is_traced = graph.is_recording and bool(graph.requires_grad[made])
        required = bool(graph.requires_grad[before])
        if required and not graph.is_recording:
            raise OperandError(
                "what requires grad cannot be changed in place inside of `no_grad` here",
                "give the changed value a name of its own",
            )
        if is_traced and required and self._has_no_derivative(made):
            name = graph.operation_name(made)
            raise OperandError(
                f"the derivative for 'inplace version of {name}' is not implemented",
                f"write `y = y.{name}()`",
            )
        if view is not None:
            self._check_view(view, made, is_traced=is_traced, required=required)
        elif is_traced and required and graph.is_leaf(before):
            kind = "a view of a leaf" if self._is_of_new_view(made) else "a leaf"
            raise OperandError(
                f"{kind} Variable that requires grad is being used in an in-place operation",
                "give the changed value a name of its own",
            )
        if required and not is_traced:
            raise OperandError(
                "the changed value does not require grad any more, and what torch makes of that "
                "cannot be told here",
                "give the changed value a name of its own",
            )
        self._check_overlap(before, made)
        check_fits(graph.value[before], graph.value[made])

    def _check_overlap(self, before: int, made: int) -> None:
        """Refuse to read what is being written: torch does, or leaves the outcome open."""
        graph, base = self._graph, self.base(before)
        for other in graph.operands[made][1:]:
            if self.base(other) != base:
                continue
            read, written = self._at(other), self._at(before)
            if graph.operation[made] is INDEX_PUT:
                indices = tuple(graph.value[operand] for operand in graph.operands[made][2:])
                key = key_of(written, indices, graph.attributes_of(made)["items"])
                written = np.asarray(key.of(written))
            if read.shape == written.shape and np.array_equal(read, written):
                continue
            if np.intersect1d(read, written).size:
                raise OperandError(
                    "unsupported operation: some elements of the input tensor and the written-to "
                    "tensor refer to a single memory location. Please clone() the tensor before "
                    "performing the operation.",
                    "write `.clone()` behind the value that is read",
                )

    def _at(self, node: int) -> np.ndarray:
        view = self.view(self.tensor(node))
        return places_of(self._graph.value[node]) if view is None else view.at

    def _has_no_derivative(self, made: int) -> bool:
        name, grad_fn = self._graph.operation_name(made), self._graph.grad_fn(made)
        return saved(name, grad_fn, 0, in_place=True) == "!"

    def _check_view(self, view: View, made: int, *, is_traced: bool, required: bool) -> None:
        graph, base = self._graph, view.way[0]
        base_requires = bool(graph.requires_grad[self._latest.get(base, base)])
        is_unrecorded = not self.unrecorded.isdisjoint(view.way[1:])
        if graph.is_recording and is_unrecorded and (is_traced or base_requires):
            raise OperandError(
                "A view was created in no_grad mode and is being modified inplace with grad "
                f"mode enabled. {_NO_GRAD}",
                _NEW_VALUE,
            )
        if is_traced:
            if self._is_one_of_many(view):
                raise OperandError(
                    f"{self._output_of(view)} is a view and is being modified inplace. {_MANY}",
                    _NEW_VALUE,
                )
            if required and graph.is_leaf(self._latest.get(base, base)):
                raise OperandError(
                    "a view of a leaf Variable that requires grad is being used in an in-place "
                    "operation",
                    "give the changed value a name of its own",
                )
            if required and not self._has_history(view.way[-1], made):
                raise OperandError(
                    "a leaf Variable that requires grad is being used in an in-place operation: "
                    "torch takes a view from before its base came to require grad for one, until "
                    "something is computed from it or it is printed",
                    _VIEW_LATER,
                )
        is_detached = any(is_detaching(graph, node) for node in view.way[1:])
        if (is_detached or not graph.is_recording) and (is_traced or base_requires):
            raise OperandError(_NO_HISTORY, _OWN_MEMORY)
        if view.at.size != len(np.unique(view.at)):
            if not any(graph.operation_name(node).startswith("expand") for node in view.way[1:]):
                raise OperandError(
                    "one element stands in several places of this view, and what its change in "
                    "place comes to is not settled",
                    "change a `.clone()` of it",
                )
            raise OperandError(
                "unsupported operation: more than one element of the written-to tensor refers to a "
                "single memory location. Please clone() the tensor before performing the "
                "operation.",
                "write `h = h.clone()` above this line",
            )

    def _has_history(self, tensor: int, made: int) -> bool:
        """Whether torch has asked a view for its `grad_fn` since its base has one, by a change of
        the view or a derivative by it; what changes it to `made` takes it for a leaf otherwise.
        """
        graph = self._graph
        is_known = tensor in self._with_history or graph.requires_grad[tensor]
        if is_known or self._is_of_new_view(made):
            return True
        nodes = {node for node, of in self._tensor.items() if of == tensor}
        required = {node for node in nodes if graph.requires_grad[node]}
        return any(
            graph.requires_grad[user]
            and not required.isdisjoint(graph.operands[user])
            and (user in self.in_place or self._tensor.get(user, user) == user)
            and not graph.hands_through(user)
            for user in range(tensor, len(graph))
            if user != made
        )

    def _is_of_new_view(self, made: int) -> bool:
        """Whether it is `a[0] = v`, which changes the view `a[0]` and not `a` itself."""
        return self._graph.grad_fn(made) == _COPY_SLICES.twins.grad_fn

    def _check_order(self, tensor: int) -> None:
        """Refuse a change where it is not told whether torch lets a reshaped value share it."""
        graph, base = self._graph, self.base(tensor)
        for node in graph.open_order:
            source, operation = graph.operands[node][0], graph.applied(node)
            is_reshaped = operation.sharing in (Sharing.WHERE_POSSIBLE, Sharing.HANDED_THROUGH)
            # An `einsum` of one operand that adds nothing up is a view, too.
            is_of_one = operation.lay_out is left_open and len(graph.operands[node]) == 1
            if (is_of_one or (is_reshaped and source in graph.open_order)) and (
                base in (self.base(node), self.base(source))
            ):
                raise OperandError(
                    "whether this changes another tensor, too, hangs on how torch goes about "
                    f"`{operation.name}`, and that is not told",
                    "give the changed value a name of its own",
                )

    def _check_leaves(self, tensor: int) -> None:
        """Refuse to change what a value that was made a leaf, by `d.detach().requires_grad_()`,
        shares: torch lets it have other numbers and the same gradient.
        """
        base = self.base(tensor)
        for leaf in self._graph.made_leaves:
            if self._graph.requires_grad[leaf] and leaf != tensor and self.base(leaf) == base:
                raise OperandError(_NO_HISTORY, _OWN_MEMORY)

    def _check_stale(self, view: View) -> None:
        if self.unrecorded.intersection(view.way[1:]):
            raise OperandError(
                "A view was created in no_grad mode and its base or another view of its base has "
                f"been modified inplace with grad mode enabled. {_NO_GRAD}",
                _VIEW_LATER,
            )
        if self._is_one_of_many(view):
            raise OperandError(
                f"{self._output_of(view)} is a view and its base or another view of its base has "
                f"been modified inplace. {_MANY}",
                _VIEW_LATER,
            )

    def _is_one_of_many(self, view: View) -> bool:
        return any("output" in self._graph.attributes_of(node) for node in view.way[1:])

    def _output_of(self, view: View) -> str:
        """The view by torch's name: `Output 0 of Unbind`."""
        graph, last = self._graph, view.way[-1]
        name = graph.grad_fn(last).partition("Backward")[0]
        name = name or graph.operation_name(last).capitalize()
        return f"Output {graph.attributes_of(last).get('output', 0)} of {name}"


def shares_outputs(group: Outputs) -> bool:
    """Whether the outputs are views, which torch makes all at once."""
    return group.operation.sharing is not Sharing.NEVER
