"""A widget of which only the cells are written to the terminal that have changed."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from itertools import takewhile
from typing import NamedTuple

from rich.cells import cell_len
from textual import events
from textual.content import Content
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from backprop_tui.view.view import Following, View

_NOWHERE = Region()


class Sparing(Widget):
    """Compares its lines with those it had: Textual itself writes all of a widget that changes."""

    _known: Sequence[Strip] = ()
    """The lines of the last comparison; none where other ones have been drawn since."""

    def on_resize(self) -> None:
        """All of it is drawn anew."""
        self.forget_lines()

    def forget_lines(self) -> None:
        """Something else than what was compared last is on the screen: all counts as changed."""
        self._known = ()

    def refresh_changes(self) -> None:
        """Have what `render` or `render_line` gives by now written, as far as it is new."""
        self.refresh(_NOWHERE)  # nothing to write yet, but to be rendered anew
        lines = [self.render_line(y) for y in range(self.size.height)]
        known, self._known = self._known, lines
        if len(known) != len(lines):
            self.refresh()
            return
        pairs = enumerate(zip(known, lines, strict=True))
        changed = [changed_part(y, old, new) for y, (old, new) in pairs if old != new]
        if changed:
            self.refresh(*changed)


class Drawn(Following, Sparing):
    """Draws the View it was shown last."""

    def __init__(self, view: View, name: str) -> None:
        super().__init__(id=name)
        self.view = view

    def show(self, view: View) -> None:
        """Draw `view`."""
        self.view = view
        self.refresh_changes()


class Piece(NamedTuple):
    """A part of a line, and the action that a click on it is."""

    text: str
    style: str = ""
    action: str = ""


class Pieces(Sparing):
    """A line of which the pieces can be clicked."""

    @abstractmethod
    def pieces(self) -> list[Piece]:
        """From left to right."""

    def render(self) -> Content:
        """All of them."""
        return Content.assemble(*((piece.text, piece.style) for piece in self.pieces()))

    async def on_click(self, event: events.Click) -> None:
        """Do what the piece that was clicked stands for."""
        place = event.get_content_offset(self)
        if place is None:
            return
        right = 0
        for piece in self.pieces():
            right += cell_len(piece.text)
            if place.x < right:
                if piece.action:
                    await self.run_action(piece.action)
                return


def changed_part(y: int, old: Strip, new: Strip) -> Region:
    """The part of line `y` that is not the same in both. What is shorter goes on blank."""
    width = max(old.cell_length, new.cell_length)
    before, after = (list(_signs(line.adjust_cell_length(width))) for line in (old, new))
    if any(cell_len(sign) != 1 for sign, _ in before + after):
        return Region(0, y, width, 1)
    start = _common(before, after)
    stop = width - _common(before[start:][::-1], after[start:][::-1])
    return Region(start, y, stop - start, 1)


def _signs(strip: Strip) -> list[tuple[str, object]]:
    """Each character with its style."""
    return [(sign, segment.style) for segment in strip for sign in segment.text]


def _common(ours: list[tuple[str, object]], other: list[tuple[str, object]]) -> int:
    """How many signs both begin with."""
    pairs = zip(ours, other, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
