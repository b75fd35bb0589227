"""An oracle for those who want none."""

from __future__ import annotations

from backprop_engine.trace import Trace
from backprop_tui.oracles.report import Failed


class SwitchedOff:
    """Answers at once that nothing is compared."""

    def ask(self, trace: Trace) -> Failed:
        """The reason."""
        del trace
        return Failed(
            "PyTorch is not asked.",
            "The configuration file says `torch = false`; `true` asks it.",
            is_final=True,
        )

    def close(self) -> None:
        """Nothing runs."""
