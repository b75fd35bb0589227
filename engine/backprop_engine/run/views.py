"""Views: tensors in the memory of others, by the places that their elements have there."""

from __future__ import annotations

import numpy as np

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.memory_order import laid_out, strides_of
from backprop_engine.graph import Graph


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """A tensor in the memory of another one."""

    way: tuple[int, ...]
    """Tensors: the base, the view of it, the view of that, …, and this one."""
    at: np.ndarray
    """The place of each element among those of the base, counted through all axes; int64."""


def places_of(value: object) -> np.ndarray:
    """The number of each element, counted through all axes, in memory that lies as theirs does."""
    if not isinstance(value, np.ndarray):
        return np.zeros((), np.int64)
    return laid_out(np.arange(value.size).reshape(value.shape), strides_of(value))


def is_detaching(graph: Graph, node: int) -> bool:
    """Whether a view leaves the history of what it is a view of behind."""
    operation = graph.operation[node]
    return operation is not None and not operation.differentiable
