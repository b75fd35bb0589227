"""Whether torch agrees with our trace, for every value, contribution and gradient.

    agreed = agreement(trace, report)        # once, in the worker that got the report
    agreed.contribution(step)                # → Comparison(agrees, ulp, difference), or None
"""

from __future__ import annotations

from dataclasses import dataclass

from backprop_engine.compare import Comparison
from backprop_engine.trace import Trace
from backprop_engine.values import Value
from backprop_tui.oracle.report import TorchReport


@dataclass(frozen=True, eq=False)
class Agreement:
    """Every answer is a Comparison of ours with torch's; None where there is nothing to compare."""

    trace: Trace
    report: TorchReport

    def value(self, node: int) -> Comparison | None:
        """The value of `node`."""

    def contribution(self, step: int) -> Comparison | None:
        """What step `step` sends (a seed too); a joint is compared as the sum it is."""

    def total(self, step: int) -> Comparison | None:
        """The receiver's running sum after step `step`."""

    def step(self, step: int) -> Comparison | None:
        """The result of step `step`: a value in the forward pass, else a contribution."""

    def gradient(self, node: int, cursor: int) -> Comparison | None:
        """The gradient of `node` as of `cursor`, as `trace.gradient(node, cursor)` shows it."""

    def torch_gradient(self, node: int, cursor: int) -> Value | None:
        """Torch's gradient of `node` as of `cursor`."""

    def grad(self, node: int, cursor: int) -> Comparison | None:
        """`.grad` of an input as of `cursor`, as `trace.grad(node, cursor)` shows it."""

    def torch_grad(self, node: int, cursor: int) -> Value | None:
        """Torch's `.grad` of an input as of `cursor`."""


def agreement(trace: Trace, report: TorchReport) -> Agreement:
    """Compare the whole trace with torch's report, in one sweep."""
    raise NotImplementedError
