"""What a trace is told in: its passes and steps, and its heading."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.source import Source
from backprop_engine.basics.values import Dtype, Known


class PassKind(StrEnum):
    """What a pass does."""

    FORWARD = "forward"
    BACKWARD = "backward"
    ZERO_GRAD = "zero_grad"
    UPDATE = "update"
    CHANGE = "change"
    """Gradients are changed after their pass: clipped, unscaled."""


class StepKind(StrEnum):
    """What a step does: compute a node, seed an output, send a contribution, clear `.grad`, let an
    optimiser step, change gradients that are there, or let a hook change one on its way.
    """

    FORWARD = "forward"
    SEED = "seed"
    CONTRIBUTION = "contribution"
    ZERO_GRAD = "zero_grad"
    UPDATE = "update"
    CHANGE = "change"
    HOOK = "hook"


@dataclass(frozen=True, slots=True)
class Pass:
    """One phase of the timeline: the steps `start` up to, not including, `stop`."""

    index: int
    kind: PassKind
    name: str
    """For people: `forward`, `backward y`, `zero_grad`."""
    start: int
    stop: int
    output: int | None = None
    """The node a backward pass starts from."""
    grads: Mapping[int, Known | None] | None = None
    """`.grad` of each input that requires grad and each node that retains it, after the pass."""
    cleared: int | None = None
    """The node whose `.grad` alone a zero_grad pass clears; None where it is every input's."""
    about: str = ""
    """Of an optimiser's step, or a change or clearing of gradients, what was done: a headline, then
    a line a parameter.
    """
    ratios: Mapping[str, float] = field(default_factory=dict)
    """Of an optimiser's step by a parameter's name ‖update‖/‖weight‖."""
    loss: int | None = None
    """The node that is the program's loss, where the output is a multiple of it: scaled for AMP."""


@dataclass(frozen=True, slots=True)
class Step:
    """One entry of the timeline."""

    index: int
    pass_index: int
    kind: StepKind
    node: int | None
    """The node at work: computed, seeded, or sending. None for zero_grad."""
    operand: int | None = None
    """The node that receives the contribution."""
    position: int | None = None
    """Which operand of `node` that is, from 0."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How many of the contributions a node gets in this pass it has received."""

    received: int
    expected: int

    @property
    def is_complete(self) -> bool:
        """Whether the gradient is final for this pass."""
        return self.received == self.expected > 0


@dataclass(frozen=True, slots=True)
class Heading:
    """What the scenario says about itself."""

    title: str
    about: str
    name: str
    """What people know it by: a file's name, or the text itself where there is no file."""
    files: tuple[Source, ...]
    """The texts that it was made from, the main one first; perhaps none."""
    hints: Mapping[int, str]
    """By node."""
    note: str = ""
    """Where numbers are from that the text does not have."""
    dtype: Dtype = "float64"
    """What readers compute in: float32 for all that is no wider."""
    computed_by: str = ""
    """Who computed the numbers, where that was not our engine: `torch 2.13.0`."""
    start: int = 0
    """The cursor to begin at: of a program that was ended by an error, the last one."""
