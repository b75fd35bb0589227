"""The prompt for a search: each letter typed shows the first match at once."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Label

from backprop_tui.screens.following import Following
from backprop_tui.session.search.searching import position, search_for
from backprop_tui.session.session import Change, Session
from backprop_tui.view.messages import Changed
from backprop_tui.view.text import fit, printable
from backprop_tui.view.view import View
from backprop_tui.widgets.keys import PROMPT_HELP

_HINT = "a name, an operation, an expression, or grad > 1, value < 0, isnan(grad)"


class SearchPrompt(Following, ModalScreen[Change | None]):
    """Searches as one types; enter keeps the match, escape goes back to where one was."""

    TOPIC: ClassVar = "search"
    BINDINGS: ClassVar = [PROMPT_HELP, Binding("escape", "give_up", "close", show=False)]

    def __init__(self, view: View) -> None:
        super().__init__()
        self._before = view.session
        self._view = view
        self._text = ""

    def compose(self) -> ComposeResult:
        """The prompt; under it how many matches there are."""
        with Vertical(id="prompt"):
            with Horizontal():
                yield Label("Search ")
                yield Input(placeholder="name, operation, grad > 1", compact=True)
                yield Label("  F1 help", classes="aside")
            yield Label(id="found")

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
        text = self._view.glyphs.text(printable(sentence))
        line = Content(fit(text, max(self.size.width - 2, 1)))
        self.query_one("#found", Label).update(line, layout=False)  # it would draw all screens anew

    @on(Input.Changed)
    def _preview(self, event: Input.Changed) -> None:
        before, self._text = self._before, event.value
        text = event.value
        if not text.strip():
            self._say(_HINT)

        def look(session: Session) -> Session:
            return search_for(_as_before(session, before), text, before.row)

        self.post_message(Changed(look if text.strip() else lambda one: _as_before(one, before)))

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
    return replace(
        session,
        selected=before.selected,
        folds=before.folds,
        unfolds=before.unfolds,
        search=before.search,
        notice="",
    )
