"""The overview of a gradient's flow: a row a layer, in the order of the backward pass."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import ClassVar, Final

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from backprop_engine.basics import notation
from backprop_engine.basics.dataclass import dataclass
from backprop_engine.reading.gradient_flow import (
    FlowRow,
    GradientFlow,
    Kind,
    flow_pass,
    gradient_flow,
)
from backprop_engine.reading.groups import group_tree
from backprop_tui.app.soon import Job, soon_of
from backprop_tui.oracles.report import Failed
from backprop_tui.screens.box import Choices, Sheet, keys_line
from backprop_tui.session.session import Session, jump, select
from backprop_tui.view.glyphs import Glyphs
from backprop_tui.view.text import left, right
from backprop_tui.view.view import View
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


_NUMBER, _SHARE, _MARK = 8, 5, 10
_LEAST_NAME, _MOST_NAME = 16, 48
_LEAST_BAR, _MOST_BAR = 8, 40
_STYLES: Final = {Kind.LAYER: "bold", Kind.WEIGHT: "", Kind.SHARE: "$foreground-muted"}
_MUTED, _WARNING, _BAD = "$foreground-muted", "bold $warning", "bold $error"


@dataclass(frozen=True, slots=True)
class FlowColumns:
    """Widths in cells, and the decades that the bars span."""

    name: int
    ratio: int
    bar: int
    low: int
    high: int


def flow_columns(flow: GradientFlow, width: int) -> FlowColumns:
    """Columns for `width` cells: what is left when the figures have theirs goes to the bar."""
    names = max((2 * row.depth + len(row.name) for row in flow.rows), default=0)
    ratio = _NUMBER + 1 if any(row.ratio is not None for row in flow.rows) else 0
    mark = _MARK if any(row.mark for row in flow.rows) else 0
    spare = width - 2 * (_NUMBER + 1) - _SHARE - 1 - ratio - mark - 2
    name = max(min(names, _MOST_NAME, spare - _LEAST_BAR), _LEAST_NAME)
    sizes = [row.figures.rms for row in flow.rows]
    decades = [math.log10(size) for size in sizes if 0 < size < math.inf]
    low = math.ceil(min(decades, default=0.0)) - 1
    high = max(math.ceil(max(decades, default=0.0)), low + 1)
    return FlowColumns(name, ratio, max(min(spare - name, _MOST_BAR), 0), low, high)


def flow_header(columns: FlowColumns, glyphs: Glyphs) -> Content:
    """The names of the columns; over the bar the ends of its scale."""
    low, high = (notation.number(10.0**decade, 2) for decade in (columns.low, columns.high))
    scale = f"{low}{high.rjust(columns.bar - len(low))}"
    scale = scale if len(low) + len(high) < columns.bar else left("rms", columns.bar)
    ratio = right("∆w/w", columns.ratio)
    text = (
        f"{left('layer', columns.name)} {right('norm', _NUMBER)} {right('max', _NUMBER)} "
        f"{right('zero', _SHARE)}{ratio}  {scale}"
    )
    return Content.styled(glyphs.text(text), _MUTED)


def flow_line(row: FlowRow, columns: FlowColumns, glyphs: Glyphs) -> Content:
    """One layer, weight or contribution."""
    figures = row.figures
    is_known = figures.nonfinite or not math.isnan(figures.largest)
    norm = notation.number(figures.norm, 3)
    largest = notation.number(figures.largest, 3) if is_known else ""
    zeros = f"{figures.zero_share:.0%}"
    ratio = "" if row.ratio is None else notation.number(row.ratio, 2)
    told = f"{right(norm, _NUMBER)} {right(largest, _NUMBER)} {right(zeros, _SHARE)}"
    mark, style = row.mark, _WARNING
    if mark == "nan":
        mark, style = f"{glyphs.spoilt} {_percent(figures.nonfinite_share)} nan", _BAD
    name = left(glyphs.say("  " * row.depth + row.name), columns.name)
    return Content.assemble(
        (name, _STYLES[row.kind]),
        glyphs.text(f" {told}{right(ratio, columns.ratio)}  "),
        (glyphs.text(_bar(figures.rms, columns)), _BAD if row.mark == "nan" else "$primary"),
        ("  " + mark, style),
    )


def _percent(share: float) -> str:
    """A share that is not 0 is not told as 0."""
    return f"{share:.0%}" if share >= 0.01 else "<1%"


def _bar(size: float, columns: FlowColumns) -> str:
    """As long as the logarithm of the root mean square is far along the scale."""
    if math.isnan(size) or not size:
        return " " * columns.bar
    decades = columns.high - columns.low
    share = (math.log10(size) - columns.low) / decades if size < math.inf else 1.0
    return ("▇" * max(round(share * columns.bar), 1)).ljust(columns.bar)
