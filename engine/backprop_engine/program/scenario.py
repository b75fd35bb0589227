"""A scenario as data: everything its text says, checked for form but not yet run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import ClassVar

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.source import Source, Span
from backprop_engine.basics.values import Dtype, Value
from backprop_engine.grammar.syntax import Computing, Expression, Name

DEFAULT_TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True)
class Input:
    """A named leaf; `span` is its name in the source."""

    name: str
    value: Value
    requires_grad: bool
    span: Span


@dataclass(frozen=True, slots=True)
class Backward:
    """`backward()` of a value, with the `gradient` argument where one is given."""

    output: str
    """Its name, with a version where one is meant; its text where it has no name."""
    gradient: Value | None
    span: Span
    expression: Expression | None = None
    """The output, where the program itself says `y.backward()`."""
    vector: Expression | None = None
    """The value that is the `gradient`, in place of one written out."""
    retains: bool = True
    """Whether the values that derivatives need are kept for a further pass."""
    detects_anomaly: bool = False
    """Whether a nan on the way back ends it, as after `set_detect_anomaly(True)`."""

    @property
    def is_call(self) -> bool:
        """Whether the program itself says so."""
        return self.expression is not None

    names: ClassVar[tuple[Name, ...]] = ()
    """It assigns none."""


@dataclass(frozen=True, slots=True)
class Retain:
    """`h.retain_grad()`: the `.grad` of `name` is kept though it is no leaf."""

    name: str
    span: Span
    names: ClassVar[tuple[Name, ...]] = ()
    """It assigns none."""


@dataclass(frozen=True, slots=True)
class ZeroGrad:
    """`zero_grad`: `.grad` of every input becomes None.

    With `name` only that one's: zeros by `x.grad.zero_()`, None by `x.grad = None`.
    """

    span: Span
    name: str | None = None
    to_none: bool = False
    names: ClassVar[tuple[Name, ...]] = ()
    """It assigns none."""


Running = Computing | Backward | Retain | ZeroGrad
"""What happens when a program runs, from top to bottom."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a scenario says a name's value, or a leaf's `.grad`, comes out as.

    Holds where |a - b| ≤ tolerance · max(1, |b|), element by element; a `value` of None means
    that there is no `.grad`.
    """

    name: str
    is_grad: bool
    value: Value | None
    tolerance: float
    span: Span


@dataclass(frozen=True, slots=True)
class Hint:
    """A sentence for the node of a name; `span` is the name in the source."""

    text: str
    span: Span


@dataclass(frozen=True, slots=True)
class Scenario:
    """A program with its inputs, the passes to run, and what should come out."""

    source: Source
    inputs: tuple[Input, ...]
    statements: tuple[Running, ...]
    passes: tuple[Backward | ZeroGrad, ...]
    """Those among the statements; where there are none, what follows them."""
    dtype: Dtype = "float64"
    default_dtype: Dtype | None = None
    """What torch gives to floats that are made of whole numbers; None for `dtype`."""
    title: str = ""
    about: str = ""
    expectations: tuple[Expectation, ...] = ()
    expected_error: str | None = None
    """A lesson whose point is an error: some of its message."""
    hints: Mapping[str, Hint] = field(default_factory=dict)
    disagrees: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """For an input, the oracles known to give another gradient here."""
    tensors: Mapping[Expression, Value] = field(default_factory=dict)
    """What the calls that write a tensor out, such as `torch.ones(3)`, stand for."""
    is_program: bool = False
    """Whether it was written for Python: a bare `sum` or `max` is Python's own then."""
    changes_in_place: bool = False
    """Whether something in it changes a tensor in place."""
    note: str = ""
    """What is to be told of random numbers that torch would not draw."""

    @property
    def called(self) -> tuple[Backward | ZeroGrad, ...]:
        """The passes that the program runs itself."""
        return tuple(
            statement for statement in self.statements if isinstance(statement, Backward | ZeroGrad)
        )
