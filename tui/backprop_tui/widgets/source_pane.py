"""The source pane: the scenario's text, with what the step is about marked in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from typing import ClassVar, Final

import numpy as np
from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding
from textual.content import Content
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from backprop_engine.basics import notation
from backprop_engine.basics.source import Place, Source, Span
from backprop_engine.basics.values import kept, size_of
from backprop_engine.trace import Group, Trace
from backprop_tui.session.session import Session
from backprop_tui.view.covered import covered
from backprop_tui.view.text import fit, printable
from backprop_tui.view.view import Following, View
from backprop_tui.widgets.sparing import Sparing

_TOKEN = re.compile(
    r"(?P<comment>#.*)|(?P<key>^\s*-?\s*[\w.]+(?=:(?:\s|$)))"
    r"|(?P<number>(?<![\w.])\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)"
)
_CONTEXT = 2
"""Lines kept in sight above and below a highlight."""
_MARGIN = 8
"""Columns kept to the left of a highlight that a long line is scrolled to."""
_STYLES: Final = {
    "": "",
    "line number": "$foreground-muted",
    "comment": "$foreground-muted italic",
    "key": "$primary",
    "number": "$foreground",
    "current line": "on $surface",
    "current": "$foreground on $primary-muted bold underline",
}
"""Of the style sheet's own every change of the focus would look up each."""
_VALUE = re.compile(r"[-+]?(?<![\w.])\d+(?:\.\d*)?(?:[eE][+-]?\d+)?(?![\w.])")
_BETWEEN = " ([{,="
"""Signs that words begin behind."""


