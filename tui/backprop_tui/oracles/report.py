"""What the torch oracle answers: its own values, contributions and gradients for our trace.

Keys are ours: nodes, steps and passes carry the numbers they have in the trace, so a consumer
looks up the thing it is showing. Whether two numbers agree is the affair of
`backprop_tui.oracles.torch.agreement`; nothing here is a judgement.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, Self, TypeVar

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.basics.values import Value
from backprop_engine.trace import Missing


@dataclass(frozen=True, eq=False, slots=True)
class Joint:
    """Contributions that torch only tells as one sum.

    When a node has the same operand twice and torch computes it with several autograd nodes,
    the edges cannot be told apart; `contribution` is what all of `steps` send together.
    """

    steps: tuple[int, ...]
    contribution: Value


@dataclass(frozen=True, slots=True)
class Surplus:
    """A contribution from `node` to `operand` that torch made and our trace has no step for."""

    pass_index: int
    node: int
    operand: int


@dataclass(frozen=True, eq=False)
class TorchReport:
    """One trace as torch ran it."""

    version: str
    """Torch's version, such as `2.13.0+cpu`."""
    values: Mapping[int, Value]
    """Node → its value."""
    grad_fns: Mapping[int, str]
    """Node → the class name of its `grad_fn`, empty where that is None."""
    contributions: Mapping[int, Value]
    """Step → what was sent in it, the seed included; steps in `joints` are not here."""
    joints: Mapping[int, Joint]
    """Step → the joint it is part of, for the few contributions known only as a sum."""
    totals: Mapping[int, Value]
    """Step → the receiver's running sum after it; inside a joint only at its last step."""
    gradients: Mapping[int, Mapping[int, Value]]
    """Pass → node → the node's gradient, complete, as torch's own hook saw it."""
    grads: Mapping[int, Mapping[int, Value | None]]
    """Pass → `.grad` of each input that requires grad, once the pass is done."""
    surplus: tuple[Surplus, ...] = ()
    """What torch sent and our trace did not."""


Report = TypeVar("Report")
"""What an oracle reports: torch a TorchReport, and each other one its own."""


@dataclass(frozen=True, slots=True)
class Starting:
    """The oracle has not answered yet."""


@dataclass(frozen=True, slots=True)
class Ready(Generic[Report]):
    """The oracle has answered."""

    report: Report


@dataclass(frozen=True, slots=True)
class Failed:
    """The oracle cannot answer: why, and what a person can do; both are whole sentences."""

    reason: str
    remedy: str
    is_late: bool = False
    """Whether it was given up because it took too long."""
    is_final: bool = False
    """Whether asking again would change nothing."""

    @classmethod
    def without(cls, missing: Missing) -> Self:
        """It cannot for want of something that it will not have the next time either."""
        return cls(_sentence(missing.reason), _sentence(missing.instead), is_final=True)

    @property
    def sentences(self) -> str:
        """The reason, then the remedy."""
        return f"{self.reason} {self.remedy}".strip()


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:].rstrip('.')}." if words else ""


OracleState = Starting | Ready[TorchReport] | Failed
"""Where torch stands."""
