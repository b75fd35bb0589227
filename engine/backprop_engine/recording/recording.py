"""A recording as data: what was called, with which values, where, and what went back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field

import numpy as np

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.recording.frames import Frames
from backprop_engine.recording.layout import TABLES
from backprop_engine.recording.values import Values


@dataclass(frozen=True, slots=True)
class Site:
    """A place in a program that something was called from; columns count bytes from 0."""

    file: str
    function: str
    line: int
    end_line: int | None
    column: int | None
    end_column: int | None
    stored: str
    """The name that the result is given next; empty where it is given none."""


@dataclass(frozen=True, slots=True)
class Function:
    """What was called."""

    module: str
    name: str


SCALE = Function("torch.amp.grad_scaler", "scale")


@dataclass(frozen=True, slots=True)
class Module:
    """An `nn.Module` at work: its path (`Net.attention`) and class."""

    path: str
    kind: str


@dataclass(frozen=True, slots=True)
class Start:
    """How the recorded program was started."""

    torch: str = ""
    python: str = ""
    script: str = ""
    is_deep: bool = False
    """Whether kernels inside of calls were told; False as well in files that do not say."""


@dataclass(frozen=True, eq=False)
class Pass:
    """One backward pass. The rows of a column are tuples of numbers, −1 for nothing."""

    index: int
    """From 1, in the order in which passes began."""
    iteration: int
    """Optimiser steps before it."""
    call: int
    """The number of calls before it."""
    stack: int
    names: Sequence[str]
    """Of autograd nodes, by kind."""
    leaf_names: dict[int, str]
    """What is known of the names of leaves, by autograd node."""
    missing: Sequence[str]
    """The parameters whose `.grad` is None afterwards."""
    loss: float | None
    creates_graph: bool
    depth: int
    """0, or how many passes it began inside of."""
    error: str
    culprit: tuple[int, str] | None
    """After torch's complaint of a change in place: the autograd node, and what it had saved."""
    hooked: Sequence[tuple[int, int, int, int]]
    """(autograd node, its output or −1 for `.grad` of a leaf, value before a hook changed it, the
    stack in which that was registered or −1)"""
    kind: np.ndarray
    """Autograd nodes: a number of `names`."""
    sequence: np.ndarray
    """Torch's number of each; the largest int64 for leaves."""
    edge_starts: np.ndarray
    edges: np.ndarray
    """(autograd node, its output) that each input of a node goes on to."""
    roots: np.ndarray
    """(autograd node, its output, value of the tensor, value of the gradient)"""
    leaves: np.ndarray
    """(autograd node, value of the tensor, value of `.grad` afterwards)"""
    sends: np.ndarray
    """(autograd node, its input, receiving node, its output, value), in the order of time"""
    totals: np.ndarray
    """(autograd node, its output, value), as each was complete"""
    made: np.ndarray
    """With `create_graph`: (autograd node, the sequence number after it had run)"""


@dataclass(frozen=True, eq=False)
class Update:
    """A step of an optimiser; the lists have an entry a parameter."""

    iteration: int
    """From 1: how many there were, this one included."""
    call: int
    stack: int
    optimizer: str
    names: Sequence[str]
    gradients: Sequence[float]
    """Norms, of 4,096 elements of each at most."""
    updates: Sequence[float]
    weights: Sequence[float]
    changed: int
    """How many gradients were changed since their backward pass: clipped, unscaled, by hand."""
    rates: Sequence[float]


@dataclass(frozen=True, slots=True)
class Cleared:
    """A call of `zero_grad`."""

    call: int
    stack: int
    values: Sequence[int] | None = None
    """Of the leaves whose `.grad` it cleared, their values; None where it was that of all."""
    to_none: bool = True
    """Whether `.grad` is None now, else zero."""


@dataclass(frozen=True, eq=False)
class Changed:
    """Gradients that were changed after their pass; the lists have an entry a parameter."""

    call: int
    stack: int
    iteration: int
    """Optimiser steps before it."""
    how: str
    """`unscale`, `clip_norm`, `clip_value`."""
    factor: float | None
    """What they were multiplied by, or the limit of `clip_value`."""
    names: Sequence[str]
    before: Sequence[float]
    """Norms, of 4,096 elements of each at most."""
    after: Sequence[float]
    leaves: Sequence[int]
    """Values of the parameters."""
    values: Sequence[int]
    """Of `.grad` afterwards; −1 where it was not kept."""