class SourcePane(Following, Sparing, ScrollView, can_focus=True):
    """The text of the scenario; it follows the step."""

    BINDINGS: ClassVar = [
        Binding("k", "scroll_up", "scroll up", show=False),
        Binding("j", "scroll_down", "scroll down", show=False),
        Binding("h", "scroll_left", "scroll left", show=False),
        Binding("l", "scroll_right", "scroll right", show=False),
    ]

    def __init__(self, view: View) -> None:
        super().__init__(id="source", classes="pane")
        self.view = view
        self._lines: list[str] = []
        self._starts: list[int] = []
        self._source: Source | None = None
        self._is_covered = False
        self._left: dict[str, int] = {}
        """The first line that was in sight of a text when another was turned to."""
        self._current: Span | None = None
        self._groups: tuple[Group, ...] = ()
        """What the title tells."""
        self._trace: Trace | None = None
        self._others: dict[int, str] = {}
        """By line, the value of an input where the text has another: edited, or a seed's."""

    def show(self, view: View) -> None:
        """Draw the file that the step is about, its expression marked and in sight."""
        place = place_of_step(view.session)
        files = view.session.trace.heading.files
        source = (files[0] if files else Source("", "")) if place is None else place.source
        if source is not self._source or view.is_closed != self._is_covered:
            self._is_covered = view.is_closed
            self._turn_to(source)
            self._trace = None
        if view.session.trace is not self._trace:
            self._trace = view.session.trace
            self._others = dict(other_values(self._trace, source))
        self.view = view
        self._current = None if place is None else place.span
        step = view.session.step
        node = None if step is None else step.node
        groups = () if node is None else view.session.trace.nodes.groups(node)
        if groups != self._groups:  # a title that is set is drawn, with all of the pane
            self._groups = groups
            names = ", ".join(group.name for group in groups)
            self.border_title = Content(f"Source · {printable(names)}" if groups else "Source")
        self._reveal()
        self.refresh_changes()

    def _turn_to(self, source: Source) -> None:
        """Begin a text where it was left, or at its top."""
        if self._source is not None:
            self._left[self._source.text] = round(self.scroll_target_y)
        self._source = source
        self._read(source.text)
        self.scroll_to(0, self._left.get(source.text, 0), animate=False, force=True)

    def _read(self, text: str) -> None:
        self._lines = text.split("\n")
        self._starts = [0]
        for line in self._lines[:-1]:
            self._starts.append(self._starts[-1] + len(line) + 1)
        if self._lines[-1] == "":
            self._lines.pop()
        if self._is_covered:
            self._lines = covered(text)[: len(self._lines)]
        widest = max(map(len, self._lines), default=0)
        self.virtual_size = Size(self._gutter + widest + 1, len(self._lines))

    @property
    def _gutter(self) -> int:
        return len(str(len(self._lines))) + 2

    def on_resize(self) -> None:
        """Keep the marked expression in sight."""
        self._reveal()

    def _reveal(self) -> None:
        if self._current is None or self._source is None:
            self.scroll_to(x=0, animate=False, force=True)
            return
        place = self._source.position(self._current.start)
        height = self.scrollable_content_region.height
        if not height:  # hidden, and to be seen again as it was left
            return
        room = self.scrollable_content_region.width - self._gutter
        line, column = place.line - 1, place.column - 1
        first, stop = round(self.scroll_target_y), column + self._current.stop - self._current.start
        margin = min(_CONTEXT, height // 3)
        if not first + margin <= line < first + height - margin:
            first = max(line - height // 2, 0)
        # Lines are read from their start, unless what is marked would be out of sight.
        text = self._lines[line] if line < len(self._lines) else ""
        stop = min(stop, len(text))  # the rest stands in the lines below
        offset = 0 if stop <= room else max(column - _MARGIN, 0)
        self.scroll_to(offset, first, animate=False, force=True)

    def render_line(self, y: int) -> Strip:
        """Line `y` of the pane."""
        width = self.scrollable_content_region.width
        number = y + self.scroll_offset.y
        if number >= len(self._lines):
            return Strip.blank(width, self.rich_style)
        offset = self.scroll_offset.x
        gutter = self._style("line number")
        label = f"{number + 1:>{self._gutter - 2}}  "
        segments = [Segment(label, gutter)]
        segments += self._code(number, offset, width - len(label))
        return Strip(segments).adjust_cell_length(width, self.rich_style)

    def _code(self, number: int, offset: int, width: int) -> list[Segment]:
        """The columns `offset` up to `offset + width` of a line, coloured."""
        line = self._lines[number]
        colours = [""] * min(width, max(len(line) - offset, 0))
        for match in _TOKEN.finditer(line):
            start, stop = max(match.start() - offset, 0), match.end() - offset
            if stop > 0:
                colours[start:stop] = [match.lastgroup or ""] * (min(stop, len(colours)) - start)
        is_current = False
        if self._current is not None:
            first = self._current.start - self._starts[number] - offset
            last = self._current.stop - self._starts[number] - offset
            start, stop = max(first, 0), min(last, len(colours))
            if start < stop:
                is_current = True
                colours[start:stop] = ["current"] * (stop - start)
        return self._segments(number, offset, colours, is_current)

    def _segments(
        self, number: int, offset: int, colours: list[str], is_current: bool
    ) -> list[Segment]:
        text = self._lines[number][offset : offset + len(colours)]
        text = _from_word(text, self._lines[number][offset - 1]) if offset and text else text
        line = "current line" if is_current else ""
        segments = []
        for colour, run in groupby(zip(colours, text, strict=True), key=itemgetter(0)):
            style = self._style(line, colour)
            segments.append(Segment(printable("".join(sign for _, sign in run)), style))
        if len(self._lines[number]) > offset + len(text) and segments:
            last = segments[-1]
            segments[-1] = Segment(last.text[:-1] + "…", last.style)
        used = sum(cell_len(segment.text) for segment in segments)
        if other := self._others.get(number):
            room = self.scrollable_content_region.width - self._gutter - used
            told = fit(f"  {self.view.say(other)}", max(room, 0))
            segments.append(Segment(told, self._style(line, "line number")))
            used += cell_len(told)
        rest = self.scrollable_content_region.width - self._gutter - used
        return [*segments, Segment(" " * max(rest, 0), self._style(line))]

    def _style(self, *names: str) -> Style:
        style = self.visual_style
        for name in names:
            style += self.app.stylesheet.parse_style(_STYLES[name])
        return style.rich_style


def other_values(trace: Trace, source: Source) -> Iterator[tuple[int, str]]:
    """By line, from 0, the values of inputs that are not what `source` has written there."""
    for node in trace.nodes.inputs.values():
        place, value = trace.nodes.place(node), kept(trace.nodes.value[node])
        if place is None or value is None or place.source.text != source.text:
            continue
        begin = source.text.rfind("\n", 0, place.span.start) + 1
        if source.text.startswith("#", begin):  # inside of an operation inputs stand in a comment
            continue
        line = source.text[place.span.stop :].partition("\n")[0]
        written = [float(number) for number in _VALUE.findall(line.partition(" #")[0])]
        # What is written in other ways, on more lines or for other inputs too, is not compared.
        if len(written) == size_of(value) and not np.allclose(np.ravel(value), written):
            yield place.position.line - 1, f"≠ {notation.short(value)}"


def _from_word(text: str, before: str) -> str:
    """The rest of a line that is scrolled: of a word that began out of sight nothing is shown."""
    cut = next((at for at, sign in enumerate(text) if sign in _BETWEEN), 0)
    cut = 0 if before in _BETWEEN or cut > _MARGIN else cut
    return "…" + " " * cut + text[cut + 1 :]


def step_line(session: Session) -> int:
    """The line, from 1, of what the step about to run is about; else of the selected node."""
    place = place_of_step(session) or session.trace.nodes.place(session.node)
    return 1 if place is None else place.position.line


def place_of_step(session: Session) -> Place | None:
    """What in a file the step about to run is about: the node at work, the pass's output."""
    step = session.step
    node = None if step is None else step.node
    return None if node is None else session.trace.nodes.place(node)
