"""What Python's `max` and `min` chose by the values: other values may have them choose another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.source import OperandError
from backprop_engine.basics.values import Value


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """What Python's `max` or `min` chose from: one of several nodes, by their values."""

    function: str
    nodes: tuple[int, ...]

    def picked(self, values: Sequence[Value]) -> int:
        """The node that is chosen: the first of equal ones, as Python does.

        OperandError where two values cannot be compared to one truth value.
        """
        best = self.nodes[0]
        for node in self.nodes[1:]:
            if np.size(values[node]) != 1 or np.size(values[best]) != 1:
                raise OperandError(
                    "Boolean value of Tensor with more than one value is ambiguous",
                    f"write `torch.{self.function}(…)`, or compare elements of it",
                )
            mine, other = np.ravel(values[node])[0], np.ravel(values[best])[0]
            if mine > other if self.function == "max" else mine < other:
                best = node
        return best
