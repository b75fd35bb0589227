"""The backward pass: the chain rule, applied once to every edge of the graph."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from itertools import islice
from typing import NamedTuple

import numpy as np

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.values import Value, seen_in, settle, shape_of, unbroadcast
from backprop_engine.budget import LimitError
from backprop_engine.fast import sent_beyond_numbers
from backprop_engine.graph import Graph


class Contribution(NamedTuple):
    """What one consumer sent along one operand edge, and what the operand then holds."""

    node: int
    position: int
    operand: int
    contribution: Value
    total: Value


@dataclass(frozen=True)
class BackwardPass:
    """Every contribution of one pass in the order sent: columns, with one entry each."""

    graph: Graph
    gradient: list[Value | None]
    """One entry a node up to the output: its gradient; None where nothing came."""
    contributions: list[Value]
    totals: list[Value]
    """What the operand holds after each contribution."""

    @cached_property
    def edges(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Node (int32), position (int16) and operand (int32) of each contribution."""
        have_one = bytes([gradient is not None for gradient in self.gradient])
        came = np.frombuffer(have_one.ljust(len(self.graph), b"\0"), np.bool_)
        # An operand has a gradient if any consumer has sent one.
        consumers, positions, operands = self.graph.edges(came)
        if len(consumers) == len(self.contributions):
            return consumers, positions, operands
        sent = came[consumers]
        return consumers[sent], positions[sent], operands[sent]

    def __iter__(self) -> Iterator[Contribution]:
        columns = (*(column.tolist() for column in self.edges), self.contributions, self.totals)
        return map(Contribution._make, zip(*columns, strict=True))


def backward(graph: Graph, output: int, seed: Value) -> BackwardPass:
    """Reverse-mode differentiation from `output`, whose gradient is `seed`.

    Contributions come in torch's order: nodes in reverse order of creation, and for each the
    operands that require grad from left to right. A node's gradient is complete when its turn
    comes, because all of its consumers were created after it. Operations on numbers are no
    different, and go by `fast`.
    """
    gradient: list[Value | None] = [None] * (output + 1)
    gradient[output] = settle(seed, graph.dtype)
    done = BackwardPass(graph, gradient, [], [])
    for node in sent_beyond_numbers(graph, gradient, done.contributions, done.totals, contribution):
        upstream = gradient[node]
        for position, operand in enumerate(graph.differentiated(node)):
            if graph.kind[operand].requires_grad and upstream is not None:
                graph.budget.check_time()
                sent = contribution(graph, node, position, upstream)
                before = gradient[operand]
                gradient[operand] = total = sent if before is None else before + sent
                done.contributions.append(sent)
                done.totals.append(total)
    return done


def bytes_of_pass(graph: Graph, output: int) -> int:
    """What the arrays of a backward pass from `output` take at most, without running it.

    Each edge has its contribution, and each further one of the same operand a total.
    """
    if not graph.budget.used:
        return 0  # there are numbers alone
    needed = [False] * output + [True]
    received, total = bytearray(output + 1), 0
    value, kinds, nodes = graph.value, graph.kind, range(output, -1, -1)
    before = len(graph) - len(needed)
    columns = (graph.kind, graph.first, graph.second)
    backwards = (islice(reversed(column), before, None) for column in columns)
    for node, is_needed, kind, a, b in zip(nodes, reversed(needed), *backwards, strict=True):
        if not is_needed:
            continue
        if kind.rules:  # its operands are numbers
            if kind.to_first:
                needed[a] = True
            if kind.to_second:
                needed[b] = True
            continue
        for operand in graph.differentiated(node):
            if kinds[operand].requires_grad:
                needed[operand] = True
                array = value[operand]
                if type(array) is np.ndarray:
                    total += array.nbytes * (1 + received[operand])
                    received[operand] = 1
    return total


def contribution(graph: Graph, node: int, position: int, upstream: Value) -> Value:
    """Upstream gradient × local derivative, for the operand at `position` of `node`."""
    operation, operands, value = graph.kind[node].operation, graph.operands[node], graph.value
    if operation is None:
        raise ValueError(f"node {node} is a leaf and sends nothing")
    given = seen_in(graph.dtype, [value[operand] for operand in operands])
    try:
        sent = operation.send(position, upstream, value[node], given, graph.attributes_of(node))
        if type(sent) is float and graph.dtype == "float64":
            return sent
        if operation.elementwise:
            sent = unbroadcast(sent, shape_of(given[position]))
        return settle(sent, graph.dtype)
    except LimitError:
        raise
    except MemoryError:
        raise LimitError(f"there is not enough memory left behind `{operation.name}`") from None
    except (ValueError, IndexError, TypeError, ArithmeticError) as error:
        raise DerivativeError(node, position, error) from error


class DerivativeError(Exception):
    """The derivative of `node` by its operand at `position` cannot be computed here."""

    def __init__(self, node: int, position: int, error: Exception) -> None:
        super().__init__(str(error))
        self.node = node
        self.position = position
