"""The box that stands on the screen while a command computes, so that nothing seems frozen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Static

from backprop_tui.session.session import Change, Session
from backprop_tui.view.text import printable


class WorkingScreen(ModalScreen[Change | None]):
    """Runs `work` in a thread and is dismissed with its result; escape lets go of it."""

    ENDS_BY_ITSELF: ClassVar = True
    BINDINGS: ClassVar = [Binding("escape", "dismiss(None)", "cancel", show=False)]

    @dataclass
    class Done(Message):
        """The thread has the new session."""

        session: Session

    def __init__(self, what: str, work: Callable[[], Session]) -> None:
        super().__init__()
        self._what = what
        self._work = work

    def compose(self) -> ComposeResult:
        """What is being done, and how to stop waiting for it."""
        with Vertical(id="prompt"):
            yield Static(
                Content.assemble(
                    (printable(self._what), "bold"), (" …  esc cancels", "$foreground-muted")
                )
            )

    def on_mount(self) -> None:
        """Start the thread."""
        self.run_worker(lambda: self.post_message(self.Done(self._work())), thread=True)

    @on(Done)
    def _finish(self, event: Done) -> None:
        self.dismiss(lambda _: event.session)
