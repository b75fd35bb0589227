"""What is known of the traces that are open: the scenario's, and those inside of it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from backprop_engine.reading.autopsy.report import Autopsy
from backprop_engine.trace import Trace
from backprop_tui.oracles.report import Failed, OracleState
from backprop_tui.oracles.sympy.report import SymbolicState
from backprop_tui.oracles.torch.agreement import Agreement


@dataclass
class Findings:
    """By trace what its oracles have answered and its autopsy; nothing where that is to come."""

    asked: set[Trace] = field(default_factory=set)
    """The traces that torch has been asked about."""
    torch: dict[Trace, OracleState] = field(default_factory=dict)
    agreements: dict[Trace, Agreement | None] = field(default_factory=dict)
    autopsies: dict[Trace, Autopsy | Failed | None] = field(default_factory=dict)
    formulas: dict[Trace, SymbolicState] = field(default_factory=dict)

    def keep(self, traces: Collection[Trace]) -> None:
        """Forget all but `traces`."""
        self.asked &= set(traces)
        for known in (self.torch, self.agreements, self.autopsies, self.formulas):
            for gone in set(known) - set(traces):
                del known[gone]
