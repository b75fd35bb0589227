"""What can be asked of the producer of a trace, beyond its data.

`trace.can(Explains)` gives the ability, or `Missing`, which says why there is none and what to do
instead. A recording may have an ability for some nodes only: `trace.can(Explains, node)`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.values import Value
from backprop_engine.trace.formula import Formula

if TYPE_CHECKING:
    from backprop_engine.trace.parts import Pass
    from backprop_engine.trace.trace import Trace

Ability = TypeVar("Ability")


@dataclass(frozen=True, slots=True)
class Missing:
    """An ability that is not there."""

    reason: str
    """In plain words: `x is an input: nothing was computed that could be opened`."""
    instead: str = ""
    """What to do instead."""
    summary: str = ""
    """The reason in few words, the same for all of a kind."""

    @property
    def sentence(self) -> str:
        """Both, for a notice."""
        return f"{self.reason}; {self.instead}" if self.instead else self.reason


class MissingError(ValueError):
    """An ability is needed and not there."""

    def __init__(self, missing: Missing) -> None:
        super().__init__(missing.sentence)
        self.missing = missing


class Producer(Protocol):
    """Who made a trace."""

    def ability(self, trace: Trace, ability: type[Any], node: int | None) -> Any:
        """An `ability`, for `node` where that is given; or `Missing`, why there is none."""


class Explains(Protocol):
    """How nodes are made and what they send, in mathematics and in words."""

    def output(self, node: int) -> Formula:
        """How `node` is made of its operands."""

    def local(self, node: int, position: int) -> Formula | None:
        """∂node/∂operand; None where elements mix, and it is a Jacobian."""

    def product(self, node: int, position: int) -> Formula | None:
        """The vector-Jacobian product, of the upstream gradient; None where `local` tells it."""

    def words(self, node: int) -> str:
        """What the operation does: `the sine of the angle`."""

    def why(self, node: int, position: int) -> str:
        """One plain sentence on why the derivative is so."""


class Quotes(Protocol):
    """What the author of a derivative has written of it, where there is no formula."""

    @property
    def source(self) -> str:
        """Where that stands."""

    def text(self, node: int, position: int) -> str:
        """What `node` sends, as it stands there; `grad` is the upstream gradient."""


class Recomputes(Protocol):
    """What a node sends, once more, for another upstream gradient than the recorded one."""

    def send(self, node: int, position: int, upstream: Value) -> Value:
        """Upstream × local, in the shape of the operand. Raises ArithmeticError or ValueError
        where that cannot be computed.
        """

    def terms(self, node: int, position: int, upstream: Value) -> Value:
        """The same before it is summed over the axes that the operand was broadcast along."""

    def is_by_element(self, node: int) -> bool:
        """Whether each element of `node` is made of one element of each operand."""


class Reruns(Protocol):
    """The whole run once more, with other values of leaves."""

    seconds: float
    """How long it takes, about."""

    def run(
        self,
        changed: Mapping[int, Value] | None = None,
        is_unwanted: Callable[[], bool] | None = None,
    ) -> Trace:
        """The trace with the values in `changed`, by node, in place of those of leaves.

        Raises ScenarioError where an operation cannot take what reaches it, and StoppedError soon
        after it `is_unwanted`.
        """


class Opens(Protocol):
    """An operation as a trace of its own, made of its parts."""

    def together(self, node: int) -> Collection[int]:
        """The nodes that send in one step with `node`: all results of its call."""

    def open(self, node: int, pass_: Pass | None) -> Trace:
        """The parts, run forward and, where `pass_` has an upstream gradient for the node, back
        from it. The inputs of the trace are the operands in their order.
        Raises ScenarioError where the parts cannot take these operands.
        """


class Spells(Protocol):
    """What operations are called."""

    @property
    def operations(self) -> Collection[str]:
        """Every name that may be meant, whether it is at work here or not."""

    def operation(self, written: str) -> str | None:
        """The operation that a name or a sign (`*`) means; None where it means none."""
