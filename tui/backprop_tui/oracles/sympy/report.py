"""What the symbolic oracle answers: functions of the inputs, their derivatives, and figures."""

from __future__ import annotations

from collections.abc import Mapping

from backprop_engine.basics.dataclass import dataclass
from backprop_engine.trace import Missing
from backprop_tui.oracles.report import Failed, Ready, Starting

IN_ARRAYS = "arrays"
"""The summary of why a program with arrays is none for formulas in numbers."""


@dataclass(frozen=True, slots=True)
class Mathematics:
    """An expression in the inputs; both texts are empty where it is too long to be read."""

    text: str = ""
    """`x² + 3x + 1`"""
    latex: str = ""
    """`x^{2} + 3 x + 1`"""


@dataclass(frozen=True, slots=True)
class Partial:
    """The derivative of one output by one input."""

    derivative: Mathematics
    value: float | None
    """At the point, rounded once to float64; None where `reason` says why."""
    nearby: float | None
    """The same at inputs a few roundoffs away, which tells how well it can be known at all."""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Function:
    """One output as a function of the inputs."""

    arguments: tuple[int, ...]
    """The inputs that stand in the expression, as nodes."""
    expression: Mathematics
    value: float | None
    """At the point."""
    partials: Mapping[int, Partial]
    """By input node, for those that require grad and that the output depends on."""
    reason: str = ""
    """Why there is no expression."""


@dataclass(frozen=True, slots=True)
class SymbolicReport:
    """One trace as sympy sees it."""

    version: str
    functions: Mapping[int, Function]
    """By node, for every output of a backward pass."""


@dataclass(frozen=True, slots=True)
class NotAsked:
    """Nobody has wanted to know yet."""


SymbolicAnswer = Ready[SymbolicReport] | Failed | Missing
"""What asking comes to; Missing, in whole sentences, where there is nothing to ask."""

SymbolicState = SymbolicAnswer | NotAsked | Starting
"""Where the symbolic oracle stands."""

NOT_ASKED = NotAsked()
