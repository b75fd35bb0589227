"""The timeline: every pass as a segment, and how far the cursor has come."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import groupby, pairwise

from textual import events
from textual.content import Content

from backprop_engine.basics.dataclass import dataclass
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
