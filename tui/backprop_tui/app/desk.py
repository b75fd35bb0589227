"""What the app is made of: desks, each with one business of the session that is open."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Protocol

from backprop_tui.app.soon import Soon
from backprop_tui.session.session import Session


class Timer(Protocol):
    """A call to come."""

    def stop(self) -> None:
        """Let it not come."""


class Host(Protocol):
    """What desks want of the app, or of a test in its place."""

    @property
    def session(self) -> Session | None:
        """What is open. To set it tells every desk."""

    @session.setter
    def session(self, session: Session | None) -> None: ...

    @property
    def soon(self) -> Soon:
        """Where work is left."""

    def say(self, notice: str) -> None:
        """Tell a sentence."""

    def redraw(self) -> None:
        """Draw what desks know by now."""

    def set_timer(self, delay: float, callback: Callable[[], None]) -> Timer:
        """Call in so many seconds."""

    def set_interval(self, interval: float, callback: Callable[[], None]) -> Timer:
        """Call every so many seconds."""


class Desk:
    """One business that goes along with the session. Only the loop calls it."""

    def __init__(self, host: Host) -> None:
        self._host = host

    @abstractmethod
    def follow(self, session: Session | None) -> None:
        """The session is another one, or changed, or none; see to what there is to do for it."""
