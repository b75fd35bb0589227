"""The desk that opens the line for an answer whenever a question comes up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.screen import ModalScreen

from backprop_tui.app.desk import Desk
from backprop_tui.session.predicting.answering import later
from backprop_tui.session.session import Session

if TYPE_CHECKING:
    from backprop_tui.app.app import DebuggerApp


class AskingDesk(Desk):
    """Knows whether a question is on the screen."""

    def __init__(self, app: DebuggerApp) -> None:
        super().__init__(app)
        self._app = app
        self._asked: tuple[object, int] | None = None
        """The run and the step that is asked."""

    def follow(self, session: Session | None) -> None:
        """Ask, unless that is asked already."""
        now = None if session is None else session.predicting
        asked = None if now is None or not now.is_asking else (now.examiner, now.reached)
        if asked == self._asked:
            return
        self._asked = asked
        if session is None or now is None or asked is None:
            return
        if isinstance(self._app.screen, ModalScreen):  # as where it plays on under the palette
            self._app.session = later(session)
            return
        from backprop_tui.screens.predict import PredictPrompt

        self._app.push_screen(PredictPrompt(self._app.view_of(session), now), self._app.change)
