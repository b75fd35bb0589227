"""A learner's run as parts: values that take their turn, and what each sends by the right rule.

An operation of ours may be several of the learner's (`a/b` as `a * b**-1`). Where it is known what
each of them computes, each is a part by itself; else they are one part together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.values import Value, evaluate
from backprop_engine.catalogue import OPERATIONS
from backprop_engine.mistakes.edge import Edge
from backprop_engine.operation import Operation
from backprop_engine.reading.explain import expression
from backprop_engine.run.tape import graph_of
from backprop_engine.trace import Trace
from backprop_tui.oracles.yours.protocol import LearnersRun, Made


@dataclass(frozen=True, eq=False, slots=True)
class Part:
    """What takes its turn at once."""

    output: int
    """The value that it computes, by its number among the learner's."""
    node: int
    """Ours that it belongs to."""
    operation: Operation
    attributes: Mapping[str, Any]
    operands: tuple[tuple[int | None, Value | None], ...]
    inner: frozenset[int]
    """The values on the way from the operands to the output."""

    def positions(self, of: int) -> list[int]:
        """Where the value number `of` is an operand."""
        return [at for at, (number, _) in enumerate(self.operands) if number == of]


class Parts:
    """The parts of a learner's run of a trace."""

    def __init__(self, trace: Trace, run: LearnersRun) -> None:
        self.trace, self.run, self.graph = trace, run, graph_of(trace)
        self.made: Sequence[Made] = run.made
        self.by_node = {made.node: at for at, made in enumerate(run.made) if made.node is not None}
        self.parts: list[Part] = []
        self.owner: dict[int, int] = {}
        """By value, the node of ours in whose computation it was made."""
        self._sort()
        self.of_output = {part.output: part for part in self.parts}
        self.of_value = {at: part for part in self.parts for at in (part.output, *part.inner)}

    def _sort(self) -> None:
        waiting: list[int] = []
        for at, made in enumerate(self.made):
            waiting.append(at)
            if made.node is None:
                continue
            block, waiting = waiting, []
            self.owner |= dict.fromkeys(block, made.node)
            if self.graph.operation[made.node] is None:
                continue
            computed = [each for each in block if self.made[each].operands]
            if all(self.made[each].operation for each in computed):
                self.parts += [self._single(each, made.node) for each in computed]
            else:
                inner = frozenset(computed) - {at}
                self.parts.append(self.whole(made.node, inner))

    def _single(self, at: int, node: int) -> Part:
        made = self.made[at]
        is_ours = made.node == node and made.operation == self.graph.operation_name(node)
        if is_ours:
            operation, attributes = self.graph.applied(node), self.graph.attributes_of(node)
        else:
            operation, attributes = OPERATIONS[made.operation], {}
        return Part(at, node, operation, attributes, made.operands, frozenset())

    def whole(self, node: int, inner: frozenset[int] = frozenset()) -> Part:
        """All that was made for an operation of ours, as one part."""
        at = self.by_node[node]
        operands = tuple(self._operand(each) for each in self.graph.operands[node])
        return Part(
            at, node, self.graph.applied(node), self.graph.attributes_of(node), operands, inner
        )

    def _operand(self, node: int) -> tuple[int | None, Value | None]:
        at = self.by_node.get(node)
        return (at, None) if at is not None else (None, self.graph.value[node])

    def value(self, operand: tuple[int | None, Value | None]) -> Value:
        """What an operand is."""
        at, number = operand
        value = number if at is None else self.made[at].value
        return np.nan if value is None else value

    def right_value(self, part: Part) -> Any:
        """What the operation makes of the learner's own operands; None where it cannot."""
        with np.errstate(all="ignore"):
            try:
                values = [self.value(operand) for operand in part.operands]
                return evaluate(part.operation.forward, values, part.attributes)
            except (ValueError, IndexError, TypeError, ArithmeticError):
                return None

    def edge(self, part: Part, position: int, upstream: Value) -> Edge:
        """The edge to an operand, with the learner's own numbers."""
        values = [self.value(operand) for operand in part.operands]
        output = self.made[part.output].value
        return Edge(part.operation, part.attributes, position, upstream, output, values, "float64")

    def sent(self, part: Part, position: int, upstream: Value) -> Any:
        """What is right to send along an edge; None where the upstream gradient does not fit."""
        try:
            return self.edge(part, position, upstream).sent()
        except (ValueError, IndexError, TypeError, ArithmeticError):
            return None

    # Who takes part in a backward pass

    @cached_property
    def requiring(self) -> frozenset[int]:
        """The values whose gradient is wanted."""
        found: set[int] = set()
        for at, made in enumerate(self.made):
            if made.node is not None:
                if self.graph.requires_grad[made.node]:
                    found.add(at)
            elif any(operand in found for operand, _ in made.operands):
                found.add(at)
        return frozenset(found)

    def taking_part(self, output: int) -> list[Part]:
        """The parts that have to send in a pass from a value, consumers first."""
        needed, found = {output}, []
        for part in reversed(self.parts):
            if part.output in needed and part.output in self.requiring:
                found.append(part)
                needed |= {at for at, _ in part.operands if at is not None}
        return found

    def label(self, at: int) -> str:
        """What to call a value: by its name, or by what computed it."""
        made = self.made[at]
        if made.node is not None:
            label = self.trace.label(made.node)
            return label if not label.startswith("%") else expression(self.trace, made.node)
        if not made.operands:
            return f"{made.value:g}" if isinstance(made.value, float) else "an array"
        symbol = OPERATIONS[made.operation].spelling.symbol if made.operation else ""
        operands = [
            self.label(number) if number is not None else f"{value:g}"
            for number, value in made.operands
        ]
        if symbol and len(operands) == 2:
            return f"({operands[0]} {symbol} {operands[1]})"
        return f"{made.operation}({', '.join(operands)})"
