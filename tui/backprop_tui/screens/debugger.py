"""The debugger's screen: all panes at once where there is room, else the graph and one pane."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.content import Content
from textual.geometry import Offset
from textual.message import Message
from textual.screen import Screen
from textual.style import Style

from backprop_tui.commands.keymap import Keymap
from backprop_tui.memory.layout import Layout
from backprop_tui.screens.jump import Hint, JumpScreen, letter_at
from backprop_tui.view.view import Following, View
from backprop_tui.widgets.bars import KeyBar, NoticeBox, PaneTabs, TitleBar, TroubleBar, panes_of
from backprop_tui.widgets.chain_rule import ChainRulePane
from backprop_tui.widgets.graph_columns import GUTTER
from backprop_tui.widgets.graph_tree import GraphTree
from backprop_tui.widgets.keys import PROMPT_HELP, command_bindings, hearing
from backprop_tui.widgets.notes_pane import NotesPane
from backprop_tui.widgets.pane_sizes import SHARING
from backprop_tui.widgets.panes import Panes
from backprop_tui.widgets.source_pane import SourcePane
from backprop_tui.widgets.symbolic_pane import SymbolicPane
from backprop_tui.widgets.timeline import LossLine, Timeline
from backprop_tui.widgets.torch_pane import TorchPane
from backprop_tui.widgets.watches_pane import WatchesPane
from backprop_tui.widgets.yours_pane import YoursPane

_WIDTHS = [(0, "-slim"), (120, "-wide")]
_HEIGHTS = [(0, "-low"), (34, "-tall")]
"""Sizes in cells, and the classes the style sheet knows them by."""


_BORDER = 3
"""Cells of a border before its title."""
_PRESENTED = ("graph", "chain")
"""Panes that a presentation shows."""


class DebuggerScreen(Following, Screen[None], inherit_bindings=False):
    """Lays the panes out and hands each View on to them."""

    class FormulasWanted(Message):
        """The symbolic pane is looked at."""

    HORIZONTAL_BREAKPOINTS = _WIDTHS
    VERTICAL_BREAKPOINTS = _HEIGHTS
    BINDINGS: ClassVar = [*command_bindings(""), PROMPT_HELP, *Screen.BINDINGS]

    def __init__(self, view: View, layout: Layout | None = None) -> None:
        super().__init__()
        self._view = view
        self._begin = layout or Layout()
        self._panes = panes_of(view)
        self._names = ("graph", *dict(self._panes))
        self._sharing = [pane for pane in SHARING if pane in self._names]
        self._active = self._begin.pane if self._begin.pane in self._names[1:] else "chain"
        self._may_draw = False

    @property
    def is_current(self) -> bool:
        """Whether it is the one to be drawn."""
        return self._may_draw and super().is_current

    def begin_to_draw(self) -> None:
        """To be called once the app has started; what is drawn before Textual throws away."""
        self._may_draw = True
        self.refresh()

    def compose(self) -> ComposeResult:
        """Every pane once; the style sheet decides where it stands and whether it shows."""
        for size, breakpoints in zip(self.app.size, (_WIDTHS, _HEIGHTS), strict=True):
            # Textual does so, too, but once all of it has been styled and laid out without.
            self.add_class(max((least, name) for least, name in breakpoints if size >= least)[1])
        yield TitleBar(self._view, "title")
        yield TroubleBar(self._view, "trouble")
        with Panes(self._begin.sizes):
            yield hearing(GraphTree, "tree", self.keymap)(self._view)
            yield PaneTabs(self._panes)
            yield ChainRulePane(self._view, "chain")
            if self._view.yours is not None:
                yield YoursPane(self._view, "yours")
            yield TorchPane(self._view, "torch")
            yield SymbolicPane(self._view, "symbolic")
            yield SourcePane(self._view)
            yield NotesPane()
            yield hearing(WatchesPane, "watches", self.keymap)(self._view)
        yield LossLine(self._view, "losses")
        yield Timeline(self._view, "timeline")
        yield KeyBar()
        yield NoticeBox()

    def on_mount(self) -> None:
        """Name the panes and draw the first view."""
        if not self.query("#graph"):
            return  # the program has been left before the panes were there
        self.query_one("#graph").border_title = "Graph"
        for pane, name in self._panes:
            if pane not in ("notes", "watches"):  # which say in their titles when they are empty
                self.query_one(f"#{pane}").border_title = name
        self._bring_forward(self._sharing[0])
        self.activate(self._active)
        self._draw()
        self.focus_pane(self._begin.focus if self._begin.focus in self._names else "graph")
        if self._begin.is_zoomed:
            self.action_zoom()

    @property
    def keymap(self) -> Keymap:
        """The keys that are heard here."""
        return self._view.keymap

    @property
    def layout_now(self) -> Layout:
        """Which pane is in front, which has the focus, and whether it is zoomed."""
        focused = self._focused if self._focused in self._names else "graph"
        return Layout(self._active, focused, self.is_zoomed, self.query_one(Panes).sizes)

    @property
    def _focused(self) -> str:
        """The id of what has the focus, the graph's where nothing has."""
        return "graph" if self.focused is None or self.focused.id is None else self.focused.id

    def show(self, view: View) -> None:
        """Draw `view` in every pane; a new watch brings its pane up."""
        has_more = len(view.session.stops.watches) > len(self._view.session.stops.watches)
        self._view = view
        if not self.is_mounted:
            return
        if has_more:
            self.activate("watches")
        self._draw()

    def _draw(self) -> None:
        for widget in (*self.children, *self.query_one("#panes").children):
            if isinstance(widget, Following):
                widget.show(self._view)
        self._tell()

    def on_resize(self) -> None:
        """A notice may fit the line of keys by now, or no longer."""
        if self.is_mounted:
            self._tell()

    def _tell(self) -> None:
        self.query_one(NoticeBox).show(self._view, self.size.width)

    def activate(self, pane: str) -> None:
        """Make `pane` the one under the graph, where there is room for one."""
        self._active = pane
        for name, _ in self._panes:
            self.query_one(f"#{name}").set_class(name == pane, "-active")
        self.query_one(PaneTabs).show(pane)
        if pane in self._sharing:
            self._bring_forward(pane)
        if pane == "symbolic":
            self.post_message(self.FormulasWanted())

    def _bring_forward(self, front: str) -> None:
        """Put one of the panes that share a place in front of the others."""
        for pane in self._sharing:
            widget = self.query_one(f"#{pane}")
            widget.set_class(pane != front, "-behind")
            widget.border_title = self._shared_title(front)

    def action_look_at(self, pane: str) -> None:
        """Turn to `pane`, whose name was clicked."""
        self.focus_pane(pane)

    def action_turn(self, by: int) -> None:
        """Focus the pane `by` places on; a narrow screen shows it."""
        names = _PRESENTED if self.is_presenting else self._names
        at = names.index(self._focused) if self._focused in names else 0
        self.focus_pane(names[(at + by) % len(names)])

    def focus_pane(self, name: str | None) -> None:
        """Focus a pane, if any; a narrow screen shows it, and a zoomed one shows it alone."""
        if name is None:
            return
        if self.is_presenting and name not in _PRESENTED:
            self.action_present()
        if name != "graph":
            self.activate(name)
        if self.is_zoomed:
            self._zoom(name)
        # At once, not after this message: the next tab may already wait behind it.
        self.set_focus(self.query_one(f"#{name}"))

    @property
    def is_zoomed(self) -> bool:
        """Whether one pane fills the screen."""
        return self.query_one("#panes").has_class("-zoomed")

    def action_zoom(self) -> None:
        """Let the focused pane fill the screen; show all again, where one does."""
        self._zoom("" if self.is_zoomed else self._focused)

    def _zoom(self, name: str) -> None:
        self.query_one("#panes").set_class(bool(name), "-zoomed")
        for pane in self._names:
            widget = self.query_one(f"#{pane}")
            widget.set_class(pane == name, "-zoomed")
            widget.border_subtitle = "z shows all panes" if pane == name else ""

    @property
    def is_presenting(self) -> bool:
        """Whether graph and chain rule stand alone, with room between the rows."""
        return self.query_one("#panes").has_class("-presenting")

    def action_present(self) -> None:
        """Show graph and chain rule alone, larger; show all again, where they are."""
        if self.is_zoomed:
            self._zoom("")
        is_on = not self.is_presenting
        self.query_one("#panes").set_class(is_on, "-presenting")
        if is_on and (self.focused is None or self._focused not in _PRESENTED):
            self.focus_pane("graph")
        tree = self.query_one(GraphTree)
        tree.pitch = 2 if is_on else 1
        tree.on_resize()
        tree.refresh()

    def shows_all_again(self) -> bool:
        """From one pane, or a presentation, back to all panes; False where they are there."""
        if self.is_zoomed:
            self.action_zoom()
        elif self.is_presenting:
            self.action_present()
        else:
            return False
        return True

    def action_move_border(self, right: int, down: int) -> None:
        """Move the focused pane's border."""
        pane = self._focused
        if pane == "graph" or self.query_one(f"#{pane}").has_class("pane"):
            self.query_one(Panes).move_border(pane, right, down)

    def action_first_sizes(self) -> None:
        """Let the panes share the screen by what stands in them."""
        self.query_one(Panes).reset()

    def action_jump(self) -> None:
        """Show a letter on each pane, and go where one leads."""
        self.app.push_screen(JumpScreen(self.hints()), self.focus_pane)

    def hints(self) -> list[Hint]:
        """Where each pane can be pointed at: a letter of its name, or its name in the corner."""
        hints: list[Hint] = []
        corner = self.query_one("#panes").region.top_right - Offset(14, -1)
        for pane, name in (("graph", "Graph"), *self._panes):
            place = self._name_place(pane, name)
            if place is None:
                hints.append(Hint(pane, corner, name))
                corner += Offset(0, 1)
            else:
                hints.append(Hint(pane, place + Offset(letter_at(pane, name), 0)))
        return hints

    def _name_place(self, pane: str, name: str) -> Offset | None:
        """Where the name of a pane stands: in a border, at a tab, above the tree; or nowhere."""
        tabs, widget = self.query_one(PaneTabs), self.query_one(f"#{pane}")
        if widget.has_class("-behind") and not tabs.display and not self.is_zoomed:
            widget = self.query_one(f"#{next(name for name in self._sharing if name != pane)}")
        is_in_sight = bool(widget.display and widget.region.area)
        if is_in_sight and widget.styles.border_top[0]:
            # Textual's own `border_title` does not give a text back as it was set.
            title = self._shared_title(widget.id or "").plain if pane in self._sharing else name
            return widget.region.offset + Offset(_BORDER + title.index(name), 0)
        if is_in_sight and pane == "graph":
            return widget.content_region.offset + Offset(GUTTER, 0)
        if pane != "graph" and tabs.display and tabs.region.area:
            return tabs.content_region.offset + Offset(tabs.column(pane), 0)
        return None

    def _shared_title(self, front: str) -> Content:
        """The names of the panes that share a place; a click brings one forward."""
        names = dict(self._panes)
        return Content(" ").join(
            Content(f"[{names[pane]}]" if pane == front else f" {names[pane]} ").stylize(
                Style.from_meta({"@click": f"screen.look_at('{pane}')"})
            )
            for pane in self._sharing
        )
