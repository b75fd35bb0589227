"""Changes in place that torch refuses, in its words, and those of which nothing can be told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from backprop_engine.basics.memory_order import left_open
from backprop_engine.basics.source import OperandError
from backprop_engine.catalogue import INDEX_PUT, OPERATIONS
from backprop_engine.catalogue.saved import saved
from backprop_engine.catalogue.subscripts import key_of
from backprop_engine.graph import Graph
from backprop_engine.operation import Sharing
from backprop_engine.run.fitting import check_fits
from backprop_engine.run.views import View, places_of

if TYPE_CHECKING:
    from backprop_engine.run.sharing import Sharers

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
_WRITING = frozenset({"copy", "fill", "index_put", "masked_fill", "zero"})
"""What torch writes to an expanded tensor, some of it with a warning."""


class Refusals:
    """What is refused of the changes that `sharers` are told of."""

    def __init__(self, graph: Graph, sharers: Sharers) -> None:
        self._graph = graph
        self._sharers = sharers

    def check(self, tensor: int, before: int, made: int, view: View | None) -> None:
        """Raise OperandError where torch refuses to let `tensor` have the value of node `made`, in
        its words, or where what it does cannot be told.
        """
        graph = self._graph
        is_traced = graph.is_recording and bool(graph.requires_grad[made])
        required = bool(graph.requires_grad[before])
        if is_traced and required and self._has_no_derivative(made):
            name = graph.operation_name(made)
            raise OperandError(
                f"the derivative for 'inplace version of {name}' is not implemented",
                f"write `y = y.{name}()`",
            )
        if view is not None:
            self._check_view(view, made, is_traced=is_traced, required=required)
        elif is_traced and required and graph.is_leaf(graph.same.get(before, before)):
            kind = "a view of a leaf" if self.is_of_new_view(made) else "a leaf"
            raise OperandError(
                f"{kind} Variable that requires grad is being used in an in-place operation",
                "give the changed value a name of its own",
            )
        if required and graph.is_recording and not is_traced:
            raise OperandError(
                "the changed value does not require grad any more, and what torch makes of that "
                "cannot be told here",
                "give the changed value a name of its own",
            )
        self._check_order(tensor)
        self._check_overlap(before, made)
        check_fits(graph.value[before], graph.value[made])

    def _check_overlap(self, before: int, made: int) -> None:
        """Refuse to read what is being written: torch does, or leaves the outcome open."""
        graph, base = self._graph, self._sharers.base(before)
        for other in graph.operands[made][1:]:
            if self._sharers.base(other) != base:
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
        view = self._sharers.view(self._sharers.tensor(node))
        return places_of(self._graph.value[node]) if view is None else view.at

    def _has_no_derivative(self, made: int) -> bool:
        name, grad_fn = self._graph.operation_name(made), self._graph.grad_fn(made)
        return saved(name, grad_fn, 0, in_place=True) == "!"

    def _check_view(self, view: View, made: int, *, is_traced: bool, required: bool) -> None:
        graph, (base, *views) = self._graph, self._sharers.history(view)
        base_requires = self._sharers.requires_grad(base)
        is_unrecorded = not self._sharers.unrecorded.isdisjoint(views)
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
            latest = self._sharers.latest(base)
            if required and graph.is_leaf(graph.same.get(latest, latest)):
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
        if is_traced and self._sharers.is_detached(view):
            raise OperandError(_NO_HISTORY, _OWN_MEMORY)
        if view.at.size != len(np.unique(view.at)):
            is_told = any(graph.operation_name(node).startswith("expand") for node in view.way[1:])
            if not is_told or graph.operation_name(made) in _WRITING:
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
        is_known = tensor in self._sharers.with_history or graph.requires_grad[tensor]
        if is_known or self.is_of_new_view(made):
            return True
        nodes = {node for node, of in self._sharers.nodes.items() if of == tensor}
        required = {node for node in nodes if graph.requires_grad[node]}
        return any(
            graph.requires_grad[user]
            and not required.isdisjoint(graph.operands[user])
            and (user in self._sharers.in_place or self._sharers.nodes.get(user, user) == user)
            and not graph.hands_through(user)
            for user in range(tensor, len(graph))
            if user != made
        )

    def is_of_new_view(self, made: int) -> bool:
        """Whether it is `a[0] = v`, which changes the view `a[0]` and not `a` itself."""
        return self._graph.grad_fn(made) == _COPY_SLICES.twins.grad_fn

    def _check_order(self, tensor: int) -> None:
        """Refuse a change where it is not told whether torch lets a reshaped value share it."""
        graph, base = self._graph, self._sharers.base(tensor)
        for node in graph.open_order:
            source, operation = graph.operands[node][0], graph.applied(node)
            is_reshaped = operation.sharing in (Sharing.WHERE_POSSIBLE, Sharing.HANDED_THROUGH)
            # An `einsum` of one operand that adds nothing up is a view, too.
            is_of_one = operation.lay_out is left_open and len(graph.operands[node]) == 1
            if (is_of_one or (is_reshaped and source in graph.open_order)) and (
                base in (self._sharers.base(node), self._sharers.base(source))
            ):
                raise OperandError(
                    "whether this changes another tensor, too, hangs on how torch goes about "
                    f"`{operation.name}`, and that is not told",
                    "give the changed value a name of its own",
                )

    def check_stale(self, view: View, changes: Sequence[int]) -> None:
        """Raise OperandError where torch refuses to look at a view that has seen these changes."""
        is_unrecorded = not self._sharers.unrecorded.isdisjoint(self._sharers.history(view)[1:])
        if not (is_unrecorded or self._is_one_of_many(view)):
            return
        if not any(self._sharers.is_noticed(view.way[-1], changed) for changed in changes):
            return
        if is_unrecorded:
            raise OperandError(
                "A view was created in no_grad mode and its base or another view of its base has "
                f"been modified inplace with grad mode enabled. {_NO_GRAD}",
                _VIEW_LATER,
            )
        raise OperandError(
            f"{self._output_of(view)} is a view and its base or another view of its base has been "
            f"modified inplace. {_MANY}",
            _VIEW_LATER,
        )

    def _is_one_of_many(self, view: View) -> bool:
        views = self._sharers.history(view)[1:]
        return any("output" in self._graph.attributes_of(node) for node in views)

    def _output_of(self, view: View) -> str:
        """The view by torch's name: `Output 0 of Unbind`."""
        graph, last = self._graph, view.way[-1]
        name = graph.grad_fn(last).partition("Backward")[0]
        name = name or graph.operation_name(last).capitalize()
        return f"Output {graph.attributes_of(last).get('output', 0)} of {name}"
