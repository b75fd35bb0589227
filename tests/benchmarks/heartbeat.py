"""The debugger on a lesson, which looks at the clock all the time until torch has answered."""

from __future__ import annotations

import time
from pathlib import Path

import backprop_tui.app.app
from backprop_tui.app.app import DebuggerApp
from backprop_tui.oracles.report import Ready, Starting

BEAT = 0.005
"""Seconds between two looks at the clock."""


class Heartbeat(DebuggerApp):
    """Notes the longest time in which the event loop did nothing for us."""

    CSS_PATH = str(Path(backprop_tui.__file__).with_name("styles") / "backprop.tcss")
    worst = 0.0
    beats = 0

    def on_ready(self) -> None:
        """Begin when the first frame is there; to make it is what somebody waits for before."""
        self.call_after_refresh(self._begin)

    def _begin(self) -> None:
        self._last = time.monotonic()
        self.set_interval(BEAT, self._beat)

    def _beat(self) -> None:
        now = time.monotonic()
        self.beats += 1
        self.worst = max(self.worst, now - self._last - BEAT)
        self._last = now
        if not isinstance(self.oracles.findings.torch, Starting):
            self.exit()


if __name__ == "__main__":
    app = Heartbeat(Path("scenarios/basic.yaml"))
    app.run()
    if not app.beats:
        raise SystemExit("the clock was never looked at")
    if not isinstance(app.oracles.findings.torch, Ready):
        raise SystemExit(f"torch has not answered: {app.oracles.findings.torch}")
    print(f"worst stall: {app.worst * 1000:.0f} ms")
