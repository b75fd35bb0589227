"""The timeline: passes as segments, how far the cursor has come, and over it losses as signs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import groupby, pairwise
from typing import NamedTuple

from textual import events
from textual.content import Content

from backprop_engine.basics import notation
from backprop_engine.basics.dataclass import dataclass
from backprop_engine.reading.losses import Losses, losses_at
from backprop_engine.trace import Pass
from backprop_tui.session.moving import is_playing, mark_columns
from backprop_tui.session.session import jump
from backprop_tui.session.stops.continuing import tick_columns
from backprop_tui.view.messages import Changed
from backprop_tui.view.text import left, printable
from backprop_tui.view.view import View
from backprop_tui.widgets.sparing import Drawn

_LEAST_BAR = 4
_GAP = 2
_TICK = "┃"


@dataclass(frozen=True, slots=True)
class Segment:
    """A bar for the steps `start` up to `stop`, in the columns `left` up to `right`."""

    label: str
    start: int
    stop: int
    left: int
    right: int

    @property
    def label_column(self) -> int:
        """Where the label starts; the bar itself where there is none."""
        return self.left - len(self.label) - 1 if self.label else self.left

    def column(self, cursor: int) -> int:
        """How many of its columns are done at `cursor`."""
        steps, width = self.stop - self.start, self.right - self.left
        done = max(0, min(cursor - self.start, steps))
        if not steps:
            return width if cursor >= self.stop else 0
        # A bar is full when its last step is done, and not before.
        return width if done == steps else min(done * width // steps, width - 1)

    def cursor(self, column: int) -> int:
        """The cursor that a click on `column` means: its left end is the start."""
        width = max(self.right - self.left - 1, 1)
        return self.start + round((self.stop - self.start) * (column - self.left) / width)


def lay_out(passes: Sequence[Pass], width: int) -> list[Segment]:
    """Labelled bars in `width` columns, as long as their passes; one bar where many don't fit."""
    shown = [pass_ for pass_ in passes if pass_.stop > pass_.start]
    if not shown:
        return []
    labels = [printable(pass_.name) for pass_ in shown]
    gaps = _GAP * (len(shown) - 1)
    room = width - sum(len(text) + 1 for text in labels) - gaps
    if room >= _LEAST_BAR * len(shown):
        return _place(shown, labels, room, 0)
    # Too many for all their labels: the timeline then names the pass of the moment on the left.
    indent = min(max(map(len, labels)) + 1, width // 3)
    room = width - indent - gaps
    if room >= _LEAST_BAR * len(shown):
        return _place(shown, [""] * len(shown), room, indent)
    return [Segment("", shown[0].start, shown[-1].stop, indent, width)]


def _place(passes: Sequence[Pass], labels: Sequence[str], room: int, indent: int) -> list[Segment]:
    spare = room - _LEAST_BAR * len(passes)
    total = sum(pass_.stop - pass_.start for pass_ in passes)
    edges, steps = [0], 0
    for pass_ in passes:
        steps += pass_.stop - pass_.start
        edges.append(round(spare * steps / total))
    segments, at = [], indent
    for pass_, label, (before, after) in zip(passes, labels, pairwise(edges), strict=True):
        at += len(label) + 1 if label else 0
        stop = at + _LEAST_BAR + after - before
        segments.append(Segment(label, pass_.start, pass_.stop, at, stop))
        at = stop + _GAP
    return segments


class Timeline(Drawn):
    """One line; a click jumps."""

    def _way(self) -> str:
        """Which way the steps run by themselves; blank where they do not, so that nothing moves."""
        session = self.view.session
        if session.play is None or not is_playing(session):
            return "  "
        return "▶▶" if session.play.forward else "◀◀"

    def _segments(self, view: View) -> list[Segment]:
        count = len(view.session.trace)
        position = 2 * len(f"{count:,}") + 3 + len(self._way())
        return lay_out(view.session.trace.passes, max(self.size.width - position, 1))

    def render(self) -> Content:
        """Labels, bars and the position."""
        session = self.view.session
        cursor, count = session.cursor, len(session.trace)
        parts: list[tuple[str, str]] = []
        at = 0
        for segment in self._segments(self.view):
            is_current = segment.start <= cursor < segment.stop
            parts.append((" " * (segment.label_column - at), ""))
            if not at and not segment.label:
                name = printable(session.trace.passes[session.trace.pass_index(cursor)].name)
                parts = [(left(name, segment.left), "bold")]
            if segment.label:
                parts.append((segment.label + " ", "bold" if is_current else "$foreground-muted"))
            parts += self._bar(segment, is_current=is_current)
            at = segment.right
        position = f"{cursor:,}/{count:,}".rjust(max(self.size.width - at - 3, 0))
        parts.append((f" {self._way()}" + position, "bold"))
        return Content.assemble(*parts)

    def _bar(self, segment: Segment, *, is_current: bool) -> list[tuple[str, str]]:
        """Done and to come; a tick wherever continuing would stop, and the letters of marks."""
        session = self.view.session
        done, width = segment.column(session.cursor), segment.right - segment.left
        signs = [("━", "$primary")] * done + [("─", "$foreground-disabled")] * (width - done)
        if is_current and done < width:
            signs[done] = ("╸", "$primary")
        for column in tick_columns(session, segment.start, segment.stop, width):
            signs[column] = (_TICK, "bold $error")
        if self.view.fault is not None and segment.start <= self.view.fault.start < segment.stop:
            column = min(segment.column(self.view.fault.start), width - 1)
            signs[column] = (self.view.glyphs.spoilt, "bold $error")
        for column, letter in mark_columns(session, segment.start, segment.stop, width).items():
            signs[column] = (letter, "bold $warning")
        return [(sign * len(list(run)), style) for (sign, style), run in groupby(signs)]

    def on_click(self, event: events.Click) -> None:
        """Tell which place was clicked; a label is the start of its pass."""
        place = event.get_content_offset(self)
        if place is None:
            return
        for segment in reversed(self._segments(self.view)):
            if place.x >= segment.label_column:
                column = max(segment.left, min(place.x, segment.right - 1))
                self.post_message(Changed(partial(jump, cursor=segment.cursor(column))))
                return


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
