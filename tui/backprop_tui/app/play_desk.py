"""The desk that lets steps run by themselves, at the session's rate."""

from __future__ import annotations

from backprop_tui.app.desk import Desk, Host, Timer
from backprop_tui.session.moving import is_playing, tick
from backprop_tui.session.session import Session


class PlayDesk(Desk):
    """Has a timer while the session plays."""

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self.timer: Timer | None = None
        self._rate: float = 0

    def follow(self, session: Session | None) -> None:
        """Tick at the rate of the session, or not at all."""
        rate = session.rate if session is not None and is_playing(session) else 0
        if rate != self._rate:
            self._rate = rate
            if self.timer is not None:
                self.timer.stop()
            self.timer = self._host.set_interval(1 / rate, self.tick) if rate else None

    def tick(self) -> None:
        """One step."""
        if self._host.session is not None:
            self._host.session = tick(self._host.session)
