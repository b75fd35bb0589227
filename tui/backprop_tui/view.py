"""What the panes are given to draw: one frozen picture of everything that can change."""

from __future__ import annotations

from dataclasses import dataclass

from backprop_tui.glyphs import Glyphs
from backprop_tui.oracle.agreement import Agreement
from backprop_tui.oracle.report import OracleState
from backprop_tui.session import Session


@dataclass(frozen=True, eq=False)
class View:
    """A session and what torch says about its trace."""

    session: Session
    oracle: OracleState
    agreement: Agreement | None
    """Torch's report compared with the trace; None until the oracle is ready."""
    glyphs: Glyphs

    def mark(self, comparison: object) -> str:
        """✓, ✗ or … for a comparison; blank where there is nothing to compare."""
        if self.agreement is None:
            return self.glyphs.waiting if self.is_waiting else ""
        if comparison is None:
            return ""
        return self.glyphs.agrees if getattr(comparison, "agrees", False) else self.glyphs.disagrees

    @property
    def is_waiting(self) -> bool:
        return type(self.oracle).__name__ == "Starting"
