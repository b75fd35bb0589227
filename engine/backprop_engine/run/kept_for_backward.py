"""Whether what a backward pass needs of the forward pass is still there.

Torch saves operands and outputs for the derivatives. A pass frees them unless it is told to
retain the graph, and a change in place makes them another value than they were: either way a pass
that needs them raises (torch/csrc/autograd/saved_variable.cpp, `unpack`).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from backprop_engine.basics.source import ProblemError, Source, Span
from backprop_engine.basics.values import is_float
from backprop_engine.catalogue.saved import saved
from backprop_engine.graph import Graph
from backprop_engine.operation import OPERAND_LETTERS, Sharing
from backprop_engine.program.scenario import Backward
from backprop_engine.run.sharing import Sharers

_FREED = (
    "Trying to backward through the graph a second time (or directly access saved tensors after "
    "they have already been freed). Saved intermediate values of the graph are freed when you call "
    ".backward() or autograd.grad()"
)
_CHANGED = (
    "one of the variables needed for gradient computation has been modified by an inplace operation"
)
_NOTHING = "-"
_OUTPUT = "y"
_OTHERS = "o"


class Kept:
    """What torch has saved, pass after pass."""

    def __init__(self, source: Source, graph: Graph, sharers: Sharers) -> None:
        self._source = source
        self._graph = graph
        self._sharers = sharers
        self._freed: list[np.ndarray] = []
        """The nodes that passes have gone through without retaining the graph."""

    def check(
        self, backward: Backward, stop: int, nodes: np.ndarray, positions: np.ndarray
    ) -> None:
        """Raise ProblemError in torch's words where `backward` needs what is not there any more.

        It goes from each of `nodes` to the operand at the same place of `positions`, loose ones
        among them, and was called when there were `stop` nodes.
        """
        if self._freed or self._sharers.changes:
            freed = {node for passed in self._freed for node in passed.tolist()}
            for node, position in zip(nodes.tolist(), positions.tolist(), strict=True):
                needed = self._needed(node, position)
                if node in freed and needed != _NOTHING:
                    is_open = needed is None or self._is_open(node, position)
                    raise self._second_time(backward, node, is_open=is_open)
                if self._sharers.changes:
                    self._check_unchanged(node, position, needed, stop)
        if not backward.retains:
            self._freed.append(nodes)

    def _needed(self, node: int, position: int) -> str | None:
        """The letters of what is saved for one operand; None where that is not known."""
        graph, operation = self._graph, self._graph.operation[node]
        if operation is None or operation.sharing is Sharing.ALWAYS or graph.hands_through(node):
            return _NOTHING
        if node in graph.same:
            return _NOTHING
        column = 0 if operation.variadic else position
        in_place = node in self._sharers.in_place
        return saved(operation.name, graph.grad_fn(node), column, in_place=in_place)

    def _is_open(self, node: int, position: int) -> bool:
        """Whether torch may have left out to save what only this operand's derivative needs, as
        nothing is sent there.
        """
        graph, derivatives = self._graph, self._graph.applied(node).derivatives
        return len(derivatives) > 1 and graph.kind[graph.operands[node][position]].is_loose

    def _check_unchanged(self, node: int, position: int, needed: str | None, stop: int) -> None:
        for value, start in self._values(node, position, needed):
            changed = self._sharers.changed_between(value, start, stop)
            if changed is None:
                continue
            span = self._graph.span[changed] or Span(0, 0)
            label = self._graph.names.get(value, "a value").partition("@")[0]
            by, line = self._place(node)
            message = f"{_CHANGED}: {by} in line {line} needs `{label}` as it was before this"
            if needed is None or self._is_open(node, position):
                message = (
                    f"`{label}` is changed in place here, and whether torch still needs it for the "
                    f"derivative of {by} in line {line} is not known"
                )
            elif not self._sharers.is_noticed(value, changed):
                message = (
                    f"`{label}` is changed through `.data` here, which torch does not notice: the "
                    f"derivative of {by} in line {line} would be taken at the new numbers"
                )
            raise ProblemError(message, span, fix="give the changed value a name of its own")

    def _values(self, node: int, position: int, needed: str | None) -> Iterator[tuple[int, int]]:
        """The nodes of what is saved for the operand at `position`, and from which node on a change
        of each counts.
        """
        operands = self._graph.operands[node]
        in_place = node in self._sharers.in_place
        if needed is None or _OUTPUT in needed:
            yield node, node + 1
        for index in self._indices_beside(node):
            yield index, index + 1
        for at, operand in enumerate(operands):
            letter = OPERAND_LETTERS[at] if at < len(OPERAND_LETTERS) else ""
            is_other = needed is not None and _OTHERS in needed and at != position
            if needed is None or is_other or (letter and letter in needed):
                if at == 0 and in_place:
                    continue  # torch saves a copy of what is about to be changed
                yield operand, node if in_place else node + 1

    def _indices_beside(self, node: int) -> Iterator[int]:
        """The outputs of the same call that say where values come from: torch saves those of all.

        `v, i = x.sort()` makes two nodes of one operation, one beside the other.
        """
        graph = self._graph
        for other in (node - 1, node + 1):
            if (
                0 <= other < len(graph)
                and graph.operation[other] is graph.operation[node]
                and graph.operands[other] == graph.operands[node]
                and "output" in graph.attributes_of(other)
                and not is_float(graph.value[other])
            ):
                yield other

    def _second_time(self, backward: Backward, node: int, *, is_open: bool) -> ProblemError:
        by, line = self._place(node)
        message = f"{_FREED}: the pass before has freed what {by} in line {line} needs"
        if is_open:
            message = (
                f"this goes back through {by} in line {line} a second time, and whether torch has "
                "freed what that needs is not known"
            )
        return ProblemError(
            message, backward.span, fix="write `backward(retain_graph=True)` for the pass before"
        )

    def _place(self, node: int) -> tuple[str, int]:
        """The operation of a node as it stands in the program, and its line."""
        span = self._graph.span[node] or Span(0, 0)
        text = " ".join(self._source.text[span.start : span.stop].split())
        return f"`{text or self._graph.operation_name(node)}`", self._source.position(
            span.start
        ).line
