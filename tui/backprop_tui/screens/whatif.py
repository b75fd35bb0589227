"""The prompt for another value, and the table of what the original and the current values give."""

from __future__ import annotations

from functools import partial
from typing import ClassVar

import numpy as np
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, Static

from backprop_engine.basics.source import Problem, Span
from backprop_engine.basics.values import Value, in_full
from backprop_tui.screens.box import FollowingBox, titled
from backprop_tui.screens.prompt import ExpressionPrompt
from backprop_tui.session.session import Change
from backprop_tui.session.whatif import editing
from backprop_tui.session.whatif.comparing import Row, rows
from backprop_tui.session.whatif.parsing import parse_edit
from backprop_tui.view.messages import Changed
from backprop_tui.view.text import figure, left, right
from backprop_tui.view.view import Following, View
from backprop_tui.widgets.keys import HELP
from backprop_tui.widgets.pane import Scroll

_MOST_WRITTEN = 24
"""Elements of an array that the prompt writes out."""
_MOST_ROWS = 500
_FIGURE, _LEAST_FIGURE, _NAME = 24, 8, 28
_FRAME = 8
_EXAMPLES = "x = 3, W[0,1] = 2.5, W = [[1, 2], [3, 4]]"
_KEYS = "u undo · U reset all · ? help · esc closes"


class EditPrompt(Following, ExpressionPrompt):
    """Another value for the selected leaf, or for any that is named; stays where it is refused."""

    TOPIC: ClassVar = "edit"
    HINT = (
        f"a value for the selected input, or {_EXAMPLES}\n"
        "numbers as in -0.5, 1e-3, nan, inf; all is run again, and the step stays"
    )

    def __init__(self, view: View) -> None:
        session = view.session
        trace, node = session.trace, session.node
        self._leaf = node if trace.is_leaf(node) else None
        text, question = "", "Edit "
        if self._leaf is not None:
            text = written(in_full(trace.nodes.value[node]))
            kind = "" if node in trace.nodes.names else "constant "
            question = view.say(f"{kind}{trace.label(node)} = ")
        super().__init__(view, question, _EXAMPLES, text)
        self._is_answered = False

    def read(self, text: str) -> Change:
        """The edit."""
        return partial(editing.edit, change=parse_edit(text, self._view.session.trace, self._leaf))

    def answer(self, change: Change) -> None:
        """Have it run, and see what comes of it."""
        self._is_answered = True
        self.post_message(Changed(change))

    def show(self, view: View) -> None:
        """Leave, once it is run or still runs; or tell why it cannot be run."""
        before, whatif = self._view.session.whatif, view.session.whatif
        self._view = view
        if not self._is_answered or whatif is before:
            return
        self._is_answered = False
        if whatif.refusal:
            text = self.query_one(Input).value
            self.tell_problem(Problem(whatif.refusal, Span(0, len(text))))
        else:
            self.dismiss(None)


def written(value: Value) -> str:
    """A value as one types it; empty for an array that is too long to."""
    if not isinstance(value, np.ndarray):
        return str(value.item() if isinstance(value, np.generic) else value)
    return str(value.tolist()) if value.size <= _MOST_WRITTEN else ""


class WhatIfScreen(FollowingBox):
    """A line for each name: what the scenario's values give, and what the edited ones do."""

    TOPIC: ClassVar = "what-if"
    BINDINGS: ClassVar = [
        HELP,
        Binding("escape,q,v", "dismiss(None)", "close", show=False),
        Binding("u", "change('undo')", "undo", show=False),
        Binding("U", "change('reset_all')", "reset all", show=False),
    ]

    def __init__(self, view: View) -> None:
        super().__init__(view)
        self._opened_with = view.session

    def compose(self) -> ComposeResult:
        """The table, and under it what the last key came to."""
        with titled(Vertical(id="what-if"), "What if", self._view.glyphs.text(_KEYS)):
            with Scroll():
                yield Static(id="what-if-table")
            yield Static(id="what-if-notice")

    def draw(self) -> None:
        """Draw the table in columns that fit the width."""
        view = self._view
        width = max(min(self.app.size.width, 104) - _FRAME, 30)
        lines = Content("\n").join(what_if_lines(view, width))
        self.query_one("#what-if-table", Static).update(lines)
        session = view.session
        is_of_another = session is self._opened_with and not session.whatif.values
        notice = "" if is_of_another else view.say(session.notice)
        self.query_one("#what-if-notice", Static).update(Content.styled(notice, "bold $warning"))

    def action_change(self, name: str) -> None:
        """Undo or reset."""
        changes = {"undo": editing.undo, "reset_all": editing.reset_all}
        self.post_message(Changed(changes[name]))


def what_if_lines(view: View, width: int) -> list[Content]:
    """The table's lines, at most `width` cells wide."""
    session, text = view.session, view.glyphs.text
    if not session.whatif.values:
        return [
            Content.styled("All values are the scenario's own.", "bold"),
            Content(),
            Content("Select an input in the graph: e gives it another value, + and - nudge it."),
        ]
    name = min(_NAME, width // 3)
    room = max(min((width - name - 5) // 2, _FIGURE), _LEAST_FIGURE)
    head = f"{'':{name}}  {right('original', room)}   {right('current', room)}"
    lines = [Content.styled(head, "$foreground-muted")]
    found = rows(session)
    lines += [_line(view, row, name, room) for row in found[:_MOST_ROWS]]
    if len(found) > _MOST_ROWS:
        lines.append(Content(text(f"… and {len(found) - _MOST_ROWS:,} more")))
    return lines


def _line(view: View, row: Row, name: int, room: int) -> Content:
    glyphs = view.glyphs
    values = (row.original, row.current)
    texts = ["–" if value is None else figure(value, room) for value in values]
    if row.is_changed and texts[0] == texts[1]:  # rounded as in the graph they look the same
        texts = ["–" if value is None else figure(value, room, full=True) for value in values]
    original, current = (right(glyphs.text(text), room) for text in texts)
    mark = f" {glyphs.changed} " if row.is_changed else "   "
    style = "bold $warning" if row.is_changed else ""
    label = left(glyphs.say(row.name), name)
    return Content.assemble(
        (label, "bold" if row.is_edited else ""),
        (f"  {original}", "$foreground-muted"),
        (f"{mark}{current}", style),
    )
