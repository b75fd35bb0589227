"""What a check has found, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.source import Position, ScenarioError
from backprop_engine.basics.values import Value
from backprop_engine.checking.differences import FiniteDifference
from backprop_engine.reading.autopsy.report import Autopsy
from backprop_tui.oracles.sympy.judgement import SymbolicGradient

TORCH, FINITE_DIFFERENCE, SYMBOLIC = "torch", "finite_difference", "symbolic"
ENGINE, FLOAT32, AUTOPSY, EXPECT = "engine", "float32", "autopsy", "expect"


@dataclass(frozen=True, slots=True)
class Complaint:
    """Something that is off: who says so, of which name (None: of all), and what."""

    oracle: str
    name: str | None
    message: str
    place: Position | None = None
    """In the scenario, where that is known."""


@dataclass(frozen=True, eq=False, slots=True)
class GradientRow:
    """The final `.grad` of one input, from all sides; None where there is none."""

    name: str
    engine: Value | None
    torch: Value | None
    torch_ran: bool
    difference: FiniteDifference | None
    """None where finite differences could not run."""
    symbolic: SymbolicGradient | None
    """None where it did not run."""
    ok: bool
    is_open: bool = False
    """It is ok, and torch has another gradient, or could have: none is wrong."""


@dataclass(frozen=True, eq=False)
class Checked:
    """A scenario that ran, or whose error was expected."""

    scenario: str
    heading: str
    complaints: tuple[Complaint, ...]
    values: Mapping[str, Value] = field(default_factory=dict)
    gradients: tuple[GradientRow, ...] = ()
    nodes: int = 0
    steps: int = 0
    notices: tuple[Complaint, ...] = ()
    """Why an oracle has no answer where that is all right."""
    departures: tuple[Complaint, ...] = ()
    """Where torch's result is another, and both are right or not settled: told, and all right."""
    expected_error: str = ""
    """The error's message, where the scenario is about an error."""
    autopsy: Autopsy | None = None
    """Where the first inf or nan came from, if there is one that does harm."""
    not_settled: int = 0
    """How many values, contributions and sums these are."""
    float32: str | None = None
    """The first name that is finite, and in float32 would not be."""
    seconds: float = 0.0
    """What it has taken."""

    @property
    def ok(self) -> bool:
        """Whether there is nothing to complain of."""
        return not self.complaints

    @property
    def mark(self) -> str:
        """✗ where there is something to complain of, ≟ where torch may have another result."""
        return "✗" if not self.ok else "≟" if self.departures else "✓"


@dataclass(frozen=True, eq=False)
class Bad:
    """A scenario that cannot be read or run."""

    scenario: str
    error: ScenarioError
    seconds: float = 0.0
