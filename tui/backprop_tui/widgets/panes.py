"""The room of the panes: who stands where, and borders that can be moved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from textwrap import wrap

from textual import events
from textual.containers import Container
from textual.geometry import Offset, Region, Size
from textual.layout import ArrangeResult, Layout, WidgetPlacement
from textual.widget import Widget

from backprop_engine.trace import Heading
from backprop_tui.session.session import Session
from backprop_tui.session.stepping_in import stack
from backprop_tui.view.view import Following, View
from backprop_tui.widgets.graph_rows import fit_columns, width_of_names
from backprop_tui.widgets.pane_sizes import (
    Border,
    Sizes,
    Wishes,
    arranged,
    border_at,
    border_of,
    left_width,
    moved,
)

_WIDE = 200
_NUMBERS = 6
"""Cells of the source's line numbers and its margin."""
_SIDES = 4
"""Columns of a border and of what is kept free beside it."""
_LABEL = 6
"""Of a node, which stands before its hint."""
_MARKS = tuple("-*>|#0123456789")
"""With which a line of Markdown begins that is not joined to the one before."""


class _ByContent(Layout):
    name = "by content"

    def __init__(self, panes: Panes) -> None:
        self._panes = panes

    def arrange(
        self, parent: Widget, children: list[Widget], size: Size, greedy: bool = True
    ) -> ArrangeResult:
        del greedy
        parent.pre_layout(self)
        regions = self._panes.regions(size)
        return [
            WidgetPlacement(
                regions.get(child.id or "", Region()), Offset(), child.styles.margin, child
            )
            for child in children
        ]


class Panes(Following, Container):
    """Lays its panes out by what stands in them, or as a person has moved the borders."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__(id="panes")
        self.sizes = sizes
        """What a person has chosen."""
        self._wishes = Wishes()
        self._headings: list[Heading] = []
        """Of what has notes."""
        self._known: object = None
        """Of what these are the wishes."""
        self._by_content = _ByContent(self)
        self._dragged: Border | None = None

    @property
    def layout(self) -> Layout:
        """Not one of Textual's own."""
        return self._by_content

    def show(self, view: View) -> None:
        """Ask again what the panes need, where something else is open or watches come or go."""
        sessions = stack(view.session)
        traces = [each.trace for each in sessions]
        # Rows of a what-if tell what was there before, too.
        known: list[object] = [sorted(view.session.whatif.values)]
        known += [(each.heading.name, each.heading.title, len(each.nodes)) for each in traces]
        is_same = known == self._known
        wishes = self._wishes if is_same else wishes_of(sessions)
        watches = view.session.stops.watches
        wishes = replace(wishes, watches=bool(watches) + len(watches))
        self._known = known
        self._headings = [trace.heading for trace in traces]
        if wishes != self._wishes or not is_same:
            self._wishes = wishes
            self._lay_out()

    def regions(self, size: Size) -> dict[str, Region]:
        """Where each pane in sight stands."""
        names, wishes = [child.id or "" for child in self.displayed_children], self._wishes
        if self.has_class("-presenting"):  # in which there is a line between rows
            wishes = replace(wishes, graph=2 * wishes.graph)
        if "notes" in names:
            width = max(left_width(size.width, wishes, self.sizes) - _SIDES, 1)
            notes = max((lines_of_notes(each, width) for each in self._headings), default=0)
            wishes = replace(wishes, notes=notes)
        return arranged(names, size, wishes, self.sizes)

    def move_border(self, pane: str, right: int, down: int) -> None:
        """Move the border of `pane` by cells and lines."""
        regions = self.regions(self.size)
        border = border_of(regions, pane, is_upright=bool(right))
        if border is not None:
            self._resize(moved(regions, self.sizes, border, right or down))

    def reset(self) -> None:
        """Share by content again."""
        self._resize({})

    def _resize(self, sizes: Sizes) -> None:
        self.sizes = sizes
        self._lay_out()

    def _lay_out(self) -> None:
        for pane in self.children[:1]:
            pane.refresh(layout=True)  # which has its parents arrange anew, and not only itself

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Take hold of a border."""
        place = event.screen_offset - self.region.offset
        self._dragged = border_at(self.regions(self.size), place)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Move the border that is held."""
        if self._dragged is None:
            return
        if not event.button:
            self._let_go()
            return
        self.capture_mouse()
        regions = self.regions(self.size)
        place = event.screen_offset - self.region.offset
        held = regions["graph"].right if self._dragged.is_upright else self._line(regions)
        by = (place.x if self._dragged.is_upright else place.y) - held
        if by:
            self._resize(moved(regions, self.sizes, self._dragged, by))

    def _line(self, regions: dict[str, Region]) -> int:
        return regions[self._dragged.lower].y if self._dragged else 0

    def on_mouse_up(self) -> None:
        """Leave the border where it is."""
        self._let_go()

    def _let_go(self) -> None:
        self._dragged = None
        self.release_mouse()


def wishes_of(sessions: Sequence[Session]) -> Wishes:
    """What the panes would need to show all that the outermost has, and every inside's notes."""
    session = sessions[-1]
    heading = session.trace.heading
    lines = heading.files[0].text.rstrip("\n").split("\n") if heading.files else []
    return Wishes(
        names=width_of_names(session),
        width=fit_columns(session, _WIDE).width,
        text=max(map(len, lines), default=0) + _NUMBERS,
        graph=len(session.visible) + 1,
        source=len(lines),
    )


def lines_of_notes(heading: Heading, width: int) -> int:
    """How many lines the notes take, under the longest hint."""
    text = "\n\n".join(filter(None, (heading.about, heading.note)))
    paragraphs = [line for each in text.split("\n\n") for line in _read(each) if line.strip()]
    longest = max((heading.hints[node] for node in heading.hints), key=len, default="")
    hint = wrap(" " * _LABEL + longest, width) if longest else []
    read = sum(max(len(wrap(each, width)), 1) for each in paragraphs)
    blank = len([each for each in text.split("\n\n") if each.strip()]) - 1
    return read + max(blank, 0) + bool(read) + (len(hint) + 1 if hint else 0)


def _read(paragraph: str) -> list[str]:
    """Its lines, where they are those of a list or of code; else it is one."""
    lines = paragraph.split("\n")
    is_apart = any(line[:1] in _MARKS or line[:4] == "    " for line in lines)
    return lines if is_apart else [" ".join(map(str.strip, lines))]
