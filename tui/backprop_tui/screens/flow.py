"""The overview of a gradient's flow: a row a layer, in the order of the backward pass."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar, Final

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from backprop_engine.reading.gradient_flow import FlowRow, GradientFlow, flow_pass, gradient_flow
from backprop_engine.reading.groups import group_tree
from backprop_tui.app.soon import Job, soon_of
from backprop_tui.oracles.report import Failed
from backprop_tui.screens.box import Sheet, keys_line
from backprop_tui.session.session import Session, jump, select
from backprop_tui.view.view import View
from backprop_tui.widgets.choices import Choices
from backprop_tui.widgets.flow_rows import flow_columns, flow_header, flow_line
from backprop_tui.widgets.keys import HELP

_READING: Final = "The overview"
_FRAME: Final = 5
"""Cells of the sheet beside its list: border, padding, and one that is kept free."""
_KEYS: Final = (("enter", "to the node"), ("↑↓", "choose"), ("esc", "back"), ("?", "help"))
_NOTHING: Final = "No backward pass runs here, so there is no gradient to look at."


class FlowScreen(Sheet):
    """Tells how large the gradient is at each layer; answers with the jump to one."""

    TOPIC: ClassVar = "flow"
    BINDINGS: ClassVar = [
        HELP,
        Binding("escape,q,O", "dismiss(None)", "close", show=False),
    ]

    def __init__(self, view: View) -> None:
        super().__init__(view)
        self._flow: GradientFlow | None = None

    def compose(self) -> ComposeResult:
        """Column names, the rows, the keys."""
        with Vertical(id="flow", classes="sheet"):
            yield Static(id="about")
            yield Choices(id="flow-rows", compact=True, markup=False)
        yield Static(keys_line(_KEYS), classes="bar")

    def on_mount(self) -> None:
        """Take the figures, in a thread."""
        self.name_it("Gradient flow")
        self.query_one("#flow-rows").focus()
        session = self._view.session
        pass_ = flow_pass(session.trace, session.cursor)
        if pass_ is None:
            self.tell(self.wrapped(_NOTHING))
            return
        self.tell(self.wrapped("Looking at the gradients …"))

        def read(_: Job) -> GradientFlow:
            tree = session.outline.tree or group_tree(session.trace)
            return gradient_flow(session.trace, pass_, tree)

        def fail(failed: Failed) -> None:
            self.tell(self.wrapped(failed.sentences))

        soon_of(self)(_READING, read, self._take, failed=fail)

    def on_unmount(self) -> None:
        """Let the thread end."""
        soon_of(self).cancel(_READING)

    def _take(self, found: GradientFlow) -> None:
        self._flow = found
        self._draw()

    def on_resize(self) -> None:
        """Draw for the width there is."""
        self._draw()

    def _draw(self) -> None:
        flow, glyphs = self._flow, self._view.glyphs
        if flow is None:
            return
        columns = flow_columns(flow, max(self.app.size.width - _FRAME, 40))
        self.name_it(f"Gradient flow: {flow.pass_.name}", "" if flow.is_whole else "the first rows")
        self.tell([flow_header(columns, glyphs)])
        rows = [Option(flow_line(row, columns, glyphs)) for row in flow.rows]
        chosen = self.query_one("#flow-rows", OptionList).highlighted
        self.list_in("flow-rows", rows, self._at_work(flow) if chosen is None else chosen)

    def _at_work(self, flow: GradientFlow) -> int:
        """The last row whose gradient is complete at the cursor."""
        cursor = self._view.session.cursor
        done = [at for at, row in enumerate(flow.rows) if row.step < cursor]
        return done[-1] if done and cursor <= flow.pass_.stop else 0

    @on(OptionList.OptionSelected)
    def _jump(self, event: OptionList.OptionSelected) -> None:
        if self._flow is not None:
            row = self._flow.rows[event.option_index]
            self.dismiss(lambda session: _to(session, row))


def _to(session: Session, row: FlowRow) -> Session:
    """Before the step in which the last of the gradient comes, with the node selected."""
    chosen = select(session, int(session.outline.full_rows[row.node]))
    return replace(jump(chosen, row.step), selected=chosen.selected)
