"""The loss by iteration, above the timeline: a sign a column, and a click goes there."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

from textual import events
from textual.content import Content

from backprop_engine.basics import notation
from backprop_engine.reading.losses import Losses, losses_at
from backprop_tui.session.session import jump
from backprop_tui.view.messages import Changed
from backprop_tui.view.view import View
from backprop_tui.widgets.sparing import Drawn

_LEAST = 8
"""Columns below which nothing is drawn."""


class Columns(NamedTuple):
    """The losses in columns from `left` on; each has the same room, or every so many one."""

    left: int
    width: int
    losses: int

    def loss(self, column: int) -> int:
        """The loss that stands in a column of the line."""
        inside = min(max(column - self.left, 0), self.width - 1)
        return inside * self.losses // self.width

    def span(self, loss: int) -> tuple[int, int]:
        """The columns, from 0, in which a loss stands: at least one."""
        first = -(-loss * self.width // self.losses)
        stop = -(-(loss + 1) * self.width // self.losses)
        return min(first, self.width - 1), max(stop, min(first, self.width - 1) + 1)


class LossLine(Drawn):
    """One line, where several passes start from a loss; else nothing."""

    def on_mount(self) -> None:
        """Take no place where nothing is to be drawn."""
        self.display = losses_at(self.view.session.trace, 0) is not None

    def show(self, view: View) -> None:
        """Draw `view`."""
        self.display = losses_at(view.session.trace, view.session.cursor) is not None
        super().show(view)

    def _drawn(self) -> tuple[Losses, str, Columns] | None:
        """The losses, the words before them, and their columns; None where there is no room."""
        session = self.view.session
        losses = losses_at(session.trace, session.cursor)
        if losses is None:
            return None
        at = losses.at(session.cursor)
        value = losses.values[at]
        figure = "–" if value is None else notation.short(value)
        count = len(losses.values)
        head = self.view.glyphs.say(f"{losses.name} {at + 1}/{count:,}  {figure}") + "  "
        head = head.ljust(len(losses.name) + 2 * len(f"{count:,}") + 14)
        room = self.size.width - len(head)
        width = room if room < count or room < _LEAST else room // count * count
        return (losses, head, Columns(len(head), width, count)) if room >= _LEAST else None

    def render(self) -> Content:
        """The name, which of how many and its value, and the line."""
        drawn = self._drawn()
        if drawn is None:
            return Content("")
        losses, head, columns = drawn
        values = [losses.values[columns.loss(columns.left + at)] for at in range(columns.width)]
        signs = self.view.glyphs.text(notation.blocks(values))
        first, stop = columns.span(losses.at(self.view.session.cursor))
        return Content.assemble(
            (head, "$foreground-muted"),
            (signs[:first], "$primary"),
            (signs[first:stop], "bold $warning"),
            (signs[stop:], "$foreground-muted"),
        )

    def on_click(self, event: events.Click) -> None:
        """Go to where the backward pass of the loss that was clicked begins."""
        place, drawn = event.get_content_offset(self), self._drawn()
        if place is None or drawn is None:
            return
        losses, _, columns = drawn
        if columns.left <= place.x < columns.left + columns.width:
            cursor = losses.cursors[columns.loss(place.x)]
            self.post_message(Changed(partial(jump, cursor=cursor)))
