"""The prompt for a search: each letter typed shows the first match at once."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from textual import on
from textual.binding import Binding
from textual.content import Content
from textual.widgets import Input

from backprop_tui.screens.prompt import Prompt
from backprop_tui.session.search.searching import position, search_for
from backprop_tui.session.session import Session
from backprop_tui.view.messages import Changed
from backprop_tui.view.text import fit
from backprop_tui.view.view import Following, View

_HINT = "a name, an operation, an expression, or grad > 1, value < 0, isnan(grad)"


class SearchPrompt(Following, Prompt):
    """Searches as one types; enter keeps the match, escape goes back to where one was."""

    TOPIC: ClassVar = "search"
    TELLS: ClassVar = "found"
    BINDINGS: ClassVar = [Binding("escape", "give_up", "close", show=False)]

    def __init__(self, view: View) -> None:
        super().__init__(view, "Search ", "name, operation, grad > 1")
        self._before = view.session

    def on_mount(self) -> None:
        """Say what may be searched for."""
        self._say(_HINT)

    def show(self, view: View) -> None:
        """Tell what `view`, the session as it is by now, says of the search."""
        self._view = view
        if self._text.strip():
            further = " · enter keeps it, then ] and [ go on" if position(view.session) else ""
            self._say(view.session.notice + further)

    def _say(self, sentence: str) -> None:
        text = self._view.say(sentence)
        # A layout would draw all screens anew.
        self.tell(Content(fit(text, max(self.size.width - 2, 1))), layout=False)

    @on(Input.Changed)
    def _preview(self, event: Input.Changed) -> None:
        before, self._text = self._before, event.value
        text = event.value
        if not text.strip():
            self._say(_HINT)

        def look(session: Session) -> Session:
            session = _as_before(session, before)
            return search_for(session, text, before.row) if text.strip() else session

        self.post_message(Changed(look))

    @on(Input.Submitted)
    def _keep(self, event: Input.Submitted) -> None:
        if event.value.strip():
            self.dismiss(None)
        else:
            self.action_give_up()

    def action_give_up(self) -> None:
        """Leave everything as it was."""
        self.dismiss(lambda session: _as_before(session, self._before))


def _as_before(session: Session, before: Session) -> Session:
    there = replace(session, folds=before.folds, unfolds=before.unfolds, notice="")
    return replace(there, selected=before.selected, search=before.search)
