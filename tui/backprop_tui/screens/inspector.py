"""The inspector: every element of a node's arrays, a layer at a time, with statistics."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static

from backprop_engine.basics.values import Shape, Value, shape_of
from backprop_tui.app.soon import GLANCE, soon_of
from backprop_tui.commands.copying import copy_of
from backprop_tui.inspecting.grid import ACROSS, FEW_ACROSS, Grid, grid_of, largest, next_broken
from backprop_tui.inspecting.keys import KEYS, key_bar
from backprop_tui.inspecting.layers import Layer, Quantity, Statistics, Whose, layer_of, statistics
from backprop_tui.inspecting.wording import element_line, heading, number_lines, statistics_lines
from backprop_tui.session import lens
from backprop_tui.session.session import Change
from backprop_tui.view.view import Following, View
from backprop_tui.widgets.array_table import ArrayTable, LayerTabs
from backprop_tui.widgets.keys import PROMPT_HELP

_STATISTICS = "The statistics"
_FAR = 10**9
_WIDE = 120
"""Columns of a screen that has room for ten elements side by side."""


class InspectorScreen(Following, Screen[Change]):
    """One node; it follows the run, whose steps can be made from here as well."""

    TOPIC: ClassVar = "cells"
    BINDINGS: ClassVar = [
        PROMPT_HELP,
        Binding("q,enter", "app.pop_screen", "close the inspector", show=False),
        Binding("up,k", "move(-1, 0)", "element above", show=False),
        Binding("down,j", "move(1, 0)", "element below", show=False),
        Binding("left,h", "move(0, -1)", "element to the left", show=False),
        Binding("right,l", "move(0, 1)", "element to the right", show=False),
        Binding("pageup", "page(-1)", "a screenful up", show=False),
        Binding("pagedown", "page(1)", "a screenful down", show=False),
        Binding("home", f"move(0, -{_FAR})", "first in the row", show=False),
        Binding("end", f"move(0, {_FAR})", "last in the row", show=False),
        Binding("ctrl+home", f"move(-{_FAR}, -{_FAR})", "first element", show=False),
        Binding("ctrl+end", f"move({_FAR}, {_FAR})", "last element", show=False),
        *(Binding(key.key, key.action, key.title, show=False) for key in KEYS),
        Binding("space", "app.command('node_forward')", "next node", show=False),
    ]

    def __init__(self, view: View) -> None:
        super().__init__()
        self._view = view
        self._node = view.session.node
        self._quantity = Quantity.VALUE
        self._whose = Whose.OURS
        self._layer = Layer()
        self._grid = grid_of(())
        self._statistics: Statistics | None = None
        self._across = FEW_ACROSS
        self._is_composed = False

    @property
    def _value_shape(self) -> Shape:
        return shape_of(self._view.session.trace.nodes.value[self._node])

    def compose(self) -> ComposeResult:
        """Heading, choices, the table, the element under the cursor, statistics and keys."""
        yield Static(id="heading", classes="bar")
        yield LayerTabs()
        yield ArrayTable(self._view.glyphs)
        with VerticalScroll(id="number"):
            yield Static(id="reason")
        yield Static(id="element", classes="line")
        yield Static(id="figures", classes="line")
        yield Static(id="histogram", classes="line")
        yield Static(id="keys", classes="bar")

    def on_mount(self) -> None:
        """Draw the first layer."""
        self._is_composed = True
        self.query_one(ArrayTable).focus()
        self.show(self._view)

    def on_resize(self, event: events.Resize) -> None:
        """Fit the lines to the new width."""
        self._across = ACROSS if event.size.width >= _WIDE else FEW_ACROSS
        if self._grid.across != self._across:
            self._grid = replace(self._grid, across=self._across)
            self._draw()
        self._write()

    def show(self, view: View) -> None:
        """Draw the chosen layer as of `view`."""
        self._view = view
        layer = layer_of(view, self._node, self._quantity, self._whose)
        if not layer.is_same(self._layer) or layer.reason != self._layer.reason:
            self._layer, self._statistics = layer, None
            if layer.shape != self._grid.shape:
                self._grid = grid_of(layer.shape, self._across)
            self._count()
        self._draw()

    # Statistics

    def _count(self) -> None:
        layer, soon = self._layer, soon_of(self)
        soon.cancel(_STATISTICS)
        if layer.shown is not None:
            soon(
                _STATISTICS,
                lambda job: statistics(layer, job.is_unwanted),
                self._take,
                patience=GLANCE,
            )

    def on_unmount(self) -> None:
        """Let the thread end."""
        soon_of(self).cancel(_STATISTICS)

    def _take(self, found: Statistics | None) -> None:
        self._statistics = found
        self._draw()

    # Drawing

    def _draw(self) -> None:
        if not self._is_composed:
            return
        has_table = self._layer.shown is not None and bool(self._layer.shape)
        self.query_one(ArrayTable).display = has_table
        self.query_one("#number").display = not has_table
        for part in ("#layers", "#element", "#figures", "#histogram"):
            self.query_one(part).display = bool(self._value_shape)
        self.query_one(LayerTabs).show(self._quantity, self._whose, self._grid)
        scale = 0.0 if self._statistics is None else self._statistics.largest
        self.query_one(ArrayTable).show(self._layer, self._grid, scale)
        self._write()

    def _write(self) -> None:
        if not self._is_composed:
            return
        view, width = self._view, max(self.size.width - 2, 1)
        self._put("heading", heading(view, self._node, self._layer, width))
        self._put("reason", self._number(width))
        element, lines = Content(), [Content(), Content()]
        if self._layer.shape:
            cell = self.query_one(ArrayTable).cursor
            element = element_line(view, self._node, self._layer, self._grid, cell, self._whose)
            lines = statistics_lines(view, self._layer, self._statistics, width)
        self._put("element", element)
        self._put("figures", lines[0])
        self._put("histogram", lines[1])
        self._put("keys", self._keys(width))

    def _put(self, name: str, content: Content) -> None:
        self.query_one(f"#{name}", Static).update(content)

    def _number(self, width: int) -> Content:
        if not self._value_shape:
            return Content("\n").join(number_lines(self._view, self._node, width))
        return Content.styled(self._view.say(self._layer.reason), "bold")

    def _keys(self, width: int) -> Content:
        notice = self._view.session.notice
        if notice:
            return Content.styled(self._view.say(notice), "bold $warning")
        return key_bar(
            width, has_table=bool(self._value_shape), has_slices=bool(self._grid.leading)
        )

    # Actions

    def action_move(self, rows: int, columns: int) -> None:
        """Move the cursor; a number's lines scroll instead."""
        if self._layer.shape:
            self.query_one(ArrayTable).move(rows, columns)
        else:
            self.query_one("#number").scroll_relative(y=max(-1, min(rows, 1)), animate=False)

    def action_page(self, by: int) -> None:
        """A screenful up or down."""
        self.query_one(ArrayTable).move_page(by)

    def action_quantity(self, by: int) -> None:
        """Show the next quantity."""
        if not self._value_shape:
            return  # of a number all are shown at once
        every = list(Quantity)
        self._quantity = every[(every.index(self._quantity) + by) % len(every)]
        self.show(self._view)

    def action_whose(self) -> None:
        """Show ours, torch's, or the difference."""
        if not self._value_shape:
            return
        every = list(Whose)
        self._whose = every[(every.index(self._whose) + 1) % len(every)]
        self.show(self._view)

    def action_choose(self, quantity: str, whose: str, axis: int) -> None:
        """Show what was clicked."""
        self._quantity, self._whose = Quantity(quantity), Whose(whose)
        self._grid = self._grid.at_axis(axis)
        self.show(self._view)

    def action_slice(self, by: int) -> None:
        """Go along the chosen leading axis."""
        self._show_grid(self._grid.moved(by))

    def action_axis(self) -> None:
        """Choose the next leading axis."""
        self._show_grid(self._grid.at_axis(self._grid.axis + 1))

    def action_largest(self) -> None:
        """Go to the element with the largest absolute value."""
        if self._layer.shape:
            self._go_to(largest(self._layer))

    def action_broken(self) -> None:
        """Go to the next nan or inf."""
        here = self._index
        if here is None or not self._layer.shape:
            return
        found = next_broken(self._layer, here)
        if found is None:
            self._put("element", Content.styled("no nan and no inf here", "bold $success"))
        self._go_to(found)

    def action_lens(self) -> None:
        """Tell the element under the cursor alone, in Chain rule."""
        if self._index is not None:
            self.dismiss(partial(lens.choose, node=self._node, element=self._index))

    def action_copy_element(self) -> None:
        """Copy the element under the cursor."""
        if self._index is not None:
            at = f"[{', '.join(map(str, self._index))}]" if self._index else ""
            self._copy(self._layer.block(self._index)[()], at)

    def action_copy_all(self) -> None:
        """Copy the layer."""
        if self._layer.shown is not None:
            block = self._layer.block(())
            self._copy(block if block.shape else block[()], "")

    def _copy(self, value: Value, at: str) -> None:
        unusual = [name for name in (self._quantity, self._whose) if name not in ("value", "ours")]
        layer = f" ({', '.join(unusual)})" if unusual else ""
        copied = copy_of(f"{self._view.session.trace.label(self._node)}{at}{layer}", value)
        if copied.text:
            self.app.copy_to_clipboard(copied.text)
        self._put(
            "keys",
            Content.styled(self._view.say(copied.notice), "bold $warning"),
        )

    @property
    def _index(self) -> tuple[int, ...] | None:
        if self._layer.shown is None or not self._grid.rows:
            return None
        return self._grid.index(*self.query_one(ArrayTable).cursor)

    def _go_to(self, index: tuple[int, ...] | None) -> None:
        if index is None:
            return
        self._show_grid(self._grid.showing(index))
        self.query_one(ArrayTable).go_to(*self._grid.cell(index))

    def _show_grid(self, grid: Grid) -> None:
        self._grid = grid
        self._draw()

    @on(ArrayTable.Moved)
    def _show_element(self) -> None:
        self._write()
