"""What a trace knows of its nodes: columns by node, from 0, whoever fills them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple, Protocol

import numpy as np

from backprop_engine.basics.source import Place
from backprop_engine.basics.values import Known


class GroupKind(StrEnum):
    """What makes nodes belong together, as it is called in a sentence."""

    ITERATION = "iteration"
    """Of a loop."""
    MODULE = "module"


class Group(NamedTuple):
    """What a node belongs to: `i=2`, `encoder.layers.0`."""

    kind: GroupKind
    name: str


class Nodes(Protocol):
    """Nodes by number. Operands stand before their consumers."""

    @property
    def value(self) -> Sequence[Known]:
        """What each node came to."""

    @property
    def operands(self) -> Sequence[tuple[int, ...]]:
        """The nodes that each was computed from; none of a leaf."""

    @property
    def requires_grad(self) -> Sequence[int]:
        """1 for each node whose gradient is asked for, else 0."""

    @property
    def is_number(self) -> Sequence[int]:
        """1 for each node that is a Python number in the program, and no tensor."""

    @property
    def names(self) -> Mapping[int, str]:
        """What the program calls a node; `h@2` where a name is assigned again."""

    @property
    def inputs(self) -> Mapping[str, int]:
        """The named leaves."""

    @property
    def made_leaves(self) -> Collection[int]:
        """Computed nodes that were made leaves: gradients come there, and go no further."""

    @property
    def keeping_grad(self) -> Sequence[int]:
        """The nodes that have a `.grad`: inputs that require grad, then what is retained."""

    @property
    def computed(self) -> np.ndarray:
        """The nodes that an operation has made, int32, ascending."""

    def __len__(self) -> int: ...

    def operation_name(self, node: int) -> str:
        """`exp`; of a recording torch's own name for the call; empty for a leaf."""

    def grad_fn(self, node: int) -> str:
        """The name of torch's autograd node; empty where there is none."""

    def dtype_of(self, node: int) -> str:
        """`float32`, `bfloat16`, `int64`, …"""

    def place(self, node: int) -> Place | None:
        """The text that made the node; None where it is not known."""

    def groups(self, node: int) -> tuple[Group, ...]:
        """What the node belongs to, the outermost first."""

    @property
    def operand_columns(self) -> tuple[np.ndarray, np.ndarray]:
        """How many operands each node has, and those of all nodes one after the other."""

    def edges(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Consumer (int32), position (int16) and operand (int32) of every edge that a gradient
        can go along: consumers from the last to the first, operands from left to right.
        """
