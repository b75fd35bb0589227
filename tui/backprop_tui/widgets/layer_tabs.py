"""The inspector's choices: which quantity, by whom, and which slice; all can be clicked."""

from __future__ import annotations

from dataclasses import dataclass

from textual import events
from textual.content import Content
from textual.message import Message
from textual.widget import Widget

from backprop_tui.inspecting.grid import Grid
from backprop_tui.inspecting.layers import Quantity, Whose

_GAP = "   "


class LayerTabs(Widget):
    """One line; what is chosen stands in brackets, for eyes that see no colour."""

    @dataclass
    class Chosen(Message):
        """A choice was clicked: a quantity, whose it is, or a leading axis by its number."""

        choice: Quantity | Whose | int

    def __init__(self) -> None:
        super().__init__(id="layers")
        self.quantity = Quantity.VALUE
        self.whose = Whose.OURS
        self.grid = Grid(())

    def show(self, quantity: Quantity, whose: Whose, grid: Grid) -> None:
        """Draw these choices."""
        self.quantity, self.whose, self.grid = quantity, whose, grid
        self.refresh()

    def _parts(self) -> list[tuple[str, bool, Quantity | Whose | int | None]]:
        """Text, whether it is chosen, and what a click on it means."""
        parts: list[tuple[str, bool, Quantity | Whose | int | None]] = [
            (str(one), one is self.quantity, one) for one in Quantity
        ]
        parts.append((_GAP, False, None))
        parts += [(str(one), one is self.whose, one) for one in Whose]
        if self.grid.leading:
            parts.append((_GAP, False, None))
            parts += [
                (f"axis {axis}: {at} of {self.grid.shape[axis]}", axis == self.grid.axis, axis)
                for axis, at in enumerate(self.grid.leading)
            ]
        return parts

    def render(self) -> Content:
        """The choices."""
        shown = []
        for text, is_chosen, choice in self._parts():
            if choice is None:
                shown.append(Content(text))
            elif is_chosen:
                shown.append(Content.styled(f"[{text}]", "bold $primary"))
            else:
                shown.append(Content.styled(f" {text} ", "$foreground-muted"))
        return Content("").join(shown)

    def on_click(self, event: events.Click) -> None:
        """Tell what was clicked."""
        place = event.get_content_offset(self)
        if place is None:
            return
        at = 0
        for text, _, choice in self._parts():
            width = len(text) + (0 if choice is None else 2)
            if choice is not None and at <= place.x < at + width:
                self.post_message(self.Chosen(choice))
                return
            at += width