@dataclass(frozen=True, slots=True)
class RunError:
    """The exception that ended the program."""

    type: str
    message: str
    stack: int


@dataclass(frozen=True, slots=True)
class FunctionCheck:
    """A custom Function's backward by one of its arguments against finite differences."""

    name: str
    stack: int
    argument: int
    verdict: str
    """`agree`, `differ` or `unknown`"""
    element: tuple[int, ...] | None
    backward: float | None
    differences: float | None
    reason: str


Event = Pass | Update | Cleared | Changed


@dataclass(eq=False)
class Calls:
    """What was called, one entry a call, in the order in which calls returned."""

    columns: dict[str, np.ndarray]
    operand_starts: np.ndarray
    output_starts: np.ndarray

    def __len__(self) -> int:
        return len(self.columns["function"])

    def operands(self, call: int) -> list[int]:
        """The values of its tensors."""
        starts = self.operand_starts
        found: list[int] = self.columns["operands"][starts[call] : starts[call + 1]].tolist()
        return found

    def outputs(self, call: int) -> list[tuple[int, int, int]]:
        """(value, sequence number of its autograd node or −1, which output of that)"""
        starts = self.output_starts
        rows = self.columns["outputs"][starts[call] : starts[call + 1]].tolist()
        return [(row[0], row[1], row[2]) for row in rows]


@dataclass(eq=False)
class Recording:
    """Everything that arrived whole."""

    frames: Frames
    values: Values
    start: Start = field(default_factory=Start)
    sources: dict[str, str] = field(default_factory=dict)
    """The text of each file that something was called from."""
    sites: list[Site] = field(default_factory=list)
    stacks: list[tuple[int, ...]] = field(default_factory=list)
    """Sites, innermost first."""
    functions: list[Function] = field(default_factory=list)
    modules: list[Module] = field(default_factory=list)
    templates: list[str] = field(default_factory=list)
    """How calls are written, `{0}` for their first tensor: `torch.softmax({0}, dim=-1)`."""
    names: dict[int, str] = field(default_factory=dict)
    """By value, where a call gives it none: parameters, and variables that were there before."""
    origins: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Of values that no call has given: (sequence number of their autograd node, its output)."""
    calls: Calls = field(default_factory=lambda: joined([]))
    first_call: int = 0
    """How many calls were forgotten before the first that is here."""
    events: list[Event] = field(default_factory=list)
    """In the order in which they ended."""
    error: RunError | None = None
    function_checks: list[FunctionCheck] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    @property
    def is_complete(self) -> bool:
        """Whether the recorder came to its end."""
        return self.frames.is_complete

    @property
    def passes(self) -> list[Pass]:
        """The backward passes."""
        return [event for event in self.events if isinstance(event, Pass)]

    def unscaled(self, pass_: Pass) -> int | None:
        """Of a pass that starts from what `GradScaler.scale` has made the loss before; or None."""
        if SCALE not in self.functions or not len(pass_.roots):
            return None
        rows = np.flatnonzero(self.calls.columns["outputs"][:, 0] == pass_.roots[0, 2])
        for call in np.searchsorted(self.calls.output_starts, rows, "right") - 1:
            if self.functions[self.calls.columns["function"][call]] == SCALE:
                return self.calls.operands(int(call))[0]
        return None

    def site(self, stack: int) -> Site | None:
        """The innermost place of a stack; None where there is none."""
        sites = self.stacks[stack] if stack >= 0 else ()
        return self.sites[sites[0]] if sites else None


def starts_of(counts: np.ndarray) -> np.ndarray:
    """Where the rows of each begin, and where the last ones end."""
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(counts, dtype=np.int64)])


def joined(parts: Sequence[dict[str, np.ndarray]]) -> Calls:
    """The calls of all tables of them."""
    empty = {
        name: np.zeros((0, width) if width else 0, dtype)
        for name, (dtype, width) in TABLES["calls"].items()
    }
    columns = {name: np.concatenate([empty[name], *(p[name] for p in parts)]) for name in empty}
    return Calls(columns, starts_of(columns["operand_counts"]), starts_of(columns["output_counts"]))
